//! Time-limited TURN credentials: the user name says until when they are good, and the password is an HMAC of it, so
//! that a TURN server that has the secret needs no list of users (draft-uberti-behave-turn-rest-00, section 2.2; coturn
//! calls it `use-auth-secret`). Pure.

use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha1::Sha1;

use crate::config::Hidden;

/// What a browser shows to a TURN server.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// `expiry:user`, the expiry in seconds since 1970.
    pub username: String,
    /// Base64 of HMAC-SHA1 over the user name.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

impl Credentials {
    /// Credentials for `user`, good for `life` from `now_ms` (milliseconds since 1970) on.
    #[must_use]
    pub fn new(secret: &Hidden, user: &str, now_ms: i64, life: Duration) -> Self {
        let life = i64::try_from(life.as_millis()).unwrap_or(i64::MAX);
        let username = format!("{}:{user}", now_ms.saturating_add(life) / 1000);
        let mut mac = Hmac::<Sha1>::new_from_slice(secret.expose().as_bytes())
            .expect("HMAC takes a key of any length (RFC 2104)");
        mac.update(username.as_bytes());
        let password = STANDARD.encode(mac.finalize().into_bytes());
        Self { username, password }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert_eq, prop_assert_ne, proptest};

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn secret(text: &str) -> Hidden {
        Hidden::new(text).unwrap()
    }

    #[test]
    fn the_password_is_what_openssl_and_coturn_make_of_the_user_name() {
        // printf 1700003600:alice | openssl dgst -sha1 -hmac north-wind-and-sun -binary | base64
        let made = Credentials::new(&secret("north-wind-and-sun"), "alice", 1_700_000_000_000, HOUR);
        assert_eq!(made.username, "1700003600:alice");
        assert_eq!(made.password, "m31v9oErlqAc5DbSghrtwFR15sE=");
        // printf 10:x | openssl dgst -sha1 -hmac 0123456789abcdef0123456789abcdef -binary | base64
        let made = Credentials::new(
            &secret("0123456789abcdef0123456789abcdef"),
            "x",
            0,
            Duration::from_secs(10),
        );
        assert_eq!(
            (made.username.as_str(), made.password.as_str()),
            ("10:x", "OMqgPWhYwS+nTvNWMnzSEDG2F9g=")
        );
    }

    #[test]
    fn the_password_is_not_shown() {
        let made = Credentials::new(&secret("north-wind-and-sun"), "alice", 0, HOUR);
        assert!(!format!("{made:?}").contains(&made.password));
    }

    proptest! {
        #[test]
        fn another_secret_user_or_time_makes_another_password(user in "[a-f0-9]{1,16}", now in 0_i64..4_000_000_000_000) {
            let (one, two) = (secret("north-wind-and-sun"), secret("sun-and-north-wind"));
            let made = Credentials::new(&one, &user, now, HOUR);
            prop_assert_eq!(&made, &Credentials::new(&one, &user, now, HOUR));
            prop_assert_ne!(&made.password, &Credentials::new(&two, &user, now, HOUR).password);
            prop_assert_ne!(&made.password, &Credentials::new(&one, &format!("{user}x"), now, HOUR).password);
            prop_assert_ne!(&made.password, &Credentials::new(&one, &user, now + 1000, HOUR).password);
        }
    }
}
