//! The job as the user writes it, interpolated: what a `.aurora` file evaluates to and, as JSON,
//! what the executor is told (`dsl.md` 5).
//!
//! Every struct is declared once, by `declare!` of [`crate::declare`]: the comments here are what a
//! config author reads in an editor, in the terminal and in `docs/reference`.
//!
//! The JSON is the original's: an absent field is left out, every default is written, numbers are
//! integers or floats by the field's type. Fields that a reader does not know are ignored, so that
//! an older executor can run what a newer client has sent. A field that is an [`Option`] here
//! although it has a default may be missing in what the executor is told.

use std::collections::BTreeMap;

use crate::declare::declare;

mod container;
mod context;
mod health;
mod policy;
mod task;
mod update;

pub use container::{
    AppcImage, Container, ContainerWrapper, Docker, DockerImage, Image, Mesos, Parameter, Volume,
    VolumeMode,
};
pub use context::{MesosContext, MesosTaskInstance, ThermosContext};
pub use health::{
    Announcer, GrpcHealthChecker, HealthCheckConfig, HealthCheckerConfig, HttpHealthChecker,
    HttpLifecycleConfig, LifecycleConfig, ReadinessConfig, ShellHealthChecker, TcpHealthChecker,
};
pub use policy::{
    CoordinatorSlaPolicy, CountSlaPolicy, PartitionPolicy, PercentageSlaPolicy, SlaPolicy,
};
pub use task::{
    Constraint, Logger, LoggerDestination, LoggerMode, Process, Resources, RotatePolicy, Task,
};
pub use update::{
    BatchUpdateStrategy, QueueUpdateStrategy, UpdateConfig, UpdateStrategy,
    VariableBatchUpdateStrategy,
};

/// What a cron job does when it is due and the run before has not ended.
pub const CRON_COLLISION_POLICIES: [&str; 3] = ["KILL_EXISTING", "CANCEL_NEW", "RUN_OVERLAP"];

/// What a cron job does about the runs that were missed while no scheduler was there.
pub const CRON_CATCH_UPS: [&str; 3] = ["RUN_LATEST", "RUN_ALL", "SKIP"];

/// The tiers that clusters have unless they are set up otherwise.
pub const TIERS: [&str; 3] = ["preferred", "preemptible", "revocable"];

/// What jobs may be for unless the scheduler is set up otherwise; a number may follow.
pub const ENVIRONMENTS: [&str; 4] = ["prod", "devel", "test", "staging"];

