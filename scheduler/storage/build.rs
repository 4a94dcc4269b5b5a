//! Compiles the log's format; the job model's messages are those of the API.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=proto");
    println!("cargo::rerun-if-changed=../../runtime/api/proto");
    let files = protox::compile(["aurora/log/v1/log.proto"], ["proto", "../../runtime/api/proto"])?;
    prost_build::Config::new()
        .btree_map(["."])
        .extern_path(".aurora.v1", "::aurora_api::v1")
        .compile_fds(files)?;
    Ok(())
}
