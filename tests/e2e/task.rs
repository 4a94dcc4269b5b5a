//! What tasks print, commands beside them, their files; and the same through ssh.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;
use std::time::Instant;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::cluster::{Cluster, Flags, task_id};
use crate::support::process::Process;
use crate::support::proxy::Proxy;
use crate::support::sshd::Sshd;
use crate::support::terminal::Terminal;
use crate::support::{PATIENCE, Ran, request, role, service, skip, wait_for};

/// Creates a job and waits until all of it runs. Gives its key.
fn create(cluster: &Cluster, role: &str, name: &str, instances: u32, command: &str) -> String {
    let key = format!("test/{role}/prod/{name}");
    let file = cluster.home.file("job.aurora", &service(role, name, instances, command));
    cluster.run(&["job", "create", &key, file.to_str().unwrap()]).expect(0);
    cluster.wait_running(&key, instances as usize);
    key
}

/// A user who is not root, if this test may become one.
fn other_role() -> String {
    if nix::unistd::Uid::effective().is_root() { "www-data".to_owned() } else { role() }
}

/// The lines that `task logs` prints, once they fulfil a condition.
fn logs(cluster: &Cluster, words: &[&str], fits: impl Fn(&[String]) -> bool) -> Vec<String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let ran = cluster.run(&[&["task", "logs"], words].concat());
        let lines: Vec<String> = ran.out().lines().map(str::to_owned).collect();
        if ran.code() == 0 && fits(&lines) {
            return lines;
        }
        assert!(Instant::now() < deadline, "{words:?}: {} {lines:#?} {}", ran.code(), ran.err());
    }
}

/// The words that run a command beside an instance.
fn exec_words(cluster: &Cluster, flags: &[&str], command: &[&str]) -> Vec<String> {
    let mut words = cluster.words(&[&["task", "exec"], flags].concat());
    words.push("--".to_owned());
    words.extend(command.iter().map(|word| (*word).to_owned()));
    words
}

fn exec(cluster: &Cluster, key: &str, command: &[&str]) -> Ran {
    cluster.home.run(&exec_words(cluster, &[key], command))
}

#[test]
fn logs_of_all_instances_are_merged_chosen_and_read_after_the_end() {
    let cluster = Cluster::start();
    let owner = role();
    let command = "for i in 1 2 3; do echo out-$i; echo err-$i >&2; done; printf 'bin\\377\\n'; \
                   while [ ! -e stop ]; do sleep 0.05; done; exit 1";
    let key = create(&cluster, &owner, "talk", 2, command);
    let all = logs(&cluster, &[&key], |lines| lines.len() == 14);
    for instance in 0..2 {
        for text in ["out-1", "out-3", "err-2"] {
            assert!(all.contains(&format!("{instance}/main | {text}")), "{all:#?}");
        }
    }
    let one = format!("{key}/1");
    let words = [&*one, "main", "--stdout", "--no-prefix", "--tail", "2"];
    let ran = cluster.run(&[&["task", "logs"], &words[..]].concat()).expect(0);
    assert_eq!(ran.0.stdout, b"out-3\nbin\xff\n", "what was printed comes as it is");
    let errors = logs(&cluster, &[&one, "--stderr"], |lines| lines.len() == 3);
    assert_eq!(errors[2], "1/main | err-3");
    assert!(
        cluster
            .run(&["task", "logs", &key, "--since", "1h", "--tail", "0"])
            .expect(0)
            .out()
            .is_empty()
    );
    let since = cluster.run(&["task", "logs", &key, "--since", "2100-01-01T00:00:00Z"]).expect(0);
    assert_eq!(since.out(), "");

    // What is not there is named, and what there is instead.
    let wrong = cluster.run(&["task", "logs", &one, "nobody"]).expect(6).err();
    assert!(wrong.contains("no output of a process nobody; there is main"), "{wrong}");
    let wrong = cluster.run(&["task", "logs", &format!("{key}/0,7")]).expect(6);
    assert!(wrong.err().contains("instance 7: it has never run"), "{}", wrong.err());
    assert!(wrong.out().contains("0/main | out-1"), "the others go on");
    cluster.run(&["task", "logs", &format!("test/{owner}/prod/none")]).expect(6);
    cluster.run(&["task", "logs", &key, "--since", "soon"]).expect(2);

    // Following ends with the tasks, and shows what those print that come in their place.
    let words = cluster.words(&["task", "logs", &one, "--stdout", "-f", "--tail", "1"]);
    let mut follower = Process::start(&mut cluster.home.aurora(&words));
    follower.expect("1/main | bin");
    let first = task_id(&cluster.active(&one[..key.len()])[1]);
    exec(&cluster, &one, &["bash", "-c", "echo later >> .logs/main/0/stdout"]).expect(0);
    follower.expect("1/main | later");
    // A process that is run again begins a new run, and so does the task that comes in the place of another.
    let again = |count: usize| {
        wait_for(&format!("run {count}"), || {
            let lines = follower.lines();
            (lines.iter().filter(|line| *line == "1/main | out-3").count() == count).then_some(())
        });
    };
    let pid = nix::unistd::Pid::from_raw(cluster.pid_of(&first));
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
    again(1);
    exec(&cluster, &one, &["touch", "stop"]).expect(0);
    again(2);
    cluster.run(&["job", "killall", &key, "--no-batching"]).expect(0);
    assert_eq!(follower.ended(), 0, "{:#?}", follower.lines());

    // The sandboxes of ended tasks are still there: that of the latest, and those before with all their runs.
    assert_eq!(logs(&cluster, &[&one, "--stdout"], |_| true).len(), 4);
    let old = logs(&cluster, &[&one, "--task", &first, "--stdout", "--all-runs"], |_| true);
    assert_eq!((old.len(), &*old[4], &*old[5]), (9, "1/main/0 | later", "1/main/1 | out-1"));
    exec(&cluster, &one, &["true"]).expect(125);
}

