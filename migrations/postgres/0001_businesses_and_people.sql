-- Businesses, the people who work for them, and how people and programs sign in.
-- The same tables and columns are in ../sqlite/0001_businesses_and_people.sql; a test compares them.

CREATE TABLE businesses (
    id uuid PRIMARY KEY,
    slug text NOT NULL UNIQUE,
    name text NOT NULL,
    zone text NOT NULL,
    -- How much of a booking its entries in connected calendars tell.
    entry_privacy text NOT NULL,
    -- Whether the entry of a cancelled booking stays, marked as cancelled, instead of being removed.
    mark_cancelled boolean NOT NULL,
    -- What is done when somebody moves, resizes or renames an entry in their own calendar, and when they delete it or
    -- bring it back: follow, ask or revert.
    remote_moves text NOT NULL DEFAULT 'follow',
    remote_deletions text NOT NULL DEFAULT 'ask',
    -- Counts the changes that every feed of the business must show, such as its name.
    revision bigint NOT NULL,
    created_at timestamptz NOT NULL
);

CREATE TABLE staff (
    id uuid PRIMARY KEY,
    business_id uuid NOT NULL REFERENCES businesses (id),
    name text NOT NULL,
    email text NOT NULL,
    trade text NOT NULL,
    -- Counts the changes to this person's bookings, for their feeds.
    revision bigint NOT NULL,
    archived_at timestamptz,
    created_at timestamptz NOT NULL
);
CREATE INDEX staff_by_business ON staff (business_id, name, id);

-- The people who sign in.
CREATE TABLE users (
    id uuid PRIMARY KEY,
    business_id uuid NOT NULL REFERENCES businesses (id),
    -- NULL: a user who is not a staff member.
    staff_id uuid REFERENCES staff (id),
    name text NOT NULL,
    email text NOT NULL,
    role text NOT NULL,
    archived_at timestamptz,
    created_at timestamptz NOT NULL,
    UNIQUE (business_id, email)
);

CREATE TABLE sign_in_links (
    token_hash text PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id),
    -- A link that was sent to a person works once; one that the demo prints works until it expires.
    reusable boolean NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);

CREATE TABLE sessions (
    token_hash text PRIMARY KEY,
    business_id uuid NOT NULL REFERENCES businesses (id),
    user_id uuid NOT NULL REFERENCES users (id),
    user_agent text NOT NULL,
    created_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);

CREATE TABLE api_keys (
    id uuid PRIMARY KEY,
    business_id uuid NOT NULL REFERENCES businesses (id),
    name text NOT NULL,
    token_hash text NOT NULL UNIQUE,
    -- The first characters of the token, by which a person recognises it.
    prefix text NOT NULL,
    created_at timestamptz NOT NULL,
    last_used_at timestamptz,
    revoked_at timestamptz
);

-- A secret that is shown once, on the page after the request that made it: sealed, for minutes,
-- to one browser session.
CREATE TABLE reveals (
    id uuid PRIMARY KEY,
    business_id uuid NOT NULL REFERENCES businesses (id),
    session_hash text NOT NULL,
    -- The page that shows it.
    page text NOT NULL,
    sealed text NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX reveals_by_expiry ON reveals (expires_at);

CREATE TABLE idempotency_keys (
    business_id uuid NOT NULL REFERENCES businesses (id),
    key text NOT NULL,
    -- A digest of method, path and body: the same key with another request is the caller's mistake.
    request_hash text NOT NULL,
    -- What the request was done to, as in the history.
    subject_kind text,
    subject_id uuid,
    -- The answer; NULL until the first request has been answered.
    status bigint,
    response text,
    created_at timestamptz NOT NULL,
    -- Extended again and again by the process that is working on the request; once it has passed, the request
    -- may be taken over.
    lease_until timestamptz,
    -- Set by the transaction that does the request, not by one that comes after it, so that both
    -- commit or neither does.
    done_at timestamptz,
    PRIMARY KEY (business_id, key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);
