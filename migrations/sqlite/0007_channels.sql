-- Channels: a resource on a platform, what its feed says, what we published to it and what of that it has read.
-- The same tables and columns stand in ../postgres/0007_channels.sql; a test compares them.

CREATE TABLE channels (
    id BLOB PRIMARY KEY,
    business_id BLOB NOT NULL REFERENCES businesses (id),
    resource_id BLOB NOT NULL REFERENCES resources (id),
    platform TEXT NOT NULL,
    state TEXT NOT NULL,
    preference TEXT NOT NULL,
    blocks TEXT NOT NULL,
    -- NULL: as the business or the platform has it.
    interval_minutes INTEGER,
    -- Sealed: whoever has it reads who comes. NULL: nothing is read.
    import_url TEXT,
    -- What people are shown of it, and a digest by which the same one is known again.
    import_host TEXT NOT NULL,
    import_digest TEXT,
    -- Whether its feed is read at its times, or only when somebody asks.
    polled INTEGER NOT NULL,
    -- What it is published by; NULL until somebody wants that.
    feed_id BLOB REFERENCES feeds (id),
    -- What the platform said of its feed's version.
    etag TEXT,
    last_modified TEXT,
    -- SHA-256 of what was last applied.
    body_digest TEXT,
    -- Of the last try, the last that read something, and the last that changed something.
    polled_at TEXT,
    read_at TEXT,
    changed_at TEXT,
    failing_since TEXT,
    last_error TEXT,
    -- What is held back: why, how many of how many, and until when.
    import_guard TEXT,
    held_items INTEGER NOT NULL,
    held_of INTEGER NOT NULL,
    held_until TEXT,
    -- Of inbound webhooks: the digest of the token in their address, and the sealed key that signs them.
    webhook_token_hash TEXT UNIQUE,
    webhook_secret TEXT,
    removed_at TEXT,
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX channels_by_business ON channels (business_id, resource_id, created_at, id);
CREATE UNIQUE INDEX channels_one_an_address ON channels (business_id, resource_id, platform, import_digest)
    WHERE removed_at IS NULL AND import_digest IS NOT NULL;

-- By which channel a booking came.
ALTER TABLE bookings ADD COLUMN channel_id BLOB REFERENCES channels (id);
CREATE INDEX bookings_by_channel ON bookings (channel_id, ends_at) WHERE channel_id IS NOT NULL;

-- Each reading that came to something, and each failure.
CREATE TABLE channel_runs (
    id BLOB PRIMARY KEY,
    business_id BLOB NOT NULL REFERENCES businesses (id),
    channel_id BLOB NOT NULL REFERENCES channels (id),
    origin TEXT NOT NULL,
    actor TEXT NOT NULL,
    outcome TEXT NOT NULL,
    -- For people.
    message TEXT NOT NULL,
    imported INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    cancelled INTEGER NOT NULL,
    skipped INTEGER NOT NULL,
    conflicts INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    undone_at TEXT,
    at TEXT NOT NULL
) STRICT;
CREATE INDEX channel_runs_by_channel ON channel_runs (channel_id, at DESC, id DESC);
CREATE INDEX channel_runs_by_business ON channel_runs (business_id, at DESC, id DESC);

-- The events of a platform's feed as they were last seen.
CREATE TABLE channel_items (
    id BLOB PRIMARY KEY,
    business_id BLOB NOT NULL REFERENCES businesses (id),
    channel_id BLOB NOT NULL REFERENCES channels (id),
    item_key TEXT NOT NULL,
    kind TEXT NOT NULL,
    starts_at TEXT NOT NULL,
    ends_at TEXT NOT NULL,
    summary TEXT NOT NULL,
    guest TEXT,
    contested INTEGER NOT NULL,
    -- NULL: it takes no time here.
    booking_id BLOB REFERENCES bookings (id),
    missing_since TEXT,
    -- Somebody has said that it stands although the feed lacks it.
    pinned INTEGER NOT NULL,
    -- The reading that found it gone.
    lost_run BLOB REFERENCES channel_runs (id),
    lost_at TEXT,
    first_seen_at TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX channel_items_by_key ON channel_items (channel_id, item_key) WHERE lost_at IS NULL;
CREATE INDEX channel_items_to_come ON channel_items (channel_id, ends_at) WHERE lost_at IS NULL;
CREATE INDEX channel_items_by_booking ON channel_items (booking_id);
CREATE INDEX channel_items_lost ON channel_items (lost_run) WHERE lost_run IS NOT NULL;

-- What stood in a channel's feed from one revision to another, and when the platform had read that it does, and that it
-- does not any more.
CREATE TABLE channel_published (
    id BLOB PRIMARY KEY,
    business_id BLOB NOT NULL REFERENCES businesses (id),
    channel_id BLOB NOT NULL REFERENCES channels (id),
    booking_id BLOB NOT NULL REFERENCES bookings (id),
    starts_at TEXT NOT NULL,
    ends_at TEXT NOT NULL,
    since_revision INTEGER NOT NULL,
    until_revision INTEGER,
    seen_at TEXT,
    unseen_at TEXT,
    created_at TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX channel_published_once ON channel_published (channel_id, booking_id, starts_at, ends_at)
    WHERE until_revision IS NULL;
CREATE INDEX channel_published_to_come ON channel_published (channel_id, ends_at);

-- Who reads a feed: one row a reader.
CREATE TABLE feed_reads (
    feed_id BLOB NOT NULL REFERENCES feeds (id),
    business_id BLOB NOT NULL REFERENCES businesses (id),
    -- What it calls itself.
    reader TEXT NOT NULL,
    address TEXT NOT NULL,
    -- Whether it is a browser, and so a person who looks.
    person INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    reads INTEGER NOT NULL,
    first_read_at TEXT NOT NULL,
    read_at TEXT NOT NULL,
    PRIMARY KEY (feed_id, reader)
) STRICT;

-- How a business wants a platform to be treated, where it differs from the platform's file.
CREATE TABLE platform_settings (
    business_id BLOB NOT NULL REFERENCES businesses (id),
    platform TEXT NOT NULL,
    interval_minutes INTEGER,
    preference TEXT NOT NULL,
    blocks TEXT NOT NULL,
    PRIMARY KEY (business_id, platform)
) STRICT;

-- Inbound webhooks that were taken: each once.
CREATE TABLE webhook_receipts (
    channel_id BLOB NOT NULL REFERENCES channels (id),
    webhook_id TEXT NOT NULL,
    received_at TEXT NOT NULL,
    PRIMARY KEY (channel_id, webhook_id)
) STRICT;
CREATE INDEX webhook_receipts_by_age ON webhook_receipts (received_at);

-- Sealed, for addresses that people come back for: those of channels.
ALTER TABLE feeds ADD COLUMN token_sealed TEXT;
ALTER TABLE sync_log ADD COLUMN channel_id BLOB REFERENCES channels (id);
CREATE INDEX sync_log_by_channel ON sync_log (channel_id, at DESC, id DESC) WHERE channel_id IS NOT NULL;
