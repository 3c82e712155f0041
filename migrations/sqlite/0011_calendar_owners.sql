-- Whose calendar it is, by which it is known again under another id. NULL: not listed since this column came.
ALTER TABLE calendars ADD COLUMN owner TEXT;
