//! `aurora thermos …`: tasks that run without a cluster (`executor.md` 19, scenarios 79 to 84).

use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;

use crate::support::process::{Process, assert_nothing_left, end_all, processes_of};
use crate::support::{Home, Ran, role, service, wait_for};
use crate::up::Up;

/// A machine's tasks.
struct Place {
    home: Home,
}

impl Place {
    fn new() -> Self {
        Self { home: Home::new() }
    }

    fn root(&self) -> String {
        format!("--root={}", self.home.path().join("root").display())
    }

    fn checkpoint(&self, id: &str) -> PathBuf {
        self.home.path().join("root/tasks").join(id).join("checkpoint")
    }

    fn sandbox(&self, id: &str) -> PathBuf {
        self.home.path().join("sandboxes").join(id)
    }

    fn words(&self, words: &[&str]) -> Vec<String> {
        let mut all = vec!["thermos".to_owned()];
        all.extend(words.iter().map(|word| (*word).to_owned()));
        // After the command, as scripts for the original have it.
        all.insert(2, self.root());
        all
    }

    fn thermos(&self, words: &[&str]) -> Ran {
        self.home.run(&self.words(words))
    }

    fn command(&self, words: &[&str]) -> Command {
        self.home.aurora(&self.words(words))
    }

    /// The words that run a task of a file.
    fn run_words<'a>(&self, file: &'a str, id: &'a str) -> Vec<String> {
        let sandboxes = self.home.path().join("sandboxes");
        ["run", file, "--task_id", id, "--sandbox", sandboxes.to_str().unwrap()]
            .map(str::to_owned)
            .into()
    }

    /// Runs the only task of a text to its end.
    fn run(&self, text: &str, id: &str) -> Ran {
        let file = self.home.file(&format!("{id}.aurora"), text);
        let words = self.run_words(file.to_str().unwrap(), id);
        self.thermos(&words.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Runs it for as long as the test needs it.
    fn start(&self, text: &str, id: &str) -> Process {
        let file = self.home.file(&format!("{id}.aurora"), text);
        let words = self.run_words(file.to_str().unwrap(), id);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        Process::start(&mut self.command(&words))
    }

    fn status(&self, words: &[&str]) -> String {
        self.thermos(&[&["status"], words].concat()).out()
    }

    fn is_active(&self, id: &str) -> bool {
        self.status(&["--only", "active", id]).contains(id)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        end_all(self.home.path());
    }
}

/// A file that exports a task of processes.
fn task(processes: &[(&str, &str)]) -> String {
    let processes: Vec<String> = processes
        .iter()
        .map(|(name, line)| {
            format!("Process(name = {name:?}, cmdline = {line:?}, min_duration = 0)")
        })
        .collect();
    format!("export(Task(name = 'tick', processes = [{}]))\n", processes.join(", "))
}

/// Whatever the task's shell is, it says so once it runs.
fn running(place: &Place, id: &str, file: &str) {
    wait_for("the task to run", || place.sandbox(id).join(file).exists().then_some(()));
}

#[test]
fn s79_status_shows_active_finished_and_damaged_tasks() {
    let place = Place::new();
    place.thermos(&["status"]).expect(1);
    assert_eq!(place.status(&[]), "No tasks found.\n");
    place.run(&task(&[("p", "true")]), "f5").expect(0);
    place.run(&task(&[("p", "true")]), "kf5").expect(0);
    place.run(&task(&[("p", "true")]), "bad").expect(0);
    let mut active = place.start(&task(&[("p", "touch up; exec sleep 1000")]), "a1");
    running(&place, "a1", "up");
    // A byte in the first record of the one is turned, the other ends in the middle of a record.
    let mut bytes = std::fs::read(place.checkpoint("bad")).unwrap();
    bytes[30] ^= 1;
    std::fs::write(place.checkpoint("bad"), bytes).unwrap();
    let bytes = std::fs::read(place.checkpoint("kf5")).unwrap();
    std::fs::write(place.checkpoint("kf5"), &bytes[..bytes.len() - 3]).unwrap();

    let text = place.status(&[]);
    let (active_part, finished) = text.split_once("Finished tasks:").unwrap();
    assert!(active_part.starts_with("Active tasks:\n"), "{text}");
    assert!(active_part.contains("  a1                   [owner:"), "{text}");
    assert!(finished.contains("  f5 "), "{text}");
    let text = place.status(&["--verbosity", "1"]);
    assert!(text.contains("state:   ACTIVE start: "), "{text}");
    assert!(text.contains(" - checkpoint stream CORRUPT or outdated format"), "{text}");
    // What is whole of the one that is cut off counts: its end is not there.
    let cut = text.lines().find(|line| line.starts_with("  kf5 ")).unwrap();
    assert!(cut.contains("its runner is gone") && !cut.contains("CORRUPT"), "{text}");
    let text = place.status(&["--verbosity=2", "f5"]);
    let sandbox = place.sandbox("f5").display().to_string();
    assert!(text.contains("ports: None") && text.contains(&sandbox), "{text}");
    let text = place.status(&["--verbosity=3", "f5"]);
    assert!(text.contains("process table:") && text.contains("- p runs: 1 last: pid="), "{text}");
    assert!(text.contains("rc=0, finish:") && text.contains("state:SUCCESS"), "{text}");
    let text = place.status(&["--only=active"]);
    assert!(text.contains("a1") && !text.contains("Finished"), "{text}");
    // One that has no checkpoint hides no other.
    std::fs::create_dir(place.home.path().join("root/tasks/empty")).unwrap();
    let ran = place.thermos(&["status"]).expect(0);
    assert!(ran.out().contains("f5") && ran.err().contains("empty has no checkpoint"));
    // Anchored at the start only.
    assert!(!place.status(&["f5"]).contains("kf5"));
    assert!(place.status(&["kf"]).contains("kf5"));
    place.thermos(&["status", "--only=finished", "a1"]).expect(1);
    // Options stand anywhere.
    assert!(place.status(&["a1", "--verbosity=1"]).contains("state:"));

    active.signal(Signal::SIGTERM);
    assert_eq!(active.ended(), 1);
    active.expect_last("KILLED");
    assert_nothing_left(place.home.path());
}

#[test]
fn s80_kill_ends_a_task_at_once_and_has_it_written_down() {
    let place = Place::new();
    let text = "a = Process(name = 'm', cmdline = \"trap '' TERM; touch up; sleep 1000; true\")\n\
        b = Process(name = 'later', cmdline = 'true')\n\
        export(Task(name = 't', processes = [a, b], constraints = order(a, b)))\n";
    let mut task = place.start(text, "t1");
    running(&place, "t1", "up");
    let ran = place.thermos(&["kill", "t1"]).expect(0);
    assert_eq!(ran.out(), "Killing t1...done.\n");
    assert_eq!(task.ended(), 1);
    let read = place.thermos(&["read", place.checkpoint("t1").to_str().unwrap()]).expect(0).out();
    assert!(read.contains("=> KILLED") && read.contains("rc=-9"), "{read}");
    assert!(!read.contains("later"), "{read}");
    assert_eq!(place.thermos(&["kill", "t1"]).expect(0).out(), "No active tasks matched.\n");
    let ran = place.thermos(&["kill"]).expect(0);
    assert_eq!((ran.out().as_str(), ran.err().as_str()), ("", "Must specify tasks!\n"));
    assert_nothing_left(place.home.path());
}

#[test]
fn s80_kill_ends_what_a_dead_runner_left() {
    let place = Place::new();
    // The shell dies with the runner; what it has started, in this session and another, does not.
    let line = "sleep 1001 & setsid sleep 1002 & touch up; wait; true";
    let mut task = place.start(&task(&[("m", line)]), "t1");
    running(&place, "t1", "up");
    // Its runner writes down what it has started after it has.
    wait_for("the process to be written down", || {
        place.status(&["--verbosity=3"]).contains("state:RUNNING").then_some(())
    });
    task.kill();
    let sandbox = place.sandbox("t1");
    wait_for("the two to be left", || (processes_of(&sandbox).len() == 2).then_some(()));
    // The beginning of a record that its runner did not get to write to its end.
    let mut bytes = std::fs::read(place.checkpoint("t1")).unwrap();
    bytes.extend([0, 0]);
    std::fs::write(place.checkpoint("t1"), bytes).unwrap();
    assert!(place.status(&[]).contains("its runner is gone"));
    assert_eq!(place.thermos(&["kill", "t"]).expect(0).out(), "Killing t1...done.\n");
    assert_nothing_left(place.home.path());
    let read = place.thermos(&["read", place.checkpoint("t1").to_str().unwrap()]).expect(0).out();
    // How its run would have ended nobody knows.
    assert!(read.contains("=> KILLED") && read.contains("LOST"), "{read}");
    assert!(!place.is_active("t1"));
}

#[test]
fn s81_tail_shows_the_last_ten_lines() {
    let place = Place::new();
    place.run(&task(&[("p", "seq 1 10; echo no >&2")]), "ten").expect(0);
    place.run(&task(&[("p", "seq 1 20")]), "twenty").expect(0);
    place.run(&task(&[("p", "echo p"), ("q", "echo q")]), "two").expect(0);
    let log = place.sandbox("ten").join(".logs/p/0/stdout");
    let numbers = |from: u32, to: u32| (from..=to).map(|n| format!("{n}\n")).collect::<String>();
    let out = place.thermos(&["tail", "ten"]).expect(0).out();
    assert_eq!(out, format!("Tail of terminal log {}\n{}", log.display(), numbers(1, 10)));
    assert!(place.thermos(&["tail", "ten", "--stderr"]).expect(0).out().ends_with("\nno\n"));
    let out = place.thermos(&["tail", "twenty"]).expect(0).out();
    assert!(out.ends_with(&format!("\n{}", numbers(11, 20))), "{out}");
    let ran = place.thermos(&["tail", "two"]).expect(1);
    assert!(ran.err().contains("More than one process matches query."), "{}", ran.err());
    assert!(place.thermos(&["tail", "two", "q"]).expect(0).out().ends_with("\nq\n"));
    let ran = place.thermos(&["tail", "two", "none"]).expect(1);
    assert!(ran.err().contains("No processes found."), "{}", ran.err());
    let ran = place.thermos(&["tail", "t.*"]).expect(1);
    assert!(ran.err().contains("Could not find task."), "{}", ran.err());
    place.thermos(&["tail"]).expect(2);
    place.thermos(&["tail", "a", "b", "c"]).expect(2);
}

#[test]
fn s81_tail_follows_an_active_run_through_rotation_to_its_end() {
    let place = Place::new();
    let line = "seq 1 12; touch up; while [ ! -e more ]; do sleep 0.01; done; echo thirteen; \
                cd .logs/p/0; while [ ! -e ../../../cut ]; do sleep 0.01; done; \
                : > stdout; echo after the cut; while [ ! -e ../../../move ]; do sleep 0.01; done; \
                mv stdout old; echo after the move > stdout; \
                while [ ! -e ../../../end ]; do sleep 0.01; done";
    let mut task = place.start(&task(&[("p", line)]), "t1");
    running(&place, "t1", "up");
    let mut tail = Process::start(&mut place.command(&["tail", "t1"]));
    tail.expect("Tail of active log");
    tail.expect("12");
    for (file, wanted) in
        [("more", "thirteen"), ("cut", "after the cut"), ("move", "after the move")]
    {
        std::fs::write(place.sandbox("t1").join(file), "").unwrap();
        tail.expect(wanted);
    }
    std::fs::write(place.sandbox("t1").join("end"), "").unwrap();
    assert_eq!(task.ended(), 0);
    assert_eq!(tail.ended(), 0);
    assert!(!tail.lines().iter().any(|line| line == "2"), "{:?}", tail.lines());
}

#[test]
fn s82_files_and_tasks_must_be_named_exactly() {
    let place = Place::new();
    let file = |name: &str, text: &str| place.home.file(name, text).to_str().unwrap().to_owned();
    let one = file("one.aurora", &task(&[("p", "echo {{greeting}} {{thermos.ports[http]}}")]));
    let two = file("two.aurora", "t = SimpleTask('a', 'true')\nexport(t)\nexport(t(name = 'b'))\n");
    let none = file("none.aurora", "t = SimpleTask('a', 'true')\n");
    let jobs = file(
        "jobs.aurora",
        "jobs = [Service(cluster = 'c', role = 'www', environment = 'prod', name = 'web',\n\
         task = SimpleTask('a', 'echo {{thermos.user}} {{role}}'))]\n",
    );
    for command in ["run", "inspect"] {
        for (words, wanted) in [
            (vec![], "Should specify precisely one config, instead got: none"),
            (vec![&*one, &*two], "Should specify precisely one config, instead got:"),
            (vec![&*two], "Multiple tasks in config but no task name specified!"),
            (vec![&*two, "--task", "c"], "Could not find task c!"),
            (vec![&*none], "No tasks specified!"),
            (vec!["-P", "http", &*one], "NAME:PORT"),
            (vec!["-E", "a=b=c", &*one], "NAME=VALUE"),
        ] {
            let ran = place.thermos(&[&[command], &*words].concat()).expect(2);
            assert!(ran.err().contains(wanted), "{wanted:?} is not in:\n{}", ran.err());
        }
    }
    let ran = place.thermos(&["run", &one, "-E", "greeting=hi"]).expect(2);
    assert!(ran.err().contains("Unbound ports: http"), "{}", ran.err());
    let ran = place.thermos(&["run", &one, "-P", "http:80"]).expect(3);
    assert!(ran.err().contains("nothing is bound to {{greeting}}"), "{}", ran.err());
    let json = place.thermos(&["inspect", &one, "-E", "greeting=hi"]).expect(0).json();
    assert_eq!(json["processes"][0]["cmdline"], "echo hi {{thermos.ports[http]}}", "{json:#}");
    let json = place.thermos(&["inspect", &two, "--task=b"]).expect(0).json();
    assert_eq!(json["name"], "b", "{json:#}");
    for name in ["a", "web"] {
        let json = place.thermos(&["inspect", &jobs, "--task", name]).expect(0).json();
        assert_eq!(json["processes"][0]["cmdline"], "echo www www", "{json:#}");
    }
    // Other commands want jobs, and say what this file is for.
    let ran = place.home.run(&["config", "check", &two]).expect(3);
    let said: String = ran.out().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("aurora thermos run"), "{said}");
    assert_eq!(place.home.run(&["config", "list", &two]).expect(0).out(), "jobs=[]\n");
}

