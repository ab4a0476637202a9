-- Identifiers and words are text, times milliseconds since 1970: the same columns work on every database.

CREATE TABLE servers (
    server_id TEXT NOT NULL PRIMARY KEY,
    region TEXT NOT NULL,
    ip_address TEXT NOT NULL,
    port INTEGER NOT NULL,
    status TEXT NOT NULL,
    available_instances INTEGER NOT NULL,
    num_instances INTEGER NOT NULL,
    -- Bytes.
    ram BIGINT NOT NULL,
    graphics_card TEXT NOT NULL,
    -- Bytes free where instances keep their files.
    storage BIGINT NOT NULL,
    heartbeat_at BIGINT NOT NULL,
    lease_until BIGINT NOT NULL,
    url TEXT NOT NULL,
    version TEXT NOT NULL,
    created BIGINT NOT NULL,
    modified BIGINT NOT NULL
);

CREATE TABLE sessions (
    session_id TEXT NOT NULL PRIMARY KEY,
    -- SHA-256 of the secret in hex. The secret itself is nowhere.
    secret_hash TEXT NOT NULL UNIQUE,
    created BIGINT NOT NULL,
    modified BIGINT NOT NULL
);
CREATE INDEX sessions_modified ON sessions (modified);

-- Rows outlive their session, so session_id refers to nothing that must exist.
CREATE TABLE instances (
    instance_id TEXT NOT NULL PRIMARY KEY,
    session_id TEXT NOT NULL,
    process_id INTEGER NOT NULL,
    server_id TEXT NOT NULL REFERENCES servers (server_id),
    app TEXT NOT NULL,
    status TEXT NOT NULL,
    created BIGINT NOT NULL,
    modified BIGINT NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    fps INTEGER NOT NULL,
    restarts INTEGER NOT NULL,
    ended BIGINT,
    exit_reason TEXT,
    message TEXT,
    -- The last lines that the app wrote.
    output TEXT
);
CREATE INDEX instances_session ON instances (session_id);
CREATE INDEX instances_ended ON instances (ended);

CREATE TABLE peers (
    peer_id TEXT NOT NULL PRIMARY KEY,
    instance_id TEXT NOT NULL REFERENCES instances (instance_id) ON DELETE CASCADE,
    session_id TEXT NOT NULL,
    viewer_id TEXT NOT NULL,
    role TEXT NOT NULL,
    transport TEXT NOT NULL,
    candidate_type TEXT,
    connected_at BIGINT NOT NULL,
    closed_at BIGINT,
    close_reason TEXT
);
CREATE INDEX peers_instance ON peers (instance_id);

CREATE TABLE links (
    link_id TEXT NOT NULL PRIMARY KEY,
    instance_id TEXT NOT NULL REFERENCES instances (instance_id) ON DELETE CASCADE,
    role TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    token_hash TEXT NOT NULL UNIQUE,
    created BIGINT NOT NULL
);
CREATE INDEX links_instance ON links (instance_id);

CREATE TABLE events (
    event_id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    kind TEXT NOT NULL,
    detail TEXT NOT NULL
);
CREATE INDEX events_at ON events (at);
