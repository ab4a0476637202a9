//! The effective configuration, and where every value of it comes from.
//!
//! Owns: what can be configured ([`keys::KEYS`], one table that drives parsing, `heliostat config` and
//! `docs/configuration.md`), the sources and their order, and the catalogue of apps.
//!
//! ```text
//! defaults in the table  <  heliostat.toml  <  HELIOSTAT_<SECTION>_<KEY>  <  flags of the command line
//!          └────────────────────┴──────── later overrides earlier ────────┴──────────┘
//! ```
//!
//! A wrong key or value, wherever it stands, is a [`ConfigError`] that names the key, the value, its origin and what
//! is allowed; nothing is guessed. The configuration is read once at start and is immutable then; only the app
//! entries are taken again on request, and a mistake anywhere leaves the old ones in place.

pub mod address_range;
pub mod app_entry;
pub mod app_table;
mod bounds;
pub mod catalogue;
mod choices;
pub mod duration;
pub mod error;
pub mod explain;
pub mod file;
pub mod hidden;
pub mod ice_url;
pub mod keys;
pub mod load;
mod locale;
pub mod origin;
pub mod ready;
pub mod rung;
pub mod sources;
mod suggest;
pub mod transports;
mod typed;
pub mod types;
pub mod value;

pub use address_range::AddressRange;
pub use app_entry::{AppEntry, AppLimits, Device, Home, Keyboard, Network, OnHang, Placeholders, RestartPolicy};
pub use error::{ConfigError, Warning};
pub use explain::Row;
pub use hidden::Hidden;
pub use ice_url::{IceScheme, IceTransport, IceUrl};
pub use origin::Origin;
pub use ready::Ready;
pub use rung::RungConfig;
pub use sources::{Flag, Sources};
pub use transports::Transports;
pub use types::{
    AccessConfig, Auth, Config, Hsts, IceConfig, InstancesConfig, LimitsConfig, LogConfig, MediaConfig, ProxyHeaders,
    PublicAddress, SandboxMode, ServerConfig, SessionConfig, StoreConfig, TlsSource, UsualLimits, VideoConfig,
};
