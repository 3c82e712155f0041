-- Connected calendars: the accounts, what we write to them, what we read from them, and the log of both.
-- The same tables and columns are in ../sqlite/0006_calendars.sql; a test compares them.

-- Accounts at calendar providers. Tokens are sealed.
CREATE TABLE connections (
    id uuid PRIMARY KEY,
    business_id uuid NOT NULL REFERENCES businesses (id),
    staff_id uuid NOT NULL REFERENCES staff (id),
    provider text NOT NULL,
    -- The provider's own id of the account: an account that is connected again keeps its row.
    account_subject text NOT NULL,
    account_email text NOT NULL,
    -- For a CalDAV server: where the account's calendars are, and the name to sign in with. The
    -- password is in access_token.
    server_url text,
    username text,
    state text NOT NULL,
    direction text NOT NULL,
    coverage text NOT NULL,
    is_default boolean NOT NULL,
    -- NULL: as the business has it.
    remote_moves text,
    remote_deletions text,
    -- Whether its entries are removed when it is disconnected.
    remove_entries boolean NOT NULL,
    access_token text,
    access_expires_at timestamptz,
    refresh_token text,
    -- Counts the grants that it was given and those that were forgotten: what was done with an older
    -- grant is not stored.
    grant_number bigint NOT NULL,
    -- One process at a time refreshes the token, and gives back only its own lease.
    refresh_lease_until timestamptz,
    refresh_leased_by text,
    -- How often the reading of one of its calendars has begun: what a page shows is ordered by it
    -- with what is stored.
    readings bigint NOT NULL DEFAULT 0,
    -- Of the last full compare of its calendars; NULL: not compared yet.
    drift_checked_at timestamptz,
    -- Entries that were there as they should be, that should have been there and were not, that were there and should
    -- not have been, and that were not as we had left them.
    drift_matching bigint NOT NULL DEFAULT 0,
    drift_missing bigint NOT NULL DEFAULT 0,
    drift_extra bigint NOT NULL DEFAULT 0,
    drift_different bigint NOT NULL DEFAULT 0,
    -- Since when the loss of many entries waits for a second compare to confirm it.
    drift_quarantined_since timestamptz,
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
    -- Who owns the calendar, by which it is recognised under another id. NULL: the provider does not say.
    owner text,
    name text NOT NULL,
    colour text,
    zone text,
    writable boolean NOT NULL,
    is_primary boolean NOT NULL,
    -- Whether its busy times are read, and whether new bookings are written to it.
    reads boolean NOT NULL,
    writes boolean NOT NULL,
    -- The provider's sync token (such as RFC 6578, 3.1), and the window that it was begun with.
    cursor text,
    window_start timestamptz,
    window_end timestamptz,
    -- The number of the last reading of the connection that read this calendar to its end. An entry that was written
    -- since then and deleted before the next reading is in neither of the two, so that comparing them does not tell.
    last_reading bigint NOT NULL DEFAULT 0,
    -- The provider's ids of events that the last full read lacked and whose loss is not believed yet, one per line.
    quarantined_ids text,
    quarantine_reason text,
    last_import_at timestamptz,
    -- NULL while the provider lists it.
    missing_since timestamptz,
    created_at timestamptz NOT NULL,
    UNIQUE (connection_id, external_id)
);

-- A booking's event in one connected calendar.
CREATE TABLE entries (
    id uuid PRIMARY KEY,
    business_id uuid NOT NULL REFERENCES businesses (id),
    booking_id uuid NOT NULL REFERENCES bookings (id),
    connection_id uuid NOT NULL REFERENCES connections (id),
    calendar_id uuid NOT NULL REFERENCES calendars (id),
    -- The provider's id of the event, decided before the first call where the provider allows that.
    external_id text NOT NULL,
    -- Whether the calendar should have it.
    desired boolean NOT NULL,
    state text NOT NULL,
    -- Whether a create may have reached the provider.
    attempted boolean NOT NULL,
    -- Title and time as our last write left them, or as a person did when that remote change was last dealt with.
    base jsonb,
    etag text,
    content_hash text,
    -- What each write whose outcome is unknown would have left, so that it can be told from a person's edit.
    unknown_writes jsonb NOT NULL DEFAULT '[]',
    -- Raised whenever something is stored that is known of the entry, so that nobody overwrites
    -- it with something older.
    revision bigint NOT NULL DEFAULT 0,
    -- How many readings of the connection had begun when that was last stored.
    reading bigint NOT NULL DEFAULT 0,
    -- The version of the booking that was last written.
    written_version bigint,
    written_at timestamptz,
    last_error text,
    created_at timestamptz NOT NULL,
    UNIQUE (booking_id, connection_id)
);
CREATE INDEX entries_by_connection ON entries (connection_id, state);
CREATE INDEX entries_by_external_id ON entries (calendar_id, external_id);
-- A connection's entries, one slice at a time in the order of their ids.
CREATE INDEX entries_by_connection_in_order ON entries (connection_id, id);
-- What was stored of a calendar's entries since a reading.
CREATE INDEX entries_by_reading ON entries (calendar_id, reading);

