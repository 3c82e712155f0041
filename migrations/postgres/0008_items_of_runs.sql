-- The reading that brought an event, so that an import can be taken back.
ALTER TABLE channel_items ADD COLUMN found_run uuid REFERENCES channel_runs (id) ON DELETE SET NULL;
CREATE INDEX channel_items_found ON channel_items (found_run) WHERE found_run IS NOT NULL;

-- What its booking was before the event was found gone. NULL: called off already, so that it is not brought back.
ALTER TABLE channel_items ADD COLUMN lost_status text;