#[test]
fn s82_a_task_runs_with_its_ports_and_bindings() {
    let place = Place::new();
    let text = task(&[(
        "p",
        "echo {{greeting}} {{thermos.ports[http]}} {{thermos.task_id}} {{mesos.instance}} $HOME",
    )]);
    let file = place.home.file("one.aurora", &text);
    let mut words = place.run_words(file.to_str().unwrap(), "t1");
    words.extend(["-P", "http:80", "-E", "greeting=hi"].map(str::to_owned));
    place.thermos(&words.iter().map(String::as_str).collect::<Vec<_>>()).expect(0);
    let out = std::fs::read_to_string(place.sandbox("t1").join(".logs/p/0/stdout")).unwrap();
    assert_eq!(out, format!("hi 80 t1 0 {}\n", place.sandbox("t1").display()));
    // Its id has been used.
    let ran = place.thermos(&words.iter().map(String::as_str).collect::<Vec<_>>()).expect(4);
    assert!(ran.err().contains("has been run on this machine before"), "{}", ran.err());
    // The same written as JSON, and a task that fails.
    let json = r#"{"name": "j", "processes": [{"name": "p", "cmdline": "exit 3"}]}"#;
    let file = place.home.file("task.json", json);
    let mut words = place.run_words(file.to_str().unwrap(), "t2");
    words.push("--json".to_owned());
    let ran = place.thermos(&words.iter().map(String::as_str).collect::<Vec<_>>()).expect(1);
    assert!(ran.err().contains("Task t2 is FAILED"), "{}", ran.err());
    assert_nothing_left(place.home.path());
}

