#![no_main]

#[path = "../checks/keeper.rs"]
mod keeper;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| keeper::check(bytes));
