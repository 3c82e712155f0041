-- A secret that is shown once, on the page after the request that made it: sealed, for minutes, to one browser session.
-- The same table stands in ../postgres/0014_reveals.sql; a test compares them.
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
