//! Heliostat hosts interactive X11 programs as supervised instances and streams each to web browsers by WebRTC.
#![warn(missing_docs, missing_debug_implementations)]

pub mod app;
pub mod capture;
pub mod clock;
pub mod config;
pub mod gst;
pub mod ids;
pub mod media;
pub mod process;
pub mod protocol;
pub mod store;
pub mod supervision;
pub mod x11;
