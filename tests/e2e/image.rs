//! A job in an image: a program that stands before the executor lays the image out, as a Mesos agent does.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::support::cluster::{Cluster, Flags, task_id};
use crate::support::{Home, skip, wait_for};

/// A user that is not root.
const USER: &str = "www-data";

/// All that is mounted for everybody on this machine.
fn mounts() -> BTreeSet<String> {
    let text = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    text.lines().map(ToOwned::to_owned).collect()
}

/// Copies a program of this machine with all it loads.
fn install(image: &Path, program: &str) {
    let from = ["/bin", "/usr/bin"].map(|folder| Path::new(folder).join(program));
    let from = from.into_iter().find(|path| path.exists()).unwrap();
    let listed = std::process::Command::new("ldd").arg(&from).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let libraries =
        listed.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from);
    let copies = libraries.map(|path| (path.clone(), path));
    for (from, to) in copies.chain([(from, Path::new("/bin").join(program))]) {
        let to = image.join(to.strip_prefix("/").unwrap());
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(from, to).unwrap();
    }
}

/// An executor whose image is there before it starts.
fn executor(home: &Home) -> PathBuf {
    let image = home.path().join("image");
    for program in ["bash", "cat", "sleep"] {
        install(&image, program);
    }
    std::fs::create_dir_all(image.join("etc")).unwrap();
    std::fs::write(image.join("etc/marker"), "in the image\n").unwrap();
    let script = format!(
        "#!/bin/sh\nset -e\ncp -R {} \"$MESOS_DIRECTORY/taskfs\"\nexec {} \"$@\"\n",
        image.display(),
        env!("CARGO_BIN_EXE_aurora")
    );
    let path = home.file("executor", &script);
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    path
}

/// A service in the image, in one of its versions.
fn boxed(version: u32) -> String {
    format!(
        "profile = Process(name = 'profile', cmdline = 'echo export word=hello > .thermos_profile')\n\
         main = Process(name = 'main', cmdline = 'cat /etc/marker; echo $word {version}; exec sleep 1000')\n\
         jobs = [Service(cluster = 'test', role = '{USER}', environment = 'prod', name = 'boxed',\n\
         instances = 2, container = Mesos(image = DockerImage(name = 'tiny', tag = '1')),\n\
         update_config = UpdateConfig(watch_secs = 0),\n\
         task = SequentialTask(processes = [profile, main],\n\
         resources = Resources(cpu = 0.01, ram = 32 * MB, disk = 32 * MB)))]\n"
    )
}

#[test]
fn e20_nothing_stays_mounted_of_jobs_in_images() {
    if !nix::unistd::Uid::effective().is_root() {
        skip("only root can mount an image");
        return;
    }
    let before = mounts();
    let programs = Home::new();
    let path = executor(&programs);
    let flags = ["--thermos-executor-path", path.to_str().unwrap()];
    let cluster = Cluster::start_with(Flags { scheduler: &flags, ..Flags::default() });
    let key = format!("test/{USER}/prod/boxed");
    let file = |version: u32| {
        let path = cluster.home.file(&format!("{version}.aurora"), &boxed(version));
        path.to_str().unwrap().to_owned()
    };
    let prints = |version: u32| {
        let wanted = [0, 1].map(|instance| {
            format!("{instance}/main | in the image\n{instance}/main | hello {version}\n")
        });
        wait_for("what the instances print", || {
            let printed = cluster.run(&["task", "logs", &key, "main"]);
            wanted.iter().all(|lines| printed.out().contains(lines)).then_some(())
        });
    };

    // The life of E-4, as far as there is something of it for an image.
    cluster.run(&["job", "create", &key, &file(1), "--wait-until", "RUNNING"]).expect(0);
    let created: Vec<String> = cluster.wait_running(&key, 2).iter().map(task_id).collect();
    prints(1);
    assert_eq!(new(&before), [""; 0], "an image is mounted for its task alone");
    cluster.run(&["job", "restart", &key, "--batch-size=2", "--watch-secs=0"]).expect(0);
    let tasks: Vec<String> = cluster.wait_running(&key, 2).iter().map(task_id).collect();
    assert!(tasks.iter().all(|task| !created.contains(task)), "{tasks:?}");
    cluster.run(&["update", "start", &key, &file(2), "--wait"]).expect(0);
    prints(2);
    // One whose executor dies cannot put anything in order.
    let task = task_id(&cluster.wait_running(&key, 2)[0]);
    let executor = nix::unistd::Pid::from_raw(cluster.executor_of(&task));
    nix::sys::signal::kill(executor, nix::sys::signal::Signal::SIGKILL).unwrap();
    wait_for("another task", || {
        let tasks = cluster.active(&key);
        let run = tasks.iter().all(|it| it["status"] == "RUNNING" && task_id(it) != task);
        (run && tasks.len() == 2).then_some(())
    });
    cluster.run(&["job", "kill", &format!("{key}/1")]).expect(0);
    cluster.run(&["job", "killall", &key]).expect(0);
    assert_eq!(new(&before), [""; 0]);
}

/// What is mounted now, and was not before.
fn new(before: &BTreeSet<String>) -> Vec<String> {
    mounts().difference(before).cloned().collect()
}
