//! What can be looked up without going through all tasks. Made of the tasks and the hosts alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aurora_model::job::{ResourceBag, ScheduledTask, TaskConfig, TaskState, Timestamp};
use aurora_model::key::{JobKey, Role, TaskId};

use super::Hosts;
use super::tasks::{Kept, Slot};
use crate::quota::Usage;
use crate::state::spread::Spread;

/// See the module.
#[derive(Debug, Clone, Default)]
pub(super) struct Index {
    /// Never with a job that has no tasks.
    jobs: BTreeMap<JobKey, u32>,
    places: Vec<JobTasks>,
    free: Vec<u32>,
    /// Never with a state that no task is in.
    pub(super) counts: BTreeMap<TaskState, u64>,
    /// What active tasks use. Never with a role that has none.
    pub(super) usage: BTreeMap<Role, Usage>,
    /// The tasks that were given to an agent of the host. Never with a host that has none.
    on_host: BTreeMap<Arc<str>, HostTasks>,
    /// Never with a role that has no jobs.
    roles: BTreeMap<Role, RoleJobs>,
    /// The version that the change makes which is being carried out.
    pub(super) now: u64,
    /// The last change of a role that had no jobs with tasks after it.
    other_roles_touched: u64,
    /// The last change of a host that had no tasks after it.
    other_hosts_touched: u64,
}

/// The jobs of one role.
#[derive(Debug, Clone, Default)]
struct RoleJobs {
    /// How many have tasks.
    jobs: usize,
    touched: u64,
}

/// The tasks of one job.
#[derive(Debug, Clone, Default)]
pub(super) struct JobTasks {
    /// The active ones, by instance, of which each has one.
    pub(super) active: BTreeSet<(u32, Slot)>,
    /// The ended ones, by the time of their end.
    pub(super) ended: BTreeSet<(Timestamp, TaskId)>,
    /// Those that are neither, as they are being made.
    pub(super) others: BTreeSet<TaskId>,
    /// How many are in each state, in the order of [`TaskState::ALL`].
    pub(super) states: [u32; TaskState::ALL.len()],
    /// How many are of a service.
    pub(super) services: u32,
    pub(super) spread: Spread,
    touched: u64,
}

impl JobTasks {
    fn is_empty(&self) -> bool {
        self.active.is_empty() && self.ended.is_empty() && self.others.is_empty()
    }
}

/// What the agents of one host have.
#[derive(Debug, Clone, Default)]
pub(super) struct HostTasks {
    /// By id.
    pub(super) tasks: Vec<TaskId>,
    /// Those that have ended.
    pub(super) ended: BTreeSet<TaskId>,
    pub(super) load: HostLoad,
    touched: u64,
}

impl HostTasks {
    fn is_empty(&self) -> bool {
        self.tasks.is_empty() && self.ended.is_empty()
    }
}

/// What the tasks of a host use together, without their executors.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct HostLoad {
    /// All.
    pub(crate) all: Load,
    /// Those that are not production: of others none is ever stopped to make room.
    pub(crate) soft: Load,
}

/// What some tasks use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) tasks: u64,
    pub(crate) resources: ResourceBag,
}

impl Load {
    /// Sums wrap: what was added can be taken away, whatever it was.
    fn change(&mut self, config: &TaskConfig, f: fn(u64, u64) -> u64) {
        let used = config.resources.bag();
        let sum = &mut self.resources;
        self.tasks = f(self.tasks, 1);
        sum.cpus.0 = f(sum.cpus.0, used.cpus.0);
        sum.ram_mb = f(sum.ram_mb, used.ram_mb);
        sum.disk_mb = f(sum.disk_mb, used.disk_mb);
        sum.ports = f(sum.ports, used.ports);
        sum.gpus = f(sum.gpus, used.gpus);
    }
}

/// What the index knows of a task that changes.
pub(super) struct Before {
    state: TaskState,
    end: Timestamp,
    host: Option<Arc<str>>,
}

impl Before {
    pub(super) fn of(task: &ScheduledTask) -> Self {
        Self { state: task.state, end: end(task), host: host_of(task).cloned() }
    }
}

impl Index {
    pub(super) fn keys(&self) -> impl Iterator<Item = &JobKey> {
        self.jobs.keys()
    }

