-- What stays as it was when it was first said: the host in the UIDs of bookings, who was invited by hand, and when and how a
-- reminder went out.
-- The same tables and columns are in ../postgres/0020_lasting_facts.sql; a test compares them.

-- One row.
CREATE TABLE installation (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    -- The part of a booking's UID behind the @: calendars know a booking by it, whatever our address becomes.
    uid_host TEXT NOT NULL
) STRICT;

-- Whether a person has invited them, whatever the rule of the business is.
ALTER TABLE attendees ADD COLUMN invited_by_hand INTEGER NOT NULL DEFAULT 0;

-- As the rule was when the reminder was settled. NULL: it is not, or was before this was written down.
ALTER TABLE reminders ADD COLUMN channel TEXT;
ALTER TABLE reminders ADD COLUMN minutes_before INTEGER;
