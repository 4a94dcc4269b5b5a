//! What a process finds when it starts: scenarios 44 to 47, 50a and 50b.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt};

use aurora_thermos::process::user::Credentials;
use aurora_thermos::state::TaskState;
use serde_json::json;

use crate::place::{Place, ends, orders, process, task};

#[test]
fn s44_the_environment_is_small() {
    let place = Place::new(task([process("p", "env", json!({}))], json!({})));
    assert_eq!(place.run().state(), Some(TaskState::Success));
    let printed = place.stdout("p", 0);
    let mut names: Vec<&str> =
        printed.lines().map(|line| line.split_once('=').unwrap().0).collect();
    names.sort_unstable();
    assert_eq!(names, ["HOME", "LOGNAME", "PATH", "PWD", "SHLVL", "THERMOS_TASK", "USER", "_"]);
    let home = format!("HOME={}", place.setup.sandbox.display());
    assert!(printed.lines().any(|line| line == home));
}

#[test]
fn s45_a_profile_is_read_by_later_processes() {
    let place = Place::new(task(
        [
            process("first", "echo 'export FOO=bar' > .thermos_profile", json!({})),
            process("second", "echo $FOO $BASH_ENV", json!({})),
        ],
        orders(&[&["first", "second"]]),
    ));
    assert_eq!(place.run().state(), Some(TaskState::Success));
    let profile = place.path(".thermos_profile");
    assert_eq!(place.stdout("second", 0), format!("bar {}\n", profile.display()));
}

/// Somebody else whom this process may become, if it may.
pub(crate) fn nobody() -> Option<Credentials> {
    Credentials::may_switch().then(|| Credentials::lookup("nobody").unwrap())
}

/// Lets everybody reach the sandbox, which is in a folder for one user only.
pub(crate) fn open_up(place: &Place) {
    std::fs::set_permissions(place.folder(), PermissionsExt::from_mode(0o755)).unwrap();
}

#[test]
fn s46_a_process_is_its_user_and_nothing_more() {
    let Some(nobody) = nobody() else { return };
    let asks =
        "id -u; id -g; id -G; grep -E '^Cap(Prm|Eff|Inh)' /proc/self/status; touch .logs/m/0/x";
    let mut place = Place::new(task([process("m", asks, json!({}))], json!({})));
    place.setup.user = Some(nobody.name.clone());
    open_up(&place);
    let ended = place.run();
    assert_eq!(ended.state(), Some(TaskState::Success), "{}", place.text(".logs/m/0/stderr"));
    let printed = place.stdout("m", 0);
    let mut lines = printed.lines();
    assert_eq!(lines.next(), Some(nobody.uid.to_string().as_str()));
    assert_eq!(lines.next(), Some(nobody.gid.to_string().as_str()));
    let groups: Vec<u32> =
        lines.next().unwrap().split(' ').map(|group| group.parse().unwrap()).collect();
    assert_eq!(groups, nobody.groups);
    assert!(lines.all(|line| line.ends_with("\t0000000000000000")), "{printed}");
    let owner = |below: &str| std::fs::metadata(place.path(below)).unwrap().uid();
    for theirs in [".logs/m/0", ".logs/m/0/stdout", ".logs/m/0/stderr"] {
        assert_eq!(owner(theirs), nobody.uid, "{theirs}");
    }
    for ours in [".", ".logs", ".logs/m"] {
        assert_eq!(owner(ours), 0, "{ours}");
    }
    assert_eq!(ended.header().unwrap().uid, nobody.uid);
}

#[test]
fn s47_nothing_of_the_runner_is_handed_down() {
    let asks = "readlink /proc/$$/fd/0; ls /proc/$$/fd | tr '\\n' ' '; echo; \
                grep -E '^Sig(Ign|Blk)' /proc/self/status; umask; ulimit -a > mine; ps -o sid= $$; \
                echo $$; echo $0 $#";
    let place = Place::new(task([process("p", asks, json!({}))], json!({})));
    let ended = place.run();
    assert_eq!(ended.state(), Some(TaskState::Success), "{}", place.text(".logs/p/0/stderr"));
    let printed = place.stdout("p", 0);
    let lines: Vec<&str> = printed.lines().map(str::trim).collect();
    assert_eq!(lines[..2], ["/dev/null", "0 1 2"], "{printed}");
    assert_eq!(lines[2], "SigBlk:\t0000000000000000");
    assert_eq!(lines[3], "SigIgn:\t0000000000000000");
    assert_eq!(lines[4], "0022");
    assert_eq!(lines[5], lines[6], "it leads its session");
    assert_eq!(lines[7], "/bin/bash 0");
    // The limits are those that the runner has, which are ours.
    let ours = std::process::Command::new("bash").args(["-c", "ulimit -a"]).output().unwrap();
    assert_eq!(place.text("mine"), String::from_utf8(ours.stdout).unwrap());
}

#[test]
fn s50a_a_sandbox_that_was_removed_is_made_again() {
    let removes = "[ -e ../ran ] && exit 0; touch ../ran; rm -r \"$HOME\"; exit 1";
    let fields = json!({ "max_failures": 2, "min_duration": 0 });
    let place = Place::new(task([process("p", removes, fields)], json!({})));
    let ended = place.run();
    assert_eq!(ends(&ended, "p"), "FAILED(1) SUCCESS");
    assert_eq!(place.stdout("p", 1), "");
}

#[test]
fn s50b_a_process_that_cannot_be_started_says_why_at_once() {
    let Some(nobody) = nobody() else { return };
    let mut place = Place::new(task([process("p", "true", json!({}))], json!({})));
    place.setup.user = Some(nobody.name);
    std::fs::set_permissions(&place.setup.sandbox, PermissionsExt::from_mode(0o700)).unwrap();
    let ended = place.run();
    assert_eq!(ended.state(), Some(TaskState::Failed));
    let runs = ended.runs("p");
    assert_eq!(runs.len(), 1);
    assert!(runs[0].reason.contains("enter its directory"), "{}", runs[0].reason);
    let why = &ended.history().statuses().last().unwrap().reason;
    assert!(why.contains("enter its directory"), "{why}");
}