#[test]
fn logs_survive_rotation_huge_lines_and_agents_that_go_away() {
    let mut cluster = Cluster::start();
    let owner = role();
    // A megabyte in one line, then files that are rotated at a megabyte while they are followed.
    let logger = "Process(name = 'main', logger = Logger(mode = 'rotate', \
                  rotate = RotatePolicy(log_size = 1 * MB, backups = 5)),";
    let command = "head -c 1000000 /dev/zero | tr '\\0' x; echo; while [ ! -e go ]; do sleep 0.05; done; \
                   for i in $(seq 1 40); do head -c 100000 /dev/zero | tr '\\0' y; echo end-$i; sleep 0.2; done; \
                   exec sleep 1000";
    let text = service(&owner, "loud", 1, command).replace("Process(name = 'main',", logger);
    let text = text.replace("disk = 8 * MB", "disk = 64 * MB");
    let key = format!("test/{owner}/prod/loud");
    let file = cluster.home.file("job.aurora", &text);
    cluster.run(&["job", "create", &key, file.to_str().unwrap()]).expect(0);
    cluster.wait_running(&key, 1);
    let pieces = logs(&cluster, &[&key, "--no-prefix"], |lines| {
        lines.iter().map(String::len).sum::<usize>() == 1_000_000
    });
    assert!(pieces.iter().all(|piece| piece.len() <= 16 << 10), "a line without end is bounded");

    let words = cluster.words(&["task", "logs", &key, "-f", "--tail", "0", "--no-prefix"]);
    let mut follower = Process::start(&mut cluster.home.aurora(&words));
    // What is printed from now on is seen as soon as one line was.
    wait_for("the follower", || {
        let mark = "echo begun >> .logs/main/0/stderr";
        exec(&cluster, &format!("{key}/0"), &["bash", "-c", mark]).expect(0);
        follower.lines().contains(&"begun".to_owned()).then_some(())
    });
    exec(&cluster, &format!("{key}/0"), &["touch", "go"]).expect(0);
    follower.expect("end-40");
    let ends: Vec<String> = follower
        .lines()
        .iter()
        .filter_map(|line| Some(line.split_once("end-")?.1.to_owned()))
        .collect();
    let wanted: Vec<String> = (1..=40).map(|number| number.to_string()).collect();
    assert_eq!(ends, wanted, "nothing is lost when files are rotated, and nothing comes twice");

    // The agent goes, and comes again: the follower goes on.
    cluster.agent.kill();
    let away = cluster.run(&["task", "logs", &key]).expect(7).err();
    assert!(away.contains("instance 0: failed to reach the agent of"), "{away}");
    cluster.restart_agent();
    wait_for("the agent", || {
        exec(&cluster, &format!("{key}/0"), &["bash", "-c", "echo again >> .logs/main/0/stdout"])
            .0
            .status
            .success()
            .then_some(())
    });
    follower.expect("again");

    // A new run is shown whole, though it was rotated before it was seen; what only looks like an old file is
    // not asked for, and a far number costs nothing.
    let run = "mkdir new; cd new; echo far > stdout.4000000000; echo older > stdout.2; echo old > stdout.1; \
               echo never > stdout.0; echo new > stdout; mv ../new ../.logs/main/1";
    exec(&cluster, &format!("{key}/0"), &["bash", "-c", run]).expect(0);
    follower.expect("new");
    let wanted = ["far", "older", "old", "new"];
    let lines = follower.lines();
    assert_eq!(lines[lines.len() - wanted.len()..], wanted);
    assert_eq!(logs(&cluster, &[&key, "--no-prefix"], |_| true), wanted);
    cluster.run(&["job", "killall", &key, "--no-batching"]).expect(0);
    assert_eq!(follower.ended(), 0);
    assert_eq!(follower.lines().len(), lines.len(), "nothing comes twice");
}

