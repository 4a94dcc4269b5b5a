//! What goes wrong is said clearly, with the right exit code, and nothing is half done.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;

use crate::support::cluster::Cluster;
use crate::support::{Home, Ran, role, service, skip, wait_for};

const KEY: &str = "devcluster/www-data/prod/hello";

/// Inspects a file and gives what was said.
fn inspect(text: &str) -> Ran {
    let home = Home::new();
    let file = home.file("bad.aurora", text);
    home.run(&["job", "inspect", KEY, file.to_str().unwrap()])
}

fn job(fields: &str) -> String {
    format!(
        "task = Task(processes = [Process(name = 'p', cmdline = 'true')],\n    resources = Resources(cpu = 1, ram = 1 * GB, disk = 1 * GB))\n\
         jobs = [Service(cluster = 'devcluster', role = 'www-data', environment = 'prod', name = 'hello', {fields})]\n"
    )
}

#[test]
fn mistakes_in_a_file_are_pointed_at() {
    for (text, wanted) in [
        (job("task = task,,"), vec!["bad.aurora:3", "expected a value"]),
        (job("task = task, instance = 2"), vec!["instance", "did you mean", "instances"]),
        (job(""), vec!["task is required"]),
        (job("task = task, instances = 'many'"), vec!["instances", "many"]),
        (job("task = tusk"), vec!["tusk"]),
        ("x = 1\n".to_owned(), vec!["defines no jobs"]),
        (job("task = task(resources = Resources(cpu = -1, ram = 1, disk = 1))"), vec!["cpu"]),
        (job("task = task, contact = '{{who}}'"), vec!["who"]),
    ] {
        let ran = inspect(&text).expect(3);
        assert_eq!(ran.out(), "");
        for part in wanted {
            assert!(ran.err().contains(part), "{part:?} is not in:\n{}", ran.err());
        }
    }
    // The place, with a mark under it.
    let err = inspect(&job("task = task, instance = 2")).err();
    assert!(err.contains("bad.aurora:3:") && err.contains("──"), "{err}");
    let home = Home::new();
    let ran = home.run(&["job", "inspect", KEY, "none.aurora"]).expect(3);
    assert!(ran.err().contains("none.aurora"), "{}", ran.err());
    let ran = home
        .run(&["job", "inspect", "devcluster/www-data/prod/hallo", "examples/hello_world.aurora"])
        .expect(3);
    assert!(ran.err().contains("did you mean devcluster/www-data/prod/hello"), "{}", ran.err());
}

#[test]
fn what_has_no_effect_here_is_said() {
    let served = |more: &str| job(more).replace("'true'", "'serve {{thermos.ports[http]}}'");
    assert_eq!(inspect(&served("task = task, announce = Announcer()")).expect(0).err(), "");
    let checked = job("task = task").replace("'true'", "'serve {{thermos.ports[health]}}'");
    assert_eq!(inspect(&checked).expect(0).err(), "", "health is checked");
    assert_eq!(inspect(&job("task = task")).expect(0).err(), "");
    // A cluster of this machine's own has no ZooKeeper. It does not run cron jobs, so that this ends.
    let home = Home::new();
    let cron = served("task = task, announce = Announcer(), cron_schedule = '* * * * *'");
    let file = home.file("cron.aurora", &cron.replace("Service(", "Job("));
    let ran = home.run(&["up", file.to_str().unwrap()]).expect(4);
    assert!(ran.err().contains("warning:") && ran.err().contains("ZooKeeper"), "{}", ran.err());
}

#[test]
fn wrong_command_lines_end_with_status_2() {
    let home = Home::new();
    for words in [
        vec!["bogus"],
        vec!["job"],
        vec!["job", "bogus"],
        vec!["job", "inspect", "a/b/c", "f"],
        vec!["job", "inspect", "a/b/c/d/0", "f"],
        vec!["job", "inspect", "a/b c/d/e", "f"],
        vec!["job", "kill", "a/b/c/d/5-2"],
        vec!["job", "kill", "a/b/c/d/0", "--batch-size", "0"],
        vec!["job", "list", "a/b/c/d/e"],
        vec!["job", "create", KEY, "examples/hello_world.aurora", "--bind", "x"],
        vec!["scheduler"],
        vec!["agent", "--master", "x:1", "--work-dir", "/tmp/x", "--gc-delay", "soon"],
        vec!["up"],
    ] {
        let ran = home.run(&words);
        assert_eq!(ran.code(), 2, "{words:?}: {}", ran.err());
        assert!(!ran.err().is_empty() && ran.out().is_empty());
    }
    assert!(home.run::<&str>(&[]).expect(0).out().contains("Usage"));
    assert!(home.run(&["--version"]).expect(0).out().contains(env!("CARGO_PKG_VERSION")));
    // Killing without saying what is no way to kill everything.
    let ran = home.run(&["job", "kill", KEY]).expect(6);
    assert!(ran.err().contains("killall"), "{}", ran.err());
}

