//! The ways of browsers to the host: STUN and TURN servers, and credentials for them.
//!
//! - [`credentials`]: time-limited TURN credentials; pure.
//! - [`handout`]: what a session is told of the servers, and when it is told again; pure. The one place from which the
//!   socket and REST take it.
//! - [`public_address`]: the candidates of a host behind 1:1 NAT.
//! - [`asking`]: when STUN servers are asked for its address; the decisions are pure.
//! - [`probe`]: asks a STUN or TURN server itself, as a browser would: for `heliostat check-ice`, and for the public
//!   address.
//!
//! A secret that is shared with a TURN server stays in the configuration: sessions get credentials that are worth
//! nothing after `ice.credentials_life`, and that open nothing at this host.
//!
//! Faults it survives: servers that do not answer, or with rubbish (every wait has a deadline, every message a bound); a public
//! address that changes, or that nobody tells at the start.

pub mod asking;
pub mod credentials;
pub mod handout;
pub mod probe;
pub mod public_address;

pub use credentials::Credentials;
pub use handout::Handout;
pub use public_address::PublicAddresses;
