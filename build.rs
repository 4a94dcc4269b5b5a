//! How the program is linked.

#![allow(
    clippy::disallowed_methods,
    reason = "a build script is told its target by the environment"
)]

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // The program holds 100,000 addresses that are only known when it is loaded. Packed they take 50 KB, not 2.5 MB,
    // which every command would read before it begins. A linker that does not know it leaves them as they are; a
    // glibc before 2.36 does not load what another has packed.
    let target = |name: &str| std::env::var(name).unwrap_or_default();
    if target("CARGO_CFG_TARGET_OS") == "linux" && target("CARGO_CFG_TARGET_ENV") == "gnu" {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}
