//! Who is let in: the token of the state folder, those who have shown it, the links, and the address that is printed.

use std::path::PathBuf;
use std::sync::Arc;

use super::error::StartError;
use super::token;
use crate::clock::unix_ms;
use crate::config::{Auth, ServerConfig};
use crate::instance::{Manager, Services};
use crate::protocol::words::{EventClass, Role};
use crate::session::{Admins, Links, Roles, Secret, SessionError};
use crate::source::EndReason;
use crate::store::{Journal, NewEvent};

/// Who is let in. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Entrance {
    /// Those who have shown the token.
    pub admins: Admins,
    /// What somebody is at an instance.
    pub roles: Roles,
    manager: Manager,
    state: PathBuf,
    server: ServerConfig,
    journal: Arc<Journal>,
}

impl Entrance {
    /// That of this host; gives the token with it when it has just been made.
    ///
    /// # Errors
    /// The token or the database cannot be used.
    pub async fn make(services: &Services, manager: &Manager) -> Result<(Self, Option<Secret>), StartError> {
        let (config, state) = (&services.config, services.state.path());
        let token = token::load_or_create(state).map_err(StartError::Token)?;
        let open = config.server.auth == Auth::Open;
        let admins = Admins::load(services.store.clone(), token.hash.clone(), token.former, open).await?;
        let links = Links::load(services.store.clone(), token.hash, unix_ms()).await?;
        let bare = config.access.bare_url_watches.then_some(Role::Spectator);
        let entrance = Self {
            admins,
            roles: Roles::new(links, manager.clone(), bare),
            manager: manager.clone(),
            state: state.to_owned(),
            server: config.server.clone(),
            journal: Arc::clone(&services.journal),
        };
        Ok((entrance, token.fresh))
    }

    /// What signs the first browser in: the token where it has just been made, a ticket later. Nothing where everybody
    /// may launch: administrators ask for a ticket with `heliostat token`.
    ///
    /// # Errors
    /// The system has no randomness to give.
    pub fn first_sign_in(&self, fresh: Option<Secret>) -> Result<Option<Secret>, SessionError> {
        match fresh {
            _ if self.admins.is_open() => Ok(None),
            Some(token) => Ok(Some(token)),
            None => self.admins.ticket().map(Some),
        }
    }

    /// Where this host is, with what signs somebody in.
    #[must_use]
    pub fn address(&self, secret: Option<&Secret>) -> String {
        token::address(&self.server, secret)
    }

    /// Replaces the token. What was got by the former one ends: cookies, tickets, sockets and streams, and that sessions
    /// may launch and own what they have launched, and all links. `end`: that is terminated, too. What is begun is carried
    /// through, whether or not the one who asks still waits.
    ///
    /// # Errors
    /// The new one cannot be made or written; the former is good still.
    pub async fn rotate(&self, end: bool) -> std::io::Result<Secret> {
        let entrance = self.clone();
        let rotating = actix_rt::spawn(async move { entrance.carry_out_rotation(end).await });
        rotating.await.map_err(std::io::Error::other)?
    }

    async fn carry_out_rotation(self, end: bool) -> std::io::Result<Secret> {
        let state = self.state.clone();
        let replaced = tokio::task::spawn_blocking(move || token::replace(&state)).await;
        let token = replaced.map_err(std::io::Error::other)??;
        self.admins.replace(token.hash());
        let links = self.roles.links().end_all(token.hash());
        self.roles.regrade_all();
        log::info!("the token was replaced");
        if end {
            self.manager.end_all(Some(EndReason::Requested));
            log::info!("every instance is terminated with it");
        }
        self.journal.event(NewEvent {
            at: unix_ms(),
            actor: "root".into(),
            kind: "token_replaced".into(),
            detail: String::new(),
            class: EventClass::Audit,
        });
        // Nobody waits for a database that may be away: here they have ended, and the next start looks at them again.
        actix_rt::spawn(async move {
            if let Err(error) = links.await {
                log::warn!("code={} links of the former token not noted: {error}", error.code());
            }
        });
        Ok(token)
    }
}
