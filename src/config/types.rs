//! The configuration as the components take it: one struct each.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::address_range::AddressRange;
use super::app_entry::AppEntry;
use super::explain::Row;
use super::hidden::Hidden;
use super::ice_url::IceUrl;
use super::rung::RungConfig;
use super::transports::Transports;

/// The whole effective configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// The pages and the host itself.
    pub server: ServerConfig,
    /// Who is let in to what.
    pub access: AccessConfig,
    /// How many instances, and for how long.
    pub instances: InstancesConfig,
    /// The picture, where an app or a user does not say.
    pub video: VideoConfig,
    /// The sessions of users.
    pub session: SessionConfig,
    /// The connections to browsers.
    pub media: MediaConfig,
    /// The ways of browsers to the host.
    pub ice: IceConfig,
    /// Whether apps run in sandboxes.
    pub sandbox: SandboxMode,
    /// What an app may take.
    pub app_limits: UsualLimits,
    /// What comes from outside, and how much of it.
    pub limits: LimitsConfig,
    /// The database.
    pub store: StoreConfig,
    /// The log.
    pub log: LogConfig,
    /// The unprivileged user that apps run as when the host is root.
    pub apps_user: String,
    /// The `[[app]]` entries, in their order. The catalogue is these and the built-in ones.
    pub apps: Vec<AppEntry>,
    pub(super) rows: Vec<Row>,
}

/// Whether the first visit needs the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Auth {
    /// It does.
    Token,
    /// Whoever reaches the pages may launch.
    Open,
}

/// The pages and the host itself.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Address and port of the pages.
    pub listen: SocketAddr,
    /// Whether the first visit needs the token.
    pub auth: Auth,
    /// Whether pages without encryption may be reached from the network.
    pub insecure_http: bool,
    /// What encrypts the pages.
    pub tls: TlsSource,
    /// Whether browsers are told to come by https only.
    pub hsts: Hsts,
    /// Who is believed where a request comes from.
    pub trusted_proxies: Vec<AddressRange>,
    /// What those say it by.
    pub proxy_headers: ProxyHeaders,
    /// The state folder, absolute.
    pub state: PathBuf,
    /// The region this machine registers itself with.
    pub region: String,
    /// Further host names under which browsers reach the pages.
    pub hosts: Vec<String>,
    /// Origins whose pages may embed the viewer.
    pub embedders: Vec<String>,
}

/// Who is let in to what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccessConfig {
    /// Whether who knows the address of an instance may watch it.
    pub bare_url_watches: bool,
    /// Whether everybody who watches sees what a failed app wrote.
    pub output_for_everybody: bool,
}

/// What encrypts the pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsSource {
    /// Nothing.
    Off,
    /// A certificate and its key, in PEM; absolute.
    Files {
        /// The certificate, and those that lead to its root.
        certificate: PathBuf,
        /// Its private key.
        key: PathBuf,
    },
    /// A certificate that the host makes itself.
    SelfSigned,
}

/// Whether browsers are told to come by https only (RFC 6797).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hsts {
    /// Where the certificate comes from files.
    Auto,
    /// Whenever they came by https.
    On,
    /// Never.
    Off,
}

/// By which headers a reverse proxy says where a request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProxyHeaders {
    /// `X-Forwarded-For`, `X-Forwarded-Proto` and `X-Forwarded-Host`.
    #[default]
    XForwarded,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

impl ServerConfig {
    /// `https` or `http`: how the pages are reached without a proxy between.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        if self.tls == TlsSource::Off { "http" } else { "https" }
    }
}

/// How many instances, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstancesConfig {
    /// Instances at once.
    pub capacity: usize,
    /// Whether the capacity is the number of cores because nobody set it; a probe of encoders may then raise it.
    pub capacity_is_default: bool,
    /// Instances of one session at once.
    pub per_session: usize,
    /// How long an instance lives without viewers; `None`: for ever.
    pub idle_timeout: Option<Duration>,
    /// How long an instance waits for a host.
    pub host_absence: Duration,
    /// How long an app may take to be ready.
    pub readiness_timeout: Duration,
    /// How long pictures are taken of an instance that nobody watches; `None`: for ever.
    pub capture_idle_timeout: Option<Duration>,
    /// The locale of apps that set none.
    pub lang: String,
}

