//! `aurora job diff` against what really runs.

use serde_json::json;

use crate::support::{Home, role, service};
use crate::up::Up;

#[test]
fn a_changed_file_is_compared_with_what_runs() {
    let home = Home::new();
    let write = |instances, command: &str| {
        home.file("svc.aurora", &service(&role(), "svc", instances, command))
    };
    let path = write(2, "echo one\nexec sleep 1000");
    let file = path.to_str().unwrap();
    let up = Up::start(&home, file, &[]);
    for instance in ["svc/0  RUNNING", "svc/1  RUNNING"] {
        up.process.expect(instance);
    }
    let key = format!("test/{}/prod/svc", role());
    let diff = |more: &[&str]| home.run(&[&["job", "diff", &key, file], more].concat());
    let same = "This job update will:\nnot change instances: [0-1]\n";
    assert_eq!(diff(&[]).expect(0).out(), same);
    assert_eq!(diff(&["--detailed-exitcode"]).expect(0).out(), same);

    write(3, "echo two\nexec sleep 1000");
    let changed = diff(&[]).expect(0).out();
    let (heads, lines) = changed.split_once("with diff:\n").unwrap();
    assert_eq!(heads, "This job update will:\nadd instances: [2]\nupdate instances: [0-1]\n");
    let moved: Vec<&str> = lines.lines().filter(|line| line.starts_with(['-', '+'])).collect();
    let [old, new] = moved.as_slice() else { panic!("{changed}") };
    assert_eq!((old[1..].trim(), new[1..].trim()), ("echo one", "echo two"));
    assert!(lines.contains(" @@ executor.data.task.processes[0].cmdline\n"), "{lines}");
    assert_eq!(diff(&["--detailed-exitcode"]).expect(2).out(), changed);
    let one = home.run(&["job", "diff", &format!("{key}/1"), file]).expect(0).out();
    assert!(one.contains("update instances: [1]\n") && !one.contains("add"), "{one}");
    let change = json!({
        "path": "executor.data.task.processes[0].cmdline",
        "running": "echo one\nexec sleep 1000",
        "wanted": "echo two\nexec sleep 1000",
    });
    let wanted = json!({
        "job": key, "add": [2], "remove": [], "unchanged": [],
        "update": [{ "instances": [0, 1], "changes": [change] }],
    });
    assert_eq!(diff(&["-o", "json", "--detailed-exitcode"]).expect(2).json(), wanted);

    write(1, "echo one\nexec sleep 1000");
    let fewer = "This job update will:\nremove instances: [1]\nnot change instances: [0]\n";
    assert_eq!(diff(&["--detailed-exitcode"]).expect(2).out(), fewer);

    // A job that does not run, by itself and beside one that does.
    let other = home.file("other.aurora", &service(&role(), "other", 1, "true"));
    let (other_key, other) = (format!("test/{}/prod/other", role()), other.to_str().unwrap());
    let alone = home.run(&["job", "diff", &other_key, other]).expect(0).out();
    assert_eq!(alone, "This job update will:\nadd instances: [0]\n");
    let beside = home.run(&["job", "diff", &other_key, other, "--from", &key]).expect(0).out();
    assert!(beside.contains("\nremove instances: [1]\nupdate instances: [0]\n"), "{beside}");
    assert!(beside.contains(&format!("-job: {}/prod/svc\n", role())), "{beside}");

    let none = home.run(&["job", "diff", &format!("{key}/0,7"), file]).expect(6).err();
    assert!(none.contains("instances {7} of"), "{none}");
    write(5000, "true");
    let refused = diff(&[]).expect(3).err();
    assert!(refused.contains("5000 instances"), "{refused}");
    up.stop();
    diff(&[]).expect(3);
}
