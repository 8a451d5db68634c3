//! See `grids::grid`.
#![no_main]

#[path = "../grids.rs"]
#[allow(dead_code)]
mod grids;

libfuzzer_sys::fuzz_target!(|data: &[u8]| grids::grid(data));
