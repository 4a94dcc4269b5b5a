//! `aurora up`, as its users see it.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::support::process::{Process, assert_nothing_left, end_all, processes_of};
use crate::support::{Home, get, request, role, service, skip, wait_for};

/// A running `aurora up` on ports of its own.
pub(crate) struct Up {
    pub(crate) process: Process,
    folder: std::path::PathBuf,
}

impl Up {
    pub(crate) fn start(home: &Home, file: &str, more: &[&str]) -> Self {
        Self::start_command(home, &mut command(home, file, more))
    }

    fn start_command(home: &Home, command: &mut Command) -> Self {
        Self { process: Process::start(command), folder: home.path().to_owned() }
    }

    fn address(&self, name: &str) -> String {
        let line = self.process.expect(&format!("{name}  "));
        line.split_whitespace().last().unwrap().to_owned()
    }

    pub(crate) fn stop(mut self) -> Vec<String> {
        self.process.signal(Signal::SIGINT);
        let code = self.process.ended();
        let lines = self.process.lines();
        assert_eq!(code, 0, "{}", lines.join("\n"));
        assert_nothing_left(&self.folder);
        lines
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        self.process.kill();
        end_all(&self.folder);
    }
}

fn words<'a>(data: &'a str, file: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut words = vec![
        "up",
        file,
        "--data-dir",
        data,
        "--scheduler-port",
        "0",
        "--master-port",
        "0",
        "--agent-port",
        "0",
        "--observer-port",
        "0",
    ];
    words.extend_from_slice(more);
    words
}

fn command(home: &Home, file: &str, more: &[&str]) -> Command {
    home.aurora(&words(home.data().to_str().unwrap(), file, more))
}

/// The order in which lines came.
#[track_caller]
fn assert_in_order(lines: &[String], wanted: &[&str]) {
    let mut rest = lines.iter();
    for text in wanted {
        assert!(
            rest.any(|line| line.contains(text)),
            "{text:?} is missing, or not in this place:\n{}",
            lines.join("\n")
        );
    }
}

#[test]
fn hello_world_runs_is_found_and_stops() {
    let home = Home::new();
    let up = Up::start(&home, "examples/hello_world.aurora", &[]);
    up.process.expect("hello/0 hello | hello world from instance 0");
    // States and output are printed to different streams.
    up.process.expect("hello/0  RUNNING");
    assert_in_order(&up.process.lines(), &["PENDING", "ASSIGNED", "STARTING", "RUNNING"]);

    // Another shell finds it with no configuration.
    let job = "devcluster/www-data/prod/hello";
    let status = home.run(&["job", "status", job, "--output", "json"]).expect(0).json();
    assert_eq!(status[0]["job"], job);
    assert_eq!(status[0]["active"][0]["status"], "RUNNING");
    let task = status[0]["active"][0]["assignedTask"]["taskId"].as_str().unwrap().to_owned();
    let text = home.run(&["job", "status", "devcluster"]).expect(0).out();
    assert!(
        text.contains("Task role: www-data, env: prod, name: hello, instance: 0, status: RUNNING")
    );
    assert_eq!(home.run(&["job", "list", "devcluster/*/prod"]).expect(0).out(), format!("{job}\n"));

    // The pages: roles, the job with a link to the observer, the task, its output.
    let (scheduler, observer) = (up.address("Scheduler"), up.address("Observer"));
    assert!(get(&scheduler, "/scheduler").body.contains("/scheduler/www-data"));
    let page = get(&scheduler, "/scheduler/www-data/prod/hello").body;
    assert!(page.contains("RUNNING") && page.contains(&format!("{observer}/task/{task}")));
    assert!(get(&observer, "/").body.contains(&task));
    assert!(get(&observer, &format!("/task/{task}")).body.contains("/process/"));
    let log = get(&observer, &format!("/logs/{task}/hello/0/stdout")).body;
    assert!(log.contains("hello world from instance 0"), "{log}");
    assert!(get(&observer, &format!("/browse/{task}")).body.contains(".logs"));

    up.stop();
    home.run(&["job", "status", job]).expect(3);

    // The next one finds the job, and runs it again.
    let up = Up::start(&home, "examples/hello_world.aurora", &[]);
    up.process.expect("devcluster/www-data/prod/hello is there already");
    up.process.expect("hello/0 hello | hello world from instance 0");
    up.stop();
}

