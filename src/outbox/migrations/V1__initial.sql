-- Times are milliseconds since 1970 in UTC. Numbers are never used twice, so that a short id stays what it was.

-- The rules as they were when an event was routed; each set is kept once, without secrets.
CREATE TABLE rule_sets (
    id         INTEGER PRIMARY KEY,
    digest     BLOB    NOT NULL UNIQUE,
    rules      TEXT    NOT NULL,
    first_used INTEGER NOT NULL
);

CREATE TABLE events (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    received_at INTEGER NOT NULL,
    source      TEXT    NOT NULL,
    product     TEXT    NOT NULL,
    trigger     TEXT    NOT NULL,
    severity    TEXT    NOT NULL,
    app         TEXT    NOT NULL,
    title       TEXT    NOT NULL,
    error_id    TEXT    NOT NULL,
    tracker_id  TEXT    NOT NULL,
    rule_set    INTEGER NOT NULL REFERENCES rule_sets (id),
    matched     TEXT    NOT NULL,               -- the names of the rules that matched, as a JSON list
    routing     TEXT    NOT NULL CHECK (routing IN ('routed', 'dropped', 'unmatched')),
    raw         TEXT    NOT NULL                -- the event's own element of the body, as it came
);
CREATE INDEX events_by_time ON events (received_at);

-- What tells a second arrival of an event from a new one.
CREATE TABLE identities (
    digest  BLOB    NOT NULL PRIMARY KEY,
    event   INTEGER NOT NULL,
    seen_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX identities_by_time ON identities (seen_at);

-- Second arrivals: answered, counted, not sent.
CREATE TABLE duplicates (
    id          INTEGER PRIMARY KEY,
    event       INTEGER NOT NULL,
    received_at INTEGER NOT NULL
);
CREATE INDEX duplicates_by_event ON duplicates (event);

CREATE TABLE deliveries (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    event       INTEGER NOT NULL REFERENCES events (id),
    destination TEXT    NOT NULL,
    rule        TEXT,                           -- the first rule that picked it; none: the default destination
    template    TEXT,
    urgent      INTEGER NOT NULL,
    mentions    TEXT    NOT NULL,               -- names, as a JSON list
    accepted_at INTEGER NOT NULL,
    state       TEXT    NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'dead')),
    due_at      INTEGER NOT NULL,               -- 0: at once
    failures    INTEGER NOT NULL DEFAULT 0,     -- passing failures so far
    unclear     INTEGER NOT NULL DEFAULT 0,     -- unclear results so far
    settled_at  INTEGER,
    reason      TEXT,                           -- why it is dead
    words       TEXT,                           -- what the platform said last
    message_id  TEXT                            -- the message's id on the platform
);
CREATE INDEX deliveries_waiting ON deliveries (destination, urgent DESC, id) WHERE state = 'waiting';
CREATE INDEX deliveries_due ON deliveries (destination, due_at) WHERE state = 'waiting';
CREATE INDEX deliveries_by_event ON deliveries (event);
CREATE INDEX deliveries_dead ON deliveries (settled_at) WHERE state = 'dead';

-- One try each. One without an end was under way when the process ended.
CREATE TABLE attempts (
    id         INTEGER PRIMARY KEY,
    delivery   INTEGER NOT NULL REFERENCES deliveries (id),
    pace_group TEXT    NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at   INTEGER,
    outcome    TEXT,
    reason     TEXT,
    status     INTEGER,
    words      TEXT
);
CREATE INDEX attempts_by_delivery ON attempts (delivery);
CREATE INDEX attempts_open ON attempts (id) WHERE ended_at IS NULL;
CREATE INDEX attempts_by_pace ON attempts (pace_group, started_at);

-- Written to see whether the store can be.
CREATE TABLE beats (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL
);

-- What a destination's platform has asked of it, or done to it.
CREATE TABLE destinations (
    name        TEXT NOT NULL PRIMARY KEY,
    fingerprint BLOB NOT NULL,                  -- tells whether the address has changed, not the address
    hold_until  INTEGER,
    hold_reason TEXT,
    gone_since  INTEGER,
    gone_words  TEXT
) WITHOUT ROWID;
