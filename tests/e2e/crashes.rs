//! Whatever dies, nothing is lost and nothing runs twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{PidfdFlags, pidfd_open};

use crate::support::cluster::{Cluster, task_id};
use crate::support::process::{Process, processes_of};
use crate::support::{role, service, wait_for};

fn create(cluster: &Cluster, name: &str, instances: u32, command: &str) -> String {
    let file =
        cluster.home.file(&format!("{name}.aurora"), &service(&role(), name, instances, command));
    let key = format!("test/{}/prod/{name}", role());
    cluster.run(&["job", "create", &key, file.to_str().unwrap()]).expect(0);
    key
}

fn is_alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rfind(')').is_some_and(|at| !matches!(stat.as_bytes().get(at + 2), Some(b'Z' | b'X')))
}

fn kill_hard(pid: i32) {
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
}

/// The child of a process, if it has just one.
fn only_child(pid: i32) -> Option<i32> {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    children.trim().parse().ok()
}

/// The instance that an executor is there for: its task's id without what makes that unique; none of
/// a process that is no executor.
fn instance_of(process: i32) -> Option<String> {
    let environment = std::fs::read_to_string(format!("/proc/{process}/environ")).ok()?;
    let id = environment.split('\0').find_map(|line| line.strip_prefix("MESOS_EXECUTOR_ID="))?;
    let unique = "-01234567-89ab-cdef-0123-456789abcdef".len();
    Some(id[..id.len() - unique].to_owned())
}

/// Waits for another task than `old` to run.
fn replaced(cluster: &Cluster, job: &str, old: &str) -> String {
    wait_for("a replacement", || {
        let tasks = cluster.active(job);
        let [task] = tasks.as_slice() else { return None };
        (task_id(task) != old && task["status"] == "RUNNING").then(|| task_id(task))
    })
}

#[test]
fn a_killed_process_and_a_killed_executor_are_replaced() {
    let cluster = Cluster::start();
    let job = create(&cluster, "svc", 1, "sleep 1000 & wait $!");
    let first = cluster.running_task(&job);
    // A process that a signal ends is no failure: its executor runs it again.
    let killed = cluster.pid_of(&first);
    kill_hard(killed);
    let again = wait_for("the process to be run again", || {
        Some(cluster.pid_of(&first)).filter(|pid| *pid != killed)
    });
    assert!(is_alive(again));
    // One that fails because its child was killed fails the task, and the instance is rescheduled.
    let sleep = wait_for("the child", || only_child(again));
    kill_hard(sleep);
    let second = replaced(&cluster, &job, &first);

    let (executor, process) = (cluster.executor_of(&second), cluster.pid_of(&second));
    kill_hard(executor);
    let third = replaced(&cluster, &job, &second);
    wait_for("the orphaned process to be ended", || (!is_alive(process)).then_some(()));
    // Of the two dead tasks nothing is left; of the third, executor, shell and sleep.
    let sandboxes: Vec<_> = processes_of(cluster.home.path())
        .into_iter()
        .filter(|(_, text)| text.contains("sleep"))
        .collect();
    assert!(sandboxes.len() <= 2, "{sandboxes:#?}");
    assert!(is_alive(cluster.pid_of(&third)));
}

/// The executors that live: their pids by the ids of their tasks.
fn executors(cluster: &Cluster) -> BTreeMap<String, i32> {
    let id = |pid: i32| {
        let environment = std::fs::read_to_string(format!("/proc/{pid}/environ")).ok()?;
        let id =
            environment.split('\0').find_map(|line| line.strip_prefix("MESOS_EXECUTOR_ID="))?;
        Some((id.trim_start_matches("thermos-").to_owned(), pid))
    };
    let mut found = BTreeMap::new();
    for (id, pid) in processes_of(cluster.home.path()).into_iter().filter_map(|(pid, _)| id(pid)) {
        // A child that is to become a shell is like it for a moment; it is the older one.
        found.entry(id).or_insert(pid);
    }
    found
}

