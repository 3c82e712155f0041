-- Whom a notice names, so that it can be told without them later, and by which mail it was sent to whom.
-- The same columns are in ../postgres/0017_named_notices.sql; a test compares them.

-- The headline with the name of whoever it is of. NULL: nobody's, or they were erased.
ALTER TABLE notices ADD COLUMN named_headline TEXT;
CREATE INDEX notices_named ON notices (subject_id) WHERE named_headline IS NOT NULL;

-- The key of the mail (mails.dedupe_key). NULL: from before this was noted.
ALTER TABLE notice_deliveries ADD COLUMN mail_key TEXT;
CREATE INDEX notice_deliveries_by_mail ON notice_deliveries (mail_key);
