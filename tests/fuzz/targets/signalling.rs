#![no_main]

#[path = "../checks/signalling.rs"]
mod signalling;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| signalling::check(bytes));
