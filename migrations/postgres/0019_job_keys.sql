-- JobRunner of one key are done one at a time. The key of a job that reads or writes a calendar is its connection.
-- The same tables and columns stand in ../sqlite/0019_job_keys.sql; a test compares them.

-- NULL: it is done beside any other.
ALTER TABLE jobs ADD COLUMN key_id uuid;
-- Of a key's jobs of one class the one with the earliest of these comes first: the start of the booking that it is about, or
-- when it was due.
ALTER TABLE jobs ADD COLUMN priority_at timestamptz NOT NULL DEFAULT '1970-01-01T00:00:00Z';

UPDATE jobs SET lease_until = NULL, leased_by = NULL WHERE leased_by IS NOT NULL;
UPDATE jobs SET priority_at = enqueued_at;
UPDATE jobs SET key_id = subject_id WHERE kind IN ('compare_drift', 'disconnect');
UPDATE jobs SET key_id = (SELECT k.connection_id FROM calendars k WHERE k.id = jobs.subject_id)
WHERE kind IN ('import_availability', 'keep_push');
UPDATE jobs SET key_id = (SELECT e.connection_id FROM entries e WHERE e.id = jobs.subject_id),
    priority_at = COALESCE(
        (SELECT b.starts_at FROM entries e JOIN bookings b ON b.id = e.booking_id WHERE e.id = jobs.subject_id), enqueued_at)
WHERE kind IN ('sync_booking', 'delete_booking');

-- At most one job of a key is leased.
CREATE UNIQUE INDEX jobs_leased_by_key ON jobs (key_id) WHERE leased_by IS NOT NULL;
-- The next job of a key.
CREATE INDEX jobs_by_key ON jobs (key_id,
    (CASE queue WHEN 'interactive' THEN 0 WHEN 'poll' THEN 1 ELSE 2 END), priority_at, enqueued_at, due_at)
WHERE state <> 'done' AND leased_by IS NULL;
-- Leases that have run out.
CREATE INDEX jobs_leased ON jobs (lease_until) WHERE leased_by IS NOT NULL;

-- Keys whose jobs wait, all of them together.
CREATE TABLE job_keys (
    id uuid PRIMARY KEY,
    -- No job of the key begins before ...
    wait_until timestamptz NOT NULL,
    -- ... and none that nobody waits for, such as a batch, before:
    batches_wait_until timestamptz NOT NULL,
    -- Why, for people.
    reason text NOT NULL
);

-- The lease of a key's job is the right to write to its calendar.
ALTER TABLE connections DROP COLUMN write_lease_until;
ALTER TABLE connections DROP COLUMN write_leased_by;
