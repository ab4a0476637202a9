//! Heliostat hosts interactive X11 programs as supervised instances and streams each to web browsers by WebRTC.
#![warn(missing_docs, missing_debug_implementations)]

pub mod app;
pub mod capture;
pub mod clock;
pub mod config;
pub mod gst;
pub mod ids;
pub mod media;
<<<<<<< HEAD
pub mod protocol;
pub mod store;
pub mod supervision;
pub mod x11;
pub mod peer;
pub mod instance;
pub mod desktop;
pub mod session;
pub mod signalling;
pub mod http;
=======
pub mod peer;
pub mod protocol;
>>>>>>> wip/peer
