//! What goes over the wire, as types and bytes: pure, without I/O and without a clock.
//!
//! - [`input`]: the binary frames of the data channels `input` and `moves`.
//! - [`signalling`]: the JSON messages of the socket `/ws`.

pub mod input;
pub mod signalling;
