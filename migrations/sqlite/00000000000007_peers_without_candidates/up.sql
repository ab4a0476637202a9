-- Nobody ever wrote it: how a viewer is reached is the page's to say.
ALTER TABLE peers DROP COLUMN candidate_type;
