-- The foundation: businesses and their people, resources, bookings, occupancy, jobs, connections, feeds, logs.
-- The same tables and columns stand in ../postgres/0001_foundation.sql; a test compares them.

CREATE TABLE businesses (
    id BLOB PRIMARY KEY,
    name TEXT NOT NULL,
    slug TEXT NOT NULL UNIQUE,
    zone TEXT NOT NULL,
    entry_privacy TEXT NOT NULL,
    mark_cancelled INTEGER NOT NULL,
    -- Counts the changes that every feed of the business must show, such as its name.
    revision INTEGER NOT NULL,
    created_at TEXT NOT NULL
) STRICT;

CREATE TABLE staff (
    id BLOB PRIMARY KEY,
    business_id BLOB NOT NULL REFERENCES businesses (id),
    name TEXT NOT NULL,
    email TEXT NOT NULL,
    trade TEXT NOT NULL,
    -- Counts the changes of what this person does, for their feeds.
    revision INTEGER NOT NULL,
    archived_at TEXT,
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX staff_by_business ON staff (business_id, name, id);

CREATE TABLE users (
    id BLOB PRIMARY KEY,
    business_id BLOB NOT NULL REFERENCES businesses (id),
    staff_id BLOB REFERENCES staff (id),
    name TEXT NOT NULL,
    email TEXT NOT NULL,
    role TEXT NOT NULL,
    archived_at TEXT,
    created_at TEXT NOT NULL,
    UNIQUE (business_id, email)
) STRICT;

CREATE TABLE sign_in_links (
    token_hash TEXT PRIMARY KEY,
    user_id BLOB NOT NULL REFERENCES users (id),
    -- A link that a person was sent works once; one that the demo prints works until it expires.
    reusable INTEGER NOT NULL,
    expires_at TEXT NOT NULL,
    used_at TEXT,
    created_at TEXT NOT NULL
) STRICT;

CREATE TABLE sessions (
    token_hash TEXT PRIMARY KEY,
    business_id BLOB NOT NULL REFERENCES businesses (id),
    user_id BLOB NOT NULL REFERENCES users (id),
    user_agent TEXT NOT NULL,
    created_at TEXT NOT NULL,
    last_seen_at TEXT NOT NULL,
    expires_at TEXT NOT NULL
) STRICT;

CREATE TABLE api_keys (
    id BLOB PRIMARY KEY,
    business_id BLOB NOT NULL REFERENCES businesses (id),
    name TEXT NOT NULL,
    -- The first characters, by which a person knows it again.
    prefix TEXT NOT NULL,
    token_hash TEXT NOT NULL UNIQUE,
    created_at TEXT NOT NULL,
    last_used_at TEXT,
    revoked_at TEXT
) STRICT;

CREATE TABLE idempotency_keys (
    business_id BLOB NOT NULL REFERENCES businesses (id),
    key TEXT NOT NULL,
    -- A digest of method, path and body: the same key for something else is a mistake of the caller.
    request_hash TEXT NOT NULL,
    -- NULL while the first request is under way.
    status INTEGER,
    response TEXT,
    created_at TEXT NOT NULL,
    PRIMARY KEY (business_id, key)
) STRICT;

CREATE TABLE resources (
    id BLOB PRIMARY KEY,
    business_id BLOB NOT NULL REFERENCES businesses (id),
    name TEXT NOT NULL,
    -- NULL: the business's.
    zone TEXT,
    capacity INTEGER NOT NULL CHECK (capacity BETWEEN 1 AND 1000),
    buffer_before_minutes INTEGER NOT NULL,
    buffer_after_minutes INTEGER NOT NULL,
    -- Counts the changes of what occupies it, for its feeds.
    revision INTEGER NOT NULL,
    archived_at TEXT,
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX resources_by_business ON resources (business_id, name, id);

CREATE TABLE bookings (
    id BLOB PRIMARY KEY,
    business_id BLOB NOT NULL REFERENCES businesses (id),
    reference TEXT NOT NULL,
    version INTEGER NOT NULL,
    resource_id BLOB NOT NULL REFERENCES resources (id),
    kind TEXT NOT NULL,
    status TEXT NOT NULL,
    starts_at TEXT NOT NULL,
    ends_at TEXT NOT NULL,
    -- Both or neither: a stay by date.
    check_in TEXT,
    check_out TEXT,
    title TEXT NOT NULL,
    customer_name TEXT NOT NULL,
    customer_email TEXT NOT NULL,
    customer_phone TEXT NOT NULL,
    party_size INTEGER,
    quantity INTEGER NOT NULL,
    location TEXT NOT NULL,
    notes TEXT NOT NULL,
    source TEXT NOT NULL,
    -- What a search looks through, in small letters.
    search_text TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    UNIQUE (business_id, reference),
    CHECK (ends_at > starts_at),
    CHECK ((check_in IS NULL) = (check_out IS NULL))
) STRICT;
CREATE INDEX bookings_by_start ON bookings (business_id, starts_at, id);
CREATE INDEX bookings_by_resource ON bookings (resource_id, ends_at);

CREATE TABLE booking_staff (
    booking_id BLOB NOT NULL REFERENCES bookings (id),
    staff_id BLOB NOT NULL REFERENCES staff (id),
    business_id BLOB NOT NULL REFERENCES businesses (id),
    PRIMARY KEY (booking_id, staff_id)
) STRICT;
CREATE INDEX booking_staff_by_staff ON booking_staff (staff_id, booking_id);

-- Who occupies what, when: half-open, buffers included. A row that holds a unit is allocated.
CREATE TABLE occupancy (
    id BLOB PRIMARY KEY,
    business_id BLOB NOT NULL REFERENCES businesses (id),
    subject_kind TEXT NOT NULL,
    subject_id BLOB NOT NULL,
    unit INTEGER CHECK (unit >= 1),
    starts_at TEXT NOT NULL,
    ends_at TEXT NOT NULL,
    source TEXT NOT NULL,
    source_id BLOB NOT NULL,
    -- Which of the units that its source takes, from 0.
    part INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    UNIQUE (source_id, subject_id, part),
    CHECK (ends_at > starts_at)
) STRICT;
-- Allocated rows of one unit are disjoint, so the last one that starts before an end decides; the others are found by
-- their ends.
CREATE INDEX occupancy_by_unit ON occupancy (subject_id, unit, starts_at) WHERE unit IS NOT NULL;
CREATE INDEX occupancy_by_subject ON occupancy (subject_id, ends_at, starts_at);
CREATE INDEX occupancy_unallocated ON occupancy (business_id, subject_id) WHERE unit IS NULL;

-- All that must be done. The queue only says that something is here.
CREATE TABLE jobs (
    id BLOB PRIMARY KEY,
    -- NULL: not of one business.
    business_id BLOB REFERENCES businesses (id),
    kind TEXT NOT NULL,
    subject_id BLOB NOT NULL,
    queue TEXT NOT NULL,
    version INTEGER NOT NULL,
    state TEXT NOT NULL,
    -- NULL: not until it is raised again.
    due_at TEXT,
    attempts INTEGER NOT NULL,
    lease_until TEXT,
    leased_by TEXT,
    last_error TEXT,
    enqueued_at TEXT NOT NULL,
    started_at TEXT,
    finished_at TEXT,
    created_at TEXT NOT NULL,
    UNIQUE (kind, subject_id)
) STRICT;
CREATE INDEX jobs_due ON jobs (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX jobs_by_business ON jobs (business_id, state, kind);

CREATE TABLE connections (
    id BLOB PRIMARY KEY,
    business_id BLOB NOT NULL REFERENCES businesses (id),
    staff_id BLOB NOT NULL REFERENCES staff (id),
    provider TEXT NOT NULL,
    -- The provider's own id of the account: the same account is adopted, not doubled.
    account_subject TEXT NOT NULL,
    account_email TEXT NOT NULL,
    state TEXT NOT NULL,
    direction TEXT NOT NULL,
    coverage TEXT NOT NULL,
    is_default INTEGER NOT NULL,
    access_token TEXT,
    access_expires_at TEXT,
    refresh_token TEXT,
    -- Counts the grants that this connection was given or that were forgotten: what belongs to an older one is not stored.
    grant_number INTEGER NOT NULL,
    -- One refresher and one writer at a time.
    refresh_lease_until TEXT,
    write_lease_until TEXT,
    write_leased_by TEXT,
    -- Whether its entries are to be removed when it is disconnected.
    remove_entries INTEGER NOT NULL,
    last_sync_at TEXT,
    last_error TEXT,
    state_changed_at TEXT NOT NULL,
    created_at TEXT NOT NULL,
    UNIQUE (business_id, staff_id, provider, account_subject)
) STRICT;
CREATE INDEX connections_by_staff ON connections (staff_id);

CREATE TABLE calendars (
    id BLOB PRIMARY KEY,
    business_id BLOB NOT NULL REFERENCES businesses (id),
    connection_id BLOB NOT NULL REFERENCES connections (id),
    external_id TEXT NOT NULL,
    name TEXT NOT NULL,
    colour TEXT,
    zone TEXT,
    writable INTEGER NOT NULL,
    is_primary INTEGER NOT NULL,
    -- Whether its busy times are read, and whether new bookings are written to it.
    reads INTEGER NOT NULL,
    writes INTEGER NOT NULL,
    -- The provider's cursor, and the window that it was begun with.
    cursor TEXT,
    window_start TEXT,
    window_end TEXT,
    -- The provider's ids of what the last full read missed and was not believed in, one a line.
    held_ids TEXT,
    held_reason TEXT,
    last_import_at TEXT,
    -- NULL while the provider lists it.
    missing_since TEXT,
    created_at TEXT NOT NULL,
    UNIQUE (connection_id, external_id)
) STRICT;

-- A booking's entry in one connection's calendar.
CREATE TABLE entries (
    id BLOB PRIMARY KEY,
    business_id BLOB NOT NULL REFERENCES businesses (id),
    booking_id BLOB NOT NULL REFERENCES bookings (id),
    connection_id BLOB NOT NULL REFERENCES connections (id),
    calendar_id BLOB NOT NULL REFERENCES calendars (id),
    -- Decided before the first call.
    external_id TEXT NOT NULL,
    wanted INTEGER NOT NULL,
    state TEXT NOT NULL,
    -- Whether a create may have reached the provider.
    attempted INTEGER NOT NULL,
    etag TEXT,
    content_hash TEXT,
    -- The booking's version that was last written.
    written_version INTEGER,
    written_at TEXT,
    last_error TEXT,
    created_at TEXT NOT NULL,
    UNIQUE (booking_id, connection_id)
) STRICT;
CREATE INDEX entries_by_connection ON entries (connection_id, state);

-- What was read from connected calendars.
CREATE TABLE busy_times (
    id BLOB PRIMARY KEY,
    business_id BLOB NOT NULL REFERENCES businesses (id),
    calendar_id BLOB NOT NULL REFERENCES calendars (id),
    external_id TEXT NOT NULL,
    etag TEXT,
    starts_at TEXT NOT NULL,
    ends_at TEXT NOT NULL,
    tentative INTEGER NOT NULL,
    seen_at TEXT NOT NULL,
    UNIQUE (calendar_id, external_id),
    CHECK (ends_at > starts_at)
) STRICT;

CREATE TABLE oauth_states (
    nonce_hash TEXT PRIMARY KEY,
    business_id BLOB NOT NULL REFERENCES businesses (id),
    staff_id BLOB NOT NULL REFERENCES staff (id),
    -- The browser session that began it; NULL when an API key did.
    session_hash TEXT,
    provider TEXT NOT NULL,
    pkce_verifier TEXT NOT NULL,
    return_to TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    used_at TEXT,
    created_at TEXT NOT NULL
) STRICT;

CREATE TABLE rate_limits (
    bucket TEXT PRIMARY KEY,
    -- The theoretical arrival time of the next call (GCRA), in microseconds since 1970: both databases count alike
    -- with it, so that taking is one statement.
    next_at_micros INTEGER NOT NULL
) STRICT;

CREATE TABLE feeds (
    id BLOB PRIMARY KEY,
    business_id BLOB NOT NULL REFERENCES businesses (id),
    scope TEXT NOT NULL,
    -- The resource or staff member; NULL for the business.
    subject_id BLOB,
    name TEXT NOT NULL,
    privacy TEXT NOT NULL,
    token_hash TEXT NOT NULL UNIQUE,
    token_prefix TEXT NOT NULL,
    -- Counts the changes of the feed's own settings.
    revision INTEGER NOT NULL,
    last_read_at TEXT,
    revoked_at TEXT,
    changed_at TEXT NOT NULL,
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX feeds_by_business ON feeds (business_id, created_at, id);

CREATE TABLE sync_log (
    id BLOB PRIMARY KEY,
    business_id BLOB NOT NULL REFERENCES businesses (id),
    connection_id BLOB REFERENCES connections (id),
    booking_id BLOB REFERENCES bookings (id),
    operation TEXT NOT NULL,
    outcome TEXT NOT NULL,
    detail TEXT NOT NULL,
    duration_ms INTEGER NOT NULL,
    at TEXT NOT NULL
) STRICT;
CREATE INDEX sync_log_by_business ON sync_log (business_id, at DESC, id DESC);
CREATE INDEX sync_log_by_connection ON sync_log (connection_id, at DESC, id DESC);
CREATE INDEX sync_log_by_booking ON sync_log (booking_id, at DESC, id DESC);

CREATE TABLE history (
    id BLOB PRIMARY KEY,
    business_id BLOB NOT NULL REFERENCES businesses (id),
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject_kind TEXT NOT NULL,
    subject_id BLOB NOT NULL,
    detail TEXT NOT NULL,
    at TEXT NOT NULL
) STRICT;
CREATE INDEX history_by_subject ON history (subject_id, at DESC, id DESC);
CREATE INDEX history_by_business ON history (business_id, at DESC, id DESC);

-- The database itself refuses two overlapping rows on one unit, as PostgreSQL's exclusion constraint does.
CREATE TRIGGER occupancy_one_row_a_unit_insert BEFORE INSERT ON occupancy WHEN NEW.unit IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'occupancy_one_row_a_unit') WHERE (
        SELECT ends_at FROM occupancy
        WHERE subject_id = NEW.subject_id AND unit = NEW.unit AND starts_at < NEW.ends_at
        ORDER BY starts_at DESC LIMIT 1
    ) > NEW.starts_at;
END;

CREATE TRIGGER occupancy_one_row_a_unit_update
BEFORE UPDATE OF subject_id, unit, starts_at, ends_at ON occupancy WHEN NEW.unit IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'occupancy_one_row_a_unit') WHERE (
        SELECT ends_at FROM occupancy
        WHERE subject_id = NEW.subject_id AND unit = NEW.unit AND starts_at < NEW.ends_at AND id <> NEW.id
        ORDER BY starts_at DESC LIMIT 1
    ) > NEW.starts_at;
END;
