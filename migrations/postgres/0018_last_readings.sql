-- Which reading of the connection was the last that read the calendar to its end. What was written since then, and is gone
-- again before the next one, is in neither, so that no comparison of the two tells of it.
-- The same tables and columns stand in ../sqlite/0018_last_readings.sql; a test compares them.
ALTER TABLE calendars ADD COLUMN last_reading bigint NOT NULL DEFAULT 0;
-- Until now it was not written down. It was no later than the last of its connection.
UPDATE calendars SET last_reading = (SELECT c.readings FROM connections c WHERE c.id = calendars.connection_id);
-- What was stored of a calendar's entries since a reading.
CREATE INDEX entries_by_reading ON entries (calendar_id, reading);
