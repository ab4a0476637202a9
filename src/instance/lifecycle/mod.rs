//! How an instance comes about, is, is mended and ends; what of it is told.

pub(in crate::instance) mod doing;
pub mod events;
pub(in crate::instance) mod making;
pub(in crate::instance) mod mending;
pub mod status;
