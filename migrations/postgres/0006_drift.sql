-- What the last full compare of a connection's calendars found.
-- The same columns stand in ../sqlite/0006_drift.sql; a test compares them.

-- NULL: not compared yet.
ALTER TABLE connections ADD COLUMN drift_checked_at timestamptz;
-- Entries that stood as they should, that should have stood and did not, that stood and should not have, and that were
-- not as we had left them.
ALTER TABLE connections ADD COLUMN drift_standing bigint NOT NULL DEFAULT 0;
ALTER TABLE connections ADD COLUMN drift_missing bigint NOT NULL DEFAULT 0;
ALTER TABLE connections ADD COLUMN drift_extra bigint NOT NULL DEFAULT 0;
ALTER TABLE connections ADD COLUMN drift_different bigint NOT NULL DEFAULT 0;
-- Since when a loss of many waits to be seen a second time.
ALTER TABLE connections ADD COLUMN drift_held_since timestamptz;
-- A driver's day is read for every stop of it.
CREATE INDEX bookings_deliveries ON bookings (business_id, starts_at) WHERE kind = 'delivery';
