-- How mails to customers look: a business's own words, and its logo.
-- The same tables and columns are in ../sqlite/0015_mail_design.sql; a test compares them.

-- Words of mails of one kind and language; empty: as they are without them.
CREATE TABLE mail_texts (
    business_id uuid NOT NULL REFERENCES businesses (id),
    kind text NOT NULL,
    language text NOT NULL,
    subject text NOT NULL,
    intro text NOT NULL,
    closing text NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (business_id, kind, language)
);

-- The picture at the top of mails. Mails that were sent go on showing what is there by its digest.
CREATE TABLE logos (
    business_id uuid PRIMARY KEY REFERENCES businesses (id),
    digest text NOT NULL,
    media_type text NOT NULL,
    image bytea NOT NULL,
    changed_at timestamptz NOT NULL
);
