//! The examples that the project ships.

use std::path::{Path, PathBuf};

use aurora_eval::{Binding, Disk, Options, evaluate};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples")
}

/// Every file of the examples that has jobs.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        // What lies there is included by others and has no jobs of its own.
        if path.is_dir() && !path.ends_with("lib") {
            files(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "aurora") {
            found.push(path);
        }
    }
}

#[test]
fn every_example_is_ready_to_run() {
    let mut paths = Vec::new();
    files(&folder(), &mut paths);
    let mut keys = Vec::new();
    for path in paths {
        let config = evaluate(&path, &Disk, &Options::default())
            .unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        for job in config.jobs() {
            let ready = job.ready("someone").unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            keys.push(ready.key().to_string());
        }
    }
    for key in ["devel/batch", "devel/failing", "devel/web", "prod/hello", "prod/report"] {
        let key = format!("devcluster/www-data/{key}");
        assert!(keys.contains(&key), "{key} is not in {keys:?}");
    }
}

#[test]
fn the_web_service_asks_for_its_port_and_takes_a_greeting() {
    let path = folder().join("http_service.aurora");
    let binding: Binding = "greeting=Good morning".parse().unwrap();
    let config =
        evaluate(&path, &Disk, &Options { bindings: vec![binding], ..Options::default() }).unwrap();
    let ready = config.jobs()[0].ready("someone").unwrap();
    assert!(ready.request.task.resources.ports.contains("http"));
    assert_eq!(ready.request.instance_count, 2);
    let page = &ready.config.task.processes[0].cmdline;
    assert!(page.contains("Good morning") && page.contains("{{mesos.instance}}"), "{page}");
}

#[test]
fn examples_and_library_are_laid_out_as_the_formatter_does() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut folders = vec![root.join("examples"), root.join("stdlib")];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "aurora") {
                let text = std::fs::read_to_string(&path).unwrap();
                let formatted = aurora_syntax::format(&text).unwrap();
                assert!(text == formatted, "aurora config fmt {}", path.display());
                seen += 1;
            }
        }
    }
    assert!(seen > 20, "the files are there");
}
