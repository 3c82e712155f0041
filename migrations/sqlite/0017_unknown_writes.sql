-- What each write of ours would have left whose outcome is not known, so that it can be told from a person's edit.
-- The same tables and columns stand in ../postgres/0017_unknown_writes.sql; a test compares them.

-- Until now it was only marked that there are such writes: what these entries should say is written once more.
UPDATE entries SET content_hash = NULL WHERE in_doubt = 1;
ALTER TABLE entries DROP COLUMN in_doubt;
ALTER TABLE entries ADD COLUMN unknown_writes TEXT NOT NULL DEFAULT '[]';
-- Raised by whatever stores what is known of the entry, so that nobody stores what is older than that.
ALTER TABLE entries ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
-- How many readings of the connection had begun when that was last stored.
ALTER TABLE entries ADD COLUMN reading INTEGER NOT NULL DEFAULT 0;
ALTER TABLE connections ADD COLUMN readings INTEGER NOT NULL DEFAULT 0;
