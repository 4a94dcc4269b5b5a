//! Offers: who is offered what of the agents, and what becomes of it.

use std::collections::{BTreeMap, BTreeSet};

use aurora_mesos::v1;
use aurora_mesos::v1::scheduler::{Event, event};

use super::{Core, Framework, OpenOffer, Output, Task, known};
use crate::resources::Resources;

/// How long what was given back stays away at least: as long as Mesos takes from one allocation to
/// the next.
const ALLOCATION_SECONDS: f64 = 1.0;

impl Core {
    /// Uses offers for tasks.
    pub(crate) fn accept(
        &mut self,
        now: u64,
        framework: &str,
        offers: &[v1::OfferId],
        operations: &[v1::offer::Operation],
        refuse_seconds: f64,
    ) {
        let mut agent: Option<String> = None;
        let mut free = Resources::default();
        let mut valid = !offers.is_empty();
        for id in offers {
            let mine = self.offers.get(&id.value).is_some_and(|offer| offer.framework == framework);
            // Taken at once: one that is named twice is there once.
            match mine.then(|| self.offers.remove(&id.value)).flatten() {
                Some(offer) if agent.as_ref().is_none_or(|agent| *agent == offer.agent) => {
                    agent = Some(offer.agent);
                    free = free.plus(&offer.resources);
                }
                _ => valid = false,
            }
        }
        let agent = agent.unwrap_or_default();
        valid &= self.agents.get(&agent).is_some_and(|agent| agent.connected);
        let tasks = operations
            .iter()
            .filter_map(|operation| operation.launch.as_ref())
            .flat_map(|launch| launch.task_infos.iter());
        for task in tasks {
            if valid {
                self.launch(framework, &agent, task, &mut free);
            } else {
                let state = if self.is_aware(framework) {
                    v1::TaskState::TaskDropped
                } else {
                    v1::TaskState::TaskLost
                };
                let message = "Task launched with invalid offers: the offer is no longer valid";
                let mut status = self.status(&task.task_id.value, &agent, state, message);
                status.reason = Some(v1::task_status::Reason::InvalidOffers as i32);
                self.update(framework, status);
            }
        }
        let groups = operations
            .iter()
            .filter_map(|operation| operation.launch_group.as_ref())
            .flat_map(|launch| launch.task_group.tasks.iter());
        for task in groups {
            let state = v1::TaskState::TaskError;
            let message = "This master launches no task groups";
            let mut status = self.status(&task.task_id.value, &agent, state, message);
            status.reason = Some(v1::task_status::Reason::TaskGroupInvalid as i32);
            self.update(framework, status);
        }
        self.filter(now, framework, &agent, free, refuse_seconds);
        self.allocate(now);
    }

    pub(super) fn launch(
        &mut self,
        framework: &str,
        agent: &str,
        task: &v1::TaskInfo,
        free: &mut Resources,
    ) {
        let id = &task.task_id.value;
        let new = known(agent, task, v1::TaskStatus::default());
        let shared = self.tasks_of(framework).any(|(_, other)| {
            !other.is_over() && other.agent == agent && other.executor == new.executor
        });
        let mut needed = new.resources.clone();
        if !shared {
            needed = needed.plus(&new.executor_resources);
        }
        let refusal = if task.command.is_some() == task.executor.is_some() {
            Some("Task should have at least one (but not both) of CommandInfo or ExecutorInfo present".to_owned())
        } else if id.is_empty()
            || id.contains(['/', '\\', ' '])
            || id.len() > 255
            || id.starts_with('.')
        {
            Some(format!("TaskID '{id}' contains invalid characters"))
        } else if self.tasks.contains_key(&(framework.to_owned(), id.clone())) {
            Some(format!("Task has duplicate ID: {id}"))
        } else if task.agent_id.value != agent {
            Some(format!("Task uses invalid agent {}", task.agent_id.value))
        } else if !free.covers(&needed) {
            Some("Task uses more resources than available".to_owned())
        } else {
            None
        };
        if let Some(message) = refusal {
            let mut status = self.status(id, agent, v1::TaskState::TaskError, &message);
            status.reason = Some(v1::task_status::Reason::TaskInvalid as i32);
            self.update(framework, status);
            return;
        }
        let Some(info) = self.frameworks.get(framework).map(|framework| framework.info.clone())
        else {
            return;
        };
        *free = free.minus(&needed);
        let staging = self.status(id, agent, v1::TaskState::TaskStaging, "");
        self.tasks.insert((framework.to_owned(), id.clone()), Task { status: staging, ..new });
        self.out.push(Output::Launch {
            agent: agent.to_owned(),
            framework: Box::new(info),
            task: Box::new(task.clone()),
        });
    }

    /// Gives offers back.
    pub(crate) fn decline(
        &mut self,
        now: u64,
        framework: &str,
        offers: &[v1::OfferId],
        refuse_seconds: f64,
    ) {
        for id in offers {
            let mine = self.offers.get(&id.value).is_some_and(|offer| offer.framework == framework);
            if mine && let Some(offer) = self.offers.remove(&id.value) {
                // Offered again at once it would be given back again at once, and so for ever.
                let seconds = refuse_seconds.max(ALLOCATION_SECONDS);
                self.filter(now, framework, &offer.agent, offer.resources, seconds);
            }
        }
        self.allocate(now);
    }