#[test]
fn a_batch_job_finishes() {
    let home = Home::new();
    let mut up = Up::start(&home, "examples/batch.aurora", &[]);
    assert_eq!(up.process.ended(), 0, "{}", up.process.lines().join("\n"));
    let lines = up.process.lines();
    let printed: Vec<&String> = lines.iter().filter(|line| line.contains(" | ")).collect();
    assert!(printed[0].ends_with("| extracted 100 numbers"), "{printed:?}");
    assert!(printed[1].ends_with("| the total is 5050"), "{printed:?}");
    assert!(printed[2].ends_with("| cleaned up"), "{printed:?}");
    assert_in_order(&lines, &["batch/0  RUNNING", "batch/0  FINISHED"]);
    assert_nothing_left(home.path());
}

#[test]
fn a_failing_job_fails_after_its_retries() {
    let home = Home::new();
    let mut up = Up::start(&home, "examples/failing.aurora", &[]);
    assert_eq!(up.process.ended(), 4);
    let lines = up.process.lines();
    let failed = lines.iter().filter(|line| line.contains("failing/0  FAILED")).count();
    assert_eq!(failed, 2, "{}", lines.join("\n"));
    let told = ["exited with status 3", "    cannot reach the database: no route to host"];
    assert_in_order(&lines, &["FAILED", told[0], told[1], "PENDING", "FAILED", told[0], told[1]]);
    assert_nothing_left(home.path());
}

#[test]
fn two_processes_serve_on_a_port_of_the_schedulers_choice() {
    let home = Home::new();
    let more = ["--bind", "greeting=Good evening"];
    let up = Up::start(&home, "examples/http_service.aurora", &more);
    for instance in ["web/0", "web/1"] {
        let line = up.process.expect(&format!("{instance} server | listening on"));
        let address = line.split("listening on ").nth(1).unwrap().trim_end_matches('/').to_owned();
        let number = instance.split('/').nth(1).unwrap();
        wait_for("the page", || {
            let page = get(&address, "/");
            page.body.contains(&format!("Good evening from instance {number} at")).then_some(())
        });
    }
    up.stop();
}

#[test]
fn each_way_to_ask_how_a_task_is_works() {
    let home = Home::new();
    let up = Up::start(&home, "examples/health.aurora", &[]);
    for name in ["by_http", "by_command", "by_connection"] {
        up.process.expect(&format!("{name}/0  RUNNING"));
    }
    // The command's worker is ill after a while.
    let failed = up.process.expect("by_command/0  FAILED");
    assert!(failed.contains("Failed health check!"), "{failed}");
    wait_for("the next run", || {
        let lines = up.process.lines();
        let mut rest = lines.iter().skip_while(|line| **line != failed);
        rest.any(|line| line.contains("by_command/0  PENDING")).then_some(())
    });
    up.stop();
}

#[test]
fn the_examples_of_the_library_run() {
    let home = Home::new();
    let up = Up::start(&home, "examples/stdlib/all.aurora", &[]);
    for text in [
        "primes/0  FINISHED",
        "staging/greeter/0  RUNNING",
        "prod/greeter/1  RUNNING",
        "java/0  RUNNING",
        "talker/0  RUNNING",
        "python/0  RUNNING",
        "site/1  RUNNING",
        "counter/0  RUNNING",
        "reader/0  RUNNING",
        // What they do is what they are for.
        "found 25 primes",
        "Hi from staging",
        "Good day from prod",
        "started with: -Xms48m -Xmx48m",
        "asked to greet the world within 94371840 bytes",
        "shipped: line 1",
        "| it is ",
    ] {
        up.process.expect(text);
    }
    let status = home.run(&["job", "status", "devcluster/www-data/devel/site", "-o", "json"]);
    let ports = &status.expect(0).json()[0]["active"][0]["assignedTask"]["assignedPorts"];
    let address = format!("http://127.0.0.1:{}", ports["http"]);
    // That its process runs says nothing of whether it listens already.
    let health = wait_for("the site to answer", || request(&address, "GET", "/health", "", ""));
    assert_eq!(health.body, "ok");
    up.stop();
}

