//! Processes of a task whose runner has died.
//!
//! The kernel ends the shells together with their runner, but not what these have started: that
//! becomes the child of some process that knows nothing of it. So every process of a task carries a
//! mark in its environment, which its children inherit. What has cleared its environment is found
//! if it descends from one that is marked, or if the shell still leads its session, and not
//! otherwise.

use std::fs;
use std::io;
use std::time::Duration;

use tokio::time::Instant;

use super::tree::{self, Stat};
use crate::checkpoint::record::ProcessIdentity;

/// How often it is looked whether what was killed is dead.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// What is looked for.
#[derive(Debug, Clone, Copy)]
pub struct Leftover<'a> {
    /// The variable that marks the processes.
    pub variable: &'a str,
    /// Its value, which no other process has.
    pub mark: &'a str,
    /// The shells that were running when the runner died.
    pub shells: &'a [ProcessIdentity],
}

impl Leftover<'_> {
    /// Kills everything that is marked, the shells and their sessions, what descends from either
    /// and what these start meanwhile, until two looks in a row find nothing or `patience` is over.
    /// Gives what is still there then.
    ///
    /// # Errors
    /// `/proc` cannot be read. A single process that cannot be signalled is logged.
    pub async fn kill_all(self, patience: Duration) -> io::Result<Vec<Stat>> {
        let deadline = Instant::now() + patience;
        let mut looks_without = 0;
        loop {
            let living = tree::kill_each(|| self.living(), deadline).await?;
            if living.is_empty() {
                looks_without += 1;
                if looks_without == 2 {
                    return Ok(living);
                }
                continue;
            }
            looks_without = 0;
            if Instant::now() >= deadline {
                return Ok(living);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// What lives of it now.
    ///
    /// # Errors
    /// `/proc` cannot be read.
    pub fn living(self) -> io::Result<Vec<Stat>> {
        let variable = format!("{}={}", self.variable, self.mark).into_bytes();
        let me = std::process::id().cast_signed();
        let mut all: Vec<Stat> = Vec::new();
        let mut ours: Vec<Stat> = Vec::new();
        for entry in fs::read_dir("/proc")? {
            let entry = entry?;
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            // One that has just ended has no state.
            let Ok(stat) = tree::stat(pid) else { continue };
            if pid == me {
                continue;
            }
            all.push(stat);
            // It has ended, or belongs to somebody whose processes are none of ours.
            let Ok(environment) = fs::read(entry.path().join("environ")) else { continue };
            if environment.split(|byte| *byte == 0).any(|other| other == variable) {
                ours.push(stat);
            }
        }
        // While its leader is there a session has no other's number.
        let sessions: Vec<i32> = all
            .iter()
            .filter(|stat| self.shells.contains(&stat.identity))
            .map(|shell| shell.session)
            .collect();
        ours.extend(all.iter().filter(|stat| sessions.contains(&stat.session)));
        let mut looked_below = 0;
        while let Some(parent) = ours.get(looked_below).map(|stat| stat.identity.pid) {
            looked_below += 1;
            for child in all.iter().filter(|stat| stat.parent == parent) {
                if !ours.contains(child) {
                    ours.push(*child);
                }
            }
        }
        ours.retain(|stat| !stat.zombie);
        Ok(ours)
    }
}
