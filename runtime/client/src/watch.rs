//! What happens to tasks and updates, as the scheduler tells it, however often the connection is lost.

use std::time::{Duration, Instant};

use aurora_api::v1;
use tonic::{Status, Streaming};

use crate::error::{Code, Error};
use crate::scheduler::{Pauses, Scheduler, is_unreachable};

/// How long a scheduler may be out of reach meanwhile: another one may be about to take over.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A watch that lived for so long was well, even if nothing was told over it.
const WELL: Duration = Duration::from_secs(5);

/// What is told of tasks.
#[derive(Debug, Clone, PartialEq)]
pub enum Seen {
    /// All tasks are told once more: first how they are now.
    Anew,
    /// A task as it is now, and why it waits if it does.
    Task(Box<v1::ScheduledTask>, Option<String>),
    /// The task of this id is no longer remembered.
    Gone(String),
    /// Every task has been told as it is.
    All,
}

/// The tasks that match a query.
#[derive(Debug)]
pub struct Tasks {
    scheduler: Scheduler,
    query: v1::TaskQuery,
    stream: Option<Streaming<v1::WatchTasksResponse>>,
    is_new: bool,
    lost: Lost,
}

impl Tasks {
    /// Begins to watch.
    pub async fn open(scheduler: &Scheduler, query: v1::TaskQuery) -> Result<Self, Error> {
        let stream = Some(scheduler.watch(query.clone()).await?);
        Ok(Self {
            scheduler: scheduler.clone(),
            query,
            stream,
            is_new: true,
            lost: Lost::default(),
        })
    }

    /// What is told next. Nothing is lost if this is given up and called again.
    pub async fn next(&mut self) -> Result<Seen, Error> {
        loop {
            let Some(stream) = &mut self.stream else {
                let left = self.lost.pause().await?;
                self.stream = Some(self.scheduler.patient(left).watch(self.query.clone()).await?);
                self.lost.opened = Some(Instant::now());
                self.is_new = true;
                continue;
            };
            if std::mem::take(&mut self.is_new) {
                return Ok(Seen::Anew);
            }
            let message = stream.message().await;
            if let Ok(Some(_)) = &message {
                self.lost = Lost::default();
            }
            match message {
                Ok(Some(message)) if message.synced => return Ok(Seen::All),
                Ok(Some(v1::WatchTasksResponse {
                    task: Some(task),
                    deleted,
                    pending_reason,
                    ..
                })) => {
                    return Ok(if deleted {
                        Seen::Gone(task.assigned.map(|it| it.task_id).unwrap_or_default())
                    } else {
                        Seen::Task(Box::new(task), pending_reason)
                    });
                }
                Ok(Some(_)) => {}
                Ok(None) => self.stream = None,
                Err(status) => {
                    check_lost(&self.scheduler, &status)?;
                    self.stream = None;
                }
            }
        }
    }
}

/// Something that happened to one job, of certain kinds. What happened meanwhile when the connection was
/// lost is not told: whoever hears of a change looks how things are.
#[derive(Debug)]
pub struct Changes {
    scheduler: Scheduler,
    request: v1::WatchEventsRequest,
    stream: Option<Streaming<v1::WatchEventsResponse>>,
    lost: Lost,
}

impl Changes {
    /// Begins to watch; changes after this are told.
    pub async fn open(
        scheduler: &Scheduler,
        job: v1::JobKey,
        kinds: &[v1::EventKind],
    ) -> Result<Self, Error> {
        let request = v1::WatchEventsRequest {
            jobs: vec![job],
            kinds: kinds.iter().map(|kind| *kind as i32).collect(),
            ..v1::WatchEventsRequest::default()
        };
        let stream = Some(scheduler.watch_events(request.clone()).await?);
        Ok(Self { scheduler: scheduler.clone(), request, stream, lost: Lost::default() })
    }

    /// Waits for a change. Nothing is lost if this is given up and called again.
    pub async fn next(&mut self) -> Result<(), Error> {
        loop {
            let Some(stream) = &mut self.stream else {
                let left = self.lost.pause().await?;
                let scheduler = self.scheduler.patient(left);
                self.stream = Some(scheduler.watch_events(self.request.clone()).await?);
                self.lost.opened = Some(Instant::now());
                return Ok(());
            };
            let message = stream.message().await;
            if let Ok(Some(_)) = &message {
                self.lost = Lost::default();
            }
            let ended = match message {
                Ok(Some(message)) => match message.message {
                    // It says how far the stream is.
                    Some(v1::watch_events_response::Message::Progress(_)) | None => continue,
                    Some(_) => return Ok(()),
                },
                Ok(None) => None,
                Err(status) => Some(status),
            };
            if let Some(status) = ended {
                check_lost(&self.scheduler, &status)?;
            }
            self.stream = None;
        }
    }
}

/// A connection that was lost and over which nothing was told since.
#[derive(Debug, Default)]
struct Lost {
    since: Option<Instant>,
    /// When it was made again last.
    opened: Option<Instant>,
    pauses: Pauses,
}

impl Lost {
    /// Waits before it is made again, longer each time. Gives for how long it may still be lost; nothing is lost
    /// if this is given up and called again.
    async fn pause(&mut self) -> Result<Duration, Error> {
        if self.opened.take().is_some_and(|opened| opened.elapsed() >= WELL) {
            *self = Self::default();
        }
        let since = *self.since.get_or_insert_with(Instant::now);
        let left = PATIENCE.saturating_sub(since.elapsed());
        if left.is_zero() {
            return Err(Error::new(
                Code::Timeout,
                format!(
                    "the scheduler has ended every watch at once for {}",
                    humantime::format_duration(PATIENCE)
                ),
            ));
        }
        tokio::time::sleep(self.pauses.next()).await;
        Ok(left)
    }
}

/// Whether a stream has ended so that it can be begun again: the scheduler drops those who are too slow, and it
/// may be started again.
fn check_lost(scheduler: &Scheduler, status: &Status) -> Result<(), Error> {
    if status.code() == tonic::Code::Aborted || is_unreachable(status) {
        return Ok(());
    }
    Err(Error::new(
        Code::Api,
        format!(
            "the scheduler at {} has failed while it was watched: {}",
            scheduler.address(),
            status.message()
        ),
    ))
}
