-- Accounts at servers that people name, and what recurs as one object.

-- Where an account's calendars are, and the name to sign in with; the password is in access_token.
ALTER TABLE connections ADD COLUMN server_url TEXT;
ALTER TABLE connections ADD COLUMN username TEXT;

-- What a busy time is an instance of.
ALTER TABLE busy_times ADD COLUMN series TEXT;
CREATE INDEX busy_times_by_series ON busy_times (calendar_id, series);
