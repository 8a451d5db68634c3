//! See `folds::sessions`.
#![no_main]

#[path = "../folds.rs"]
#[allow(dead_code)]
mod folds;

libfuzzer_sys::fuzz_target!(|data: &[u8]| folds::sessions(data));
