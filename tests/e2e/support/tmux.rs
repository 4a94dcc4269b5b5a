//! A terminal: a pane of a tmux of its own, whose screen can be looked at, with keys that can be pressed.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::{Home, wait_for};

/// A terminal in which one command runs.
pub(crate) struct Terminal {
    /// Of its own, as one that is about to end may still have its socket.
    folder: TempDir,
}

impl Terminal {
    /// Runs a command in a terminal of this size; when it has ended its status is on the screen, as
    /// `status 130`.
    pub(crate) fn start(home: &Home, words: &[String], columns: u16, rows: u16) -> Self {
        Self::start_with(home, words, columns, rows, &[])
    }

    /// The same with these environment variables besides.
    pub(crate) fn start_with(
        home: &Home,
        words: &[String],
        columns: u16,
        rows: u16,
        environment: &[(&str, &str)],
    ) -> Self {
        Self::run(home, words, (columns, rows), environment, "")
    }

    /// The same with what a file has as its standard input.
    pub(crate) fn start_reading(home: &Home, words: &[String], from: &Path) -> Self {
        let from = format!(" < {}", quoted(from.to_str().unwrap()));
        Self::run(home, words, (100, 20), &[], &from)
    }

    fn run(
        home: &Home,
        words: &[String],
        (columns, rows): (u16, u16),
        environment: &[(&str, &str)],
        redirected: &str,
    ) -> Self {
        let command = home.aurora(words);
        let mut line = "exec env -i TERM=screen-256color".to_owned();
        let set =
            command.get_envs().filter_map(|(name, value)| Some((name.to_str()?, value?.to_str()?)));
        // Colours are wanted here.
        let set = set.filter(|(name, _)| *name != "NO_COLOR");
        for (name, value) in set.chain(environment.iter().copied()) {
            line.push_str(&format!(" {name}={}", quoted(value)));
        }
        // Ctrl-C is for the command, not for the shell around it.
        let mut shown = quoted(command.get_program().to_str().unwrap());
        for word in command.get_args() {
            shown.push_str(&format!(" {}", quoted(word.to_str().unwrap())));
        }
        line.push_str(&format!(
            " sh -c {}",
            quoted(&format!("trap : INT; {shown}{redirected}; echo status $?; exec sleep 1000"))
        ));
        let terminal = Self { folder: tempfile::tempdir_in(home.path()).unwrap() };
        let size = [columns.to_string(), rows.to_string()];
        terminal.tmux(&[
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            &size[0],
            "-y",
            &size[1],
            &line,
        ]);
        terminal
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("tmux")
    }

    fn tmux(&self, words: &[&str]) -> String {
        let ran = Command::new("tmux").arg("-S").arg(self.socket()).args(words).output().unwrap();
        assert!(ran.status.success(), "tmux {words:?}: {}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8_lossy(&ran.stdout).into_owned()
    }

    /// The lines on the screen, the empty ones at the end left out.
    pub(crate) fn screen(&self) -> Vec<String> {
        let text = self.tmux(&["capture-pane", "-p"]);
        text.trim_end().lines().map(|line| line.trim_end().to_owned()).collect()
    }

    /// The same with what makes the colours.
    pub(crate) fn colours(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-e"])
    }

    /// Waits until a text is on the screen, which it gives then.
    #[track_caller]
    pub(crate) fn expect(&self, text: &str) -> Vec<String> {
        wait_for(&format!("{text:?} on a terminal"), || {
            let screen = self.screen();
            screen.iter().any(|line| line.contains(text)).then_some(screen)
        })
    }

    /// Presses a key, as `C-c`.
    pub(crate) fn press(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    /// Makes the terminal another size.
    pub(crate) fn resize(&self, columns: u16, rows: u16) {
        self.tmux(&["resize-window", "-x", &columns.to_string(), "-y", &rows.to_string()]);
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may be gone.
        let _ = Command::new("tmux").arg("-S").arg(self.socket()).arg("kill-server").output();
    }
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}
