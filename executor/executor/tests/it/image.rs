//! Tasks in an image, which is made of programs of this machine.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use aurora_api::v1 as api;
use aurora_mesos::v1::TaskState;
use aurora_thermos::process::tree::{identify, is_alive};
use prost::Message as _;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::agent::{Agent, data_of, heard, open, program, skip};

const CANNOT: &str = "Cannot launch task using a filesystem image: ";

/// A user that Debian and its like have, and the primary group.
const USER: &str = "nobody";

/// An agent that has laid out an image.
struct Bed {
    agent: Agent,
    /// The image.
    taskfs: PathBuf,
    /// The sandbox, as the machine names it.
    sandbox: PathBuf,
}

impl Bed {
    /// Nothing if this is no place for images.
    async fn new(flags: &[&str]) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            skip("only root can mount an image");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let user = format!("--execute-as-user={USER}");
        let flags = [&[user.as_str()], flags].concat();
        let agent = Agent::start_by(Command::new(program()), folder, &flags, &[]).await;
        let taskfs = agent.container.join("taskfs");
        let sandbox = agent.container.join("sandbox");
        std::fs::create_dir(&sandbox).unwrap();
        std::fs::create_dir(&taskfs).unwrap();
        for program in ["bash", "cat", "id", "ls", "sleep"] {
            install(&taskfs, program, program);
        }
        let bed = Self { agent, taskfs, sandbox };
        bed.write("etc/marker", "in the image\n");
        Some(bed)
    }

    /// Writes a file of the image.
    fn write(&self, path: &str, text: &str) {
        let path = self.taskfs.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.taskfs.join(path)).unwrap()
    }

    /// What the task has written in its sandbox.
    fn written(&self, path: &str) -> String {
        std::fs::read_to_string(self.sandbox.join(path)).unwrap()
    }

    /// A pipe in the sandbox that everybody may use.
    fn pipe(&self, name: &str) -> PathBuf {
        let path = self.sandbox.join(name);
        let (fifo, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU);
        rustix::fs::mknodat(rustix::fs::CWD, &path, fifo, mode, 0).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
        path
    }

    async fn launch(&mut self, cmdline: &str) {
        self.launch_with(cmdline, json!({}), &[]).await;
    }

    async fn launch_with(&mut self, cmdline: &str, more: Value, volumes: &[api::Volume]) {
        let data = data_of("a", cmdline, more, &[]);
        let mut assigned = api::AssignedTask::decode(&data[..]).unwrap();
        let docker = api::DockerImage { name: "tiny".to_owned(), tag: "1".to_owned() };
        let mesos = api::MesosContainer {
            image: Some(api::Image { kind: Some(api::image::Kind::Docker(docker)) }),
            volumes: volumes.to_vec(),
        };
        assigned.task.as_mut().unwrap().container =
            Some(api::Container { kind: Some(api::container::Kind::Mesos(mesos)) });
        self.agent.launch("a", assigned.encode_to_vec()).await;
        assert_eq!(self.agent.update().await.1, TaskState::TaskStarting);
    }

    async fn is_told(&mut self, expected: TaskState) -> String {
        let (_, state, message) = self.agent.update().await;
        assert_eq!(state, expected, "{message}");
        message
    }

    /// Runs a command line that succeeds.
    async fn finishes(&mut self, cmdline: &str) {
        self.launch(cmdline).await;
        self.is_told(TaskState::TaskRunning).await;
        self.is_told(TaskState::TaskFinished).await;
        assert!(self.agent.end().await.success());
    }

    /// Gives why the task cannot even start.
    async fn fails(&mut self) -> String {
        self.launch("true").await;
        let message = self.is_told(TaskState::TaskFailed).await;
        assert!(self.agent.end().await.success());
        message.strip_prefix(CANNOT).unwrap_or_else(|| panic!("{message}")).to_owned()
    }
}

