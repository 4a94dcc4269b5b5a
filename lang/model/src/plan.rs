//! The order in which the processes of a task may run (`dsl.md` 5.1, plan rules).

use std::collections::{BTreeMap, BTreeSet};

use crate::config::{Constraint, Process};

/// Why the processes of a task cannot be put in order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A process has a name that cannot be a file's.
    #[error(
        "invalid process name {0:?}: it must have 1 to {PROCESS_NAME_MAX_LEN} bytes, hold no '/' \
         and not begin with '.', because it names the directory of its logs"
    )]
    ProcessName(String),
    /// An order names processes that are there and others that are not, or none at all.
    #[error("order({}) names {}", .order.join(", "), match .unknown.as_slice() {
        [] => "no process".to_owned(),
        unknown => format!(
            "{}: not a process of this task, or final where the others are not",
            unknown.join(", ")
        ),
    })]
    Dependencies {
        /// The order.
        order: Vec<String>,
        /// The names in it that are not among the processes.
        unknown: Vec<String>,
    },
    /// A process waits for one that never ends.
    #[error("process {process:?} may not depend upon daemon process {daemon:?}")]
    AfterDaemon {
        /// The one that waits.
        process: String,
        /// The one that never ends.
        daemon: String,
    },
    /// A process waits for one that need not run.
    #[error(
        "non-ephemeral process {process:?} may not depend upon ephemeral process {ephemeral:?}"
    )]
    AfterEphemeral {
        /// The one that waits.
        process: String,
        /// The one that need not run.
        ephemeral: String,
    },
    /// Processes wait for each other.
    #[error("the order of processes has a cycle: {}", .0.join(" -> "))]
    Cycle(Vec<String>),
}

/// For each process of one class the processes that must have succeeded before it starts.
///
/// Where two processes have the same name the last one counts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    after: BTreeMap<String, BTreeSet<String>>,
}

impl Plan {
    /// The plan of the processes that are final, or of those that are not.
    ///
    /// # Errors
    /// [`PlanError`]: the rules of `dsl.md` 5.1.
    pub fn new(
        processes: &[Process],
        constraints: &[Constraint],
        is_final: bool,
    ) -> Result<Self, PlanError> {
        let class: BTreeMap<&str, &Process> = processes
            .iter()
            .filter(|process| process.is_final == is_final)
            .map(|process| (process.name.as_str(), process))
            .collect();
        if let Some(name) = class.keys().find(|name| !is_process_name(name)) {
            return Err(PlanError::ProcessName((*name).to_owned()));
        }
        let mut after: BTreeMap<String, BTreeSet<String>> =
            class.keys().map(|name| ((*name).to_owned(), BTreeSet::new())).collect();
        for Constraint { order } in constraints {
            let unknown: Vec<String> =
                order.iter().filter(|name| !class.contains_key(name.as_str())).cloned().collect();
            if !order.is_empty() && unknown.len() == order.len() {
                continue;
            }
            if order.is_empty() || !unknown.is_empty() {
                return Err(PlanError::Dependencies { order: order.clone(), unknown });
            }
            for pair in order.windows(2) {
                if let [first, next] = pair
                    && let Some(predecessors) = after.get_mut(next)
                {
                    predecessors.insert(first.clone());
                }
            }
        }
        let plan = Self { after };
        plan.check_kinds(&class)?;
        plan.check_cycles()?;
        Ok(plan)
    }

    /// The names of all processes of the class.
    pub fn processes(&self) -> impl Iterator<Item = &str> {
        self.after.keys().map(String::as_str)
    }

    /// The processes that must have succeeded before `process` starts.
    pub fn predecessors(&self, process: &str) -> impl Iterator<Item = &str> {
        self.after.get(process).into_iter().flatten().map(String::as_str)
    }

    fn check_kinds(&self, class: &BTreeMap<&str, &Process>) -> Result<(), PlanError> {
        for (name, predecessors) in &self.after {
            for before in predecessors {
                let (Some(process), Some(first)) =
                    (class.get(name.as_str()), class.get(before.as_str()))
                else {
                    continue;
                };
                if first.daemon {
                    return Err(PlanError::AfterDaemon {
                        process: name.clone(),
                        daemon: before.clone(),
                    });
                }
                if first.ephemeral && !process.ephemeral {
                    return Err(PlanError::AfterEphemeral {
                        process: name.clone(),
                        ephemeral: before.clone(),
                    });
                }
            }
        }
        Ok(())
    }

