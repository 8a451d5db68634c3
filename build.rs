//! Compiles `proto/` into Rust types. protox parses the files, so the machine needs no protoc.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

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

    // The same files as descriptors; a test keeps the Python package's copy equal to them.
    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_imports(true).include_source_info(false).open_files(FILES)?;
    fs::write(Path::new(&env::var("OUT_DIR")?).join("descriptors.binpb"), compiler.encode_file_descriptor_set())?;
    Ok(())
}
