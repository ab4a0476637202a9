-- What an event is about: `audit` (what was done by who may), `entry` (who came by a link), `supervision` (restarts and
-- faults), `visits` (who came, went, and steered). Each class has a share of its own in how many are kept.
ALTER TABLE events ADD COLUMN class TEXT NOT NULL DEFAULT 'supervision';
UPDATE events SET class = 'visits' WHERE kind IN ('viewer_joined', 'viewer_left', 'control_changed');
UPDATE events SET class = 'entry' WHERE kind = 'link_used';
UPDATE events SET class = 'audit' WHERE kind IN (
    'instance_created', 'instance_launched', 'instance_adopted', 'instance_failed', 'instance_restarted',
    'instance_ending', 'instance_terminated', 'link_made', 'link_revoked', 'link_expired', 'restart_asked'
);
CREATE INDEX events_class ON events (class, event_id);

-- Of connections that have ended, so many stay of each role at each instance.
CREATE INDEX peers_closed ON peers (instance_id, role, closed_at);
