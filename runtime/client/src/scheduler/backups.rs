//! Backups of the scheduler's state, and going back to one.

use aurora_api::v1;
use aurora_model::job::ScheduledTask;
use tonic::{Code as Grpc, Response, Status};

use super::{Scheduler, admin};
use crate::error::{Code, Error};

/// Whether a scheduler has no backup of a name, or none can have it.
fn is_unnamed(status: &Status) -> bool {
    matches!(status.code(), Grpc::NotFound | Grpc::InvalidArgument)
}

impl Scheduler {
    /// Writes a backup. Gives its name.
    pub async fn back_up(&self) -> Result<String, Error> {
        let act = |mut to: Self| async move {
            to.backups.perform_backup(v1::PerformBackupRequest {}).await
        };
        Ok(self.call(Code::Api, act).await?.backup)
    }

    /// The backups that are there, the oldest first, and which is staged.
    pub async fn backups(&self) -> Result<v1::ListBackupsResponse, Error> {
        let act =
            |mut to: Self| async move { to.backups.list_backups(v1::ListBackupsRequest {}).await };
        self.call(Code::Api, act).await
    }

    /// Reads a backup beside the live state. Gives how many tasks it has.
    pub async fn stage(&self, backup: &str) -> Result<u64, Error> {
        let act = |mut to: Self| {
            let request = v1::StageRecoveryRequest { backup: backup.to_owned() };
            async move {
                match to.backups.stage_recovery(request).await {
                    Ok(answer) => Ok(answer.map(|staged| Ok(staged.tasks))),
                    // The one refusal that is about the name.
                    Err(status) if is_unnamed(&status) => {
                        Ok(Response::new(Err(status.message().to_owned())))
                    }
                    Err(status) => Err(status),
                }
            }
        };
        self.call(Code::Api, act).await?.map_err(|message| {
            let look = "`aurora admin scheduler_list_backups` tells which there are";
            Error::new(Code::InvalidParameter, format!("{message}; {look}"))
        })
    }

    /// Tasks of the backup that is staged, without what their executors are told; and its name.
    pub async fn staged_tasks(
        &self,
        query: v1::TaskQuery,
    ) -> Result<(String, Vec<ScheduledTask>), Error> {
        let mut all = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = v1::QueryRecoveryRequest {
                query: Some(query.clone()),
                page_token,
                without_executor_data: true,
                ..v1::QueryRecoveryRequest::default()
            };
            let act = |mut to: Self| {
                let request = request.clone();
                async move { to.backups.query_recovery(request).await }
            };
            let page = self.call(Code::Api, act).await?;
            all.extend(admin::read(page.tasks)?);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok((page.backup, all));
            }
        }
    }

    /// Forgets tasks of the backup that is staged. Gives how many.
    pub async fn delete_staged(&self, query: v1::TaskQuery) -> Result<u64, Error> {
        let request = v1::DeleteRecoveryTasksRequest { query: Some(query) };
        let act = |mut to: Self| {
            let request = request.clone();
            async move { to.backups.delete_recovery_tasks(request).await }
        };
        Ok(self.call(Code::Api, act).await?.deleted)
    }

    /// Puts the backup that is staged in the place of the live state. The call is not made again: whether one whose
    /// answer is lost was carried out is to be looked at by people.
    pub async fn commit_staged(&self) -> Result<(), Error> {
        let act = |mut to: Self| async move {
            to.backups.commit_recovery(v1::CommitRecoveryRequest {}).await
        };
        let look = "look with `aurora admin scheduler_list_backups` and at the jobs before it is tried again";
        self.call_once(Code::Api, look, act).await.map(|_| ())
    }

    /// Forgets the backup that is staged.
    pub async fn unload_staged(&self) -> Result<(), Error> {
        let act = |mut to: Self| async move {
            to.backups.unload_recovery(v1::UnloadRecoveryRequest {}).await
        };
        self.call(Code::Api, act).await.map(|_| ())
    }
}
