//! Processes, folders and questions that the tests share.

pub(crate) mod cluster;
pub(crate) mod editor;
pub(crate) mod files;
pub(crate) mod process;
pub(crate) mod proxy;
pub(crate) mod sshd;
pub(crate) mod terminal;
pub(crate) mod tls;
pub(crate) mod tmux;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// Says that a test is skipped, past the test runner, which shows nothing of tests that pass.
pub(crate) fn skip(reason: &str) {
    let name = std::thread::current().name().unwrap_or_default().to_owned();
    // Without a standard error nobody listens.
    let _ = writeln!(std::io::stderr(), "skipped {name}: {reason}");
}

/// How long anything that should happen may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `look` finds something; fails with `what` if it never does.
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A folder that users of roles may pass through, with a runtime directory of its own: what runs
/// in one test is unknown to all others.
#[derive(Debug)]
pub(crate) struct Home {
    folder: TempDir,
}

impl Home {
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("aurora-test-").tempdir_in("/tmp").unwrap();
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
        Self { folder }
    }

    /// Removes the cgroups of containers whose agent was killed before it could.
    fn remove_cgroups(&self) {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let (mounts, cgroups) = (read("/proc/mounts"), read("/proc/self/cgroup"));
        let mount = mounts.lines().find_map(|line| {
            let mut fields = line.split(' ').skip(1);
            let folder = fields.next()?;
            (fields.next()? == "cgroup2").then_some(folder)
        });
        let mine = cgroups.lines().find_map(|line| line.strip_prefix("0::/"));
        let (Some(mount), Some(mine)) = (mount, mine) else { return };
        let parent = Path::new(mount).join(mine).join("aurora");
        for container in containers(self.path()) {
            let folder = parent.join(container);
            // What was killed a moment ago may still be on its way out.
            let deadline = Instant::now() + Duration::from_secs(5);
            while folder.exists()
                && std::fs::remove_dir(&folder).is_err()
                && Instant::now() < deadline
            {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    /// Writes a configuration.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// The command, which knows only what this test has started.
    pub(crate) fn aurora<S: AsRef<std::ffi::OsStr>>(&self, words: &[S]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_aurora"));
        command
            .args(words)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.path())
            .env("XDG_STATE_HOME", self.path().join("state"))
            .env("XDG_RUNTIME_DIR", self.path())
            .env("AURORA_CONFIG_ROOT", self.path())
            .env("NO_COLOR", "1")
            // Whoever wants a scheduler to be tried again says so.
            .env("AURORA_RETRY_FOR", "0")
            .current_dir(env!("CARGO_MANIFEST_DIR"));
        command
    }

    /// Runs the command to its end.
    pub(crate) fn run<S: AsRef<std::ffi::OsStr>>(&self, words: &[S]) -> Ran {
        let output = self.aurora(words).output().unwrap();
        Ran(output)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        self.remove_cgroups();
    }
}

/// The ids of all containers that an agent below a folder has made.
fn containers(folder: &Path) -> Vec<std::ffi::OsString> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let is_runs = folder.file_name().is_some_and(|name| name == "runs");
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            if is_runs {
                found.push(entry.file_name());
            } else {
                folders.push(entry.path());
            }
        }
    }
    found
}

/// A command that has ended.
#[derive(Debug)]
pub(crate) struct Ran(pub(crate) Output);

impl Ran {
    pub(crate) fn code(&self) -> i32 {
        self.0.status.code().unwrap_or(-1)
    }

    pub(crate) fn out(&self) -> String {
        String::from_utf8_lossy(&self.0.stdout).into_owned()
    }

    pub(crate) fn err(&self) -> String {
        String::from_utf8_lossy(&self.0.stderr).into_owned()
    }

    /// Fails unless the command ended with this code.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code(), code, "stdout:\n{}\nstderr:\n{}", self.out(), self.err());
        self
    }

    /// Fails unless the standard error has this.
    #[track_caller]
    pub(crate) fn says(&self, text: &str) {
        assert!(self.err().contains(text), "{text:?} is not in:\n{}", self.err());
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.0.stdout)
            .unwrap_or_else(|error| panic!("{error} in {}", self.out()))
    }
}

/// A port that nobody listens on. Below those that the kernel hands out to clients, so that it
/// stays free until it is used, and each test gets another one.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let base = u16::try_from(std::process::id() % 500).unwrap() * 20;
    loop {
        let port = 20_000 + (base + NEXT.fetch_add(1, Ordering::Relaxed)) % 10_900;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// An answer over HTTP.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

/// Asks a server; none if it cannot be reached.
pub(crate) fn request(
    address: &str,
    method: &str,
    path: &str,
    headers: &str,
    body: &str,
) -> Option<Answer> {
    let address: SocketAddr = address.trim_start_matches("http://").parse().unwrap();
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    // A server of this version writes the body as it is, not in pieces with their lengths.
    write!(
        stream,
        "{method} {path} HTTP/1.0\r\nHost: {address}\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .ok()?;
    let mut text = Vec::new();
    stream.read_to_end(&mut text).ok()?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, head: head.to_owned(), body: body.to_owned() })
}

/// Gets a page that must be there.
#[track_caller]
pub(crate) fn get(address: &str, path: &str) -> Answer {
    let answer = request(address, "GET", path, "", "");
    answer.unwrap_or_else(|| panic!("nobody answers at {address}{path}"))
}

/// A service that prints its process id and goes on.
pub(crate) fn service(role: &str, name: &str, instances: u32, command: &str) -> String {
    format!(
        "jobs = [Service(cluster = 'test', role = '{role}', environment = 'prod', name = '{name}',\n\
         instances = {instances}, task = Task(processes = [Process(name = 'main', cmdline = {command:?})],\n\
         resources = Resources(cpu = 0.01, ram = 8 * MB, disk = 8 * MB)))]\n"
    )
}

/// Whose role tests use: there is always a user of this name.
pub(crate) fn role() -> String {
    nix::unistd::User::from_uid(nix::unistd::Uid::effective()).unwrap().unwrap().name
}
