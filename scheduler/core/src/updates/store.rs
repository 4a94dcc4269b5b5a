//! What the log holds of updates, and how it is found.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use aurora_model::job::{TaskConfig, Timestamp};
use aurora_model::key::{JobKey, TaskId, UpdateId};
use aurora_model::update::{InstanceAction, InstanceEvent, JobUpdate, UpdateEvent, UpdateKey};
use aurora_model::update::{UpdateSettings, UpdateStatus};

use super::course::{Course, Phase, Taken, Tally};
use super::table::is_back;
use crate::state::Misfit;

/// How many events of instances one op of a snapshot holds.
const EVENTS_PER_OP: usize = 1000;

/// An update as a snapshot has it, but for the events of its instances; a new one likewise.
#[derive(Debug, Clone, PartialEq)]
pub struct UpdateSnapshot {
    /// What does not change of it.
    pub update: Arc<JobUpdate>,
    /// What happened to it, oldest first; never empty.
    pub events: Vec<UpdateEvent>,
    /// The instances that have been taken up in its present direction.
    pub taken: Vec<(u32, Taken)>,
    /// Whether anything was done since the last pause between two batches.
    pub acted: bool,
    /// When the last pulse came.
    pub last_pulse: Option<Timestamp>,
    /// How far it had come when it ended.
    pub tally: Option<Tally>,
}

/// A durable change.
#[derive(Debug, Clone, PartialEq)]
pub enum UpdateOp {
    /// A new update, or one as a snapshot has it.
    Put(Box<UpdateSnapshot>),
    /// An update comes to another status.
    Status {
        /// The update.
        key: UpdateKey,
        /// Which status, when and why.
        event: UpdateEvent,
        /// Whether it pauses because a batch is done.
        between_batches: bool,
    },
    /// An instance has come so far.
    Phase {
        /// The update.
        key: UpdateKey,
        /// The instance.
        instance: u32,
        /// How far.
        phase: Phase,
    },
    /// An instance has failed once more.
    Failure {
        /// The update.
        key: UpdateKey,
        /// The instance.
        instance: u32,
    },
    /// What happened to instances.
    Events {
        /// The update.
        key: UpdateKey,
        /// Oldest first.
        events: Vec<InstanceEvent>,
    },
    /// A pulse has come.
    Pulse {
        /// The update.
        key: UpdateKey,
        /// When.
        at: Timestamp,
    },
    /// A new run of an instance, with the configuration that the update has for it.
    Add {
        /// The update.
        key: UpdateKey,
        /// The instance.
        instance: u32,
        /// The run.
        task: TaskId,
    },
    /// Updates are no longer remembered.
    Remove(Vec<UpdateKey>),
}

/// An update.
#[derive(Debug, Clone, PartialEq)]
pub struct Update {
    update: Arc<JobUpdate>,
    /// Never empty.
    events: Vec<UpdateEvent>,
    instance_events: Vec<InstanceEvent>,
    /// What instance events there are, to be found quickly.
    recorded: BTreeSet<(u32, InstanceAction)>,
    /// Nothing once the update is over.
    pub(super) course: Course,
    tally: Option<Tally>,
    last_pulse: Option<Timestamp>,
    status: UpdateStatus,
    modified: Timestamp,
}

impl Update {
    fn new(snapshot: &UpdateSnapshot) -> Result<Self, Misfit> {
        let UpdateSnapshot { update, events, taken, acted, last_pulse, tally } = snapshot;
        let Some(latest) = events.last() else { return Err(misfit(&update.key)) };
        let mut course = match latest.status.is_terminal() {
            true => Course::default(),
            false => Course::new(update, is_back(latest.status)),
        };
        taken.iter().for_each(|(instance, taken)| course.restore(*instance, *taken));
        course.acted = *acted;
        Ok(Self {
            update: update.clone(),
            events: events.clone(),
            instance_events: Vec::new(),
            recorded: BTreeSet::new(),
            course,
            tally: *tally,
            last_pulse: *last_pulse,
            status: latest.status,
            // A clock that went back must not make it older than the ops, one by one, do.
            modified: events.iter().map(|event| event.timestamp).max().unwrap_or(latest.timestamp),
        })
    }

    /// What does not change of it.
    pub fn update(&self) -> &JobUpdate {
        &self.update
    }

    /// How it goes about it.
    pub fn settings(&self) -> &UpdateSettings {
        &self.update.instructions.settings
    }

    /// Where it is in its life.
    pub fn status(&self) -> UpdateStatus {
        self.status
    }

    /// When it was started.
    pub fn created(&self) -> Timestamp {
        self.events.first().map_or(self.modified, |event| event.timestamp)
    }

    /// When something last happened to it.
    pub fn modified(&self) -> Timestamp {
        self.modified
    }

    /// What happened to it, oldest first.
    pub fn events(&self) -> &[UpdateEvent] {
        &self.events
    }

    /// What happened to its instances, oldest first.
    pub fn instance_events(&self) -> &[InstanceEvent] {
        &self.instance_events
    }

