//! What an instance's picture comes from and its input goes to, as the instance knows it.
//!
//! ```text
//!                 frames ─▶ Hub ─▶ viewers
//!   Source ────── facts ──▶ FactsCell ─▶ status            all but the source belongs to the instance,
//!     ▲  └─────── windows ─▶ viewers                       and outlives each of the source's lives
//!     └── input ◀── queue ◀── who steers
//! ```
//!
//! A source is a part of the instance's tree and says by [`Facts`] how it is. A desktop is one (`crate::desktop`); nothing
//! here knows of displays or processes.
//!
//! Faults it survives: none of its own; there is nothing in here that runs.

mod facts;
mod vnc_line;

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

pub use facts::{EndReason, Facts, FactsCell, Failure, Part, PartSpec};
pub use vnc_line::{Incoming, LineEnd, NoVnc, VncLine, Wanted};

use crate::supervision::{ExitReason, SupervisorSpec};

/// Takes a picture, as PNG. May block, within seconds.
pub type TakePicture = Box<dyn FnOnce() -> Result<Vec<u8>, NoPicture> + Send>;
/// Why a picture was not taken.
pub type NoPicture = Box<dyn Error + Send + Sync>;

/// What an instance's picture comes from and its input goes to. What it is made with says where its frames, facts and
/// windows go, and where its input comes from; all that is the instance's.
#[async_trait]
pub trait Source: fmt::Debug + Send + Sync {
    /// Its name in the instance's tree.
    fn name(&self) -> &'static str;

    /// The part of the instance's tree that it is: begun with the instance, and again when that is restarted.
    fn tree(self: Arc<Self>) -> SupervisorSpec;

    /// Why the instance has failed, when that part has given up with `reason`.
    fn failure(&self, reason: &ExitReason) -> Failure;

    /// Ends what is left of it, whatever became of its tree before; what is left to the next host is not.
    async fn end(&self);

    /// Faults of before no longer count: it is about to be begun afresh.
    async fn forgive(&self);

    /// Whether something of it lives that another tree can go on with.
    fn lives(&self) -> bool;

    /// From now on what lives of it stays when its tree ends, for the next host.
    fn leave(&self);

    /// Whether it is left so.
    fn is_left(&self) -> bool;

    /// The last lines that it wrote before it ended.
    fn last_output(&self) -> Vec<String>;

    /// Shows one of its windows and gives it the keys, if there is one like that. Never waits.
    fn activate_window(&self, window: u32);

    /// What takes its picture now; `None` while there is none.
    fn picture(&self) -> Option<TakePicture>;

    /// A line to its VNC server, which is started where it does not run.
    ///
    /// # Errors
    /// [`NoVnc`].
    async fn vnc_line(&self) -> Result<VncLine, NoVnc>;
}
