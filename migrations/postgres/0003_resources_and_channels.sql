-- Resources, the feeds that we publish, and channels: where a resource is listed on sales platforms.
-- Channels come before bookings, because a booking names the channel that it came by.
-- The same tables and columns are in ../sqlite/0003_resources_and_channels.sql; a test compares them.

CREATE TABLE resources (
    id uuid PRIMARY KEY,
    business_id uuid NOT NULL REFERENCES businesses (id),
    name text NOT NULL,
    -- NULL: the zone of the business.
    zone text,
    -- How many units it has.
    capacity bigint NOT NULL CHECK (capacity BETWEEN 1 AND 1000),
    buffer_before_minutes bigint NOT NULL,
    buffer_after_minutes bigint NOT NULL,
    -- Counts the changes to its occupancy, for its feeds.
    revision bigint NOT NULL,
    archived_at timestamptz,
    created_at timestamptz NOT NULL
);
CREATE INDEX resources_by_business ON resources (business_id, name, id);

-- iCalendar feeds that we publish.
CREATE TABLE feeds (
    id uuid PRIMARY KEY,
    business_id uuid NOT NULL REFERENCES businesses (id),
    scope text NOT NULL,
    -- The resource, staff member or channel; NULL for a feed of the whole business.
    subject_id uuid,
    name text NOT NULL,
    privacy text NOT NULL,
    token_hash text NOT NULL UNIQUE,
    -- The first characters of the token, by which a person recognises it.
    token_prefix text NOT NULL,
    -- The sealed token, for feeds whose address is shown again: those of channels.
    token_sealed text,
    -- Counts the changes to the settings of the feed itself.
    revision bigint NOT NULL,
    last_read_at timestamptz,
    changed_at timestamptz NOT NULL,
    revoked_at timestamptz,
    created_at timestamptz NOT NULL
);
CREATE INDEX feeds_by_business ON feeds (business_id, created_at, id);

-- Who reads a feed: one row per reader.
CREATE TABLE feed_reads (
    feed_id uuid NOT NULL REFERENCES feeds (id),
    -- The name that the reader gives itself: its User-Agent.
    reader text NOT NULL,
    business_id uuid NOT NULL REFERENCES businesses (id),
    -- Where it last asked from.
    address text NOT NULL,
    -- Whether it is a browser, and so a person who looks.
    person boolean NOT NULL,
    -- The revision that it has read.
    revision bigint NOT NULL,
    reads bigint NOT NULL,
    first_read_at timestamptz NOT NULL,
    read_at timestamptz NOT NULL,
    PRIMARY KEY (feed_id, reader)
);

-- When each form of a feed last changed, so that a restart does not make it look newer.
CREATE TABLE feed_contents (
    feed_id uuid NOT NULL REFERENCES feeds (id),
    form text NOT NULL,
    business_id uuid NOT NULL REFERENCES businesses (id),
    digest text NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (feed_id, form)
);

-- How a business treats a platform, where that differs from the platform's file.
CREATE TABLE platform_settings (
    business_id uuid NOT NULL REFERENCES businesses (id),
    platform text NOT NULL,
    -- NULL: as the platform's file has it.
    interval_minutes bigint,
    preference text NOT NULL,
    blocks text NOT NULL,
    PRIMARY KEY (business_id, platform)
);

-- A channel: the resource's listing on a platform, whose feed we read and which reads ours.
CREATE TABLE channels (
    id uuid PRIMARY KEY,
    business_id uuid NOT NULL REFERENCES businesses (id),
    resource_id uuid NOT NULL REFERENCES resources (id),
    platform text NOT NULL,
    -- The feed that we publish to it; NULL until somebody wants one.
    feed_id uuid REFERENCES feeds (id),
    state text NOT NULL,
    -- Whose booking gives way in a conflict, and what is done with nights that the platform only blocks.
    preference text NOT NULL,
    blocks text NOT NULL,
    -- NULL: as the business or the platform has it.
    interval_minutes bigint,
    -- Whether its feed is polled, or only read when somebody asks for it.
    polled boolean NOT NULL,
    -- The sealed address of its feed: whoever has it can read who stays. NULL: nothing is read.
    import_url text,
    -- The host is what people are shown of the address; by the digest the same address is recognised.
    import_host text NOT NULL,
    import_digest text,
    -- For inbound webhooks: the digest of the token in their address, and the sealed key that signs them.
    webhook_token_hash text UNIQUE,
    webhook_secret text,
    -- The validators of the platform's feed (RFC 9110, 8.8), as it sent them.
    etag text,
    last_modified text,
    -- SHA-256 of the snapshot that was last applied.
    body_digest text,
    -- Why cancellations are quarantined by the import guard, how many of how many, and until when. NULL: none are.
    import_guard text,
    quarantined_items bigint NOT NULL,
    quarantined_total bigint NOT NULL,
    quarantined_until timestamptz,
    last_error text,
    failing_since timestamptz,
    -- The last attempt, the last one that read a snapshot, and the last one that changed something.
    polled_at timestamptz,
    read_at timestamptz,
    changed_at timestamptz,
    removed_at timestamptz,
    created_at timestamptz NOT NULL
);
CREATE INDEX channels_by_business ON channels (business_id, resource_id, created_at, id);
CREATE UNIQUE INDEX channels_unique_import ON channels (business_id, resource_id, platform, import_digest)
    WHERE removed_at IS NULL AND import_digest IS NOT NULL;

-- Inbound webhooks that were accepted, so that each is accepted once.
CREATE TABLE webhook_receipts (
    channel_id uuid NOT NULL REFERENCES channels (id),
    webhook_id text NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (channel_id, webhook_id)
);
CREATE INDEX webhook_receipts_by_age ON webhook_receipts (received_at);
