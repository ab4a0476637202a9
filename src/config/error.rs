//! What can be wrong with a configuration.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::origin::Origin;

/// A configuration that cannot be used. Nothing is started with one.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A configuration file cannot be read.
    #[error("cannot read the configuration file {path}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A configuration file is not TOML.
    #[error("{path}:{line}: {message}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What the parser says.
        message: String,
    },
    /// The public address is to be asked for, and nobody is named who could be asked.
    #[error("`ice.public_address` = stun ({origin}) needs a `stun:` server in `ice.servers`")]
    NothingToAsk {
        /// Where it was written.
        origin: Origin,
    },
    /// A key that does not exist.
    #[error("unknown key `{key}` ({origin}){}; {}", hint(.suggestion), known(.existing))]
    UnknownKey {
        /// The key as it was written.
        key: String,
        /// Where it was written.
        origin: Origin,
        /// The nearest key that exists.
        suggestion: Option<String>,
        /// The keys that exist there, where they are few.
        existing: Vec<&'static str>,
    },
    /// A value that its key does not allow.
    #[error("`{key}` = {value} is not allowed ({origin}); allowed: {allowed}")]
    BadValue {
        /// The key.
        key: String,
        /// The value as it was written.
        value: String,
        /// Where it was written.
        origin: Origin,
        /// What the key allows.
        allowed: String,
    },
    /// An app entry, or a section, without a key that it needs beside the others.
    #[error("`{key}` is missing ({origin}); allowed: {allowed}")]
    MissingKey {
        /// The key.
        key: String,
        /// The entry.
        origin: Origin,
        /// What the key allows.
        allowed: String,
    },
    /// Two app entries of the same id.
    #[error("two app entries have the id `{id}`: the second stands at {origin}; every id must be unique")]
    DuplicateApp {
        /// The id.
        id: String,
        /// Where the second stands.
        origin: Origin,
    },
    /// A listen address that the network can reach, without TLS and without the consent to that.
    #[error(
        "`server.listen` = {listen} ({origin}) can be reached from the network, and the pages would be served without \
         encryption; allowed: a loopback address such as 127.0.0.1:8080, or any address together with --tls self-signed, \
         --tls-certificate and --tls-key, or --insecure-http"
    )]
    Exposed {
        /// The address.
        listen: SocketAddr,
        /// Where it was given.
        origin: Origin,
    },
    /// There is no place for the state folder.
    #[error("no state folder: neither `server.state` nor XDG_STATE_HOME nor HOME is set; give one with --state DIR")]
    NoStateFolder,
}

impl ConfigError {
    /// The stable code of the error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "config_unreadable",
            Self::Syntax { .. } => "config_syntax",
            Self::UnknownKey { .. } => "unknown_key",
            Self::BadValue { .. } => "bad_value",
            Self::MissingKey { .. } => "missing_key",
            Self::DuplicateApp { .. } => "duplicate_app",
            Self::Exposed { .. } => "exposed_without_tls",
            Self::NoStateFolder => "no_state_folder",
            Self::NothingToAsk { .. } => "nothing_to_ask",
        }
    }
}

fn hint(suggestion: &Option<String>) -> String {
    suggestion
        .as_ref()
        .map_or_else(String::new, |key| format!("; did you mean `{key}`?"))
}

fn known(existing: &[&str]) -> String {
    if existing.is_empty() {
        "`heliostat config` lists all keys".to_owned()
    } else {
        format!("the keys there are {}", existing.join(", "))
    }
}

/// Something that is probably a mistake, but does not keep the host from starting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// What was found, and where.
    pub text: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
