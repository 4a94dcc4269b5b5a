//! Help: completions in real shells, manual pages, what a mistyped command is told.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::cluster::Cluster;
use crate::support::{Home, role, service, wait_for};

/// How long a key has to show what it does before it is pressed again.
const AGAIN: Duration = Duration::from_secs(5);

/// A folder with `aurora` and `aurora_admin` in it, for `$PATH`.
fn programs(home: &Home) -> PathBuf {
    let folder = home.path().join("bin");
    std::fs::create_dir(&folder).unwrap();
    for name in ["aurora", "aurora_admin"] {
        symlink(env!("CARGO_BIN_EXE_aurora"), folder.join(name)).unwrap();
    }
    folder
}

/// What a shell runs in: this program first in `$PATH`, the test's cluster.
fn within(home: &Home, bin: &Path, shell: &str, scheduler: &str) -> Command {
    let path = std::env::var("PATH").unwrap();
    let mut command = Command::new(shell);
    command
        .env_clear()
        .env("PATH", format!("{}:{path}", bin.display()))
        .env("HOME", home.path())
        .env("XDG_RUNTIME_DIR", home.path())
        .env("AURORA_CONFIG_ROOT", home.path())
        .env("AURORA_SCHEDULER", scheduler)
        .env("TERM", "xterm")
        .current_dir(home.path());
    command
}

#[test]
fn shells_complete_commands_options_and_the_keys_of_jobs() {
    let cluster = Cluster::start();
    let home = &cluster.home;
    let bin = programs(home);
    let (user, at) = (role(), cluster.scheduler_address());
    let key = format!("test/{user}/prod/web");
    let file = home.file("web.aurora", &service(&user, "web", 1, "exec sleep 1000"));
    cluster.run(&["job", "create", &key, file.to_str().unwrap()]).expect(0);
    home.file("other.aurora", &service(&user, "fresh", 1, "exec sleep 1000"));
    home.file("broken.aurora", "jobs = [");
    home.file("clusters.json", "[{\"name\": \"test\"}]");

    let next = home.file("next.aurora", &service(&user, "web", 1, "exec sleep 2000"));
    cluster.run(&["update", "start", &key, next.to_str().unwrap()]).expect(0);
    let updates = cluster.run(&["update", "list", "test", "-o", "json"]).expect(0).json();
    let update = updates[0]["id"].as_str().unwrap().to_owned();
    let hosts = cluster.run(&["admin", "host_list", "test", "-o", "json"]).expect(0).json();
    let host = hosts[0]["host"].as_str().unwrap().to_owned();

    // What was typed, and what comes of it.
    let cases = [
        ("aurora jo", "job".to_owned()),
        ("aurora job stat", "status".to_owned()),
        ("aurora job killall --batch-s", "--batch-size".to_owned()),
        ("aurora job status te", "test/".to_owned()),
        ("aurora job status test/", format!("test/{user}/")),
        (&format!("aurora job killall test/{user}/prod/w"), key.clone()),
        // One that does not run yet is in a file of this folder.
        (&format!("aurora job create test/{user}/prod/f"), format!("test/{user}/prod/fresh")),
        ("aurora config list oth", "other.aurora".to_owned()),
        // What depends on what is before it.
        ("aurora update list --status succ", "succeeded".to_owned()),
        (&format!("aurora update info {key} {}", &update[..8]), update.clone()),
        (&format!("aurora task logs {key} mai"), "main".to_owned()),
        (&format!("aurora admin host_status test --hosts {}", &host[..3]), host.clone()),
        (&format!("aurora admin host_status test --hosts x,{}", &host[..3]), format!("x,{host}")),
    ];
    for (typed, wanted) in &cases {
        let script = format!(
            "source <(aurora completion bash)\nread -ra COMP_WORDS <<< '{typed}'\n\
             COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); COMP_LINE='{typed}'; COMP_POINT=${{#COMP_LINE}}; COMP_TYPE=9\n\
             complete -p aurora | grep -o -- '-F [^ ]*' | cut -c4- > f\n\
             $(cat f) aurora \"${{COMP_WORDS[COMP_CWORD]}}\" ''\nprintf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        // On a machine that is busy a cluster may not answer in the time that somebody waits.
        let shows = |shell: &str, script: &str, is_wanted: &dyn Fn(&str) -> bool| {
            wait_for(&format!("{shell} to complete {typed:?} to {wanted:?}"), || {
                let shown = within(home, &bin, shell, &at).args(["-c", script]).output().unwrap();
                let text = String::from_utf8_lossy(&shown.stdout);
                text.lines().any(is_wanted).then_some(())
            });
        };
        shows("bash", &script, &|line| line.trim() == wanted);
        let script = format!("aurora completion fish | source; complete -C '{typed}'");
        shows("fish", &script, &|line| line.split('\t').next() == Some(wanted));
    }
    zsh_completes(home, &bin, &at, &cases);
}

/// In a terminal, as zsh completes nowhere else.
fn zsh_completes(home: &Home, bin: &Path, at: &str, cases: &[(&str, String)]) {
    home.file(
        ".zshrc",
        "PS1='ready> '\nautoload -U compinit && compinit -u\nsource <(aurora completion zsh)\n",
    );
    let socket = home.path().join("tmux");
    let tmux = |words: &[&str]| {
        let mut command = within(home, bin, "tmux", at);
        let shown = command.arg("-S").arg(&socket).args(words).output().unwrap();
        assert!(shown.status.success(), "tmux {words:?}: {shown:?}");
        String::from_utf8_lossy(&shown.stdout).into_owned()
    };
    tmux(&["-f", "/dev/null", "new-session", "-d", "-x", "200", "-y", "50", "zsh", "-i"]);
    let screen = || tmux(&["capture-pane", "-p"]);
    wait_for("the prompt of zsh", || screen().contains("ready>").then_some(()));
    for (typed, wanted) in cases {
        tmux(&["send-keys", "-l", typed]);
        tmux(&["send-keys", "Tab"]);
        let mut pressed = Instant::now();
        let mut words: Vec<&str> = typed.split(' ').collect();
        words.pop();
        let line = format!("ready> {} {wanted}", words.join(" "));
        wait_for(&format!("zsh to complete {typed:?} to {line:?}"), || {
            let is_shown = screen().lines().any(|shown| shown.trim_end() == line);
            // A cluster that did not answer in time offered nothing.
            if !is_shown && pressed.elapsed() > AGAIN {
                tmux(&["send-keys", "Tab"]);
                pressed = Instant::now();
            }
            is_shown.then_some(())
        });
        tmux(&["send-keys", "C-c"]);
        // An interrupt throws away what was typed after it and not read yet.
        wait_for("the next prompt of zsh", || {
            screen().trim_end().ends_with("\nready>").then_some(())
        });
        tmux(&["send-keys", "C-l"]);
        wait_for("an empty line", || {
            let shown = screen();
            (shown.trim_end() == "ready>").then_some(())
        });
    }
    tmux(&["kill-server"]);
}

#[test]
fn manual_pages_are_there_for_every_command() {
    let home = Home::new();
    let folder = home.path().join("man1");
    let written = home.run(&["man", folder.to_str().unwrap()]).expect(0).err();
    let pages: Vec<PathBuf> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(written.starts_with(&format!("{} pages written", pages.len())), "{written}");
    for name in ["aurora.1", "aurora-job.1", "aurora-job-create.1", "aurora-update-start.1"] {
        assert!(pages.contains(&folder.join(name)), "{name} is missing among {pages:?}");
    }
    let shown = Command::new("man")
        .args(["-E", "UTF-8", "-l"])
        .arg(folder.join("aurora-job-create.1"))
        .env("MANWIDTH", "100")
        .env("PAGER", "cat")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&shown.stdout);
    for wanted in ["aurora-job-create", "--wait-until", "Example:"] {
        assert!(text.contains(wanted), "{wanted} is not in {text}");
    }
    assert!(shown.stderr.is_empty(), "{shown:?}");

    let refused = home.run(&["man", "/proc/nowhere"]).expect(1).err();
    assert!(refused.contains("/proc/nowhere"), "{refused}");
}

