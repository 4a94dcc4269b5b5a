//! The executor as a small file that needs nothing else (`executor/executor/static`), in a folder that is
//! all it sees of the machine.

use std::path::{Path, PathBuf};
use std::process::Command;

use aurora_mesos::v1::TaskState;

use crate::agent::{Agent, data, skip};

/// The largest that it may be, in bytes.
const MAX_LEN: u64 = 6_000_000;

/// The file, if it was built for the tests.
fn small() -> Option<PathBuf> {
    let path = std::env::var_os("AURORA_TEST_STATIC_EXECUTOR").map(PathBuf::from);
    if path.is_none() {
        skip("AURORA_TEST_STATIC_EXECUTOR names what executor/executor/static has built");
    }
    path
}

/// A folder with the executor, an empty sandbox and a place for `/proc`.
fn bare(small: &Path) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    std::fs::copy(small, root.path().join("aurora-executor")).unwrap();
    for folder in ["proc", "sandbox"] {
        std::fs::create_dir(root.path().join(folder)).unwrap();
    }
    root
}

/// Puts the shell there, with the libraries that it needs.
fn add_shell(root: &Path) {
    let needed = Command::new("ldd").arg("/bin/bash").output().unwrap().stdout;
    let needed = String::from_utf8(needed).unwrap();
    let libraries = needed.split_whitespace().filter(|word| word.starts_with('/'));
    for path in libraries.chain(["/bin/bash"]) {
        let target = root.join(path.trim_start_matches('/'));
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::copy(path, target).unwrap();
    }
}

/// Starts it with the folder as its root, which needs the rights for that.
async fn start(root: tempfile::TempDir) -> Option<Agent> {
    let probe = Command::new("unshare").args(["--mount", "chroot", "/", "true"]).output().unwrap();
    if !probe.status.success() {
        skip(&String::from_utf8_lossy(&probe.stderr));
        return None;
    }
    let script = r#"mount -t proc proc "$0/proc" && exec chroot "$0" /aurora-executor "$@""#;
    let mut program = tokio::process::Command::new("unshare");
    // Nobody else sees the mount, which goes with the last process.
    program.args(["--mount", "sh", "-c", script]).arg(root.path());
    program
        .args(["--nosetuid", "--checkpoint-root", "/checkpoints"])
        .env("MESOS_SANDBOX", "/sandbox");
    let sandbox = root.path().join("sandbox");
    Some(Agent::start_program(program, root, sandbox, &[]).await)
}

#[tokio::test]
async fn it_is_small_and_runs_tasks_where_there_is_nothing_but_a_shell() {
    let Some(small) = small() else { return };
    let len = std::fs::metadata(&small).unwrap().len();
    assert!(len <= MAX_LEN, "{len} bytes are more than {MAX_LEN}");
    let root = bare(&small);
    add_shell(root.path());
    let Some(mut agent) = start(root).await else { return };
    // Of all that is named there only files are asked.
    let etc = agent.folder.path().join("etc");
    std::fs::create_dir(&etc).unwrap();
    std::fs::write(etc.join("nsswitch.conf"), "passwd: another [UNAVAIL=return] files\n").unwrap();
    std::fs::write(etc.join("passwd"), "chief:x:0:0::/:/bin/bash\n").unwrap();
    agent.launch("a", data("a", "echo $USER /*")).await;
    assert_eq!(agent.update().await.1, TaskState::TaskStarting);
    loop {
        match agent.update().await {
            (_, TaskState::TaskRunning, _) => {}
            (_, state, message) => {
                assert_eq!((state, message.as_str()), (TaskState::TaskFinished, "Task finished."));
                break;
            }
        }
    }
    let printed = agent.container.join("sandbox/.logs/p/0/stdout");
    let printed = std::fs::read_to_string(printed).unwrap();
    assert!(printed.starts_with("chief /aurora-executor "), "{printed}");
    assert!(!printed.contains("/usr"), "{printed}");
    assert!(agent.end().await.success());
}

#[tokio::test]
async fn without_a_shell_a_task_fails_with_the_reason() {
    let Some(small) = small() else { return };
    let Some(mut agent) = start(bare(&small)).await else { return };
    agent.launch("a", data("a", "true")).await;
    assert_eq!(agent.update().await.1, TaskState::TaskStarting);
    let (_, state, message) = agent.update().await;
    assert_eq!(state, TaskState::TaskFailed, "{message}");
    assert!(message.contains("failed to start /bin/bash"), "{message}");
    assert!(agent.end().await.success());
}
