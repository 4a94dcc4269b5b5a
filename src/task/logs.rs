//! `aurora task logs`.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};

use anstyle::AnsiColor;
use aurora_client::keys::InstancesKey;
use aurora_client::logs::{Reading, Said, Source, Wanted, follow};
use aurora_client::sandbox;
use aurora_client::scheduler::tasks_of;
use aurora_client::{Connection, Scheduler};
use aurora_thermos::view::Stream;
use tokio::sync::mpsc::{self, Receiver, Sender};

use super::{none, tasks};
use crate::failure::{Code, Failure};
use crate::lines::{clean, colour_of};
use crate::number;
use crate::output::warn;

/// Pieces of output that wait to be printed, each of 64 KiB at most.
const UNPRINTED: usize = 16;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The job, or instances of it: cluster/role/environment/name[/0,2-4].
    #[arg(value_name = "JOB[/INSTANCES]")]
    key: InstancesKey,
    /// The processes to show; all if none is named.
    #[arg(value_name = "PROCESS")]
    processes: Vec<String>,
    /// Go on showing what is printed, by the tasks that come in the place of others too, until no task is
    /// active.
    #[arg(long, short)]
    follow: bool,
    /// Leave out files to which nothing was printed since then: 10m, 1h30m, or a time such as
    /// 2026-01-31T12:00:00Z. What was printed before to the others is shown: lines have no times.
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<i64>,
    /// Show the last lines of each file only.
    #[arg(long, value_name = "LINES", value_parser = number::from::<usize>(0))]
    tail: Option<usize>,
    /// Show standard output only.
    #[arg(long, conflicts_with = "stderr")]
    stdout: bool,
    /// Show standard error only.
    #[arg(long)]
    stderr: bool,
    /// Show the runs of a process before its last one, too.
    #[arg(long)]
    all_runs: bool,
    /// Show this task of the job instead of the latest of each instance.
    #[arg(long, value_name = "ID", conflicts_with = "follow")]
    task: Option<String>,
    /// Show lines without saying whose they are.
    #[arg(long)]
    no_prefix: bool,
    #[command(flatten)]
    connection: Connection,
}

/// Reads an age or a time; gives milliseconds since the epoch.
fn since(text: &str) -> Result<i64, String> {
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Ok(time.as_millisecond());
    }
    let age = text.parse::<jiff::SignedDuration>().ok().filter(|age| !age.is_negative());
    let time = age.and_then(|age| jiff::Timestamp::now().checked_sub(age).ok());
    let time =
        time.ok_or("write an age such as 10m or 1h30m, or a time such as 2026-01-31T12:00:00Z")?;
    Ok(time.as_millisecond())
}

impl Args {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let job = &self.key.job;
        let scheduler = Scheduler::of_cluster(&job.cluster, &self.connection).await?;
        let stream = match (self.stdout, self.stderr) {
            (true, _) => Some(Stream::Stdout),
            (_, true) => Some(Stream::Stderr),
            (false, false) => None,
        };
        let wanted = Wanted {
            processes: self.processes.iter().cloned().collect(),
            stream,
            since_ms: self.since,
            tail: self.tail,
            all_runs: self.all_runs,
        };
        let printer = Printer {
            is_terminal: io::stdout().is_terminal(),
            prefixes: !self.no_prefix,
            runs: self.all_runs,
        };
        let (said, hears) = mpsc::channel(UNPRINTED);
        let printed = printer.print(hears);
        let read = async {
            if self.follow {
                self.following(&scheduler, &wanted, said).await
            } else {
                self.reading(&scheduler, &wanted, said).await
            }
        };
        let (read, printed) = tokio::join!(read, printed);
        read?;
        match printed? {
            None => Ok(()),
            Some(code) => Err(Failure::said(code)),
        }
    }

    async fn following(
        &self,
        scheduler: &Scheduler,
        wanted: &Wanted,
        said: Sender<Said>,
    ) -> Result<(), Failure> {
        let job = &self.key.job;
        let mut query = tasks_of(&job.job);
        query.instances = self.key.instances.iter().flatten().copied().collect();
        if scheduler.tasks(query).await?.tasks.is_empty() {
            return Err(none(scheduler, job, None, "has no tasks of these instances").await);
        }
        Ok(follow(scheduler, &job.job, self.key.instances.as_ref(), wanted, said).await?)
    }

    /// One instance after the other: nothing says which of two lines was printed first.
    async fn reading(
        &self,
        scheduler: &Scheduler,
        wanted: &Wanted,
        said: Sender<Said>,
    ) -> Result<(), Failure> {
        let job = &self.key.job;
        let found = match &self.task {
            None => tasks(scheduler, &job.job, self.key.instances.as_ref(), false).await?,
            Some(id) => {
                let mut query = tasks_of(&job.job);
                query.task_ids = vec![id.clone()];
                scheduler.tasks(query).await?.tasks
            }
        };
        if found.is_empty() {
            let what = match &self.task {
                Some(id) => format!("has no task {id}"),
                None => "has no tasks of these instances that have ever run".to_owned(),
            };
            return Err(none(scheduler, job, None, &what).await);
        }
        let sandboxes = sandbox::of_tasks(scheduler, &found).await?;
        for (task, sandbox) in found.iter().zip(sandboxes) {
            if said.is_closed() {
                break;
            }
            let instance = task.assigned.as_ref().map_or(0, |assigned| assigned.instance);
            let read = match sandbox {
                Ok(sandbox) => Reading::new(sandbox, wanted.clone()).all(&said).await,
                Err(error) => Err(error),
            };
            if let Err(error) = read
                && said.send(Said::Trouble(instance, error)).await.is_err()
            {
                break;
            }
        }
        for instance in self.key.instances.iter().flatten() {
            let is_there = |task: &aurora_api::v1::ScheduledTask| {
                task.assigned.as_ref().is_some_and(|assigned| assigned.instance == *instance)
            };
            if self.task.is_none() && !found.iter().any(is_there) {
                let error = aurora_client::Error::new(Code::InvalidParameter, "it has never run");
                // Who listens no more has seen enough.
                let _ = said.send(Said::Trouble(*instance, error)).await;
            }
        }
        Ok(())
    }
}

