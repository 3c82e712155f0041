-- Push: being told of the changes of a calendar at once.
-- The same tables and columns stand in ../postgres/0005_push.sql; a test compares them.

CREATE TABLE push_subscriptions (
    id BLOB PRIMARY KEY,
    business_id BLOB NOT NULL REFERENCES businesses (id),
    calendar_id BLOB NOT NULL REFERENCES calendars (id),
    connection_id BLOB NOT NULL REFERENCES connections (id),
    provider TEXT NOT NULL,
    -- Where the provider was asked to send notifications.
    address TEXT NOT NULL,
    -- SHA-256 of the word that every notification brings.
    secret_digest TEXT NOT NULL,
    state TEXT NOT NULL,
    -- The provider's names for the channel and for what it watches; NULL until it has answered.
    remote_id TEXT,
    resource_id TEXT,
    -- When it is renewed, or asked for again if it was refused.
    due_at TEXT,
    expires_at TEXT,
    -- How often it was refused in a row.
    refusals INTEGER NOT NULL,
    last_error TEXT,
    -- The highest number of a notification that raised an import (Google counts them): a lower one is an old one.
    last_number INTEGER,
    -- Notifications that raised an import.
    heard INTEGER NOT NULL,
    last_notified_at TEXT,
    changed_at TEXT NOT NULL,
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX push_subscriptions_by_calendar ON push_subscriptions (calendar_id, state);
CREATE INDEX push_subscriptions_by_connection ON push_subscriptions (connection_id, state);
CREATE INDEX push_subscriptions_closed ON push_subscriptions (changed_at) WHERE state = 'closed';
