//! Encoding with GStreamer: which encoders there are, whether they work, and running them.
//!
//! Drivers and encoders may crash, or hang even in being stopped. So nothing here is called in the host: only in the
//! capture process and in the probe, which are processes of their own and can be killed.
//!
//! ```text
//! PlanarPicture ─▶ appsrc ─▶ encoder ─▶ appsink ─▶ Frame
//!         (one picture at a time)    (never drops a frame)
//! ```
//!
//! Faults it notices: an element's error, and pictures that go in without anything coming out.

mod budget;
mod encoder;
mod error;
mod ledger;
mod pipeline;
mod plugins;
mod probe;

pub use encoder::{ENCODERS, Encoder};
pub use error::GstError;
#[cfg(debug_assertions)]
pub use pipeline::FAIL_ENCODER;
pub use pipeline::{Picture, Pipeline, PipelineConfig};
pub use plugins::init;
pub use probe::{Probe, probe};
