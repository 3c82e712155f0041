-- What is not over of one kind is looked for every few minutes, of all businesses.
-- The same index is in ../postgres/0019_unclosed_alerts.sql; a test compares them.

CREATE INDEX alerts_unclosed_kind ON alerts (kind, id) WHERE closed_at IS NULL;
