//! What a runner that has died leaves of its task, and what becomes of it (`executor.md` 13).

use std::io;
use std::path::Path;
use std::time::Duration;

use rustix::process::getpid;
use tokio::time::Instant;

use crate::checkpoint::record::{
    Event, Header, ProcessChange, ProcessEvent, Record, RunnerEvent, TaskEvent,
};
use crate::checkpoint::{self, Opened, WriteError, Writer};
use crate::history::History;
use crate::process::leftover::Leftover;
use crate::process::tree;
use crate::runner::{KILL_PATIENCE, RunError, now_ms};
use crate::state::TaskState;
use crate::view::{ProcessIdentity, Task};

/// The variable that every process of a task has, by which what is left of the task is found.
pub(crate) const MARK: &str = "THERMOS_TASK";

/// How often it is looked whether a process that has died has let go of a checkpoint.
const TRY_AGAIN: Duration = Duration::from_millis(10);

/// Opens a checkpoint with [`Writer::open`] or [`Writer::go_on`], as soon as a process that has died has
/// let go of it.
pub(crate) async fn open(
    by: fn(&Path, i64, &Header) -> Result<Opened, WriteError>,
    root: &Path,
    header: &Header,
) -> Result<Opened, WriteError> {
    let deadline = Instant::now() + KILL_PATIENCE;
    loop {
        match by(root, now_ms(), header) {
            Err(WriteError::Held(_)) if Instant::now() < deadline => {
                tokio::time::sleep(TRY_AGAIN).await;
            }
            opened => return opened,
        }
    }
}

/// The value of [`MARK`]: no other task of the machine has it, not even one of the same id.
pub(crate) fn mark(task_id: &str, checkpoint: &str) -> String {
    format!("{task_id}@{checkpoint}")
}

/// Writes records, and keeps what they come to.
struct Pen<'a> {
    writer: &'a mut Writer,
    history: History,
}

impl Pen<'_> {
    fn write(&mut self, event: Event) -> Result<(), WriteError> {
        let record = Record { time_ms: now_ms(), event };
        self.writer.append(&record)?;
        // What cannot follow is never written: the tables are the same.
        if let Err(reason) = self.history.apply(record) {
            tracing::error!(reason, "the checkpoint does not follow its own rules");
        }
        Ok(())
    }
}

/// The shells that are written down as alive, if they can be.
fn shells(history: &History, boot_id: &str) -> Vec<ProcessIdentity> {
    // Nothing lives across a boot, and process ids begin anew.
    if history.header().is_none_or(|known| known.boot_id != boot_id) {
        return Vec::new();
    }
    let last = history.processes().values().filter_map(|runs| runs.last());
    last.filter(|run| !run.state.is_terminal()).filter_map(|run| run.process).collect()
}

/// Ends what another process has left of a task, and writes down what has become of its runs. `header`
/// is that of the process that takes the task over.
pub(crate) async fn take_over(
    writer: &mut Writer,
    history: History,
    header: &Header,
) -> Result<History, RunError> {
    let mark = mark(&header.task_id, &writer.mark()?);
    let shells = shells(&history, &header.boot_id);
    let runs: Vec<(String, u32)> = history
        .processes()
        .iter()
        .filter_map(|(name, runs)| Some((name, runs.last()?)))
        .filter(|(_, run)| !run.state.is_terminal())
        .map(|(name, run)| (name.clone(), run.number))
        .collect();
    let mut pen = Pen { writer, history };
    let (process, boot_id) = (header.runner, header.boot_id.clone());
    pen.write(Event::Runner(RunnerEvent { process, boot_id }))?;
    kill(&mark, &shells).await?;
    for (process, run) in runs {
        // Nobody knows whether it ended by itself before it was killed.
        let change = ProcessChange::Lost;
        pen.write(Event::Process(ProcessEvent { process, run, change }))?;
    }
    Ok(pen.history)
}

async fn kill(mark: &str, shells: &[ProcessIdentity]) -> Result<(), RunError> {
    let left = Leftover { variable: MARK, mark, shells };
    let left = left.kill_all(KILL_PATIENCE).await.map_err(RunError::Processes)?;
    if left.is_empty() {
        return Ok(());
    }
    Err(RunError::Left(left.iter().map(|stat| stat.identity.pid).collect()))
}

/// Whether processes of a task that has no runner live on. Blocks.
///
/// # Errors
/// Its checkpoint or `/proc` cannot be looked at.
pub fn is_left(root: &Path, task: &Task) -> io::Result<bool> {
    let mark = mark(task.id(), &checkpoint::mark(&checkpoint::path(root, task.id()))?);
    let shells = shells(task.history(), &tree::boot_id()?);
    Ok(!Leftover { variable: MARK, mark: &mark, shells: &shells }.living()?.is_empty())
}

/// Ends a task whose runner has died: kills what is left of it, and writes down that it was killed,
/// for this reason. One that has ended has ended. If the checkpoint is damaged, what is left is killed
/// all the same.
///
/// # Errors
/// The task has a runner; its checkpoint is damaged or cannot be written; or what is left does not die.
pub async fn end(root: &Path, task: &Task, reason: &str) -> Result<(), RunError> {
    let Some(known) = task.header() else { return Ok(()) };
    let mut header = known.clone();
    header.runner = tree::identify(getpid().as_raw_pid()).map_err(RunError::Processes)?;
    header.boot_id = tree::boot_id().map_err(RunError::Processes)?;
    let (mut writer, history) = match open(Writer::go_on, root, &header).await {
        Ok(Opened::Existing(writer, history)) => (writer, *history),
        // It says nothing any more.
        Ok(Opened::New(_)) => return Ok(()),
        Err(error @ WriteError::Damaged { .. }) => {
            let path = checkpoint::path(root, task.id());
            let file = checkpoint::mark(&path).map_err(RunError::Processes)?;
            kill(&mark(task.id(), &file), &shells(task.history(), &header.boot_id)).await?;
            return Err(error.into());
        }
        Err(error) => return Err(error.into()),
    };
    if history.state().is_some_and(TaskState::is_terminal) {
        return Ok(());
    }
    let history = take_over(&mut writer, history, &header).await?;
    let mut pen = Pen { writer: &mut writer, history };
    if pen.history.state().is_none() {
        pen.write(Event::Task(TaskEvent { state: TaskState::Active, reason: String::new() }))?;
    }
    pen.write(Event::Task(TaskEvent { state: TaskState::Killed, reason: reason.to_owned() }))?;
    Ok(writer.sync().await?)
}