    /// Takes away, again and again, what waits for nothing; what stays is on a cycle or behind one.
    fn check_cycles(&self) -> Result<(), PlanError> {
        let mut waiting: BTreeMap<&str, usize> =
            self.after.iter().map(|(name, before)| (name.as_str(), before.len())).collect();
        let mut followers: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (name, before) in &self.after {
            for first in before {
                followers.entry(first).or_default().push(name);
            }
        }
        let mut free: Vec<&str> =
            waiting.iter().filter(|(_, count)| **count == 0).map(|(name, _)| *name).collect();
        while let Some(name) = free.pop() {
            waiting.remove(name);
            for follower in followers.get(name).into_iter().flatten() {
                if let Some(count) = waiting.get_mut(follower) {
                    *count -= 1;
                    if *count == 0 {
                        free.push(follower);
                    }
                }
            }
        }
        let Some(start) = waiting.keys().next() else { return Ok(()) };
        // Every name that is left waits for one that is left: walking back must meet itself.
        let mut path = vec![*start];
        loop {
            let last = path[path.len() - 1];
            let Some(before) = self.predecessors(last).find(|name| waiting.contains_key(name))
            else {
                return Ok(());
            };
            if let Some(at) = path.iter().position(|name| *name == before) {
                let mut cycle: Vec<String> =
                    path[at..].iter().rev().map(|&n| n.to_owned()).collect();
                cycle.insert(0, before.to_owned());
                return Err(PlanError::Cycle(cycle));
            }
            path.push(before);
        }
    }
}

/// The longest name of a process, in bytes: what a file system takes.
pub const PROCESS_NAME_MAX_LEN: usize = 255;

/// Whether a process may have this name: `^[^./][^/]*$`, as long as a file's may be.
pub fn is_process_name(name: &str) -> bool {
    (1..=PROCESS_NAME_MAX_LEN).contains(&name.len())
        && !name.starts_with('.')
        && !name.contains(['/', '\0'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(name: &str) -> Process {
        Process {
            name: name.to_owned(),
            cmdline: "true".to_owned(),
            max_failures: 1,
            daemon: false,
            ephemeral: false,
            min_duration: 5,
            is_final: false,
            resources: None,
            logger: None,
        }
    }

    fn order(names: &[&str]) -> Constraint {
        Constraint { order: names.iter().map(|&name| name.to_owned()).collect() }
    }

    fn plan(orders: &[&[&str]]) -> Result<Plan, String> {
        let processes = [
            process("a"),
            process("b"),
            process("c"),
            Process { daemon: true, ..process("d") },
            Process { ephemeral: true, ..process("e") },
            Process { is_final: true, ..process("f") },
        ];
        let constraints: Vec<Constraint> = orders.iter().map(|names| order(names)).collect();
        Plan::new(&processes, &constraints, false).map_err(|error| error.to_string())
    }

    #[test]
    fn orders_become_predecessors() {
        let plan = plan(&[&["a", "b", "c"], &["a", "c"]]).unwrap();
        assert_eq!(plan.predecessors("c").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(plan.predecessors("a").count(), 0);
        assert_eq!(plan.processes().collect::<Vec<_>>(), ["a", "b", "c", "d", "e"]);
    }

    #[test]
    fn impossible_orders_are_refused() {
        let cases: [(&[&str], &str); 7] = [
            (&["a", "x"], "order(a, x) names x"),
            (&["a", "f"], "order(a, f) names f"),
            (&[], "order() names no process"),
            (&["d", "a"], "process \"a\" may not depend upon daemon process \"d\""),
            (&["e", "a"], "non-ephemeral process \"a\" may not depend upon ephemeral"),
            (&["a", "a"], "the order of processes has a cycle: a -> a"),
            (&["a", "b", "c", "a"], "the order of processes has a cycle: "),
        ];
        for (names, message) in cases {
            let error = plan(&[names]).unwrap_err();
            assert!(error.starts_with(message), "{names:?}: {error}");
        }
        assert!(plan(&[&["x", "y"]]).is_ok(), "an order of unknown names is ignored");
        assert!(plan(&[&["a", "e"]]).is_ok());
    }

    #[test]
    fn process_names_are_file_names() {
        let long = "x".repeat(PROCESS_NAME_MAX_LEN + 1);
        for bad in ["", ".x", "a/b", "..", "a\0", &long] {
            let error = Plan::new(&[process(bad)], &[], false).unwrap_err();
            assert_eq!(error, PlanError::ProcessName(bad.to_owned()));
        }
        assert!(is_process_name("a.b c") && is_process_name(&long[1..]));
    }
}