-- What was read from connected calendars.
CREATE TABLE busy_times (
    id uuid PRIMARY KEY,
    business_id uuid NOT NULL REFERENCES businesses (id),
    calendar_id uuid NOT NULL REFERENCES calendars (id),
    external_id text NOT NULL,
    -- The recurring event that it is an instance of; NULL: none.
    series text,
    etag text,
    tentative boolean NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    UNIQUE (calendar_id, external_id),
    CHECK (ends_at > starts_at)
);
CREATE INDEX busy_times_by_series ON busy_times (calendar_id, series);

-- Requests for consent that are under way (RFC 6749, 10.12).
CREATE TABLE oauth_states (
    nonce_hash text PRIMARY KEY,
    business_id uuid NOT NULL REFERENCES businesses (id),
    staff_id uuid NOT NULL REFERENCES staff (id),
    -- The browser session that began it; NULL when an API key did.
    session_hash text,
    -- The API key that began it; NULL when a browser session did.
    api_key_id uuid REFERENCES api_keys (id),
    provider text NOT NULL,
    -- The sealed code verifier of the request (RFC 7636, 4.1).
    pkce_verifier text NOT NULL,
    return_to text NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);
-- Those that are under way end with the session or the API key that began them.
CREATE INDEX oauth_states_by_session ON oauth_states (session_hash) WHERE used_at IS NULL;
CREATE INDEX oauth_states_by_key ON oauth_states (api_key_id) WHERE used_at IS NULL;

-- By a push subscription a provider notifies us at once when a calendar changes. (Google calls it a channel.)
CREATE TABLE push_subscriptions (
    id uuid PRIMARY KEY,
    business_id uuid NOT NULL REFERENCES businesses (id),
    connection_id uuid NOT NULL REFERENCES connections (id),
    calendar_id uuid NOT NULL REFERENCES calendars (id),
    provider text NOT NULL,
    -- The provider's ids of the subscription and of what it watches; NULL until it has answered.
    remote_id text,
    resource_id text,
    -- Where the provider was asked to send notifications.
    address text NOT NULL,
    -- SHA-256 of the secret that every notification carries.
    secret_digest text NOT NULL,
    state text NOT NULL,
    -- How often in a row it was refused.
    refusals bigint NOT NULL,
    last_error text,
    -- The highest number of a notification that enqueued an import (Google counts them): one with a
    -- lower number is old.
    last_message_number bigint,
    -- How many notifications enqueued an import.
    heard bigint NOT NULL,
    last_notified_at timestamptz,
    -- When it is renewed, or tried again if it was refused.
    due_at timestamptz,
    expires_at timestamptz,
    changed_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX push_subscriptions_by_calendar ON push_subscriptions (calendar_id, state);
CREATE INDEX push_subscriptions_by_connection ON push_subscriptions (connection_id, state);
CREATE INDEX push_subscriptions_closed ON push_subscriptions (changed_at) WHERE state = 'closed';

-- What people did to entries in their own calendars, and what was done about it.
CREATE TABLE remote_changes (
    id uuid PRIMARY KEY,
    business_id uuid NOT NULL REFERENCES businesses (id),
    booking_id uuid NOT NULL REFERENCES bookings (id),
    entry_id uuid NOT NULL REFERENCES entries (id),
    connection_id uuid NOT NULL REFERENCES connections (id),
    kind text NOT NULL,
    state text NOT NULL,
    -- Why the booking did not follow.
    refusal text,
    -- What stood in the way, as people are told.
    detail text NOT NULL,
    -- What the booking would become or became, and what of it was different before.
    edit jsonb NOT NULL,
    before jsonb NOT NULL,
    -- The version of the booking after it had followed: the change can be undone while the booking still has it.
    booking_version bigint,
    seen_at timestamptz NOT NULL,
    decided_at timestamptz,
    decided_by jsonb
);
CREATE INDEX remote_changes_by_booking ON remote_changes (booking_id, seen_at DESC, id DESC);
CREATE INDEX remote_changes_by_business ON remote_changes (business_id, seen_at DESC, id DESC);
CREATE UNIQUE INDEX remote_changes_open_by_entry ON remote_changes (entry_id) WHERE state = 'open';
CREATE INDEX remote_changes_open ON remote_changes (business_id, seen_at, id) WHERE state = 'open';

-- What workers did at calendar providers and platforms.
CREATE TABLE sync_log (
    id uuid PRIMARY KEY,
    business_id uuid NOT NULL REFERENCES businesses (id),
    connection_id uuid REFERENCES connections (id),
    channel_id uuid REFERENCES channels (id),
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
CREATE INDEX sync_log_by_channel ON sync_log (channel_id, at DESC, id DESC) WHERE channel_id IS NOT NULL;
