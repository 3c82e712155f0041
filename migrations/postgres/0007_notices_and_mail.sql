-- Notices that were raised, and the mails that they are sent in.
-- The same tables and columns are in ../sqlite/0007_notices_and_mail.sql; a test compares them.

CREATE TABLE notices (
    id uuid PRIMARY KEY,
    business_id uuid NOT NULL REFERENCES businesses (id),
    -- Who is told; NULL: all managers of the business.
    staff_id uuid REFERENCES staff (id),
    kind text NOT NULL,
    subject_kind text NOT NULL,
    subject_id uuid NOT NULL,
    headline text NOT NULL,
    detail text NOT NULL,
    -- The path of the page where it can be dealt with.
    link text NOT NULL,
    -- While a notice with this key is open, the same people are not told again.
    dedupe_key text NOT NULL,
    created_at timestamptz NOT NULL,
    -- NULL until it was put into a mail.
    notified_at timestamptz,
    -- NULL while its cause lasts.
    closed_at timestamptz
);
CREATE UNIQUE INDEX notices_open_to_staff ON notices (business_id, dedupe_key, staff_id)
    WHERE closed_at IS NULL AND staff_id IS NOT NULL;
CREATE UNIQUE INDEX notices_open_to_managers ON notices (business_id, dedupe_key)
    WHERE closed_at IS NULL AND staff_id IS NULL;
CREATE INDEX notices_unsent ON notices (business_id, created_at, id) WHERE closed_at IS NULL AND notified_at IS NULL;
-- Every write that succeeds looks for open notices by their key, whoever is told.
CREATE INDEX notices_open ON notices (business_id, dedupe_key) WHERE closed_at IS NULL;

-- Mails, each to one person.
CREATE TABLE mails (
    id uuid PRIMARY KEY,
    business_id uuid NOT NULL REFERENCES businesses (id),
    kind text NOT NULL,
    to_address text NOT NULL,
    to_name text NOT NULL,
    subject text NOT NULL,
    body_text text NOT NULL,
    body_html text NOT NULL,
    -- Our Message-ID (RFC 5322, 3.6.4), the same at each attempt: mailboxes recognise by it that two
    -- copies are one mail.
    message_id text NOT NULL,
    -- Mails that must be sent only once have the same key.
    dedupe_key text NOT NULL,
    state text NOT NULL,
    last_error text,
    created_at timestamptz NOT NULL,
    attempted_at timestamptz,
    sent_at timestamptz,
    UNIQUE (business_id, dedupe_key)
);
CREATE INDEX mails_by_business ON mails (business_id, created_at DESC, id DESC);
CREATE INDEX mails_by_state ON mails (business_id, state);
