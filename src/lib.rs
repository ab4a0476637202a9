//! Heliostat hosts interactive X11 programs as supervised instances and streams each to web browsers by WebRTC.
#![warn(missing_docs, missing_debug_implementations)]

pub mod app;
pub mod capture;
pub mod clock;
pub mod config;
pub mod desktop;
pub mod files;
pub mod folders;
pub mod gst;
pub mod http;
pub mod ice;
pub mod ids;
pub mod instance;
pub mod media;
pub mod observe;
pub mod peer;
pub mod permits;
pub mod policy;
pub mod process;
pub mod protocol;
pub mod sandbox;
pub mod session;
pub mod signalling;
pub mod source;
pub mod store;
pub mod supervision;
pub mod tls;
pub mod x11;