/// The picture, where an app or a user does not say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoConfig {
    /// Width in pixels.
    pub width: u16,
    /// Height in pixels.
    pub height: u16,
    /// Frames per second at most.
    pub fps: u16,
    /// Bit rate at most, in kbit/s.
    pub bitrate_kbps: u32,
    /// The forms that it can be had in, the best first; at least one.
    pub ladder: Vec<RungConfig>,
    /// The names of the codecs that it is encoded in, the preferred first; at least one.
    pub codecs: Vec<String>,
    /// Whether colours come in full size to those who can, while the picture hardly moves.
    pub full_colours: bool,
    /// The ways to a browser.
    pub transports: Transports,
}

/// The sessions of users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionConfig {
    /// How long a viewer whose socket dropped may come back to its living connection.
    pub resume_grace: Duration,
    /// How long an unused session is remembered.
    pub lifetime: Duration,
}

/// The connections to browsers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaConfig {
    /// The UDP ports.
    pub udp_ports: RangeInclusive<u16>,
    /// The addresses to use; empty: those of the machine.
    pub bind: Vec<IpAddr>,
    /// How long until a silent viewer counts as disconnected.
    pub disconnected_timeout: Duration,
    /// How long until a disconnected viewer counts as gone.
    pub failed_timeout: Duration,
}

/// The ways of browsers to the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IceConfig {
    /// STUN and TURN servers.
    pub servers: Vec<IceUrl>,
    /// The secrets shared with the TURN servers: the first makes credentials, a second is on its way in or out.
    pub secrets: Vec<Hidden>,
    /// How long credentials are good.
    pub credentials_life: Duration,
    /// Whether browsers connect through a relay only.
    pub relay_only: bool,
    /// The public address of a host behind 1:1 NAT.
    pub public_address: PublicAddress,
}

impl IceConfig {
    /// Whether browsers can be told of a relay.
    #[must_use]
    pub fn can_relay(&self) -> bool {
        !self.secrets.is_empty() && self.servers.iter().any(IceUrl::is_relay)
    }
}

/// The public address of a host behind 1:1 NAT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicAddress {
    /// These; none where there is no such NAT.
    Known(Vec<IpAddr>),
    /// The one that a STUN server sees.
    AskStun,
}

/// Sandboxes of apps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SandboxMode {
    /// Where this machine lets them; a host that is root does not start without them.
    Auto,
    /// Always: without them no host starts.
    Require,
    /// Never.
    Off,
}

impl SandboxMode {
    /// Whether a host does not run programs without sandboxes. `root`: it is root, so that programs which can do what the
    /// apps' user can do are one mistake of it away from being root, too.
    #[must_use]
    pub const fn is_needed(self, root: bool) -> bool {
        match self {
            Self::Auto => root,
            Self::Require => true,
            Self::Off => false,
        }
    }
}

/// Limits of an app, unless its entry says otherwise; 0: none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsualLimits {
    /// Memory of all its processes, in MiB.
    pub memory_mib: u64,
    /// Processor time, in percent of a core.
    pub cpu_percent: u64,
    /// Processes and threads.
    pub processes: u64,
    /// Open files of a process.
    pub open_files: u64,
    /// A home, in MiB.
    pub home_mib: u64,
    /// Its temporary folder, in MiB.
    pub tmp_mib: u64,
}

/// The database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreConfig {
    /// `sqlite:PATH`, a path within the state folder, or another URL.
    pub url: String,
    /// How long rows of what has ended are kept; `None`: for ever.
    pub retention: Option<Duration>,
    /// How many events are kept.
    pub events: u32,
}

/// The log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// A filter as `env_logger` reads it.
    pub filter: String,
}

/// How much may come from outside. What is fixed stands beside what it bounds, and all of it in docs/security.md.
#[derive(Debug, Clone, Copy)]
pub struct LimitsConfig {
    /// Requests of one address a minute.
    pub requests_per_minute: NonZeroU32,
    /// New sessions of one address an hour.
    pub sessions_per_hour: NonZeroU32,
    /// Launches and restarts of one session an hour.
    pub launches_per_hour: NonZeroU32,
    /// Wrong tokens of one address before it is locked out.
    pub wrong_tokens: u32,
    /// Sockets of one address at once.
    pub sockets_per_address: usize,
    /// Sockets of one session at once.
    pub sockets_per_session: usize,
    /// Messages of one signalling socket a second.
    pub messages_per_second: NonZeroU32,
    /// Viewers of one instance at once.
    pub viewers_per_instance: usize,
    /// Peer connections of one instance at once.
    pub peers_per_instance: usize,
    /// Offers of one session that no connection has come of yet.
    pub pending_offers: usize,
    /// ICE candidates that a browser may send for one connection.
    pub candidates_per_peer: u32,
}
