//! `aurora lsp`: the language server, for editors.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use aurora_api::convert::task_state;
use aurora_api::v1;
use aurora_client::{Connection, Scheduler};
use aurora_eval::ReadyJob;
use aurora_lsp::{Asking, Place, Role, Roles, Trouble};
use aurora_model::job::MilliCpus;
use aurora_model::key::{self, JobKey};
use aurora_model::quota::ResourceAggregate;

use crate::config::PAGES;
use crate::failure::{Code, Failure};
use crate::job::{against, describe, owner, text};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Write requests and the time they took to this file, for reports of mistakes.
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// Speak through standard input and output, which is what is done anyway: some editors add it.
    #[arg(long, hide = true)]
    stdio: bool,
}

impl Args {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let log = match &self.log {
            Some(path) => {
                let file = OpenOptions::new().create(true).append(true).open(path);
                let failed = |error| {
                    let message = format!("failed to open {}: {error}", path.display());
                    Failure::new(Code::Usage, message)
                };
                Some(file.map_err(failed)?)
            }
            None => None,
        };
        let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("aurora"));
        let options = aurora_lsp::Options {
            user: owner()?,
            cache: cache(),
            log,
            pages: PAGES,
            program,
            inspect: describe,
            clusters: |named| {
                let connection = of(named.map(PathBuf::from));
                connection.names().map_err(|error| error.to_string())
            },
            schedulers: Arc::new(Schedulers),
        };
        let ended = aurora_lsp::run(std::io::stdin(), std::io::stdout(), options)
            .map_err(|error| Failure::new(Code::Error, format!("failed to start: {error}")))?;
        // As the protocol has it: 1 if nobody has asked it to shut down.
        Ok(if ended.was_asked { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// The way to schedulers that the client's commands take.
struct Schedulers;

impl aurora_lsp::Schedulers for Schedulers {
    fn look(&self, place: Place, roles: BTreeSet<String>) -> Asking<Roles> {
        Box::pin(async move { look(place, roles).await.map_err(trouble) })
    }

    fn compare(&self, place: Place, job: ReadyJob) -> Asking<String> {
        Box::pin(async move { compare(place, &job).await.map_err(trouble) })
    }
}

/// As the environment says, but for a file of clusters that is named.
fn of(clusters: Option<PathBuf>) -> Connection {
    let said = Connection::of_environment();
    Connection { clusters: clusters.or(said.clusters), ..said }
}

async fn scheduler(place: Place) -> Result<Scheduler, Failure> {
    let Place { cluster, clusters } = place;
    Ok(Scheduler::of_cluster(&cluster, &of(clusters)).await?)
}

async fn look(place: Place, roles: BTreeSet<String>) -> Result<Roles, Failure> {
    let scheduler = scheduler(place).await?;
    let mut found = Roles::new();
    for name in roles {
        let mut role = Role::default();
        for job in scheduler.list(&name).await? {
            let key = job.key.as_ref().map(JobKey::try_from);
            let Some(Ok(key)) = key else {
                return Err(Failure::new(
                    Code::Api,
                    "the scheduler listed a job without a proper key",
                ));
            };
            let states = job.states.iter().map(|of| Ok((task_state(of.state)?, of.count)));
            let states = states.collect::<Result<_, aurora_api::convert::ConvertError>>();
            let states = states.map_err(|error| Failure::new(Code::Api, error.to_string()))?;
            role.jobs.insert(key, states);
        }
        role.left = left(&scheduler, &name).await?;
        found.insert(name, role);
    }
    Ok(found)
}

/// What is left for the production jobs of a role, if they are limited.
async fn left(scheduler: &Scheduler, role: &str) -> Result<Option<ResourceAggregate>, Failure> {
    let role: key::Role = role
        .parse()
        .map_err(|error: key::KeyError| Failure::new(Code::InvalidParameter, error.to_string()))?;
    let found = scheduler.quota(&role).await?;
    if !found.is_limited {
        return Ok(None);
    }
    let read = |amounts: Option<v1::ResourceAggregate>| {
        let v1::ResourceAggregate { cpus, ram_mb, disk_mb } = amounts.unwrap_or_default();
        let cpus = MilliCpus::from_cores(cpus)
            .ok_or_else(|| Failure::new(Code::Api, format!("the scheduler tells of {cpus} cores")));
        cpus.map(|cpus| ResourceAggregate { cpus, ram_mb, disk_mb })
    };
    let (all, used) = (read(found.quota)?, read(found.production_shared)?);
    Ok(Some(ResourceAggregate {
        cpus: MilliCpus(all.cpus.0.saturating_sub(used.cpus.0)),
        ram_mb: all.ram_mb.saturating_sub(used.ram_mb),
        disk_mb: all.disk_mb.saturating_sub(used.disk_mb),
    }))
}

async fn compare(place: Place, job: &ReadyJob) -> Result<String, Failure> {
    let found = against(&scheduler(place).await?, &job.request, None).await?;
    Ok(anstream::adapter::strip_str(&text(&found)).to_string())
}

fn trouble(failure: Failure) -> Trouble {
    let why = failure.to_string();
    match failure.code {
        Code::InvalidConfiguration => Trouble::Unknown(why),
        Code::Network | Code::Timeout => Trouble::Silent(why),
        Code::Auth => Trouble::Refused(why),
        _ => Trouble::Failed(why),
    }
}

/// The user's folder for what can be made anew.
fn cache() -> Option<PathBuf> {
    let folder = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let folder = folder.filter(|folder| folder.is_absolute());
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    folder.or_else(home).map(|folder| folder.join("aurora"))
}