#[test]
fn what_is_no_number_or_time_is_told_what_is_expected() {
    let home = Home::new();
    let (of, one) = ("c/r/e/n", "c/r/e/n/0");
    for (words, option, wrong, expected) in [
        (&["task", "logs", of][..], "--tail", &["x", "-5"][..], "give a number from 0 on"),
        (&["job", "kill", one], "--batch-size", &["x", "-1", "0"], "give a number from 1 on"),
        (&["job", "killall", of], "--max-total-failures", &["x", "-1"], "give a number from 0 on"),
        (&["job", "restart", of], "--watch-secs", &["x", "-1", "1.5"], "give a number from 0 on"),
        (&["job", "restart", of], "--max-total-failures", &["x"], "give a number from 0 on"),
        (&["job", "restart", of], "--batch-size", &["4294967296"], "it is too great a number"),
        (&["task", "run", of, "true"], "--threads", &["x", "0", "-1"], "a number from 1 to 256"),
        (&["job", "killall", of], "--timeout", &["abc", "-5"], "such as 90s, 5m or 1h30m"),
        (&["job", "restart", of], "--timeout", &["abc", "-5"], "such as 90s, 5m or 1h30m"),
        (&["job", "status", of], "--retry-for", &["abc", "-5"], "such as 90s or 1h30m"),
        (&["task", "logs", of], "--since", &["abc", "-5"], "such as 10m or 1h30m"),
        (&["thermos", "gc"], "--max-age", &["abc", "-5"], "such as 12h or 2d5h"),
        (&["thermos", "gc"], "--max-tasks", &["abc", "-5"], "give a number from 0 on"),
    ] {
        for wrong in wrong {
            let told = home.run(&[words, &[option, wrong]].concat()).expect(2).err();
            assert!(told.contains(option) && told.contains(expected), "{words:?} {wrong}: {told}");
            assert!(!told.contains("digit found") && !told.contains("use '--"), "{told}");
        }
    }
    for wrong in ["x", "-1", "0"] {
        let told = home.run(&["job", "add", one, wrong]).expect(2).err();
        assert!(told.contains("<COUNT>") && told.contains("give a number from 1 on"), "{told}");
    }
}

#[test]
fn unknown_clusters_and_absent_schedulers_are_told_apart() {
    let home = Home::new();
    let file = "examples/hello_world.aurora";
    let ran = home.run(&["job", "create", KEY, file]).expect(3);
    assert!(
        ran.err().contains("unknown cluster devcluster") && ran.err().contains("aurora up"),
        "{}",
        ran.err()
    );
    let dead = format!("http://127.0.0.1:{}", crate::support::free_port());
    for words in [
        vec!["job", "create", KEY, file],
        vec!["job", "status", KEY],
        vec!["job", "list", "devcluster"],
        vec!["job", "killall", KEY],
    ] {
        let words = [words, vec!["--scheduler", &dead]].concat();
        let ran = home.run(&words).expect(7);
        assert!(ran.err().contains(&dead) && ran.err().contains("refused"), "{}", ran.err());
    }
    // clusters.json names it.
    let entry = format!(
        "[{{\"name\": \"devcluster\", \"scheduler_uri\": \"{dead}\"}}, {{\"name\": \"far\", \"zk\": \"z\"}}]"
    );
    std::fs::write(home.path().join("clusters.json"), entry).unwrap();
    home.run(&["job", "status", KEY]).expect(7);
    let ran = home.run(&["job", "status", "far/a/b/c"]).expect(3);
    assert!(ran.err().contains("no scheduler_zk_path"), "{}", ran.err());
    std::fs::write(home.path().join("clusters.json"), "[{").unwrap();
    let ran = home.run(&["job", "status", KEY]).expect(3);
    assert!(ran.err().contains("clusters.json"), "{}", ran.err());
    // What needs no cluster does not mind.
    home.run(&["job", "inspect", KEY, file]).expect(0);
}

