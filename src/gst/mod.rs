//! Encoding with GStreamer: which encoders there are, whether they work, and running them.
//!
//! Drivers and encoders may crash, or hang even in being stopped. So nothing here is called in the host: only in the
//! capture process and in the trial of an encoder, which are processes of their own and can be killed.
//!
//! ```text
//! PlanarPicture ─▶ appsrc ─▶ encoder ─▶ appsink ─▶ Frame
//!         (one picture at a time)    (never drops a frame)
//! ```
//!
//! - `records` what is known about each encoder · `encoder` how that is carried out · `hardware` what some need
//! - `pipeline` one that runs · `elements` by GStreamer · `x264` by libx264 itself · `budget` what it may spend · `ledger` which picture came out
//! - `probe` a trial · `bitstream`, `verify` whether what it gave is right
//!
//! Faults it notices: an element's error, and pictures that go in without anything coming out.

mod bitstream;
mod budget;
mod elements;
mod encoder;
mod error;
mod hardware;
mod ledger;
mod pipeline;
mod plugins;
mod probe;
mod records;
#[cfg(debug_assertions)]
mod sabotage;
mod verify;
mod x264;

pub use encoder::Encoder;
pub use error::GstError;
pub use hardware::Hardware;
#[cfg(debug_assertions)]
pub use pipeline::FAIL_ENCODER;
pub use pipeline::{Picture, Pipeline, PipelineConfig};
pub use plugins::init;
pub use probe::{Probe, probe};
pub use records::ENCODERS;
#[cfg(debug_assertions)]
pub use sabotage::FAIL_PROBE;
