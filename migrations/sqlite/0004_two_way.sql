-- Two-way: what people do to entries of ours in their own calendars.
-- The same tables and columns stand in ../postgres/0004_two_way.sql; a test compares them.

-- What becomes of it: of what is moved, resized or renamed, and of what is deleted or brought back.
ALTER TABLE businesses ADD COLUMN remote_moves TEXT NOT NULL DEFAULT 'follow';
ALTER TABLE businesses ADD COLUMN remote_deletions TEXT NOT NULL DEFAULT 'ask';
-- NULL: as the business has it.
ALTER TABLE connections ADD COLUMN remote_moves TEXT;
ALTER TABLE connections ADD COLUMN remote_deletions TEXT;

-- Title and time of the entry as our last write left it, or as a person did when that was last dealt with.
ALTER TABLE entries ADD COLUMN base TEXT;
-- Whether a write of ours has begun whose end is not known: what stands there may be its doing.
ALTER TABLE entries ADD COLUMN in_doubt INTEGER NOT NULL DEFAULT 0;
-- An entry is found by what a calendar calls it.
CREATE INDEX entries_by_external_id ON entries (calendar_id, external_id);

CREATE TABLE remote_changes (
    id BLOB PRIMARY KEY,
    business_id BLOB NOT NULL REFERENCES businesses (id),
    booking_id BLOB NOT NULL REFERENCES bookings (id),
    entry_id BLOB NOT NULL REFERENCES entries (id),
    connection_id BLOB NOT NULL REFERENCES connections (id),
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    -- Why the booking did not follow.
    refusal TEXT,
    -- What stood in the way, for people.
    detail TEXT NOT NULL,
    -- What the booking would become or became, and what of it was before.
    edit TEXT NOT NULL,
    before TEXT NOT NULL,
    -- Of the booking, after it had followed: as long as it is that, this can be undone.
    booking_version INTEGER,
    seen_at TEXT NOT NULL,
    decided_at TEXT,
    decided_by TEXT
) STRICT;
CREATE INDEX remote_changes_by_booking ON remote_changes (booking_id, seen_at DESC, id DESC);
CREATE INDEX remote_changes_by_business ON remote_changes (business_id, seen_at DESC, id DESC);
CREATE UNIQUE INDEX remote_changes_one_question_an_entry ON remote_changes (entry_id) WHERE state = 'open';
