-- Reminders: the rules of a business, and the reminder of each booking by each rule.
-- The same tables and columns are in ../sqlite/0012_reminders.sql; a test compares them.

-- The hours in which nobody is reminded, in minutes after midnight. NULL: there are none.
ALTER TABLE businesses ADD COLUMN quiet_from bigint;
ALTER TABLE businesses ADD COLUMN quiet_until bigint;

-- Whether they want no reminders.
ALTER TABLE attendees ADD COLUMN reminders_off boolean NOT NULL DEFAULT false;

CREATE TABLE reminder_rules (
    id uuid PRIMARY KEY,
    business_id uuid NOT NULL REFERENCES businesses (id),
    channel text NOT NULL,
    -- NULL: of all kinds.
    kind text,
    minutes_before bigint NOT NULL,
    created_at timestamptz NOT NULL,
    -- NULL while it is in force: what was sent by it names it.
    removed_at timestamptz
);
CREATE INDEX reminder_rules_in_force ON reminder_rules (business_id, id) WHERE removed_at IS NULL;

CREATE TABLE reminders (
    id uuid PRIMARY KEY,
    business_id uuid NOT NULL REFERENCES businesses (id),
    booking_id uuid NOT NULL REFERENCES bookings (id),
    rule_id uuid NOT NULL REFERENCES reminder_rules (id),
    -- The start of the booking that it is for.
    starts_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    -- What was due by then is not sent.
    planned_at timestamptz NOT NULL,
    state text NOT NULL,
    -- Why it is not sent. NULL: it is.
    skip_reason text,
    -- Why its mail failed, as people are told.
    error text,
    changed_at timestamptz NOT NULL,
    UNIQUE (booking_id, rule_id, starts_at)
);
CREATE INDEX reminders_planned ON reminders (business_id, due_at, id) WHERE state = 'planned';
CREATE INDEX reminders_settled ON reminders (business_id, changed_at, id) WHERE state <> 'planned';
CREATE INDEX reminders_by_start ON reminders (starts_at);

-- Of the mail of a reminder: which it is, and where its reader turns reminders off by one click.
ALTER TABLE mails ADD COLUMN reminder_id uuid REFERENCES reminders (id) ON DELETE SET NULL;
ALTER TABLE mails ADD COLUMN unsubscribe_url text;
CREATE INDEX mails_by_reminder ON mails (reminder_id) WHERE reminder_id IS NOT NULL;