#[test]
fn commands_run_as_the_task_in_its_sandbox_and_end_with_their_client() {
    let mut cluster = Cluster::start();
    let user = other_role();
    let key = create(
        &cluster,
        &user,
        "web",
        1,
        "echo 'export GREETING=hello' > .thermos_profile; exec sleep 1000",
    );
    let one = format!("{key}/0");
    let ran = exec(
        &cluster,
        &one,
        &["bash", "-c", "id -un; pwd; echo $HOME $USER $GREETING; echo no >&2; exit 7"],
    );
    let ran = ran.expect(7);
    let lines: Vec<String> = ran.out().lines().map(str::to_owned).collect();
    assert_eq!(lines[0], user, "never somebody else than the task's user");
    assert!(lines[1].ends_with("/sandbox"), "{lines:?}");
    assert_eq!(lines[2], format!("{} {user} hello", lines[1]));
    assert_eq!(ran.err(), "no\n");

    // As docker's: not found, not to be run, ended by a signal, not run at all.
    exec(&cluster, &one, &["no-such-command"]).expect(127);
    exec(&cluster, &one, &["/etc/passwd"]).expect(126);
    exec(&cluster, &one, &["bash", "-c", "kill -TERM $$"]).expect(143);
    exec(&cluster, &format!("{key}/5"), &["true"]).expect(125);
    let wrong = cluster.home.run(&exec_words(&cluster, &[&one, "-t"], &["true"])).expect(125).err();
    assert!(wrong.contains("no terminal"), "{wrong}");
    exec(&cluster, &key, &["true"]).expect(2);

    // Input goes to its end while output comes, whatever bytes they are.
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|number| (number * 7 % 256) as u8).collect();
    assert_eq!(
        piped(&cluster, &exec_words(&cluster, &["-i", &one], &["cat"]), &bytes).0.stdout,
        bytes
    );
    assert_eq!(
        piped(&cluster, &exec_words(&cluster, &[&one], &["cat"]), b"no").out(),
        "",
        "without -i there is none"
    );
    assert_eq!(
        piped(&cluster, &cluster.words(&["task", "shell", &one]), b"echo $((6 * 7))\n").out(),
        "42\n"
    );

    // One that has closed its outputs reads on.
    let script = "exec >/dev/null 2>&1; cat > kept; mv kept whole";
    piped(&cluster, &exec_words(&cluster, &["-i", &one], &["bash", "-c", script]), &bytes);
    let whole = cluster.run(&["task", "cp", &format!("{one}:whole"), "-"]).expect(0).0.stdout;
    assert!(whole == bytes, "{} of {} bytes", whole.len(), bytes.len());
    // Its streams are its user's.
    let script =
        "echo to-err > /dev/stderr; echo to-out > /dev/stdout; read line < /dev/stdin; echo $line";
    let words = exec_words(&cluster, &["-i", &one], &["bash", "-c", script]);
    let ran = piped(&cluster, &words, b"from-in\n");
    assert_eq!((ran.out().as_str(), ran.err().as_str()), ("to-out\nfrom-in\n", "to-err\n"));
    // Who reads no more ends it, and hears nothing of it.
    let mut client = cluster.home.aurora(&exec_words(&cluster, &[&one], &["yes"]));
    let mut client = client.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    client.stdout.take().unwrap().read_exact(&mut [0; 4]).unwrap();
    let ran = Ran(client.wait_with_output().unwrap());
    assert_eq!((ran.code(), ran.err().as_str()), (141, ""));
    // What gets away and prints for ever holds nobody up.
    let script = "env -i setsid yes & exit 3";
    let mut client = cluster.home.aurora(&exec_words(&cluster, &[&one], &["bash", "-c", script]));
    let mut client = client.stdout(Stdio::null()).spawn().unwrap();
    let status = wait_for("the end of the command", || client.try_wait().unwrap());
    assert_eq!(status.code(), Some(3));

    // Whatever an agent is asked for, it makes nobody another user, and takes no name for a path.
    let ask = |body: &Value| {
        let headers = "Content-Type: application/json\r\n";
        let api = "/slave(1)/api/v1";
        request(&cluster.agent_address(), "POST", api, headers, &body.to_string()).unwrap()
    };
    let running: Value =
        serde_json::from_str(&ask(&json!({"type": "GET_CONTAINERS"})).body).unwrap();
    let container = &running["get_containers"]["containers"][0]["container_id"]["value"];
    let launch = |id: &str, user: &str| {
        let answer = ask(&json!({
            "type": "LAUNCH_NESTED_CONTAINER_SESSION",
            "launch_nested_container_session": {
                "container_id": {"value": id, "parent": {"value": container}},
                "command": {
                    "value": "test \"$MESOS_SANDBOX\" != /elsewhere",
                    "user": user,
                    "environment": {"variables": [{"name": "MESOS_SANDBOX", "value": "/elsewhere"}]},
                },
            },
        }));
        (answer.status, answer.body)
    };
    let (status, text) = launch("one", "daemon");
    assert_eq!(status, 403, "{text}");
    assert!(text.contains(&format!("as the task's user, {user}, and not as daemon")), "{text}");
    assert_eq!(launch("../one", &user).0, 400);
    assert_eq!(launch("one", &user).0, 200);
    let wait = |parent: &Value| {
        let id = json!({"value": "one", "parent": {"value": parent}});
        let call = json!({"container_id": id});
        ask(&json!({"type": "WAIT_NESTED_CONTAINER", "wait_nested_container": call}))
    };
    let waited: Value = serde_json::from_str(&wait(container).body).unwrap();
    let status = &waited["wait_nested_container"]["exit_status"];
    assert_eq!(status, 0, "by that variable it ends with its task: no caller changes it");
    assert_eq!(wait(&json!("nobody")).status, 404);

    // A client that is killed takes its command with it, and all that this has started.
    let (first, second) = (sleep(1), sleep(2));
    let running = || count(&first) + count(&second);
    let script = format!("setsid {second} & echo up; {first}");
    let words = exec_words(&cluster, &[&one], &["bash", "-c", &script]);
    let mut client = Process::start(&mut cluster.home.aurora(&words));
    client.expect("up");
    wait_for("both", || (running() == 2).then_some(()));
    client.kill();
    wait_for("the end of the command", || (running() == 0).then_some(()));
    // So does an agent that is killed; and the task has noticed none of it.
    let mut client = Process::start(&mut cluster.home.aurora(&words));
    client.expect("up");
    cluster.agent.kill();
    assert_eq!(client.ended(), 125);
    client.expect_last("the command ran, which has ended with that");
    cluster.restart_agent();
    wait_for("the end of the command", || (running() == 0).then_some(()));
    wait_for("the agent", || exec(&cluster, &one, &["true"]).0.status.success().then_some(()));
    assert_eq!(
        cluster.active(&key)[0]["assignedTask"]["taskId"].as_str(),
        Some(&*cluster.running_task(&key))
    );
    // The end of a task is the end of commands beside it.
    let mut client = Process::start(&mut cluster.home.aurora(&words));
    client.expect("up");
    cluster.run(&["job", "killall", &key, "--no-batching"]).expect(0);
    assert_eq!(client.ended(), 137);
    assert_eq!(running(), 0);
}

