//! Everything that has to work of one server.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::client::{Allocation, Client};
use super::error::ProbeError;
use super::step::{Step, in_words};
use super::trust::Trust;
use super::way::{Way, addresses};
use crate::clock::unix_ms;
use crate::config::{Hidden, IceUrl};
use crate::ice::Credentials;

/// From a datagram that is sent into the relay to its arrival.
const RELAYED_WITHIN: Duration = Duration::from_secs(1);
/// Datagrams get lost: so many are sent.
const DATAGRAMS: usize = 3;
/// A clock that is further ahead is noticed at once.
const LONG_LIFE: Duration = Duration::from_secs(86_400);
/// The user name of a check.
const USER: &str = "check-ice";

/// What a check has to go on.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The secrets shared with the TURN servers, the one in use first.
    pub secrets: Vec<Hidden>,
    /// How long credentials are good.
    pub life: Duration,
    /// Where the host takes media: the address it binds, and the one it tells browsers.
    pub hosts: Vec<(IpAddr, IpAddr)>,
    /// The UDP ports there.
    pub ports: RangeInclusive<u16>,
    /// Which certificates are believed.
    pub trust: Trust,
}

/// What came of the check of one server at one of its addresses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// As it is configured.
    pub url: String,
    /// `udp`, `tcp` or `tls`.
    pub transport: &'static str,
    /// Where it is; absent where its name leads nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<SocketAddr>,
    /// Whether everything works that has to.
    pub ok: bool,
    /// The parts, in their order. What comes after one that failed is left out where it needs that.
    pub steps: Vec<Step>,
}

/// Checks a server at each of its addresses. Blocks, for half a minute at most.
#[must_use]
pub fn check(url: &IceUrl, setting: &Setting) -> Vec<Checked> {
    let began = Instant::now();
    match addresses(url) {
        Ok(all) => std::thread::scope(|scope| {
            let each: Vec<_> = all
                .into_iter()
                .map(|server| (server, scope.spawn(move || check_at(url, server, setting))))
                .collect();
            let checked = each.into_iter().map(|(server, steps)| {
                let steps = steps.join().unwrap_or_default();
                checked(url, Some(server), steps)
            });
            checked.collect()
        }),
        Err(error) => vec![checked(url, None, vec![Step::new("connect", Err(&error), began)])],
    }
}

fn checked(url: &IceUrl, address: Option<SocketAddr>, steps: Vec<Step>) -> Checked {
    Checked {
        url: url.to_string(),
        transport: url.way(),
        address,
        ok: !steps.is_empty() && steps.iter().all(|step| step.ok),
        steps,
    }
}

/// One server at one address.
struct Check<'a> {
    url: &'a IceUrl,
    server: SocketAddr,
    setting: &'a Setting,
    steps: Vec<Step>,
}

fn check_at(url: &IceUrl, server: SocketAddr, setting: &Setting) -> Vec<Step> {
    let mut check = Check {
        url,
        server,
        setting,
        steps: Vec::new(),
    };
    check.all();
    check.steps
}

