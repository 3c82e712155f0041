-- Channels: a resource on a platform, what its feed says, what we published to it and what of that it has read.
-- The same tables and columns stand in ../sqlite/0007_channels.sql; a test compares them.

CREATE TABLE channels (
    id uuid PRIMARY KEY,
    business_id uuid NOT NULL REFERENCES businesses (id),
    resource_id uuid NOT NULL REFERENCES resources (id),
    platform text NOT NULL,
    state text NOT NULL,
    preference text NOT NULL,
    blocks text NOT NULL,
    -- NULL: as the business or the platform has it.
    interval_minutes bigint,
    -- Sealed: whoever has it reads who comes. NULL: nothing is read.
    import_url text,
    -- What people are shown of it, and a digest by which the same one is known again.
    import_host text NOT NULL,
    import_digest text,
    -- Whether its feed is read at its times, or only when somebody asks.
    polled boolean NOT NULL,
    -- What it is published by; NULL until somebody wants that.
    feed_id uuid REFERENCES feeds (id),
    -- What the platform said of its feed's version.
    etag text,
    last_modified text,
    -- SHA-256 of what was last applied.
    body_digest text,
    -- Of the last try, the last that read something, and the last that changed something.
    polled_at timestamptz,
    read_at timestamptz,
    changed_at timestamptz,
    failing_since timestamptz,
    last_error text,
    -- What is held back: why, how many of how many, and until when.
    import_guard text,
    held_items bigint NOT NULL,
    held_of bigint NOT NULL,
    held_until timestamptz,
    -- Of inbound webhooks: the digest of the token in their address, and the sealed key that signs them.
    webhook_token_hash text UNIQUE,
    webhook_secret text,
    removed_at timestamptz,
    created_at timestamptz NOT NULL
);
CREATE INDEX channels_by_business ON channels (business_id, resource_id, created_at, id);
CREATE UNIQUE INDEX channels_one_an_address ON channels (business_id, resource_id, platform, import_digest)
    WHERE removed_at IS NULL AND import_digest IS NOT NULL;

-- By which channel a booking came.
ALTER TABLE bookings ADD COLUMN channel_id uuid REFERENCES channels (id);
CREATE INDEX bookings_by_channel ON bookings (channel_id, ends_at) WHERE channel_id IS NOT NULL;

-- Each reading that came to something, and each failure.
CREATE TABLE channel_runs (
    id uuid PRIMARY KEY,
    business_id uuid NOT NULL REFERENCES businesses (id),
    channel_id uuid NOT NULL REFERENCES channels (id),
    origin text NOT NULL,
    actor jsonb NOT NULL,
    outcome text NOT NULL,
    -- For people.
    message text NOT NULL,
    imported bigint NOT NULL,
    updated bigint NOT NULL,
    cancelled bigint NOT NULL,
    skipped bigint NOT NULL,
    conflicts bigint NOT NULL,
    duration_ms bigint NOT NULL,
    undone_at timestamptz,
    at timestamptz NOT NULL
);
CREATE INDEX channel_runs_by_channel ON channel_runs (channel_id, at DESC, id DESC);
CREATE INDEX channel_runs_by_business ON channel_runs (business_id, at DESC, id DESC);

-- The events of a platform's feed as they were last seen.
CREATE TABLE channel_items (
    id uuid PRIMARY KEY,
    business_id uuid NOT NULL REFERENCES businesses (id),
    channel_id uuid NOT NULL REFERENCES channels (id),
    item_key text NOT NULL,
    kind text NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    summary text NOT NULL,
    guest text,
    contested boolean NOT NULL,
    -- NULL: it takes no time here.
    booking_id uuid REFERENCES bookings (id),
    missing_since timestamptz,
    -- Somebody has said that it stands although the feed lacks it.
    pinned boolean NOT NULL,
    -- The reading that found it gone.
    lost_run uuid REFERENCES channel_runs (id),
    lost_at timestamptz,
    first_seen_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX channel_items_by_key ON channel_items (channel_id, item_key) WHERE lost_at IS NULL;
CREATE INDEX channel_items_to_come ON channel_items (channel_id, ends_at) WHERE lost_at IS NULL;
CREATE INDEX channel_items_by_booking ON channel_items (booking_id);
CREATE INDEX channel_items_lost ON channel_items (lost_run) WHERE lost_run IS NOT NULL;

-- What stood in a channel's feed from one revision to another, and when the platform had read that it does, and that it
-- does not any more.
CREATE TABLE channel_published (
    id uuid PRIMARY KEY,
    business_id uuid NOT NULL REFERENCES businesses (id),
    channel_id uuid NOT NULL REFERENCES channels (id),
    booking_id uuid NOT NULL REFERENCES bookings (id),
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    since_revision bigint NOT NULL,
    until_revision bigint,
    seen_at timestamptz,
    unseen_at timestamptz,
    created_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX channel_published_once ON channel_published (channel_id, booking_id, starts_at, ends_at)
    WHERE until_revision IS NULL;
CREATE INDEX channel_published_to_come ON channel_published (channel_id, ends_at);

-- Who reads a feed: one row a reader.
CREATE TABLE feed_reads (
    feed_id uuid NOT NULL REFERENCES feeds (id),
    business_id uuid NOT NULL REFERENCES businesses (id),
    -- What it calls itself.
    reader text NOT NULL,
    address text NOT NULL,
    -- Whether it is a browser, and so a person who looks.
    person boolean NOT NULL,
    revision bigint NOT NULL,
    reads bigint NOT NULL,
    first_read_at timestamptz NOT NULL,
    read_at timestamptz NOT NULL,
    PRIMARY KEY (feed_id, reader)
);

-- How a business wants a platform to be treated, where it differs from the platform's file.
CREATE TABLE platform_settings (
    business_id uuid NOT NULL REFERENCES businesses (id),
    platform text NOT NULL,
    interval_minutes bigint,
    preference text NOT NULL,
    blocks text NOT NULL,
    PRIMARY KEY (business_id, platform)
);

-- Inbound webhooks that were taken: each once.
CREATE TABLE webhook_receipts (
    channel_id uuid NOT NULL REFERENCES channels (id),
    webhook_id text NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (channel_id, webhook_id)
);
CREATE INDEX webhook_receipts_by_age ON webhook_receipts (received_at);

-- Sealed, for addresses that people come back for: those of channels.
ALTER TABLE feeds ADD COLUMN token_sealed text;
ALTER TABLE sync_log ADD COLUMN channel_id uuid REFERENCES channels (id);
CREATE INDEX sync_log_by_channel ON sync_log (channel_id, at DESC, id DESC) WHERE channel_id IS NOT NULL;
