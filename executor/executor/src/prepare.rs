//! From what the scheduler has handed over to a task that can be run (`executor.md` 2.3).

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aurora_model::config::{HealthCheckConfig, ReadinessConfig};
use aurora_model::job::{AssignedTask, Container};
use aurora_thermos::checkpoint::record::{Header, JobInstance};
use aurora_thermos::process::children::Children;
use aurora_thermos::process::tree;
use aurora_thermos::runner::{self, Config};
use aurora_thermos::spec::{Logger, SpecError, TaskSpec};

use crate::Flags;
use crate::announce::{self, AnnounceError, Announced, Announcement};
use crate::autopsy::Autopsy;
use crate::bind::{BindError, bind};
use crate::checks::health::{self, Checker, NoPort, Surroundings};
use crate::image::{self, ImageError};
use crate::lifecycle::Lifecycle;
use crate::memory::Memory;
use crate::sandbox::{SandboxError, create, identity};

/// Why a task cannot be started, in the words that its user sees.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error("Could not deserialize Thermos task from AssignedTask: {0}")]
    Bind(#[from] BindError),
    #[error("Failed to initialize sandbox: {0}")]
    Sandbox(#[from] SandboxError),
    #[error("Could not deserialize Thermos task from AssignedTask: Got invalid task: {0}")]
    Spec(#[from] SpecError),
    #[error("Could not deserialize Thermos task from AssignedTask: {0}")]
    NoPort(#[from] NoPort),
    #[error(transparent)]
    Announce(#[from] AnnounceError),
    #[error("Cannot launch task using a filesystem image: {0}")]
    Image(#[from] ImageError),
    #[error("Task initialization failed: {0}")]
    Process(#[from] std::io::Error),
}

/// A task that only has to be started.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) config: Config,
    pub(crate) checks: Plan,
    /// How it is asked to end, if it is.
    pub(crate) lifecycle: Option<Lifecycle>,
    /// Where to look if it fails.
    pub(crate) autopsy: Autopsy,
    /// What there is to say about who its processes run as.
    pub(crate) remark: Option<String>,
}

/// What is to be checked.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) health: HealthCheckConfig,
    /// What is asked; nothing if the task is assumed to be healthy.
    pub(crate) checker: Option<Checker>,
    /// Whether it takes work, if that is another question.
    pub(crate) readiness: Option<(ReadinessConfig, Checker)>,
    /// How much it may write, in bytes, if there is a limit.
    pub(crate) disk: Option<u64>,
    /// What is said of it in ZooKeeper while it takes work, if anything.
    pub(crate) announcement: Option<Announcement>,
    pub(crate) surroundings: Arc<Surroundings>,
}

/// What is known before there is a task.
#[derive(Debug)]
pub(crate) struct Preparation {
    pub(crate) flags: Flags,
    /// What is done with the output of processes that do not say so themselves.
    pub(crate) logger: Logger,
    /// How tasks are announced, if they are.
    pub(crate) announcing: Option<announce::Settings>,
    /// The folder that the agent has made.
    pub(crate) container: PathBuf,
    /// The variables of the executor that the task's processes have as well.
    pub(crate) inherited: Vec<(OsString, OsString)>,
    /// How long an answer may take when the task is asked to end.
    pub(crate) signal_timeout: Duration,
    pub(crate) children: Children,
}

impl Preparation {
    /// Prepares a task. Looks up users and makes folders, which may take its time.
    ///
    /// # Errors
    /// The task cannot be run.
    pub(crate) fn prepare(&self, assigned: &AssignedTask) -> Result<Prepared, StartError> {
        let identity = identity(assigned.task.job.role(), &self.flags)?;
        let user = identity.user;
        let bound = bind(assigned, &user.name)?;
        let spec = TaskSpec::with_logger(&bound.task, self.logger)?;
        let checker = health::choose(&bound.health.health_checker, &bound.ports)?;
        let readiness = match bound.readiness {
            None => None,
            Some(config) => {
                let checker = health::choose_one(&config.health_checker, &bound.ports)?;
                Some((config, checker))
            }
        };
        let announcement = match (&bound.announcer, &self.announcing) {
            (Some(announcer), Some(settings)) => Some(Announcement::new(
                Announced {
                    job: &bound.job,
                    instance: bound.instance,
                    hostname: &bound.hostname,
                    ports: &bound.ports,
                    announcer,
                    health: &bound.health,
                },
                settings,
            )?),
            _ => None,
        };
        let disk = bound.task.resources.and_then(|resources| u64::try_from(resources.disk).ok());
        let sandbox = create(&self.container, &user)?;
        let image = match &assigned.task.container {
            Container::Mesos { image: Some(_), volumes } => {
                let path = &sandbox.path;
                let image = image::prepare(&self.container, path, volumes, &user, &self.flags)?;
                Some(Arc::new(image))
            }
            Container::Mesos { image: None, .. } | Container::Docker { .. } => None,
        };
        let home = image.as_ref().map_or(&sandbox.path, |image| &image.directory).clone();
        let folder = Arc::new(sandbox.folder.try_clone()?);
        let environment = self.process_environment();
        let lifecycle = bound.lifecycle.as_ref();
        let lifecycle =
            lifecycle.and_then(|config| Lifecycle::new(config, &bound.ports, self.signal_timeout));
        let checker_user =
            (!self.flags.nosetuid_health_checks && !user.is_current()).then(|| user.clone());
        let surroundings = Surroundings {
            children: self.children.helpers(),
            sandbox: folder,
            image: image.clone(),
            user: checker_user,
            environment: [
                environment.clone(),
                vec![("HOME".into(), home.into())],
                user.environment().into(),
            ]
            .concat(),
        };
        let checks = Plan {
            health: bound.health,
            checker,
            readiness,
            disk,
            announcement,
            surroundings: Arc::new(surroundings),
        };
        let autopsy = Autopsy {
            checkpoint_root: self.flags.checkpoint_root.clone(),
            task_id: bound.task_id.clone(),
            sandbox: sandbox.path.clone(),
            memory: Memory::find(),
        };
        let header = Header {
            task_id: bound.task_id,
            task_json: bound.task_json,
            job: Some(JobInstance {
                role: bound.job.role().to_owned(),
                environment: bound.job.environment().to_owned(),
                name: bound.job.name().to_owned(),
                instance: bound.instance,
            }),
            log_dir: sandbox.path.join(runner::LOG_DIR),
            sandbox: sandbox.path,
            hostname: bound.hostname,
            user: user.name.clone(),
            uid: user.uid,
            ports: bound.ports,
            runner: tree::identify(std::process::id().cast_signed())?,
            boot_id: tree::boot_id()?,
        };
        let config = Config {
            checkpoint_root: self.flags.checkpoint_root.clone(),
            header,
            sandbox: sandbox.folder,
            task: spec,
            user: Some(user),
            image,
            environment,
        };
        Ok(Prepared { config, checks, lifecycle, autopsy, remark: identity.remark })
    }

    /// What the task's processes inherit. The agent finds by `MESOS_SANDBOX` what is left of a
    /// container whose executor has died.
    fn process_environment(&self) -> Vec<(OsString, OsString)> {
        let mut all = self.inherited.clone();
        all.push(("MESOS_SANDBOX".into(), self.container.clone().into()));
        all
    }
}
