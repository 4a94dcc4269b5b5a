//! Compiles the protocol files in pure Rust, so that no `protoc` is needed.

#![allow(clippy::disallowed_methods, reason = "a build script writes what it generates")]

use std::error::Error;
use std::path::PathBuf;

use prost::Message as _;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let names = [
        "aurora/v1/admin.proto",
        "aurora/v1/api.proto",
        "aurora/v1/backups.proto",
        "aurora/v1/cron.proto",
        "aurora/v1/events.proto",
        "aurora/v1/job.proto",
        "aurora/v1/maintenance.proto",
        "aurora/v1/plan.proto",
        "aurora/v1/updates.proto",
    ];
    let files = protox::compile(names, ["proto"])?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("aurora.v1.fds"), files.encode_to_vec())?;
    // Maps by key, so that equal messages are encoded alike.
    tonic_prost_build::configure().btree_map(".").compile_fds(files)?;
    Ok(())
}
