-- The foundation: businesses and their people, resources, bookings, occupancy, jobs, connections, feeds, logs.
-- The same tables and columns stand in ../sqlite/0001_foundation.sql; a test compares them.

CREATE EXTENSION IF NOT EXISTS btree_gist;

CREATE TABLE businesses (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    slug text NOT NULL UNIQUE,
    zone text NOT NULL,
    entry_privacy text NOT NULL,
    mark_cancelled boolean NOT NULL,
    -- Counts the changes that every feed of the business must show, such as its name.
    revision bigint NOT NULL,
    created_at timestamptz NOT NULL
);

CREATE TABLE staff (
    id uuid PRIMARY KEY,
    business_id uuid NOT NULL REFERENCES businesses (id),
    name text NOT NULL,
    email text NOT NULL,
    trade text NOT NULL,
    -- Counts the changes of what this person does, for their feeds.
    revision bigint NOT NULL,
    archived_at timestamptz,
    created_at timestamptz NOT NULL
);
CREATE INDEX staff_by_business ON staff (business_id, name, id);

CREATE TABLE users (
    id uuid PRIMARY KEY,
    business_id uuid NOT NULL REFERENCES businesses (id),
    staff_id uuid REFERENCES staff (id),
    name text NOT NULL,
    email text NOT NULL,
    role text NOT NULL,
    archived_at timestamptz,
    created_at timestamptz NOT NULL,
    UNIQUE (business_id, email)
);

CREATE TABLE sign_in_links (
    token_hash text PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id),
    -- A link that a person was sent works once; one that the demo prints works until it expires.
    reusable boolean NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    created_at timestamptz NOT NULL
);

CREATE TABLE sessions (
    token_hash text PRIMARY KEY,
    business_id uuid NOT NULL REFERENCES businesses (id),
    user_id uuid NOT NULL REFERENCES users (id),
    user_agent text NOT NULL,
    created_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);

CREATE TABLE api_keys (
    id uuid PRIMARY KEY,
    business_id uuid NOT NULL REFERENCES businesses (id),
    name text NOT NULL,
    -- The first characters, by which a person knows it again.
    prefix text NOT NULL,
    token_hash text NOT NULL UNIQUE,
    created_at timestamptz NOT NULL,
    last_used_at timestamptz,
    revoked_at timestamptz
);

CREATE TABLE idempotency_keys (
    business_id uuid NOT NULL REFERENCES businesses (id),
    key text NOT NULL,
    -- A digest of method, path and body: the same key for something else is a mistake of the caller.
    request_hash text NOT NULL,
    -- NULL while the first request is under way.
    status bigint,
    response text,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (business_id, key)
);

CREATE TABLE resources (
    id uuid PRIMARY KEY,
    business_id uuid NOT NULL REFERENCES businesses (id),
    name text NOT NULL,
    -- NULL: the business's.
    zone text,
    capacity bigint NOT NULL CHECK (capacity BETWEEN 1 AND 1000),
    buffer_before_minutes bigint NOT NULL,
    buffer_after_minutes bigint NOT NULL,
    -- Counts the changes of what occupies it, for its feeds.
    revision bigint NOT NULL,
    archived_at timestamptz,
    created_at timestamptz NOT NULL
);
CREATE INDEX resources_by_business ON resources (business_id, name, id);

CREATE TABLE bookings (
    id uuid PRIMARY KEY,
    business_id uuid NOT NULL REFERENCES businesses (id),
    reference text NOT NULL,
    version bigint NOT NULL,
    resource_id uuid NOT NULL REFERENCES resources (id),
    kind text NOT NULL,
    status text NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    -- Both or neither: a stay by date.
    check_in date,
    check_out date,
    title text NOT NULL,
    customer_name text NOT NULL,
    customer_email text NOT NULL,
    customer_phone text NOT NULL,
    party_size bigint,
    quantity bigint NOT NULL,
    location text NOT NULL,
    notes text NOT NULL,
    source text NOT NULL,
    -- What a search looks through, in small letters.
    search_text text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    UNIQUE (business_id, reference),
    CHECK (ends_at > starts_at),
    CHECK ((check_in IS NULL) = (check_out IS NULL))
);
CREATE INDEX bookings_by_start ON bookings (business_id, starts_at, id);
CREATE INDEX bookings_by_resource ON bookings (resource_id, ends_at);

