-- What people choose to be told of and what each of them was sent, and what fails for longer than a moment.
-- The same tables and columns are in ../sqlite/0013_notifications.sql; a test compares them.

CREATE TABLE notification_choices (
    business_id uuid NOT NULL REFERENCES businesses (id),
    -- A user, a staff member who is none, or the business: what holds for whoever has chosen nothing.
    owner_id uuid NOT NULL,
    -- As JSON.
    choices jsonb NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (business_id, owner_id)
);

-- Who was last sent a digest, and when.
CREATE TABLE digest_recipients (
    business_id uuid NOT NULL REFERENCES businesses (id),
    -- A user, or a staff member who is none.
    recipient_id uuid NOT NULL,
    last_digest_at timestamptz NOT NULL,
    PRIMARY KEY (business_id, recipient_id)
);

-- By which digests are turned off, without signing in.
CREATE TABLE digest_links (
    token_hash text PRIMARY KEY,
    business_id uuid NOT NULL REFERENCES businesses (id),
    recipient_id uuid NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX digest_links_by_time ON digest_links (created_at);

CREATE TABLE alerts (
    id uuid PRIMARY KEY,
    business_id uuid NOT NULL REFERENCES businesses (id),
    kind text NOT NULL,
    subject_id uuid NOT NULL,
    -- Whose it is, if it is a calendar.
    staff_id uuid REFERENCES staff (id),
    -- What fails and why, as people are told, and the path of the page where it can be dealt with.
    headline text NOT NULL,
    cause text NOT NULL,
    link text NOT NULL,
    since timestamptz NOT NULL,
    -- How bad it was when people were last told. 0: they were not.
    level bigint NOT NULL,
    -- NULL until people are told.
    opened_at timestamptz,
    -- Since when all goes well. NULL: it fails.
    healthy_since timestamptz,
    -- NULL while it is not over.
    closed_at timestamptz
);
CREATE UNIQUE INDEX alerts_unclosed ON alerts (business_id, kind, subject_id) WHERE closed_at IS NULL;
CREATE INDEX alerts_by_business ON alerts (business_id, since, id);

-- Which alert a notice is of.
ALTER TABLE notices ADD COLUMN alert_id uuid REFERENCES alerts (id) ON DELETE SET NULL;
CREATE INDEX notices_by_alert ON notices (alert_id) WHERE alert_id IS NOT NULL;

-- Who was sent which notice.
CREATE TABLE notice_deliveries (
    notice_id uuid NOT NULL REFERENCES notices (id) ON DELETE CASCADE,
    recipient_id uuid NOT NULL,
    business_id uuid NOT NULL REFERENCES businesses (id),
    sent_at timestamptz NOT NULL,
    PRIMARY KEY (notice_id, recipient_id)
);

-- These are told by alerts from now on, which do not know of notices from before.
UPDATE notices SET closed_at = created_at WHERE closed_at IS NULL AND kind IN ('failed_sync', 'feed_unread');