declare! {
    /// A job: a task that the cluster runs in a number of instances. A file lists its jobs in
    /// `jobs`.
    ///
    /// As it stands a job is a batch job: each instance runs until it has succeeded or failed. With
    /// `service = True`, which `Service(…)` sets, instances are run again whenever they end; with
    /// `cron_schedule` the job is run at given times.
    pub struct Job {
        /// The name, which with cluster, role and environment makes the job's key. By default that
        /// of the task.
        pub name: String [Identifier] = "{{task.name}}",
        /// Who owns the job: the Unix user that its processes run as, and whose quota it uses.
        pub role: String [Identifier],
        /// The cluster that runs the job, by the name in the client's list of clusters.
        pub cluster: String,
        /// What the job is for. Schedulers take `prod`, `devel`, `test` and `staging` with a number
        /// or without, unless they are set up otherwise.
        pub environment: String [Identifier],
        /// What each instance runs.
        pub task: Task,
        /// How many instances there are, numbered from 0. It must be more than the update's
        /// `max_total_failures`.
        pub instances: Option<i64> [AtLeast(1)] = 1,
        /// Whom to write to about the job: a mail address.
        pub contact: Option<String>,
        /// How instances are treated when room is short, by the name of one of the cluster's tiers.
        /// Clusters have `preferred` (not removed for others), `preemptible` (removed for more
        /// important ones) and `revocable` (uses what others have asked for and do not use) unless
        /// they are set up otherwise. By default `preemptible`, or `preferred` with `production`.
        pub tier: Option<String>,
        /// Whether instances are run again whenever they end, successfully or not. `Service(…)` is
        /// a job with it set. Not for cron jobs.
        pub service: bool = false,
        /// Whether instances count as production: they need quota, and push out those that do not.
        /// It has to fit the tier if both are given; the tier wins.
        pub production: bool [Deprecated("use `tier`, as in `tier = \"preferred\"`")] = false,
        /// How important the job is among those of its role and tier: a higher number goes first,
        /// and may push out lower ones.
        pub priority: i64 = 0,
        /// How many failed runs an instance of a batch job may have: with this many it has failed.
        /// -1 means no limit. Instances of services are always run again.
        pub max_task_failures: i64 [AtLeast(-1)] = 1,
        /// When the job is run, in the five fields of cron: `"*/15 * * * *"` is every quarter of an
        /// hour. With it the job is a cron job, which is scheduled rather than created.
        pub cron_schedule: Option<String>,
        /// What a cron job does when it is due and the run before has not ended: `KILL_EXISTING`
        /// ends that and starts anew, `CANCEL_NEW` lets it go on. `RUN_OVERLAP` is known, but
        /// schedulers refuse it.
        pub cron_collision_policy: String [AnyCaseOf(&crate::config::CRON_COLLISION_POLICIES)] =
            "KILL_EXISTING",
        /// The time zone that `cron_schedule` is meant in, by its name in the IANA's list, such as
        /// `Europe/Rome`. By default that of the cluster, which is `GMT` unless it is set up
        /// otherwise. A time that comes twice because clocks are turned back is due the first time;
        /// one that clocks leave out is due when they go on.
        pub cron_time_zone: Option<String>,
        /// What a cron job does about runs that were due while no scheduler was there to start them:
        /// `RUN_LATEST`, the default, makes up for the last of them, `RUN_ALL` for each, one after
        /// the other, and `SKIP` for none.
        pub cron_catch_up: Option<String> [AnyCaseOf(&crate::config::CRON_CATCH_UPS)],
        /// How the job is updated. A change of it does not restart instances.
        pub update_config: Option<UpdateConfig> = UpdateConfig::default(),
        /// Which machines may run the job: from the name of an attribute of the machines to a value.
        /// `"a,b"` means one of these values, `"!a"` none of them, and `"limit:2"` at most two
        /// instances of the job on machines with the same value, as in `{"host": "limit:1"}`.
        /// `dedicated` asks for machines set aside for the role.
        pub constraints: Option<BTreeMap<String, String>>,
        /// Which machines should rather run the job, if there is a choice: from the name of an
        /// attribute of the machines to a wish. `"spread"` has as few instances as possible on
        /// machines with the same value, as in `{"rack": "spread"}`; `"a,b"` and `"!a"` are as in
        /// `constraints`. A number makes a wish count more than the others, from 1, which it is
        /// without, to 100: `{"rack": "spread 10", "disk": "ssd"}`.
        pub preferences: Option<BTreeMap<String, String>>,
        /// Labels for other tools: they are kept with the job and shown. Pairs that are given twice
        /// count once.
        pub metadata: Option<Vec<Metadata>> = Vec::<Metadata>::new(),
        /// Makes the instances known in ZooKeeper. Without it they are not announced.
        pub announce: Option<Announcer>,
        /// How it is found out that an instance works.
        pub health_check_config: HealthCheckConfig = HealthCheckConfig::default(),
        /// Whether the instance takes work. Without it, it does as soon as it runs.
        pub readiness: Option<ReadinessConfig>,
        /// How instances are asked to end before they are made to. By default by HTTP, if they have
        /// a port named `health`; `DisableLifecycle` leaves it at signals.
        pub lifecycle: Option<LifecycleConfig> =
            LifecycleConfig { http: Some(HttpLifecycleConfig::default()) },
        /// Addresses that old pages showed with the job. Accepted, and never sent.
        pub task_links: Option<BTreeMap<String, String>>,
        /// Which executor runs the instances.
        pub executor_config: ExecutorConfig = ExecutorConfig::default(),
        /// Whether the client calls the hooks of the file's list `hooks` before and after what it
        /// does to the job.
        pub enable_hooks: Option<bool> = false,
        /// What happens to instances on machines that the cluster has lost sight of. Without it
        /// they are replaced at once.
        pub partition_policy: Option<PartitionPolicy>,
        /// How many instances must stay up while machines are drained. Without it the cluster's own
        /// rule holds. For jobs of production tiers, such as `preferred`.
        pub sla_policy: Option<SlaPolicy>,
        /// What instances run in. Without it they share the file system of the machine.
        pub container: Option<Container>,
    }
}

declare! {
    /// A label of a job.
    #[derive(Eq)]
    pub struct Metadata {
        /// The key, in ASCII.
        pub key: String,
        /// The value, in ASCII.
        pub value: String,
    }
}

declare! {
    /// Which executor runs the instances of a job.
    #[derive(Eq)]
    pub struct ExecutorConfig: Default {
        /// The name under which the cluster knows the executor. `AuroraExecutor`, also known as
        /// `AURORA_EXECUTOR_NAME`, is the one that knows tasks and processes.
        pub name: String = crate::job::AURORA_EXECUTOR,
        /// What another executor is told, as text. `AuroraExecutor` is told the job.
        pub data: String = "",
    }
}

