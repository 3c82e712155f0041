-- What was read from the platforms' feeds, and what we have published to platforms.
-- The same tables and columns are in ../sqlite/0005_channel_events.sql; a test compares them.

-- Each time a platform's feed was read and something followed from it, and each failure to read it.
CREATE TABLE channel_runs (
    id uuid PRIMARY KEY,
    business_id uuid NOT NULL REFERENCES businesses (id),
    channel_id uuid NOT NULL REFERENCES channels (id),
    origin text NOT NULL,
    actor jsonb NOT NULL,
    outcome text NOT NULL,
    -- What happened, as people are told.
    message text NOT NULL,
    imported bigint NOT NULL,
    updated bigint NOT NULL,
    cancelled bigint NOT NULL,
    skipped bigint NOT NULL,
    -- Of the imported and updated bookings: those that no unit was free for.
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
    -- NULL: it occupies nothing here.
    booking_id uuid REFERENCES bookings (id),
    kind text NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    summary text NOT NULL,
    guest text,
    -- Whether the platform marks it as not agreed on yet.
    tentative boolean NOT NULL DEFAULT false,
    -- Whether it counts as a reservation only because another event is the echo of the same nights.
    contested boolean NOT NULL,
    -- What somebody answered where the event could be a booking or an echo of ours. NULL: nothing yet.
    settled text,
    -- Whether it is kept although the feed lacks it: somebody has said so, or has imported it from a file or an
    -- address that the feed has not caught up with.
    pinned boolean NOT NULL,
    -- The run that brought it, by which an import can be undone. NULL: that run was deleted.
    found_run_id uuid REFERENCES channel_runs (id) ON DELETE SET NULL,
    first_seen_at timestamptz NOT NULL,
    -- Since when the feed lacks it.
    missing_since timestamptz,
    -- The run that found it removed from the feed.
    removed_run_id uuid REFERENCES channel_runs (id),
    -- The status of its booking before that. NULL: it was cancelled already, so an undo does not bring it back.
    removed_status text,
    removed_at timestamptz
);
CREATE UNIQUE INDEX channel_items_by_key ON channel_items (channel_id, item_key) WHERE removed_at IS NULL;
CREATE INDEX channel_items_by_end ON channel_items (channel_id, ends_at) WHERE removed_at IS NULL;
CREATE INDEX channel_items_by_booking ON channel_items (booking_id);
CREATE INDEX channel_items_by_removed_run ON channel_items (removed_run_id) WHERE removed_run_id IS NOT NULL;
CREATE INDEX channel_items_by_found_run ON channel_items (found_run_id) WHERE found_run_id IS NOT NULL;
-- A webhook may bring back an event that was lost.
CREATE INDEX channel_items_removed_by_key ON channel_items (channel_id, item_key) WHERE removed_at IS NOT NULL;

-- What a channel's feed showed from one revision to another, and when the platform had read that it does, and that it
-- no longer does. Echoes are recognised by it, and the exposure is found from it.
CREATE TABLE channel_published (
    id uuid PRIMARY KEY,
    business_id uuid NOT NULL REFERENCES businesses (id),
    channel_id uuid NOT NULL REFERENCES channels (id),
    booking_id uuid NOT NULL REFERENCES bookings (id),
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    -- The first revision that shows it, and the first that does not; NULL while the feed shows it.
    since_revision bigint NOT NULL,
    until_revision bigint,
    seen_at timestamptz,
    unseen_at timestamptz,
    created_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX channel_published_current ON channel_published (channel_id, booking_id, starts_at, ends_at)
    WHERE until_revision IS NULL;
CREATE INDEX channel_published_by_end ON channel_published (channel_id, ends_at);
