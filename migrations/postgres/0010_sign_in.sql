-- Signing in by mail: links that know the browser that asked, mails whose secrets are sealed, sessions that people see.
-- The same tables and columns are in ../sqlite/0010_sign_in.sql; a test compares them.

-- A digest of what the cookie of the browser holds that asked for it. NULL: nobody's browser did.
ALTER TABLE sign_in_links ADD COLUMN browser_hash text;

-- Somebody has typed an address: whether anybody has it is looked up by a job, which deletes the row.
CREATE TABLE sign_in_requests (
    id uuid PRIMARY KEY,
    email text NOT NULL,
    browser_hash text NOT NULL,
    -- In which they are written to.
    language text NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX users_by_email ON users (email);

-- What a mail says and its text leaves out, such as the tokens of links: sealed, until it is sent.
CREATE TABLE mail_secrets (
    mail_id uuid PRIMARY KEY REFERENCES mails (id) ON DELETE CASCADE,
    sealed text NOT NULL,
    -- When its links stop working: then there is nothing to be sent any more.
    expires_at timestamptz NOT NULL
);

-- A session's id names it where the digest of its token must not stand: on a page, in a form.
ALTER TABLE sessions ADD COLUMN id uuid NOT NULL UNIQUE DEFAULT gen_random_uuid();
ALTER TABLE sessions ALTER COLUMN id DROP DEFAULT;
CREATE INDEX sessions_by_user ON sessions (user_id, last_seen_at);
