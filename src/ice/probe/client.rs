//! Requests to one server, and their answers.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rtc::crypto::RTCCryptoProvider;
use rtc::stun::attributes::{ATTR_NONCE, ATTR_REALM, ATTR_USERNAME};
use rtc::stun::error_code::ErrorCodeAttribute;
use rtc::stun::fingerprint::FINGERPRINT;
use rtc::stun::integrity::MessageIntegrity;
use rtc::stun::message::{
    CLASS_ERROR_RESPONSE, CLASS_INDICATION, CLASS_REQUEST, Getter, METHOD_ALLOCATE, METHOD_BINDING,
    METHOD_CREATE_PERMISSION, METHOD_DATA, METHOD_REFRESH, METHOD_SEND, Message, MessageType, Method, Setter,
    TransactionId,
};
use rtc::stun::textattrs::TextAttribute;
use rtc::stun::xoraddr::XorMappedAddress;
use rtc::turn::proto::PROTO_UDP;
use rtc::turn::proto::data::Data;
use rtc::turn::proto::lifetime::Lifetime;
use rtc::turn::proto::peeraddr::PeerAddress;
use rtc::turn::proto::relayaddr::RelayedAddress;
use rtc::turn::proto::reqfamily::{REQUESTED_FAMILY_IPV6, RequestedAddressFamily};
use rtc::turn::proto::reqtrans::RequestedTransport;

use super::error::ProbeError;
use super::way::Way;
use crate::ice::Credentials;

/// From a request to its answer.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(3);
/// A datagram without an answer is sent again after this long, and then after twice as long each time.
const AGAIN_AFTER: Duration = Duration::from_millis(300);
/// A server says once what it wants to be shown, and perhaps once that it took too long.
const MAX_CHALLENGES: usize = 3;

/// What a server wants to be shown with every request (RFC 8489, section 9.2).
struct Challenge {
    realm: String,
    nonce: String,
}

/// A relay at a server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allocation {
    pub(super) relayed: SocketAddr,
    pub(super) lifetime: Duration,
}

/// Who asks one server.
pub(super) struct Client {
    pub(super) way: Way,
    crypto: Arc<dyn RTCCryptoProvider>,
    credentials: Option<Credentials>,
    challenge: Option<Challenge>,
}

impl Client {
    /// Asks over this way.
    pub(super) fn new(way: Way) -> Result<Self, ProbeError> {
        let crypto = rtc::crypto::default_provider().map_err(|e| ProbeError::Tls(e.to_string()))?;
        Ok(Self {
            way,
            crypto,
            credentials: None,
            challenge: None,
        })
    }

    /// Shows these credentials from now on.
    pub(super) fn show(&mut self, credentials: Credentials) {
        self.credentials = Some(credentials);
        self.challenge = None;
    }

    /// The address that the server sees.
    pub(super) fn binding(&mut self) -> Result<SocketAddr, ProbeError> {
        let answer = self.ask(METHOD_BINDING, Vec::new)?;
        let mut seen = XorMappedAddress::default();
        seen.get_from(&answer).map_err(|_| ProbeError::Malformed)?;
        Ok((seen.ip, seen.port).into())
    }

    /// A relay for datagrams, of the family of the server's address.
    pub(super) fn allocate(&mut self) -> Result<Allocation, ProbeError> {
        let six = self.way.server.is_ipv6();
        let answer = self.ask(METHOD_ALLOCATE, move || {
            let mut wanted: Vec<Box<dyn Setter>> = vec![Box::new(RequestedTransport { protocol: PROTO_UDP })];
            if six {
                wanted.push(Box::new(RequestedAddressFamily(REQUESTED_FAMILY_IPV6.0)));
            }
            wanted
        })?;
        let (mut relayed, mut lifetime) = (RelayedAddress::default(), Lifetime::default());
        relayed.get_from(&answer).map_err(|_| ProbeError::Malformed)?;
        lifetime.get_from(&answer).map_err(|_| ProbeError::Malformed)?;
        Ok(Allocation {
            relayed: (relayed.ip, relayed.port).into(),
            lifetime: lifetime.0,
        })
    }

    /// Keeps the relay for this long from now on; zero gives it back. Answers with how long it is kept.
    pub(super) fn refresh(&mut self, life: Duration) -> Result<Duration, ProbeError> {
        let answer = self.ask(
            METHOD_REFRESH,
            move || vec![Box::new(Lifetime(life)) as Box<dyn Setter>],
        )?;
        let mut lifetime = Lifetime::default();
        lifetime.get_from(&answer).map_err(|_| ProbeError::Malformed)?;
        Ok(lifetime.0)
    }

    /// Lets `peer` use the relay.
    pub(super) fn permit(&mut self, peer: SocketAddr) -> Result<(), ProbeError> {
        let asked = self.ask(METHOD_CREATE_PERMISSION, move || {
            vec![Box::new(address_of(peer)) as Box<dyn Setter>]
        });
        match asked {
            Err(ProbeError::Answered { code: 403, .. }) => Err(ProbeError::DeniedPeer(peer.ip())),
            other => other.map(|_| ()),
        }
    }

