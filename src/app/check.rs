//! `heliostat serve --check`: whether the host would start, asked before it takes over from one that runs.
//!
//! Everything that `serve` would refuse is refused here, while somebody else goes on serving: nothing is taken that a running
//! host has, and nothing is changed that it would miss.

use std::path::PathBuf;

use super::error::StartError;
use super::handover::{self, Check, Handed};
use super::{encoders, pages, token};
use crate::config::{Config, ServerConfig, Sources, TlsSource};
use crate::folders::{AppOwner, AppsDir, StateDir};
use crate::http::{ServerError, bind};
use crate::store::{Store, identity};

/// Says that the host would start, as JSON.
///
/// # Errors
/// Why it would not: what `serve` would say.
pub fn check(sources: &Sources) -> Result<String, StartError> {
    let (config, _) = Config::load(sources)?;
    address(&config.server)?;
    let state = folders(&config)?;
    let program = std::env::current_exe().map_err(StartError::Program)?;
    let system = actix_rt::System::new();
    let codecs = encoders::codecs(&config.video);
    let trial = encoders::Trial::new(program, codecs.clone());
    let probed = system.block_on(trial.run()).map_err(StartError::Encoders)?;
    if encoders::working(&probed, &codecs).is_empty() {
        return Err(StartError::NoEncoder);
    }
    Ok(serde_json::to_string(&Check::own(state)).expect("texts and two numbers are JSON"))
}

/// The address is free, or comes from the host that asks.
fn address(server: &ServerConfig) -> Result<(), ServerError> {
    let handed = handover::inherited(server.listen);
    match (handed, bind(server.listen)) {
        (Handed::Listener(_), _) | (_, Ok(_)) => Ok(()),
        // By hand, beside a host that runs: it may well be that host's own.
        (Handed::Nothing, Err(ServerError::InUse(_))) if runs(server) => Ok(()),
        (_, Err(error)) => Err(error),
    }
}

/// Whether a host runs on this state folder.
fn runs(server: &ServerConfig) -> bool {
    StateDir::user_of(&server.state).ok().flatten().is_some()
}

/// Everything that lies on the disk, and what guards it. Gives the state folder, if there is one.
fn folders(config: &Config) -> Result<Option<PathBuf>, StartError> {
    let state = StateDir::look(&config.server.state)?;
    let owner = AppOwner::resolve(&config.apps_user)?;
    if let Some(state) = &state {
        let apps = AppsDir::open(state, owner.clone()).map_err(StartError::AppsFolder)?;
        apps.instances().map_err(StartError::AppsFolder)?;
        Store::check(&config.store.url, state)?;
        identity::look(state)?;
        token::look(state).map_err(StartError::Token)?;
    }
    if config.sandbox.is_needed(owner.is_some()) {
        crate::sandbox::probe(owner.as_ref()).map_err(StartError::NoSandbox)?;
    }
    // The running host has a certificate of its own, if it needs one; files may have become bad.
    if let TlsSource::Files { .. } = config.server.tls {
        pages::certificate(&config.server, &config.server.state)?;
    }
    Ok(state)
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
