-- Signing in by mail: links that know the browser that asked, mails whose secrets are sealed, sessions that people see.
-- The same tables and columns are in ../postgres/0010_sign_in.sql; a test compares them.

-- A digest of what the cookie of the browser holds that asked for it. NULL: nobody's browser did.
ALTER TABLE sign_in_links ADD COLUMN browser_hash TEXT;

-- Somebody has typed an address: whether anybody has it is looked up by a job, which deletes the row.
CREATE TABLE sign_in_requests (
    id BLOB PRIMARY KEY,
    email TEXT NOT NULL,
    browser_hash TEXT NOT NULL,
    -- In which they are written to.
    language TEXT NOT NULL,
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX users_by_email ON users (email);

-- What a mail says and its text leaves out, such as the tokens of links: sealed, until it is sent.
CREATE TABLE mail_secrets (
    mail_id BLOB PRIMARY KEY REFERENCES mails (id) ON DELETE CASCADE,
    sealed TEXT NOT NULL,
    -- When its links stop working: then there is nothing to be sent any more.
    expires_at TEXT NOT NULL
) STRICT;

-- A session's id names it where the digest of its token must not stand: on a page, in a form.
CREATE TABLE sessions_with_id (
    token_hash TEXT PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    business_id BLOB NOT NULL REFERENCES businesses (id),
    user_id BLOB NOT NULL REFERENCES users (id),
    user_agent TEXT NOT NULL,
    created_at TEXT NOT NULL,
    last_seen_at TEXT NOT NULL,
    expires_at TEXT NOT NULL
) STRICT;
INSERT INTO sessions_with_id (token_hash, id, business_id, user_id, user_agent, created_at, last_seen_at, expires_at)
    SELECT token_hash, randomblob(16), business_id, user_id, user_agent, created_at, last_seen_at, expires_at FROM sessions;
DROP TABLE sessions;
ALTER TABLE sessions_with_id RENAME TO sessions;
CREATE INDEX sessions_by_user ON sessions (user_id, last_seen_at);
