//! Compiles the protocol files; no `protoc` is needed.

#![allow(clippy::disallowed_methods, reason = "a build script writes what it generates")]

use std::path::PathBuf;

use prost::Message;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = [
        "proto/mesos/v1/mesos.proto",
        "proto/mesos/v1/scheduler/scheduler.proto",
        "proto/mesos/v1/executor/executor.proto",
        "proto/mesos/v1/agent/agent.proto",
    ];
    println!("cargo:rerun-if-changed=proto");
    let descriptors = protox::compile(files, ["proto"])?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("mesos.fds"), descriptors.encode_to_vec())?;
    prost_build::Config::new().enable_type_names().bytes(["."]).compile_fds(descriptors)?;
    Ok(())
}
