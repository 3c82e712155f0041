-- Push: being told of the changes of a calendar at once.
-- The same tables and columns stand in ../sqlite/0005_push.sql; a test compares them.

CREATE TABLE push_subscriptions (
    id uuid PRIMARY KEY,
    business_id uuid NOT NULL REFERENCES businesses (id),
    calendar_id uuid NOT NULL REFERENCES calendars (id),
    connection_id uuid NOT NULL REFERENCES connections (id),
    provider text NOT NULL,
    -- Where the provider was asked to send notifications.
    address text NOT NULL,
    -- SHA-256 of the word that every notification brings.
    secret_digest text NOT NULL,
    state text NOT NULL,
    -- The provider's names for the channel and for what it watches; NULL until it has answered.
    remote_id text,
    resource_id text,
    -- When it is renewed, or asked for again if it was refused.
    due_at timestamptz,
    expires_at timestamptz,
    -- How often it was refused in a row.
    refusals bigint NOT NULL,
    last_error text,
    -- The highest number of a notification that raised an import (Google counts them): a lower one is an old one.
    last_number bigint,
    -- Notifications that raised an import.
    heard bigint NOT NULL,
    last_notified_at timestamptz,
    changed_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX push_subscriptions_by_calendar ON push_subscriptions (calendar_id, state);
CREATE INDEX push_subscriptions_by_connection ON push_subscriptions (connection_id, state);
CREATE INDEX push_subscriptions_closed ON push_subscriptions (changed_at) WHERE state = 'closed';
