-- What somebody said of an event that was in doubt: a booking, or ours. NULL: nothing.
ALTER TABLE channel_items ADD COLUMN settled text;

-- Whether the platform says that it is not agreed on yet.
ALTER TABLE channel_items ADD COLUMN tentative boolean NOT NULL DEFAULT false;

-- What came by a file stands until the feed of its platform has had it; so far only some of it did.
UPDATE channel_items SET pinned = true
WHERE lost_at IS NULL AND found_run IN (SELECT id FROM channel_runs WHERE origin = 'file');

-- Blocks that were cut at 1,099 days are taken over whole by the next reading.
UPDATE channel_items SET ends_at = (SELECT b.ends_at FROM bookings b WHERE b.id = channel_items.booking_id)
WHERE lost_at IS NULL AND EXISTS (
    SELECT 1 FROM bookings b
    WHERE b.id = channel_items.booking_id AND b.ends_at < channel_items.ends_at
      AND b.ends_at - b.starts_at > interval '1098 days');

-- Since when a feed is as it is, by its form, so that a restart does not make it newer.
CREATE TABLE feed_contents (
    feed_id uuid NOT NULL REFERENCES feeds (id),
    form text NOT NULL,
    business_id uuid NOT NULL REFERENCES businesses (id),
    digest text NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (feed_id, form)
);
