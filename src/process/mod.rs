//! The processes of an instance: the keeper that owns them, the host's client of it, and the sweep after a crash.

pub mod keeper;
mod proc;
