//! The messages that cross a process or network boundary, as pure encoders and decoders.
//!
//! Nothing here does I/O or reads a clock. Whatever comes from outside is decoded into a value or a typed error,
//! never into a panic.

pub mod capture;
pub mod input;
