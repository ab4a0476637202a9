//! The real host: encryption of its pages and what stands before them, seen from its network side, and what it may do on
//! its machine.

mod exchange;
mod handshake;
mod headers;
mod proxies;
mod rights;
mod support;
