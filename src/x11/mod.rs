//! Everything that speaks to an X server: grabbing, input by XTEST, screenshots, readiness of windows.
//!
//! Each user has a connection and a thread of its own, so that a server that hangs holds up nobody else. X errors are
//! logged and are not fatal; a connection that is gone is [`X11Error::DisplayLost`]. Nothing waits without a deadline
//! or an [`Aborter`].
//!
//! Faults it survives: a server that dies, hangs or answers with errors; a keymap or screen size that changes.

mod auth;
mod connect;
mod error;
mod grab;
mod picture;
mod wake;

pub use auth::create_authority;
pub use connect::{Aborter, Cancel, DisplayAddress, check_display};
pub use error::X11Error;
pub use grab::Grabber;
pub use picture::Picture;
pub use wake::{Wake, wait_readable};

/// Locks a mutex whose data stays usable after a panic of another holder: nothing here is left half done.
fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
