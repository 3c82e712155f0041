-- Accounts at servers that people name, and what recurs as one object.

-- Where an account's calendars are, and the name to sign in with; the password is in access_token.
ALTER TABLE connections ADD COLUMN server_url text;
ALTER TABLE connections ADD COLUMN username text;

-- What a busy time is an instance of.
ALTER TABLE outside_events ADD COLUMN series text;
CREATE INDEX outside_events_by_series ON outside_events (calendar_id, series);
