//! What must hold of any input, one target each.

pub mod capture;
pub mod configuration;
pub mod input;
pub mod keeper;
pub mod rest;
pub mod sdp;
pub mod signalling;
