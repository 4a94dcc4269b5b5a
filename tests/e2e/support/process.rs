//! Processes that print, and processes that should be gone.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use super::PATIENCE;

/// A process whose output is read as it comes.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    lines: Arc<(Mutex<Lines>, Condvar)>,
}

#[derive(Debug, Default)]
struct Lines {
    all: Vec<String>,
    open: u8,
}

impl Process {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = Arc::new((Mutex::new(Lines { all: Vec::new(), open: 2 }), Condvar::new()));
        let pipes: [Box<dyn Read + Send>; 2] =
            [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
        for pipe in pipes {
            let lines = Arc::clone(&lines);
            std::thread::spawn(move || {
                for line in BufReader::new(pipe).split(b'\n') {
                    let Ok(line) = line else { break };
                    let line = String::from_utf8_lossy(&line).into_owned();
                    lines.0.lock().unwrap().all.push(line);
                    lines.1.notify_all();
                }
                lines.0.lock().unwrap().open -= 1;
                lines.1.notify_all();
            });
        }
        Self { child, lines }
    }

    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    /// Waits for a line that holds a text.
    #[track_caller]
    pub(crate) fn expect(&self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut lines = self.lines.0.lock().unwrap();
        loop {
            if let Some(line) = lines.all.iter().find(|line| line.contains(text)) {
                return line.clone();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero() && lines.open > 0,
                "no {text:?} was printed:\n{}",
                lines.all.join("\n")
            );
            lines = self.lines.1.wait_timeout(lines, left).unwrap().0;
        }
    }

    /// The last line, which must hold a text.
    #[track_caller]
    pub(crate) fn expect_last(&self, text: &str) {
        let lines = self.lines();
        let last = lines.last().map_or("", String::as_str);
        assert!(last.contains(text), "{text:?} is not in the last of:\n{}", lines.join("\n"));
    }

    /// All lines so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.0.lock().unwrap().all.clone()
    }

    pub(crate) fn signal(&self, signal: nix::sys::signal::Signal) {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(self.pid()), signal).unwrap();
    }

    /// Waits for the end. Gives the exit code, or the signal with a minus sign.
    #[track_caller]
    pub(crate) fn ended(&mut self) -> i32 {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                // Wait for the rest of the output too.
                let mut lines = self.lines.0.lock().unwrap();
                while lines.open > 0 && Instant::now() < deadline {
                    let left = deadline.saturating_duration_since(Instant::now());
                    lines = self.lines.1.wait_timeout(lines, left).unwrap().0;
                }
                return code(status);
            }
            assert!(
                Instant::now() < deadline,
                "process {} does not end:\n{}",
                self.pid(),
                self.lines().join("\n")
            );
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    /// Ends it without a chance to say goodbye.
    pub(crate) fn kill(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| -status.signal().unwrap_or(0))
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The processes of which `folder` is the business: it is in their command line or environment.
/// Those who wait to be collected do not count.
pub(crate) fn processes_of(folder: &Path) -> Vec<(i32, String)> {
    let wanted = folder.to_str().unwrap().as_bytes();
    let me = std::process::id().to_string();
    let holds = |text: &[u8]| text.windows(wanted.len()).any(|part| part == wanted);
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Ok(pid) = name.parse::<i32>() else { continue };
        if name == me {
            continue;
        }
        // It may end while it is looked at.
        let read = |file: &str| std::fs::read(entry.path().join(file)).unwrap_or_default();
        let command = read("cmdline");
        if !command.is_empty() && (holds(&command) || holds(&read("environ"))) {
            found.push((pid, String::from_utf8_lossy(&command).replace('\0', " ")));
        }
    }
    found
}

/// Ends whatever a failed test has left behind.
pub(crate) fn end_all(folder: &Path) {
    for (pid, _) in processes_of(folder) {
        // It may have ended meanwhile.
        let _ = nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(pid),
            nix::sys::signal::Signal::SIGKILL,
        );
    }
}

/// Fails if anything still runs that has to do with a folder.
#[track_caller]
pub(crate) fn assert_nothing_left(folder: &Path) {
    let left = processes_of(folder);
    assert!(left.is_empty(), "still running: {left:#?}");
}