#[test]
fn c11_unknown_nouns_and_verbs_are_told_what_was_meant() {
    let home = Home::new();
    for (words, wanted) in [
        (&["jobs", "list", "x"][..], "job"),
        (&["jbo", "list", "x"], "job"),
        (&["-v", "job", "lsit", "x"], "list"),
        (&["job", "lis", "x"], "list"),
        (&["job", "create", "--wait-untl", "RUNNING"], "--wait-until"),
    ] {
        let refused = home.run(words).expect(2);
        assert!(refused.err().contains(&format!("'{wanted}'")), "{words:?}: {}", refused.err());
        assert_eq!(refused.out(), "", "{words:?}");
    }
}

#[test]
fn c13_the_version_is_told_by_the_program_and_by_none_of_its_commands() {
    let home = Home::new();
    let told = home.run(&["--version"]).expect(0);
    assert_eq!(told.out(), concat!("aurora ", env!("CARGO_PKG_VERSION"), "\n"));
    assert_eq!(told.err(), "");
    for words in [["job", "--version"], ["config", "--version"]] {
        home.run(&words).expect(2);
    }
}

#[test]
fn jobs_that_are_not_there_are_told_which_may_be_meant() {
    let cluster = Cluster::start();
    let user = role();
    let key = format!("test/{user}/prod/hello");
    let file = cluster.home.file("hello.aurora", &service(&user, "hello", 1, "exec sleep 1000"));
    cluster.run(&["job", "create", &key, file.to_str().unwrap()]).expect(0);
    let (meant, at) = (format!("did you mean {key}?"), cluster.scheduler_address());
    for wrong in [format!("test/{user}/prod/helo"), format!("test/{user}x/prod/hello")] {
        for words in [
            &["job", "status"][..],
            &["why"],
            &["update", "pause"],
            &["job", "wait", "--for", "ended"],
            &["cron", "show"],
            &["task", "logs"],
            &["task", "logs", "--follow"],
        ] {
            let ran = cluster.run(&[words, &[&wrong]].concat()).expect(6);
            assert!(ran.err().contains(&meant), "{words:?}: {}", ran.err());
        }
        cluster.run(&["task", "run", &wrong, "true"]).expect(6).says(&meant);
        cluster.run(&["cron", "start", &wrong]).expect(10).says(&meant);
        for words in [&["job", "killall"][..], &["job", "restart"], &["sla", "get-job-uptime"]] {
            cluster.run(&[words, &[&wrong]].concat()).expect(0).says(&meant);
        }
        let instance = format!("{wrong}/0");
        cluster.run(&["job", "restart", &instance, "--strict"]).expect(6).says(&meant);
        cluster.run(&["job", "add", &instance, "1"]).expect(6).says(&meant);
        cluster.run(&["task", "cp", &format!("{instance}:a"), "-"]).expect(6).says(&meant);
        cluster
            .home
            .run(&["task", "exec", "--scheduler", &at, &instance, "--", "true"])
            .expect(125)
            .says(&meant);
    }
    // Most of a key that is the same makes no other name near, and a job that is there is meant itself.
    for (far, words) in [("nope", &["job", "status"][..]), ("hello", &["cron", "show"])] {
        let far = format!("test/{user}/prod/{far}");
        let far = cluster.run(&[words, &[&far]].concat()).expect(6);
        assert!(!far.err().contains("did you mean"), "{}", far.err());
    }
}

