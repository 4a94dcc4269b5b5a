//! Names the stylesheet after its content, so that browsers may keep it for ever.

#![allow(clippy::disallowed_methods, reason = "a build script reads its package's files")]

use std::hash::{DefaultHasher, Hash, Hasher};

fn main() -> std::io::Result<()> {
    println!("cargo::rerun-if-changed=src/style.css");
    let mut hasher = DefaultHasher::new();
    std::fs::read("src/style.css")?.hash(&mut hasher);
    println!("cargo::rustc-env=AURORA_STYLE_HASH={:016x}", hasher.finish());
    Ok(())
}
