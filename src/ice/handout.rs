//! What a session is told of STUN and TURN servers. Pure.

use std::time::Duration;

use sha2::{Digest, Sha256};

use super::credentials::Credentials;
use crate::config::{IceConfig, IceUrl};
use crate::ids::SessionId;
use crate::protocol::signalling::{IceConfiguration, IceServer, IceTransportPolicy};

/// Tells sessions of the servers of the configuration.
#[derive(Clone, Debug)]
pub struct Handout {
    config: IceConfig,
}

impl Handout {
    /// Tells of these.
    #[must_use]
    pub const fn new(config: IceConfig) -> Self {
        Self { config }
    }

    /// What `session` is told now (`now_ms`: milliseconds since 1970): the STUN servers, and the TURN servers with
    /// credentials of its own. Without a secret there are no credentials, and so no TURN servers.
    #[must_use]
    pub fn of(&self, session: SessionId, now_ms: i64) -> IceConfiguration {
        let urls = |relays: bool| -> Vec<String> {
            let chosen = self.config.servers.iter().filter(|url| url.is_relay() == relays);
            chosen.map(IceUrl::to_string).collect()
        };
        let (stun, relays) = (urls(false), urls(true));
        let life = self.config.credentials_life;
        let credentials = self
            .config
            .secrets
            .first()
            .filter(|_| !relays.is_empty())
            .map(|secret| Credentials::new(secret, &user_of(session), now_ms, life));
        let mut ice_servers = Vec::new();
        if !stun.is_empty() {
            ice_servers.push(IceServer {
                urls: stun,
                username: None,
                credential: None,
            });
        }
        let expires_in = credentials.as_ref().map(|_| life.as_secs());
        if let Some(credentials) = credentials {
            ice_servers.push(IceServer {
                urls: relays,
                username: Some(credentials.username),
                credential: Some(credentials.password),
            });
        }
        IceConfiguration {
            ice_servers,
            ice_transport_policy: if self.config.relay_only {
                IceTransportPolicy::Relay
            } else {
                IceTransportPolicy::All
            },
            expires_in,
        }
    }

    /// After how long a session has to be told again; `None` where nothing runs out. A third of the life is left for the
    /// message, and for a page that was asleep.
    #[must_use]
    pub fn refresh_after(&self) -> Option<Duration> {
        self.config.can_relay().then(|| self.config.credentials_life * 2 / 3)
    }
}

/// The name that a TURN server sees, and counts quotas by: the same for all of a session's viewers, and nothing that
/// could be found in this host's log or database.
fn user_of(session: SessionId) -> String {
    let mut hash = Sha256::new();
    hash.update(b"turn user ");
    hash.update(session.to_string());
    hex::encode(&hash.finalize()[..8])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Hidden, PublicAddress};

    fn config(servers: &[&str], secrets: &[&str]) -> IceConfig {
        IceConfig {
            servers: servers.iter().map(|url| url.parse().unwrap()).collect(),
            secrets: secrets.iter().map(|text| Hidden::new(text).unwrap()).collect(),
            credentials_life: Duration::from_secs(3600),
            relay_only: false,
            public_address: PublicAddress::Known(Vec::new()),
        }
    }

    const SECRET: &str = "north-wind-and-sun";

    #[test]
    fn stun_needs_no_credentials_and_turn_gets_them() {
        let handout = Handout::new(config(
            &["stun:a.example", "turn:a.example", "turns:a.example"],
            &[SECRET],
        ));
        let session = SessionId::new();
        let told = handout.of(session, 1_700_000_000_000);
        let json = serde_json::to_value(&told).unwrap();
        let username = format!("1700003600:{}", user_of(session));
        let made = Credentials::new(
            &Hidden::new(SECRET).unwrap(),
            &user_of(session),
            1_700_000_000_000,
            Duration::from_secs(3600),
        );
        assert_eq!(
            json,
            serde_json::json!({
                "ice_servers": [
                    {"urls": ["stun:a.example:3478"]},
                    {
                        "urls": ["turn:a.example:3478?transport=udp", "turns:a.example:5349?transport=tcp"],
                        "username": username,
                        "credential": made.password,
                    },
                ],
                "ice_transport_policy": "all",
                "expires_in": 3600,
            })
        );
        assert_eq!(handout.refresh_after(), Some(Duration::from_secs(2400)));
    }

    #[test]
    fn without_a_secret_nobody_is_told_of_turn_servers() {
        let handout = Handout::new(config(&["stun:a.example", "turn:a.example"], &[]));
        let told = handout.of(SessionId::new(), 0);
        assert_eq!(told.ice_servers.len(), 1);
        assert_eq!((told.expires_in, handout.refresh_after()), (None, None));
    }

    #[test]
    fn without_servers_a_secret_is_of_no_use() {
        let handout = Handout::new(config(&[], &[SECRET]));
        assert!(handout.of(SessionId::new(), 0).ice_servers.is_empty());
        assert_eq!(handout.refresh_after(), None);
    }

    #[test]
    fn the_first_secret_makes_the_credentials() {
        let session = SessionId::new();
        let told = |secrets: &[&str]| Handout::new(config(&["turn:a.example"], secrets)).of(session, 0);
        assert_eq!(told(&[SECRET, "another-secret-of-us"]), told(&[SECRET]));
        assert_ne!(told(&["another-secret-of-us", SECRET]), told(&[SECRET]));
    }

    #[test]
    fn the_policy_is_told() {
        let relay_only = IceConfig {
            relay_only: true,
            ..config(&["turn:a.example"], &[SECRET])
        };
        let told = Handout::new(relay_only).of(SessionId::new(), 0);
        assert_eq!(told.ice_transport_policy, IceTransportPolicy::Relay);
    }

    #[test]
    fn the_name_that_a_turn_server_sees_does_not_name_the_session() {
        let session = SessionId::new();
        assert_eq!(user_of(session), user_of(session));
        assert_ne!(user_of(session), user_of(SessionId::new()));
        assert!(!session.to_string().contains(&user_of(session)));
        assert_eq!(user_of(session).len(), 16);
    }
}
