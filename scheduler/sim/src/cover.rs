//! What runs have reached.

use std::collections::BTreeMap;

use aurora_model::job::TaskState;

/// A state, or "not in the store".
pub type Place = Option<TaskState>;

/// What was reached, and how often.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Transitions of tasks: from, to.
    pub transitions: BTreeMap<(Place, Place), u64>,
    /// Reports of Mesos that a task may not follow: the state it is in, the one reported.
    pub refused: BTreeMap<(Place, TaskState), u64>,
    /// Faults that came about, by name.
    pub faults: BTreeMap<&'static str, u64>,
    /// Answers, by what was asked and whether it was granted.
    pub answers: BTreeMap<(&'static str, bool), u64>,
    /// What else happened, by name.
    pub paths: BTreeMap<String, u64>,
    /// Snapshots written.
    pub snapshots: u64,
}

impl Coverage {
    /// Takes in what another run has reached.
    pub fn merge(&mut self, other: &Self) {
        fn sum<K: Ord + Clone>(into: &mut BTreeMap<K, u64>, from: &BTreeMap<K, u64>) {
            for (key, times) in from {
                *into.entry(key.clone()).or_default() += times;
            }
        }
        sum(&mut self.transitions, &other.transitions);
        sum(&mut self.refused, &other.refused);
        sum(&mut self.faults, &other.faults);
        sum(&mut self.answers, &other.answers);
        sum(&mut self.paths, &other.paths);
        self.snapshots += other.snapshots;
    }

    pub(crate) fn path(&mut self, name: impl Into<String>) {
        *self.paths.entry(name.into()).or_default() += 1;
    }
}
