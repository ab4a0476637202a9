-- Under which token (its SHA-256, 64 hex digits) a link was made; null: before this was noted. With the token it ends.
ALTER TABLE links ADD COLUMN made_under TEXT;
