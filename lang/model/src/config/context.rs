//! The names that are bound where a task runs (`dsl.md` 5 and 9). A file refers to them and does
//! not make them.

use std::collections::BTreeMap;

use super::{Announcer, HealthCheckConfig, LifecycleConfig, Task};
use crate::declare::declare;

declare! {
    /// What `{{thermos.…}}` refers to: known once the instance has a place to run.
    #[derive(Eq)]
    pub struct ThermosContext: Default {
        /// The ports of the instance: `{{thermos.ports[http]}}` in a process asks for a port named
        /// `http` and becomes its number.
        pub ports: Option<BTreeMap<String, i64>>,
        /// The id of the run, new whenever the instance is started anew.
        pub task_id: Option<String>,
        /// The Unix user the processes run as: the role of the job.
        pub user: Option<String>,
    }
}

declare! {
    /// What `{{mesos.…}}` refers to: known once the instance has a place to run. In a job,
    /// `{{mesos.role}}` and `{{mesos.cluster}}` are known as well: its role and cluster.
    #[derive(Eq)]
    pub struct MesosContext {
        /// The number of the instance, from 0 to one less than `instances`.
        pub instance: i64 [AtLeast(0)],
        /// The name of the machine.
        pub hostname: String,
    }
}

declare! {
    /// One instance of a job, as the executor runs it. A file has no use for it.
    pub struct MesosTaskInstance {
        /// What it runs.
        pub task: Task,
        /// The number of the instance.
        pub instance: i64 [AtLeast(0)],
        /// The role of the job.
        pub role: String,
        /// The environment of the job.
        pub environment: String,
        /// How it is announced.
        pub announce: Option<Announcer>,
        /// How its health is checked.
        pub health_check_config: HealthCheckConfig = HealthCheckConfig::default(),
        /// How it is asked to end.
        pub lifecycle: Option<LifecycleConfig>,
    }
}