#[test]
fn the_tour_runs() {
    let home = Home::new();
    let up = Up::start(&home, "examples/production.aurora", &[]);
    for instance in 0..3 {
        up.process.expect(&format!("shop/{instance}  RUNNING"));
    }
    up.stop();
    let up = Up::start(&home, "examples/profiles.aurora", &[]);
    up.process.expect("[debug] Hi from staging");
    up.process.expect("prod/greeter/1 greet");
    up.stop();
    let up = Up::start(&home, "examples/quotas.aurora", &[]);
    for instance in ["shop/1", "search/2", "trial/0"] {
        up.process.expect(&format!("{instance}  RUNNING"));
    }
    // The machine is its user's, until he sets a quota.
    let quota = ["quota", "get", "devcluster/www-data"];
    let before = home.run(&quota).expect(0);
    assert!(before.out().contains("unlimited: no quota is set"), "{}", before.out());
    let set = ["quota", "set", "devcluster/www-data", "0.5", "512MB", "512MB"];
    home.run(&set).expect(0);
    let after = home.run(&quota).expect(0);
    assert!(after.out().starts_with("Allocated:\n  CPU: 0.5 core(s)\n"), "{}", after.out());
    assert!(
        after.out().contains(
            "Production shared pool resources consumed:\n  CPU: 0.25 core(s)\n  RAM: 160 MB\n"
        ),
        "{}",
        after.out()
    );
    up.stop();
}

#[test]
fn it_detaches_and_goes_down() {
    let home = Home::new();
    let file = home.file("svc.aurora", &service(&role(), "svc", 2, "echo up; exec sleep 1000"));
    let data = home.data();
    let start = words(data.to_str().unwrap(), "-d", &["--", file.to_str().unwrap()]);
    let ran = home.run(&start).expect(0);
    assert_in_order(
        &ran.err().lines().map(str::to_owned).collect::<Vec<_>>(),
        &["Scheduler  http://", "RUNNING", "`aurora down` stops it"],
    );
    let key = format!("test/{}/prod/svc", role());
    let status = home.run(&["job", "status", &key, "-o", "json"]).expect(0).json();
    assert_eq!(status[0]["active"].as_array().unwrap().len(), 2);
    // The same again: the folder is in use, and nothing that runs is touched.
    let again = home.run(&words(data.to_str().unwrap(), file.to_str().unwrap(), &[])).expect(4);
    assert!(again.err().contains("`aurora down`"), "{}", again.err());

    let log = std::fs::read_to_string(data.join("up.log")).unwrap();
    assert!(!log.contains("another `aurora up`"), "{log}");
    // The same folder by another name.
    let link = home.path().join("link");
    std::os::unix::fs::symlink(&data, &link).unwrap();
    let link = link.to_str().unwrap();
    let ran = home.run(&["down", "--data-dir", home.path().to_str().unwrap()]).expect(0);
    assert!(ran.err().contains(&format!("One uses {}", data.display())), "{}", ran.err());
    home.run(&["down", "--data-dir", "/nowhere"]).expect(6);
    home.run(&["down", "--data-dir", link]).expect(0);
    assert_nothing_left(home.path());
    let ran = home.run(&["down"]).expect(0);
    assert!(ran.err().contains("No `aurora up` runs"));
    // A cluster that cannot start says why.
    let lost = home.run(&words("/proc/aurora", file.to_str().unwrap(), &["-d"])).expect(1);
    assert!(lost.err().contains("/proc/aurora"), "{}", lost.err());
}

#[test]
fn a_changed_job_is_created_anew() {
    let home = Home::new();
    let file =
        home.file("svc.aurora", &service(&role(), "svc", 1, "echo version one; exec sleep 1000"));
    let up = Up::start(&home, file.to_str().unwrap(), &[]);
    up.process.expect("svc/0 main | version one");
    up.stop();
    home.file("svc.aurora", &service(&role(), "svc", 2, "echo version two; exec sleep 1000"));
    let up = Up::start(&home, file.to_str().unwrap(), &[]);
    up.process.expect("has changed");
    up.process.expect("svc/0 main | version two");
    up.process.expect("svc/1 main | version two");
    let key = format!("test/{}/prod/svc", role());
    let status: Value = home.run(&["job", "status", &key, "-o", "json"]).expect(0).json();
    assert_eq!(status[0]["active"].as_array().unwrap().len(), 2);
    up.stop();
}

