//! A user at a terminal.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use nix::pty::{Winsize, openpty};

use super::PATIENCE;

/// A command that has a terminal.
pub(crate) struct Terminal {
    child: Child,
    keyboard: File,
    screen: Receiver<Vec<u8>>,
    seen: String,
}

fn size(rows: u16, columns: u16) -> Winsize {
    Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }
}

impl Terminal {
    #[allow(unsafe_code, reason = "there is no other way to give a child a terminal")]
    pub(crate) fn start(command: &mut Command, rows: u16, columns: u16) -> Self {
        let pair = openpty(&size(rows, columns), None).unwrap();
        let theirs = |fd: &OwnedFd| fd.try_clone().unwrap();
        command.stdin(theirs(&pair.slave)).stdout(theirs(&pair.slave)).stderr(pair.slave);
        // SAFETY: makes system calls only.
        unsafe {
            command.pre_exec(|| {
                nix::unistd::setsid()?;
                match nix::libc::ioctl(0, nix::libc::TIOCSCTTY, 0) {
                    -1 => Err(std::io::Error::last_os_error()),
                    _ => Ok(()),
                }
            });
        }
        let child = command.spawn().unwrap();
        // It holds the other side open.
        *command = Command::new("true");
        let keyboard = File::from(pair.master);
        let mut from = keyboard.try_clone().unwrap();
        let (sender, screen) = channel();
        std::thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(count) = from.read(&mut chunk) {
                if count == 0 || sender.send(chunk[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self { child, keyboard, screen, seen: String::new() }
    }

    /// Waits for a text on the screen, behind all that was waited for before.
    #[track_caller]
    pub(crate) fn expect(&mut self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.seen.find(text) {
                self.seen.drain(..at + text.len());
                return;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.screen.recv_timeout(left) {
                Ok(bytes) => self.seen.push_str(&String::from_utf8_lossy(&bytes)),
                Err(_) => panic!("no {text:?} on the screen:\n{}", self.seen),
            }
        }
    }

    pub(crate) fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    #[allow(unsafe_code, reason = "nix has no function for it")]
    pub(crate) fn resize(&self, rows: u16, columns: u16) {
        let size = size(rows, columns);
        // SAFETY: it reads the record.
        let done = unsafe {
            nix::libc::ioctl(self.keyboard.as_raw_fd(), nix::libc::TIOCSWINSZ, &raw const size)
        };
        assert_eq!(done, 0);
    }

    /// Whether each key is passed on as it is pressed.
    pub(crate) fn is_raw(&self) -> bool {
        let settings = nix::sys::termios::tcgetattr(&self.keyboard).unwrap();
        !settings.local_flags.contains(nix::sys::termios::LocalFlags::ICANON)
    }

    pub(crate) fn tell(&self, signal: nix::sys::signal::Signal) {
        let pid = nix::unistd::Pid::from_raw(self.child.id().cast_signed());
        nix::sys::signal::kill(pid, signal).unwrap();
    }

    pub(crate) fn ended(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
