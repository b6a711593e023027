-- Since when a person has had a destination wait.
ALTER TABLE destinations ADD COLUMN suspended_since INTEGER;

-- When a person last said to try it again at once.
ALTER TABLE destinations ADD COLUMN resumed_at INTEGER;

-- Until when its courier leaves it alone after failures. Only for who looks: after a restart it is tried at once.
ALTER TABLE destinations ADD COLUMN rests_until INTEGER;

-- What was given up, by destination: counted at every scrape, and listed.
DROP INDEX deliveries_dead;
CREATE INDEX deliveries_dead ON deliveries (destination, settled_at) WHERE state = 'dead';

-- When it last took a message.
ALTER TABLE destinations ADD COLUMN delivered_at INTEGER;
