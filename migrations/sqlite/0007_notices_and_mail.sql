-- Notices that were raised, and the mails that they are sent in.
-- The same tables and columns are in ../postgres/0007_notices_and_mail.sql; a test compares them.

CREATE TABLE notices (
    id BLOB PRIMARY KEY,
    business_id BLOB NOT NULL REFERENCES businesses (id),
    -- Who is told; NULL: all managers of the business.
    staff_id BLOB REFERENCES staff (id),
    kind TEXT NOT NULL,
    subject_kind TEXT NOT NULL,
    subject_id BLOB NOT NULL,
    headline TEXT NOT NULL,
    detail TEXT NOT NULL,
    -- The path of the page where it can be dealt with.
    link TEXT NOT NULL,
    -- While a notice with this key is open, the same people are not told again.
    dedupe_key TEXT NOT NULL,
    created_at TEXT NOT NULL,
    -- NULL until it was put into a mail.
    notified_at TEXT,
    -- NULL while its cause lasts.
    closed_at TEXT
) STRICT;
CREATE UNIQUE INDEX notices_open_to_staff ON notices (business_id, dedupe_key, staff_id)
    WHERE closed_at IS NULL AND staff_id IS NOT NULL;
CREATE UNIQUE INDEX notices_open_to_managers ON notices (business_id, dedupe_key)
    WHERE closed_at IS NULL AND staff_id IS NULL;
CREATE INDEX notices_unsent ON notices (business_id, created_at, id) WHERE closed_at IS NULL AND notified_at IS NULL;
-- Every write that succeeds looks for open notices by their key, whoever is told.
CREATE INDEX notices_open ON notices (business_id, dedupe_key) WHERE closed_at IS NULL;

-- Mails, each to one person.
CREATE TABLE mails (
    id BLOB PRIMARY KEY,
    business_id BLOB NOT NULL REFERENCES businesses (id),
    kind TEXT NOT NULL,
    to_address TEXT NOT NULL,
    to_name TEXT NOT NULL,
    subject TEXT NOT NULL,
    body_text TEXT NOT NULL,
    body_html TEXT NOT NULL,
    -- Our Message-ID (RFC 5322, 3.6.4), the same at each attempt: mailboxes recognise by it that two
    -- copies are one mail.
    message_id TEXT NOT NULL,
    -- Mails that must be sent only once have the same key.
    dedupe_key TEXT NOT NULL,
    state TEXT NOT NULL,
    last_error TEXT,
    created_at TEXT NOT NULL,
    attempted_at TEXT,
    sent_at TEXT,
    UNIQUE (business_id, dedupe_key)
) STRICT;
CREATE INDEX mails_by_business ON mails (business_id, created_at DESC, id DESC);
CREATE INDEX mails_by_state ON mails (business_id, state);
