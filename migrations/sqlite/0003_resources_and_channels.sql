-- Resources, the feeds that we publish, and channels: where a resource is listed on sales platforms.
-- Channels come before bookings, because a booking names the channel that it came by.
-- The same tables and columns are in ../postgres/0003_resources_and_channels.sql; a test compares them.

CREATE TABLE resources (
    id BLOB PRIMARY KEY,
    business_id BLOB NOT NULL REFERENCES businesses (id),
    name TEXT NOT NULL,
    -- NULL: the zone of the business.
    zone TEXT,
    -- How many units it has.
    capacity INTEGER NOT NULL CHECK (capacity BETWEEN 1 AND 1000),
    buffer_before_minutes INTEGER NOT NULL,
    buffer_after_minutes INTEGER NOT NULL,
    -- Counts the changes to its occupancy, for its feeds.
    revision INTEGER NOT NULL,
    archived_at TEXT,
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX resources_by_business ON resources (business_id, name, id);

-- iCalendar feeds that we publish.
CREATE TABLE feeds (
    id BLOB PRIMARY KEY,
    business_id BLOB NOT NULL REFERENCES businesses (id),
    scope TEXT NOT NULL,
    -- The resource, staff member or channel; NULL for a feed of the whole business.
    subject_id BLOB,
    name TEXT NOT NULL,
    privacy TEXT NOT NULL,
    token_hash TEXT NOT NULL UNIQUE,
    -- The first characters of the token, by which a person recognises it.
    token_prefix TEXT NOT NULL,
    -- The sealed token, for feeds whose address is shown again: those of channels.
    token_sealed TEXT,
    -- Counts the changes to the settings of the feed itself.
    revision INTEGER NOT NULL,
    last_read_at TEXT,
    changed_at TEXT NOT NULL,
    revoked_at TEXT,
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX feeds_by_business ON feeds (business_id, created_at, id);

-- Who reads a feed: one row per reader.
CREATE TABLE feed_reads (
    feed_id BLOB NOT NULL REFERENCES feeds (id),
    -- The name that the reader gives itself: its User-Agent.
    reader TEXT NOT NULL,
    business_id BLOB NOT NULL REFERENCES businesses (id),
    -- Where it last asked from.
    address TEXT NOT NULL,
    -- Whether it is a browser, and so a person who looks.
    person INTEGER NOT NULL,
    -- The revision that it has read.
    revision INTEGER NOT NULL,
    reads INTEGER NOT NULL,
    first_read_at TEXT NOT NULL,
    read_at TEXT NOT NULL,
    PRIMARY KEY (feed_id, reader)
) STRICT;

-- When each form of a feed last changed, so that a restart does not make it look newer.
CREATE TABLE feed_contents (
    feed_id BLOB NOT NULL REFERENCES feeds (id),
    form TEXT NOT NULL,
    business_id BLOB NOT NULL REFERENCES businesses (id),
    digest TEXT NOT NULL,
    changed_at TEXT NOT NULL,
    PRIMARY KEY (feed_id, form)
) STRICT;

-- How a business treats a platform, where that differs from the platform's file.
CREATE TABLE platform_settings (
    business_id BLOB NOT NULL REFERENCES businesses (id),
    platform TEXT NOT NULL,
    -- NULL: as the platform's file has it.
    interval_minutes INTEGER,
    preference TEXT NOT NULL,
    blocks TEXT NOT NULL,
    PRIMARY KEY (business_id, platform)
) STRICT;

-- A channel: the resource's listing on a platform, whose feed we read and which reads ours.
CREATE TABLE channels (
    id BLOB PRIMARY KEY,
    business_id BLOB NOT NULL REFERENCES businesses (id),
    resource_id BLOB NOT NULL REFERENCES resources (id),
    platform TEXT NOT NULL,
    -- The feed that we publish to it; NULL until somebody wants one.
    feed_id BLOB REFERENCES feeds (id),
    state TEXT NOT NULL,
    -- Whose booking gives way in a conflict, and what is done with nights that the platform only blocks.
    preference TEXT NOT NULL,
    blocks TEXT NOT NULL,
    -- NULL: as the business or the platform has it.
    interval_minutes INTEGER,
    -- Whether its feed is polled, or only read when somebody asks for it.
    polled INTEGER NOT NULL,
    -- The sealed address of its feed: whoever has it can read who stays. NULL: nothing is read.
    import_url TEXT,
    -- The host is what people are shown of the address; by the digest the same address is recognised.
    import_host TEXT NOT NULL,
    import_digest TEXT,
    -- For inbound webhooks: the digest of the token in their address, and the sealed key that signs them.
    webhook_token_hash TEXT UNIQUE,
    webhook_secret TEXT,
    -- The validators of the platform's feed (RFC 9110, 8.8), as it sent them.
    etag TEXT,
    last_modified TEXT,
    -- SHA-256 of the snapshot that was last applied.
    body_digest TEXT,
    -- Why cancellations are quarantined by the import guard, how many of how many, and until when. NULL: none are.
    import_guard TEXT,
    quarantined_items INTEGER NOT NULL,
    quarantined_total INTEGER NOT NULL,
    quarantined_until TEXT,
    last_error TEXT,
    failing_since TEXT,
    -- The last attempt, the last one that read a snapshot, and the last one that changed something.
    polled_at TEXT,
    read_at TEXT,
    changed_at TEXT,
    removed_at TEXT,
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX channels_by_business ON channels (business_id, resource_id, created_at, id);
CREATE UNIQUE INDEX channels_unique_import ON channels (business_id, resource_id, platform, import_digest)
    WHERE removed_at IS NULL AND import_digest IS NOT NULL;

-- Inbound webhooks that were accepted, so that each is accepted once.
CREATE TABLE webhook_receipts (
    channel_id BLOB NOT NULL REFERENCES channels (id),
    webhook_id TEXT NOT NULL,
    received_at TEXT NOT NULL,
    PRIMARY KEY (channel_id, webhook_id)
) STRICT;
CREATE INDEX webhook_receipts_by_age ON webhook_receipts (received_at);
