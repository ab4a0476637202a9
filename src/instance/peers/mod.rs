//! The peers of an instance's viewers: which may be ([`places`], [`offer_book`]), how they come about ([`offers`],
//! [`media_peer`]), how they end, and what they let through of input.

pub(in crate::instance) mod beside;
pub(in crate::instance) mod input_gate;
pub(in crate::instance) mod latencies;
pub(in crate::instance) mod lateness;
pub mod media_peer;
pub(in crate::instance) mod offer_book;
pub mod offers;
pub mod paths;
pub(in crate::instance) mod peer_child;
pub(in crate::instance) mod peer_end;
pub(in crate::instance) mod places;