    /// How many of its instances have come how far in its last direction.
    pub fn tally(&self) -> Tally {
        self.tally.unwrap_or_else(|| self.course.tally())
    }

    /// Whether it needs pulses and has had none in time.
    pub fn lacks_pulse(&self, now: Timestamp) -> bool {
        self.pulse_ends().is_some_and(|end| end.is_none_or(|end| end <= now))
    }

    /// Until when it may go on; nothing within if no pulse has come, nothing at all if none is
    /// needed.
    pub(super) fn pulse_ends(&self) -> Option<Option<Timestamp>> {
        let timeout = i64::from(self.settings().pulse_timeout_ms?);
        Some(self.last_pulse.map(|last| last.plus_ms(timeout)))
    }

    pub(super) fn is_back(&self) -> bool {
        is_back(self.status)
    }

    pub(super) fn was_recorded(&self, instance: u32, action: InstanceAction) -> bool {
        self.recorded.contains(&(instance, action))
    }

    pub(super) fn has_events(&self, instance: u32) -> bool {
        InstanceAction::ALL.iter().any(|action| self.was_recorded(instance, *action))
    }

    /// What an instance is to be in the update's present direction; nothing if it is to go.
    pub(super) fn wanted(&self, instance: u32) -> Option<&Arc<TaskConfig>> {
        let instructions = &self.update.instructions;
        let found = match self.is_back() {
            true => instructions.initial.iter().find(|config| config.contains(instance)),
            false => instructions.desired.as_ref().filter(|desired| {
                let mut surge = instructions.surge.iter();
                desired.contains(instance) || surge.any(|range| range.contains(instance))
            }),
        };
        found.map(|config| &config.task)
    }

    fn to_ops(&self) -> impl Iterator<Item = UpdateOp> + '_ {
        let snapshot = UpdateSnapshot {
            update: self.update.clone(),
            events: self.events.clone(),
            taken: self.course.taken().collect(),
            acted: self.course.acted,
            last_pulse: self.last_pulse,
            tally: self.tally,
        };
        let events = self.instance_events.chunks(EVENTS_PER_OP).map(|events| UpdateOp::Events {
            key: self.update.key.clone(),
            events: events.to_vec(),
        });
        std::iter::once(UpdateOp::Put(Box::new(snapshot))).chain(events)
    }
}

/// The last change first.
type ByChange = BTreeSet<(Reverse<Timestamp>, UpdateKey)>;

/// What the log holds of updates.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Updates {
    /// Never with a job that has none.
    jobs: BTreeMap<JobKey, BTreeMap<UpdateId, Arc<Update>>>,
    /// By role, the update that each job is in: at most one. Never with a role that has none.
    active: BTreeMap<String, BTreeMap<JobKey, UpdateId>>,
    by_change: ByChange,
    /// Never with a role that has none.
    by_role: BTreeMap<String, ByChange>,
}

fn misfit(key: &UpdateKey) -> Misfit {
    Misfit { what: key.to_string() }
}

impl Updates {
    pub(crate) fn apply(&mut self, op: &UpdateOp) -> Result<(), Misfit> {
        match op {
            UpdateOp::Put(snapshot) => {
                let update = Update::new(snapshot)?;
                let key = update.update.key.clone();
                self.unlist(&key);
                let updates = self.jobs.entry(key.job.clone()).or_default();
                updates.insert(key.id.clone(), Arc::new(update));
                self.list(&key);
            }
            UpdateOp::Status { key, event, between_batches } => self.change(key, |update| {
                let turns = is_back(event.status) && !is_back(update.status);
                update.status = event.status;
                update.modified = update.modified.max(event.timestamp);
                update.events.push(event.clone());
                if event.status.is_terminal() {
                    update.tally = Some(update.course.tally());
                    update.course = Course::default();
                } else if turns {
                    update.course = Course::new(&update.update, true);
                }
                if *between_batches {
                    update.course.acted = false;
                }
            })?,
            UpdateOp::Phase { key, instance, phase } => {
                self.known(key)?.course.set(*instance, *phase);
            }
            UpdateOp::Failure { key, instance } => self.known(key)?.course.count_failure(*instance),
            UpdateOp::Events { key, events } => self.change(key, |update| {
                for event in events {
                    update.modified = update.modified.max(event.timestamp);
                    update.recorded.insert((event.instance, event.action));
                    update.instance_events.push(event.clone());
                }
            })?,
            UpdateOp::Pulse { key, at } => self.known(key)?.last_pulse = Some(*at),
            // The task is the state's to make; see [`Updates::wanted`].
            UpdateOp::Add { key, .. } => {
                self.known(key)?;
            }
            UpdateOp::Remove(keys) => {
                for key in keys {
                    self.known(key)?;
                }
                keys.iter().for_each(|key| self.remove(key));
            }
        }
        Ok(())
    }

    /// Changes something of an update by which it is found.
    fn change(&mut self, key: &UpdateKey, how: impl FnOnce(&mut Update)) -> Result<(), Misfit> {
        self.known(key)?;
        self.unlist(key);
        how(self.known(key)?);
        self.list(key);
        Ok(())
    }