impl Job {
    /// The text the executor is given: the JSON of this job without `update_config` and
    /// `instances`, so that a change of either does not make running instances differ
    /// (`dsl.md` 8.4).
    ///
    /// # Errors
    /// The job cannot be written as JSON.
    pub fn to_executor_data(&self) -> Result<String, serde_json::Error> {
        let told = Self { update_config: None, instances: None, ..self.clone() };
        serde_json::to_value(&told).map(|json| json.to_string())
    }

    /// Reads what [`Job::to_executor_data`] has written.
    ///
    /// # Errors
    /// The text is no JSON, or a field is missing or of another type; the message names it.
    pub fn from_executor_data(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_told_apart_by_their_fields_and_keep_their_floats() {
        for text in [
            r#"{"count":2,"duration_secs":60}"#,
            r#"{"duration_secs":60,"percentage":99.5}"#,
            r#"{"coordinator_url":"http://c","status_key":"drain"}"#,
        ] {
            let policy: SlaPolicy = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_value(&policy).unwrap().to_string(), text);
        }
        for text in [
            r#"{"docker":{"image":"i","parameters":[]}}"#,
            r#"{"image":"i","parameters":[{"name":"n","value":"v"}]}"#,
            r#"{"image":{"name":"i","tag":"t"},"volumes":[]}"#,
            r#"{"image":{"image_id":"sha512-1","name":"i"},"volumes":[]}"#,
            r#"{"volumes":[{"container_path":"/c","host_path":"/h","mode":"RO"}]}"#,
        ] {
            let container: Container = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_value(&container).unwrap().to_string(), text);
        }
        let mesos: Container = serde_json::from_str(r#"{"image":{"name":"i","tag":"t"}}"#).unwrap();
        assert!(matches!(mesos, Container::Mesos(_)), "{mesos:?}");
        for (text, strategy) in [
            (r#"{"batch_size":2}"#, "Queue"),
            (r#"{"batch_size":2,"new":1}"#, "Queue"),
            (r#"{"autopause_after_batch":false,"batch_size":2}"#, "Batch"),
            (r#"{"autopause_after_batch":true,"batch_sizes":[1,2]}"#, "VariableBatch"),
        ] {
            let read: UpdateStrategy = serde_json::from_str(text).unwrap();
            assert!(format!("{read:?}").starts_with(strategy), "{text}: {read:?}");
        }
        assert!(serde_json::from_str::<SlaPolicy>("{}").is_err());
        assert!(serde_json::from_str::<SlaPolicy>("3").is_err());
    }

    #[test]
    fn what_json_leaves_out_is_what_the_declaration_says() {
        let task: Task = serde_json::from_str(r#"{"name":"t"}"#).unwrap();
        assert_eq!((task.max_failures, task.finalization_wait, task.constraints), (1, 30, None));
        let logger: Logger = serde_json::from_str("{}").unwrap();
        assert_eq!(logger.destination, LoggerDestination::File);
        let health = HealthCheckConfig::default();
        assert_eq!(serde_json::from_str::<HealthCheckConfig>("{}").unwrap(), health);
        assert_eq!(health.health_checker.http, Some(HttpHealthChecker::default()));
        let written = r#"{"cmdline":"x","daemon":false,"ephemeral":false,"final":true,"max_failures":1,"min_duration":5,"name":"p"}"#;
        let process: Process =
            serde_json::from_str(r#"{"name":"p","cmdline":"x","final":true,"newer":[1]}"#).unwrap();
        assert!(process.is_final);
        assert_eq!(serde_json::to_value(&process).unwrap().to_string(), written);
        // A default that is a template is filled in by the evaluator, never here.
        let error = serde_json::from_str::<Task>("{}").unwrap_err().to_string();
        assert!(error.contains("name"), "{error}");
        let error = serde_json::from_str::<RotatePolicy>(r#"{"backups":"x"}"#).unwrap_err();
        assert!(error.to_string().contains("backups"), "{error}");
    }

    #[test]
    fn the_executors_data_leaves_out_what_only_the_client_needs() {
        let text = r#"{"name":"n","role":"r","cluster":"c","environment":"e","instances":3,
            "update_config":{},"task":{"name":"t","processes":[{"name":"p","cmdline":"x"}]}}"#;
        let job: Job = serde_json::from_str(text).unwrap();
        assert_eq!(job.instances, Some(3));
        let data = job.to_executor_data().unwrap();
        assert!(!data.contains("instances") && !data.contains("update_config"), "{data}");
        let back = Job::from_executor_data(&data).unwrap();
        assert_eq!(back, Job { instances: None, update_config: None, ..job });
        let error = Job::from_executor_data(r#"{"name":"n"}"#).unwrap_err().to_string();
        assert!(error.contains("role"), "{error}");
    }
}
