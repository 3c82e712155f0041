-- Which keys have something due is read from this index alone, however much they keep waiting.
-- The same indexes stand in ../postgres/0021_due_by_key.sql.
DROP INDEX jobs_due;
CREATE INDEX jobs_due ON jobs (due_at, key_id, queue) WHERE due_at IS NOT NULL;