/// Copies a program of this machine with all it loads.
fn install(taskfs: &Path, program: &str, name: &str) {
    let from = ["/bin", "/usr/bin"].map(|folder| Path::new(folder).join(program));
    let from = from.into_iter().find(|path| path.exists()).unwrap();
    let listed = std::process::Command::new("ldd").arg(&from).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let libraries =
        listed.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from);
    let copies = libraries.map(|path| (path.clone(), path));
    let target = Path::new("/bin").join(name);
    for (from, target) in copies.chain([(from, target)]) {
        let target = taskfs.join(target.strip_prefix("/").unwrap());
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::copy(from, target).unwrap();
    }
}

/// What is mounted for a process, as far as it has to do with this folder.
fn mounts(process: &str, folder: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(format!("/proc/{process}/mountinfo")).unwrap();
    let folder = folder.display().to_string();
    text.lines().filter(|line| line.contains(&folder)).map(str::to_owned).collect()
}

#[tokio::test]
async fn an_image_is_all_that_its_task_sees() {
    let Some(mut bed) = Bed::new(&[]).await else { return };
    let go = bed.pipe("go");
    let outside = bed.agent.folder.path().to_owned();
    let script = format!(
        "echo \"$PWD $HOME $USER $(id -un) $(id -gn)\"; cat /etc/marker; ls -d '{}'; \
         cat /proc/self/mountinfo > mounts; echo nothing > /dev/null; cat /etc/hosts > hosts; \
         ls / > root; echo mine > written; read < go",
        outside.display()
    );
    bed.launch(&script).await;
    bed.is_told(TaskState::TaskRunning).await;
    let executor = bed.agent.executor.id().unwrap().to_string();
    for process in ["self", "1", &executor] {
        assert_eq!(mounts(process, &outside), [""; 0], "mounted for {process}");
    }
    open(go).await;
    bed.is_told(TaskState::TaskFinished).await;
    assert!(bed.agent.end().await.success());

    let stdout = bed.written(".logs/p/0/stdout");
    let expected = "/mnt/mesos/sandbox /mnt/mesos/sandbox nobody nobody nogroup\nin the image\n";
    assert_eq!(stdout, expected);
    let stderr = bed.written(".logs/p/0/stderr");
    assert!(stderr.contains("No such file or directory"), "{stderr}");
    assert_eq!(std::fs::read_to_string("/etc/hosts").unwrap(), bed.written("hosts"));
    assert!(bed.written("root").lines().all(|name| name != "root" && name != "home"));
    let written = std::fs::metadata(bed.sandbox.join("written")).unwrap();
    assert_eq!(written.uid(), std::fs::metadata(&bed.sandbox).unwrap().uid());
    assert_ne!(written.uid(), 0);
    let mounted = bed.written("mounts");
    let mut places: Vec<&str> =
        mounted.lines().map(|line| line.split(' ').nth(4).unwrap()).collect();
    places.sort_unstable();
    let expected = ["/", "/dev", "/dev/pts", "/dev/shm", "/mnt/mesos/sandbox", "/proc", "/sys"];
    assert_eq!(places, expected);
    let root = mounted.lines().find(|line| line.split(' ').nth(4) == Some("/")).unwrap();
    let options: Vec<&str> = root.split(' ').nth(5).unwrap().split(',').collect();
    assert!(options.contains(&"nosuid") && options.contains(&"nodev"), "{root}");
    assert_eq!(mounts("self", &outside), [""; 0]);
    assert_eq!(bed.read("etc/group"), "nogroup:x:65534:\n");
    let user = "nobody:*:65534:65534::/mnt/mesos/sandbox:/bin/bash\n";
    assert_eq!(bed.read("etc/passwd"), user);
}

#[tokio::test]
async fn a_profile_that_a_process_writes_counts_for_the_next() {
    let Some(mut bed) = Bed::new(&["--sandbox-mount-point=/here"]).await else { return };
    std::fs::write(bed.sandbox.join(".thermos_profile"), "word=read\n").unwrap();
    bed.finishes("echo \"$word in $PWD\"").await;
    assert_eq!(bed.written(".logs/p/0/stdout"), "read in /here\n");
}

