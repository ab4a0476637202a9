//! HTTP: the pages, REST, and the upgrades to sockets. Decides who may ask for what, and nothing else.
//!
//! Every request passes [`transport`] (who it comes from, by what proxies and whether encrypted; the headers that every
//! answer has; how long its body may take, [`slow_body`], and its connection without a request, [`idle`]) and [`guard`] (its
//! `Host`; its `Origin`, if it changes something); handlers take [`who::Who`] where they need a session; errors are
//! [`problem::Problem`]s.

mod access;
mod admin;
mod assets;
mod carrying;
mod client;
mod cookies;
#[cfg(debug_assertions)]
mod debug;
mod forwarded;
mod guard;
mod headers;
mod health;
mod ice;
mod idle;
mod instances;
mod joined;
mod limits;
mod links;
mod media;
mod origin;
mod pages;
mod problem;
mod refusal;
mod routes;
mod server;
mod sessions;
mod slow_body;
mod socket;
mod transport;
mod who;

use std::num::NonZeroU32;
use std::sync::Arc;

pub use access::Access;
pub use admin::Watchers;
pub use client::{Client, Proxies};
pub use limits::Limits;
pub use origin::OriginPolicy;
pub use problem::Problem;
pub use server::{Front, ServerError, bind, serve};
pub use transport::Transport;

use crate::config::VideoConfig;
use crate::ice::Handout;
use crate::instance::{Catalogue, Manager};
use crate::session::{Roles, SessionBook, Sessions};
use crate::store::{Journal, Store};
use crate::supervision::TreeView;

/// What handlers work with. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Api {
    /// What it takes to be let in.
    pub access: Access,
    /// Whom secrets belong to.
    pub sessions: SessionBook,
    /// The sessions that have sockets.
    pub live: Sessions,
    /// What somebody is at an instance, and the links that make them so.
    pub roles: Roles,
    /// What sessions are told of STUN and TURN servers.
    pub ice: Arc<Handout>,
    /// The instances.
    pub manager: Manager,
    /// The apps.
    pub catalogue: Arc<Catalogue>,
    /// The picture, where nobody says.
    pub video: VideoConfig,
    /// For health checks.
    pub store: Store,
    /// What is on its way to the store.
    pub journal: Arc<Journal>,
    /// The supervision tree: shown, followed, and restarted in part.
    pub tree: TreeView,
    /// The pages that watch the tree.
    pub watchers: Watchers,
    /// How much one address and one session may ask for.
    pub limits: Arc<Limits>,
    /// Messages of one signalling socket a second.
    pub messages_per_second: NonZeroU32,
}
