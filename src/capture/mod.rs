//! The picture of an instance, from its display to the hub.
//!
//! Two sides that meet at a Unix socket: the process `heliostat capture`, which owns everything that may crash or
//! hang, and the client in the host, which feeds the instance's [`crate::media::Hub`].
//!
//! ```text
//! X server ─ damage ─▶ grab ─▶ scaled ─▶ encoder per wanted rendition ─▶ outbox ─ socket ─▶ client ─▶ hub
//!                        ▲                                                                  │
//!                        └───────────── want, key frame, bit rate, expect change ───────────┘
//! ```
//!
//! The process: no host → a host connects → it wants renditions → encoders run → it goes → no host. It ends only by
//! being killed, or by failing with a [`CaptureExit`].
//!
//! Faults it survives: hosts that go, come back, or stop reading; X errors. Faults it ends with, to be started again:
//! a display that is lost, an encoder that fails or hangs.

mod args;
mod breadth;
mod client;
mod client_error;
mod codec;
mod encoders;
mod exit;
mod keys;
mod lane;
mod link;
mod outbox;
mod outlet;
mod pacing;
mod pictures;
mod privileges;
pub mod process;
mod resizing;
#[cfg(debug_assertions)]
mod sabotage;
mod sharpness;
mod socket;
mod stamping;

pub use args::CaptureArgs;
pub use client::{CaptureClient, CaptureClientConfig, CaptureHandle, CaptureInfo, CaptureProgress, FailedEncoder};
pub use client_error::CaptureError;
pub use exit::CaptureExit;

/// Locks what no panic of another holder can leave half changed.
fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
