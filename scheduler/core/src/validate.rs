//! What a job must be to be accepted (`scheduler.md` 2.15). Fills in what the scheduler decides.

use aurora_model::job::{
    AURORA_EXECUTOR, ConstraintRule, Container, DEDICATED_ATTRIBUTE, JobConfiguration, MilliCpus,
    TaskConfig,
};
use aurora_model::key::{JobKey, TaskId, is_identifier};

use crate::input::RequestError;
use crate::random::Random;
use crate::settings::{Settings, Tier};

/// The largest text that describes a task to its executor, in bytes.
const MAX_EXECUTOR_DATA: usize = 4 << 20;

/// What the id of a task's executor has before the task's.
const EXECUTOR_PREFIX: &str = "thermos-";

/// The ports that pages link to.
const LINKED_PORTS: [&str; 2] = ["health", "http"];

/// The longest name that a file can have, in bytes. Tasks and executors have folders by their ids.
const MAX_NAME: usize = 255;

/// Fills in what the scheduler decides.
///
/// # Errors
/// The first of what is wrong.
pub(crate) fn validate(
    job: &mut JobConfiguration,
    settings: &Settings,
) -> Result<(), RequestError> {
    problems(job, settings).into_iter().next().map_or(Ok(()), Err)
}

/// Fills in what the scheduler decides, and gives everything that is wrong.
pub(crate) fn problems(job: &mut JobConfiguration, settings: &Settings) -> Vec<RequestError> {
    let mut problems = Problems::default();
    if job.instance_count == 0 {
        problems.add("instance count must be positive");
    }
    if job.task.job != job.key {
        problems.add(format!("the task is of job {}, not of {}", job.task.job, job.key));
    }
    let environment = job.key.environment();
    if !settings.environments.allow(environment) {
        let allowed = settings.environments.allowed();
        problems.add(format!("environment {environment:?} is not allowed: {allowed}"));
    }
    for owner in [&job.owner, &job.task.owner] {
        if !owner.is_empty() && !is_identifier(owner) {
            problems.add(format!("invalid user {owner:?}"));
        }
    }
    validate_task(&mut job.task, settings, &mut problems);
    problems.note(crate::sla::validate(&job.task, job.instance_count, settings));
    let has_schedule = job.cron_schedule.as_deref().is_some_and(|schedule| !schedule.is_empty());
    if has_schedule && job.task.is_service {
        problems.add("a job cannot be a service and have a cron schedule");
    }
    problems.0
}

/// What is wrong, in the order in which it is looked for.
#[derive(Default)]
struct Problems(Vec<RequestError>);

impl Problems {
    fn add(&mut self, message: impl Into<String>) {
        self.0.push(RequestError::invalid(message));
    }

    fn note(&mut self, found: Result<(), RequestError>) {
        self.0.extend(found.err());
    }
}

/// Whether a job may have so many instances.
pub(crate) fn check_instances(
    job: &JobConfiguration,
    settings: &Settings,
) -> Result<(), RequestError> {
    let max = settings.max_tasks_per_job;
    if job.instance_count > max {
        return refuse(format!(
            "{} asks for {} instances; a job may have at most {max}",
            job.key, job.instance_count
        ));
    }
    check_ids(&job.key, job.instance_count.saturating_sub(1))
}

fn validate_task(task: &mut TaskConfig, settings: &Settings, problems: &mut Problems) {
    // Without a tier, what the job says of production chooses it, as the original's client does
    // (`client.md` 11, step 7); ours need not ask for the tiers.
    let production = task.production;
    let fitting = || {
        let fits = |tier: &&Tier| !tier.revocable && tier.preemptible != production;
        let found = settings.tiers.iter().find(|(_, tier)| fits(tier)).map(|(name, _)| name);
        found.unwrap_or(&settings.default_tier).clone()
    };
    let name = task.tier.get_or_insert_with(fitting);
    match settings.tiers.get(name) {
        Some(tier) => task.production = !tier.preemptible && !tier.revocable,
        None => {
            let known: Vec<&str> = settings.tiers.keys().map(String::as_str).collect();
            problems.add(format!("unknown tier {name:?}: use one of {}", known.join(", ")));
        }
    }
    match &task.executor {
        Some(executor) if executor.name != AURORA_EXECUTOR => {
            problems.add(format!("unknown executor {:?}: use {AURORA_EXECUTOR}", executor.name));
        }
        Some(executor) if executor.data.len() > MAX_EXECUTOR_DATA => {
            problems.add(format!(
                "the description of the task is {} bytes long; at most {MAX_EXECUTOR_DATA} are allowed",
                executor.data.len()
            ));
        }
        Some(_) => {}
        None => problems.add("a task needs an executor"),
    }
    problems.note(validate_dedicated(task));
    if let Container::Docker { image, .. } = &task.container {
        problems.add(format!("container type DOCKER is not allowed here (image {image:?})"));
    }
    let resources = &task.resources;
    for (name, is_zero) in [
        ("cpus", resources.cpus == MilliCpus(0)),
        ("ram", resources.ram_mb == 0),
        ("disk", resources.disk_mb == 0),
    ] {
        if is_zero {
            problems.add(format!("{name} must be more than 0"));
        }
    }
    if resources.gpus > 0 && !settings.allow_gpu_resource {
        problems.add("GPUs are not allowed on this cluster");
    }
    if !task.fetcher_uris.is_empty() {
        problems.add("fetcher URIs are not allowed on this cluster");
    }
    if !settings.allow_container_volumes
        && let Container::Mesos { volumes, .. } = &task.container
        && let Some(volume) = volumes.first()
    {
        problems.add(format!(
            "container volumes are not allowed on this cluster (volume {:?})",
            volume.container_path
        ));
    }
    if task.task_links.is_empty() {
        let named = LINKED_PORTS.into_iter().filter(|port| resources.ports.contains(*port));
        task.task_links =
            named.map(|port| (port.to_owned(), format!("http://%host%:%port:{port}%"))).collect();
    }
}

/// Whether the ids of the job's tasks up to instance `last`, and the folders that agents make of them,
/// can be named.
pub(crate) fn check_ids(job: &JobKey, last: u32) -> Result<(), RequestError> {
    // A UUID is as long as any other.
    let id = TaskId::for_instance(&job.instance(last), &Random::new(0).uuid());
    let length = EXECUTOR_PREFIX.len() + id.as_str().len();
    if length > MAX_NAME {
        return refuse(format!(
            "role, environment and name of {job} are {} bytes too long together: task ids are made \
             of them",
            length - MAX_NAME
        ));
    }
    Ok(())
}

fn validate_dedicated(task: &TaskConfig) -> Result<(), RequestError> {
    let Some(constraint) =
        task.constraints.iter().find(|constraint| constraint.attribute == DEDICATED_ATTRIBUTE)
    else {
        return Ok(());
    };
    let ConstraintRule::Value { values, .. } = &constraint.rule else {
        return refuse("a dedicated constraint must be a value, not a limit");
    };
    let (Some(value), 1) = (values.first(), values.len()) else {
        return refuse("a dedicated constraint must have exactly one value");
    };
    let role = value.split('/').next().unwrap_or_default();
    if role != "*" && role != task.job.role() {
        return refuse(format!(
            "only {role} may use hosts dedicated to {value:?}; this job's role is {}",
            task.job.role()
        ));
    }
    Ok(())
}

fn refuse(message: impl Into<String>) -> Result<(), RequestError> {
    Err(RequestError::invalid(message))
}
