DROP TABLE events;
DROP TABLE links;
DROP TABLE peers;
DROP TABLE instances;
DROP TABLE sessions;
DROP TABLE servers;