#[tokio::test]
async fn magic_links_of_an_image_are_not_followed() {
    let Some(bed) = Bed::new(&[]).await else { return };
    drop(bed);
    // Of whoever looks, of the first process, of this one.
    let mine = format!("/proc/{}/root/tmp", std::process::id());
    for magic in ["/proc/self/root/tmp", "/proc/1/root/tmp", "/proc/self/fd/0", &mine] {
        let mut bed = Bed::new(&[]).await.unwrap();
        symlink(magic, bed.taskfs.join("mnt")).unwrap();
        bed.launch("true").await;
        let (_, state, message) = bed.agent.update().await;
        assert_eq!(state, TaskState::TaskFailed, "{magic}");
        assert!(message.contains("/mnt/mesos/sandbox of the image"), "{message}");
        assert!(!Path::new("/tmp/mesos").exists(), "{magic}");
    }
}

#[tokio::test]
async fn links_of_an_image_lead_nowhere_outside() {
    let Some(mut bed) = Bed::new(&[]).await else { return };
    let outside = bed.agent.folder.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    let inside = bed.taskfs.join(outside.strip_prefix("/").unwrap());
    std::fs::create_dir_all(&inside).unwrap();
    for name in ["passwd", "resolv.conf"] {
        std::fs::write(outside.join(name), "of the machine\n").unwrap();
        symlink(outside.join(name), bed.taskfs.join("etc").join(name)).unwrap();
    }
    std::fs::write(inside.join("passwd"), "app:x:1:1::/:/bin/sh").unwrap();
    symlink("/", bed.taskfs.join("mnt")).unwrap();
    for folder in [&outside, &inside] {
        std::fs::create_dir(folder.join("system")).unwrap();
    }
    let up = "../".repeat(20);
    let system = outside.join("system").strip_prefix("/").unwrap().to_owned();
    symlink(Path::new(&up).join(&system), bed.taskfs.join("proc")).unwrap();
    bed.finishes(&format!("id -un; ls -d /mesos/sandbox; cat /{}/version", system.display())).await;
    for name in ["passwd", "resolv.conf"] {
        assert_eq!(std::fs::read_to_string(outside.join(name)).unwrap(), "of the machine\n");
    }
    assert!(!Path::new("/mesos").exists());
    assert_eq!(std::fs::read_dir(outside.join("system")).unwrap().count(), 0);
    let version = std::fs::read_to_string("/proc/version").unwrap();
    let expected = format!("nobody\n/mesos/sandbox\n{version}");
    assert_eq!(bed.written(".logs/p/0/stdout"), expected);
    let users = std::fs::read_to_string(inside.join("passwd")).unwrap();
    assert!(users.starts_with("app:x:1:1::/:/bin/sh\nnobody:*:65534:"), "{users}");
    let copied = std::fs::symlink_metadata(bed.taskfs.join("etc/resolv.conf")).unwrap();
    assert!(copied.is_file());
}

#[tokio::test]
async fn s77_a_user_or_group_of_another_id_fails_the_task_and_the_same_does_not() {
    let Some(mut bed) = Bed::new(&[]).await else { return };
    bed.write("etc/passwd", "nobody:x:99:99::/:/bin/sh\n");
    let why = bed.fails().await;
    let expected = "user \"nobody\" has the id 99 with group 99 in the image, and 65534 with group \
                    65534 on this machine: use another image, or start the executor with \
                    --no-create-user";
    assert_eq!(why, expected);
    let mut bed = Bed::new(&[]).await.unwrap();
    bed.write("etc/group", "users:x:65534:\n");
    let why = bed.fails().await;
    let expected =
        "group 65534 is called \"users\" in the image, and \"nogroup\" on this machine: ";
    assert!(why.starts_with(expected), "{why}");
    let mut bed = Bed::new(&[]).await.unwrap();
    bed.write("etc/group", "nogroup:x:65534:\n");
    bed.write("etc/passwd", "nobody:x:65534:65534:N:/:/bin/sh\n");
    bed.finishes("true").await;
    assert_eq!(bed.read("etc/passwd"), "nobody:x:65534:65534:N:/:/bin/sh\n");
    let mut bed = Bed::new(&["--no-create-user"]).await.unwrap();
    bed.write("etc/passwd", "nobody:x:99:99::/:/bin/sh\n");
    bed.finishes("id -u").await;
    assert_eq!(bed.read("etc/passwd"), "nobody:x:99:99::/:/bin/sh\n");
    assert_eq!(bed.written(".logs/p/0/stdout"), "65534\n");
}