    fn known(&mut self, key: &UpdateKey) -> Result<&mut Update, Misfit> {
        let updates = self.jobs.get_mut(&key.job);
        let update = updates.and_then(|updates| updates.get_mut(&key.id));
        // A copy that is being written down keeps what it had.
        update.map(Arc::make_mut).ok_or_else(|| misfit(key))
    }

    fn list(&mut self, key: &UpdateKey) {
        let Some(update) = self.get(key) else { return };
        let entry = (Reverse(update.modified), key.clone());
        let role = key.job.role().to_owned();
        if !update.status.is_terminal() {
            let active = self.active.entry(role.clone()).or_default();
            active.insert(key.job.clone(), key.id.clone());
        }
        self.by_role.entry(role).or_default().insert(entry.clone());
        self.by_change.insert(entry);
    }

    fn unlist(&mut self, key: &UpdateKey) {
        let Some(update) = self.get(key) else { return };
        let entry = (Reverse(update.modified), key.clone());
        let role = key.job.role();
        if let Some(active) = self.active.get_mut(role)
            && active.get(&key.job) == Some(&key.id)
        {
            active.remove(&key.job);
            if active.is_empty() {
                self.active.remove(role);
            }
        }
        if let Some(of_role) = self.by_role.get_mut(role) {
            of_role.remove(&entry);
            if of_role.is_empty() {
                self.by_role.remove(role);
            }
        }
        self.by_change.remove(&entry);
    }

    fn remove(&mut self, key: &UpdateKey) {
        self.unlist(key);
        if let Some(updates) = self.jobs.get_mut(&key.job) {
            updates.remove(&key.id);
            if updates.is_empty() {
                self.jobs.remove(&key.job);
            }
        }
    }

    /// An update.
    pub fn get(&self, key: &UpdateKey) -> Option<&Update> {
        self.jobs.get(&key.job)?.get(&key.id).map(|update| &**update)
    }

    /// The update that a job is in.
    pub fn active_of(&self, job: &JobKey) -> Option<&Update> {
        self.jobs.get(job)?.get(self.active.get(job.role())?.get(job)?).map(|update| &**update)
    }

    /// Every update that is not over, by job.
    pub fn active(&self) -> impl Iterator<Item = &Update> {
        let jobs = self.active.values().flat_map(BTreeMap::keys);
        jobs.filter_map(|job| self.active_of(job))
    }

    /// The updates of a role that are not over, by job.
    pub(super) fn active_of_role(&self, role: &str) -> impl Iterator<Item = &Update> {
        let jobs = self.active.get(role).into_iter().flat_map(BTreeMap::keys);
        jobs.filter_map(|job| self.active_of(job))
    }

    /// The updates of a job, those that are over included, by id.
    pub(super) fn of_job(&self, job: &JobKey) -> impl Iterator<Item = &Update> + use<'_> {
        self.jobs.get(job).into_iter().flat_map(BTreeMap::values).map(|update| &**update)
    }

    /// The updates of a role, or all if none is given, the last changed first; only those that come
    /// after one that changed at a time.
    pub(super) fn by_change<'a>(
        &'a self,
        role: &str,
        after: Option<&(Timestamp, UpdateKey)>,
    ) -> impl Iterator<Item = &'a Update> + use<'a> {
        let list = match role {
            "" => Some(&self.by_change),
            role => self.by_role.get(role),
        };
        let start = after
            .map_or(Bound::Unbounded, |(time, key)| Bound::Excluded((Reverse(*time), key.clone())));
        let found =
            list.into_iter().flat_map(move |list| list.range((start.clone(), Bound::Unbounded)));
        found.filter_map(|(_, key)| self.get(key))
    }

    /// What an instance is to be.
    pub(crate) fn config_for(
        &self,
        key: &UpdateKey,
        instance: u32,
    ) -> Result<Arc<TaskConfig>, Misfit> {
        let wanted = self.get(key).and_then(|update| update.wanted(instance));
        wanted.cloned().ok_or_else(|| misfit(key))
    }

    /// How many updates there are.
    pub fn len(&self) -> usize {
        self.by_change.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_change.is_empty()
    }

    /// The jobs that have updates, from one on or all.
    pub(super) fn jobs_from(&self, from: Option<&JobKey>) -> impl Iterator<Item = &JobKey> {
        let start = from.map_or(Bound::Unbounded, Bound::Included);
        self.jobs.range::<JobKey, _>((start, Bound::Unbounded)).map(|(job, _)| job)
    }

    /// The same updates, shared until they change, of which none is found but by its job.
    pub(crate) fn frozen(&self) -> Self {
        Self { jobs: self.jobs.clone(), ..Self::default() }
    }

    pub(crate) fn to_ops(&self) -> impl Iterator<Item = UpdateOp> + '_ {
        self.jobs.values().flat_map(BTreeMap::values).flat_map(|update| update.to_ops())
    }
}
