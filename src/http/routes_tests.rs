//! Every route × everybody who may ask × both modes of access × what the address gives: nobody gets further than the table.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use actix_web::cookie::Cookie;
use actix_web::http::header::{AUTHORIZATION, HOST};
use actix_web::middleware::from_fn;
use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::{App, web};

use super::super::carrying::carry_through;
use super::super::guard::check_origin;
use super::super::limits::limit_requests;
use super::super::transport::transport;
use super::super::who::{Admin, Who};
use super::super::{Access, Api, Limits, OriginPolicy, Watchers};
use super::*;
use crate::clock::unix_ms;
use crate::config::LimitsConfig;
use crate::ids::{LinkId, SessionId};
use crate::instance::Catalogue;
use crate::instance::testing::Running;
use crate::policy::{Action, may};
use crate::protocol::words::Role;
use crate::session::testing::Bench;
use crate::session::{Secret, Wish};
use crate::supervision::TreeView;

/// What one has to be for a route.
#[derive(Clone, Copy, Debug)]
enum Needs {
    /// Nobody.
    Nothing,
    /// Somebody who is known.
    Known,
    /// Somebody with a session.
    Session,
    /// Somebody who may do this at the host.
    Host(Action),
    /// Somebody with a session who may do this at the host.
    Own(Action),
    /// Somebody who may do this at that instance.
    Instance(Action),
}

/// A line for each route. What ends something that the others need comes last.
const TABLE: &[(&str, &str, Needs)] = &[
    #[cfg(debug_assertions)]
    ("POST", "/api/v1/debug/panic", Needs::Host(Action::Administer)),
    ("GET", "/", Needs::Nothing),
    ("GET", "/favicon.ico", Needs::Nothing),
    ("GET", "/stream/{id}", Needs::Nothing),
    ("GET", "/admin", Needs::Nothing),
    ("GET", "/static/{path:.*}", Needs::Nothing),
    ("GET", "/ws", Needs::Session),
    ("GET", "/ws/media", Needs::Session),
    ("GET", "/ws/vnc", Needs::Session),
    ("GET", "/healthz", Needs::Nothing),
    ("GET", "/readyz", Needs::Nothing),
    ("GET", "/api/webrtc/ice-servers", Needs::Session),
    ("POST", "/api/v1/auth", Needs::Nothing),
    ("POST", "/api/v1/sessions", Needs::Nothing),
    ("GET", "/api/v1/sessions/current", Needs::Session),
    ("GET", "/api/v1/apps", Needs::Known),
    ("DELETE", "/api/v1/apps/{id}/home", Needs::Own(Action::Launch)),
    ("POST", "/api/v1/instances", Needs::Own(Action::Launch)),
    ("GET", "/api/v1/instances", Needs::Session),
    ("GET", "/api/v1/instances/{id}", Needs::Instance(Action::Watch)),
    (
        "GET",
        "/api/v1/instances/{id}/screenshot",
        Needs::Instance(Action::Screenshot),
    ),
    (
        "POST",
        "/api/v1/instances/{id}/links",
        Needs::Instance(Action::MakeLinks),
    ),
    (
        "GET",
        "/api/v1/instances/{id}/links",
        Needs::Instance(Action::MakeLinks),
    ),
    (
        "DELETE",
        "/api/v1/instances/{id}/links/{link}",
        Needs::Instance(Action::MakeLinks),
    ),
    ("POST", "/api/v1/links/exchange", Needs::Nothing),
    ("GET", "/api/v1/admin/supervision", Needs::Host(Action::Administer)),
    (
        "GET",
        "/api/v1/admin/supervision/stream",
        Needs::Host(Action::Administer),
    ),
    (
        "POST",
        "/api/v1/admin/supervision/restart",
        Needs::Host(Action::Administer),
    ),
    ("GET", "/api/v1/admin/events", Needs::Host(Action::Administer)),
    ("GET", "/api/v1/admin/servers", Needs::Host(Action::Administer)),
    ("GET", "/api/v1/admin/counters", Needs::Host(Action::Administer)),
    (
        "POST",
        "/api/v1/instances/{id}/restart",
        Needs::Instance(Action::Restart),
    ),
    ("DELETE", "/api/v1/instances/{id}", Needs::Instance(Action::Terminate)),
    ("DELETE", "/api/v1/sessions/current", Needs::Session),
];

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asker {
    /// Nobody that is known.
    Stranger,
    /// Somebody who makes a secret up.
    Guesser,
    /// Whose session was closed.
    Closed,
    Guest,
    /// Guests by a link.
    Spectator,
    Controller,
    Owner,
    /// The owner, whose token was replaced.
    FormerOwner,
    /// Who may launch, and has not launched this.
    Other,
    /// Who shows the token with each request, and has no session.
    Program,
    /// Who has shown the token, and has a session.
    Admin,
}