    /// Sends a datagram through the relay.
    pub(super) fn relay(&mut self, peer: SocketAddr, data: &[u8]) -> Result<(), ProbeError> {
        let mut message = Message::new();
        let parts: Vec<Box<dyn Setter>> = vec![
            Box::new(TransactionId::new()),
            Box::new(MessageType::new(METHOD_SEND, CLASS_INDICATION)),
            Box::new(address_of(peer)),
            Box::new(Data(data.to_vec())),
            Box::new(FINGERPRINT),
        ];
        message.build(&parts).map_err(|_| ProbeError::Malformed)?;
        self.way.send(&message.raw).map_err(|e| ProbeError::network(e, 0))
    }

    /// Waits for a datagram that came through the relay.
    pub(super) fn relayed(&mut self, deadline: Instant) -> Option<(IpAddr, Vec<u8>)> {
        loop {
            let message = decode(self.way.receive(deadline).ok()?)?;
            if message.typ.method != METHOD_DATA {
                continue;
            }
            let (mut from, mut data) = (PeerAddress::default(), Data::default());
            from.get_from(&message).ok()?;
            data.get_from(&message).ok()?;
            return Some((from.ip, data.0));
        }
    }

    /// Asks, shows the credentials where they are asked for, and gives the answer.
    fn ask(&mut self, method: Method, parts: impl Fn() -> Vec<Box<dyn Setter>>) -> Result<Message, ProbeError> {
        for _ in 0..MAX_CHALLENGES {
            let shown = self.challenge.is_some();
            let answer = self.exchange(method, parts())?;
            if answer.typ.class != CLASS_ERROR_RESPONSE {
                return Ok(answer);
            }
            let mut error = ErrorCodeAttribute::default();
            error.get_from(&answer).map_err(|_| ProbeError::Malformed)?;
            let code = error.code.0;
            match code {
                401 if shown => return Err(ProbeError::WrongCredentials),
                401 if self.credentials.is_none() => return Err(ProbeError::NoSecret),
                401 | 438 => self.challenge = Some(challenge(&answer)?),
                486 => return Err(ProbeError::Quota),
                508 => return Err(ProbeError::NoCapacity),
                code => {
                    let reason = String::from_utf8_lossy(&error.reason).into_owned();
                    return Err(ProbeError::Answered { code, reason });
                }
            }
        }
        Err(ProbeError::WrongCredentials)
    }

    fn exchange(&mut self, method: Method, parts: Vec<Box<dyn Setter>>) -> Result<Message, ProbeError> {
        let mut message = Message::new();
        let id = TransactionId::new();
        let mut all: Vec<Box<dyn Setter + '_>> = vec![Box::new(id), Box::new(MessageType::new(method, CLASS_REQUEST))];
        all.extend(parts.into_iter().map(|part| part as Box<dyn Setter + '_>));
        if let (Some(challenge), Some(credentials)) = (&self.challenge, &self.credentials) {
            let text = |attr, text: &str| {
                Box::new(TextAttribute {
                    attr,
                    text: text.to_owned(),
                })
            };
            all.push(text(ATTR_USERNAME, &credentials.username));
            all.push(text(ATTR_REALM, &challenge.realm));
            all.push(text(ATTR_NONCE, &challenge.nonce));
            let integrity = MessageIntegrity::new_long_term_integrity_with_provider(
                credentials.username.clone(),
                challenge.realm.clone(),
                credentials.password.clone(),
                self.crypto.crypto(),
            );
            all.push(Box::new(integrity.map_err(|e| ProbeError::Tls(e.to_string()))?));
        }
        all.push(Box::new(FINGERPRINT));
        message.build(&all).map_err(|_| ProbeError::Malformed)?;
        drop(all);
        let network = |error| ProbeError::network(error, ANSWER_WITHIN.as_secs());
        let deadline = Instant::now() + ANSWER_WITHIN;
        let mut wait = AGAIN_AFTER;
        loop {
            self.way.send(&message.raw).map_err(network)?;
            let again = if self.way.is_lossy() {
                (Instant::now() + wait).min(deadline)
            } else {
                deadline
            };
            wait *= 2;
            loop {
                match self.way.receive(again) {
                    Ok(bytes) => {
                        // Rubbish in a datagram may be anybody's; what else comes is not the answer to this.
                        let answer = decode(bytes);
                        if answer.is_none() && !self.way.is_lossy() {
                            return Err(ProbeError::Malformed);
                        }
                        if let Some(answer) = answer.filter(|answer| answer.transaction_id == id) {
                            return Ok(answer);
                        }
                    }
                    Err(_) if Instant::now() >= again && Instant::now() < deadline => break,
                    Err(error) => return Err(network(error)),
                }
            }
        }
    }
}

fn decode(bytes: Vec<u8>) -> Option<Message> {
    let mut message = Message::new();
    message.raw = bytes;
    message.decode().ok()?;
    Some(message)
}

fn challenge(answer: &Message) -> Result<Challenge, ProbeError> {
    let text = |attr| {
        TextAttribute::get_from_as(answer, attr)
            .map(|attribute| attribute.text)
            .map_err(|_| ProbeError::Malformed)
    };
    Ok(Challenge {
        realm: text(ATTR_REALM)?,
        nonce: text(ATTR_NONCE)?,
    })
}

const fn address_of(peer: SocketAddr) -> PeerAddress {
    PeerAddress {
        ip: peer.ip(),
        port: peer.port(),
    }
}
