-- Invitations: who comes to a booking, what they were sent of it, and what a business chooses about that.
-- The same tables and columns are in ../sqlite/0008_invitations.sql; a test compares them.

-- A business that was there before it could invite customers does not begin to without being asked.
ALTER TABLE businesses ADD COLUMN invitations text NOT NULL DEFAULT 'off';
ALTER TABLE businesses ADD COLUMN invitation_delay_minutes bigint NOT NULL DEFAULT 1;
-- What mails to customers come from; empty: the name of the business, and the address of the installation.
ALTER TABLE businesses ADD COLUMN sender_name text NOT NULL DEFAULT '';
ALTER TABLE businesses ADD COLUMN sender_address text NOT NULL DEFAULT '';
-- Where people's answers go; empty: to the sender.
ALTER TABLE businesses ADD COLUMN reply_address text NOT NULL DEFAULT '';
ALTER TABLE businesses ADD COLUMN customer_language text NOT NULL DEFAULT 'en';

-- NULL: that of the business.
ALTER TABLE bookings ADD COLUMN customer_language text;
-- Where the people meet by video; empty: nowhere.
ALTER TABLE bookings ADD COLUMN meeting_url text NOT NULL DEFAULT '';
-- Who is invited besides the customer: a list of names and addresses.
ALTER TABLE bookings ADD COLUMN guests jsonb NOT NULL DEFAULT '[]';

-- Who comes to a booking, as far as they are written to: the customer and the guests.
CREATE TABLE attendees (
    id uuid PRIMARY KEY,
    business_id uuid NOT NULL REFERENCES businesses (id),
    booking_id uuid NOT NULL REFERENCES bookings (id),
    role text NOT NULL,
    name text NOT NULL,
    address text NOT NULL,
    -- By what two spellings of an address are known as one.
    address_key text NOT NULL,
    -- Where their calendar sends its answer: the sender of the first invitation, whatever the business's becomes, since
    -- calendars take updates from that one alone. NULL: not invited yet.
    organizer_address text,
    -- What the last message that reached them says. NULL: none has.
    sent jsonb,
    -- Whether somebody wants them to be sent the invitation again.
    asked boolean NOT NULL DEFAULT false,
    -- Why they are sent nothing, as people are told; NULL: nothing is in the way.
    problem text,
    -- NULL while they come.
    removed_at timestamptz,
    created_at timestamptz NOT NULL,
    UNIQUE (booking_id, address_key)
);

-- From whom a mail is; NULL: from the installation.
ALTER TABLE mails ADD COLUMN from_name text;
ALTER TABLE mails ADD COLUMN from_address text;
ALTER TABLE mails ADD COLUMN reply_to text;
-- Of an invitation: whom it invites, what it says, and the calendar that it carries. NULL: it is none.
ALTER TABLE mails ADD COLUMN attendee_id uuid REFERENCES attendees (id);
ALTER TABLE mails ADD COLUMN invitation jsonb;
ALTER TABLE mails ADD COLUMN calendar text;
-- After this it is of no use to anybody, and is not sent. NULL: it always is.
ALTER TABLE mails ADD COLUMN useful_until timestamptz;
CREATE INDEX mails_by_attendee ON mails (attendee_id, created_at, id) WHERE attendee_id IS NOT NULL;
