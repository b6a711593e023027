-- Whether the platform has refused the message in full: from then on it goes in its simplest form.
ALTER TABLE deliveries ADD COLUMN simplest INTEGER NOT NULL DEFAULT 0 CHECK (simplest IN (0, 1));
