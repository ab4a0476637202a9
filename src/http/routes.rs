//! The routes: each is registered once, and known to the test that asks what everybody may do by it.

use actix_web::http::{Method, StatusCode};
use actix_web::web::{self, JsonConfig, PathConfig, QueryConfig, ServiceConfig};
use actix_web::{FromRequest, Handler, Responder};

#[cfg(debug_assertions)]
use super::debug;
use super::problem::Problem;
use super::{admin, assets, health, ice, instances, links, media, sessions, slow_body, socket};

/// The largest body of a request, in bytes.
const MAX_BODY: usize = 64 * 1024;

/// Routes as they are registered.
pub(super) struct Routes<'a> {
    config: &'a mut ServiceConfig,
    /// All of them.
    pub(super) known: Vec<(Method, &'static str)>,
}

impl<'a> Routes<'a> {
    fn add<F, Args>(&mut self, method: Method, path: &'static str, handler: F) -> &mut Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.known.push((method.clone(), path));
        self.config.route(path, web::method(method).to(handler));
        self
    }

    /// Registers all routes.
    pub(super) fn register(config: &'a mut ServiceConfig) -> Self {
        let (get, post, delete) = (|| Method::GET, || Method::POST, || Method::DELETE);
        let mut routes = Self {
            config,
            known: Vec::new(),
        };
        routes
            .add(get(), "/", assets::home)
            .add(get(), "/favicon.ico", assets::favicon)
            .add(get(), "/stream/{id}", assets::stream)
            .add(get(), "/admin", assets::admin)
            .add(get(), "/static/{path:.*}", assets::asset)
            .add(get(), "/ws", socket::socket)
            .add(get(), "/ws/media", media::socket)
            .add(get(), "/ws/vnc", media::vnc)
            .add(get(), "/healthz", health::alive)
            .add(get(), "/readyz", health::ready)
            .add(get(), "/api/webrtc/ice-servers", ice::servers)
            .add(post(), "/api/v1/auth", sessions::auth)
            .add(post(), "/api/v1/sessions", sessions::open)
            .add(get(), "/api/v1/sessions/current", sessions::current)
            .add(delete(), "/api/v1/sessions/current", sessions::close)
            .add(get(), "/api/v1/apps", instances::apps)
            .add(delete(), "/api/v1/apps/{id}/home", instances::empty_home)
            .add(post(), "/api/v1/instances", instances::launch)
            .add(get(), "/api/v1/instances", instances::list)
            .add(get(), "/api/v1/instances/{id}", instances::get)
            .add(delete(), "/api/v1/instances/{id}", instances::terminate)
            .add(post(), "/api/v1/instances/{id}/restart", instances::restart)
            .add(get(), "/api/v1/instances/{id}/screenshot", instances::screenshot)
            .add(post(), "/api/v1/instances/{id}/links", links::make)
            .add(get(), "/api/v1/instances/{id}/links", links::list)
            .add(delete(), "/api/v1/instances/{id}/links/{link}", links::revoke)
            .add(post(), "/api/v1/links/exchange", links::exchange)
            .add(get(), "/api/v1/admin/supervision", admin::tree)
            .add(get(), "/api/v1/admin/supervision/stream", admin::stream)
            .add(post(), "/api/v1/admin/supervision/restart", admin::restart)
            .add(get(), "/api/v1/admin/events", admin::events)
            .add(get(), "/api/v1/admin/servers", admin::servers)
            .add(get(), "/api/v1/admin/counters", admin::counters);
        #[cfg(debug_assertions)]
        routes.add(post(), "/api/v1/debug/panic", debug::panic);
        routes
    }
}

/// All routes, and what is said of bodies, paths and queries that cannot be read.
pub(super) fn routes(config: &mut ServiceConfig) {
    let bad = |e: &dyn std::fmt::Display| Problem::new(StatusCode::BAD_REQUEST, "bad_request", e.to_string());
    config
        .app_data(
            JsonConfig::default()
                .limit(MAX_BODY)
                .error_handler(move |e, _| json_problem(&e).into()),
        )
        .app_data(PathConfig::default().error_handler(move |e, _| bad(&e).into()))
        .app_data(QueryConfig::default().error_handler(move |e, _| bad(&e).into()))
        .default_service(web::to(assets::nothing));
    Routes::register(config);
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

#[cfg(test)]
#[path = "routes_tests.rs"]
mod tests;
