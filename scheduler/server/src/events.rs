//! The service `Events`.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::time::Duration;

use aurora_api::convert::task_state;
use aurora_api::v1;
use aurora_api::v1::events_server::Events;
use aurora_api::v1::watch_events_response::Message;
use aurora_model::cron::CronRun;
use aurora_model::job::TaskState;
use aurora_model::key::{JobKey, Role};
use aurora_model::update::{InstanceEvent, UpdateEvent, UpdateKey};
use aurora_scheduler_core::{Change, Event, Forgotten, Moved};
use futures::Stream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Response, Status};

use crate::actor::Ended;
use crate::grpc::{Api, ended, failure, invalid};

/// Messages that a reader may leave unread before it is waited for.
const UNREAD: usize = 64;
/// How often a reader whom no event interests is told how far it has come.
const PROGRESS: Duration = Duration::from_secs(5);

/// Which events are meant: all conditions must hold, an empty one always does.
#[derive(Debug, Default)]
struct Filter {
    kinds: BTreeSet<v1::EventKind>,
    roles: BTreeSet<String>,
    jobs: BTreeSet<JobKey>,
    states: BTreeSet<TaskState>,
    hosts: BTreeSet<String>,
}

impl TryFrom<v1::WatchEventsRequest> for Filter {
    type Error = Status;

    fn try_from(request: v1::WatchEventsRequest) -> Result<Self, Status> {
        let kind = |number: i32| match v1::EventKind::try_from(number) {
            Ok(v1::EventKind::Unspecified) | Err(_) => {
                Err(invalid(format!("kinds has the unknown value {number}")))
            }
            Ok(kind) => Ok(kind),
        };
        let role = |role: &String| Role::new(role).map(|_| role.clone()).map_err(invalid);
        Ok(Self {
            kinds: request.kinds.into_iter().map(kind).collect::<Result<_, _>>()?,
            roles: request.roles.iter().map(role).collect::<Result<_, _>>()?,
            jobs: request
                .jobs
                .iter()
                .map(|job| JobKey::try_from(job).map_err(invalid))
                .collect::<Result<_, _>>()?,
            states: request
                .states
                .into_iter()
                .map(|state| task_state(state).map_err(invalid))
                .collect::<Result<_, _>>()?,
            hosts: request.hosts.into_iter().collect(),
        })
    }
}

impl Filter {
    /// The event as it is sent, if it is meant.
    fn apply(&self, event: &Event) -> Option<v1::Event> {
        use v1::event::Change as Sent;
        let change = match &event.change {
            Change::Task(moved) => {
                let host = moved.host.as_deref();
                (self.has_kind(v1::EventKind::Task)
                    && self.is_of(Some(moved.job.role()), Some(&moved.job), host)
                    && has(&self.states, Some(&moved.to)))
                .then(|| Sent::Task(moved_to_proto(moved)))?
            }
            Change::Forgotten(tasks) => {
                // Nothing has gone to another state, and nothing is on a host.
                if !self.has_kind(v1::EventKind::Task) || !self.states.is_empty() {
                    return None;
                }
                let meant = tasks
                    .iter()
                    .filter(|task| self.is_of(Some(task.job.role()), Some(&task.job), None))
                    .map(forgotten_to_proto);
                let tasks: Vec<_> = meant.collect();
                if tasks.is_empty() {
                    return None;
                }
                Sent::Forgotten(v1::TasksForgotten { tasks })
            }
            Change::Host { name, agent, attributes } => (self.has_kind(v1::EventKind::Host)
                && self.states.is_empty()
                && self.is_of(None, None, Some(name)))
            .then(|| {
                let attribute = |(name, values): (&String, &BTreeSet<String>)| {
                    let values = values.iter().cloned().collect();
                    v1::HostAttribute { name: name.clone(), values }
                };
                Sent::Host(v1::HostChanged {
                    host: name.clone(),
                    agent_id: Some(agent.to_string()),
                    attributes: attributes.iter().map(attribute).collect(),
                    mode: None,
                })
            })?,
            Change::Quota { role, quota } => (self.has_kind(v1::EventKind::Quota)
                && self.states.is_empty()
                && self.is_of(Some(role.as_str()), None, None))
            .then(|| {
                Sent::Quota(v1::QuotaChanged {
                    role: role.to_string(),
                    quota: quota.as_ref().map(v1::ResourceAggregate::from),
                })
            })?,
            Change::HostMode { host, mode } => (self.has_kind(v1::EventKind::Host)
                && self.states.is_empty()
                && self.is_of(None, None, Some(host)))
            .then(|| {
                Sent::Host(v1::HostChanged {
                    host: host.clone(),
                    mode: Some(v1::MaintenanceMode::from(*mode) as i32),
                    ..v1::HostChanged::default()
                })
            })?,
            Change::UpdateStatus { key, event } => self.update(key, Some(event), &[])?,
            Change::UpdateInstances { key, events } => self.update(key, None, events)?,
            Change::CronScheduled(job) => self.cron(job, v1::CronChange::Scheduled, &[])?,
            Change::CronDescheduled(job) => self.cron(job, v1::CronChange::Descheduled, &[])?,
            Change::CronRuns { job, runs } => self.cron(job, v1::CronChange::Run, runs)?,
        };
        Some(v1::Event { version: event.version, timestamp_ms: event.at.0, change: Some(change) })
    }

