//! Programs that are told what is done, and may refuse it (`client.md` 14 and 15).

use std::os::unix::fs::PermissionsExt;

use aurora_api::v1;
use serde_json::{Value, json};

use crate::support::cluster::Cluster;
use crate::support::proxy::{Fault, Proxy};
use crate::support::{Home, role, service};

/// Writes a program.
fn program(home: &Home, name: &str, script: &str) -> String {
    let path = home.file(name, &format!("#!/bin/sh\n{script}\n"));
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The hooks of the user: name, script, events.
pub(crate) fn write(home: &Home, hooks: &[(&str, &str, &[&str])]) {
    let mut text = String::new();
    for (name, script, on) in hooks {
        let run = program(home, &format!("hook-{name}"), script);
        text += &format!("[[hook]]\nname = '{name}'\nrun = ['{run}', 'argument']\non = {on:?}\n");
    }
    std::fs::create_dir_all(home.path().join(".aurora")).unwrap();
    home.file(".aurora/hooks.toml", &text);
}

/// What hooks wrote down, each a line of JSON.
fn told(home: &Home) -> Vec<Value> {
    let text = std::fs::read_to_string(home.path().join("told")).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Writes down what a hook is told.
fn note(home: &Home) -> String {
    format!("cat >> {}/told", home.path().display())
}

#[test]
fn c126_c127_commands_are_told_refused_and_written_anew() {
    let home = Home::new();
    let file = home.file("web.aurora", &service(&role(), "web", 1, "true"));
    let list = ["config", "list", file.to_str().unwrap()];
    let note = note(&home);

    // 126: it agrees, and both are told; then it does not, and its status is the command's.
    write(
        &home,
        &[
            ("first", &note, &["pre-command config list", "post-command config *", "finish"]),
            ("second", &note, &["post-command config list"]),
            ("other", "exit 9", &["pre-command job", "post-command config check"]),
        ],
    );
    home.run(&list).expect(0);
    let events: Vec<Value> = told(&home).iter().map(|told| told["event"].clone()).collect();
    assert_eq!(events, ["pre-command", "post-command", "finish", "post-command"]);
    assert_eq!(
        told(&home)[0],
        json!({
            "version": 1, "event": "pre-command", "noun": "config", "verb": "list",
            "arguments": list,
        })
    );
    let refusing = format!("{note}; echo 'not on fridays' >&2; exit 17");
    write(
        &home,
        &[
            ("freeze", &refusing, &["pre-command config list"]),
            ("after", &note, &["post-command *", "finish"]),
        ],
    );
    std::fs::remove_file(home.path().join("told")).unwrap();
    let refused = home.run(&list).expect(17);
    assert!(
        refused.err().contains("hook freeze refuses config list: not on fridays; nothing was done"),
        "{}",
        refused.err()
    );
    assert_eq!((refused.out().as_str(), told(&home).len()), ("", 1));
    for skip in ["--skip-hooks=all", "--skip-hooks=nobody,freeze"] {
        home.run(&[&list[..], &[skip]].concat()).expect(0);
    }
    home.run(&[&list[..], &["--skip-hooks=nobody"]].concat()).expect(17);

    // 127: an argument that stands before the noun is taken away; what fails after the command changes nothing.
    let rewrite = "sed 's/\"--loud\",//'";
    write(
        &home,
        &[("loud", rewrite, &["dispatch"]), ("broken", "echo oh >&2; exit 3", &["finish"])],
    );
    let ran = home.run(&[&["--loud"][..], &list].concat()).expect(0);
    assert!(ran.out().contains("test/"), "{}", ran.out());
    assert!(ran.err().contains(" WARN] hook broken failed on finish: oh"), "{}", ran.err());
    write(&home, &[("odd", "echo '[1]'", &["dispatch"])]);
    let odd = home.run(&list).expect(1).err();
    assert!(odd.contains("hook odd has written what is no {\"arguments\""), "{odd}");

    // One that is not there, one that hangs, a file that others may write: named, and nothing is done.
    let hooks = |text: &str| home.file(".aurora/hooks.toml", text);
    let hook = |run: &str, rest: &str| {
        format!("[[hook]]\nname = 'x'\nrun = {run}\non = ['pre-command config']\n{rest}\n")
    };
    hooks(&hook("['/nowhere/x']", ""));
    let missing = home.run(&list).expect(1).err();
    assert!(missing.contains("hook x: failed to run /nowhere/x: No such file"), "{missing}");
    hooks(&hook("['sleep', '1000']", "timeout_secs = 1"));
    let late = home.run(&list).expect(1).err();
    assert!(late.contains("hook x: sleep did not end within 1 s, and was killed"), "{late}");
    let path = hooks(&hook("['true']", ""));
    home.run(&list).expect(0);
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o666)).unwrap();
    let open = home.run(&list).expect(3).err();
    assert!(open.contains(".aurora/hooks.toml: it names programs to run"), "{open}");
    home.run(&["--help"]).expect(0);
}

