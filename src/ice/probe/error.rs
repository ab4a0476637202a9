//! Why a server did not do what it was asked.

use std::io;
use std::net::IpAddr;

/// Why a server did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// Its name leads nowhere.
    #[error("the name {0} is not known")]
    Unresolved(String),
    /// Nothing listens there.
    #[error("nothing listens there")]
    Refused,
    /// No answer came.
    #[error("no answer within {0} s")]
    NoAnswer(u64),
    /// There is no way to it.
    #[error("it cannot be reached: {0}")]
    Unreachable(io::Error),
    /// Its certificate is not believed, as no browser would believe it.
    #[error("its certificate is not valid: {0}")]
    Untrusted(String),
    /// It does not speak TLS, or not so that it is understood.
    #[error("no TLS connection comes about: {0}")]
    Tls(String),
    /// What it says is not STUN.
    #[error("what it answers is not STUN")]
    Malformed,
    /// It wants to be shown credentials, and there is no secret to make them with.
    #[error("there is no secret to make credentials with")]
    NoSecret,
    /// It does not accept the credentials.
    #[error("it refuses the credentials (401)")]
    WrongCredentials,
    /// It does not accept the first secret, but the second.
    #[error("it knows only the second secret")]
    OnlySecondSecret,
    /// It accepts credentials of the same secret that are good for longer.
    #[error("its clock is ahead of this one by more than the life of the credentials")]
    ClockAhead,
    /// It gives a relay to whoever asks.
    #[error("it gives a relay to who has {0}")]
    Open(&'static str),
    /// It does not relay to there.
    #[error("it does not relay to {0} (403)")]
    DeniedPeer(IpAddr),
    /// Who asks has too many relays already.
    #[error("its quota is used up (486)")]
    Quota,
    /// It has no relay left.
    #[error("it has no relay left (508)")]
    NoCapacity,
    /// It relays, and nothing arrives.
    #[error("what it relays does not arrive at {0}")]
    NotRelayed(IpAddr),
    /// It refuses for another reason.
    #[error("it answers with an error: {code} {reason}")]
    Answered {
        /// The number (RFC 8489, section 14.8).
        code: u16,
        /// Its words.
        reason: String,
    },
}

impl ProbeError {
    /// The stable word.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unresolved(_) => "unresolved",
            Self::Refused => "refused",
            Self::NoAnswer(_) => "no_answer",
            Self::Unreachable(_) => "unreachable",
            Self::Untrusted(_) => "tls_untrusted",
            Self::Tls(_) => "tls_failed",
            Self::Malformed => "not_stun",
            Self::NoSecret => "no_secret",
            Self::WrongCredentials => "wrong_credentials",
            Self::OnlySecondSecret => "only_second_secret",
            Self::ClockAhead => "clock_ahead",
            Self::Open(_) => "open_relay",
            Self::DeniedPeer(_) => "denied_peer",
            Self::Quota => "quota",
            Self::NoCapacity => "no_capacity",
            Self::NotRelayed(_) => "not_relayed",
            Self::Answered { .. } => "answered_error",
        }
    }

    /// What the operator can do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Unresolved(_) => "correct the name in ice.servers, or its DNS record",
            Self::Refused => "start the server, or correct the port in ice.servers; for TLS it needs a certificate",
            Self::NoAnswer(_) | Self::Unreachable(_) => "a firewall may be in between: let the server's port in",
            Self::Untrusted(_) => "give the server a certificate for this name of an authority that browsers know",
            Self::Tls(_) => "give the server a certificate and a port for TLS, or use turn: instead of turns:",
            Self::Malformed => "something else listens there: correct the port in ice.servers",
            Self::NoSecret => "set ice.secret_file to a file with the server's static-auth-secret",
            Self::WrongCredentials => "give host and server the same secret: ice.secret_file, static-auth-secret",
            Self::OnlySecondSecret => "give the server the first secret before the second one is taken away",
            Self::ClockAhead => "set the clocks of host and server, by NTP for instance",
            Self::Open(_) => "make the server check credentials: use-auth-secret, without no-auth",
            Self::DeniedPeer(_) => "let the server relay to the host: scripts/install-coturn --peer ADDRESS",
            Self::Quota => "raise user-quota and total-quota of the server",
            Self::NoCapacity => "give the server a larger range of ports for relays",
            Self::NotRelayed(_) => "let the UDP ports of media.udp_ports in from the server",
            Self::Answered { .. } => "see the server's log",
        }
    }

    /// What an error of the network means.
    pub(super) fn network(error: io::Error, patience: u64) -> Self {
        use io::ErrorKind as Kind;
        match error.kind() {
            Kind::ConnectionRefused => Self::Refused,
            Kind::WouldBlock | Kind::TimedOut => Self::NoAnswer(patience),
            Kind::UnexpectedEof | Kind::ConnectionReset | Kind::BrokenPipe => Self::Malformed,
            _ => Self::Unreachable(error),
        }
    }
}