#[test]
fn a_command_for_another_cluster_is_not_carried_out() {
    let cluster = Cluster::start();
    let file = cluster.home.file("svc.aurora", &service(&role(), "svc", 1, "exec sleep 1000"));
    let key = format!("test/{}/prod/svc", role());
    cluster.run(&["job", "create", &key, file.to_str().unwrap()]).expect(0);
    cluster.wait_running(&key, 1);
    let other = key.replace("test/", "tset/");
    let ran = cluster.run(&["job", "killall", &other]).expect(3);
    assert!(ran.err().contains("is of cluster test, not tset"), "{}", ran.err());
    cluster.wait_running(&key, 1);
}

#[test]
fn what_does_not_fit_waits_and_says_why() {
    let cluster = Cluster::start();
    let text = service(&role(), "big", 1, "true").replace("cpu = 0.01", "cpu = 4000");
    let file = cluster.home.file("big.aurora", &text);
    let key = format!("test/{}/prod/big", role());
    cluster.run(&["job", "create", &key, file.to_str().unwrap()]).expect(0);
    let reason = wait_for("the reason", || {
        cluster.active(&key).first()?["pendingReason"].as_str().map(str::to_owned)
    });
    assert!(reason.contains("Insufficient: CPU"), "{reason}");
    let text = cluster.run(&["job", "status", &key]).expect(0).out();
    assert!(
        text.contains("status: PENDING on None") && text.contains("Insufficient: CPU"),
        "{text}"
    );
    // A job that is there is not created twice.
    let ran = cluster.run(&["job", "create", &key, file.to_str().unwrap()]).expect(4);
    assert!(ran.err().contains("already"), "{}", ran.err());
    // What can never be is refused.
    let text = service(&role(), "none", 0, "true");
    let file = cluster.home.file("none.aurora", &text);
    let key = format!("test/{}/prod/none", role());
    let code = cluster.run(&["job", "create", &key, file.to_str().unwrap()]).code();
    assert!(matches!(code, 3 | 4), "{code}");
    let ran = cluster.run(&["job", "status", &key]).expect(6);
    assert!(ran.err().contains("found no jobs matching"), "{}", ran.err());
    cluster.run(&["job", "status", &key, "-o", "json"]).expect(0);
}

#[test]
fn a_daemon_whose_port_is_taken_says_so() {
    let home = Home::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let folder = home.path().join("d").to_str().unwrap().to_owned();
    for words in [
        vec!["master", "--port", &port, "--work-dir", &folder],
        vec!["observer", "--port", &port],
        vec!["agent", "--port", &port, "--master", "127.0.0.1:1", "--work-dir", &folder],
        vec![
            "scheduler",
            "--http-port",
            &port,
            "--cluster-name",
            "c",
            "--mesos-master-address",
            "127.0.0.1:1",
            "--native-log-file-path",
            &folder,
            "--thermos-executor-path",
            "/bin/true",
        ],
    ] {
        let ran = home.run(&words).expect(1);
        assert!(
            ran.err().contains(&format!("failed to listen on 127.0.0.1:{port}")),
            "{}",
            ran.err()
        );
    }
}

#[test]
fn a_folder_that_cannot_be_used_is_named() {
    if !nix::unistd::Uid::effective().is_root() {
        skip("needs root");
        return;
    }
    let home = Home::new();
    std::fs::set_permissions(home.path(), PermissionsExt::from_mode(0o777)).unwrap();
    let closed = home.path().join("closed");
    std::fs::create_dir(&closed).unwrap();
    std::fs::set_permissions(&closed, PermissionsExt::from_mode(0o700)).unwrap();
    let data = closed.join("data");
    let mut command =
        home.aurora(&["up", "examples/hello_world.aurora", "--data-dir", data.to_str().unwrap()]);
    let ran = Ran(command.uid(65534).gid(65534).output().unwrap()).expect(1);
    assert!(
        ran.err().contains(data.to_str().unwrap()) && ran.err().contains("Permission denied"),
        "{}",
        ran.err()
    );
    assert!(ran.err().contains("--data-dir"), "{}", ran.err());
}

