-- What a person may look for beside the title: how the error's message begins, in one line. What came before has none.
ALTER TABLE events ADD COLUMN words TEXT NOT NULL DEFAULT '';

-- All that listings and searches look at, so that they need not read what the trackers have sent. New rows come to its end.
DROP INDEX events_by_time;
CREATE INDEX events_by_time
    ON events (received_at, id, source, product, app, trigger, severity, routing, title, words, error_id, tracker_id);
CREATE INDEX events_by_app ON events (source, app, received_at);
CREATE INDEX events_by_error ON events (error_id) WHERE error_id <> '';
CREATE INDEX events_by_tracker_id ON events (tracker_id) WHERE tracker_id <> '';
CREATE INDEX events_unrouted ON events (received_at) WHERE routing <> 'routed';
CREATE INDEX events_of_no_rule ON events (received_at) WHERE matched = '[]';
-- A tracker's own word that it withholds events.
CREATE INDEX events_withheld ON events (received_at)
    WHERE trigger IN ('projectSamplingStarted', 'projectApproachingRateLimit');
CREATE INDEX deliveries_discarded ON deliveries (event) WHERE state = 'discarded';
-- What ended without being told, in the order of time: for who watches.
CREATE INDEX deliveries_ended ON deliveries (settled_at, state) WHERE state IN ('dead', 'discarded', 'moved');

-- When what failed is tried again, as far as was known at its end.
ALTER TABLE attempts ADD COLUMN again_at INTEGER;

-- How long a destination stood so that nothing, or not everything, was sent to it.
CREATE TABLE spells (
    id          INTEGER PRIMARY KEY,
    destination TEXT    NOT NULL,
    kind        TEXT    NOT NULL CHECK (kind IN ('asked_to_wait', 'diverting', 'failing', 'gone', 'suspended')),
    since       INTEGER NOT NULL,
    until       INTEGER,                        -- nothing: it still does
    words       TEXT    NOT NULL                -- what was said of it: a reason, a platform's words, another destination
);
CREATE INDEX spells_of ON spells (destination, kind, since);
CREATE INDEX spells_open ON spells (destination, kind) WHERE until IS NULL;
CREATE INDEX spells_over ON spells (until) WHERE until IS NOT NULL;
INSERT INTO spells (destination, kind, since, until, words)
SELECT name, 'suspended', suspended_since, NULL, '' FROM destinations WHERE suspended_since IS NOT NULL
UNION ALL SELECT name, 'gone', gone_since, NULL, coalesce(gone_words, '') FROM destinations WHERE gone_since IS NOT NULL
UNION ALL SELECT name, 'failing', failing_since, NULL, '' FROM destinations WHERE failing_since IS NOT NULL
UNION ALL SELECT name, 'diverting', diverting_since, NULL, coalesce(diverted_to, '') FROM destinations
          WHERE diverting_since IS NOT NULL;

-- Who was not let in: counted by source, reason and ten minutes, since anybody may call as often as they like.
CREATE TABLE refusals (
    source   TEXT    NOT NULL,                  -- empty: there is no such source
    reason   TEXT    NOT NULL,
    first_at INTEGER NOT NULL,
    last_at  INTEGER NOT NULL,
    count    INTEGER NOT NULL,
    sender   TEXT    NOT NULL,                  -- the address of the last one, if it is known
    span     INTEGER NOT NULL,                  -- when its ten minutes began
    PRIMARY KEY (span, source, reason)
) WITHOUT ROWID;

-- When bugle ran. Nothing in `stopped_at`: it was killed after its last beat, or it runs.
CREATE TABLE runs (
    id         INTEGER PRIMARY KEY,
    started_at INTEGER NOT NULL,
    beat_at    INTEGER NOT NULL,
    stopped_at INTEGER,
    goes_on    INTEGER NOT NULL,                -- whether it is the run before, after a time without a beat
    version    TEXT    NOT NULL
);

-- What became of each configuration that was read: from the first row on it can be told which rules were in force when.
CREATE TABLE configurations (
    id       INTEGER PRIMARY KEY,
    at       INTEGER NOT NULL,
    how      TEXT    NOT NULL CHECK (how IN ('start', 'reload', 'refused')),
    rule_set INTEGER REFERENCES rule_sets (id), -- nothing: it was refused
    lines    TEXT    NOT NULL                   -- what changed, or what is wrong with it, as a JSON list
);
CREATE INDEX configurations_by_time ON configurations (at);
