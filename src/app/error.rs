//! Why the host did not start.

use crate::app::encoders::ProbeError;
use crate::config::ConfigError;
use crate::folders::StateDirError;
use crate::folders::owner::OwnerError;
use crate::http::ServerError;
use crate::session::SessionError;
use crate::store::StoreError;
use crate::tls::TlsError;

/// Why the host did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The state folder cannot be used.
    #[error(transparent)]
    State(#[from] StateDirError),
    /// Apps cannot run as the configured user.
    #[error(transparent)]
    Owner(#[from] OwnerError),
    /// The folder of apps' homes cannot be used.
    #[error("the folder for the apps' homes cannot be used")]
    AppsFolder(#[source] std::io::Error),
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The pages cannot be served.
    #[error(transparent)]
    Http(#[from] ServerError),
    /// There is no certificate to encrypt the pages with.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The token can be neither read nor written.
    #[error("the access token cannot be kept")]
    Token(#[source] std::io::Error),
    /// No ticket can be made.
    #[error(transparent)]
    Ticket(#[from] SessionError),
    /// This program does not find itself.
    #[error("the path of this program is not known")]
    Program(#[source] std::io::Error),
    /// No threads.
    #[error("threads cannot be started")]
    Threads(#[source] std::io::Error),
    /// The encoders could not be tried.
    #[error(transparent)]
    Encoders(ProbeError),
    /// Sandboxes are needed, and there are none.
    #[error(
        "no sandbox can be made on this machine: {0}; `sandbox.mode` = require needs them, and so does a host that is root, \
         unless `sandbox.mode` = off says in so many words that programs run without"
    )]
    NoSandbox(String),
    /// There is nothing to encode with.
    #[error("no video encoder works on this machine; `heliostat doctor` says more")]
    NoEncoder,
}

impl StartError {
    /// The stable word.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Config(error) => error.code(),
            Self::State(error) => error.code(),
            Self::Owner(error) => error.code(),
            Self::AppsFolder(_) => "apps_folder",
            Self::Store(error) => error.code(),
            Self::Http(error) => error.code(),
            Self::Tls(error) => error.code(),
            Self::Token(_) => "token",
            Self::Ticket(error) => error.code(),
            Self::Program(_) => "program",
            Self::Threads(_) => "threads",
            Self::Encoders(_) => "encoders",
            Self::NoSandbox(_) => "no_sandbox",
            Self::NoEncoder => "no_encoder",
        }
    }
}

/// An error with everything that caused it, on one line.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.ends_with(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}