    pub(super) fn jobs_from<'a>(
        &'a self,
        from: std::ops::Bound<&JobKey>,
    ) -> impl Iterator<Item = (&'a JobKey, &'a JobTasks)> + use<'a> {
        let range = self.jobs.range::<JobKey, _>((from, std::ops::Bound::Unbounded));
        range.filter_map(|(key, place)| Some((key, self.places.get(*place as usize)?)))
    }

    pub(super) fn job(&self, key: &JobKey) -> Option<&JobTasks> {
        self.places.get(*self.jobs.get(key)? as usize)
    }

    pub(super) fn job_at(&mut self, place: u32) -> Option<&mut JobTasks> {
        self.places.get_mut(place as usize)
    }

    pub(super) fn host(&self, name: &str) -> Option<&HostTasks> {
        self.on_host.get(name)
    }

    pub(super) fn hosts_from<'a>(
        &'a self,
        after: Option<&str>,
    ) -> impl Iterator<Item = (&'a Arc<str>, &'a HostTasks)> {
        use std::ops::Bound::{Excluded, Unbounded};
        self.on_host.range::<str, _>((after.map_or(Unbounded, Excluded), Unbounded))
    }

    /// The place of a job, which is made if it has no tasks yet.
    pub(super) fn place(&mut self, key: &JobKey) -> u32 {
        if let Some(place) = self.jobs.get(key) {
            return *place;
        }
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(JobTasks::default());
            u32::try_from(self.places.len() - 1).unwrap_or(u32::MAX)
        });
        self.jobs.insert(key.clone(), place);
        self.roles.entry(Role::from(key)).or_default().jobs += 1;
        place
    }

    pub(super) fn job_touched(&self, key: &JobKey) -> u64 {
        self.job(key).map_or_else(|| self.role_touched(key.role()), |job| job.touched)
    }

    pub(super) fn role_touched(&self, role: &str) -> u64 {
        self.roles.get(role).map_or(self.other_roles_touched, |role| role.touched)
    }

    pub(super) fn host_touched(&self, host: &str) -> u64 {
        self.host(host).map_or(self.other_hosts_touched, |host| host.touched)
    }

    /// A job is other than it was, and with it its role.
    pub(super) fn touch_job(&mut self, key: &JobKey) {
        if let Some(place) = self.jobs.get(key)
            && let Some(job) = self.places.get_mut(*place as usize)
        {
            job.touched = self.now;
        }
        self.touch_role(key.role());
    }

    /// The job of a task is other than it was, and with it its role.
    fn touch_job_of(&mut self, kept: &Kept) {
        if let Some(job) = self.places.get_mut(kept.job as usize) {
            job.touched = self.now;
        }
        self.touch_role(kept.task.job().role());
    }

    /// A role is other than it was.
    pub(super) fn touch_role(&mut self, role: &str) {
        match self.roles.get_mut(role) {
            Some(role) => role.touched = self.now,
            None => self.other_roles_touched = self.now,
        }
    }

    /// A host is other than it was.
    pub(super) fn touch_host(&mut self, host: &str) {
        match self.on_host.get_mut(host) {
            Some(host) => host.touched = self.now,
            None => self.other_hosts_touched = self.now,
        }
    }

    /// Takes a host out if it has no tasks any more.
    fn forget_host(&mut self, host: &str) {
        if self.on_host.get(host).is_some_and(HostTasks::is_empty) {
            self.on_host.remove(host);
            self.other_hosts_touched = self.now;
        }
    }

    /// Takes a job out that has no tasks any more.
    fn forget_job(&mut self, key: &JobKey, place: u32) {
        self.jobs.remove(key);
        self.free.push(place);
        if let Some(role) = self.roles.get_mut(key.role()) {
            role.jobs -= 1;
            if role.jobs == 0 {
                self.roles.remove(key.role());
                self.other_roles_touched = self.now;
            }
        }
    }

    pub(super) fn add(&mut self, slot: Slot, kept: &Kept, hosts: &Hosts) {
        let Some(job) = self.places.get_mut(kept.job as usize) else { return };
        job.services += u32::from(kept.task.assigned.task.is_service);
        self.enters(slot, kept, None, hosts);
        self.touch_job_of(kept);
    }

    pub(super) fn remove(&mut self, slot: Slot, kept: &Kept, hosts: &Hosts) {
        self.leaves(slot, kept, &Before::of(&kept.task), None, hosts);
        self.touch_job_of(kept);
        let Some(job) = self.places.get_mut(kept.job as usize) else { return };
        job.services -= u32::from(kept.task.assigned.task.is_service);
        if job.is_empty() {
            *job = JobTasks::default();
            self.forget_job(kept.task.job(), kept.job);
        }
    }

    /// A task has changed from what it was.
    pub(super) fn changed(&mut self, slot: Slot, kept: &Kept, before: &Before, hosts: &Hosts) {
        let now = Before::of(&kept.task);
        self.leaves(slot, kept, before, Some(&now), hosts);
        self.enters(slot, kept, Some(before), hosts);
        self.touch_job_of(kept);
    }

    /// Takes a task out of where it was and will not be any more.
    fn leaves(
        &mut self,
        slot: Slot,
        kept: &Kept,
        was: &Before,
        will_be: Option<&Before>,
        hosts: &Hosts,
    ) {
        let task = &kept.task;
        if let Some(count) = self.counts.get_mut(&was.state) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&was.state);
            }
        }
        let Some(job) = self.places.get_mut(kept.job as usize) else { return };
        job.states[was.state as usize] -= 1;
        let mut left: Option<Arc<str>> = None;
        let stays = will_be.is_some_and(|now| class(now.state) == class(was.state));
        if !stays || was.state.is_terminal() {
            match class(was.state) {
                Class::Active => {
                    job.active.remove(&(task.assigned.instance, slot));
                }
                Class::Ended => {
                    job.ended.remove(&(was.end, task.id().clone()));
                    if let Some((_, host)) = &task.assigned.agent
                        && let Some(on) = self.on_host.get_mut(host)
                    {
                        on.ended.remove(task.id());
                        on.touched = self.now;
                        left = Some(host.clone());
                    }
                }
                Class::Made => {
                    job.others.remove(task.id());
                }
            }
        }
        if class(was.state) == Class::Active
            && !stays
            && let Some(usage) = self.usage.get_mut(task.job().role())
        {
            usage.remove(&task.assigned.task);
            if usage.is_empty() {
                self.usage.remove(task.job().role());
            }
        }
        if let Some(host) = &was.host
            && will_be.is_none_or(|now| now.host.as_ref() != Some(host))
        {
            if !job.spread.is_empty()
                && let Some(known) = hosts.get(host)
            {
                job.spread.remove(&known.attributes);
            }
            if let Some(on) = self.on_host.get_mut(host) {
                if let Ok(place) = on.tasks.binary_search(task.id()) {
                    on.tasks.remove(place);
                    on.load.change(&task.assigned.task, u64::wrapping_sub);
                }
                on.touched = self.now;
                left = Some(host.clone());
            }
        }
        if let Some(host) = left {
            self.forget_host(&host);
        }
    }

    /// Puts a task where it is now and was not before.
    fn enters(&mut self, slot: Slot, kept: &Kept, was: Option<&Before>, hosts: &Hosts) {
        let task = &kept.task;
        *self.counts.entry(task.state).or_default() += 1;
        let Some(job) = self.places.get_mut(kept.job as usize) else { return };
        job.states[task.state as usize] += 1;
        let stayed = was.is_some_and(|was| class(was.state) == class(task.state));
        if !stayed || task.state.is_terminal() {
            match class(task.state) {
                Class::Active => {
                    job.active.insert((task.assigned.instance, slot));
                }
                Class::Ended => {
                    job.ended.insert((end(task), task.id().clone()));
                    if let Some((_, host)) = &task.assigned.agent {
                        let on = self.on_host.entry(host.clone()).or_default();
                        on.ended.insert(task.id().clone());
                        on.touched = self.now;
                    }
                }
                Class::Made => {
                    job.others.insert(task.id().clone());
                }
            }
        }
        if class(task.state) == Class::Active && !stayed {
            match self.usage.get_mut(task.job().role()) {
                Some(usage) => usage.add(&task.assigned.task),
                None => {
                    let mut usage = Usage::default();
                    usage.add(&task.assigned.task);
                    self.usage.insert(Role::from(task.job()), usage);
                }
            }
        }
        let Some(host) = host_of(task) else { return };
        if was.is_some_and(|was| was.host.as_ref() == Some(host)) {
            self.touch_host(host);
        } else {
            if !job.spread.is_empty()
                && let Some(known) = hosts.get(host)
            {
                job.spread.add(&known.attributes);
            }
            let on = self.on_host.entry(host.clone()).or_default();
            if let Err(place) = on.tasks.binary_search(task.id()) {
                on.tasks.insert(place, task.id().clone());
                on.load.change(&task.assigned.task, u64::wrapping_add);
            }
            on.touched = self.now;
        }
    }
}

impl HostLoad {
    fn change(&mut self, config: &TaskConfig, f: fn(u64, u64) -> u64) {
        self.all.change(config, f);
        if !config.production {
            self.soft.change(config, f);
        }
    }
}

/// Where a job keeps a task.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Made,
    Active,
    Ended,
}

fn class(state: TaskState) -> Class {
    if state.is_terminal() {
        Class::Ended
    } else if state.is_active() {
        Class::Active
    } else {
        Class::Made
    }
}

/// The host that has the task, or is thought to.
pub(super) fn host_of(task: &ScheduledTask) -> Option<&Arc<str>> {
    let (_, host) = task.assigned.agent.as_ref()?;
    task.state.is_slave_assigned().then_some(host)
}

fn end(task: &ScheduledTask) -> Timestamp {
    task.latest_event().map_or(Timestamp(0), |event| event.timestamp)
}
