-- Reminders: the rules of a business, and the reminder of each booking by each rule.
-- The same tables and columns are in ../postgres/0012_reminders.sql; a test compares them.

-- The hours in which nobody is reminded, in minutes after midnight. NULL: there are none.
ALTER TABLE businesses ADD COLUMN quiet_from INTEGER;
ALTER TABLE businesses ADD COLUMN quiet_until INTEGER;

-- Whether they want no reminders.
ALTER TABLE attendees ADD COLUMN reminders_off INTEGER NOT NULL DEFAULT 0;

CREATE TABLE reminder_rules (
    id BLOB PRIMARY KEY,
    business_id BLOB NOT NULL REFERENCES businesses (id),
    channel TEXT NOT NULL,
    -- NULL: of all kinds.
    kind TEXT,
    minutes_before INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    -- NULL while it is in force: what was sent by it names it.
    removed_at TEXT
) STRICT;
CREATE INDEX reminder_rules_in_force ON reminder_rules (business_id, id) WHERE removed_at IS NULL;

CREATE TABLE reminders (
    id BLOB PRIMARY KEY,
    business_id BLOB NOT NULL REFERENCES businesses (id),
    booking_id BLOB NOT NULL REFERENCES bookings (id),
    rule_id BLOB NOT NULL REFERENCES reminder_rules (id),
    -- The start of the booking that it is for.
    starts_at TEXT NOT NULL,
    due_at TEXT NOT NULL,
    -- What was due by then is not sent.
    planned_at TEXT NOT NULL,
    state TEXT NOT NULL,
    -- Why it is not sent. NULL: it is.
    skip_reason TEXT,
    -- Why its mail failed, as people are told.
    error TEXT,
    changed_at TEXT NOT NULL,
    UNIQUE (booking_id, rule_id, starts_at)
) STRICT;
CREATE INDEX reminders_planned ON reminders (business_id, due_at, id) WHERE state = 'planned';
CREATE INDEX reminders_settled ON reminders (business_id, changed_at, id) WHERE state <> 'planned';
CREATE INDEX reminders_by_start ON reminders (starts_at);

-- Of the mail of a reminder: which it is, and where its reader turns reminders off by one click.
ALTER TABLE mails ADD COLUMN reminder_id BLOB REFERENCES reminders (id) ON DELETE SET NULL;
ALTER TABLE mails ADD COLUMN unsubscribe_url TEXT;
CREATE INDEX mails_by_reminder ON mails (reminder_id) WHERE reminder_id IS NOT NULL;
