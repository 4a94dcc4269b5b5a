//! R1, R2, R4 where it counts: what agents really run, whatever anybody thinks.

use std::collections::{BTreeMap, BTreeSet};

use crate::agent::Agent;
use crate::world::{Violation, broken};

/// What was ever launched.
#[derive(Debug, Default)]
pub(crate) struct Truth {
    launched: BTreeMap<String, String>,
}

impl Truth {
    /// An agent starts a task.
    pub(crate) fn launch(&mut self, task: &str, agent: &Agent) -> Result<(), Violation> {
        if let Some(host) = self.launched.insert(task.to_owned(), agent.host.clone()) {
            return broken(
                "R4",
                format!("{task} is launched on {} and was on {host} before", agent.host),
            );
        }
        self.fits(agent)
    }

    /// R1 and R2 on one agent.
    pub(crate) fn fits(&self, agent: &Agent) -> Result<(), Violation> {
        let mut used = [0_u64; 3];
        let mut ports = BTreeSet::new();
        for run in agent.runs.values().filter(|run| run.is_alive()) {
            for (sum, more) in used.iter_mut().zip(run.uses) {
                *sum += more;
            }
            for port in &run.ports {
                if !ports.insert(port) {
                    return broken("R2", format!("port {port} of {} is used twice", agent.host));
                }
            }
        }
        for (name, (used, has)) in ["cpu", "memory", "disk"].iter().zip(used.iter().zip(agent.has))
        {
            if *used > has {
                return broken(
                    "R1",
                    format!("{} runs {used} of {has} {name} (thousandths)", agent.host),
                );
            }
        }
        Ok(())
    }

    /// How many tasks were launched.
    pub(crate) fn launches(&self) -> u64 {
        self.launched.len() as u64
    }
}

/// The instances that run more than once, over all agents.
pub(crate) fn doubles(agents: &[Agent]) -> BTreeMap<String, Vec<String>> {
    let mut running: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for agent in agents {
        for (id, run) in agent.runs.iter().filter(|(_, run)| run.is_alive()) {
            running.entry(run.instance.clone()).or_default().push(id.clone());
        }
    }
    running.retain(|_, runs| runs.len() > 1);
    running
}
