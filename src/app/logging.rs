//! The log: lines on standard error.

/// Starts the log with the configured filter; `RUST_LOG` wins, as everywhere in Rust.
pub fn init(filter: &str) {
    let env = env_logger::Env::default().default_filter_or(filter.to_owned());
    // Fails only if it was started before.
    let _ = env_logger::Builder::from_env(env).format_timestamp_millis().try_init();
}