#[test]
fn s83_simplerun_runs_words() {
    let place = Place::new();
    for (words, wanted, code) in [
        (&["simplerun", "echo", "hi"][..], "Running command: 'echo hi'\n", 0),
        (&["simplerun", "--", "echo", "-n", "hi"], "Running command: 'echo -n hi'\n", 0),
        (&["simplerun", "--name=n", "--", "false"], "Running command: 'false'\n", 1),
    ] {
        let ran = place.home.aurora(&place.words(words)).env("TMPDIR", place.home.path()).output();
        let ran = Ran(ran.unwrap()).expect(code);
        assert_eq!(ran.out(), wanted);
    }
    let text = place.status(&["--verbosity=1", "simple-20"]);
    assert_eq!(text.matches("state:  SUCCESS").count(), 2, "{text}");
    let text = place.status(&["--verbosity=1", "n-20"]);
    assert!(text.contains("state:   FAILED"), "{text}");
    place.thermos(&["simplerun"]).expect(2);
}

#[test]
fn s84_read_tells_what_a_checkpoint_holds() {
    let place = Place::new();
    let text = "export(Task(name = 't', processes = [Process(name = 'p', max_failures = 2,\n\
        min_duration = 0, cmdline = '[ -e once ] || { touch once; exit 4; }')]))\n";
    place.run(text, "t1").expect(0);
    let file = place.checkpoint("t1");
    let read = |words: &[&str]| place.thermos(&[&["read"], words].concat());
    let out = read(&[file.to_str().unwrap()]).expect(0).out();
    for wanted in
        ["Recovered Task Header:\n  id:      t1\n", "=> ACTIVE", "=> SUCCESS", "  p   runs: 2\n"]
    {
        assert!(out.contains(wanted), "{wanted:?} is not in:\n{out}");
    }
    let newest = out.find("     1: pid=").unwrap();
    let oldest = out.find("     0: pid=").unwrap();
    assert!(newest < oldest && out[oldest..].contains("rc=4"), "{out}");
    let out = read(&["--simple", file.to_str().unwrap()]).expect(0).out();
    assert!(out.lines().all(|line| line.starts_with("CKPT: ")), "{out}");
    assert_eq!(out.matches("state=WAITING").count(), 2, "{out}");
    read(&["nothing"]).expect(2);
    read(&["a", "b"]).expect(2);
    read(&[]).expect(2);
    let mut bytes = std::fs::read(&file).unwrap();
    let length = bytes.len();
    bytes[length - 40] ^= 1;
    let damaged = place.home.path().join("damaged");
    std::fs::write(&damaged, bytes).unwrap();
    let ran = read(&[damaged.to_str().unwrap()]).expect(1);
    assert!(ran.out().contains("=> ACTIVE"), "{}", ran.out());
    assert!(ran.err().contains("Failed to recover from"), "{}", ran.err());
}

