-- A request with an idempotency key is marked as done by the transaction that does it, not by one that comes after it.
-- As long as somebody answers it, they say so again and again.
ALTER TABLE idempotency_keys ADD COLUMN alive_until TEXT;
ALTER TABLE idempotency_keys ADD COLUMN done_at TEXT;
-- What it was done to, in the words of the history.
ALTER TABLE idempotency_keys ADD COLUMN subject_kind TEXT;
ALTER TABLE idempotency_keys ADD COLUMN subject_id BLOB;

-- Written and deleted again to find out whether the database can be written.
CREATE TABLE write_probes (
    id BLOB PRIMARY KEY,
    payload TEXT NOT NULL
) STRICT;
