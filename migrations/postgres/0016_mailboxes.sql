-- The mailbox that customers' calendars answer to, as far as it was read.
-- The same table and columns are in ../sqlite/0016_mailboxes.sql; a test compares them.

CREATE TABLE mailboxes (
    -- Whose it is and where, without the password.
    address text PRIMARY KEY,
    -- With another one, the numbers of its mails mean other mails; NULL: it was never read.
    uid_validity bigint,
    -- The last mail that was read.
    last_uid bigint,
    -- The mail at which reading last failed, and how often it has; NULL: none.
    tried_uid bigint,
    tries bigint NOT NULL,
    -- When it was last looked at without an error.
    read_at timestamptz,
    -- Since when it cannot be read; NULL: it can.
    failing_since timestamptz,
    -- Why, for people.
    last_error text
);
