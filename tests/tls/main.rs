//! Encryption of the pages, and what stands before them: the real host, seen from its network side.

mod exchange;
mod half_read;
mod handshake;
mod headers;
mod proxies;
mod signing_in;
mod support;
