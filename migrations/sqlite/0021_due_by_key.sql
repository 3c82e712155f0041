-- Which keys have something due is read from this index alone, however much they keep waiting.
-- The same indexes stand in ../postgres/0021_due_by_key.sql.
DROP INDEX duties_due;
CREATE INDEX duties_due ON duties (due_at, key_id, queue) WHERE due_at IS NOT NULL;
