//! Backups by the clock, and the service `Backups`.

use std::sync::Arc;
use std::time::Duration;

use aurora_api::v1;
use aurora_api::v1::backups_server::Backups;
use aurora_scheduler_core::{Recovery, State, TaskCursor, TaskQuery};
use aurora_scheduler_storage::{BackupError, BackupName, Backups as Folder};
use prost::Message;
use tokio::sync::{Mutex, oneshot};
use tonic::{Code, Request, Response, Status};

use crate::actor::{Core, in_background, now};
use crate::grpc::{Api, ended, failure, invalid, query, task_cursor};
use crate::pages::{fit, page_size};
use crate::task_pages::task_to_proto;

/// How long after a start, or after a backup that failed, one is made by the clock, at most.
const RETRY: Duration = Duration::from_secs(60);

/// Keeps backups, and what of them is staged. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Keeper {
    folder: Folder,
    /// How many are kept.
    keep: usize,
    /// Held while one is written.
    writing: Arc<Mutex<()>>,
    staged: Arc<Mutex<Option<Staged>>>,
}

/// A backup that was read.
struct Staged {
    name: BackupName,
    recovery: Recovery,
}

impl Keeper {
    pub(crate) fn new(folder: Folder, keep: u32) -> Self {
        Self {
            folder,
            keep: usize::try_from(keep).unwrap_or(usize::MAX),
            writing: Arc::default(),
            staged: Arc::default(),
        }
    }

    /// Makes a backup every so often, soon if the newest is older, until the scheduler ends. Not at
    /// once: one that ends because its disk is full must not fill it again before anything else.
    pub(crate) async fn keep(self, core: Core, every: Duration) {
        let mut wait = self.due_in(every).await.max(RETRY.min(every));
        loop {
            tokio::time::sleep(wait).await;
            wait = match self.back_up(&core).await {
                Ok(_) => every,
                Err(status) if status.code() == Code::Unavailable => return,
                Err(_) => RETRY.min(every),
            };
        }
    }

    /// How long it is until the first is due. One whose time is yet to come says nothing: clocks are set.
    async fn due_in(&self, every: Duration) -> Duration {
        let folder = self.folder.clone();
        let listed = tokio::task::spawn_blocking(move || folder.list()).await;
        let newest = listed.ok().and_then(Result::ok).and_then(|names| names.last().copied());
        let age = newest.and_then(|name| u64::try_from(now().0.saturating_sub(name.ms())).ok());
        age.map_or(Duration::ZERO, |age| every.saturating_sub(Duration::from_millis(age)))
    }

    /// Writes the state down as it is now, and durable, also if whoever asked has gone meanwhile.
    async fn back_up(&self, core: &Core) -> Result<BackupName, Status> {
        let writing = self.writing.clone().lock_owned().await;
        let state = core.ask(|scheduler| scheduler.state().frozen()).await.map_err(ended)?;
        let (folder, keep) = (self.folder.clone(), self.keep);
        let (sender, written) = oneshot::channel();
        let run = move || {
            let result = write(&folder, &state, keep);
            match &result {
                Ok(name) => {
                    metrics::counter!("scheduler_backup_success").increment(1);
                    tracing::info!(%name, "made a backup");
                }
                Err(error) => {
                    metrics::counter!("scheduler_backup_failed").increment(1);
                    tracing::error!(error, "failed to make a backup");
                }
            }
            drop(writing);
            // Whoever asked may have gone.
            let _ = sender.send(result);
        };
        let result = match in_background("backup", run) {
            Ok(()) => written.await.unwrap_or_else(|_| Err("its thread has ended".to_owned())),
            Err(error) => Err(format!("failed to start a thread: {error}")),
        };
        result.map_err(|reason| {
            let message = format!("the backup could not be written: {reason}");
            failure(Code::Internal, "BACKUP_FAILED", message)
        })
    }

    async fn list(&self) -> Result<Vec<BackupName>, Status> {
        let folder = self.folder.clone();
        blocking(move || folder.list()).await?.map_err(unreadable)
    }

    /// Reads a backup; gives how many tasks it has. One is read at a time, also if whoever asked for it
    /// has gone.
    async fn stage(&self, name: BackupName) -> Result<u64, Status> {
        let mut staged = self.staged.clone().lock_owned().await;
        if let Some(Staged { name, .. }) = &*staged {
            let message = format!("{name} is staged already; commit or unload it first");
            return Err(failure(Code::FailedPrecondition, "ALREADY_STAGED", message));
        }
        let folder = self.folder.clone();
        let read = blocking(move || {
            let state = folder.read(name)?;
            let tasks = state.len() as u64;
            *staged = Some(Staged { name, recovery: Recovery::new(state) });
            Ok(tasks)
        });
        read.await?.map_err(|error| match error {
            BackupError::NotFound(_) => failure(Code::NotFound, "NOT_FOUND", error.to_string()),
            BackupError::Damaged { .. } => {
                failure(Code::DataLoss, "BACKUP_DAMAGED", error.to_string())
            }
            BackupError::Open(error) => unreadable(error),
        })
    }

    async fn delete(&self, query: TaskQuery) -> Result<u64, Status> {
        let mut staged = self.staged.clone().lock_owned().await;
        let deleted = blocking(move || {
            let staged = staged.as_mut().ok_or_else(nothing_staged)?;
            let internal = |error| failure(Code::Internal, "RECOVERY_FAILED", format!("{error}"));
            staged.recovery.remove_tasks(&query).map_err(internal)
        });
        deleted.await?
    }