#[test]
fn help_has_an_example_and_goes_where_it_is_read() {
    let home = Home::new();
    for words in [&["--help"][..], &["job", "--help"], &["job", "create", "--help"], &[]] {
        let shown = home.run(words).expect(0);
        assert!(shown.out().contains("Usage: aurora"), "{words:?}: {}", shown.out());
        assert_eq!(shown.err(), "", "{words:?}");
    }
    let shown = home.run(&["job", "create", "--help"]).expect(0).out();
    assert!(shown.contains("Example:\n  aurora job create "), "{shown}");
    // An option may be cut as long as one is meant.
    let refused = home.run(&["job", "kill", "c/r/e/n/0", "--batch", "0"]).expect(2).err();
    assert!(refused.contains("'--batch-size <COUNT>'"), "{refused}");
    // The last of several counts.
    let twice = ["quota", "get", "c/r", "--retry-for", "5", "--retry-for", "x"];
    let refused = home.run(&twice).expect(2).err();
    assert!(refused.contains("'x' for '--retry-for"), "{refused}");
    let refused = home.run(&["job", "create", "c/r/e/n", "f", "--s"]).expect(2).err();
    assert!(refused.contains("--s"), "{refused}");
}

#[test]
fn options_of_all_commands_may_come_first() {
    let home = Home::new();
    for words in [
        &["-v", "scheduler", "--help"][..],
        &["--skip-hooks=x", "up", "--help"],
        &["--skip-hooks", "x", "thermos", "run", "--help"],
        &["-v", "job", "list", "--help"],
    ] {
        assert!(home.run(words).expect(0).out().contains("Usage: aurora"), "{words:?}");
    }
    // It starts, and says what is wrong with its folder rather than that it logs twice.
    let refused = home.run(&[
        "-v",
        "agent",
        "--work_dir",
        "/proc/no",
        "--master",
        "127.0.0.1:1",
        "-port",
        "0",
    ]);
    assert_eq!(refused.code(), 1, "{}", refused.err());
    assert!(!refused.err().contains("twice"), "{}", refused.err());
}

#[test]
fn a_view_that_nobody_reads_any_more_ends() {
    use std::io::{BufRead, BufReader};
    let cluster = Cluster::start();
    let user = role();
    let key = format!("test/{user}/prod/web");
    let file = cluster.home.file("web.aurora", &service(&user, "web", 1, "exec sleep 1000"));
    cluster.run(&["job", "create", &key, file.to_str().unwrap()]).expect(0);
    let task = cluster.running_task(&key);
    let mut watching = cluster
        .home
        .aurora(&cluster.words(&["job", "status", "--watch", &key]))
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::new(watching.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert!(first.contains("RUNNING"), "{task}: {first}");
    // The reader has gone; what happens next cannot be told to anybody.
    cluster.run(&["job", "killall", &key]).expect(0);
    let status = wait_for("the view to end", || watching.try_wait().unwrap());
    assert!(status.success(), "{status}");
}