#[tokio::test]
async fn s77_volumes_are_mounted_and_a_file_gets_an_empty_one_to_be_mounted_on() {
    let Some(mut bed) = Bed::new(&[]).await else { return };
    let file = bed.agent.folder.path().join("file");
    std::fs::write(&file, "of the volume\n").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o666)).unwrap();
    let folder = bed.agent.container.join("data");
    std::fs::create_dir(&folder).unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o777)).unwrap();
    let volume = |path: &Path, read_only| api::Volume {
        container_path: path.display().to_string(),
        host_path: "/where/the/agent/has/mounted/it/from".to_owned(),
        read_only,
    };
    let volumes = [
        volume(&file, true),
        volume(Path::new("data"), false),
        volume(Path::new("data/below"), false),
        volume(Path::new("/taskfs"), false),
    ];
    std::fs::create_dir(folder.join("below")).unwrap();
    let script = format!(
        "cat '{0}'; echo more >> '{0}'; echo mine > /data/mine; ls /data/below /taskfs",
        file.display()
    );
    bed.launch_with(&script, json!({}), &volumes).await;
    bed.is_told(TaskState::TaskRunning).await;
    bed.is_told(TaskState::TaskFailed).await;
    assert!(bed.agent.end().await.success());
    assert_eq!(bed.written(".logs/p/0/stdout"), "of the volume\n/data/below:\n");
    let stderr = bed.written(".logs/p/0/stderr");
    assert!(stderr.contains("Read-only file system"), "{stderr}");
    assert!(stderr.contains("/taskfs"), "{stderr}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "of the volume\n");
    assert_eq!(std::fs::read_to_string(folder.join("mine")).unwrap(), "mine\n");
    let mounted_on = bed.taskfs.join(file.strip_prefix("/").unwrap());
    assert_eq!(std::fs::read(mounted_on).unwrap(), b"");
}

#[tokio::test]
async fn a_volume_that_the_agent_has_not_mounted_fails_the_task() {
    let Some(mut bed) = Bed::new(&[]).await else { return };
    let volume = api::Volume { container_path: "none".to_owned(), ..api::Volume::default() };
    bed.launch_with("true", json!({}), &[volume]).await;
    let message = bed.is_told(TaskState::TaskFailed).await;
    let path = bed.agent.container.join("none");
    let begins = format!("{CANNOT}failed to find {}, to be mounted in the image: ", path.display());
    assert!(message.starts_with(&begins), "{message}");
}

#[tokio::test]
async fn a_task_in_an_image_can_be_killed() {
    let Some(mut bed) = Bed::new(&[]).await else { return };
    let ready = bed.pipe("ready");
    bed.launch("sleep 1000 & echo $$ $! > ready; wait").await;
    bed.is_told(TaskState::TaskRunning).await;
    let pids = heard(ready).await;
    let processes: Vec<_> =
        pids.split_whitespace().map(|pid| identify(pid.parse().unwrap()).unwrap()).collect();
    assert_eq!(processes.len(), 2);
    bed.agent.kill("a", Duration::from_secs(20)).await;
    bed.is_told(TaskState::TaskKilled).await;
    assert!(bed.agent.end().await.success());
    assert!(!processes.into_iter().any(is_alive));
    assert_eq!(mounts("self", bed.agent.folder.path()), [""; 0]);
}

