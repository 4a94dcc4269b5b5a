//! How long evaluation takes in a process that lives, as an editor's: anew, after a change of the
//! main file, and when nothing has changed.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a benchmark writes its files, and fails by panicking"
)]

use std::path::{Path, PathBuf};

use aurora_eval::{Disk, Engine, Options, evaluate};
use divan::Bencher;

fn main() {
    divan::main();
}

/// A file that includes 20 others and loads 20 modules, of 10 jobs together.
fn tree() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let mut main = String::new();
    for n in 0..20 {
        write(&format!("part{n}.aurora"), &format!("profile{n} = {{'cpu': 0.{n}1, 'ram': {n}}}\n"));
        write(
            &format!("module{n}.aurora"),
            &format!(
                "def service{n}(name):\n    return Service(cluster = 'c', role = 'r', \
                 environment = 'prod', name = name, task = SimpleTask(name, 'run {{{{name}}}}'))\n"
            ),
        );
        main += &format!("include('part{n}.aurora')\nload('module{n}.aurora', 'service{n}')\n");
    }
    main += "jobs = [service1('job-%d' % n) for n in range(10)]\n";
    write("main.aurora", &main);
    let path = folder.path().join("main.aurora");
    (folder, path)
}

#[divan::bench]
fn hello_world_anew(bencher: Bencher<'_, '_>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/hello_world.aurora");
    bencher.bench(|| evaluate(&path, &Disk, &Options::default()).unwrap());
}

#[divan::bench]
fn tree_of_40_files_anew(bencher: Bencher<'_, '_>) {
    let (_folder, path) = tree();
    bencher.bench(|| evaluate(&path, &Disk, &Options::default()).unwrap());
}

#[divan::bench]
fn tree_of_40_files_main_file_changed(bencher: Bencher<'_, '_>) {
    let (_folder, path) = tree();
    let engine = Engine::default();
    let text = std::fs::read_to_string(&path).unwrap();
    let mut n = 0_u32;
    bencher
        .with_inputs(|| {
            n += 1;
            std::fs::write(&path, format!("{text}# {n}\n")).unwrap();
        })
        .bench_local_values(|()| engine.evaluate(&path, &Disk, &Options::default()).unwrap());
}

#[divan::bench]
fn tree_of_40_files_unchanged(bencher: Bencher<'_, '_>) {
    let (_folder, path) = tree();
    let engine = Engine::default();
    engine.evaluate(&path, &Disk, &Options::default()).unwrap();
    bencher.bench(|| engine.evaluate(&path, &Disk, &Options::default()).unwrap());
}

/// As `aurora inspect` of one job of many.
#[divan::bench]
fn one_job_of_500(bencher: Bencher<'_, '_>) {
    let writer = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../benches/big_file.py");
    let written = std::process::Command::new("python3").arg(writer).output().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("big.aurora");
    std::fs::write(&path, written.stdout).unwrap();
    bencher.bench(|| {
        let config = evaluate(&path, &Disk, &Options::default()).unwrap();
        let key = "c1/team301/devel/job-301".parse().unwrap();
        let ready = config.find(&key).unwrap().ready("me").unwrap();
        (config.check("me", Some(&key)).len(), ready)
    });
}