#[test]
fn s84_a_run_that_did_not_start_has_no_process_id() {
    let place = Place::new();
    // What is in the way of the second one's logs keeps it from starting.
    let text = "p = Process(name = 'p', cmdline = 'touch .logs/q')\n\
        q = Process(name = 'q', cmdline = 'true')\n\
        export(Task(name = 't', processes = [p, q], constraints = order(p, q)))\n";
    place.run(text, "t1").expect(1);
    let ran = place.thermos(&["read", place.checkpoint("t1").to_str().unwrap()]).expect(0);
    assert!(ran.out().contains("     0: pid=, rc=, finish:"), "{}", ran.out());
    assert!(place.status(&["--verbosity=3"]).contains("- q runs: 1 last: pid=, rc=,"));
}

#[test]
fn a_second_interrupt_ends_a_task_at_once() {
    let place = Place::new();
    let line = "trap 'touch told' INT TERM; touch up; while :; do sleep 0.01; done";
    let mut task = place.start(&task(&[("p", line)]), "t1");
    running(&place, "t1", "up");
    task.signal(Signal::SIGINT);
    running(&place, "t1", "told");
    assert!(place.is_active("t1"));
    task.signal(Signal::SIGINT);
    assert_eq!(task.ended(), 1);
    task.expect_last("Task t1 is KILLED");
    assert_nothing_left(place.home.path());
}

