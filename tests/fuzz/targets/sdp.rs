#![no_main]

#[path = "../checks/sdp.rs"]
mod sdp;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sdp::check(bytes));
