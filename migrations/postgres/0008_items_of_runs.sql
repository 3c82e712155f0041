-- The reading that brought an event, so that an import can be taken back.
ALTER TABLE channel_items ADD COLUMN found_run uuid REFERENCES channel_runs (id);
CREATE INDEX channel_items_found ON channel_items (found_run) WHERE found_run IS NOT NULL;