#[tokio::test]
async fn what_was_made_of_an_image_is_gone_with_an_executor_that_is_killed() {
    let Some(mut bed) = Bed::new(&[]).await else { return };
    let (held, begun) = (bed.pipe("held"), bed.pipe("begun"));
    let all_closed = tokio::spawn(heard(held));
    bed.launch("exec 3> held; echo running >&3; echo > begun; exec sleep 1000").await;
    bed.is_told(TaskState::TaskRunning).await;
    heard(begun).await;
    bed.agent.executor.kill().await.unwrap();
    // Only the end of the process closes it.
    assert_eq!(all_closed.await.unwrap(), "running\n");
    assert_eq!(mounts("self", bed.agent.folder.path()), [""; 0]);
}

#[tokio::test]
async fn commands_of_health_checks_run_in_the_image_too() {
    let Some(mut bed) = Bed::new(&[]).await else { return };
    let command = "cat /etc/marker && [ $PWD = /mnt/mesos/sandbox ] && [ $HOME = $PWD ] && \
                   [ $(id -un) = nobody ] && echo well > /mnt/mesos/sandbox/heard";
    let more = json!({ "health_check_config": {
        "health_checker": { "shell": { "shell_command": command } },
        "interval_secs": 0.1, "timeout_secs": 20.0,
    }});
    let heard = bed.pipe("heard");
    bed.launch_with("read < heard", more, &[]).await;
    assert!(heard.exists());
    assert_eq!(bed.is_told(TaskState::TaskRunning).await, "Task is healthy.");
    bed.is_told(TaskState::TaskFinished).await;
    assert!(bed.agent.end().await.success());
}

#[tokio::test]
async fn an_image_with_a_plain_shell_is_enough_and_one_without_is_told() {
    let Some(mut bed) = Bed::new(&[]).await else { return };
    std::fs::remove_file(bed.taskfs.join("bin/bash")).unwrap();
    install(&bed.taskfs, "bash", "sh");
    bed.finishes("echo $0; cat /etc/passwd").await;
    let stdout = bed.written(".logs/p/0/stdout");
    assert_eq!(stdout, "/bin/sh\nnobody:*:65534:65534::/mnt/mesos/sandbox:/bin/sh\n");
    let mut bed = Bed::new(&[]).await.unwrap();
    std::fs::remove_file(bed.taskfs.join("bin/bash")).unwrap();
    // One that is there on the machine, but not in the image.
    symlink("/bin/dash", bed.taskfs.join("bin/sh")).unwrap();
    let expected = format!(
        "the image {} has no shell: neither /bin/bash nor /bin/sh is in it",
        bed.taskfs.display()
    );
    assert_eq!(bed.fails().await, expected);
}

#[tokio::test]
async fn s62_without_what_it_needs_a_task_with_an_image_fails_and_says_so() {
    let Some(mut bed) = Bed::new(&[]).await else { return };
    std::fs::remove_dir_all(&bed.taskfs).unwrap();
    let begins =
        format!("the agent has not provided it: there is no folder {}; ", bed.taskfs.display());
    let why = bed.fails().await;
    assert!(why.starts_with(&begins), "{why}");
    let mut bed = Bed::new(&[]).await.unwrap();
    std::fs::remove_dir_all(&bed.taskfs).unwrap();
    symlink("/", &bed.taskfs).unwrap();
    let why = bed.fails().await;
    assert!(why.starts_with("the agent has not provided it: there is no folder"), "{why}");
    let mut bed = Bed::new(&[]).await.unwrap();
    let pipe = bed.taskfs.join("etc/passwd");
    let (fifo, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU);
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, fifo, mode, 0).unwrap();
    let why = bed.fails().await;
    let begins = "failed to add the task's user to /etc/passwd of the image: it is no regular file";
    assert!(why.starts_with(begins), "{why}");
}
