//! Whether the instances of a batch run well after a restart (`client.md` 13.2): told what happens and what
//! time it is, without I/O.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aurora_model::job::TaskState;

/// What is said of an instance that is not begun anew.
pub(super) const ENDED: &str = "it has ended and does not begin anew";

/// A task as it is told.
#[derive(Debug, Clone)]
pub(super) struct Told<'a> {
    pub(super) instance: u32,
    pub(super) task_id: &'a str,
    pub(super) state: TaskState,
    pub(super) is_service: bool,
    /// What was said last.
    pub(super) message: Option<&'a str>,
}

/// Times are since some moment.
#[derive(Debug)]
pub(super) struct Batch {
    /// For so long an instance must run to count as well.
    watch: Duration,
    instances: BTreeMap<u32, Instance>,
    /// The runs that were to end, and those before them: whose they are, and whether they have ended.
    old: BTreeMap<String, (u32, bool)>,
    /// The runs after them, and whose they are.
    new: BTreeMap<String, u32>,
    /// What was told since all was told anew.
    told: BTreeSet<String>,
    /// Whether all has been told once.
    is_whole: bool,
    /// The instances that have been given out as doubtful.
    doubted: BTreeSet<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Instance {
    /// It does not run.
    Waits,
    Runs {
        task_id: String,
        since: Duration,
    },
    Ended(Result<(), String>),
}

impl Batch {
    pub(super) fn new(instances: &[u32], watch: Duration) -> Self {
        Self {
            watch,
            instances: instances.iter().map(|instance| (*instance, Instance::Waits)).collect(),
            old: BTreeMap::new(),
            new: BTreeMap::new(),
            told: BTreeSet::new(),
            is_whole: false,
            doubted: BTreeSet::new(),
        }
    }

    /// All tasks are told once more.
    pub(super) fn begin(&mut self) {
        self.told.clear();
    }

    /// All of them have been told: those that were not are no more.
    pub(super) fn end(&mut self) {
        self.is_whole = true;
        self.old.retain(|id, _| self.told.contains(id));
        let missing: Vec<String> =
            self.new.keys().filter(|id| !self.told.contains(*id)).cloned().collect();
        for id in missing {
            self.gone(&id);
        }
    }

    /// A task is no longer known.
    pub(super) fn gone(&mut self, task_id: &str) {
        self.old.remove(task_id);
        if let Some(instance) = self.new.remove(task_id) {
            self.fail(instance, "it is no more".to_owned());
        }
    }

    /// A task as it is now.
    pub(super) fn see(&mut self, now: Duration, task: &Told<'_>) {
        self.told.insert(task.task_id.to_owned());
        let is_known = self.new.contains_key(task.task_id);
        if !is_known && self.is_old(task) {
            self.old.insert(task.task_id.to_owned(), (task.instance, task.state.is_terminal()));
            return;
        }
        self.new.insert(task.task_id.to_owned(), task.instance);
        let Some(instance) = self.instances.get_mut(&task.instance) else { return };
        let other = match instance {
            Instance::Ended(_) => return,
            Instance::Runs { task_id, .. } => task_id != task.task_id,
            Instance::Waits => false,
        };
        if other {
            self.fail(task.instance, "it was replaced while it was watched".to_owned());
        } else if task.state == TaskState::Running {
            if *instance == Instance::Waits {
                *instance = Instance::Runs { task_id: task.task_id.to_owned(), since: now };
            }
        } else if task.state == TaskState::Finished && !task.is_service {
            *instance = Instance::Ended(Ok(()));
        } else if task.state.is_terminal() {
            let said = task.message.map(|said| format!(": {said}")).unwrap_or_default();
            self.fail(task.instance, format!("it has ended as {}{said}", task.state.name()));
        } else {
            *instance = Instance::Waits;
        }
    }

    /// Whether a task that is seen for the first time was there before the restart: it has ended, or is told
    /// to end, when this begins to look.
    fn is_old(&self, task: &Told<'_>) -> bool {
        let ends = task.state.is_terminal()
            || matches!(task.state, TaskState::Restarting | TaskState::Killing);
        self.old.contains_key(task.task_id) || (!self.is_whole && ends)
    }

    /// The instances whose runs have ended without another after them, each once: somebody may have killed them
    /// meanwhile, or the run after them is about to be told.
    pub(super) fn doubtful(&mut self) -> Vec<u32> {
        if !self.is_whole {
            return Vec::new();
        }
        let lives = |instance: u32| {
            self.new.values().any(|of| *of == instance)
                || self.old.values().any(|(of, has_ended)| *of == instance && !has_ended)
        };
        let waiting = self.instances.iter().filter(|(_, state)| **state == Instance::Waits);
        let doubtful: Vec<u32> = waiting
            .map(|(instance, _)| *instance)
            .filter(|instance| !self.doubted.contains(instance) && !lives(*instance))
            .collect();
        self.doubted.extend(&doubtful);
        doubtful
    }

    /// An instance has no run, and gets none.
    pub(super) fn is_no_more(&mut self, instance: u32) {
        self.fail(instance, ENDED.to_owned());
    }

    fn fail(&mut self, instance: u32, why: String) {
        if let Some(known) = self.instances.get_mut(&instance)
            && !matches!(known, Instance::Ended(_))
        {
            *known = Instance::Ended(Err(why));
        }
    }

    /// Those that have run long enough are well.
    pub(super) fn tick(&mut self, now: Duration) {
        for instance in self.instances.values_mut() {
            if let Instance::Runs { since, .. } = instance
                && now >= *since + self.watch
            {
                *instance = Instance::Ended(Ok(()));
            }
        }
    }

