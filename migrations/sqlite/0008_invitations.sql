-- Invitations: who comes to a booking, what they were sent of it, and what a business chooses about that.
-- The same tables and columns are in ../postgres/0008_invitations.sql; a test compares them.

-- A business that was there before it could invite customers does not begin to without being asked.
ALTER TABLE businesses ADD COLUMN invitations TEXT NOT NULL DEFAULT 'off';
ALTER TABLE businesses ADD COLUMN invitation_delay_minutes INTEGER NOT NULL DEFAULT 1;
-- What mails to customers come from; empty: the name of the business, and the address of the installation.
ALTER TABLE businesses ADD COLUMN sender_name TEXT NOT NULL DEFAULT '';
ALTER TABLE businesses ADD COLUMN sender_address TEXT NOT NULL DEFAULT '';
-- Where people's answers go; empty: to the sender.
ALTER TABLE businesses ADD COLUMN reply_address TEXT NOT NULL DEFAULT '';
ALTER TABLE businesses ADD COLUMN customer_language TEXT NOT NULL DEFAULT 'en';

-- NULL: that of the business.
ALTER TABLE bookings ADD COLUMN customer_language TEXT;
-- Where the people meet by video; empty: nowhere.
ALTER TABLE bookings ADD COLUMN meeting_url TEXT NOT NULL DEFAULT '';
-- Who is invited besides the customer: a list of names and addresses.
ALTER TABLE bookings ADD COLUMN guests TEXT NOT NULL DEFAULT '[]';

-- Who comes to a booking, as far as they are written to: the customer and the guests.
CREATE TABLE attendees (
    id BLOB PRIMARY KEY,
    business_id BLOB NOT NULL REFERENCES businesses (id),
    booking_id BLOB NOT NULL REFERENCES bookings (id),
    role TEXT NOT NULL,
    name TEXT NOT NULL,
    address TEXT NOT NULL,
    -- By what two spellings of an address are known as one.
    address_key TEXT NOT NULL,
    -- Where their calendar sends its answer: the sender of the first invitation, whatever the business's becomes, since
    -- calendars take updates from that one alone. NULL: not invited yet.
    organizer_address TEXT,
    -- What the last message that reached them says. NULL: none has.
    sent TEXT,
    -- Whether somebody wants them to be sent the invitation again.
    asked INTEGER NOT NULL DEFAULT 0,
    -- Why they are sent nothing, as people are told; NULL: nothing is in the way.
    problem TEXT,
    -- NULL while they come.
    removed_at TEXT,
    created_at TEXT NOT NULL,
    UNIQUE (booking_id, address_key)
) STRICT;

-- From whom a mail is; NULL: from the installation.
ALTER TABLE mails ADD COLUMN from_name TEXT;
ALTER TABLE mails ADD COLUMN from_address TEXT;
ALTER TABLE mails ADD COLUMN reply_to TEXT;
-- Of an invitation: whom it invites, what it says, and the calendar that it carries. NULL: it is none.
ALTER TABLE mails ADD COLUMN attendee_id BLOB REFERENCES attendees (id);
ALTER TABLE mails ADD COLUMN invitation TEXT;
ALTER TABLE mails ADD COLUMN calendar TEXT;
-- After this it is of no use to anybody, and is not sent. NULL: it always is.
ALTER TABLE mails ADD COLUMN useful_until TEXT;
CREATE INDEX mails_by_attendee ON mails (attendee_id, created_at, id) WHERE attendee_id IS NOT NULL;
