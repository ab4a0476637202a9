//! Instances: one running app each, with its display, capture and viewers.
//!
//! ```text
//! Instances           dynamic, max_children = capacity
//!  └ <id>             one_for_one, auto_shutdown any_significant
//!     ├ peers         dynamic: one child per peer, temporary
//!     ├ desktop       its source, see `crate::source`: here a Desktop; past its intensity the instance is FAILED
//!     └ actor         significant: status, viewers, control
//! ```
//!
//! What an instance is, outlives its actors: [`shared::InstanceShared`]. The layers above hold an [`InstanceHandle`];
//! [`Manager`] launches, adopts and finds instances. Its status: [`lifecycle::status`].
//!
//! Faults it survives: a panic of any of its actors and supervisors (`mending`), the loss of any of its processes, viewers that vanish.

pub mod actor;
mod catalogue;
mod error;
#[cfg(test)]
mod fake;
mod feed;
mod handle;
pub mod lifecycle;
mod manager;
pub mod peers;
mod screenshots;
mod services;
mod shared;
mod spec;
mod storage;
#[cfg(test)]
pub(crate) mod testing;
mod tree;
mod viewing;

pub use catalogue::Catalogue;
pub use error::InstanceError;
pub use handle::{InstanceHandle, RequestError};
pub use manager::{Capacity, Manager};
pub use peers::offer_book::OfferBook;
pub use peers::peer_child::Answer;
pub use screenshots::{ScreenshotError, ScreenshotTurns};
pub use services::Services;
pub use spec::{InstanceSpec, LaunchError, LaunchRequest};
pub use storage::kept_homes::KeptHomeError;
pub use storage::rows::RowError;
pub use viewing::door::Door;
pub use viewing::outbound::{Outbound, OutboundTexts, outbound};
pub use viewing::speaker::{RoleNow, Speaker};
pub use viewing::viewers::{ControlError, ControlWish};