#[test]
fn a_failed_batch_job_beside_a_service_is_not_forgotten() {
    let home = Home::new();
    let both = service(&role(), "svc", 1, "exec sleep 1000")
        + "jobs.append(Job(cluster = 'test', role = jobs[0].role(), environment = 'prod', name = 'bad',\n\
           task = Task(processes = [Process(name = 'main', cmdline = 'exit 5')],\n\
           resources = Resources(cpu = 0.01, ram = 8 * MB, disk = 8 * MB))))\n";
    let file = home.file("both.aurora", &both);
    let mut up = Up::start(&home, file.to_str().unwrap(), &[]);
    up.process.expect("bad/0  FAILED");
    up.process.expect("svc/0  RUNNING");
    up.process.signal(Signal::SIGINT);
    assert_eq!(up.process.ended(), 4, "{}", up.process.lines().join("\n"));
    assert_nothing_left(home.path());
}

#[test]
fn one_bad_job_keeps_all_from_being_created() {
    let home = Home::new();
    let bad = service(&role(), "bad", 5000, "true").replace("jobs = [", "jobs.extend([");
    let two = service(&role(), "good", 1, "exec sleep 1000") + bad.trim_end() + ")\n";
    let file = home.file("two.aurora", &two);
    let mut up = Up::start(&home, file.to_str().unwrap(), &[]);
    assert_eq!(up.process.ended(), 4, "{}", up.process.lines().join("\n"));
    let lines = up.process.lines().join("\n");
    assert!(lines.contains("4000") && !lines.contains("good/0"), "{lines}");
}

#[test]
fn jobs_of_another_file_go_on_and_are_named() {
    let home = Home::new();
    let first = home.file("a.aurora", &service(&role(), "first", 1, "exec sleep 1000"));
    let up = Up::start(&home, first.to_str().unwrap(), &[]);
    up.process.expect("first/0  RUNNING");
    up.stop();
    let second = home.file("b.aurora", &service(&role(), "second", 1, "exec sleep 1000"));
    let up = Up::start(&home, second.to_str().unwrap(), &[]);
    up.process.expect(&format!("test/{}/prod/first goes on from before", role()));
    up.process.expect("second/0  RUNNING");
    up.stop();
}

#[test]
fn taken_ports_are_left_to_their_owner() {
    let home = Home::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let data = home.data();
    let mut words = words(data.to_str().unwrap(), "examples/hello_world.aurora", &[]);
    let at = words.iter().position(|word| *word == "--scheduler-port").unwrap();
    words[at + 1] = &port;
    let up = Up::start_command(&home, &mut home.aurora(&words));
    let line = up.process.expect("is taken");
    assert!(line.contains(&format!("Port {port} is taken: the scheduler listens on")), "{line}");
    let address = up.address("Scheduler");
    assert!(!address.ends_with(&format!(":{port}")));
    assert_eq!(get(&address, "/health").status, 200);
    up.stop();
}

#[test]
fn the_second_signal_forces() {
    let home = Home::new();
    let stubborn = "trap '' TERM; echo stubborn; while :; do sleep 1; done";
    let file = home.file("svc.aurora", &service(&role(), "svc", 1, stubborn));
    let mut up = Up::start(&home, file.to_str().unwrap(), &[]);
    up.process.expect("svc/0 main | stubborn");
    let begun = std::time::Instant::now();
    up.process.signal(Signal::SIGINT);
    up.process.expect("Stopping 1 task");
    up.process.signal(Signal::SIGINT);
    assert_eq!(up.process.ended(), 130, "{}", up.process.lines().join("\n"));
    // Far less than the ten seconds that a process has to end by itself.
    assert!(begun.elapsed().as_secs() < 9, "it took {:?}", begun.elapsed());
    assert_nothing_left(home.path());
}

