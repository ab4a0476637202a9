//! Putting the sources together.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZero;
use std::path::Path;
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::app_entry::AppEntry;
use super::choices::{BareUrl, Chroma, Output, TlsMode, TransportPolicy};
use super::error::{ConfigError, Warning};
use super::explain::{Row, without_password};
use super::file;
use super::hidden::{self, Hidden};
use super::ice_url::IceUrl;
use super::keys::{KEYS, find};
use super::origin::Origin;
use super::sources::{Setting, Sources};
use super::typed::{Of, choice};
use super::types::{
    AccessConfig, Auth, Config, IceConfig, InstancesConfig, LimitsConfig, LogConfig, MediaConfig, PublicAddress,
    ServerConfig, SessionConfig, StoreConfig, TlsSource, UsualLimits, VideoConfig,
};
use super::value::{Kind, Raw, Value};

impl Config {
    /// Reads all sources and puts them together.
    ///
    /// # Errors
    /// Whatever [`ConfigError`] names: the first mistake found ends the reading.
    pub fn load(sources: &Sources) -> Result<(Self, Vec<Warning>), ConfigError> {
        let contents = match sources.file_to_read() {
            Some(path) => file::read(&path)?,
            None => file::FileContents::default(),
        };
        let (from_env, strangers) = sources.settings_of_env()?;
        let settings = contents
            .keys
            .into_iter()
            .chain(from_env)
            .chain(sources.settings_of_flags()?);
        let values = Values::new(settings, sources.home().as_deref())?;
        let config = values.into_config(sources, contents.apps)?;
        let mut warnings: Vec<Warning> = strangers
            .into_iter()
            .map(|name| Warning {
                text: format!("{name} in the environment configures nothing: no such key"),
            })
            .collect();
        warnings.extend(config.oddities());
        Ok((config, warnings))
    }

    /// Every key with its effective value, where that comes from, and what is allowed; then the app entries.
    #[must_use]
    pub fn explain(&self) -> Vec<Row> {
        self.rows.clone()
    }

    fn oddities(&self) -> Vec<Warning> {
        let mut found = Vec::new();
        let ports = self.media.udp_ports.len();
        // Each viewer takes a port on each address; two addresses and two viewers an instance are usual.
        if ports < self.instances.capacity * 4 {
            found.push(Warning {
                text: format!(
                    "media.udp_ports has {ports} ports, few for {} instances: viewers are refused when they run out",
                    self.instances.capacity
                ),
            });
        }
        if self.ice.secrets.is_empty() && self.ice.servers.iter().any(IceUrl::is_relay) {
            found.push(Warning {
                text: "ice.servers names TURN servers, and there is no secret to make credentials with: browsers are \
                       not told of them; set ice.secret_file"
                    .to_owned(),
            });
        }
        if self.ice.relay_only && !self.ice.can_relay() {
            found.push(Warning {
                text: "ice.transport_policy = relay without a TURN server and its secret: no browser can connect"
                    .to_owned(),
            });
        }
        if self.server.auth == Auth::Open && !self.server.listen.ip().is_loopback() {
            found.push(Warning {
                text: format!(
                    "server.auth = open on {}: everyone who reaches this address can start programs",
                    self.server.listen
                ),
            });
        }
        if self
            .server
            .trusted_proxies
            .iter()
            .any(super::AddressRange::is_everything)
        {
            found.push(Warning {
                text: "server.trusted_proxies names every address: everyone may say that they are somebody else"
                    .to_owned(),
            });
        }
        if self.instances.per_session > self.instances.capacity
            && self
                .rows
                .iter()
                .any(|row| row.key == "instances.per_session" && row.source != Origin::Default.to_string())
        {
            found.push(Warning {
                text: format!(
                    "instances.per_session = {} is more than instances.capacity = {}",
                    self.instances.per_session, self.instances.capacity
                ),
            });
        }
        found
    }
}

