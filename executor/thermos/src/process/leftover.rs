//! Processes of a task whose runner has died.
//!
//! The kernel ends the shells together with their runner, but not what these have started: that
//! becomes the child of some process that knows nothing of it. So every process of a task carries a
//! mark in its environment, which its children inherit. What has cleared its environment is found
//! if it descends from another that is marked, and not otherwise.

use std::fs;
use std::io;
use std::time::Duration;

use rustix::process::Signal;
use tokio::time::Instant;

use super::tree::{self, Stat};

/// How often it is looked whether what was killed is dead.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Kills everything that carries the variable `name` with the value `mark` or descends from what
/// does, and what it starts meanwhile, until two looks in a row find nothing or `patience` is
/// over. Gives what is still there then.
///
/// # Errors
/// `/proc` cannot be read. A single process that cannot be signalled is logged.
pub async fn kill_all(name: &str, mark: &str, patience: Duration) -> io::Result<Vec<Stat>> {
    let variable = format!("{name}={mark}").into_bytes();
    let deadline = Instant::now() + patience;
    let mut looks_without = 0;
    loop {
        let living = living(&variable)?;
        if living.is_empty() {
            looks_without += 1;
            if looks_without == 2 {
                return Ok(living);
            }
            continue;
        }
        looks_without = 0;
        for process in &living {
            if let Err(error) = tree::signal(process.identity, Signal::KILL) {
                tracing::warn!(%error, pid = process.identity.pid, "failed to kill a process");
            }
        }
        if Instant::now() >= deadline {
            return Ok(living);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

fn living(variable: &[u8]) -> io::Result<Vec<Stat>> {
    let me = std::process::id().cast_signed();
    let mut found: Vec<Stat> = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let entry = entry?;
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // It has ended, or belongs to somebody whose processes are none of ours.
        let Ok(environment) = fs::read(entry.path().join("environ")) else { continue };
        if pid == me || !environment.split(|byte| *byte == 0).any(|other| other == variable) {
            continue;
        }
        let Ok(stat) = tree::stat(pid) else { continue };
        // What it descends to may have ended before it is looked at.
        let below = tree::descendants(pid).map(|below| below.found).unwrap_or_default();
        for process in below.into_iter().chain([stat]) {
            let is_new = !found.iter().any(|known| known.identity == process.identity);
            if is_new && !process.zombie && process.identity.pid != me {
                found.push(process);
            }
        }
    }
    Ok(found)
}
