//! What happens to tasks and updates, as the scheduler tells it, however often the connection is lost.

use std::time::{Duration, Instant};

use aurora_api::v1;
use tonic::{Status, Streaming};

use crate::error::{Code, Error};
use crate::scheduler::{Scheduler, is_unreachable};

/// How long a scheduler may be out of reach meanwhile: another one may be about to take over.
pub const PATIENCE: Duration = Duration::from_secs(120);

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
    /// When the connection was lost, while it is.
    lost: Option<Instant>,
}

impl Tasks {
    /// Begins to watch.
    pub async fn open(scheduler: &Scheduler, query: v1::TaskQuery) -> Result<Self, Error> {
        let stream = Some(scheduler.watch(query.clone()).await?);
        Ok(Self { scheduler: scheduler.clone(), query, stream, is_new: true, lost: None })
    }

    /// What is told next. Nothing is lost if this is given up and called again.
    pub async fn next(&mut self) -> Result<Seen, Error> {
        loop {
            let Some(stream) = &mut self.stream else {
                let left = left(&mut self.lost);
                self.stream = Some(self.scheduler.patient(left).watch(self.query.clone()).await?);
                (self.is_new, self.lost) = (true, None);
                continue;
            };
            if std::mem::take(&mut self.is_new) {
                return Ok(Seen::Anew);
            }
            match stream.message().await {
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
    lost: Option<Instant>,
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
        Ok(Self { scheduler: scheduler.clone(), request, stream, lost: None })
    }

    /// Waits for a change. Nothing is lost if this is given up and called again.
    pub async fn next(&mut self) -> Result<(), Error> {
        loop {
            let Some(stream) = &mut self.stream else {
                let left = left(&mut self.lost);
                let scheduler = self.scheduler.patient(left);
                self.stream = Some(scheduler.watch_events(self.request.clone()).await?);
                self.lost = None;
                return Ok(());
            };
            let ended = match stream.message().await {
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

/// How long the connection may still be lost.
fn left(lost: &mut Option<Instant>) -> Duration {
    PATIENCE.saturating_sub(lost.get_or_insert_with(Instant::now).elapsed())
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
