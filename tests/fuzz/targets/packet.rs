//! See `packets::packet`.
#![no_main]

#[path = "../packets.rs"]
#[allow(dead_code)]
mod packets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| packets::packet(data));
