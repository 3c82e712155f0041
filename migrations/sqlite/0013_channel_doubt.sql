-- What somebody said of an event that was in doubt: a booking, or ours. NULL: nothing.
ALTER TABLE channel_items ADD COLUMN settled TEXT;

-- Whether the platform says that it is not agreed on yet.
ALTER TABLE channel_items ADD COLUMN tentative INTEGER NOT NULL DEFAULT 0;

-- What came by a file stands until the feed of its platform has had it; so far only some of it did.
UPDATE channel_items SET pinned = 1
WHERE lost_at IS NULL AND found_run IN (SELECT id FROM channel_runs WHERE origin = 'file');

-- Blocks that were cut at 1,099 days are taken over whole by the next reading.
UPDATE channel_items SET ends_at = (SELECT b.ends_at FROM bookings b WHERE b.id = channel_items.booking_id)
WHERE lost_at IS NULL AND EXISTS (
    SELECT 1 FROM bookings b
    WHERE b.id = channel_items.booking_id AND b.ends_at < channel_items.ends_at
      AND julianday(b.ends_at) - julianday(b.starts_at) > 1098);

-- Since when a feed is as it is, by its form, so that a restart does not make it newer.
CREATE TABLE feed_contents (
    feed_id BLOB NOT NULL REFERENCES feeds (id),
    form TEXT NOT NULL,
    business_id BLOB NOT NULL REFERENCES businesses (id),
    digest TEXT NOT NULL,
    changed_at TEXT NOT NULL,
    PRIMARY KEY (feed_id, form)
) STRICT;
