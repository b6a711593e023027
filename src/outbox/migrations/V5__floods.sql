-- What the events of one error have in common, whatever happened to it; nothing: it is never collapsed.
ALTER TABLE deliveries ADD COLUMN error_key BLOB;

-- Whether more of the same are only counted while the window of the error is open.
ALTER TABLE deliveries ADD COLUMN collapsible INTEGER NOT NULL DEFAULT 0;

-- Whether it goes by itself, whatever else waits: what bugle says of itself must be read.
ALTER TABLE deliveries ADD COLUMN alone INTEGER NOT NULL DEFAULT 0;

-- What keeps one that waits out of the queue. 0: nothing; 1: the window of its error; 2: `folded_into` tells of it.
ALTER TABLE deliveries ADD COLUMN held INTEGER NOT NULL DEFAULT 0;

-- The delivery whose message tells of this one, too.
ALTER TABLE deliveries ADD COLUMN folded_into INTEGER;

-- How the message tells of several: 'digest' or 'more'; nothing: it tells of its own event alone.
-- The rule for the columns above stands here, too: SQLite reads the whole table for each column that is added with one.
ALTER TABLE deliveries ADD COLUMN told_as TEXT
    CHECK ((told_as IS NULL OR told_as IN ('digest', 'more')) AND collapsible IN (0, 1) AND held IN (0, 1, 2));

-- Whom the message that tells of several mentions: names, as a JSON list; decided once, when it is first sent.
ALTER TABLE deliveries ADD COLUMN mentioned TEXT;

DROP INDEX deliveries_waiting;
CREATE INDEX deliveries_waiting ON deliveries (destination, held, urgent DESC, id) WHERE state = 'waiting';
DROP INDEX deliveries_due;
CREATE INDEX deliveries_due ON deliveries (destination, due_at) WHERE state = 'waiting' AND held = 0;
CREATE INDEX deliveries_of_error ON deliveries (destination, error_key, held)
    WHERE state = 'waiting' AND error_key IS NOT NULL;
CREATE INDEX deliveries_folded ON deliveries (folded_into) WHERE folded_into IS NOT NULL;
-- What is in the queue and may not be told together with others.
CREATE INDEX deliveries_alone ON deliveries (destination, urgent, id)
    WHERE state = 'waiting' AND held = 0 AND (told_as IS NOT NULL OR alone = 1 OR unclear > 0);

-- After a message about an error was posted: until when more of the same are only counted.
CREATE TABLE windows (
    destination TEXT    NOT NULL,
    error_key   BLOB    NOT NULL,
    urgent      INTEGER NOT NULL,               -- whether the message was urgent: only then it holds what is urgent
    opened_at   INTEGER NOT NULL,
    ends_at     INTEGER NOT NULL,
    held        INTEGER NOT NULL DEFAULT 0,     -- how many deliveries it holds
    PRIMARY KEY (destination, error_key)
) WITHOUT ROWID;
CREATE INDEX windows_holding ON windows (destination, ends_at) WHERE held > 0;
CREATE INDEX windows_over ON windows (ends_at) WHERE held = 0;

-- A window knows how many it holds, whoever changes what about a delivery.
CREATE TRIGGER delivery_held AFTER INSERT ON deliveries WHEN new.held = 1 AND new.state = 'waiting' BEGIN
    UPDATE windows SET held = held + 1 WHERE destination = new.destination AND error_key = new.error_key;
END;
CREATE TRIGGER delivery_held_or_let_go AFTER UPDATE OF held, state ON deliveries
WHEN (old.held = 1 AND old.state = 'waiting') <> (new.held = 1 AND new.state = 'waiting') BEGIN
    UPDATE windows SET held = held + iif(new.held = 1 AND new.state = 'waiting', 1, -1)
    WHERE destination = new.destination AND error_key = new.error_key;
END;

-- Digests of the burst that a destination is in, and when the last of them was gathered; the same of urgent ones.
ALTER TABLE destinations ADD COLUMN digests INTEGER NOT NULL DEFAULT 0;
ALTER TABLE destinations ADD COLUMN digest_at INTEGER;
ALTER TABLE destinations ADD COLUMN urgent_digests INTEGER NOT NULL DEFAULT 0;
ALTER TABLE destinations ADD COLUMN urgent_digest_at INTEGER;

-- When a tracker last said that a project is spiking.
CREATE TABLE spikes (
    source TEXT    NOT NULL,
    app    TEXT    NOT NULL,
    at     INTEGER NOT NULL,
    PRIMARY KEY (source, app)
) WITHOUT ROWID;

-- How many deliveries each destination was ever owed, by where they stand; what is forgotten stays counted.
CREATE TABLE tallies (
    destination TEXT    NOT NULL,
    state       TEXT    NOT NULL,
    count       INTEGER NOT NULL,
    PRIMARY KEY (destination, state)
) WITHOUT ROWID;
INSERT INTO tallies (destination, state, count)
SELECT destination, state, count(*) FROM deliveries GROUP BY destination, state;
CREATE TRIGGER delivery_owed AFTER INSERT ON deliveries BEGIN
    INSERT INTO tallies (destination, state, count) VALUES (new.destination, new.state, 1)
    ON CONFLICT (destination, state) DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER delivery_settled AFTER UPDATE OF state ON deliveries WHEN old.state <> new.state BEGIN
    UPDATE tallies SET count = count - 1 WHERE destination = old.destination AND state = old.state;
    INSERT INTO tallies (destination, state, count) VALUES (new.destination, new.state, 1)
    ON CONFLICT (destination, state) DO UPDATE SET count = count + 1;
END;

-- How many events each source ever brought, by what became of them; of bugle's own events none are counted.
CREATE TABLE arrivals (
    source TEXT    NOT NULL,
    fate   TEXT    NOT NULL CHECK (fate IN ('duplicate', 'routed', 'dropped', 'unmatched')),
    count  INTEGER NOT NULL,
    PRIMARY KEY (source, fate)
) WITHOUT ROWID;
INSERT INTO arrivals (source, fate, count)
SELECT source, routing, count(*) FROM events WHERE product <> 'bugle' GROUP BY source, routing;
INSERT INTO arrivals (source, fate, count)
SELECT e.source, 'duplicate', count(*) FROM duplicates d JOIN events e ON e.id = d.event
WHERE e.product <> 'bugle' GROUP BY e.source;
