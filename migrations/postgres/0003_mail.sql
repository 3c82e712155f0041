-- Mails to one person each, and the notices that mails are made of.
-- The same tables and columns stand in ../sqlite/0003_mail.sql; a test compares them.

CREATE TABLE mails (
    id uuid PRIMARY KEY,
    business_id uuid NOT NULL REFERENCES businesses (id),
    kind text NOT NULL,
    to_address text NOT NULL,
    to_name text NOT NULL,
    subject text NOT NULL,
    body_text text NOT NULL,
    body_html text NOT NULL,
    -- Ours, the same for every try: mailboxes know by it that two copies are one mail.
    message_id text NOT NULL,
    -- What is mailed once only has one key.
    dedupe_key text NOT NULL,
    state text NOT NULL,
    attempted_at timestamptz,
    sent_at timestamptz,
    last_error text,
    created_at timestamptz NOT NULL,
    UNIQUE (business_id, dedupe_key)
);
CREATE INDEX mails_by_business ON mails (business_id, created_at DESC, id DESC);
CREATE INDEX mails_by_state ON mails (business_id, state);

CREATE TABLE notices (
    id uuid PRIMARY KEY,
    business_id uuid NOT NULL REFERENCES businesses (id),
    kind text NOT NULL,
    -- Who is told; NULL: the managers.
    staff_id uuid REFERENCES staff (id),
    subject_kind text NOT NULL,
    subject_id uuid NOT NULL,
    headline text NOT NULL,
    detail text NOT NULL,
    -- A path of ours.
    link text NOT NULL,
    dedupe_key text NOT NULL,
    created_at timestamptz NOT NULL,
    -- NULL until it was mailed.
    told_at timestamptz,
    -- NULL while it lasts.
    closed_at timestamptz
);
-- While it lasts, each is told once.
CREATE UNIQUE INDEX notices_open_to_staff ON notices (business_id, dedupe_key, staff_id)
    WHERE closed_at IS NULL AND staff_id IS NOT NULL;
CREATE UNIQUE INDEX notices_open_to_managers ON notices (business_id, dedupe_key)
    WHERE closed_at IS NULL AND staff_id IS NULL;
CREATE INDEX notices_untold ON notices (business_id, created_at, id) WHERE closed_at IS NULL AND told_at IS NULL;