/// Runs a command with this standard input.
fn piped(cluster: &Cluster, words: &[String], input: &[u8]) -> Ran {
    let mut command = cluster.home.aurora(words);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut to = child.stdin.take().unwrap();
    let input = input.to_vec();
    // A command without an interest in it may be gone.
    let typing = std::thread::spawn(move || drop(to.write_all(&input)));
    let ran = Ran(child.wait_with_output().unwrap());
    typing.join().unwrap();
    ran.expect(0)
}

/// A command that lasts, and that no other test runs.
fn sleep(number: u32) -> String {
    format!("sleep {}", 1_000_000 + std::process::id() * 10 + number)
}

/// How many processes have this command line.
fn count(command: &str) -> usize {
    let wanted = command.replace(' ', "\0") + "\0";
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter(|entry| {
            std::fs::read(entry.path().join("cmdline")).is_ok_and(|line| line == wanted.as_bytes())
        })
        .count()
}

#[test]
fn a_terminal_is_passed_on_with_its_size_keys_and_end() {
    let cluster = Cluster::start();
    let key = create(&cluster, &other_role(), "tty", 1, "exec sleep 1000");
    let one = format!("{key}/0");
    let words = cluster.words(&["task", "shell", &one]);
    let mut terminal = Terminal::start(&mut cluster.home.aurora(&words), 33, 111);
    terminal.press("stty size; echo is-$((40 + 2))\n");
    terminal.expect("33 111");
    terminal.expect("is-42");
    terminal.resize(22, 99);
    // The size comes a moment after it was changed.
    terminal.press("until [ \"$(stty size)\" = '22 99' ]; do :; done; echo grown-$((1 + 1))\n");
    terminal.expect("grown-2");
    // Ctrl-C is the command's, and does not end the client.
    let long = sleep(3);
    terminal.press(&format!("{long}; echo status-$?\n"));
    wait_for("the command", || (count(&long) == 1).then_some(()));
    terminal.press("\u{3}");
    terminal.press("echo still-$((2 + 1))\n");
    terminal.expect("still-3");
    assert_eq!(count(&long), 0);
    terminal.press("echo to-err-$((1 + 1)) > /dev/stderr; echo to-tty-$((1 + 1)) > $(tty)\n");
    terminal.expect("to-err-2");
    terminal.expect("to-tty-2");
    assert!(terminal.is_raw());
    terminal.press("exit 5\n");
    assert_eq!(terminal.ended(), Some(5));

    // Without -i the keys are not the command's: Ctrl-C is for the client, with which it ends.
    let long = sleep(4);
    let script = format!("echo up-$((1 + 1)); exec {long}");
    let words = exec_words(&cluster, &["-t", &one], &["bash", "-c", &script]);
    let mut terminal = Terminal::start(&mut cluster.home.aurora(&words), 33, 111);
    terminal.expect("up-2");
    assert!(!terminal.is_raw());
    terminal.press("\x03");
    assert_eq!(terminal.ended(), Some(130));
    wait_for("the end of the command", || (count(&long) == 0).then_some(()));

    // Whatever signal tells the client to end, the terminal is as it was.
    for told in [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM, Signal::SIGHUP] {
        let words = cluster.words(&["task", "shell", &one]);
        let mut terminal = Terminal::start(&mut cluster.home.aurora(&words), 33, 111);
        terminal.press("echo up-$((1 + 1))\n");
        terminal.expect("up-2");
        assert!(terminal.is_raw());
        terminal.tell(told);
        assert_eq!(terminal.ended(), Some(130), "{told}");
        assert!(!terminal.is_raw(), "{told}");
    }
}

