DROP TABLE admissions;
DROP TABLE grants;
ALTER TABLE links DROP COLUMN revoked;
ALTER TABLE links DROP COLUMN used;
ALTER TABLE links DROP COLUMN uses;
ALTER TABLE sessions DROP COLUMN token_hash;