    /// When the next one may have run long enough.
    pub(super) fn due(&self) -> Option<Duration> {
        let due = self.instances.values().filter_map(|instance| match instance {
            Instance::Runs { since, .. } => Some(*since + self.watch),
            Instance::Waits | Instance::Ended(_) => None,
        });
        due.min()
    }

    pub(super) fn is_done(&self) -> bool {
        self.instances.values().all(|instance| matches!(instance, Instance::Ended(_)))
    }

    /// Those that have ended, each well or with the reason.
    pub(super) fn ends(&self) -> impl Iterator<Item = (u32, &Result<(), String>)> {
        self.instances.iter().filter_map(|(instance, state)| match state {
            Instance::Ended(end) => Some((*instance, end)),
            Instance::Waits | Instance::Runs { .. } => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use TaskState::{Failed, Finished, Killed, Pending, Restarting, Running};

    const WATCH: Duration = Duration::from_secs(30);

    fn at(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    fn told(instance: u32, task_id: &str, state: TaskState) -> Told<'_> {
        Told { instance, task_id, state, is_service: true, message: Some("because") }
    }

    /// A batch after a look at what was told to end.
    fn begun(instances: &[u32]) -> Batch {
        let mut batch = Batch::new(instances, WATCH);
        batch.begin();
        for instance in instances {
            let id = format!("old-{instance}");
            batch.see(at(0), &told(*instance, &id, Restarting));
        }
        batch.end();
        batch
    }

    fn failed(batch: &Batch) -> Vec<u32> {
        batch.ends().filter(|(_, end)| end.is_err()).map(|(instance, _)| instance).collect()
    }

    #[test]
    fn c60_one_that_runs_long_enough_is_well() {
        let mut batch = begun(&[0]);
        batch.see(at(1), &told(0, "old-0", Killed));
        batch.see(at(2), &told(0, "new-0", Pending));
        assert_eq!(batch.due(), None);
        batch.see(at(5), &told(0, "new-0", Running));
        assert_eq!(batch.due(), Some(at(35)));
        batch.tick(at(34));
        assert!(!batch.is_done());
        batch.tick(at(35));
        assert!(batch.is_done() && failed(&batch).is_empty());
    }

    #[test]
    fn c61_one_that_is_replaced_has_failed() {
        let mut batch = begun(&[0]);
        batch.see(at(1), &told(0, "new-0", Running));
        batch.see(at(2), &told(0, "newer-0", Pending));
        assert_eq!(failed(&batch), [0]);
        // Whatever becomes of it.
        batch.see(at(2), &told(0, "newer-0", Running));
        batch.tick(at(99));
        assert_eq!(failed(&batch), [0]);
    }

    #[test]
    fn c62_one_that_does_not_run_is_not_well() {
        let mut batch = begun(&[0]);
        batch.see(at(1), &told(0, "new-0", Running));
        batch.see(at(2), &told(0, "new-0", TaskState::Partitioned));
        batch.tick(at(99));
        assert!(!batch.is_done());
        batch.see(at(100), &told(0, "new-0", Running));
        assert_eq!(batch.due(), Some(at(130)), "the time begins anew");
    }

    #[test]
    fn c63_only_the_one_that_fails_has_failed() {
        let mut batch = begun(&[0, 1, 2]);
        for instance in 0..3 {
            let id = format!("new-{instance}");
            batch.see(at(1), &told(instance, &id, Running));
        }
        batch.see(at(2), &told(1, "new-1", Failed));
        batch.tick(at(31));
        assert!(batch.is_done());
        assert_eq!(failed(&batch), [1]);
        let (_, end) = batch.ends().nth(1).unwrap();
        assert_eq!(end.as_ref().unwrap_err(), "it has ended as FAILED: because");
    }

    #[test]
    fn one_that_ends_before_it_has_run_has_failed() {
        let mut batch = begun(&[0]);
        batch.see(at(1), &told(0, "new-0", Pending));
        batch.see(at(2), &told(0, "new-0", Failed));
        assert_eq!(failed(&batch), [0]);
    }

    #[test]
    fn one_that_is_no_service_may_finish() {
        for (is_service, fails) in [(true, 1), (false, 0)] {
            let mut batch = begun(&[0]);
            batch.see(at(1), &Told { is_service, ..told(0, "new-0", Finished) });
            assert!(batch.is_done());
            assert_eq!(failed(&batch).len(), fails);
        }
    }

    #[test]
    fn one_whose_run_has_ended_without_another_is_doubtful_once() {
        let mut batch = begun(&[0, 1, 2]);
        assert_eq!(batch.doubtful(), [0; 0]);
        batch.see(at(1), &told(0, "old-0", Killed));
        assert_eq!(batch.doubtful(), [0]);
        assert_eq!(batch.doubtful(), [0; 0]);
        batch.see(at(1), &told(0, "new-0", Running));
        // One that somebody has killed, and one that is forgotten.
        batch.gone("old-1");
        batch.begin();
        batch.see(at(2), &told(0, "new-0", Running));
        batch.end();
        assert_eq!(batch.doubtful(), [1, 2]);
        batch.is_no_more(1);
        batch.is_no_more(2);
        assert_eq!(failed(&batch), [1, 2]);
        batch.tick(at(31));
        assert!(batch.is_done());
    }

    #[test]
    fn what_is_gone_after_a_lost_connection_has_failed() {
        let mut batch = begun(&[0, 1]);
        batch.see(at(1), &told(0, "new-0", Running));
        batch.see(at(1), &told(1, "new-1", Running));
        batch.begin();
        batch.see(at(3), &told(0, "new-0", Running));
        batch.end();
        assert_eq!(failed(&batch), [1]);
        assert_eq!(batch.due(), Some(at(31)), "it has run all the time");
    }
}