/// A file system of 64 KiB; gone with the test, however that ends.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    fn mount(folder: &std::path::Path) -> Result<Self, String> {
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"])
            .arg(folder)
            .output()
            .map_err(|error| error.to_string())?;
        if mounted.status.success() {
            Ok(Self(folder.to_owned()))
        } else {
            Err(String::from_utf8_lossy(&mounted.stderr).into_owned())
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Without it only the removal of the folder fails.
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_ends_the_scheduler_with_the_reason() {
    if !nix::unistd::Uid::effective().is_root() {
        skip("needs root");
        return;
    }
    let home = Home::new();
    let small = home.path().join("small");
    std::fs::create_dir(&small).unwrap();
    let _mounted = match SmallDisk::mount(&small) {
        Ok(mounted) => mounted,
        Err(reason) => {
            skip(&format!("cannot mount: {reason}"));
            return;
        }
    };
    let port = crate::support::free_port().to_string();
    let words = [
        "scheduler",
        "--http-port",
        &port,
        "--cluster-name",
        "test",
        "--mesos-master-address",
        "127.0.0.1:1",
        "--native-log-file-path",
        small.to_str().unwrap(),
        "--thermos-executor-path",
        "/bin/true",
    ];
    let mut scheduler = crate::support::process::Process::start(&mut home.aurora(&words));
    let refused = fill(&home, &format!("http://127.0.0.1:{port}"));
    assert!(matches!(refused.code(), 7 | 10), "{}: {}", refused.code(), refused.err());
    assert_eq!(scheduler.ended(), 1);
    let last = scheduler.lines().join("\n");
    assert!(
        last.contains("No space left on device") && last.contains(small.to_str().unwrap()),
        "{last}"
    );
}

/// Creates jobs until one is refused.
fn fill(home: &Home, scheduler: &str) -> Ran {
    let filler = "x".repeat(8 << 10);
    for number in 0..100 {
        let name = format!("job{number}");
        let file =
            home.file("svc.aurora", &service(&role(), &name, 1, &format!("true # {filler}")));
        let key = format!("test/{}/prod/{name}", role());
        let patience = if number == 0 { "20" } else { "0" };
        let words = ["job", "create", &key, file.to_str().unwrap()];
        let where_to = ["--scheduler", scheduler, "--retry-for", patience];
        let ran = home.run(&[&words[..], &where_to[..]].concat());
        if ran.code() != 0 {
            assert!(number > 0, "{}", ran.err());
            return ran;
        }
    }
    panic!("the disk is not full");
}

#[test]
fn a_full_disk_ends_a_cluster_of_its_own_with_the_reason() {
    if !nix::unistd::Uid::effective().is_root() {
        skip("needs root");
        return;
    }
    let home = Home::new();
    let small = home.data().join("scheduler");
    std::fs::create_dir_all(&small).unwrap();
    let _mounted = match SmallDisk::mount(&small) {
        Ok(mounted) => mounted,
        Err(reason) => {
            skip(&format!("cannot mount: {reason}"));
            return;
        }
    };
    let file = home.file("one.aurora", &service(&role(), "one", 1, "sleep 1000"));
    let data = home.data();
    let words = ["up", file.to_str().unwrap(), "--data-dir", data.to_str().unwrap()];
    let ports = ["--scheduler-port", "--master-port", "--agent-port", "--observer-port"];
    let ports = ports.iter().flat_map(|port| [*port, "0"]);
    let words: Vec<&str> = words.into_iter().chain(ports).collect();
    let mut up = crate::support::process::Process::start(&mut home.aurora(&words));
    let line = up.expect("Scheduler  ");
    up.expect("one/0  RUNNING");
    let refused = fill(&home, line.split_whitespace().last().unwrap());
    assert!(matches!(refused.code(), 7 | 10), "{}: {}", refused.code(), refused.err());
    assert_eq!(up.ended(), 1, "{}", up.lines().join("\n"));
    up.expect_last("No space left on device");
    crate::support::process::assert_nothing_left(home.path());
}
