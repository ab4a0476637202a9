//! Everything that speaks to an X server: grabbing, input by XTEST, screenshots, readiness of windows.
//!
//! Each user has a connection and a thread of its own, so that a server that hangs holds up nobody else. X errors are
//! logged and are not fatal; a connection that is gone is [`X11Error::DisplayLost`]. Nothing waits without a deadline,
//! an [`Aborter`] or a [`Cancel`].
//!
//! ```text
//! viewers ─▶ InputQueue ─▶ InputThread (Injector) ─▶ XTEST ─▶ X server ─ damage ─▶ Grabber ─▶ Picture
//!            (instance's)   ▲ HeldInput (instance's)
//! ```
//!
//! Faults it survives: a server that dies, hangs or answers with errors; a keymap or screen size that changes.

mod answers;
mod auth;
mod backlog;
mod bindings;
mod charset;
mod chord;
mod connect;
mod damage;
mod echo;
mod error;
mod grab;
mod held;
mod input_queue;
mod input_thread;
mod keymap;
mod manager;
mod picture;
mod presses;
mod pulse;
mod screenshot;
mod steward;
mod typing;
mod uptake;
mod usage;
mod wake;
mod wheel;
mod windows;
mod xkb;
mod xtest;

pub use auth::create_authority;
pub use connect::{Aborter, Cancel, DisplayAddress, check_display};
pub use error::X11Error;
pub use grab::Grabber;
pub use held::HeldInput;
pub use input_queue::InputQueue;
pub use input_thread::{InputHooks, InputThread};
pub use manager::wait_for_window_manager;
pub use pulse::Pulse;
pub use screenshot::screenshot;
pub use steward::{Steward, StewardHooks, WindowOrders};
pub use typing::prepare_keyboard;
pub use wake::{Wake, wait_readable};
pub use windows::{DrawnWindow, wait_for_drawn_window};
pub use xtest::{Injector, KeyboardMode};

/// Locks a mutex whose data stays usable after a panic of another holder: nothing here is left half done.
fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
