//! Compiles `proto/` into Rust types. protox parses the files, so the machine needs no protoc.

use std::error::Error;
use std::path::Path;
use std::process::Command;
use std::{env, fs};

const FILES: [&str; 3] = [
    "ma/streaming/open_data/v1/open_data.proto",
    "ma/streaming/api/v1/api.proto",
    "ma/streaming/key_generator/v1/key_generator.proto",
];

/// What `telewire --version` says it was built with.
fn compiler_version() -> String {
    let said = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())).arg("--version").output();
    let version = said.ok().and_then(|output| String::from_utf8(output.stdout).ok()).unwrap_or_default();
    version.trim().trim_start_matches("rustc ").to_string()
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    // Several checkouts may share a folder of intermediate results, and cargo keeps one OUT_DIR for all of them.
    println!("cargo:rerun-if-env-changed=TELEWIRE_CHECKOUT");
    for file in FILES {
        println!("cargo:rerun-if-changed=proto/{file}");
    }
    println!("cargo:rustc-env=TELEWIRE_RUSTC={}", compiler_version());
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