#[test]
fn a_daemon_goes_on_and_says_why_it_did_not_start() {
    let place = Place::new();
    let sandboxes = place.home.path().join("sandboxes");
    let file = place.home.file("t.aurora", &task(&[("p", "touch up; exec sleep 1000")]));
    let words = |id: &'static str, user: &'static str| {
        let words = ["run", "--daemon", file.to_str().unwrap(), "--task_id", id, "--user", user];
        [&words[..], &["--sandbox", sandboxes.to_str().unwrap()]].concat()
    };
    let me: &'static str = Box::leak(crate::support::role().into_boxed_str());
    assert_eq!(place.thermos(&words("d1", me)).expect(0).out(), "d1\n");
    running(&place, "d1", "up");
    assert!(place.is_active("d1"));
    // Its status is that of the same without `--daemon`.
    let ran = place.thermos(&words("d1", me)).expect(4);
    assert!(ran.err().contains("has been run on this machine before"), "{}", ran.err());
    let ran = place.thermos(&words("d2", "no-such-user")).expect(6);
    assert!(ran.err().contains("no-such-user"), "{}", ran.err());
    place.thermos(&["kill", "d1"]).expect(0);
    // Folders are those of whoever starts it, wherever it goes on itself.
    let mut command = place.home.aurora(&["thermos", "run", "--daemon", file.to_str().unwrap()]);
    command.args(["--task_id", "d3", "--root", "root", "--sandbox", "sandboxes", "--user", me]);
    assert_eq!(
        Ran(command.current_dir(place.home.path()).output().unwrap()).expect(0).out(),
        "d3\n"
    );
    running(&place, "d3", "up");
    place.thermos(&["kill", "d3"]).expect(0);
    wait_for("the daemon to end", || processes_of(place.home.path()).is_empty().then_some(()));
}

