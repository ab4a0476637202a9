//! The log: lines on standard error.

/// Libraries that tell each packet they cannot place, or each thread they start. Named in a filter they speak again.
///
/// The driver tells as an error what it cannot send to a candidate, and candidates are what browsers say.
const QUIET: &str = "actix_server=warn,rtc=error,rtc_ice=error,rtc_sctp=error,rtc_dtls=error,rtc_mdns=error,\
    webrtc=error,webrtc::peer_connection::driver=off,quinn_udp=warn";

/// Starts the log with the configured filter; `RUST_LOG` wins, as everywhere in Rust.
pub fn init(filter: &str) {
    let env = env_logger::Env::default().default_filter_or(format!("{QUIET},{filter}"));
    // Fails only if it was started before.
    let _ = env_logger::Builder::from_env(env).format_timestamp_millis().try_init();
}
