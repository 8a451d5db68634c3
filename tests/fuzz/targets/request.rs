//! See `embedded::request`.
#![no_main]

#[path = "../embedded.rs"]
#[allow(dead_code)]
mod embedded;

libfuzzer_sys::fuzz_target!(|data: &[u8]| embedded::request(data));
