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
//! [`Manager`] launches, adopts and finds instances. Its status: [`status`].
//!
//! Faults it survives: a panic of any of its actors and supervisors (`mending`), the loss of any of its processes, viewers that vanish.

pub mod actor;
mod announcing;
mod beside;
mod catalogue;
mod doing;
mod door;
mod error;
pub mod events;
#[cfg(test)]
mod fake;
mod feed;
mod folder_work;
mod handle;
mod input_gate;
mod kept_homes;
mod latencies;
mod lateness;
mod leaving;
mod making;
mod manager;
pub mod media_peer;
mod mending;
mod offer_book;
pub mod offers;
mod outbound;
pub mod paths;
mod peer_child;
mod peer_end;
mod places;
mod roster;
mod rows;
mod screenshots;
mod services;
mod shared;
mod speaker;
mod spec;
pub mod status;
mod steering;
#[cfg(test)]
pub(crate) mod testing;
mod tree;
mod viewers;
mod visits;

pub use catalogue::Catalogue;
pub use door::Door;
pub use error::InstanceError;
pub use handle::{InstanceHandle, RequestError};
pub use kept_homes::KeptHomeError;
pub use manager::{Capacity, Manager};
pub use offer_book::OfferBook;
pub use outbound::{Outbound, OutboundTexts, outbound};
pub use peer_child::Answer;
pub use rows::RowError;
pub use screenshots::{ScreenshotError, ScreenshotTurns};
pub use services::Services;
pub use speaker::{RoleNow, Speaker};
pub use spec::{InstanceSpec, LaunchError, LaunchRequest};
pub use viewers::{ControlError, ControlWish};