    /// Has the staged state take the place of the live one.
    async fn commit(&self, core: &Core) -> Result<BackupName, Status> {
        // The next scheduler clears the folder of what is unfinished.
        let _writing = self.writing.lock().await;
        let mut staged = self.staged.lock().await;
        let Staged { name, recovery } = staged.as_ref().ok_or_else(nothing_staged)?;
        let (name, state) = (*name, recovery.state().frozen());
        core.replace(state).await.map_err(ended)?.map_err(|reason| {
            let message = format!("{name} could not be committed; all is as before: {reason}");
            failure(Code::Internal, "RECOVERY_FAILED", message)
        })?;
        *staged = None;
        Ok(name)
    }
}

/// Writes a state down under the name of this moment.
fn write(folder: &Folder, state: &State, keep: usize) -> Result<BackupName, String> {
    let at = BackupName::of(now().0).ok_or("the clock has a year that no name can tell")?;
    folder.write(at, state, keep).map_err(|error| error.to_string())
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Status> {
    let failed = |error| Status::internal(format!("a thread has ended unexpectedly: {error}"));
    tokio::task::spawn_blocking(work).await.map_err(failed)
}

fn nothing_staged() -> Status {
    let message = "no backup is staged; stage one first";
    failure(Code::FailedPrecondition, "NOTHING_STAGED", message)
}

fn unreadable(error: impl std::fmt::Display) -> Status {
    failure(Code::Internal, "BACKUP_UNREADABLE", error.to_string())
}

#[tonic::async_trait]
impl Backups for Api {
    async fn perform_backup(
        &self,
        _request: Request<v1::PerformBackupRequest>,
    ) -> Result<Response<v1::PerformBackupResponse>, Status> {
        let name = self.backups.back_up(&self.core).await?;
        Ok(Response::new(v1::PerformBackupResponse { backup: name.to_string() }))
    }

    async fn list_backups(
        &self,
        _request: Request<v1::ListBackupsRequest>,
    ) -> Result<Response<v1::ListBackupsResponse>, Status> {
        let backups = self.backups.list().await?.iter().map(ToString::to_string).collect();
        let staged = self.backups.staged.lock().await;
        let staged = staged.as_ref().map(|staged| staged.name.to_string()).unwrap_or_default();
        Ok(Response::new(v1::ListBackupsResponse { backups, staged }))
    }

    async fn stage_recovery(
        &self,
        request: Request<v1::StageRecoveryRequest>,
    ) -> Result<Response<v1::StageRecoveryResponse>, Status> {
        let name = request.into_inner().backup.parse().map_err(invalid)?;
        let tasks = self.backups.stage(name).await?;
        tracing::info!(%name, tasks, "staged a backup");
        Ok(Response::new(v1::StageRecoveryResponse { tasks }))
    }

    async fn query_recovery(
        &self,
        request: Request<v1::QueryRecoveryRequest>,
    ) -> Result<Response<v1::QueryRecoveryResponse>, Status> {
        let request = request.into_inner();
        let query = query(request.query)?;
        let after = task_cursor(&request.page_token)?;
        let staged = self.backups.staged.lock().await;
        let Staged { name, recovery } = staged.as_ref().ok_or_else(nothing_staged)?;
        let size = page_size(request.page_size);
        let (found, mut next) = recovery.tasks_page(&query, after.as_ref(), size);
        let all = found.iter().map(|task| task_to_proto(task, request.without_executor_data));
        let (tasks, is_cut) = fit(all, Message::encoded_len);
        if is_cut {
            next = found.get(tasks.len() - 1).map(|last| TaskCursor::of(last));
        }
        Ok(Response::new(v1::QueryRecoveryResponse {
            tasks,
            next_page_token: next.map(|next| next.to_text()).unwrap_or_default(),
            backup: name.to_string(),
        }))
    }

    async fn delete_recovery_tasks(
        &self,
        request: Request<v1::DeleteRecoveryTasksRequest>,
    ) -> Result<Response<v1::DeleteRecoveryTasksResponse>, Status> {
        let query = query(request.into_inner().query)?;
        if query == TaskQuery::default() {
            return Err(invalid("query has no condition: it means every task of the backup"));
        }
        let deleted = self.backups.delete(query).await?;
        tracing::info!(deleted, "forgot tasks of the staged backup");
        Ok(Response::new(v1::DeleteRecoveryTasksResponse { deleted }))
    }

    async fn commit_recovery(
        &self,
        _request: Request<v1::CommitRecoveryRequest>,
    ) -> Result<Response<v1::CommitRecoveryResponse>, Status> {
        // It goes on when who asked has hung up: the state must not be committed and staged.
        let (backups, core) = (self.backups.clone(), self.core.clone());
        let committed = tokio::spawn(async move { backups.commit(&core).await });
        let failed = |error| Status::internal(format!("a part has ended unexpectedly: {error}"));
        let name = committed.await.map_err(failed)??;
        tracing::warn!(%name, "committed a backup: the scheduler begins anew with it");
        Ok(Response::new(v1::CommitRecoveryResponse {}))
    }

    async fn unload_recovery(
        &self,
        _request: Request<v1::UnloadRecoveryRequest>,
    ) -> Result<Response<v1::UnloadRecoveryResponse>, Status> {
        let staged = self.backups.staged.lock().await.take().ok_or_else(nothing_staged)?;
        tracing::info!(name = %staged.name, "unloaded a backup");
        // To let go of a large state takes a while.
        blocking(move || drop(staged)).await?;
        Ok(Response::new(v1::UnloadRecoveryResponse {}))
    }
}
