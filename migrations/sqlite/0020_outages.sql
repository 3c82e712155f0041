-- Whether a key waits for its provider to answer again: with the first answer the others of that provider need not either.
-- The same tables and columns stand in ../postgres/0020_outages.sql; a test compares them.
ALTER TABLE job_keys ADD COLUMN is_outage INTEGER NOT NULL DEFAULT 0;
CREATE INDEX job_keys_in_outage ON job_keys (batches_wait_until) WHERE is_outage;