CREATE TABLE booking_staff (
    booking_id uuid NOT NULL REFERENCES bookings (id),
    staff_id uuid NOT NULL REFERENCES staff (id),
    business_id uuid NOT NULL REFERENCES businesses (id),
    PRIMARY KEY (booking_id, staff_id)
);
CREATE INDEX booking_staff_by_staff ON booking_staff (staff_id, booking_id);

-- Who occupies what, when: half-open, buffers included. A row that holds a unit is allocated.
CREATE TABLE occupancy (
    id uuid PRIMARY KEY,
    business_id uuid NOT NULL REFERENCES businesses (id),
    subject_kind text NOT NULL,
    subject_id uuid NOT NULL,
    unit bigint CHECK (unit >= 1),
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    source text NOT NULL,
    source_id uuid NOT NULL,
    -- Which of the units that its source takes, from 0.
    part bigint NOT NULL,
    created_at timestamptz NOT NULL,
    UNIQUE (source_id, subject_id, part),
    CHECK (ends_at > starts_at),
    CONSTRAINT occupancy_one_row_a_unit EXCLUDE USING gist (
        subject_id WITH =, unit WITH =, tstzrange(starts_at, ends_at, '[)') WITH &&
    ) WHERE (unit IS NOT NULL)
);
CREATE INDEX occupancy_by_subject ON occupancy USING gist (subject_id, tstzrange(starts_at, ends_at, '[)'));
CREATE INDEX occupancy_unallocated ON occupancy (business_id, subject_id) WHERE unit IS NULL;

