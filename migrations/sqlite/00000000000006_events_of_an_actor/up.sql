-- The events of one actor and of those below it, the newest first, are looked up by it.
CREATE INDEX events_actor ON events (actor, event_id);