#[test]
fn calls_are_told_and_refused_whatever_command_makes_them() {
    let cluster = Cluster::start();
    let home = &cluster.home;
    let proxy = Proxy::before(&cluster.scheduler_address());
    let note = note(home);
    let key = format!("test/{}/prod/web", role());
    let file = home.file("web.aurora", &service(&role(), "web", 3, "exec sleep 1000"));
    let create = ["job", "create", &key, file.to_str().unwrap(), "--skip-hooks=all"];

    // 148: what skips hooks of commands skips none of calls. 149: all are asked, whatever the first says.
    write(
        home,
        &[
            ("no", "echo 'ask ops' >&2; exit 3", &["pre-call create_job"]),
            ("notes", &note, &["pre-call create_job", "post-call *", "err-call *"]),
        ],
    );
    let refused = proxy.run(home, &create).expect(1);
    let wanted = "hook no refuses create_job: ask ops; this was not asked for";
    assert!(refused.err().contains(wanted), "{}", refused.err());
    assert_eq!((proxy.calls("CreateJob"), told(home).len()), (0, 1));
    let first = &told(home)[0];
    assert_eq!(
        (&first["event"], &first["method"], &first["job"]),
        (&json!("pre-call"), &json!("create_job"), &json!(key))
    );
    assert_eq!(first["request"]["job"]["instanceCount"], 3);

    // 128: what is sent is the same with hooks and without. 150: those that fail after it change nothing.
    let sent = |words: &[&str]| {
        proxy.forget();
        proxy.plan("CreateJob", 1, Fault::refuse(tonic::Code::OutOfRange, "later"));
        proxy.run(home, words).expect(10);
        let mut sent: v1::CreateJobRequest = proxy.sent("CreateJob").remove(0);
        sent.request_id = None;
        sent
    };
    std::fs::remove_file(home.path().join(".aurora/hooks.toml")).unwrap();
    let plain = sent(&create);
    write(
        home,
        &[
            ("post", "exit 4", &["post-call create_job"]),
            ("notes", &note, &["pre-call *", "post-call *", "err-call *"]),
        ],
    );
    std::fs::remove_file(home.path().join("told")).unwrap();
    assert_eq!(sent(&create), plain);
    let ended = told(home).pop().unwrap();
    assert_eq!(ended["event"], "err-call");
    assert!(ended["error"].as_str().unwrap().contains("later"), "{ended}");
    let ran = proxy.run(home, &create).expect(0);
    let warned = " WARN] hook post failed on post-call create_job: it ended with status 4";
    assert!(ran.err().contains(warned), "{}", ran.err());

    // 43: around kills, one by one or all together, and never made when it is refused.
    std::fs::remove_file(home.path().join("told")).unwrap();
    proxy.run(home, &["job", "kill", &format!("{key}/0,1")]).expect(0);
    let calls: Vec<(Value, Value)> = told(home)
        .into_iter()
        .map(|told| (told["event"].clone(), told["request"]["instances"].clone()))
        .collect();
    let around =
        |instance: u32| ["pre-call", "post-call"].map(|event| (json!(event), json!([instance])));
    assert_eq!(calls, [around(0), around(1)].concat());
    // So is every other call that the original's hooks know.
    let names = ["kill_job", "add_instances", "restart", "start_job_update", "start_cronjob"];
    let on = names.map(|name| format!("pre-call {name}"));
    write(home, &[("keep", "exit 1", &on.each_ref().map(String::as_str))]);
    proxy.forget();
    let one = format!("{key}/2");
    let fewer = home.file("fewer.aurora", &service(&role(), "web", 2, "exec sleep 1000"));
    for (words, name) in [
        (&["job", "killall", &key, "--no-batching"][..], "kill_job"),
        (&["job", "add", &one, "1"], "add_instances"),
        (&["job", "restart", &one], "restart"),
        (&["update", "start", &key, fewer.to_str().unwrap()], "start_job_update"),
        (&["cron", "start", &key], "start_cronjob"),
    ] {
        let refused = proxy.run(home, words).expect(1).err();
        assert!(refused.contains(&format!("hook keep refuses {name}")), "{refused}");
    }
    let made = ["KillTasks", "AddInstances", "RestartTasks", "StartUpdate", "StartCronJob"];
    assert_eq!(made.map(|method| proxy.calls(method)), [0; 5]);
    assert_eq!(cluster.active(&key).len(), 1);

    // One that is refused after others were made undoes none of them, and they are told.
    std::fs::remove_file(home.path().join(".aurora/hooks.toml")).unwrap();
    proxy.run(home, &["job", "add", &one, "1"]).expect(0);
    let once = home.path().join("once");
    let once = format!("[ ! -e {0} ] || exit 1; touch {0}", once.display());
    write(home, &[("once", &once, &["pre-call kill_job"])]);
    let refused = proxy.run(home, &["job", "killall", &key, "-o", "json"]).expect(1);
    assert_eq!(refused.json()["killed"], json!([2]));
    let wanted =
        format!("instances [2] of {key} were killed before that; hook once refuses kill_job");
    assert!(refused.err().contains(&wanted), "{}", refused.err());
    assert_eq!(cluster.active(&key).len(), 1);
}

#[test]
fn a_program_on_the_path_is_a_command() {
    let home = Home::new();
    let folder = home.path().join("bin");
    std::fs::create_dir(&folder).unwrap();
    let run = |words: &[&str]| {
        let mut path = std::ffi::OsString::from(&folder);
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap());
        crate::support::Ran(home.aurora(words).env("PATH", path).output().unwrap())
    };
    run(&["greet"]).expect(2);
    program(&home, "bin/aurora-greet", "echo \"hello $*\"; exit 5");
    // None takes the place of a command that is there.
    program(&home, "bin/aurora-config", "exit 6");
    assert_eq!(run(&["greet", "--you", "job"]).expect(5).out(), "hello --you job\n");
    run(&["config", "--help"]).expect(0);
    run(&["greet/../greet"]).expect(2);
}
