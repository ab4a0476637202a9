//! Encryption of the pages, what stands before them, what lets in, and what comes without end: the real host, seen from
//! its network side.

mod exchange;
mod half_read;
mod handshake;
mod headers;
mod proxies;
mod signing_in;
mod support;
