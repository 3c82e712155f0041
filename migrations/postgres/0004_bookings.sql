-- Bookings, the time that they occupy, and the history of who changed what.
-- The same tables and columns are in ../sqlite/0004_bookings.sql; a test compares them.

-- For the exclusion constraint of occupancy.
CREATE EXTENSION IF NOT EXISTS btree_gist;

CREATE TABLE bookings (
    id uuid PRIMARY KEY,
    business_id uuid NOT NULL REFERENCES businesses (id),
    resource_id uuid NOT NULL REFERENCES resources (id),
    -- The channel that it came by; NULL: none.
    channel_id uuid REFERENCES channels (id),
    reference text NOT NULL,
    kind text NOT NULL,
    source text NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    -- A stay by date has both, any other booking neither.
    check_in date,
    check_out date,
    title text NOT NULL,
    customer_name text NOT NULL,
    customer_email text NOT NULL,
    customer_phone text NOT NULL,
    party_size bigint,
    -- How many units it takes.
    quantity bigint NOT NULL,
    location text NOT NULL,
    notes text NOT NULL,
    -- The text that searches look through, in lower case.
    search_text text NOT NULL,
    status text NOT NULL,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    UNIQUE (business_id, reference),
    CHECK (ends_at > starts_at),
    CHECK ((check_in IS NULL) = (check_out IS NULL))
);
CREATE INDEX bookings_by_start ON bookings (business_id, starts_at, id);
CREATE INDEX bookings_by_resource ON bookings (resource_id, ends_at);
-- A driver's whole day is read for each of its stops.
CREATE INDEX bookings_deliveries ON bookings (business_id, starts_at) WHERE kind = 'delivery';
CREATE INDEX bookings_by_channel ON bookings (channel_id, ends_at) WHERE channel_id IS NOT NULL;
-- What has not ended is found by its end, without reading all of the past.
CREATE INDEX bookings_by_end ON bookings (business_id, ends_at, starts_at);
CREATE INDEX bookings_by_status ON bookings (business_id, status, starts_at, id);
CREATE INDEX bookings_by_kind ON bookings (business_id, kind, starts_at, id);
CREATE INDEX bookings_by_resource_start ON bookings (resource_id, starts_at, id);

CREATE TABLE booking_staff (
    booking_id uuid NOT NULL REFERENCES bookings (id),
    staff_id uuid NOT NULL REFERENCES staff (id),
    business_id uuid NOT NULL REFERENCES businesses (id),
    PRIMARY KEY (booking_id, staff_id)
);
CREATE INDEX booking_staff_by_staff ON booking_staff (staff_id, booking_id);

-- Who or what is occupied, and when: half-open intervals, buffers included.
CREATE TABLE occupancy (
    id uuid PRIMARY KEY,
    business_id uuid NOT NULL REFERENCES businesses (id),
    subject_kind text NOT NULL,
    subject_id uuid NOT NULL,
    -- The allocated unit, from 1. NULL: unallocated, such as an overbooking.
    unit bigint CHECK (unit >= 1),
    source text NOT NULL,
    source_id uuid NOT NULL,
    -- Which of the units that its source takes, from 0.
    part bigint NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    UNIQUE (source_id, subject_id, part),
    CHECK (ends_at > starts_at),
    -- The database itself refuses two overlapping rows on one unit.
    CONSTRAINT occupancy_no_overlap EXCLUDE USING gist (
        subject_id WITH =, unit WITH =, tstzrange(starts_at, ends_at, '[)') WITH &&
    ) WHERE (unit IS NOT NULL)
);
CREATE INDEX occupancy_by_subject ON occupancy USING gist (subject_id, tstzrange(starts_at, ends_at, '[)'));
CREATE INDEX occupancy_unallocated ON occupancy (business_id, subject_id) WHERE unit IS NULL;

-- Who changed what, of bookings and of everything else.
CREATE TABLE history (
    id uuid PRIMARY KEY,
    business_id uuid NOT NULL REFERENCES businesses (id),
    subject_kind text NOT NULL,
    subject_id uuid NOT NULL,
    actor jsonb NOT NULL,
    action text NOT NULL,
    detail jsonb NOT NULL,
    at timestamptz NOT NULL
);
CREATE INDEX history_by_subject ON history (subject_id, at DESC, id DESC);
CREATE INDEX history_by_business ON history (business_id, at DESC, id DESC);
