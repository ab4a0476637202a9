//! Choices among words that are something else to the program than the words are.

use serde::Deserialize;

/// `server.tls`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum TlsMode {
    /// With a certificate from files, where they are set.
    Auto,
    /// Not at all.
    Off,
    /// With a certificate of the host's own.
    SelfSigned,
}

/// `access.bare_url`: what who knows the address of an instance is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum BareUrl {
    /// A spectator.
    Spectator,
    /// Nothing.
    None,
}

/// `access.output`: who sees what a failed app wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Output {
    /// Who has launched it.
    Owner,
    /// Everybody who watches.
    Everybody,
}

/// `video.chroma`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) enum Chroma {
    /// Colours in half the size, each way.
    #[serde(rename = "420")]
    Halved,
    /// Colours in full size where a browser takes them.
    #[serde(rename = "444")]
    Full,
}

/// `ice.transport_policy`, as `RTCIceTransportPolicy` of the W3C.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum TransportPolicy {
    /// Any path.
    All,
    /// By relays only.
    Relay,
}
