-- Indexes for a business with very many rows; who holds a refresh lease; how often a provider has refused in a row.
-- The same columns and indexes stand in ../postgres/0009_speed.sql; a test compares the columns.

-- What is open is found by its key, whoever is told of it: every write that succeeds asks for it.
CREATE INDEX notices_open ON notices (business_id, dedupe_key) WHERE closed_at IS NULL;

-- What has not ended is found by its end, and not by walking the past.
CREATE INDEX bookings_by_end ON bookings (business_id, ends_at, starts_at);
CREATE INDEX bookings_by_status ON bookings (business_id, status, starts_at, id);
CREATE INDEX bookings_by_kind ON bookings (business_id, kind, starts_at, id);
CREATE INDEX bookings_by_resource_start ON bookings (resource_id, starts_at, id);

CREATE INDEX remote_changes_open ON remote_changes (business_id, seen_at, id) WHERE state = 'open';

-- A webhook may bring again what was found gone.
CREATE INDEX channel_items_gone ON channel_items (channel_id, item_key) WHERE lost_at IS NOT NULL;

-- With the queue, so that the metrics count without reading the rows.
DROP INDEX jobs_by_business;
CREATE INDEX jobs_by_business ON jobs (business_id, state, kind, queue);
CREATE INDEX jobs_done ON jobs (finished_at) WHERE state = 'done';
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

-- Whoever refreshes gives back only what is theirs.
ALTER TABLE connections ADD COLUMN refresh_leased_by TEXT;

-- How often the provider has refused in a row without saying for how long, when it last did so to a call that counts, and
-- from when on the next call may try again: one that somebody waits for, and any other. Microseconds since 1970.
ALTER TABLE rate_limits ADD COLUMN refusals INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rate_limits ADD COLUMN refused_at_micros INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rate_limits ADD COLUMN try_at_micros INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rate_limits ADD COLUMN try_later_at_micros INTEGER NOT NULL DEFAULT 0;

-- A connection's entries, a slice at a time in the order of their ids.
CREATE INDEX entries_by_connection_in_order ON entries (connection_id, id);
