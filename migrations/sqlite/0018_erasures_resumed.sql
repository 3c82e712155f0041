-- Erasures: how far the search through records that name no booking is, until when an address is in use, and which addresses
-- are kept under a key of before.
-- The same columns are in ../postgres/0018_erasures_resumed.sql; a test compares them.

-- The table that is being gone through. NULL: none was yet.
ALTER TABLE erasures ADD COLUMN swept_table TEXT;
-- The last of its rows that was gone through.
ALTER TABLE erasures ADD COLUMN swept_after BLOB;

-- When the booking ends: where very many bookings share an address, one look at the index tells whether any of them is recent.
ALTER TABLE booking_addresses ADD COLUMN ends_at TEXT NOT NULL DEFAULT '1970-01-01T00:00:00+00:00';
UPDATE booking_addresses SET ends_at = (SELECT b.ends_at FROM bookings b WHERE b.id = booking_addresses.booking_id);
DROP INDEX booking_addresses_by_address;
CREATE INDEX booking_addresses_by_address ON booking_addresses (business_id, address_key, ends_at);

-- Whether the key may be one that 0014 has made: it knew small letters of ASCII alone and left domains as they were written. A job
-- makes new ones of these.
ALTER TABLE booking_addresses ADD COLUMN has_former_key INTEGER NOT NULL DEFAULT 0;
UPDATE booking_addresses SET has_former_key = 1 WHERE address_key GLOB '*[^ -~]*';
CREATE INDEX booking_addresses_with_former_key ON booking_addresses (booking_id, address_key) WHERE has_former_key;
