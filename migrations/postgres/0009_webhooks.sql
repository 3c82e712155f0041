-- Events, the endpoints that they are delivered to, and each on its way.
-- The same tables and columns are in ../sqlite/0009_webhooks.sql; a test compares them.

-- What happened, written in the transaction in which it did.
CREATE TABLE events (
    -- Events of one subject have theirs in the order in which they happened.
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id uuid NOT NULL UNIQUE,
    business_id uuid NOT NULL REFERENCES businesses (id),
    -- Its place among those of the business, for those who read on from one. Given when somebody reads: a number that is given
    -- by whoever writes may be seen after a higher one. NULL until then.
    sequence bigint,
    kind text NOT NULL,
    -- Of the schema of its data.
    schema_version bigint NOT NULL,
    subject_kind text NOT NULL,
    subject_id uuid NOT NULL,
    -- The version of the subject, where that counts its changes.
    subject_version bigint,
    -- JSON, as it is sent: it is signed byte by byte.
    data text NOT NULL,
    created_at timestamptz NOT NULL,
    UNIQUE (business_id, sequence)
);
CREATE INDEX events_unnumbered ON events (business_id, position) WHERE sequence IS NULL;

-- The last sequence that was given in each business. It goes on when the events are deleted.
CREATE TABLE event_sequences (
    business_id uuid PRIMARY KEY REFERENCES businesses (id),
    last bigint NOT NULL
);

-- Where events are delivered.
CREATE TABLE webhook_endpoints (
    id uuid PRIMARY KEY,
    business_id uuid NOT NULL REFERENCES businesses (id),
    url text NOT NULL,
    description text NOT NULL,
    -- Names of types with spaces between; empty: all.
    event_types text NOT NULL,
    state text NOT NULL,
    -- NULL while it is active.
    disabled_reason text,
    disabled_at timestamptz,
    -- Sealed.
    secret text NOT NULL,
    -- The secret before, sealed, with which messages are signed too until then.
    former_secret text,
    former_secret_until timestamptz,
    -- Attempts in a row that failed, and since when nothing was taken.
    failures bigint NOT NULL DEFAULT 0,
    failing_since timestamptz,
    last_failure_at timestamptz,
    -- Nothing is sent before that.
    hold_until timestamptz,
    last_success_at timestamptz,
    created_at timestamptz NOT NULL
);
CREATE INDEX webhook_endpoints_by_business ON webhook_endpoints (business_id, created_at, id);

-- One event on its way to one endpoint.
CREATE TABLE webhook_deliveries (
    business_id uuid NOT NULL REFERENCES businesses (id),
    endpoint_id uuid NOT NULL REFERENCES webhook_endpoints (id) ON DELETE CASCADE,
    event_id uuid NOT NULL REFERENCES events (id) ON DELETE CASCADE,
    -- The event's: by these it is known what goes before what.
    subject_id uuid NOT NULL,
    position bigint NOT NULL,
    state text NOT NULL,
    attempts bigint NOT NULL,
    -- NULL unless it waits.
    due_at timestamptz,
    -- What came of the last attempt; no status: there was no answer, for the reason in `last_error`.
    last_attempt_at timestamptz,
    last_status bigint,
    last_answer text,
    last_error text,
    last_duration_ms bigint,
    delivered_at timestamptz,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (endpoint_id, event_id)
);
CREATE INDEX webhook_deliveries_by_event ON webhook_deliveries (event_id);
CREATE INDEX webhook_deliveries_by_endpoint ON webhook_deliveries (endpoint_id, position DESC);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (endpoint_id, due_at, position) WHERE state = 'waiting';
CREATE INDEX webhook_deliveries_in_order ON webhook_deliveries (endpoint_id, subject_id, position)
    WHERE state = 'waiting';
