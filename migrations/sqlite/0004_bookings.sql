-- Bookings, the time that they occupy, and the history of who changed what.
-- The same tables and columns are in ../postgres/0004_bookings.sql; a test compares them.

CREATE TABLE bookings (
    id BLOB PRIMARY KEY,
    business_id BLOB NOT NULL REFERENCES businesses (id),
    resource_id BLOB NOT NULL REFERENCES resources (id),
    -- The channel that it came by; NULL: none.
    channel_id BLOB REFERENCES channels (id),
    reference TEXT NOT NULL,
    kind TEXT NOT NULL,
    source TEXT NOT NULL,
    starts_at TEXT NOT NULL,
    ends_at TEXT NOT NULL,
    -- A stay by date has both, any other booking neither.
    check_in TEXT,
    check_out TEXT,
    title TEXT NOT NULL,
    customer_name TEXT NOT NULL,
    customer_email TEXT NOT NULL,
    customer_phone TEXT NOT NULL,
    party_size INTEGER,
    -- How many units it takes.
    quantity INTEGER NOT NULL,
    location TEXT NOT NULL,
    notes TEXT NOT NULL,
    -- The text that searches look through, in lower case.
    search_text TEXT NOT NULL,
    status TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    UNIQUE (business_id, reference),
    CHECK (ends_at > starts_at),
    CHECK ((check_in IS NULL) = (check_out IS NULL))
) STRICT;
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
    booking_id BLOB NOT NULL REFERENCES bookings (id),
    staff_id BLOB NOT NULL REFERENCES staff (id),
    business_id BLOB NOT NULL REFERENCES businesses (id),
    PRIMARY KEY (booking_id, staff_id)
) STRICT;
CREATE INDEX booking_staff_by_staff ON booking_staff (staff_id, booking_id);

-- Who or what is occupied, and when: half-open intervals, buffers included.
CREATE TABLE occupancy (
    id BLOB PRIMARY KEY,
    business_id BLOB NOT NULL REFERENCES businesses (id),
    subject_kind TEXT NOT NULL,
    subject_id BLOB NOT NULL,
    -- The allocated unit, from 1. NULL: unallocated, such as an overbooking.
    unit INTEGER CHECK (unit >= 1),
    source TEXT NOT NULL,
    source_id BLOB NOT NULL,
    -- Which of the units that its source takes, from 0.
    part INTEGER NOT NULL,
    starts_at TEXT NOT NULL,
    ends_at TEXT NOT NULL,
    created_at TEXT NOT NULL,
    UNIQUE (source_id, subject_id, part),
    CHECK (ends_at > starts_at)
) STRICT;
-- The allocated rows of one unit are disjoint, so the last one that starts before an end decides; the others are
-- found by their ends.
CREATE INDEX occupancy_by_unit ON occupancy (subject_id, unit, starts_at) WHERE unit IS NOT NULL;
CREATE INDEX occupancy_by_subject ON occupancy (subject_id, ends_at, starts_at);
CREATE INDEX occupancy_unallocated ON occupancy (business_id, subject_id) WHERE unit IS NULL;

-- The database itself refuses two overlapping rows on one unit, as PostgreSQL's exclusion constraint does.
CREATE TRIGGER occupancy_no_overlap_insert BEFORE INSERT ON occupancy WHEN NEW.unit IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'occupancy_no_overlap') WHERE (
        SELECT ends_at FROM occupancy
        WHERE subject_id = NEW.subject_id AND unit = NEW.unit AND starts_at < NEW.ends_at
        ORDER BY starts_at DESC LIMIT 1
    ) > NEW.starts_at;
END;

CREATE TRIGGER occupancy_no_overlap_update
BEFORE UPDATE OF subject_id, unit, starts_at, ends_at ON occupancy WHEN NEW.unit IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'occupancy_no_overlap') WHERE (
        SELECT ends_at FROM occupancy
        WHERE subject_id = NEW.subject_id AND unit = NEW.unit AND starts_at < NEW.ends_at AND id <> NEW.id
        ORDER BY starts_at DESC LIMIT 1
    ) > NEW.starts_at;
END;

-- Who changed what, of bookings and of everything else.
CREATE TABLE history (
    id BLOB PRIMARY KEY,
    business_id BLOB NOT NULL REFERENCES businesses (id),
    subject_kind TEXT NOT NULL,
    subject_id BLOB NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    detail TEXT NOT NULL,
    at TEXT NOT NULL
) STRICT;
CREATE INDEX history_by_subject ON history (subject_id, at DESC, id DESC);
CREATE INDEX history_by_business ON history (business_id, at DESC, id DESC);
