-- Written with foreign keys off: every delivery keeps its number, so whatever points at one still does.

-- A delivery may end in more ways than before: moved to another destination, folded into another message, discarded by a
-- person.
CREATE TABLE deliveries_of_now (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    event       INTEGER NOT NULL REFERENCES events (id),
    destination TEXT    NOT NULL,
    rule        TEXT,                           -- the first rule that picked it; none: the default destination
    template    TEXT,
    urgent      INTEGER NOT NULL,
    mentions    TEXT    NOT NULL,               -- names, as a JSON list
    accepted_at INTEGER NOT NULL,
    state       TEXT    NOT NULL DEFAULT 'waiting'
                CHECK (state IN ('waiting', 'delivered', 'folded', 'moved', 'discarded', 'dead')),
    due_at      INTEGER NOT NULL,               -- 0: at once
    failures    INTEGER NOT NULL DEFAULT 0,     -- passing failures so far
    unclear     INTEGER NOT NULL DEFAULT 0,     -- unclear results so far
    simplest    INTEGER NOT NULL DEFAULT 0 CHECK (simplest IN (0, 1)),
    settled_at  INTEGER,
    reason      TEXT,                           -- why it is dead or has moved
    words       TEXT,                           -- what the platform said last
    message_id  TEXT,                           -- the message's id on the platform
    moved_to    INTEGER,                        -- the delivery of the same event that took it over
    instead_of  TEXT,                           -- the destination that it was first meant for; none: this one
    CHECK (state <> 'moved' OR moved_to IS NOT NULL)
);

INSERT INTO deliveries_of_now (id, event, destination, rule, template, urgent, mentions, accepted_at, state, due_at,
                               failures, unclear, simplest, settled_at, reason, words, message_id)
SELECT id, event, destination, rule, template, urgent, mentions, accepted_at, state, due_at,
       failures, unclear, simplest, settled_at, reason, words, message_id
FROM deliveries ORDER BY id;

-- The counter may be ahead of the largest number there is, since what is old has been forgotten.
DELETE FROM sqlite_sequence WHERE name = 'deliveries_of_now';
INSERT INTO sqlite_sequence (name, seq) SELECT 'deliveries_of_now', seq FROM sqlite_sequence WHERE name = 'deliveries';

DROP TABLE deliveries;
ALTER TABLE deliveries_of_now RENAME TO deliveries;

CREATE INDEX deliveries_waiting ON deliveries (destination, urgent DESC, id) WHERE state = 'waiting';
CREATE INDEX deliveries_due ON deliveries (destination, due_at) WHERE state = 'waiting';
CREATE INDEX deliveries_by_event ON deliveries (event);
CREATE INDEX deliveries_dead ON deliveries (settled_at) WHERE state = 'dead';

-- Since when a destination has done nothing but fail.
ALTER TABLE destinations ADD COLUMN failing_since INTEGER;

-- Since when what is meant for a destination has gone to its fallback.
ALTER TABLE destinations ADD COLUMN diverting_since INTEGER;

-- To whom it went last: whoever is to be told that it does so no more, once the destination works again.
ALTER TABLE destinations ADD COLUMN diverted_to TEXT;