/// Waits for the end of a process, but no longer than this.
fn ends_within(pid: i32, time: Duration) {
    let Some(pid) = rustix::process::Pid::from_raw(pid) else { return };
    let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else { return };
    let time = Timespec::try_from(time).unwrap();
    poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&time)).unwrap();
}

#[test]
fn executors_that_are_killed_at_any_moment_leave_nothing_and_are_told_once() {
    const WAVES: usize = 20;
    const INSTANCES: usize = 10;
    let cluster = Cluster::start();
    let command = "(setsid sleep 1000 &); exec sleep 1000";
    let one = format!("Process(name = 'main', cmdline = {command:?})");
    let twenty: Vec<String> =
        (0..20).map(|number| one.replace("main", &format!("p{number}"))).collect();
    let mut moment = 0x9e37_79b9_u64;
    for wave in 0..WAVES {
        let name = format!("wave{wave}");
        let text = service(&role(), &name, INSTANCES.try_into().unwrap(), command)
            .replace("Service(", "Job(")
            .replace(&one, &twenty.join(", "));
        let file = cluster.home.file(&format!("{name}.aurora"), &text);
        let job = format!("test/{}/prod/{name}", role());
        cluster.run(&["job", "create", &job, file.to_str().unwrap()]).expect(0);
        let mut killed = BTreeSet::new();
        while killed.len() < INSTANCES {
            let (task, executor) = wait_for("an executor", || {
                executors(&cluster).into_iter().find(|(task, _)| !killed.contains(task))
            });
            moment = moment.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            ends_within(executor, Duration::from_micros((moment >> 33) % 80_000));
            kill_hard(executor);
            killed.insert(task);
        }
        let ended = wait_for("the end of all", || {
            let status = cluster.run(&["job", "status", &job, "-o", "json"]).expect(0).json();
            let job = status[0].clone();
            job["active"].as_array()?.is_empty().then(|| job["inactive"].as_array().cloned())?
        });
        let tasks: BTreeSet<String> = ended.iter().map(task_id).collect();
        assert_eq!(tasks, killed, "each ran once");
        for task in &ended {
            let events = task["taskEvents"].as_array().unwrap();
            let ends = events.iter().filter(|event| event["status"] == "FAILED").count();
            assert_eq!((&task["status"], ends), (&"FAILED".into(), 1), "{task:#}");
        }
    }
    wait_for("all they have started to end", || {
        let left = processes_of(cluster.home.path());
        (!left.iter().any(|(_, text)| text.contains("sleep"))).then_some(())
    });
    assert_eq!(executors(&cluster), BTreeMap::new());
}

#[test]
fn a_killed_agent_finds_its_tasks_again() {
    let mut cluster = Cluster::start();
    let job = create(&cluster, "svc", 3, "exec sleep 1000");
    let before: BTreeMap<String, i32> = cluster
        .wait_running(&job, 3)
        .iter()
        .map(|task| (task_id(task), cluster.pid_of(&task_id(task))))
        .collect();
    cluster.agent.kill();
    cluster.restart_agent();
    cluster.wait_registered();
    // The agent is back: it still is what it was, and takes orders for what it runs.
    let after: BTreeMap<String, i32> = cluster
        .wait_running(&job, 3)
        .iter()
        .map(|task| (task_id(task), cluster.pid_of(&task_id(task))))
        .collect();
    assert_eq!(before, after);
    assert!(after.values().all(|pid| is_alive(*pid)));
    cluster.run(&["job", "killall", &job, "--no-batching"]).expect(0);
    wait_for("the processes to end", || after.values().all(|pid| !is_alive(*pid)).then_some(()));
}

