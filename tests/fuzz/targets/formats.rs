//! See `folds::formats`.
#![no_main]

#[path = "../folds.rs"]
#[allow(dead_code)]
mod folds;

libfuzzer_sys::fuzz_target!(|data: &[u8]| folds::formats(data));
