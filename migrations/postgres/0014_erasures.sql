-- Erasure of people's data: by what a person's bookings are found, what was erased, and how far each erasure is.
-- The same tables and columns are in ../sqlite/0014_erasures.sql; a test compares them.

-- Each address that a booking names or has named.
CREATE TABLE booking_addresses (
    booking_id uuid NOT NULL REFERENCES bookings (id),
    address_key text NOT NULL,
    business_id uuid NOT NULL REFERENCES businesses (id),
    PRIMARY KEY (booking_id, address_key)
);
CREATE INDEX booking_addresses_by_address ON booking_addresses (business_id, address_key, booking_id);

INSERT INTO booking_addresses (booking_id, address_key, business_id)
    SELECT booking_id, address_key, business_id FROM attendees WHERE address_key <> '';
INSERT INTO booking_addresses (booking_id, address_key, business_id)
    SELECT id, lower(trim(customer_email)), business_id FROM bookings WHERE trim(customer_email) <> ''
    ON CONFLICT DO NOTHING;
INSERT INTO booking_addresses (booking_id, address_key, business_id)
    SELECT b.id, lower(trim(g.value ->> 'email')), b.business_id FROM bookings b, jsonb_array_elements(b.guests) AS g (value)
    WHERE b.guests <> '[]' AND trim(g.value ->> 'email') <> ''
    ON CONFLICT DO NOTHING;

-- When the people were last taken out of it. NULL: never.
ALTER TABLE bookings ADD COLUMN erased_at timestamptz;
CREATE INDEX bookings_with_people ON bookings (ends_at, id)
    WHERE customer_name <> '' OR customer_email <> '' OR customer_phone <> '' OR guests <> '[]';

-- Whether the person was taken out of it: what the feed still says of them is not taken over.
ALTER TABLE channel_items ADD COLUMN is_erased boolean NOT NULL DEFAULT false;

CREATE TABLE erasures (
    id uuid PRIMARY KEY,
    business_id uuid NOT NULL REFERENCES businesses (id),
    reason text NOT NULL,
    state text NOT NULL,
    -- Whose data it is, and the texts by which it is found where nothing else tells; sealed. NULL once it is done.
    sealed text,
    created_at timestamptz NOT NULL,
    finished_at timestamptz
);
CREATE INDEX erasures_by_business ON erasures (business_id, created_at, id);

-- The list of what was erased: ids and times, and nobody's data. It is kept for ever, and replayed after a restore.
CREATE TABLE erased_bookings (
    erasure_id uuid NOT NULL REFERENCES erasures (id),
    booking_id uuid NOT NULL REFERENCES bookings (id),
    business_id uuid NOT NULL REFERENCES businesses (id),
    -- Whether all people were taken out of it, or one of them.
    scope text NOT NULL,
    -- That one, where they had a row.
    attendee_id uuid,
    -- NULL: not yet.
    erased_at timestamptz,
    PRIMARY KEY (erasure_id, booking_id)
);
CREATE INDEX erased_bookings_by_booking ON erased_bookings (booking_id);
CREATE INDEX erased_bookings_waiting ON erased_bookings (erasure_id, booking_id) WHERE erased_at IS NULL;

-- An erasure finds by it what a booking's events say.
CREATE INDEX events_by_subject ON events (subject_id);
-- And the answers that are kept for whoever repeats a request.
CREATE INDEX idempotency_keys_by_subject ON idempotency_keys (subject_id) WHERE subject_id IS NOT NULL;
