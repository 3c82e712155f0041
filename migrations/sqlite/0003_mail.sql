-- Mails to one person each, and the notices that mails are made of.
-- The same tables and columns stand in ../postgres/0003_mail.sql; a test compares them.

CREATE TABLE mails (
    id BLOB PRIMARY KEY,
    business_id BLOB NOT NULL REFERENCES businesses (id),
    kind TEXT NOT NULL,
    to_address TEXT NOT NULL,
    to_name TEXT NOT NULL,
    subject TEXT NOT NULL,
    body_text TEXT NOT NULL,
    body_html TEXT NOT NULL,
    -- Ours, the same for every try: mailboxes know by it that two copies are one mail.
    message_id TEXT NOT NULL,
    -- What is mailed once only has one key.
    dedupe_key TEXT NOT NULL,
    state TEXT NOT NULL,
    attempted_at TEXT,
    sent_at TEXT,
    last_error TEXT,
    created_at TEXT NOT NULL,
    UNIQUE (business_id, dedupe_key)
) STRICT;
CREATE INDEX mails_by_business ON mails (business_id, created_at DESC, id DESC);
CREATE INDEX mails_by_state ON mails (business_id, state);

CREATE TABLE notices (
    id BLOB PRIMARY KEY,
    business_id BLOB NOT NULL REFERENCES businesses (id),
    kind TEXT NOT NULL,
    -- Who is told; NULL: the managers.
    staff_id BLOB REFERENCES staff (id),
    subject_kind TEXT NOT NULL,
    subject_id BLOB NOT NULL,
    headline TEXT NOT NULL,
    detail TEXT NOT NULL,
    -- A path of ours.
    link TEXT NOT NULL,
    dedupe_key TEXT NOT NULL,
    created_at TEXT NOT NULL,
    -- NULL until it was mailed.
    told_at TEXT,
    -- NULL while it lasts.
    closed_at TEXT
) STRICT;
-- While it lasts, each is told once.
CREATE UNIQUE INDEX notices_open_to_staff ON notices (business_id, dedupe_key, staff_id)
    WHERE closed_at IS NULL AND staff_id IS NOT NULL;
CREATE UNIQUE INDEX notices_open_to_managers ON notices (business_id, dedupe_key)
    WHERE closed_at IS NULL AND staff_id IS NULL;
CREATE INDEX notices_untold ON notices (business_id, created_at, id) WHERE closed_at IS NULL AND told_at IS NULL;
