-- Customers' own pages: what they may do there, the addresses of the pages, and what they answered.
-- The same tables and columns are in ../sqlite/0011_customer_pages.sql; a test compares them.

-- Until how many hours before its start a customer may move a booking, and cancel it. NULL: they ask.
ALTER TABLE businesses ADD COLUMN move_notice_hours bigint;
ALTER TABLE businesses ADD COLUMN cancel_notice_hours bigint;
-- Whether declining an invitation cancels the booking.
ALTER TABLE businesses ADD COLUMN decline_cancels boolean NOT NULL DEFAULT false;

-- The token in the address of the attendee's page. NULL: there is none yet, or it was revoked.
ALTER TABLE attendees ADD COLUMN token_hash text;
ALTER TABLE attendees ADD COLUMN token_sealed text;
-- NULL: not answered.
ALTER TABLE attendees ADD COLUMN answer text;
ALTER TABLE attendees ADD COLUMN answered_at timestamptz;
CREATE UNIQUE INDEX attendees_by_token ON attendees (token_hash);
CREATE INDEX attendees_by_address ON attendees (business_id, address_key);

-- Links to all bookings of one address, each mailed to it.
CREATE TABLE portal_links (
    token_hash text PRIMARY KEY,
    business_id uuid NOT NULL REFERENCES businesses (id),
    address_key text NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX portal_links_by_address ON portal_links (business_id, address_key, created_at);
