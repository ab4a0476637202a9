DROP INDEX peers_closed;
DROP INDEX events_class;
ALTER TABLE events DROP COLUMN class;
