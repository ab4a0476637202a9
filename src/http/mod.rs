//! HTTP: the pages, REST, and the upgrade to the signalling socket. Decides who may ask for what, and nothing else.
//!
//! Every request passes [`transport`] (who it comes from, by what proxies and whether encrypted; the headers that every
//! answer has; how long its body may take, [`slow_body`], and its connection without a request, [`idle`]) and [`guard`] (its
//! `Host`; its `Origin`, if it changes something); handlers take [`who::Who`] where they need a session; errors are
//! [`problem::Problem`]s.

mod access;
mod admin;
mod assets;
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
mod limits;
mod links;
mod origin;
mod problem;
mod server;
mod sessions;
mod slow_body;
mod socket;
mod transport;
mod who;

use std::num::NonZeroU32;
use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::web::{self, JsonConfig, PathConfig, QueryConfig, ServiceConfig};

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
use crate::store::Store;
use crate::supervision::TreeView;

/// The largest body of a request, in bytes.
const MAX_BODY: usize = 64 * 1024;

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
    /// The supervision tree: shown, followed, and restarted in part.
    pub tree: TreeView,
    /// The pages that watch the tree.
    pub watchers: Watchers,
    /// How much one address and one session may ask for.
    pub limits: Arc<Limits>,
    /// Messages of one signalling socket a second.
    pub messages_per_second: NonZeroU32,
}

/// All routes.
fn routes(config: &mut ServiceConfig) {
    let bad = |e: &dyn std::fmt::Display| Problem::new(StatusCode::BAD_REQUEST, "bad_request", e.to_string());
    config
        .app_data(
            JsonConfig::default()
                .limit(MAX_BODY)
                .error_handler(move |e, _| json_problem(&e).into()),
        )
        .app_data(PathConfig::default().error_handler(move |e, _| bad(&e).into()))
        .app_data(QueryConfig::default().error_handler(move |e, _| bad(&e).into()))
        .route("/", web::get().to(assets::home))
        .route("/favicon.ico", web::get().to(assets::favicon))
        .route("/stream/{id}", web::get().to(assets::stream))
        .route("/admin", web::get().to(assets::admin))
        .route("/static/{path:.*}", web::get().to(assets::asset))
        .route("/ws", web::get().to(socket::socket))
        .route("/healthz", web::get().to(health::alive))
        .route("/readyz", web::get().to(health::ready))
        .route("/api/webrtc/ice-servers", web::get().to(ice::servers))
        .service(api_routes())
        .default_service(web::to(assets::nothing));
}

fn api_routes() -> actix_web::Scope {
    let scope = web::scope("/api/v1")
        .route("/auth", web::post().to(sessions::auth))
        .route("/sessions", web::post().to(sessions::open))
        .route("/sessions/current", web::get().to(sessions::current))
        .route("/sessions/current", web::delete().to(sessions::close))
        .route("/apps", web::get().to(instances::apps))
        .route("/apps/{id}/home", web::delete().to(instances::empty_home))
        .route("/instances", web::post().to(instances::launch))
        .route("/instances", web::get().to(instances::list))
        .route("/instances/{id}", web::get().to(instances::get))
        .route("/instances/{id}", web::delete().to(instances::terminate))
        .route("/instances/{id}/restart", web::post().to(instances::restart))
        .route("/instances/{id}/screenshot", web::get().to(instances::screenshot))
        .route("/instances/{id}/links", web::post().to(links::make))
        .route("/instances/{id}/links", web::get().to(links::list))
        .route("/instances/{id}/links/{link}", web::delete().to(links::revoke))
        .route("/links/exchange", web::post().to(links::exchange))
        .route("/admin/supervision", web::get().to(admin::tree))
        .route("/admin/supervision/stream", web::get().to(admin::stream))
        .route("/admin/supervision/restart", web::post().to(admin::restart))
        .route("/admin/events", web::get().to(admin::events))
        .route("/admin/servers", web::get().to(admin::servers));
    #[cfg(debug_assertions)]
    let scope = scope.route("/debug/panic", web::post().to(debug::panic));
    scope
}

fn json_problem(error: &actix_web::error::JsonPayloadError) -> Problem {
    use actix_web::error::JsonPayloadError as E;
    match error {
        E::OverflowKnownLength { .. } | E::Overflow { .. } => {
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "the body is too large")
        }
        E::Payload(error) if slow_body::is_late(error) => {
            Problem::new(StatusCode::REQUEST_TIMEOUT, "too_slow", "the body has not come in time")
        }
        E::ContentType => Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "not_json",
            "the body has to be application/json",
        ),
        other => Problem::new(StatusCode::BAD_REQUEST, "bad_request", other.to_string()),
    }
}