#[test]
fn a_killed_scheduler_has_every_acknowledged_job() {
    const JOBS: usize = 200;
    let mut cluster = Cluster::start();
    let text: Vec<String> = (0..JOBS)
        .map(|number| {
            format!(
                "Service(cluster = 'test', role = '{}', environment = 'prod', name = 'job{number}', \
                 task = Task(processes = [Process(name = 'main', cmdline = 'exec sleep 1000')], \
                 resources = Resources(cpu = 0.01, ram = 8 * MB, disk = 8 * MB)))",
                role()
            )
        })
        .collect();
    let file = cluster.home.file("many.aurora", &format!("jobs = [{}]\n", text.join(",\n")));
    let acknowledged = Mutex::new(BTreeSet::new());
    let next = std::sync::atomic::AtomicUsize::new(0);
    let scheduler = Pid::from_raw(cluster.scheduler.pid());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    if number >= JOBS {
                        return;
                    }
                    let key = format!("test/{}/prod/job{number}", role());
                    let ran = cluster.run(&["job", "create", &key, file.to_str().unwrap()]);
                    let mut acknowledged = acknowledged.lock().unwrap();
                    if ran.code() == 0 {
                        acknowledged.insert(key);
                    }
                    if number == JOBS / 2 {
                        kill(scheduler, Signal::SIGKILL).unwrap();
                    }
                }
            });
        }
    });
    let acknowledged = acknowledged.into_inner().unwrap();
    assert!(acknowledged.len() >= JOBS / 4, "only {} were created", acknowledged.len());
    assert!(acknowledged.len() < JOBS, "the scheduler was killed too late");
    cluster.scheduler.kill();
    cluster.restart_scheduler();
    // What was acknowledged runs; what was not may run too. Nothing runs twice.
    wait_for("all acknowledged jobs to run", || {
        let ran = cluster.run(&["job", "status", "test", "-o", "json"]);
        if ran.code() != 0 {
            return None;
        }
        let mut running = BTreeSet::new();
        for job in ran.json().as_array().unwrap() {
            let active = job["active"].as_array().unwrap();
            assert!(active.len() <= 1, "{} has {} active tasks", job["job"], active.len());
            if active.iter().any(|task| task["status"] == "RUNNING") {
                running.insert(job["job"].as_str().unwrap().to_owned());
            }
        }
        acknowledged.is_subset(&running).then_some(())
    });
    // So does the machine see it: one executor for each instance.
    let mut executors: BTreeMap<String, usize> = BTreeMap::new();
    for (pid, command) in processes_of(cluster.home.path()) {
        let is_executor = command.contains(" executor --checkpoint-root");
        if let Some(instance) = instance_of(pid).filter(|_| is_executor) {
            *executors.entry(instance).or_default() += 1;
        }
    }
    assert!(executors.len() >= acknowledged.len(), "{executors:#?}");
    assert!(executors.values().all(|count| *count == 1), "{executors:#?}");
}

#[test]
fn a_killed_master_is_joined_again() {
    let mut cluster = Cluster::start();
    let job = create(&cluster, "svc", 1, "exec sleep 1000");
    let task = cluster.running_task(&job);
    let pid = cluster.pid_of(&task);
    cluster.master.kill();
    cluster.restart_master();
    wait_for("the scheduler to lose and find the master", || {
        let other = format!("test/{}/prod/other", role());
        let ran = cluster.run(&["job", "status", &other]);
        if ran.code() != 0 {
            create(&cluster, "other", 1, "exec sleep 1000");
        }
        Some(())
    });
    cluster.wait_running(&format!("test/{}/prod/other", role()), 1);
    assert_eq!(cluster.running_task(&job), task);
    assert_eq!(cluster.pid_of(&task), pid);
    // Orders reach the task from before.
    cluster.run(&["job", "killall", &job]).expect(0);
    wait_for("the process to end", || (!is_alive(pid)).then_some(()));
}

