ALTER TABLE links DROP COLUMN made_under;
