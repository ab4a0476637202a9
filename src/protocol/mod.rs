//! What goes over the wire, as types and bytes: pure, without I/O and without a clock.
//!
//! - [`input`]: the binary frames of the data channels `input` and `moves`.

pub mod input;
