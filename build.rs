//! Compiles `proto/` into Rust types. protox parses the files, so the machine needs no protoc.

use std::error::Error;

const FILES: [&str; 3] = [
    "ma/streaming/open_data/v1/open_data.proto",
    "ma/streaming/api/v1/api.proto",
    "ma/streaming/key_generator/v1/key_generator.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    for file in FILES {
        println!("cargo:rerun-if-changed=proto/{file}");
    }
    prost_build::Config::new()
        // Sorted maps: the same message always gives the same bytes.
        .btree_map(["."])
        .compile_fds(protox::compile(FILES, ["proto"])?)?;
    Ok(())
}
