-- Consents that an API key asked for end with it.
-- The same column stands in ../postgres/0015_asked_by_key.sql; a test compares them.

-- NULL: a browser session asked.
ALTER TABLE oauth_states ADD COLUMN api_key_id BLOB REFERENCES api_keys (id);
-- Ended with the session or the key that asked.
CREATE INDEX oauth_states_by_session ON oauth_states (session_hash) WHERE used_at IS NULL;
CREATE INDEX oauth_states_by_key ON oauth_states (api_key_id) WHERE used_at IS NULL;
