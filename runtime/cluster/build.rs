//! Compiles the protocol between agent and master.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=proto");
    let files = protox::compile(
        ["aurora/cluster/v1/cluster.proto", "aurora/cluster/v1/checkpoint.proto"],
        ["proto"],
    )?;
    tonic_prost_build::configure().bytes(".").compile_fds(files)?;
    Ok(())
}