-- All that must be done. The queue only says that something is here.
CREATE TABLE jobs (
    id uuid PRIMARY KEY,
    -- NULL: not of one business.
    business_id uuid REFERENCES businesses (id),
    kind text NOT NULL,
    subject_id uuid NOT NULL,
    queue text NOT NULL,
    version bigint NOT NULL,
    state text NOT NULL,
    -- NULL: not until it is raised again.
    due_at timestamptz,
    attempts bigint NOT NULL,
    lease_until timestamptz,
    leased_by text,
    last_error text,
    enqueued_at timestamptz NOT NULL,
    started_at timestamptz,
    finished_at timestamptz,
    created_at timestamptz NOT NULL,
    UNIQUE (kind, subject_id)
);
CREATE INDEX jobs_due ON jobs (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX jobs_by_business ON jobs (business_id, state, kind);

CREATE TABLE connections (
    id uuid PRIMARY KEY,
    business_id uuid NOT NULL REFERENCES businesses (id),
    staff_id uuid NOT NULL REFERENCES staff (id),
    provider text NOT NULL,
    -- The provider's own id of the account: the same account is adopted, not doubled.
    account_subject text NOT NULL,
    account_email text NOT NULL,
    state text NOT NULL,
    direction text NOT NULL,
    coverage text NOT NULL,
    is_default boolean NOT NULL,
    access_token text,
    access_expires_at timestamptz,
    refresh_token text,
    -- Counts the grants that this connection was given or that were forgotten: what belongs to an older one is not stored.
    grant_number bigint NOT NULL,
    -- One refresher and one writer at a time.
    refresh_lease_until timestamptz,
    write_lease_until timestamptz,
    write_leased_by text,
    -- Whether its entries are to be removed when it is disconnected.
    remove_entries boolean NOT NULL,
    last_sync_at timestamptz,
    last_error text,
    state_changed_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    UNIQUE (business_id, staff_id, provider, account_subject)
);
CREATE INDEX connections_by_staff ON connections (staff_id);

CREATE TABLE calendars (
    id uuid PRIMARY KEY,
    business_id uuid NOT NULL REFERENCES businesses (id),
    connection_id uuid NOT NULL REFERENCES connections (id),
    external_id text NOT NULL,
    name text NOT NULL,
    colour text,
    zone text,
    writable boolean NOT NULL,
    is_primary boolean NOT NULL,
    -- Whether its busy times are read, and whether new bookings are written to it.
    reads boolean NOT NULL,
    writes boolean NOT NULL,
    -- The provider's cursor, and the window that it was begun with.
    cursor text,
    window_start timestamptz,
    window_end timestamptz,
    -- The provider's ids of what the last full read missed and was not believed in, one a line.
    held_ids text,
    held_reason text,
    last_import_at timestamptz,
    -- NULL while the provider lists it.
    missing_since timestamptz,
    created_at timestamptz NOT NULL,
    UNIQUE (connection_id, external_id)
);

-- A booking's entry in one connection's calendar.
CREATE TABLE entries (
    id uuid PRIMARY KEY,
    business_id uuid NOT NULL REFERENCES businesses (id),
    booking_id uuid NOT NULL REFERENCES bookings (id),
    connection_id uuid NOT NULL REFERENCES connections (id),
    calendar_id uuid NOT NULL REFERENCES calendars (id),
    -- Decided before the first call.
    external_id text NOT NULL,
    wanted boolean NOT NULL,
    state text NOT NULL,
    -- Whether a create may have reached the provider.
    attempted boolean NOT NULL,
    etag text,
    content_hash text,
    -- The booking's version that was last written.
    written_version bigint,
    written_at timestamptz,
    last_error text,
    created_at timestamptz NOT NULL,
    UNIQUE (booking_id, connection_id)
);
CREATE INDEX entries_by_connection ON entries (connection_id, state);

-- What was read from connected calendars.
CREATE TABLE busy_times (
    id uuid PRIMARY KEY,
    business_id uuid NOT NULL REFERENCES businesses (id),
    calendar_id uuid NOT NULL REFERENCES calendars (id),
    external_id text NOT NULL,
    etag text,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    tentative boolean NOT NULL,
    seen_at timestamptz NOT NULL,
    UNIQUE (calendar_id, external_id),
    CHECK (ends_at > starts_at)
);

CREATE TABLE oauth_states (
    nonce_hash text PRIMARY KEY,
    business_id uuid NOT NULL REFERENCES businesses (id),
    staff_id uuid NOT NULL REFERENCES staff (id),
    -- The browser session that began it; NULL when an API key did.
    session_hash text,
    provider text NOT NULL,
    pkce_verifier text NOT NULL,
    return_to text NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    created_at timestamptz NOT NULL
);

CREATE TABLE rate_limits (
    bucket text PRIMARY KEY,
    -- The theoretical arrival time of the next call (GCRA), in microseconds since 1970: both databases count alike
    -- with it, so that taking is one statement.
    next_at_micros bigint NOT NULL
);

CREATE TABLE feeds (
    id uuid PRIMARY KEY,
    business_id uuid NOT NULL REFERENCES businesses (id),
    scope text NOT NULL,
    -- The resource or staff member; NULL for the business.
    subject_id uuid,
    name text NOT NULL,
    privacy text NOT NULL,
    token_hash text NOT NULL UNIQUE,
    token_prefix text NOT NULL,
    -- Counts the changes of the feed's own settings.
    revision bigint NOT NULL,
    last_read_at timestamptz,
    revoked_at timestamptz,
    changed_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX feeds_by_business ON feeds (business_id, created_at, id);

CREATE TABLE sync_log (
    id uuid PRIMARY KEY,
    business_id uuid NOT NULL REFERENCES businesses (id),
    connection_id uuid REFERENCES connections (id),
    booking_id uuid REFERENCES bookings (id),
    operation text NOT NULL,
    outcome text NOT NULL,
    detail text NOT NULL,
    duration_ms bigint NOT NULL,
    at timestamptz NOT NULL
);
CREATE INDEX sync_log_by_business ON sync_log (business_id, at DESC, id DESC);
CREATE INDEX sync_log_by_connection ON sync_log (connection_id, at DESC, id DESC);
CREATE INDEX sync_log_by_booking ON sync_log (booking_id, at DESC, id DESC);

CREATE TABLE history (
    id uuid PRIMARY KEY,
    business_id uuid NOT NULL REFERENCES businesses (id),
    actor jsonb NOT NULL,
    action text NOT NULL,
    subject_kind text NOT NULL,
    subject_id uuid NOT NULL,
    detail jsonb NOT NULL,
    at timestamptz NOT NULL
);
CREATE INDEX history_by_subject ON history (subject_id, at DESC, id DESC);
CREATE INDEX history_by_business ON history (business_id, at DESC, id DESC);
