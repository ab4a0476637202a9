//! Who is asking: the token that opens the host, and the session secret.
//!
//! The token is in the address printed at start, behind `#`, so that no log sees it. The page exchanges it once for a
//! cookie of its own, derived from the token. A session's secret is a second cookie (or `Authorization: Bearer`).
//! Cookies do not know ports (RFC 6265 section 8.5), so their names carry the host's id: two hosts on one machine do
//! not overwrite each other's.

use actix_web::HttpRequest;
use actix_web::cookie::{Cookie, SameSite, time};
use actix_web::http::header::AUTHORIZATION;

use crate::ids::ServerId;
use crate::session::Secret;

/// What the exchange of the token is for.
const PURPOSE: &str = "heliostat access cookie";

/// What it takes to be let in.
#[derive(Clone, Debug)]
pub struct Access {
    token: Secret,
    /// Whoever reaches the pages may launch (`--auth open`).
    open: bool,
    suffix: String,
}

impl Access {
    /// Access by `token`, or for everybody where it is `open`; administrators always need the token.
    #[must_use]
    pub fn new(token: Secret, open: bool, server: ServerId) -> Self {
        let mut suffix = server.0.simple().to_string();
        suffix.drain(..suffix.len() - 8);
        Self { token, open, suffix }
    }

    /// Whether everybody may launch.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.open
    }

    /// Exchanges the token for the cookie that proves it. `None` when it is wrong.
    #[must_use]
    pub fn exchange(&self, shown: &str) -> Option<Cookie<'static>> {
        let shown = Secret::parse(shown)?;
        self.token
            .matches(&shown)
            .then(|| self.cookie("access", self.token.derive(PURPOSE).expose()))
    }

    /// Whether the request comes from somebody who has shown the token (or needs none).
    #[must_use]
    pub fn is_admitted(&self, request: &HttpRequest) -> bool {
        self.open || self.has_token(request)
    }

    /// Whether the request comes from somebody who has shown the token.
    #[must_use]
    pub fn has_token(&self, request: &HttpRequest) -> bool {
        let cookie = request
            .cookie(&format!("heliostat_access_{}", self.suffix))
            .and_then(|c| Secret::parse(c.value()))
            .is_some_and(|c| self.token.derive(PURPOSE).matches(&c));
        cookie || bearer(request).is_some_and(|b| self.token.matches(&b))
    }

    /// The session secret that a request shows.
    #[must_use]
    pub fn session_secret(&self, request: &HttpRequest) -> Option<Secret> {
        request
            .cookie(&format!("heliostat_session_{}", self.suffix))
            .and_then(|c| Secret::parse(c.value()))
            .or_else(|| bearer(request))
    }

    /// The cookie that carries a session's secret.
    #[must_use]
    pub fn session_cookie(&self, secret: &Secret) -> Cookie<'static> {
        self.cookie("session", secret.expose())
    }

    /// The cookie that makes the browser forget its session.
    #[must_use]
    pub fn forget_session(&self) -> Cookie<'static> {
        let mut cookie = self.cookie("session", "");
        cookie.make_removal();
        cookie
    }

    fn cookie(&self, kind: &str, value: &str) -> Cookie<'static> {
        Cookie::build(format!("heliostat_{kind}_{}", self.suffix), value.to_owned())
            .path("/")
            .http_only(true)
            .same_site(SameSite::Lax)
            .max_age(time::Duration::days(365))
            .finish()
    }
}

fn bearer(request: &HttpRequest) -> Option<Secret> {
    let value = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    Secret::parse(value.strip_prefix("Bearer ")?.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn the_token_is_exchanged_once_for_a_cookie_that_admits() {
        let token = Secret::generate().unwrap();
        let access = Access::new(token.clone(), false, ServerId::new());
        assert!(access.exchange(Secret::generate().unwrap().expose()).is_none());
        assert!(access.exchange("").is_none());
        let cookie = access.exchange(token.expose()).unwrap();
        assert!(!cookie.value().contains(token.expose()));
        assert!(access.is_admitted(&TestRequest::default().cookie(cookie).to_http_request()));
        assert!(!access.is_admitted(&TestRequest::default().to_http_request()));
    }

    #[test]
    fn where_everybody_may_launch_only_the_token_shows_an_administrator() {
        let token = Secret::generate().unwrap();
        let access = Access::new(token.clone(), true, ServerId::new());
        let nobody = TestRequest::default().to_http_request();
        assert!(access.is_admitted(&nobody) && !access.has_token(&nobody));
        let cookie = access.exchange(token.expose()).unwrap();
        assert!(access.has_token(&TestRequest::default().cookie(cookie).to_http_request()));
    }

    #[test]
    fn cookies_of_two_hosts_do_not_overwrite_each_other() {
        let secret = Secret::generate().unwrap();
        let token = Secret::generate().unwrap();
        let one = Access::new(token.clone(), true, ServerId::new());
        let two = Access::new(token, true, ServerId::new());
        let cookie = one.session_cookie(&secret);
        assert_ne!(cookie.name(), two.session_cookie(&secret).name());
        let request = TestRequest::default().cookie(cookie).to_http_request();
        assert!(one.session_secret(&request).is_some_and(|s| s.matches(&secret)));
        assert!(two.session_secret(&request).is_none());
    }

    #[test]
    fn a_program_may_show_its_secret_as_a_bearer() {
        let secret = Secret::generate().unwrap();
        let access = Access::new(secret.clone(), false, ServerId::new());
        let request = TestRequest::default().insert_header((AUTHORIZATION, format!("Bearer {}", secret.expose())));
        assert!(access.is_admitted(&request.to_http_request()));
    }
}
