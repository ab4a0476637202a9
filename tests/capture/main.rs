//! The capture process, its client, and the X server side, against a real Xvfb.

mod changes;
mod editors;
mod frames;
mod input;
mod keyboard;
mod low_rates;
mod measure;
mod pulse;
mod quality;
mod renditions;
mod resizing;
mod screen;
mod support;
mod typing;
mod windows;

use std::time::Duration;

/// Longer than anything takes on a busy machine; nothing waits that long when all is well.
const SOON: Duration = Duration::from_secs(20);
