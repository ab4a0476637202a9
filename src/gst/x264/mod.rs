//! H.264 by libx264 itself, not by GStreamer's element: a third of what that takes is a look at each picture in small, for a
//! rate control that knows neither the line nor what of the screen has changed. Here the quantiser of each picture is chosen
//! for it, and blocks that are as they were are not encoded.
//!
//! ```text
//! Job ─▶ Blocks (what has changed) ─▶ Control (which quantiser) ─▶ Running (libx264) ─▶ frame
//!                                        ▲──────── too large: once more, as a key frame ──┘
//! ```
//!
//! - `model`, `control` which quantiser, pure · `layout`, `library` the library · `worker` the thread that encodes

mod control;
#[cfg(test)]
mod control_tests;
mod layout;
mod library;
mod model;
mod worker;

pub(super) use layout::LIBRARY;
pub(super) use worker::{Encoded, Job, Worker};
