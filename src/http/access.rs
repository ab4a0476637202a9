//! Who is asking: the token that opens the host, and the session secret.
//!
//! The token, or a ticket in its place, is in the address printed at start, behind `#`, so that no log sees it. The page
//! exchanges it once for a cookie of its own. A session's secret is a second cookie (or `Authorization: Bearer`).
//! Cookies do not know ports (RFC 6265 section 8.5), so their names carry the host's id: two hosts on one machine do
//! not overwrite each other's.

use actix_web::HttpRequest;
use actix_web::cookie::{Cookie, SameSite, time};
use actix_web::http::header::AUTHORIZATION;

use crate::ids::ServerId;
use crate::session::{Admins, COOKIE_DAYS, Pass, Secret, SessionError};

/// What it takes to be let in.
#[derive(Clone, Debug)]
pub struct Access {
    admins: Admins,
    suffix: String,
}

impl Access {
    /// Access to this server, for those whom `admins` know.
    #[must_use]
    pub fn new(admins: Admins, server: ServerId) -> Self {
        let mut suffix = server.0.simple().to_string();
        suffix.drain(..suffix.len() - 8);
        Self { admins, suffix }
    }

    /// Whether everybody may launch.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.admins.is_open()
    }

    /// Exchanges the token, or a ticket, for the cookie that proves it. `None` when it is neither.
    ///
    /// # Errors
    /// [`SessionError`] when the cookie cannot be kept.
    pub async fn exchange(&self, shown: &str) -> Result<Option<Cookie<'static>>, SessionError> {
        let Some(shown) = Secret::parse(shown) else {
            return Ok(None);
        };
        let cookie = self.admins.sign_in(&shown).await?;
        Ok(cookie.map(|secret| self.cookie("access", secret.expose())))
    }

    /// The pass of a request from somebody who has shown the token: by cookie, or as a bearer.
    #[must_use]
    pub fn pass(&self, request: &HttpRequest) -> Option<Pass> {
        let cookie = request.cookie(&format!("heliostat_access_{}", self.suffix));
        let cookie = cookie.and_then(|c| Secret::parse(c.value()));
        self.admins.pass(cookie.as_ref(), bearer(request).as_ref())
    }

    /// The session secret that a request's cookie holds.
    #[must_use]
    pub fn session_secret(&self, request: &HttpRequest) -> Option<Secret> {
        request
            .cookie(&format!("heliostat_session_{}", self.suffix))
            .and_then(|c| Secret::parse(c.value()))
    }

    /// Whether this is the token.
    #[must_use]
    pub fn is_token(&self, secret: &Secret) -> bool {
        self.admins.pass(None, Some(secret)).is_some()
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
            .max_age(time::Duration::days(COOKIE_DAYS))
            .finish()
    }
}

/// What a request shows as a bearer, where that can be a secret of ours: a session's, or the token.
pub(super) fn bearer(request: &HttpRequest) -> Option<Secret> {
    let value = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    Secret::parse(value.strip_prefix("Bearer ")?.trim())
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;
    use crate::store::Store;

    async fn access(token: &Secret) -> (Access, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open("sqlite:test.db", folder.path()).unwrap();
        let admins = Admins::load(store, token.hash(), None, false).await.unwrap();
        (Access::new(admins, ServerId::new()), folder)
    }

    #[actix_web::test]
    async fn the_token_is_exchanged_for_a_cookie_that_admits() {
        let token = Secret::generate().unwrap();
        let (access, _folder) = access(&token).await;
        let wrong = Secret::generate().unwrap();
        assert!(access.exchange(wrong.expose()).await.unwrap().is_none());
        assert!(access.exchange("").await.unwrap().is_none());
        let cookie = access.exchange(token.expose()).await.unwrap().unwrap();
        assert!(!cookie.value().contains(token.expose()));
        assert!(
            access
                .pass(&TestRequest::default().cookie(cookie).to_http_request())
                .is_some()
        );
        assert!(access.pass(&TestRequest::default().to_http_request()).is_none());
    }

    #[actix_web::test]
    async fn cookies_of_two_hosts_do_not_overwrite_each_other() {
        let token = Secret::generate().unwrap();
        let ((one, _one), (two, _two)) = (access(&token).await, access(&token).await);
        let secret = Secret::generate().unwrap();
        let cookie = one.session_cookie(&secret);
        assert_ne!(cookie.name(), two.session_cookie(&secret).name());
        let request = TestRequest::default().cookie(cookie).to_http_request();
        assert!(one.session_secret(&request).is_some_and(|s| s.matches(&secret)));
        assert!(two.session_secret(&request).is_none());
    }

    #[actix_web::test]
    async fn a_program_may_show_its_secret_as_a_bearer() {
        let token = Secret::generate().unwrap();
        let (access, _folder) = access(&token).await;
        let with = |secret: &Secret| {
            let header = (AUTHORIZATION, format!("Bearer {}", secret.expose()));
            TestRequest::default().insert_header(header).to_http_request()
        };
        assert!(access.pass(&with(&token)).is_some());
        assert!(access.pass(&with(&Secret::generate().unwrap())).is_none());
    }
}
