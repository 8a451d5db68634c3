//! See `merging::merge`.
#![no_main]

#[path = "../merging.rs"]
mod merging;

libfuzzer_sys::fuzz_target!(|data: &[u8]| merging::merge(data));
