-- Whether bugle has asked the tracker for the event, since no webhook had brought it.
ALTER TABLE events ADD COLUMN caught_up INTEGER NOT NULL DEFAULT 0;
CREATE INDEX events_caught_up ON events (received_at) WHERE caught_up = 1;

-- How far each application or project has been asked about, and how that went.
CREATE TABLE catch_ups (
    source        TEXT    NOT NULL,
    subject       TEXT    NOT NULL,             -- an application or a project, as the tracker's API names it
    begins_at     INTEGER NOT NULL,             -- what happened before is not asked for: bugle was not there yet
    up_to         INTEGER,                      -- all that happened before was asked for; nothing: it never was
    asked_at      INTEGER NOT NULL,             -- when it was asked last
    requests      INTEGER NOT NULL,             -- how many requests that took
    done_at       INTEGER,                      -- when that last went well
    failing_since INTEGER,                      -- nothing: the last time it went well
    told_at       INTEGER,                      -- when people were to be told that it fails; nothing: not since it does
    cut_at        INTEGER,                      -- when the tracker last had more to tell than was read
    words         TEXT    NOT NULL,             -- why it failed last, or what could not be had
    found         INTEGER NOT NULL,             -- how many events were found when some last were …
    found_at      INTEGER,                      -- … and when that was; nothing: none ever were
    found_since   INTEGER,                      -- when the first of them had happened
    missed        INTEGER NOT NULL,             -- how many of them had happened while bugle was at work
    PRIMARY KEY (source, subject)
) WITHOUT ROWID;

-- The state of each error that was not open when its tracker was asked last: so that one is noticed that opens again.
CREATE TABLE error_states (
    source   TEXT    NOT NULL,
    subject  TEXT    NOT NULL,
    error_id TEXT    NOT NULL,
    status   TEXT    NOT NULL,
    at       INTEGER NOT NULL,
    PRIMARY KEY (source, subject, error_id)
) WITHOUT ROWID;

-- Webhooks that bugle has subscribed at a tracker: what is needed to look at them and to undo them.
CREATE TABLE hooks (
    source     TEXT    NOT NULL,
    subject    TEXT    NOT NULL,
    event      TEXT    NOT NULL,                -- in the tracker's own word
    hook       TEXT    NOT NULL,                -- the tracker's id of it
    target     BLOB    NOT NULL,                -- a digest of the address that it calls, which has a token in it
    made_at    INTEGER NOT NULL,
    tells      INTEGER NOT NULL,                -- whether the tracker's API tells of a hook that is there
    checked_at INTEGER,
    gone_at    INTEGER,                         -- since when it is known to be gone
    PRIMARY KEY (source, subject, event, hook)
) WITHOUT ROWID;

-- Sources that were said to be silent: for which last event of theirs that was.
CREATE TABLE silences (
    source  TEXT    NOT NULL PRIMARY KEY,
    last_at INTEGER NOT NULL,
    usual   INTEGER NOT NULL,                   -- the longest time between two of those before, in milliseconds
    said_at INTEGER NOT NULL
) WITHOUT ROWID;