const ASKERS: [Asker; 11] = [
    Asker::Stranger,
    Asker::Guesser,
    Asker::Closed,
    Asker::Guest,
    Asker::Spectator,
    Asker::Controller,
    Asker::Owner,
    Asker::FormerOwner,
    Asker::Other,
    Asker::Program,
    Asker::Admin,
];

/// The modes of a host.
#[derive(Clone, Copy, Debug)]
struct Mode {
    open: bool,
    bare: Option<Role>,
}

impl Asker {
    fn has_session(self) -> bool {
        !matches!(self, Self::Stranger | Self::Guesser | Self::Closed | Self::Program)
    }

    fn is_known(self) -> bool {
        self.has_session() || self == Self::Program
    }

    fn at_host(self, mode: Mode) -> Option<Role> {
        match self {
            Self::Program | Self::Admin => Some(Role::Admin),
            Self::Owner | Self::Other => Some(Role::Owner),
            _ if self.has_session() && mode.open => Some(Role::Owner),
            _ if self.has_session() => Some(Role::Spectator),
            _ => None,
        }
    }

    fn at_instance(self, mode: Mode) -> Option<Role> {
        match self {
            Self::Stranger | Self::Guesser | Self::Closed => None,
            Self::Guest | Self::Other => mode.bare,
            Self::Spectator => Some(Role::Spectator),
            Self::Controller => Some(Role::Controller),
            Self::Owner => Some(Role::Owner),
            Self::FormerOwner if mode.open => Some(Role::Owner),
            Self::FormerOwner => mode.bare,
            Self::Program | Self::Admin => Some(Role::Admin),
        }
    }

    fn passes(self, needs: Needs, mode: Mode) -> bool {
        let may_if = |role: Option<Role>, action| role.is_some_and(|role| may(role, action));
        match needs {
            Needs::Nothing => true,
            Needs::Known => self.is_known(),
            Needs::Session => self.has_session(),
            Needs::Host(action) => may_if(self.at_host(mode), action),
            Needs::Own(action) => self.has_session() && may_if(self.at_host(mode), action),
            Needs::Instance(action) => may_if(self.at_instance(mode), action),
        }
    }
}

/// A host, an instance, and somebody who asks.
struct Scene {
    bench: Bench,
    api: Api,
    instance: Running,
    cookie: Option<Cookie<'static>>,
    bearer: Option<Secret>,
}

impl Scene {
    async fn new(asker: Asker, mode: Mode) -> Self {
        let mut bench = Bench::new(mode.open, mode.bare).await;
        let pass = bench.admins.pass(None, Some(&bench.token)).unwrap();
        let (owner, owners) = bench.book.create(Some(&pass)).await.unwrap();
        let instance = bench.instance(owner.session).await;
        let api = api(&bench);
        let (mut cookie, mut bearer) = (None, None);
        match asker {
            Asker::Stranger => {}
            Asker::Guesser => bearer = Some(Secret::generate().unwrap()),
            Asker::Owner => bearer = Some(owners),
            Asker::FormerOwner => {
                bearer = Some(owners);
                bench.rotate();
            }
            Asker::Program => bearer = Some(bench.token.clone()),
            Asker::Closed | Asker::Guest | Asker::Spectator | Asker::Controller => {
                let (guest, secret) = bench.book.create(None).await.unwrap();
                match asker {
                    Asker::Closed => bench.book.delete(guest.session).await.unwrap(),
                    Asker::Spectator => linked(&bench, &instance, guest.session, Role::Spectator).await,
                    Asker::Controller => linked(&bench, &instance, guest.session, Role::Controller).await,
                    _ => {}
                }
                bearer = Some(secret);
            }
            Asker::Other | Asker::Admin => {
                bearer = Some(bench.book.create(Some(&pass)).await.unwrap().1);
                if asker == Asker::Admin {
                    cookie = api.access.exchange(bench.token.expose()).await.unwrap();
                }
            }
        }
        Self {
            bench,
            api,
            instance,
            cookie,
            bearer,
        }
    }