/// How lines are shown.
struct Printer {
    is_terminal: bool,
    prefixes: bool,
    runs: bool,
}

impl Printer {
    /// Prints what is read. Gives the code of the first trouble there was.
    async fn print(self, mut hears: Receiver<Said>) -> Result<Option<Code>, Failure> {
        let mut trouble: Option<Code> = None;
        let mut prefixes: BTreeMap<Source, Vec<u8>> = BTreeMap::new();
        while let Some(said) = hears.recv().await {
            match said {
                Said::Lines(source, lines) => {
                    let prefix =
                        prefixes.entry(source).or_insert_with_key(|source| self.prefix(source));
                    match self.write(prefix, &lines) {
                        // A reader that has seen enough and hung up is no error.
                        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(None),
                        Err(error) => {
                            let text = format!("failed to print the output: {error}");
                            return Err(Failure::new(Code::Error, text));
                        }
                        Ok(()) => {}
                    }
                }
                Said::Trouble(instance, error) => {
                    warn(&format!("instance {instance}: {}", clean(&error.to_string())));
                    trouble.get_or_insert(error.code);
                }
            }
        }
        Ok(trouble)
    }

    fn prefix(&self, source: &Source) -> Vec<u8> {
        if !self.prefixes {
            return Vec::new();
        }
        let mut name = format!("{}/{}", source.instance, source.process);
        if self.runs {
            name.push_str(&format!("/{}", source.run));
        }
        if self.is_terminal {
            let colour: AnsiColor = colour_of(source.instance as usize);
            let style = colour.on_default();
            format!("{style}{} |{style:#} ", clean(&name)).into_bytes()
        } else {
            format!("{name} | ").into_bytes()
        }
    }

    fn write(&self, prefix: &[u8], lines: &[Vec<u8>]) -> io::Result<()> {
        let mut bytes = Vec::new();
        for line in lines {
            bytes.extend_from_slice(prefix);
            if self.is_terminal {
                bytes.extend_from_slice(clean(&String::from_utf8_lossy(line)).as_bytes());
            } else {
                bytes.extend_from_slice(line);
            }
            bytes.push(b'\n');
        }
        if self.is_terminal {
            let mut out = anstream::stdout().lock();
            out.write_all(&bytes)?;
            return out.flush();
        }
        // Whatever the task has printed is for the program that reads it.
        let mut out = io::stdout().lock();
        out.write_all(&bytes)?;
        out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_and_times_are_read_and_nothing_else() {
        assert_eq!(since("1970-01-01T00:00:01Z"), Ok(1000));
        let now = jiff::Timestamp::now().as_millisecond();
        let hour = since("1h30m").unwrap();
        assert!((now - 5_400_000..now - 5_390_000).contains(&hour), "{hour}");
        for wrong in ["", "soon", "-5m", "10"] {
            assert!(since(wrong).unwrap_err().contains("10m"), "{wrong}");
        }
    }
}
