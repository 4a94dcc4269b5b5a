//! The jobs of the file: read, created, created anew if they have changed.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use aurora_api::v1;
use aurora_client::Connection;
use aurora_client::scheduler::{Scheduler, active_states, tasks_of};
use aurora_client::wait;
use aurora_eval::ReadyJob;
use aurora_model::job::{JobConfiguration, ScheduledTask, TaskState};
use aurora_model::key::JobKey;

use crate::failure::{Code, Failure};
use crate::job::{File, images, owner, tell_doubts};
use crate::output::{note, warn};
use crate::runtime::block_on;

/// The jobs of a file, all of which must be fit to run.
pub(super) fn read(file: &File) -> Result<Vec<ReadyJob>, Failure> {
    let owner = owner()?;
    let mut jobs = Vec::new();
    let mut keys = BTreeSet::new();
    let config = file.evaluate()?;
    for job in config.jobs() {
        let (_, job) = block_on(images::ready(job, &owner, &Connection::of_environment()))?;
        if job.config.announce.is_some() {
            warn(&format!(
                "job {:?}: its instances are not announced, as this cluster has no ZooKeeper",
                job.config.name
            ));
        }
        let key = job.key();
        if let Some(schedule) = &job.request.cron_schedule {
            return Err(Failure::new(
                Code::CommandFailure,
                format!("{key} has the cron schedule {schedule:?}, which `aurora up` does not run"),
            ));
        }
        if !keys.insert(job.request.key.clone()) {
            return Err(Failure::new(
                Code::InvalidConfiguration,
                format!(
                    "two jobs are called {} on this one cluster; give each a key of its own",
                    job.request.key
                ),
            ));
        }
        jobs.push(job);
    }
    tell_doubts(&config, &owner, None);
    Ok(jobs)
}

/// Says which roles' tasks will not run as the role's user, and what keeps such a user from his
/// sandbox.
pub(super) fn tell_users(jobs: &[ReadyJob], data: &Path) {
    let me = nix::unistd::Uid::effective();
    let Ok(my_name) = owner() else { return };
    let roles: BTreeSet<&str> = jobs.iter().map(|job| job.request.key.role()).collect();
    for role in roles {
        let exists = matches!(nix::unistd::User::from_name(role), Ok(Some(_)));
        if me.is_root()
            && exists
            && role != my_name
            && let Some(closed) = closed_to_others(data)
        {
            warn(&format!(
                "{role} cannot pass through {}, which is closed to others: its tasks cannot use \
                 their sandboxes' full paths; choose another --data-dir",
                closed.display()
            ));
        }
        if me.is_root() && !exists {
            note(&format!("There is no user {role}: its tasks run as {my_name}"));
        } else if !me.is_root() && role != my_name {
            note(&format!("Only root can run tasks as {role}: they run as {my_name}"));
        }
    }
}

/// The topmost folder on the way to a path that only its owner and group may pass through.
fn closed_to_others(path: &Path) -> Option<&Path> {
    let all: Vec<&Path> = path.ancestors().collect();
    all.into_iter().rev().find(|folder| {
        std::fs::metadata(folder).is_ok_and(|found| found.permissions().mode() & 0o001 == 0)
    })
}

/// Creates each job that does not run yet, and anew each that runs otherwise than it should.
pub(super) async fn create(scheduler: &Scheduler, jobs: &[ReadyJob]) -> Result<(), Failure> {
    // All or none: one that is refused keeps those before it from being touched.
    let mut all = Vec::with_capacity(jobs.len());
    for job in jobs {
        let request = v1::JobConfiguration::from(&job.request);
        let wanted = scheduler.validate(request, Code::CommandFailure).await?;
        let wanted = JobConfiguration::try_from(wanted)
            .map_err(|error| Failure::new(Code::Api, error.to_string()))?;
        all.push((job, wanted));
    }
    for (job, wanted) in all {
        let key = &job.request.key;
        let mut query = tasks_of(key);
        query.states = active_states();
        let found = scheduler.tasks(query).await?;
        let running: BTreeMap<u32, ScheduledTask> = found
            .tasks
            .into_iter()
            .map(|task| ScheduledTask::try_from(task).map(|task| (task.assigned.instance, task)))
            .collect::<Result<_, _>>()
            .map_err(|error| Failure::new(Code::Api, error.to_string()))?;
        if !running.is_empty() {
            if is_as_wanted(&running, &wanted) {
                note(&format!("{} is there already", job.key()));
                continue;
            }
            note(&format!("{} has changed: it is killed and created anew", job.key()));
            let why = Some("aurora up: the job has changed".to_owned());
            scheduler.kill(key, Vec::new(), why).await?;
            wait::wait(scheduler, key, None, wait::Until::Ended).await?;
        }
        scheduler.create(v1::JobConfiguration::from(&job.request)).await?;
    }
    tell_others(scheduler, jobs).await
}

/// Says which jobs run that the file does not name: they are from files of before.
async fn tell_others(scheduler: &Scheduler, jobs: &[ReadyJob]) -> Result<(), Failure> {
    let cluster = jobs.first().map_or("local", |job| job.config.cluster.as_str());
    for other in scheduler.list("").await? {
        let key = other.key.as_ref().and_then(|key| JobKey::try_from(key).ok());
        let Some(key) = key.filter(|_| other.pending + other.active > 0) else { continue };
        if !jobs.iter().any(|job| job.request.key == key) {
            note(&format!(
                "{cluster}/{key} goes on from before; `aurora job killall {cluster}/{key}` ends it"
            ));
        }
    }
    Ok(())
}

fn is_as_wanted(running: &BTreeMap<u32, ScheduledTask>, wanted: &JobConfiguration) -> bool {
    running.len() == wanted.instance_count as usize
        && running
            .values()
            .all(|task| task.state != TaskState::Killing && *task.assigned.task == wanted.task)
}
