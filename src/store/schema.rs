//! The tables as diesel knows them: the columns of `migrations/`, which a test compares.
#![allow(missing_docs, reason = "the columns are described in the migrations")]

diesel::table! {
    servers (server_id) {
        server_id -> Text,
        region -> Text,
        ip_address -> Text,
        port -> Integer,
        status -> Text,
        available_instances -> Integer,
        num_instances -> Integer,
        ram -> BigInt,
        graphics_card -> Text,
        storage -> BigInt,
        heartbeat_at -> BigInt,
        lease_until -> BigInt,
        url -> Text,
        version -> Text,
        created -> BigInt,
        modified -> BigInt,
    }
}

diesel::table! {
    sessions (session_id) {
        session_id -> Text,
        secret_hash -> Text,
        created -> BigInt,
        modified -> BigInt,
        token_hash -> Nullable<Text>,
    }
}

diesel::table! {
    instances (instance_id) {
        instance_id -> Text,
        session_id -> Text,
        server_id -> Text,
        app -> Text,
        status -> Text,
        created -> BigInt,
        modified -> BigInt,
        width -> Integer,
        height -> Integer,
        fps -> Integer,
        restarts -> Integer,
        ended -> Nullable<BigInt>,
        exit_reason -> Nullable<Text>,
        message -> Nullable<Text>,
        output -> Nullable<Text>,
        revision -> BigInt,
    }
}

diesel::table! {
    peers (peer_id) {
        peer_id -> Text,
        instance_id -> Text,
        session_id -> Text,
        viewer_id -> Text,
        role -> Text,
        transport -> Text,
        connected_at -> BigInt,
        closed_at -> Nullable<BigInt>,
        close_reason -> Nullable<Text>,
    }
}

diesel::table! {
    links (link_id) {
        link_id -> Text,
        instance_id -> Text,
        role -> Text,
        expires_at -> BigInt,
        token_hash -> Text,
        created -> BigInt,
        uses -> Nullable<Integer>,
        used -> Integer,
        revoked -> Nullable<BigInt>,
        made_under -> Nullable<Text>,
    }
}

diesel::table! {
    grants (link_id, session_id) {
        link_id -> Text,
        session_id -> Text,
        created -> BigInt,
    }
}

diesel::table! {
    admissions (cookie_hash) {
        cookie_hash -> Text,
        token_hash -> Text,
        created -> BigInt,
    }
}

diesel::table! {
    events (event_id) {
        event_id -> BigInt,
        at -> BigInt,
        actor -> Text,
        kind -> Text,
        detail -> Text,
        class -> Text,
    }
}

diesel::allow_tables_to_appear_in_same_query!(instances, sessions);
