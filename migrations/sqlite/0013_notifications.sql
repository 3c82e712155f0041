-- What people choose to be told of and what each of them was sent, and what fails for longer than a moment.
-- The same tables and columns are in ../postgres/0013_notifications.sql; a test compares them.

CREATE TABLE notification_choices (
    business_id BLOB NOT NULL REFERENCES businesses (id),
    -- A user, a staff member who is none, or the business: what holds for whoever has chosen nothing.
    owner_id BLOB NOT NULL,
    -- As JSON.
    choices TEXT NOT NULL,
    changed_at TEXT NOT NULL,
    PRIMARY KEY (business_id, owner_id)
) STRICT;

-- Who was last sent a digest, and when.
CREATE TABLE digest_recipients (
    business_id BLOB NOT NULL REFERENCES businesses (id),
    -- A user, or a staff member who is none.
    recipient_id BLOB NOT NULL,
    last_digest_at TEXT NOT NULL,
    PRIMARY KEY (business_id, recipient_id)
) STRICT;

-- By which digests are turned off, without signing in.
CREATE TABLE digest_links (
    token_hash TEXT PRIMARY KEY,
    business_id BLOB NOT NULL REFERENCES businesses (id),
    recipient_id BLOB NOT NULL,
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX digest_links_by_time ON digest_links (created_at);

CREATE TABLE alerts (
    id BLOB PRIMARY KEY,
    business_id BLOB NOT NULL REFERENCES businesses (id),
    kind TEXT NOT NULL,
    subject_id BLOB NOT NULL,
    -- Whose it is, if it is a calendar.
    staff_id BLOB REFERENCES staff (id),
    -- What fails and why, as people are told, and the path of the page where it can be dealt with.
    headline TEXT NOT NULL,
    cause TEXT NOT NULL,
    link TEXT NOT NULL,
    since TEXT NOT NULL,
    -- How bad it was when people were last told. 0: they were not.
    level INTEGER NOT NULL,
    -- NULL until people are told.
    opened_at TEXT,
    -- Since when all goes well. NULL: it fails.
    healthy_since TEXT,
    -- NULL while it is not over.
    closed_at TEXT
) STRICT;
CREATE UNIQUE INDEX alerts_unclosed ON alerts (business_id, kind, subject_id) WHERE closed_at IS NULL;
CREATE INDEX alerts_by_business ON alerts (business_id, since, id);

-- Which alert a notice is of.
ALTER TABLE notices ADD COLUMN alert_id BLOB REFERENCES alerts (id) ON DELETE SET NULL;
CREATE INDEX notices_by_alert ON notices (alert_id) WHERE alert_id IS NOT NULL;

-- Who was sent which notice.
CREATE TABLE notice_deliveries (
    notice_id BLOB NOT NULL REFERENCES notices (id) ON DELETE CASCADE,
    recipient_id BLOB NOT NULL,
    business_id BLOB NOT NULL REFERENCES businesses (id),
    sent_at TEXT NOT NULL,
    PRIMARY KEY (notice_id, recipient_id)
) STRICT;

-- These are told by alerts from now on, which do not know of notices from before.
UPDATE notices SET closed_at = created_at WHERE closed_at IS NULL AND kind IN ('failed_sync', 'feed_unread');