#[test]
fn of_a_killed_job_nothing_is_left() {
    let cluster = Cluster::start();
    // Children in sessions of their own, and one that does not mind being told to end.
    let command = "setsid sh -c 'sleep 2000 & wait' & (setsid setsid sleep 2001 &) ; \
                   sh -c \"trap '' TERM; while :; do sleep 1; done\" & wait";
    let job = create(&cluster, "svc", 1, command);
    let task = cluster.running_task(&job);
    wait_for("the children", || {
        let found = processes_of(cluster.home.path());
        let count = found.iter().filter(|(_, text)| text.contains("sleep 200")).count();
        (count >= 3).then_some(())
    });
    let executor = cluster.executor_of(&task);
    let ran =
        cluster.run(&["job", "kill", &format!("{job}/0"), "-o", "json", "-m", "enough"]).expect(0);
    assert_eq!(ran.json()["killed"], serde_json::json!([0]));
    wait_for("the executor to end", || (!is_alive(executor)).then_some(()));
    let left: Vec<_> = processes_of(cluster.home.path())
        .into_iter()
        .filter(|(_, text)| text.contains("sleep") || text.contains("executor"))
        .filter(|(_, text)| !text.contains("scheduler"))
        .collect();
    assert!(left.is_empty(), "{left:#?}");
    assert!(cluster.active(&job).is_empty());
    // There is nothing more to kill, which is no error unless one insists.
    cluster.run(&["job", "killall", &job]).expect(0);
    cluster.run(&["job", "killall", &job, "--strict"]).expect(6);
}

#[test]
fn who_waits_does_not_mind_another_scheduler() {
    let mut cluster = Cluster::start();
    // Without an agent the job waits.
    cluster.agent.kill();
    let file = cluster.home.file("svc.aurora", &service(&role(), "svc", 1, "exec sleep 1000"));
    let job = format!("test/{}/prod/svc", role());
    let words = ["job", "create", &job, file.to_str().unwrap(), "--wait-until", "RUNNING"];
    let words = cluster.words(&[&words[..], &["--retry-for", "60"]].concat());
    let mut waiting = Process::start(&mut cluster.home.aurora(&words));
    wait_for("the job to be created", || {
        let ran = cluster.run(&["job", "list", "test"]);
        ran.out().contains(&job).then_some(())
    });
    cluster.scheduler.kill();
    cluster.restart_scheduler();
    cluster.restart_agent();
    assert_eq!(waiting.ended(), 0, "{}", waiting.lines().join("\n"));
    cluster.wait_running(&job, 1);
}

/// A batch job that ends while a daemon is away has ended: it is not run again.
fn ends_while_away(kill: impl Fn(&mut Cluster), restart: impl Fn(&mut Cluster)) {
    let mut cluster = Cluster::start();
    let gate = cluster.home.path().join("gate");
    let runs = cluster.home.path().join("runs");
    let command = format!(
        "echo run >> {}; while [ ! -e {} ]; do sleep 0.05; done",
        runs.display(),
        gate.display()
    );
    let text = service(&role(), "once", 1, &command).replace("Service(", "Job(");
    let file = cluster.home.file("once.aurora", &text);
    let job = format!("test/{}/prod/once", role());
    cluster.run(&["job", "create", &job, file.to_str().unwrap()]).expect(0);
    let task = cluster.running_task(&job);
    let pid = cluster.pid_of(&task);
    kill(&mut cluster);
    std::fs::write(&gate, "").unwrap();
    wait_for("the process to end", || (!is_alive(pid)).then_some(()));
    restart(&mut cluster);
    let ended = wait_for("the job to end", || {
        let ran = cluster.run(&["job", "status", &job, "-o", "json"]);
        if ran.code() != 0 {
            return None;
        }
        let status = ran.json();
        let ended = status[0]["inactive"].as_array()?.clone();
        (status[0]["active"].as_array()?.is_empty() && !ended.is_empty()).then_some(ended)
    });
    assert_eq!(ended.len(), 1, "{ended:#?}");
    assert_eq!(ended[0]["status"], "FINISHED", "{ended:#?}");
    assert_eq!(std::fs::read_to_string(&runs).unwrap(), "run\n");
}

#[test]
fn what_ends_while_the_scheduler_is_away_has_ended() {
    ends_while_away(|cluster| cluster.scheduler.kill(), Cluster::restart_scheduler);
}

#[test]
fn what_ends_while_the_master_is_away_has_ended() {
    ends_while_away(|cluster| cluster.master.kill(), Cluster::restart_master);
}

#[test]
fn what_ends_while_the_agent_is_away_has_ended() {
    ends_while_away(|cluster| cluster.agent.kill(), Cluster::restart_agent);
}