    fn request(&self, method: &str, path: &str) -> TestRequest {
        let id = self.instance.handle.spec().id.to_string();
        let path = path.replace("{link}", &LinkId::new().to_string());
        let path = path.replace("/apps/{id}", "/apps/demo").replace("{id}", &id);
        let path = path.replace("{path:.*}", "css/base.css");
        let body = match path.rsplit('/').next().unwrap() {
            "auth" => serde_json::json!({ "token": self.bench.token.expose() }),
            "sessions" => serde_json::json!({ "guest": true }),
            "instances" => serde_json::json!({ "app": "nothing" }),
            "links" => serde_json::json!({ "role": "spectator" }),
            "exchange" => serde_json::json!({ "link": "nothing" }),
            "restart" | "panic" => serde_json::json!({ "child": "root/nothing" }),
            _ => serde_json::Value::Null,
        };
        let mut request = TestRequest::default()
            .method(method.parse().unwrap())
            .uri(&path)
            .peer_addr(SocketAddr::from(([127, 0, 0, 1], 1)))
            .insert_header((HOST, "127.0.0.1"));
        if !body.is_null() {
            request = request.set_json(body);
        }
        if let Some(cookie) = &self.cookie {
            request = request.cookie(cookie.clone());
        }
        if let Some(bearer) = &self.bearer {
            request = request.insert_header((AUTHORIZATION, format!("Bearer {}", bearer.expose())));
        }
        request
    }
}

async fn linked(bench: &Bench, instance: &Running, session: SessionId, role: Role) {
    let wish = Wish {
        role,
        life: crate::session::USUAL,
        uses: None,
    };
    let id = instance.handle.spec().id;
    let (_, secret) = bench.roles.links().make(id, wish, unix_ms()).await.unwrap();
    bench.roles.exchange(&secret, session).await.unwrap();
}

fn api(bench: &Bench) -> Api {
    Api {
        access: Access::new(bench.admins.clone(), bench.services.server),
        sessions: bench.book.clone(),
        live: bench.sessions.clone(),
        roles: bench.roles.clone(),
        ice: Arc::clone(&bench.ice),
        manager: bench.manager.clone(),
        catalogue: Arc::new(Catalogue::new(Vec::new())),
        video: bench.services.config.video.clone(),
        store: bench.services.store.clone(),
        journal: Arc::clone(&bench.services.journal),
        tree: TreeView::default(),
        watchers: Watchers::default(),
        limits: Arc::new(Limits::new(&LimitsConfig {
            wrong_tokens: 1000,
            ..bench.services.config.limits
        })),
        messages_per_second: NonZeroU32::MIN,
    }
}

#[actix_web::test]
async fn every_route_has_its_line_in_the_table_of_what_it_needs() {
    let mut known = BTreeSet::new();
    let registered = App::new().configure(|config| {
        let routes = Routes::register(config).known;
        known = routes
            .iter()
            .map(|(method, path)| (method.to_string(), *path))
            .collect();
    });
    drop(registered);
    let table: BTreeSet<_> = TABLE
        .iter()
        .map(|(method, path, _)| ((*method).to_owned(), *path))
        .collect();
    assert_eq!(known, table);
    assert_eq!(table.len(), TABLE.len());
}