    pub(super) fn filter(
        &mut self,
        now: u64,
        framework: &str,
        agent: &str,
        resources: Resources,
        seconds: f64,
    ) {
        if seconds.is_nan() || seconds <= 0.0 {
            return;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the range was checked"
        )]
        let until = now.saturating_add((seconds.min(31_536_000.0) * 1000.0) as u64);
        if let Some(framework) = self.frameworks.get_mut(framework) {
            framework.filters.insert(agent.to_owned(), (until, resources));
        }
    }

    /// A framework wants offers again, whatever it has refused.
    pub(crate) fn revive(&mut self, now: u64, framework: &str) {
        if let Some(framework) = self.frameworks.get_mut(framework) {
            framework.suppressed = false;
            framework.filters.clear();
        }
        self.allocate(now);
    }

    /// A framework wants no offers.
    pub(crate) fn suppress(&mut self, framework: &str) {
        if let Some(framework) = self.frameworks.get_mut(framework) {
            framework.suppressed = true;
        }
    }

    /// Takes offers away.
    pub(super) fn withdraw(&mut self, which: impl Fn(&OpenOffer) -> bool, tell: bool) {
        let gone: Vec<String> = self
            .offers
            .iter()
            .filter(|(_, offer)| which(offer))
            .map(|(id, _)| id.clone())
            .collect();
        for id in gone {
            let Some(offer) = self.offers.remove(&id) else { continue };
            if tell {
                self.event(
                    &offer.framework,
                    Event {
                        r#type: Some(event::Type::Rescind as i32),
                        rescind: Some(event::Rescind { offer_id: v1::OfferId { value: id } }),
                        ..Event::default()
                    },
                );
            }
        }
    }

    /// What of each agent that is there is neither used nor on offer.
    pub(super) fn free(&self) -> BTreeMap<String, Resources> {
        let agents = self.agents.iter().filter(|(_, agent)| agent.connected);
        let mut free: BTreeMap<String, Resources> =
            agents.map(|(id, agent)| (id.clone(), agent.total.clone())).collect();
        let mut executors = BTreeSet::new();
        for ((framework, _), task) in self.tasks.iter().filter(|(_, task)| !task.is_over()) {
            let Some(free) = free.get_mut(&task.agent) else { continue };
            free.take(&task.resources);
            if executors.insert((&task.agent, framework, &task.executor)) {
                free.take(&task.executor_resources);
            }
        }
        for offer in self.offers.values() {
            if let Some(free) = free.get_mut(&offer.agent) {
                free.take(&offer.resources);
            }
        }
        free
    }

    /// Offers what is free: each agent's to the framework that has the fewest tasks and wants it.
    pub(super) fn allocate(&mut self, now: u64) {
        for framework in self.frameworks.values_mut() {
            framework.filters.retain(|_, (until, _)| *until > now);
        }
        let mut load: Vec<(usize, String)> = self
            .frameworks
            .iter()
            .filter(|(_, framework)| framework.connected && !framework.suppressed)
            .map(|(id, _)| {
                (self.tasks_of(id).filter(|(_, task)| !task.is_over()).count(), id.clone())
            })
            .collect();
        load.sort();
        if load.is_empty() {
            return;
        }
        let mut made: BTreeMap<String, Vec<v1::Offer>> = BTreeMap::new();
        for (agent_id, free) in self.free() {
            if !free.is_useful() {
                continue;
            }
            let taker = load.iter().map(|(_, id)| id).find(|id| {
                self.frameworks.get(*id).is_some_and(|framework| {
                    framework
                        .filters
                        .get(&agent_id)
                        .is_none_or(|(_, refused)| !refused.covers(&free))
                })
            });
            let Some(taker) = taker.cloned() else { continue };
            let offer_id = self.next_id('O');
            let Some(agent) = self.agents.get(&agent_id) else { continue };
            let role = self
                .frameworks
                .get(&taker)
                .and_then(|Framework { info, .. }| info.roles.first().or(info.role.as_ref()))
                .map_or_else(|| "*".to_owned(), Clone::clone);
            let running: BTreeSet<String> = self
                .tasks_of(&taker)
                .filter(|(_, task)| task.agent == agent_id && !task.is_over())
                .map(|(_, task)| task.executor.clone())
                .collect();
            made.entry(taker.clone()).or_default().push(v1::Offer {
                id: v1::OfferId { value: offer_id.clone() },
                framework_id: v1::FrameworkId { value: taker.clone() },
                agent_id: v1::AgentId { value: agent_id.clone() },
                hostname: agent.info.hostname.clone(),
                url: Some(agent.url.clone()),
                resources: free.to_mesos(Some(&role)),
                attributes: agent.info.attributes.clone(),
                executor_ids: running.into_iter().map(|value| v1::ExecutorId { value }).collect(),
                allocation_info: Some(v1::resource::AllocationInfo { role: Some(role) }),
                ..v1::Offer::default()
            });
            let offer = OpenOffer { framework: taker, agent: agent_id, resources: free };
            self.offers.insert(offer_id, offer);
        }
        for (framework, offers) in made {
            self.event(
                &framework,
                Event {
                    r#type: Some(event::Type::Offers as i32),
                    offers: Some(event::Offers { offers }),
                    ..Event::default()
                },
            );
        }
    }
}