#[test]
fn gc_deletes_what_has_ended_and_nothing_else() {
    let place = Place::new();
    let outside = place.home.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("file"), "stays").unwrap();
    let line = format!("mkdir -p a/b; touch a/b/c; ln -s {} link; echo said", outside.display());
    for id in ["old", "new"] {
        place.run(&task(&[("p", &line)]), id).expect(0);
    }
    let an_hour_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    let file = std::fs::File::options().append(true).open(place.checkpoint("old")).unwrap();
    file.set_modified(an_hour_ago).unwrap();
    let mut live = place.start(&task(&[("p", "touch up; exec sleep 1000")]), "live");
    running(&place, "live", "up");

    let gc = |words: &[&str]| place.thermos(&[&["gc"], words].concat()).expect(0).out();
    // Without limits all stays, and without a yes too.
    assert!(gc(&[]).contains("Keeping old: within the limits"));
    let out = gc(&["--max_age=30m", "--dryrun"]);
    assert!(out.contains("Would delete old: data ("), "{out}");
    let out = gc(&["--max_age=30m"]);
    assert!(out.contains("Deleting old: data (") && out.ends_with("Continue [y/N]? "), "{out}");
    assert!(place.sandbox("old").join("a/b/c").exists());
    // By default what was printed and written down stays.
    let out = gc(&["--max_age=30m", "--force"]);
    assert!(out.contains("older than --max-age"), "{out}");
    assert!(
        !place.sandbox("old").join("a").exists() && !place.sandbox("old").join("link").exists()
    );
    assert!(place.thermos(&["tail", "old"]).expect(0).out().ends_with("\nsaid\n"));
    assert!(gc(&["--max_age=30m", "--force"]).contains("Keeping old: all of it has gone"));
    assert!(place.sandbox("new").join("a/b/c").exists());
    // All of it, and the live one not even if it is named.
    let out = gc(&["--force", "--delete-logs", "--delete-metadata", "--max_tasks=1"]);
    assert!(out.contains("Deleting old: data, logs, metadata"), "{out}");
    assert!(!place.sandbox("old").exists() && !place.status(&[]).contains("old"));
    let out = gc(&["--force", "--delete-logs", "--delete-metadata", ".*"]);
    assert!(out.contains("Keeping live: it has not ended"), "{out}");
    assert!(out.contains("it was named"), "{out}");
    assert!(!place.sandbox("new").exists() && place.sandbox("live").join("up").exists());
    assert_eq!(std::fs::read_to_string(outside.join("file")).unwrap(), "stays");
    // One that is given up is LOST.
    live.signal(Signal::SIGUSR2);
    assert_eq!(live.ended(), 1);
    live.expect_last("Task live is LOST");
}

