//! How a job is updated (`dsl.md` 5.3).

use crate::declare::declare;

declare! {
    /// How a job's running instances are replaced by those of a new version: how many at a time,
    /// when a new one counts as good, and how much may go wrong.
    pub struct UpdateConfig: Default {
        /// How many instances are updated at the same time. To be left at 1 if `update_strategy`
        /// is given, which has sizes of its own.
        pub batch_size: i64 [AtLeast(1)] = 1,
        /// How long an updated instance must stay up, from its start as `RUNNING`, to count as
        /// good. 0 leaves the verdict to the health check: an instance is `RUNNING` only when that
        /// has succeeded.
        pub watch_secs: i64 [Seconds, AtLeast(0)] = 45,
        /// How often one instance may fail and be tried again before it counts as failed. 0 means
        /// that the first failure counts.
        pub max_per_shard_failures: i64 = 0,
        /// How many instances may fail before the update has failed. It must be less than
        /// `instances`; a dedicated job must forgive 2 percent of its instances, rounded down.
        pub max_total_failures: i64 = 0,
        /// Whether an update that has failed is undone: instances that were already updated go back
        /// to the version before.
        pub rollback_on_failure: bool = true,
        /// Whether all instances of a batch must be good before the next batch begins. Without it
        /// the next instance begins as soon as one is good. Not together with `update_strategy`:
        /// use `BatchUpdateStrategy`.
        pub wait_for_batch_completion: bool = false,
        /// Makes the update wait for an outside service: it pauses when it has had no pulse for this
        /// long, and goes on with the next one. Without it no pulse is needed.
        pub pulse_interval_secs: Option<i64> [Seconds, AtLeast(60)],
        /// Whether an instance is only stopped when the job's `sla_policy` allows it. The job must
        /// have one then.
        pub sla_aware: bool = false,
        /// How instances are put into batches. By default a window of `batch_size` instances that
        /// slides on.
        pub update_strategy: Option<UpdateStrategy>,
        /// How many instances of the new version run beside the others during the update: they are
        /// started before the first instance is stopped, and are ended when the update is over, so
        /// that as much runs as before. They have numbers of their own, after those of all others.
        /// Not more of them are started than instances are replaced. The role's quota must have
        /// room for them.
        pub surge: Option<i64> [AtLeast(0)],
        /// How many instances try the new version before the others. When each of them has stayed up
        /// for `canary_watch_secs` the others follow by themselves; if any of them fails, the update
        /// has failed, whatever else may fail.
        pub canary: Option<i64> [AtLeast(0)],
        /// How long the instances of the `canary` must stay up. By default `watch_secs`; never less
        /// than that.
        pub canary_watch_secs: Option<i64> [Seconds, AtLeast(0)],
    }
}

declare! {
    /// How the instances of an update are put into batches. A dict is taken for the first strategy
    /// that it fits, so `{"batch_size": 2}` means `QueueUpdateStrategy`.
    #[derive(Eq)]
    pub choice UpdateStrategy {
        /// A sliding window.
        Queue(QueueUpdateStrategy),
        /// Batches of one size.
        Batch(BatchUpdateStrategy),
        /// Batches of growing or shrinking size.
        VariableBatch(VariableBatchUpdateStrategy),
    }
}

declare! {
    /// Updates through a sliding window: as soon as one instance is good, the next begins.
    #[derive(Copy, Eq)]
    pub struct QueueUpdateStrategy: Default {
        /// How many instances are updated at the same time.
        pub batch_size: i64 [AtLeast(1)] = 1,
    }
}

declare! {
    /// Updates in batches of one size: the next batch begins when all of one are good.
    #[derive(Copy, Eq)]
    pub struct BatchUpdateStrategy: Default {
        /// How many instances make a batch.
        pub batch_size: i64 [AtLeast(1)] = 1,
        /// Whether the update pauses after each batch until someone resumes it.
        pub autopause_after_batch: bool = false,
    }
}

declare! {
    /// Updates in batches of given sizes, so that a new version is tried on few instances first.
    #[derive(Eq)]
    pub struct VariableBatchUpdateStrategy {
        /// The sizes of the batches, first to last, as in `[1, 5, 20]`. The last one repeats until
        /// all instances are done.
        pub batch_sizes: Vec<i64> [AtLeast(1)],
        /// Whether the update pauses after each batch until someone resumes it.
        pub autopause_after_batch: bool = false,
    }
}
