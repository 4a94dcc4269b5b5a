//! `aurora thermos kill`: ends tasks at once, and has it written down.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use aurora_thermos::process::tree;
use aurora_thermos::takeover;
use aurora_thermos::view::{Header, Tasks};
use rustix::process::Signal;

use super::find::{Found, Ids, Roots, tasks};
use super::times::plain;
use crate::failure::Failure;
use crate::output::{note, print};
use crate::runtime::block_on;

/// How long a runner of ours may take to end what it was told to, one of an agent to say goodbye,
/// and one that was killed to die.
const AT_ONCE: Duration = Duration::from_secs(10);
const GOODBYE: Duration = Duration::from_secs(30);
const DEATH: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(20);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Patterns of task ids, anchored at their start.
    #[arg(value_name = "REGEX")]
    patterns: Vec<String>,
}

impl Args {
    pub(super) fn run(self, roots: &Roots) -> Result<ExitCode, Failure> {
        if self.patterns.is_empty() {
            note("Must specify tasks!");
            return Ok(ExitCode::SUCCESS);
        }
        let mut found = tasks(&roots.all(), &Ids::new(&self.patterns)?);
        found.retain(|found| found.task.is_active());
        if found.is_empty() {
            print("No active tasks matched.\n")?;
        }
        let mut failed = false;
        // All are told before any is waited for.
        let told: Vec<_> = found.iter().map(|found| (found, tell(found))).collect();
        block_on(async {
            for (found, told) in told {
                let id = plain(found.task.id());
                print(&format!("Killing {id}..."))?;
                let ended = match told {
                    Ok(told) => see_to_end(found, told).await,
                    Err(why) => Err(why),
                };
                match ended {
                    Ok(()) => print("done.\n")?,
                    // One that cannot be killed keeps no other alive.
                    Err(why) => {
                        failed = true;
                        print("failed.\n")?;
                        note(&plain(&format!("{id}: {why}")));
                    }
                }
            }
            Ok(())
        })?;
        Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

/// The runner of a task that was told to end it.
struct Told<'a> {
    header: &'a Header,
    /// When it must have; none if there is no runner any more.
    by: Option<Instant>,
}

/// Tells the runner of a task to end it.
fn tell(found: &Found) -> Result<Told<'_>, String> {
    let Some(header) = found.task.header() else {
        let why = found.task.damage().unwrap_or("it is being written");
        return Err(format!("its checkpoint does not say what runs: {why}"));
    };
    if let Some(uid) = found.task.foreign_writer() {
        return Err(format!(
            "user {uid} has written down what runs, and is not taken at their word: end it as that user"
        ));
    }
    if found.task.is_abandoned() {
        return Ok(Told { header, by: None });
    }
    // An executor tells its agent, and ends its task in good order but soon.
    let (signal, patience) = match header.job {
        Some(_) => (Signal::TERM, GOODBYE),
        None => (Signal::QUIT, AT_ONCE),
    };
    tree::signal(header.runner, signal)
        .map_err(|error| format!("failed to signal its runner: {error}"))?;
    Ok(Told { header, by: Some(Instant::now() + patience) })
}

/// Waits until a task has ended, and ends it without its runner if that does not.
async fn see_to_end(found: &Found, told: Told<'_>) -> Result<(), String> {
    let Told { header, by } = told;
    if let Some(by) = by {
        if wait(by, || is_over(found, header)) {
            return Ok(());
        }
        tree::signal(header.runner, Signal::KILL)
            .map_err(|error| format!("failed to kill its runner: {error}"))?;
        if !wait(Instant::now() + DEATH, || !tree::is_alive(header.runner)) {
            return Err(format!("its runner, process {}, does not die", header.runner.pid));
        }
    }
    let reason = "Killed by `thermos kill` after its runner had gone.";
    takeover::end(&found.root, &found.task, reason)
        .await
        .map_err(|error| format!("its end cannot be written down: {error}"))
}

/// Whether the task has ended by what is written down, and its runner with it.
fn is_over(found: &Found, header: &Header) -> bool {
    !tree::is_alive(header.runner)
        && Tasks::new(&found.root)
            .get(found.task.id())
            .is_ok_and(|task| task.is_none_or(|task| !task.is_active()))
}

fn wait(deadline: Instant, is_so: impl Fn() -> bool) -> bool {
    // What was said so far is seen meanwhile.
    let _ = std::io::stdout().flush();
    loop {
        if is_so() {
            return true;
        }
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(LOOK);
    }
}
