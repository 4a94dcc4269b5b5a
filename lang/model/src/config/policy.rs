//! What the scheduler promises of a job's instances (`dsl.md` 5.3).

use crate::declare::declare;

declare! {
    /// What happens to instances on a machine that the cluster has lost sight of.
    #[derive(Copy, Eq)]
    pub struct PartitionPolicy: Default {
        /// Whether such an instance is replaced by a new one. If not, it stays `PARTITIONED` until
        /// the machine is back.
        pub reschedule: bool = true,
        /// How long the scheduler waits before it replaces it.
        pub delay_secs: i64 [Seconds, AtLeast(0)] = 0,
    }
}

declare! {
    /// How many instances must stay up while machines are drained, and during updates with
    /// `sla_aware`.
    pub choice SlaPolicy {
        /// A service of one's own decides.
        Coordinator(CoordinatorSlaPolicy),
        /// A number of instances.
        Count(CountSlaPolicy),
        /// A share of the instances.
        Percentage(PercentageSlaPolicy),
    }
}

declare! {
    /// A service of one's own decides whether an instance may be stopped: the scheduler sends it the
    /// instance and reads the verdict from the answer, which is JSON.
    #[derive(Eq)]
    pub struct CoordinatorSlaPolicy {
        /// The address that is asked.
        pub coordinator_url: String,
        /// The key in the answer that holds the verdict: true if the instance may be stopped.
        pub status_key: String = "drain",
    }
}

declare! {
    /// A number of instances must stay up.
    #[derive(Copy, Eq)]
    pub struct CountSlaPolicy {
        /// How many must be up.
        pub count: i64 [AtLeast(0)],
        /// How long an instance must have been up to count.
        pub duration_secs: i64 [Seconds, AtLeast(0)],
    }
}

declare! {
    /// A share of the instances must stay up.
    #[derive(Copy)]
    pub struct PercentageSlaPolicy {
        /// The share of the instances that must be up, as in `95.0`.
        pub percentage: f64 [Percent, AtLeast(0), AtMost(100)],
        /// How long an instance must have been up to count.
        pub duration_secs: i64 [Seconds, AtLeast(0)],
    }
}
