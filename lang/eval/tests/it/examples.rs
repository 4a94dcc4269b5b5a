//! The examples that the project ships.

use std::path::Path;

use aurora_eval::{Binding, Disk, Options, evaluate};

#[test]
fn every_example_is_ready_to_run() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let mut keys = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let config = evaluate(&path, &Disk, &Options::default()).unwrap();
        for job in config.jobs() {
            let ready = job.ready("someone").unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            keys.push(ready.key().to_string());
        }
    }
    keys.sort();
    assert_eq!(
        keys,
        [
            "devcluster/www-data/devel/batch",
            "devcluster/www-data/devel/failing",
            "devcluster/www-data/devel/web",
            "devcluster/www-data/prod/hello",
        ]
    );
}

#[test]
fn the_web_service_asks_for_its_port_and_takes_a_greeting() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/http_service.aurora");
    let binding: Binding = "greeting=Good morning".parse().unwrap();
    let config =
        evaluate(&path, &Disk, &Options { bindings: vec![binding], ..Options::default() }).unwrap();
    let ready = config.jobs()[0].ready("someone").unwrap();
    assert!(ready.request.task.resources.ports.contains("http"));
    assert_eq!(ready.request.instance_count, 2);
    let page = &ready.config.task.processes[0].cmdline;
    assert!(page.contains("Good morning") && page.contains("{{mesos.instance}}"), "{page}");
}
