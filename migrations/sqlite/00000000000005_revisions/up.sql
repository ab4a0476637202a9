-- Which change of an instance this row shows: the later of two has the greater number, whatever the clock said of either.
ALTER TABLE instances ADD COLUMN revision BIGINT NOT NULL DEFAULT 0;
-- Links of instances that had ended by a clock that was put back.
DELETE FROM links WHERE instance_id IN (SELECT instance_id FROM instances WHERE status = 'TERMINATED');
-- The number of a place that nobody asked for.
ALTER TABLE instances DROP COLUMN process_id;
