-- How mails to customers look: a business's own words, and its logo.
-- The same tables and columns are in ../postgres/0015_mail_design.sql; a test compares them.

-- Words of mails of one kind and language; empty: as they are without them.
CREATE TABLE mail_texts (
    business_id BLOB NOT NULL REFERENCES businesses (id),
    kind TEXT NOT NULL,
    language TEXT NOT NULL,
    subject TEXT NOT NULL,
    intro TEXT NOT NULL,
    closing TEXT NOT NULL,
    changed_at TEXT NOT NULL,
    PRIMARY KEY (business_id, kind, language)
) STRICT;

-- The picture at the top of mails. Mails that were sent go on showing what is there by its digest.
CREATE TABLE logos (
    business_id BLOB PRIMARY KEY REFERENCES businesses (id),
    digest TEXT NOT NULL,
    media_type TEXT NOT NULL,
    image BLOB NOT NULL,
    changed_at TEXT NOT NULL
) STRICT;
