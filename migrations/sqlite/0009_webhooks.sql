-- Events, the endpoints that they are delivered to, and each on its way.
-- The same tables and columns are in ../postgres/0009_webhooks.sql; a test compares them.

-- What happened, written in the transaction in which it did.
CREATE TABLE events (
    -- Events of one subject have theirs in the order in which they happened.
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL UNIQUE,
    business_id BLOB NOT NULL REFERENCES businesses (id),
    -- Its place among those of the business, for those who read on from one. Given when somebody reads: a number that is given
    -- by whoever writes may be seen after a higher one. NULL until then.
    sequence INTEGER,
    kind TEXT NOT NULL,
    -- Of the schema of its data.
    schema_version INTEGER NOT NULL,
    subject_kind TEXT NOT NULL,
    subject_id BLOB NOT NULL,
    -- The version of the subject, where that counts its changes.
    subject_version INTEGER,
    -- JSON, as it is sent: it is signed byte by byte.
    data TEXT NOT NULL,
    created_at TEXT NOT NULL,
    UNIQUE (business_id, sequence)
) STRICT;
CREATE INDEX events_unnumbered ON events (business_id, position) WHERE sequence IS NULL;

-- The last sequence that was given in each business. It goes on when the events are deleted.
CREATE TABLE event_sequences (
    business_id BLOB PRIMARY KEY REFERENCES businesses (id),
    last INTEGER NOT NULL
) STRICT;

-- Where events are delivered.
CREATE TABLE webhook_endpoints (
    id BLOB PRIMARY KEY,
    business_id BLOB NOT NULL REFERENCES businesses (id),
    url TEXT NOT NULL,
    description TEXT NOT NULL,
    -- Names of types with spaces between; empty: all.
    event_types TEXT NOT NULL,
    state TEXT NOT NULL,
    -- NULL while it is active.
    disabled_reason TEXT,
    disabled_at TEXT,
    -- Sealed.
    secret TEXT NOT NULL,
    -- The secret before, sealed, with which messages are signed too until then.
    former_secret TEXT,
    former_secret_until TEXT,
    -- Attempts in a row that failed, and since when nothing was taken.
    failures INTEGER NOT NULL DEFAULT 0,
    failing_since TEXT,
    last_failure_at TEXT,
    -- Nothing is sent before that.
    hold_until TEXT,
    last_success_at TEXT,
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX webhook_endpoints_by_business ON webhook_endpoints (business_id, created_at, id);

-- One event on its way to one endpoint.
CREATE TABLE webhook_deliveries (
    business_id BLOB NOT NULL REFERENCES businesses (id),
    endpoint_id BLOB NOT NULL REFERENCES webhook_endpoints (id) ON DELETE CASCADE,
    event_id BLOB NOT NULL REFERENCES events (id) ON DELETE CASCADE,
    -- The event's: by these it is known what goes before what.
    subject_id BLOB NOT NULL,
    position INTEGER NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    -- NULL unless it waits.
    due_at TEXT,
    -- What came of the last attempt; no status: there was no answer, for the reason in `last_error`.
    last_attempt_at TEXT,
    last_status INTEGER,
    last_answer TEXT,
    last_error TEXT,
    last_duration_ms INTEGER,
    delivered_at TEXT,
    created_at TEXT NOT NULL,
    PRIMARY KEY (endpoint_id, event_id)
) STRICT;
CREATE INDEX webhook_deliveries_by_event ON webhook_deliveries (event_id);
CREATE INDEX webhook_deliveries_by_endpoint ON webhook_deliveries (endpoint_id, position DESC);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (endpoint_id, due_at, position) WHERE state = 'waiting';
CREATE INDEX webhook_deliveries_in_order ON webhook_deliveries (endpoint_id, subject_id, position)
    WHERE state = 'waiting';