impl Check<'_> {
    fn all(&mut self) -> Option<()> {
        let mut client = self.step("connect", |check| {
            let client = check.connect()?;
            let text = match check.url.way() {
                "udp" => format!("datagrams go to {}", check.server),
                way => format!("{} is there, over {way}", check.server),
            };
            Ok((client, text))
        })?;
        self.step("binding", |_| {
            let seen = client.binding()?;
            Ok(((), format!("it sees {seen}")))
        })?;
        if !self.url.is_relay() {
            return Some(());
        }
        let allocation = self.step("allocation", |check| {
            let allocation = check.allocate(&mut client)?;
            let text = format!("{} relays for {}", allocation.relayed, in_words(allocation.lifetime));
            Ok((allocation, text))
        })?;
        self.step("relay", |check| Ok(((), check.reach(&mut client, allocation)?)));
        self.step("life", |check| {
            let kept = client.refresh(allocation.lifetime)?;
            let good = in_words(check.setting.life);
            Ok((
                (),
                format!(
                    "credentials are good for {good}, the relay was renewed for {}",
                    in_words(kept)
                ),
            ))
        });
        let given_back = client.refresh(Duration::ZERO);
        log::debug!("relay given back: {given_back:?}");
        self.step("refusal", Self::refuses)
    }

    fn step<T>(
        &mut self,
        name: &'static str,
        run: impl FnOnce(&mut Self) -> Result<(T, String), ProbeError>,
    ) -> Option<T> {
        let began = Instant::now();
        let (value, outcome) = match run(self) {
            Ok((value, text)) => (Some(value), Ok(text)),
            Err(error) => (None, Err(error)),
        };
        let step = Step::new(name, outcome.as_ref().map(String::clone), began);
        self.steps.push(step);
        value
    }

    fn connect(&self) -> Result<Client, ProbeError> {
        Client::new(Way::open(self.url, self.server, &self.setting.trust)?)
    }

    fn credentials(&self, secret: &Hidden, life: Duration) -> Credentials {
        Credentials::new(secret, USER, unix_ms(), life)
    }

    /// Asks for a relay as a browser would; where that is refused, finds out what would not be.
    fn allocate(&self, client: &mut Client) -> Result<Allocation, ProbeError> {
        let secrets = &self.setting.secrets;
        let first = secrets.first().ok_or(ProbeError::NoSecret)?;
        client.show(self.credentials(first, self.setting.life));
        let refused = match client.allocate() {
            Err(ProbeError::WrongCredentials) => ProbeError::WrongCredentials,
            other => return other,
        };
        if self.would_accept(self.credentials(first, LONG_LIFE)) {
            return Err(ProbeError::ClockAhead);
        }
        if let Some(second) = secrets.get(1)
            && self.would_accept(self.credentials(second, self.setting.life))
        {
            return Err(ProbeError::OnlySecondSecret);
        }
        Err(refused)
    }

    /// Whether the server gives a relay to who shows these, over a way of its own.
    fn would_accept(&self, credentials: Credentials) -> bool {
        let asked = || -> Result<(), ProbeError> {
            let mut client = self.connect()?;
            client.show(credentials);
            client.allocate()?;
            client.refresh(Duration::ZERO).map(|_| ())
        };
        asked().is_ok()
    }

    /// Whether the relay leads to the host: to where browsers are told to go.
    fn reach(&self, client: &mut Client, allocation: Allocation) -> Result<String, ProbeError> {
        let mut worst = None;
        let of_family = |(_, told): &&(IpAddr, IpAddr)| told.is_ipv4() == allocation.relayed.is_ipv4();
        for (bind, told) in self.setting.hosts.iter().filter(of_family) {
            match self.echo(client, allocation, *bind, *told) {
                Ok(text) => return Ok(text),
                // What is allowed and does not arrive says more than what is not allowed.
                Err(error @ ProbeError::NotRelayed(_)) => worst = Some(error),
                Err(error) => worst = worst.or(Some(error)),
            }
        }
        Err(worst.unwrap_or(ProbeError::NotRelayed(allocation.relayed.ip())))
    }

    fn echo(
        &self,
        client: &mut Client,
        allocation: Allocation,
        bind: IpAddr,
        told: IpAddr,
    ) -> Result<String, ProbeError> {
        let network = |error| ProbeError::network(error, RELAYED_WITHIN.as_secs());
        // One of the ports that the firewall lets in.
        let mut ports = self.setting.ports.clone();
        let socket = ports
            .find_map(|port| UdpSocket::bind((bind, port)).ok())
            .ok_or(ProbeError::Unreachable(std::io::ErrorKind::AddrInUse.into()))?;
        let here: SocketAddr = (told, socket.local_addr().map_err(network)?.port()).into();
        client.permit(here)?;
        let word = format!("heliostat {}", crate::clock::monotonic_us());
        let mut buffer = [0; 128];
        for _ in 0..DATAGRAMS {
            client.relay(here, word.as_bytes())?;
            socket
                .set_read_timeout(Some(RELAYED_WITHIN / DATAGRAMS as u32))
                .map_err(network)?;
            let Ok((length, from)) = socket.recv_from(&mut buffer) else {
                continue;
            };
            if &buffer[..length] != word.as_bytes() {
                continue;
            }
            socket.send_to(word.as_bytes(), from).map_err(network)?;
            let back = client.relayed(Instant::now() + RELAYED_WITHIN);
            if back.is_some_and(|(_, data)| data == word.as_bytes()) {
                return Ok(format!("{} reaches {here}, and back", allocation.relayed));
            }
        }
        Err(ProbeError::NotRelayed(told))
    }

    /// Whether who has no business there gets no relay.
    fn refuses(&mut self) -> Result<((), String), ProbeError> {
        let guessed = Hidden::new("a-secret-that-nobody-has").ok_or(ProbeError::NoSecret)?;
        if self.would_accept(self.credentials(&guessed, self.setting.life)) {
            return Err(ProbeError::Open("a wrong secret"));
        }
        if let Some(first) = self.setting.secrets.first() {
            let expired = Credentials::new(first, USER, unix_ms() - 86_400_000, Duration::from_secs(1));
            if self.would_accept(expired) {
                return Err(ProbeError::Open("credentials that have run out"));
            }
        }
        Ok(((), "a wrong secret and expired credentials are refused".to_owned()))
    }
}