#[test]
fn gc_leaves_a_task_alone_whose_runner_is_gone() {
    let place = Place::new();
    let mut task = place.start(&task(&[("p", "sleep 1001 & touch up; wait")]), "t1");
    running(&place, "t1", "up");
    task.kill();
    wait_for("the runner to be gone", || (!is_live(&place)).then_some(()));
    let gc = || place.thermos(&["gc", "--force", "--delete-logs", "t1"]).expect(0).out();
    assert!(gc().contains("its runner is gone, and an hour has not passed"), "{}", gc());
    let hours_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(7200);
    let file = std::fs::File::options().append(true).open(place.checkpoint("t1")).unwrap();
    file.set_modified(hours_ago).unwrap();
    assert!(gc().contains("processes of it still run"), "{}", gc());
    end_all(&place.sandbox("t1"));
    wait_for("the rest to be gone", || processes_of(place.home.path()).is_empty().then_some(()));
    assert!(gc().contains("Deleting t1: data, logs"));
    assert!(!place.sandbox("t1").exists());
}

fn is_live(place: &Place) -> bool {
    !place.status(&["t1"]).contains("its runner is gone")
}

#[test]
fn root_runs_tasks_as_others() {
    let place = Place::new();
    let text = task(&[("p", "id -un; touch $HOME/mine")]);
    let file = place.home.file("t.aurora", &text);
    let mut words = place.run_words(file.to_str().unwrap(), "t1");
    words.extend(["--user", "nobody"].map(str::to_owned));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    if !nix::unistd::Uid::effective().is_root() {
        let ran = place.thermos(&words).expect(6);
        assert!(ran.err().contains("only root can"), "{}", ran.err());
        return;
    }
    place.thermos(&words).expect(0);
    assert!(place.thermos(&["tail", "t1"]).expect(0).out().ends_with("\nnobody\n"));
    assert!(place.sandbox("t1").join("mine").exists());
    assert!(place.status(&["--verbosity=2"]).contains("user: nobody"));
    place.thermos(&["gc", "--force", "--delete-logs", "t1"]).expect(0);
    assert!(!place.sandbox("t1").exists());
}

#[test]
fn what_another_user_has_written_down_ends_and_deletes_nothing_of_others() {
    if !nix::unistd::Uid::effective().is_root() {
        // Only root can have somebody else's checkpoint.
        return;
    }
    let place = Place::new();
    let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap().uid;
    let is_anothers = |id: &str| nix::unistd::chown(&place.checkpoint(id), Some(nobody), None);
    place.run(&task(&[("p", "touch here")]), "t1").expect(0);
    is_anothers("t1").unwrap();
    let ran = place.thermos(&["gc", "--force", "--delete-logs", "t1"]).expect(1);
    assert!(ran.err().contains("belongs to another user"), "{}", ran.err());
    assert!(place.sandbox("t1").join("here").exists());
    let mut live = place.start(&task(&[("p", "touch up; exec sleep 1000")]), "t2");
    running(&place, "t2", "up");
    is_anothers("t2").unwrap();
    let ran = place.thermos(&["kill", "t2"]).expect(1);
    assert!(ran.err().contains("is not taken at their word"), "{}", ran.err());
    assert!(place.is_active("t2"));
    live.signal(Signal::SIGUSR2);
    assert_eq!(live.ended(), 1);
}

