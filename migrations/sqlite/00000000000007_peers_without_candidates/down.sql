ALTER TABLE peers ADD COLUMN candidate_type TEXT;
