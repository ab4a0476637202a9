//! What `heliostat-line` is made of, tested apart from its devices: `emulator.rs` is the program.

#![allow(dead_code, reason = "the program uses it all")]

mod chance;
mod device;
mod error;
mod header;
mod lane;
mod lane_tests;
mod orders;
mod shape;