#[test]
fn gc_deletes_nothing_behind_a_link_in_the_place_of_what_was_written_down() {
    let place = Place::new();
    place.run(&task(&[("p", "true")]), "t1").expect(0);
    let (there, moved) = (place.checkpoint("t1"), place.home.path().join("moved"));
    let there = there.parent().unwrap();
    std::fs::rename(there, &moved).unwrap();
    std::os::unix::fs::symlink(&moved, there).unwrap();
    let words = ["gc", "--force", "--delete-logs", "--delete-metadata", "t1"];
    let ran = place.thermos(&words).expect(1);
    assert!(ran.err().contains("t1: failed to open what is written down"), "{}", ran.err());
    assert!(moved.join("checkpoint").exists());
}

#[test]
fn gc_goes_on_where_something_cannot_be_deleted() {
    let place = Place::new();
    for id in ["a1", "a2"] {
        place.run(&task(&[("p", "touch here")]), id).expect(0);
    }
    // Somebody has put a link in the place of the sandbox.
    let other = place.home.path().join("other");
    std::fs::rename(place.sandbox("a1"), &other).unwrap();
    std::os::unix::fs::symlink(&other, place.sandbox("a1")).unwrap();
    let ran = place.thermos(&["gc", "--force", "--delete-logs", "a"]).expect(1);
    assert!(ran.err().contains("a1: failed to open"), "{}", ran.err());
    assert!(other.join("here").exists());
    assert!(!place.sandbox("a2").exists());
}

#[test]
fn a_link_named_thermos_to_the_program_runs_these_commands() {
    let place = Place::new();
    let link = place.home.path().join("thermos");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_aurora"), &link).unwrap();
    let run = |words: &[&str]| {
        let root = place.root();
        let mut words = words.to_vec();
        words.insert(1, &root);
        Ran(Command::new(&link).args(&words).env("TMPDIR", place.home.path()).output().unwrap())
    };
    let out = run(&["simplerun", "--task_id=x1", "--", "true"]).expect(0).out();
    assert_eq!(out, "Running command: 'true'\n");
    assert!(run(&["status", "--only=finished"]).expect(0).out().contains("x1"));
    // The name that it was called by counts, whatever the program is.
    let mut command = Command::new(env!("CARGO_BIN_EXE_aurora"));
    let output = command.arg0("thermos").args(["status", &place.root()]).stdin(Stdio::null());
    assert!(Ran(output.output().unwrap()).expect(0).out().contains("x1"));
}

#[test]
fn tasks_of_a_cluster_are_shown_and_killed_and_left_to_it_by_gc() {
    let home = Home::new();
    let line = "echo it runs; exec sleep 1000";
    let file = home.file("svc.aurora", &service(&role(), "shown-by-thermos", 1, line));
    let up = Up::start(&home, file.to_str().unwrap(), &["--no-logs"]);
    up.process.expect("RUNNING");
    // An `aurora up` of one's own is found without a word.
    let active = || {
        let out = home.run(&["thermos", "status", "--only=active", ".*-shown-by-thermos-0-"]).out();
        let line = out.lines().nth(1)?.trim_start().to_owned();
        Some(line.split(' ').next()?.to_owned())
    };
    let id = wait_for("the task", active);
    let mut tail = Process::start(&mut home.aurora(&["thermos", "tail", &id]));
    tail.expect("it runs");
    let root = format!("--root={}", home.data().join("thermos").display());
    let out = home.run(&["thermos", "gc", &root, "--force", &id]).expect(0).out();
    assert!(out.contains("it has not ended"), "{out}");
    let ran = home.run(&["thermos", "kill", &id]).expect(0);
    assert_eq!(ran.out(), format!("Killing {id}...done.\n"));
    assert_eq!(tail.ended(), 0);
    let out = home.run(&["thermos", "gc", &root, "--force", &id]).expect(0).out();
    assert!(out.contains("it is a cluster's"), "{out}");
    // The cluster has lost a task, and starts another.
    wait_for("another task", || active().filter(|found| *found != id));
    up.stop();
}
