//! Heliostat hosts interactive X11 programs as supervised instances and streams each to web browsers by WebRTC.
#![warn(missing_docs, missing_debug_implementations)]

pub mod clock;
pub mod ids;
pub mod media;
pub mod peer;
pub mod protocol;
