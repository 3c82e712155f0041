-- Businesses, the people who work for them, and how people and programs sign in.
-- The same tables and columns are in ../postgres/0001_businesses_and_people.sql; a test compares them.

CREATE TABLE businesses (
    id BLOB PRIMARY KEY,
    slug TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    zone TEXT NOT NULL,
    -- How much of a booking its entries in connected calendars tell.
    entry_privacy TEXT NOT NULL,
    -- Whether the entry of a cancelled booking stays, marked as cancelled, instead of being removed.
    mark_cancelled INTEGER NOT NULL,
    -- What is done when somebody moves, resizes or renames an entry in their own calendar, and when they delete it or
    -- bring it back: follow, ask or revert.
    remote_moves TEXT NOT NULL DEFAULT 'follow',
    remote_deletions TEXT NOT NULL DEFAULT 'ask',
    -- Counts the changes that every feed of the business must show, such as its name.
    revision INTEGER NOT NULL,
    created_at TEXT NOT NULL
) STRICT;

CREATE TABLE staff (
    id BLOB PRIMARY KEY,
    business_id BLOB NOT NULL REFERENCES businesses (id),
    name TEXT NOT NULL,
    email TEXT NOT NULL,
    trade TEXT NOT NULL,
    -- Counts the changes to this person's bookings, for their feeds.
    revision INTEGER NOT NULL,
    archived_at TEXT,
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX staff_by_business ON staff (business_id, name, id);

-- The people who sign in.
CREATE TABLE users (
    id BLOB PRIMARY KEY,
    business_id BLOB NOT NULL REFERENCES businesses (id),
    -- NULL: a user who is not a staff member.
    staff_id BLOB REFERENCES staff (id),
    name TEXT NOT NULL,
    email TEXT NOT NULL,
    role TEXT NOT NULL,
    archived_at TEXT,
    created_at TEXT NOT NULL,
    UNIQUE (business_id, email)
) STRICT;

CREATE TABLE sign_in_links (
    token_hash TEXT PRIMARY KEY,
    user_id BLOB NOT NULL REFERENCES users (id),
    -- A link that was sent to a person works once; one that the demo prints works until it expires.
    reusable INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    used_at TEXT
) STRICT;

CREATE TABLE sessions (
    token_hash TEXT PRIMARY KEY,
    business_id BLOB NOT NULL REFERENCES businesses (id),
    user_id BLOB NOT NULL REFERENCES users (id),
    user_agent TEXT NOT NULL,
    created_at TEXT NOT NULL,
    last_seen_at TEXT NOT NULL,
    expires_at TEXT NOT NULL
) STRICT;

CREATE TABLE api_keys (
    id BLOB PRIMARY KEY,
    business_id BLOB NOT NULL REFERENCES businesses (id),
    name TEXT NOT NULL,
    token_hash TEXT NOT NULL UNIQUE,
    -- The first characters of the token, by which a person recognises it.
    prefix TEXT NOT NULL,
    created_at TEXT NOT NULL,
    last_used_at TEXT,
    revoked_at TEXT
) STRICT;

-- A secret that is shown once, on the page after the request that made it: sealed, for minutes,
-- to one browser session.
CREATE TABLE reveals (
    id BLOB PRIMARY KEY,
    business_id BLOB NOT NULL REFERENCES businesses (id),
    session_hash TEXT NOT NULL,
    -- The page that shows it.
    page TEXT NOT NULL,
    sealed TEXT NOT NULL,
    expires_at TEXT NOT NULL
) STRICT;
CREATE INDEX reveals_by_expiry ON reveals (expires_at);

CREATE TABLE idempotency_keys (
    business_id BLOB NOT NULL REFERENCES businesses (id),
    key TEXT NOT NULL,
    -- A digest of method, path and body: the same key with another request is the caller's mistake.
    request_hash TEXT NOT NULL,
    -- What the request was done to, as in the history.
    subject_kind TEXT,
    subject_id BLOB,
    -- The answer; NULL until the first request has been answered.
    status INTEGER,
    response TEXT,
    created_at TEXT NOT NULL,
    -- Extended again and again by the process that is working on the request; once it has passed, the request
    -- may be taken over.
    lease_until TEXT,
    -- Set by the transaction that does the request, not by one that comes after it, so that both
    -- commit or neither does.
    done_at TEXT,
    PRIMARY KEY (business_id, key)
) STRICT;
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);
