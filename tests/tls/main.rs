//! The real host: encryption of its pages, what stands before them, what lets in, and what comes without end, seen from its
//! network side; and what it may do on its machine.

mod exchange;
mod half_read;
mod handshake;
mod headers;
mod proxies;
mod rights;
mod signing_in;
mod support;
mod upgrade;
