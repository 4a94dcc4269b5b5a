//! How the tasks of a job are spread over the values of host attributes.
//!
//! Counted as tasks come and go, for those attributes only that the job has a limit on or wishes to
//! be spread over: a limit is looked at for each task and each host, whatever the job's size.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aurora_model::job::{ConstraintRule, PreferenceRule, TaskConfig};

use super::Host;

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Spread {
    attributes: BTreeMap<String, Counts>,
}

/// What hosts say of themselves.
type Attributes = BTreeMap<String, BTreeSet<String>>;

/// How many tasks are on hosts with each value. Never with a value that has none.
pub(crate) type Counts = BTreeMap<Arc<str>, u32>;

impl Spread {
    /// The tasks on hosts with a value of an attribute that is counted.
    pub(crate) fn count(&self, attribute: &str, value: &str) -> u32 {
        self.attributes.get(attribute).and_then(|counts| counts.get(value)).copied().unwrap_or(0)
    }

    /// The tasks on hosts with the value that has most of them.
    pub(crate) fn largest(&self, attribute: &str) -> u32 {
        let counts = self.attributes.get(attribute).into_iter().flat_map(BTreeMap::values);
        counts.copied().max().unwrap_or(0)
    }

    /// Whether anything is counted.
    pub(super) fn is_empty(&self) -> bool {
        self.attributes.is_empty()
    }

    /// The attributes that a configuration needs counts of, and which are not counted yet.
    pub(crate) fn missing(&self, config: &TaskConfig) -> BTreeSet<String> {
        counted(config).filter(|name| !self.attributes.contains_key(*name)).cloned().collect()
    }

    /// Begins to count an attribute; `hosts` are those of the job's tasks, once for each.
    pub(crate) fn track<'a>(&mut self, attribute: String, hosts: impl Iterator<Item = &'a Host>) {
        let mut counts = Counts::default();
        for host in hosts {
            for value in host.attributes.get(&attribute).into_iter().flatten() {
                increase(&mut counts, value);
            }
        }
        self.attributes.insert(attribute, counts);
    }

    /// A task has come to a host with these attributes.
    pub(crate) fn add(&mut self, has: &Attributes) {
        for (name, counts) in &mut self.attributes {
            for value in has.get(name).into_iter().flatten() {
                increase(counts, value);
            }
        }
    }

    /// A task has gone from a host with these attributes.
    pub(super) fn remove(&mut self, has: &Attributes) {
        for (name, counts) in &mut self.attributes {
            for value in has.get(name).into_iter().flatten() {
                if let Some(count) = counts.get_mut(value.as_str()) {
                    *count -= 1;
                    if *count == 0 {
                        counts.remove(value.as_str());
                    }
                }
            }
        }
    }
}

fn increase(counts: &mut Counts, value: &str) {
    match counts.get_mut(value) {
        Some(count) => *count += 1,
        None => {
            counts.insert(value.into(), 1);
        }
    }
}

/// The attributes whose values are counted for a configuration.
fn counted(config: &TaskConfig) -> impl Iterator<Item = &String> {
    let limits = config
        .constraints
        .iter()
        .filter(|constraint| matches!(constraint.rule, ConstraintRule::Limit(_)))
        .map(|constraint| &constraint.attribute);
    let wishes = config
        .preferences
        .iter()
        .filter(|preference| matches!(preference.rule, PreferenceRule::Spread))
        .map(|preference| &preference.attribute);
    limits.chain(wishes)
}
