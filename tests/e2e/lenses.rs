//! What the built language server tells of clusters, with real ones and without.

use std::net::TcpListener;
use std::path::Path;

use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::cluster::Cluster;
use crate::support::editor::{Editor, uri};
use crate::support::{Home, role, service};
use crate::up::Up;

/// The settings with which clusters are asked.
fn asking() -> serde_json::Value {
    json!({"cluster": {"enabled": true}})
}

/// A scheduler's address, at which somebody takes connections and says nothing.
fn silent_scheduler(home: &Home) -> TcpListener {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let clusters = json!([{"name": "test", "scheduler_uri": address}]);
    home.file("clusters.json", &clusters.to_string());
    listener
}

/// Waits until the jobs of a file are known: what follows is told of them.
fn wait_jobs(editor: &mut Editor, path: &Path) {
    editor.wait_lenses(path, "lenses", |titles| titles.len() > 2);
}

#[test]
fn a_lens_follows_its_job() {
    let home = Home::new();
    let text = |command: &str| service(&role(), "svc", 2, command);
    let path = home.file("svc.aurora", &text("echo one; exec sleep 1000"));
    let key = format!("test/{}/prod/svc", role());
    let mut editor = Editor::start(&home, &asking());
    editor.open(&path);
    editor.wait_lens(&path, "cluster test cannot be found");
    let mut up = Up::start(&home, path.to_str().unwrap(), &[]);
    editor.wait_lens(&path, "2 of 2 RUNNING");

    // The text on the screen is compared, saved or not; what is deployed is on disk.
    let same = editor.command("aurora.diff", &path, &key);
    let unchanged = "This job update will:\nnot change instances: [0-1]\n";
    assert_eq!(same, json!({"title": format!("diff {key}"), "text": unchanged, "ok": true}));
    editor.replace(&path, 2, &text("echo two; exec sleep 1000"));
    let changed = editor.command("aurora.diff", &path, &key);
    let shown = changed["text"].as_str().unwrap();
    assert!(shown.contains("\n-") && shown.contains("cmdline: echo one;"), "{shown}");
    assert!(shown.contains("\n+") && shown.contains("cmdline: echo two;"), "{shown}");
    let refused = editor.command("aurora.deploy", &path, &key);
    assert_eq!(refused["ok"], false, "{refused}");
    assert!(refused["text"].as_str().unwrap().starts_with("save "), "{refused}");

    home.run(&["job", "kill", &format!("{key}/1")]).expect(0);
    editor.wait_lens(&path, "1 of 1 RUNNING");
    let status = editor.command("aurora.status", &path, &key);
    assert!(status["text"].as_str().unwrap().contains("Active tasks (1):"), "{status}");
    home.run(&["job", "killall", &key]).expect(0);
    editor.wait_lens(&path, "does not run");
    up.process.signal(Signal::SIGINT);
    assert_eq!(up.process.ended(), 0);
    editor.wait_lens(&path, "cluster test cannot be found");
}

#[test]
fn what_is_left_of_a_quota_is_told_of_production_jobs() {
    let cluster = Cluster::start();
    let address = cluster.scheduler_address();
    let clusters = json!([{"name": "test", "scheduler_uri": address}]);
    cluster.home.file("clusters.json", &clusters.to_string());
    let text =
        service(&role(), "svc", 1, "true").replace("Service(", "Service(tier = 'preferred', ");
    let path = cluster.home.file("svc.aurora", &text);
    let mut editor = Editor::start(&cluster.home, &asking());
    editor.open(&path);
    editor.wait_lens(&path, "quota left: 0.0 cpu, 0 MB ram, 0 MB disk");
    let of_role = format!("test/{}", role());
    cluster.run(&["quota", "set", &of_role, "3.5", "2GB", "10GB"]).expect(0);
    let left = "quota left: 3.5 cpu, 2.0 GB ram, 10.0 GB disk";
    editor.wait_lens(&path, left);
    assert_eq!(editor.lenses(&path)[3], "does not run");
    let column = text.find("role = '").unwrap() + "role = '".len();
    let place = json!({"textDocument": {"uri": uri(&path)},
        "position": {"line": 0, "character": column}});
    let hover = editor.ask("textDocument/hover", place);
    let told = hover["contents"]["value"].as_str().unwrap();
    let wanted = format!("{left} for production jobs of `{}` in `test`", role());
    assert!(told.ends_with(&wanted), "{told}");
}

#[test]
fn nothing_waits_for_a_cluster_that_does_not_answer() {
    let home = Home::new();
    let listener = silent_scheduler(&home);
    let path = home.file("svc.aurora", &service(&role(), "svc", 1, "true"));
    let mut editor = Editor::start(&home, &asking());
    editor.open(&path);
    // It is being asked.
    let _connection = listener.accept().unwrap();
    let titles = editor.lenses(&path);
    assert!(titles.len() == 3 && titles[0].ends_with(": inspect"), "{titles:?}");
    editor.wait_lens(&path, "cluster test does not answer");
}

#[test]
fn a_cluster_is_asked_only_while_that_is_set() {
    let home = Home::new();
    let listener = silent_scheduler(&home);
    let path = home.file("svc.aurora", &service(&role(), "svc", 1, "true"));
    let mut editor = Editor::start(&home, &json!({}));
    editor.open(&path);
    wait_jobs(&mut editor, &path);
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "somebody has asked");
    listener.set_nonblocking(false).unwrap();
    editor.tell("workspace/didChangeConfiguration", json!({"settings": {"aurora": asking()}}));
    drop(listener.accept().unwrap());
    editor.wait_lens(&path, "cluster test does not answer");
    editor.tell("workspace/didChangeConfiguration", json!({"settings": {"aurora": {}}}));
    editor.wait_lenses(&path, "no lens of a cluster", |titles| titles.len() == 3);
}
