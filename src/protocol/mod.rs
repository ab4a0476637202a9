//! What processes and browsers say to each other: messages as plain values and bytes, no I/O.

pub mod capture;
pub mod input;
pub mod keeper;
pub mod latency;
pub mod media;
pub mod rfb;
pub mod signalling;
pub mod windows;
pub mod words;