    fn update(
        &self,
        key: &UpdateKey,
        status: Option<&UpdateEvent>,
        instances: &[InstanceEvent],
    ) -> Option<v1::event::Change> {
        let is_meant = self.has_kind(v1::EventKind::Update)
            && self.states.is_empty()
            && self.is_of(Some(key.job.role()), Some(&key.job), None);
        is_meant.then(|| {
            v1::event::Change::Update(v1::UpdateChanged {
                key: Some(v1::UpdateKey::from(key)),
                status: status.map(v1::UpdateEvent::from),
                instances: instances.iter().map(v1::InstanceEvent::from).collect(),
            })
        })
    }

    fn cron(
        &self,
        job: &JobKey,
        change: v1::CronChange,
        runs: &[CronRun],
    ) -> Option<v1::event::Change> {
        let is_meant = self.has_kind(v1::EventKind::Cron)
            && self.states.is_empty()
            && self.is_of(Some(job.role()), Some(job), None);
        is_meant.then(|| {
            v1::event::Change::Cron(v1::CronChanged {
                job: Some(v1::JobKey::from(job)),
                change: change as i32,
                runs: runs.iter().map(v1::CronRun::from).collect(),
            })
        })
    }

    fn has_kind(&self, kind: v1::EventKind) -> bool {
        has(&self.kinds, Some(&kind))
    }

    fn is_of(&self, role: Option<&str>, job: Option<&JobKey>, host: Option<&str>) -> bool {
        let named = |names: &BTreeSet<String>, name: Option<&str>| {
            names.is_empty() || name.is_some_and(|name| names.contains(name))
        };
        named(&self.roles, role) && has(&self.jobs, job) && named(&self.hosts, host)
    }
}

fn has<T: Ord>(wanted: &BTreeSet<T>, value: Option<&T>) -> bool {
    wanted.is_empty() || value.is_some_and(|value| wanted.contains(value))
}

fn moved_to_proto(moved: &Moved) -> v1::TaskChanged {
    v1::TaskChanged {
        task_id: moved.id.to_string(),
        job: Some(v1::JobKey::from(&moved.job)),
        instance: moved.instance,
        from: v1::TaskState::from(moved.from) as i32,
        to: v1::TaskState::from(moved.to) as i32,
        message: moved.message.clone(),
        host: moved.host.as_deref().map(str::to_owned),
    }
}

fn forgotten_to_proto(task: &Forgotten) -> v1::tasks_forgotten::Task {
    v1::tasks_forgotten::Task {
        task_id: task.id.to_string(),
        job: Some(v1::JobKey::from(&task.job)),
        instance: task.instance,
        state: v1::TaskState::from(task.state) as i32,
    }
}

#[tonic::async_trait]
impl Events for Api {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<v1::WatchEventsResponse, Status>> + Send>>;

    async fn watch(
        &self,
        request: Request<v1::WatchEventsRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let request = request.into_inner();
        let now = self.events.version();
        let begin = request.after_version.unwrap_or(now);
        if begin > now {
            let message = format!(
                "version {begin} has not been reached: this scheduler is at {now}. If its log was \
                 replaced, look at how things are anew and watch without after_version"
            );
            return Err(failure(Code::OutOfRange, "VERSION_AHEAD", message));
        }
        let filter = Filter::try_from(request)?;
        let (sender, receiver) = mpsc::channel(UNREAD);
        let api = self.clone();
        tokio::spawn(async move {
            let result = tokio::select! {
                result = api.follow(&filter, begin, &sender) => result,
                () = api.stop.cancelled() => Err(ended(Ended)),
                () = sender.closed() => return,
            };
            if let Err(status) = result {
                // The caller may have hung up.
                let _ = sender.send(Err(status)).await;
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }
}

type Sender = mpsc::Sender<Result<v1::WatchEventsResponse, Status>>;

impl Api {
    /// Sends what happens until the caller hangs up. Waiting for the caller keeps nobody else
    /// waiting: what it misses meanwhile it is told of.
    async fn follow(&self, filter: &Filter, begin: u64, sender: &Sender) -> Result<(), Status> {
        let mut changes = self.events.changes();
        let mut version = begin;
        send(sender, Message::Progress(v1::Progress { version })).await?;
        let mut told = version;
        let mut progress = tokio::time::interval(PROGRESS);
        loop {
            changes.mark_unchanged();
            let read = self.events.after(version);
            if let Some((from, to)) = read.missed {
                metrics::counter!("events_missed").increment(1);
                send(sender, Message::Missed(v1::Missed { from, to })).await?;
                told = to;
            }
            for event in &read.events {
                if let Some(event) = filter.apply(event) {
                    told = event.version;
                    send(sender, Message::Event(event)).await?;
                }
            }
            let is_all = read.version == version;
            version = read.version;
            if !is_all {
                continue;
            }
            tokio::select! {
                changed = changes.changed() => changed.map_err(|_| ended(Ended))?,
                _ = progress.tick() => {
                    if told < version {
                        send(sender, Message::Progress(v1::Progress { version })).await?;
                        told = version;
                    }
                }
            }
        }
    }
}

async fn send(sender: &Sender, message: Message) -> Result<(), Status> {
    let message = v1::WatchEventsResponse { message: Some(message) };
    sender.send(Ok(message)).await.map_err(|_| Status::cancelled("the caller has hung up"))
}