#[test]
fn killed_and_started_again_it_keeps_its_tasks() {
    let home = Home::new();
    let file = home.file("svc.aurora", &service(&role(), "svc", 1, "echo pid $$; exec sleep 1000"));
    let mut up = Up::start(&home, file.to_str().unwrap(), &[]);
    let line = up.process.expect("svc/0 main | pid ");
    let pid: i32 = line.split("pid ").nth(1).unwrap().trim().parse().unwrap();
    up.process.kill();
    let is_there = || processes_of(home.path()).iter().any(|(found, _)| *found == pid);
    assert!(is_there(), "the task died with `aurora up`");
    let again = Up::start(&home, file.to_str().unwrap(), &[]);
    again.process.expect("svc/0  RUNNING");
    // It is the agent's again: it ends as it is told to, not because nobody knows it.
    let key = format!("test/{}/prod/svc", role());
    home.run(&["job", "killall", &key]).expect(0);
    assert!(!is_there());
    let status = home.run(&["job", "status", &key, "-o", "json"]).expect(0).json();
    let ended = status[0]["inactive"].as_array().unwrap();
    assert_eq!(ended.len(), 1, "{ended:#?}");
    assert_eq!(ended[0]["status"], "KILLED", "{ended:#?}");
    again.stop();
}

/// What runs as a user of its own: root only.
fn as_nobody(home: &Home, file: &Path) -> Option<Command> {
    if !nix::unistd::Uid::effective().is_root() {
        skip("needs root");
        return None;
    }
    std::os::unix::fs::chown(home.path(), Some(65534), Some(65534)).unwrap();
    let mut command = command(home, file.to_str().unwrap(), &[]);
    command.uid(65534).gid(65534);
    Some(command)
}

#[test]
fn an_ordinary_user_runs_tasks_as_himself() {
    let home = Home::new();
    let file = home.file("svc.aurora", &service("www-data", "svc", 1, "id -un; exec sleep 1000"));
    let Some(mut command) = as_nobody(&home, &file) else { return };
    let up = Up::start_command(&home, &mut command);
    up.process.expect("Only root can run tasks as www-data: they run as nobody");
    up.process.expect("svc/0 main | nobody");
    up.stop();
}

#[test]
fn root_runs_tasks_as_the_role_or_says_that_it_cannot() {
    if !nix::unistd::Uid::effective().is_root() {
        skip("needs root");
        return;
    }
    let home = Home::new();
    let file = home.file("svc.aurora", &service("www-data", "svc", 1, "id -un; exec sleep 1000"));
    let up = Up::start(&home, file.to_str().unwrap(), &[]);
    up.process.expect("svc/0 main | www-data");
    up.stop();
    let file = home.file("svc.aurora", &service("nosuchuser", "svc", 1, "id -un; exec sleep 1000"));
    let up = Up::start(&home, file.to_str().unwrap(), &[]);
    up.process.expect("There is no user nosuchuser: its tasks run as root");
    up.process.expect("svc/0 main | root");
    up.stop();
}

#[test]
fn a_job_with_an_image_fails_and_is_told_why() {
    let home = Home::new();
    let role = role();
    let text = format!(
        "jobs = [Job(cluster = 'test', role = '{role}', environment = 'prod', name = 'boxed',\n\
         container = Mesos(image = DockerImage(name = 'tiny', tag = '1')),\n\
         task = Task(processes = [Process(name = 'main', cmdline = 'true')],\n\
         resources = Resources(cpu = 0.01, ram = 8 * MB, disk = 8 * MB)))]\n"
    );
    let file = home.file("boxed.aurora", &text);
    let mut up = Up::start(&home, file.to_str().unwrap(), &[]);
    let told = up.process.expect("Cannot launch task using a filesystem image: ");
    let why = if nix::unistd::Uid::effective().is_root() {
        "the agent has not provided it: there is no folder"
    } else {
        "only root can mount an image"
    };
    assert!(told.contains("FAILED") && told.contains(why), "{told}");
    assert_eq!(up.process.ended(), 4);
    assert_nothing_left(home.path());
}
