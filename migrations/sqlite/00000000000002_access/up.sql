-- Which token was shown when a session was opened (SHA-256 in hex); empty: none. A session of another token than the
-- host's of today is a guest's. NULL: opened before this was noted, by the token of then.
ALTER TABLE sessions ADD COLUMN token_hash TEXT;

-- How often a link may be used by another session; NULL: as often as one likes.
ALTER TABLE links ADD COLUMN uses INTEGER;
ALTER TABLE links ADD COLUMN used INTEGER NOT NULL DEFAULT 0;
-- When it was revoked; its grants went with that.
ALTER TABLE links ADD COLUMN revoked BIGINT;

-- Which session came by which link. Role, instance and end are the link's. Sessions are forgotten apart from this.
CREATE TABLE grants (
    link_id TEXT NOT NULL REFERENCES links (link_id) ON DELETE CASCADE,
    session_id TEXT NOT NULL,
    created BIGINT NOT NULL,
    PRIMARY KEY (link_id, session_id)
);

-- Browsers that have shown the token: SHA-256 of their cookie, and of the token that it is good with.
CREATE TABLE admissions (
    cookie_hash TEXT NOT NULL PRIMARY KEY,
    token_hash TEXT NOT NULL,
    created BIGINT NOT NULL
);