#[actix_web::test]
async fn nobody_gets_further_by_any_route_than_the_table_of_rights_says() {
    let spectator = Some(Role::Spectator);
    for (open, bare) in [(false, spectator), (false, None), (true, spectator), (true, None)] {
        let mode = Mode { open, bare };
        for asker in ASKERS {
            let scene = Scene::new(asker, mode).await;
            let app = init_service(
                App::new()
                    .app_data(web::Data::new(scene.api.clone()))
                    .app_data(web::Data::new(OriginPolicy {
                        hosts: Vec::new(),
                        origins: Vec::new(),
                    }))
                    .wrap(from_fn(carry_through))
                    .wrap(from_fn(check_origin))
                    .wrap(from_fn(limit_requests))
                    .wrap(from_fn(transport))
                    .configure(routes),
            )
            .await;
            for (method, path, needs) in TABLE {
                let response = call_service(&app, scene.request(method, path).to_request()).await;
                let status = response.status();
                let refused = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&status);
                let passes = asker.passes(*needs, mode);
                assert_eq!(!refused, passes, "{asker:?} {mode:?}: {method} {path} is {status}");
                if !asker.is_known() {
                    assert!(
                        passes || status == StatusCode::UNAUTHORIZED,
                        "{method} {path} is {status}"
                    );
                }
            }
        }
    }
}

#[actix_web::test]
async fn who_was_somebody_when_they_began_to_ask_is_judged_by_what_they_are_when_it_takes_effect() {
    let mut bench = Bench::new(false, None).await;
    let pass = bench.admins.pass(None, Some(&bench.token)).unwrap();
    let who = |identity, pass| Who { identity, pass };
    let (owner, _) = bench.book.create(Some(&pass)).await.unwrap();
    let (other, _) = bench.book.create(Some(&pass)).await.unwrap();
    let instance = bench.instance(owner.session).await;
    let api = api(&bench);
    let (id, session) = (instance.handle.spec().id, owner.session);
    let (owner, other) = (who(Some(owner), None), who(Some(other), Some(pass.clone())));
    let admin = Admin(pass);
    // Their bodies are long in coming.
    assert!(owner.may(Action::Launch).is_ok() && owner.session().is_ok() && admin.still().is_ok());
    assert!(owner.may_at(&api, id, session, Action::MakeLinks).is_ok());
    bench.book.delete(session).await.unwrap();
    assert!(owner.may(Action::Launch).is_err() && owner.session().is_err());
    assert!(owner.may_at(&api, id, session, Action::MakeLinks).is_err());
    assert!(other.may(Action::Administer).is_ok());
    bench.rotate();
    assert!(other.may(Action::Administer).is_err() && other.may(Action::Launch).is_err());
    assert!(admin.still().is_err());
}

#[actix_web::test]
async fn files_of_the_pages_are_not_counted_but_what_is_asked_for_in_their_place_is() {
    let bench = Bench::new(true, None).await;
    let some = |n| NonZeroU32::new(n).unwrap();
    let limits = LimitsConfig {
        requests_per_minute: some(3),
        ..bench.services.config.limits
    };
    for (path, host, refused) in [
        ("/static/nothing", "127.0.0.1", StatusCode::NOT_FOUND),
        ("/static/css/base.css", "rebound.example", StatusCode::FORBIDDEN),
    ] {
        let api = Api {
            limits: Arc::new(Limits::new(&limits)),
            ..api(&bench)
        };
        let app = init_service(
            App::new()
                .app_data(web::Data::new(api))
                .app_data(web::Data::new(OriginPolicy {
                    hosts: Vec::new(),
                    origins: Vec::new(),
                }))
                .wrap(from_fn(check_origin))
                .wrap(from_fn(limit_requests))
                .wrap(from_fn(transport))
                .configure(routes),
        )
        .await;
        let ask = async |path: &str, host: &str| {
            let request = TestRequest::get().uri(path).insert_header((HOST, host));
            let request = request.peer_addr(SocketAddr::from(([127, 0, 0, 1], 1)));
            call_service(&app, request.to_request()).await.status()
        };
        for _ in 0..10 {
            assert_eq!(ask("/static/css/base.css", "127.0.0.1").await, StatusCode::OK);
        }
        for _ in 0..3 {
            assert_eq!(ask(path, host).await, refused);
        }
        assert_eq!(ask(path, host).await, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(ask("/static/css/base.css", "127.0.0.1").await, StatusCode::OK);
    }
}
