-- Jobs, and what workers share: the keys of jobs, rate limits, and a probe of the database.
-- The same tables and columns are in ../postgres/0002_jobs.sql; a test compares them.

-- All work that must be done. A queue only wakes workers: it says that there is something here.
CREATE TABLE jobs (
    id BLOB PRIMARY KEY,
    -- NULL: not of one business.
    business_id BLOB REFERENCES businesses (id),
    kind TEXT NOT NULL,
    subject_id BLOB NOT NULL,
    -- Jobs of one key are done one at a time. The key of a job that reads or writes a calendar is its connection.
    -- NULL: the job is done beside any other.
    key_id BLOB,
    queue TEXT NOT NULL,
    -- Of a key's jobs in one queue the one with the earliest of these comes first: the start of the booking that the
    -- job is about, or when it was due.
    priority_at TEXT NOT NULL DEFAULT '1970-01-01T00:00:00+00:00',
    -- Counts how often the job was enqueued, so that one enqueued again while it runs is done again.
    version INTEGER NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    last_error TEXT,
    -- NULL: not until it is enqueued again.
    due_at TEXT,
    lease_until TEXT,
    leased_by TEXT,
    enqueued_at TEXT NOT NULL,
    started_at TEXT,
    finished_at TEXT,
    created_at TEXT NOT NULL,
    UNIQUE (kind, subject_id)
) STRICT;
-- With the queue, so that the metrics count without reading the rows.
CREATE INDEX jobs_by_business ON jobs (business_id, state, kind, queue);
CREATE INDEX jobs_done ON jobs (finished_at) WHERE state = 'done';
-- At most one job of a key is leased at a time.
CREATE UNIQUE INDEX jobs_leased_by_key ON jobs (key_id) WHERE leased_by IS NOT NULL;
-- The next job of a key.
CREATE INDEX jobs_by_key ON jobs (key_id,
    (CASE queue WHEN 'interactive' THEN 0 WHEN 'poll' THEN 1 ELSE 2 END), priority_at, enqueued_at, due_at)
WHERE state <> 'done' AND leased_by IS NULL;
-- The sweep looks for leases that have run out.
CREATE INDEX jobs_leased ON jobs (lease_until) WHERE leased_by IS NOT NULL;
-- The sweep reads from this index alone which keys have something due, however many of their jobs wait.
CREATE INDEX jobs_due ON jobs (due_at, key_id, queue) WHERE due_at IS NOT NULL;

-- Keys all of whose jobs have to wait.
CREATE TABLE job_keys (
    id BLOB PRIMARY KEY,
    -- No job of the key begins before this time.
    wait_until TEXT NOT NULL,
    -- No job that nobody waits for, such as a batch or a poll, begins before this time.
    batches_wait_until TEXT NOT NULL,
    -- Whether the key waits for its provider to answer again: the first answer ends the wait of all
    -- keys of that provider.
    is_outage INTEGER NOT NULL DEFAULT 0,
    -- Why it waits, as people are told.
    reason TEXT NOT NULL
) STRICT;
CREATE INDEX job_keys_in_outage ON job_keys (batches_wait_until) WHERE is_outage;

-- How often the outside may be called. Times are microseconds since 1970, with which both databases reckon alike, so
-- that one statement counts a call.
CREATE TABLE rate_limits (
    bucket TEXT PRIMARY KEY,
    -- The theoretical arrival time of the next call (GCRA).
    next_at_micros INTEGER NOT NULL,
    -- How often in a row the provider has refused without saying for how long, and when it last refused
    -- a call that counts.
    refusals INTEGER NOT NULL DEFAULT 0,
    refused_at_micros INTEGER NOT NULL DEFAULT 0,
    -- While it refuses: when a call that somebody waits for may try again, and when any other call may.
    try_at_micros INTEGER NOT NULL DEFAULT 0,
    try_later_at_micros INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Rows are written and deleted again to find out whether the database can be written.
CREATE TABLE write_probes (
    id BLOB PRIMARY KEY,
    payload TEXT NOT NULL
) STRICT;
