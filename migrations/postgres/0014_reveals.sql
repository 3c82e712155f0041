-- A secret that is shown once, on the page after the request that made it: sealed, for minutes, to one browser session.
-- The same table stands in ../sqlite/0014_reveals.sql; a test compares them.
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