#[test]
fn agents_run_no_commands_when_told_so() {
    let cluster = Cluster::start_with(Flags { agent: &["--no-exec"], ..Flags::default() });
    let key = create(&cluster, &role(), "web", 1, "exec sleep 1000");
    let refused = exec(&cluster, &format!("{key}/0"), &["true"]).expect(125).err();
    assert!(refused.contains("started with --no-exec"), "{refused}");
    logs(&cluster, &[&key], |_| true);
}

#[test]
fn files_are_copied_both_ways_and_stay_in_the_sandbox() {
    let cluster = Cluster::start();
    let user = other_role();
    let command = "mkdir -p d/e; echo one > d/one; echo two > d/e/two; ln -s /etc/passwd d/link; ln -s /etc out; \
                   printf '\\000\\377' > bin; chmod 755 bin; mkdir -p modes/in; echo in > modes/in/file; \
                   chmod 660 modes/in/file; chmod 570 modes/in; chmod 770 modes; touch ready; exec sleep 1000";
    let key = create(&cluster, &user, "files", 1, command);
    let one = format!("{key}/0");
    let at = |path: &str| format!("{one}:{path}");
    wait_for("the files", || {
        exec(&cluster, &one, &["test", "-e", "ready"]).0.status.success().then_some(())
    });
    let here = cluster.home.path().join("here");
    std::fs::create_dir(&here).unwrap();
    let to = here.to_str().unwrap();

    let ran = cluster.run(&["task", "cp", &at("d"), to]).expect(0);
    assert!(ran.err().contains("d/link is neither a file nor a folder"), "{}", ran.err());
    assert_eq!(std::fs::read_to_string(here.join("d/e/two")).unwrap(), "two\n");
    assert!(!here.join("d/link").exists());
    cluster.run(&["task", "cp", &at("bin"), to]).expect(0);
    assert_eq!(std::fs::read(here.join("bin")).unwrap(), b"\0\xff");
    assert_eq!(std::fs::metadata(here.join("bin")).unwrap().permissions().mode() & 0o777, 0o755);
    assert_eq!(cluster.run(&["task", "cp", &at("bin"), "-"]).expect(0).0.stdout, b"\0\xff");

    // Folders keep their modes, whatever the umask is, also those in which nothing may be written.
    cluster.run(&["task", "cp", &at("modes"), to]).expect(0);
    for (path, wanted) in [("modes", 0o770), ("modes/in", 0o570), ("modes/in/file", 0o660)] {
        let mode = std::fs::metadata(here.join(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, wanted, "{path}: {mode:o}");
    }

    // The other way: a file, a folder, what is piped.
    let large: Vec<u8> = (0..2_000_000_u32).map(|number| (number % 251) as u8).collect();
    std::fs::write(here.join("large"), &large).unwrap();
    cluster.run(&["task", "cp", here.join("large").to_str().unwrap(), &at("d/renamed")]).expect(0);
    assert_eq!(cluster.run(&["task", "cp", &at("d/renamed"), "-"]).expect(0).0.stdout, large);
    cluster.run(&["task", "cp", here.join("d").to_str().unwrap(), &at("d")]).expect(0);
    assert_eq!(cluster.run(&["task", "cp", &at("d/d/e/two"), "-"]).expect(0).out(), "two\n");
    assert_eq!(
        exec(&cluster, &one, &["stat", "-c", "%U", "d/d/e/two"]).expect(0).out(),
        format!("{user}\n")
    );
    piped(&cluster, &cluster.words(&["task", "cp", "-", &at("piped")]), b"through a pipe");
    // One that takes its time shows on a terminal how far it is.
    let pipe = cluster.home.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut written = std::fs::File::options().read(true).write(true).open(&pipe).unwrap();
    let words = cluster.words(&["task", "cp", "-", &at("slow")]);
    let terminal = crate::support::tmux::Terminal::start_reading(&cluster.home, &words, &pipe);
    terminal.expect("0 bytes copied");
    written.write_all(&[b'x'; 4096]).unwrap();
    terminal.expect("4.0 KiB copied");
    drop(written);
    let screen = terminal.expect("status 0");
    assert_eq!(screen, ["status 0"]);
    assert_eq!(cluster.run(&["task", "cp", &at("piped"), "-"]).expect(0).out(), "through a pipe");

    let fifo = here.join("modes/fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    std::os::unix::fs::symlink("in", here.join("modes/link")).unwrap();
    let modes = here.join("modes");
    let sent = cluster.run(&["task", "cp", modes.to_str().unwrap(), &at("sent")]).expect(0).err();
    for left_out in ["modes/fifo", "modes/link"] {
        assert!(sent.contains(&format!("{left_out} is neither a file nor a folder")), "{sent}");
    }
    let stat = ["stat", "-c", "%a", "sent", "sent/in", "sent/in/file"];
    assert_eq!(exec(&cluster, &one, &stat).expect(0).out(), "770\n570\n660\n");
    exec(&cluster, &one, &["test", "!", "-e", "sent/fifo", "-a", "!", "-L", "sent/link"]).expect(0);
    let refused = cluster.run(&["task", "cp", fifo.to_str().unwrap(), &at("fifo")]).expect(6).err();
    assert!(refused.contains("modes/fifo is neither a file nor a folder"), "{refused}");

    // What cannot be read here ends the copy with the reason.
    let words = cluster.words(&["task", "cp", "-", &at("unread")]);
    let mut command = cluster.home.aurora(&words);
    command.stdin(std::fs::File::open(&here).unwrap());
    let unread = Ran(command.output().unwrap()).expect(1).err();
    assert!(unread.contains("failed to read what is to be copied: Is a directory"), "{unread}");
    // More than the agent tells is no copy.
    let script = "mkdir many && cd many && seq 10001 | xargs touch";
    exec(&cluster, &one, &["bash", "-c", script]).expect(0);
    let many = cluster.run(&["task", "cp", &at("many"), to]).expect(4).err();
    assert!(many.contains("many of task") && many.contains("has 10001 entries"), "{many}");
    cluster.run(&["task", "cp", &at("many/1"), to]).expect(0);
    cluster.run(&["task", "cp", here.join("bin").to_str().unwrap(), &at("many")]).expect(0);

    // No way out: not by the path, not by a link of the job.
    for (path, code) in
        [("../x", 2), ("/etc/passwd", 2), ("out/passwd", 6), ("d/link", 6), ("none", 6)]
    {
        let ran = cluster.run(&["task", "cp", &at(path), to]).expect(code);
        assert!(!ran.err().is_empty() && !here.join("passwd").exists(), "{path}");
    }
    cluster.run(&["task", "cp", to, &at("none/there")]).expect(6);
    let absent = here.join("nosuch");
    let refused = cluster.run(&["task", "cp", absent.to_str().unwrap(), &at("")]).expect(6).err();
    assert!(refused.contains("here/nosuch: No such file"), "{refused}");
    cluster.run(&["task", "cp", to, to]).expect(2);
    cluster.run(&["job", "killall", &key, "--no-batching"]).expect(0);
    // Of a task that has ended they can still be had.
    assert_eq!(cluster.run(&["task", "cp", &at("d/one"), "-"]).expect(0).out(), "one\n");
    cluster.run(&["task", "cp", to, &at("x")]).expect(6);
}

/// With a real sshd: c107 to c114, c155, c156, e8, e14 to e16.
#[test]
fn c107_to_c114_e8_e14_to_e16_ssh_and_scp_reach_the_sandboxes() {
    let cluster = Cluster::start();
    let Some(sshd) = Sshd::start(cluster.home.path()) else {
        skip("no sshd that lets others in: it needs openssh-server and root");
        return;
    };
    let (ssh, scp) = (sshd.ssh_options(), sshd.scp_options());
    let key = create(&cluster, &role(), "remote", 3, "echo hello; exec sleep 1000");
    let one = format!("{key}/0");

    // c107, c108, e14: every line says its host; references are filled; named instances only.
    let ran = cluster
        .run(&["task", "run", &ssh, &key, "ls -a; echo {{mesos.instance}}-{{thermos.task_id}}"])
        .expect(0);
    assert_eq!(
        ran.out().lines().filter(|line| *line == "127.0.0.1:  .logs").count(),
        3,
        "{}",
        ran.out()
    );
    for instance in 0..3 {
        assert!(ran.out().contains(&format!("127.0.0.1:  {instance}-")), "{}", ran.out());
    }
    let some = cluster
        .run(&["task", "run", &ssh, "-t", "2", &format!("{key}/1-2"), "echo {{mesos.instance}}"])
        .expect(0);
    let mut lines: Vec<String> = some.out().lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(lines, ["127.0.0.1:  1", "127.0.0.1:  2"]);
    // D11: what fails on a host is told and counts; D12: so does a cluster that nobody knows.
    let failed =
        cluster.run(&["task", "run", &ssh, &key, "exit {{mesos.instance}}"]).expect(4).err();
    assert!(failed.contains("failed on 2 of 3 instances"), "{failed}");
    cluster.home.run(&["task", "run", "nowhere/r/e/n", "true"]).expect(3);
    cluster.run(&["task", "run", &ssh, &format!("test/{}/prod/none", role()), "true"]).expect(6);

    // c109, c114, c156, e8: its status is the command's, the pid file has no end of line.
    let pid_file = cluster.home.path().join("pid");
    let words = [
        "task",
        "ssh",
        &ssh,
        &one,
        "--command=tail -1 .logs/main/0/stdout; exit 9",
        "-p",
        pid_file.to_str().unwrap(),
    ];
    let ran = cluster.run(&words).expect(9);
    assert_eq!(ran.out().trim(), "hello");
    let pid = std::fs::read_to_string(&pid_file).unwrap();
    assert!(pid.parse::<u32>().is_ok(), "{pid:?}");
    let outside =
        cluster.run(&["task", "ssh", &ssh, "--executor-sandbox", &one, "-c", "ls"]).expect(0);
    assert!(outside.out().contains("sandbox"), "{}", outside.out());
    let refused =
        cluster.run(&["task", "ssh", "--ssh-options=-p 1 -o ConnectTimeout=1", &one, "-c", "true"]);
    refused.expect(255);
    // c110, c111: refused before anything is started.
    cluster.run(&["task", "ssh", &key, "-c", "true"]).expect(6);
    cluster.run(&["task", "ssh", &format!("{key}/9"), "-c", "true"]).expect(6);
    cluster.run(&["task", "ssh", &ssh, &one, "-L", "x:http", "-c", "true"]).expect(6);
    let unknown =
        cluster.run(&["task", "ssh", &ssh, &one, "-L", "8080:http", "-c", "true"]).expect(6).err();
    assert!(unknown.contains("no port http; there is none"), "{unknown}");

    // c112, c113, e15: to the sandbox, absolute as it is, between instances.
    let note = cluster.home.file("note.txt", "from here");
    let note = note.to_str().unwrap();
    cluster.run(&["task", "scp", &scp, note, &format!("{one}:")]).expect(0);
    let found = cluster.run(&["task", "run", &ssh, &key, "ls"]).expect(0).out();
    assert_eq!(found.matches("note.txt").count(), 1, "{found}");
    let absolute = cluster.home.path().join("x/../copy.txt");
    cluster
        .run(&[
            "task",
            "scp",
            &scp,
            &format!("{one}:note.txt"),
            &format!("{one}:{}", absolute.display()),
        ])
        .expect(0);
    assert_eq!(std::fs::read_to_string(cluster.home.path().join("copy.txt")).unwrap(), "from here");
    let second = format!("{key}/1:");
    cluster.run(&["task", "scp", &scp, &format!("{one}:note.txt"), &second]).expect(0);
    cluster
        .run(&[
            "task",
            "scp",
            &scp,
            &format!("{second}note.txt"),
            cluster.home.path().join("back").to_str().unwrap(),
        ])
        .expect(0);
    assert_eq!(std::fs::read_to_string(cluster.home.path().join("back")).unwrap(), "from here");
    for wrong in [format!("{one}:~/x"), format!("{key}:x"), format!("{key}/7:x")] {
        cluster.run(&["task", "scp", &scp, note, &wrong]).expect(6);
    }
    // c155: its status is that of scp.
    cluster.run(&["task", "scp", &scp, &format!("{one}:none"), "/dev/null"]).expect(1);

    // e16: out of the sandbox the task's user may not write.
    let web = create(&cluster, "www-data", "denied", 1, "exec sleep 1000");
    cluster.run(&["task", "scp", &scp, note, &format!("{web}/0:")]).expect(0);
    let denied = cluster.run(&["task", "scp", &scp, note, &format!("{web}/0:../../")]);
    assert!(denied.code() != 0 && denied.err().contains("Permission denied"), "{}", denied.err());

    // A clusters.json may say where the sandboxes are.
    let clusters = format!(
        r#"[{{"name": "test", "scheduler_uri": "{}", "slave_root": "/nonexistent", "slave_run_directory": "latest"}}]"#,
        cluster.scheduler_address()
    );
    let clusters = cluster.home.file("clusters.json", &clusters);
    let words = ["task", "run", &ssh, "--clusters", clusters.to_str().unwrap(), &one, "true"];
    let ran = cluster.home.run(&words);
    assert!(ran.out().contains("/nonexistent/slaves/"), "{} {}", ran.out(), ran.err());
    for key in [&key, &web] {
        cluster.run(&["job", "killall", key, "--no-batching"]).expect(0);
    }
}

#[test]
fn what_was_read_is_not_read_again_when_the_scheduler_comes_back() {
    let mut cluster = Cluster::start();
    let key = create(&cluster, &role(), "web", 1, "echo this is $$; exec sleep 1000");
    cluster.running_task(&key);
    cluster.run(&["job", "restart", &key, "--watch-secs", "0"]).expect(0);
    cluster.running_task(&key);
    let proxy = Proxy::before(&cluster.scheduler_address());
    let address = proxy.address();
    let words = ["task", "logs", &key, "-f", "--scheduler", &address];
    let mut following = Process::start(&mut cluster.home.aurora(&words));
    following.expect("this is");
    cluster.scheduler.kill();
    cluster.restart_scheduler();
    wait_for("the tasks to be told anew", || (proxy.calls("WatchTasks") > 1).then_some(()));
    cluster.wait_registered();
    cluster.run(&["job", "killall", &key]).expect(0);
    assert_eq!(following.ended(), 0, "{:?}", following.lines());
    let said = following.lines().iter().filter(|line| line.contains("this is")).count();
    assert_eq!(said, 1, "{:?}", following.lines());
}