/// The value of every key of the table, and where it comes from.
struct Values(BTreeMap<&'static str, (Value, Origin)>);

impl Values {
    /// Later settings override earlier ones. One that is wrong is an error even when another overrides it.
    fn new(settings: impl Iterator<Item = Setting>, home: Option<&Path>) -> Result<Self, ConfigError> {
        let defaults = KEYS
            .iter()
            .map(|key| (key.name, Raw::Text(key.default.to_owned()), Origin::Default))
            .collect::<Vec<_>>();
        let mut values = BTreeMap::new();
        for (name, raw, origin) in defaults.into_iter().chain(settings) {
            let Some(key) = find(name) else { continue };
            let expanded = key.kind.at_home(&raw, home);
            let value = expanded
                .as_ref()
                .and_then(|raw| key.kind.parse(raw))
                .ok_or_else(|| ConfigError::BadValue {
                    key: name.to_owned(),
                    value: without_password(&key.kind.shown(&raw)),
                    origin: origin.clone(),
                    allowed: key.kind.allowed(),
                })?;
            values.insert(name, (value, origin));
        }
        Ok(Self(values))
    }

    fn value(&self, name: &str) -> &Value {
        &self
            .0
            .get(name)
            .expect("every key that is asked for stands in the table, which a test of the defaults shows")
            .0
    }

    fn origin(&self, name: &str) -> Origin {
        self.0.get(name).map_or(Origin::Default, |(_, origin)| origin.clone())
    }

    fn number<N: TryFrom<u64>>(&self, name: &str) -> N {
        match self.value(name) {
            Value::Number(number) => N::try_from(*number).ok(),
            Value::Cores(Some(number)) => N::try_from(*number).ok(),
            Value::Cores(None) => N::try_from(cores()).ok(),
            _ => None,
        }
        .expect("the table's limits of a number fit its type, which a test of the limits shows")
    }

    fn at_least_one(&self, name: &str) -> NonZero<u32> {
        NonZero::new(self.number(name)).expect("no number of the section `limits` may be 0, the table says so")
    }

    fn get<T: Of>(&self, name: &str) -> T {
        T::of(self.value(name))
            .expect("every key is of the kind that it is asked as, which a test of the defaults shows")
    }

    fn span_or_never(&self, name: &str) -> Option<Duration> {
        Some(self.get::<Duration>(name)).filter(|span| !span.is_zero())
    }

    fn text(&self, name: &str) -> String {
        self.value(name).to_string()
    }

    fn choice<T: DeserializeOwned>(&self, name: &str) -> T {
        choice(&self.text(name)).expect("the table allows the words of a choice only, which a test of each shows")
    }

    fn server(&self, sources: &Sources) -> Result<ServerConfig, ConfigError> {
        let listen: SocketAddr = self.get("server.listen");
        let insecure_http: bool = self.get("server.insecure_http");
        let tls = self.tls(&sources.folder)?;
        if !listen.ip().is_loopback() && !insecure_http && tls == TlsSource::Off {
            return Err(ConfigError::Exposed {
                listen,
                origin: self.origin("server.listen"),
            });
        }
        let state = match self.text("server.state") {
            text if text.is_empty() => sources.usual_state_folder().ok_or(ConfigError::NoStateFolder)?,
            text => sources.folder.join(text),
        };
        Ok(ServerConfig {
            listen,
            auth: self.choice("server.auth"),
            insecure_http,
            tls,
            hsts: self.choice("server.hsts"),
            trusted_proxies: self.get("server.trusted_proxies"),
            proxy_headers: self.choice("server.proxy_headers"),
            state,
            region: self.text("server.region"),
            hosts: self.get("server.hosts"),
            embedders: self.get("server.embedders"),
        })
    }

    /// What encrypts the pages; paths relate to `folder`.
    fn tls(&self, folder: &Path) -> Result<TlsSource, ConfigError> {
        const FILES: [&str; 2] = ["server.tls_certificate", "server.tls_key"];
        match self.choice("server.tls") {
            TlsMode::Off => return Ok(TlsSource::Off),
            TlsMode::SelfSigned => return Ok(TlsSource::SelfSigned),
            TlsMode::Auto => {}
        }
        let given = FILES.map(|name| Some(self.text(name)).filter(|path| !path.is_empty()));
        match given {
            [None, None] => Ok(TlsSource::Off),
            [Some(certificate), Some(key)] => Ok(TlsSource::Files {
                certificate: folder.join(certificate),
                key: folder.join(key),
            }),
            [certificate, _] => {
                // One of the two is of no use.
                let (has, lacks) = if certificate.is_some() { (0, 1) } else { (1, 0) };
                Err(ConfigError::MissingKey {
                    key: FILES[lacks].to_owned(),
                    origin: self.origin(FILES[has]),
                    allowed: super::value::Kind::File.allowed(),
                })
            }
        }
    }

    fn ice(&self, sources: &Sources) -> Result<IceConfig, ConfigError> {
        let servers: Vec<IceUrl> = self.get("ice.servers");
        let known: Option<Vec<IpAddr>> = self.get("ice.public_address");
        let public_address = known.map_or(PublicAddress::AskStun, PublicAddress::Known);
        if public_address == PublicAddress::AskStun && !servers.iter().any(|url| !url.is_relay()) {
            return Err(ConfigError::NothingToAsk {
                origin: self.origin("ice.public_address"),
            });
        }
        Ok(IceConfig {
            servers,
            secrets: self.secrets(sources, self.get("ice.secrets"))?,
            credentials_life: self.get("ice.credentials_life"),
            relay_only: self.choice::<TransportPolicy>("ice.transport_policy") == TransportPolicy::Relay,
            public_address,
        })
    }

    /// The secrets that are set, else those of the file.
    fn secrets(&self, sources: &Sources, set: Vec<Hidden>) -> Result<Vec<Hidden>, ConfigError> {
        let file = self.text("ice.secret_file");
        if !set.is_empty() || file.is_empty() {
            return Ok(set);
        }
        let path = sources.folder.join(file);
        let text = std::fs::read_to_string(&path).map_err(|source| ConfigError::Unreadable {
            path: path.clone(),
            source,
        })?;
        hidden::in_file(&text).ok_or_else(|| ConfigError::BadValue {
            key: "ice.secret_file".to_owned(),
            value: format!("{} (not shown)", path.display()),
            origin: self.origin("ice.secret_file"),
            allowed: Kind::Secrets.allowed(),
        })
    }

    fn into_config(self, sources: &Sources, apps: Vec<AppEntry>) -> Result<Config, ConfigError> {
        let server = self.server(sources)?;
        let ice = self.ice(sources)?;
        let rows = self.rows(&server.state);
        Ok(Config {
            server,
            access: AccessConfig {
                bare_url_watches: self.choice::<BareUrl>("access.bare_url") == BareUrl::Spectator,
                output_for_everybody: self.choice::<Output>("access.output") == Output::Everybody,
            },
            instances: InstancesConfig {
                capacity: self.number("instances.capacity"),
                capacity_is_default: self.origin("instances.capacity") == Origin::Default,
                per_session: self.number("instances.per_session"),
                idle_timeout: self.span_or_never("instances.idle_timeout"),
                host_absence: self.get("instances.host_absence"),
                readiness_timeout: self.get("instances.readiness_timeout"),
                capture_idle_timeout: self.span_or_never("instances.capture_idle_timeout"),
                lang: self.text("instances.lang"),
            },
            video: VideoConfig {
                width: self.number("video.width"),
                height: self.number("video.height"),
                fps: self.number("video.fps"),
                bitrate_kbps: self.number("video.bitrate_kbps"),
                ladder: self.get("video.ladder"),
                codecs: self.get("video.codecs"),
                full_colours: self.choice::<Chroma>("video.chroma") == Chroma::Full,
                transports: self.get("video.transports"),
            },
            session: SessionConfig {
                resume_grace: self.get("session.resume_grace"),
                lifetime: self.get("session.lifetime"),
            },
            media: MediaConfig {
                udp_ports: self.get("media.udp_ports"),
                bind: self.get("media.bind"),
                disconnected_timeout: self.get("media.disconnected_timeout"),
                failed_timeout: self.get("media.failed_timeout"),
            },
            ice,
            sandbox: self.choice("sandbox.mode"),
            app_limits: UsualLimits {
                memory_mib: self.number("apps.memory_mib"),
                cpu_percent: self.number("apps.cpu_percent"),
                processes: self.number("apps.processes"),
                open_files: self.number("apps.open_files"),
                home_mib: self.number("apps.home_mib"),
                tmp_mib: self.number("apps.tmp_mib"),
            },
            limits: LimitsConfig {
                requests_per_minute: self.at_least_one("limits.requests_per_minute"),
                sessions_per_hour: self.at_least_one("limits.sessions_per_hour"),
                launches_per_hour: self.at_least_one("limits.launches_per_hour"),
                wrong_tokens: self.number("limits.wrong_tokens"),
                sockets_per_address: self.number("limits.sockets_per_address"),
                sockets_per_session: self.number("limits.sockets_per_session"),
                messages_per_second: self.at_least_one("limits.messages_per_second"),
                viewers_per_instance: self.number("limits.viewers_per_instance"),
                peers_per_instance: self.number("limits.peers_per_instance"),
                pending_offers: self.number("limits.pending_offers"),
                candidates_per_peer: self.number("limits.candidates_per_peer"),
            },
            store: StoreConfig {
                url: self.text("store.url"),
                retention: self.span_or_never("store.retention"),
                events: self.number("store.events"),
            },
            log: LogConfig {
                filter: self.text("log.filter"),
            },
            apps_user: self.text("apps.user"),
            apps,
            rows,
        })
    }

    fn rows(&self, state: &Path) -> Vec<Row> {
        KEYS.iter()
            .map(|key| Row {
                key: key.name.to_owned(),
                value: match (key.name, self.value(key.name)) {
                    ("server.state", _) => state.display().to_string(),
                    ("store.url", url) => without_password(&url.to_string()),
                    (_, Value::Cores(None)) => cores().to_string(),
                    (_, value) => value.to_string(),
                },
                source: self.origin(key.name).to_string(),
                allowed: key.kind.allowed(),
            })
            .collect()
    }
}

fn cores() -> u64 {
    std::thread::available_parallelism().map_or(1, NonZero::get) as u64
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "ice_tests.rs"]
mod ice_tests;
