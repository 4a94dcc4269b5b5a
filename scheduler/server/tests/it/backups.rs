//! Going back to a backup, over a socket and a restart.

use std::fs;

use aurora_api::v1;
use aurora_api::v1::backups_client::BackupsClient;
use aurora_api::v1::jobs_client::JobsClient;
use aurora_model::key::FrameworkId;
use aurora_scheduler_core::{Op, State};
use aurora_scheduler_server::{Error, Handle, start, start_with_log};
use aurora_scheduler_storage::{Backups, Log, Snapshot, Store, StoreError};
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tonic::{Code, Status};

use crate::master;
use crate::world::{channel, config, config_with, create, job, page, soon};

async fn clients(scheduler: &Handle) -> (JobsClient<Channel>, BackupsClient<Channel>) {
    let channel = channel(scheduler).await;
    (JobsClient::new(channel.clone()), BackupsClient::new(channel))
}

async fn back_up(backups: &mut BackupsClient<Channel>) -> String {
    backups.perform_backup(v1::PerformBackupRequest {}).await.unwrap().into_inner().backup
}

async fn list(backups: &mut BackupsClient<Channel>) -> v1::ListBackupsResponse {
    backups.list_backups(v1::ListBackupsRequest {}).await.unwrap().into_inner()
}

async fn stage(backups: &mut BackupsClient<Channel>, backup: &str) -> Result<u64, Status> {
    let request = v1::StageRecoveryRequest { backup: backup.to_owned() };
    Ok(backups.stage_recovery(request).await?.into_inner().tasks)
}

async fn commit(backups: &mut BackupsClient<Channel>) -> Result<(), Status> {
    backups.commit_recovery(v1::CommitRecoveryRequest {}).await.map(drop)
}

fn reason(status: &Status) -> &str {
    status.metadata().get("aurora-reason").unwrap().to_str().unwrap()
}

/// The jobs and how many of their tasks wait, and the version.
async fn jobs_of(jobs: &mut JobsClient<Channel>) -> Result<(Vec<(String, u32)>, u64), Status> {
    let found = jobs.list_jobs(v1::ListJobsRequest::default()).await?.into_inner();
    let names = found.jobs.into_iter().map(|job| (job.key.unwrap().name, job.pending));
    Ok((names.collect(), found.version))
}

/// The instances of the tasks that are staged, a page of one at a time.
async fn staged_tasks(backups: &mut BackupsClient<Channel>) -> Vec<(String, u32)> {
    let mut found = Vec::new();
    let mut request = v1::QueryRecoveryRequest { page_size: 1, ..Default::default() };
    loop {
        let page = backups.query_recovery(request.clone()).await.unwrap().into_inner();
        assert!(page.tasks.len() <= 1);
        found.extend(page.tasks.into_iter().map(|task| {
            let assigned = task.assigned.unwrap();
            (assigned.task.unwrap().job.unwrap().name, assigned.instance)
        }));
        if page.next_page_token.is_empty() {
            return found;
        }
        request.page_token = page.next_page_token;
    }
}

fn named(all: &[(&str, u32)]) -> Vec<(String, u32)> {
    all.iter().map(|(name, number)| ((*name).to_owned(), *number)).collect()
}

#[tokio::test]
async fn a_killed_job_is_back_at_the_same_address_without_the_tasks_that_were_not_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let stop = CancellationToken::new();
    let scheduler = start(config(folder.path()), stop.clone()).await.unwrap();
    let (mut jobs, mut backups) = clients(&scheduler).await;
    jobs.create_job(create("one", "a")).await.unwrap();
    jobs.create_job(create("two", "b")).await.unwrap();
    let backup = back_up(&mut backups).await;
    assert!(list(&mut backups).await.backups.contains(&backup));
    let kill = v1::KillTasksRequest { job: job("a").key, ..Default::default() };
    jobs.kill_tasks(kill).await.unwrap();
    jobs.create_job(create("three", "c")).await.unwrap();
    let (live, before) = jobs_of(&mut jobs).await.unwrap();
    assert_eq!(live, named(&[("b", 2), ("c", 2)]));

    assert_eq!(stage(&mut backups, &backup).await.unwrap(), 4);
    assert_eq!(list(&mut backups).await.staged, backup);
    let all = named(&[("a", 0), ("a", 1), ("b", 0), ("b", 1)]);
    assert_eq!(staged_tasks(&mut backups).await, all);
    let unwanted = v1::TaskQuery { name: "b".into(), instances: vec![1], ..Default::default() };
    let request = v1::DeleteRecoveryTasksRequest { query: Some(unwanted) };
    let deleted = backups.delete_recovery_tasks(request).await.unwrap().into_inner().deleted;
    assert_eq!(deleted, 1);
    assert_eq!(staged_tasks(&mut backups).await, all[..3]);
    assert_eq!(jobs_of(&mut jobs).await.unwrap().0, live, "the live state is as it was");

    commit(&mut backups).await.unwrap();
    let (found, version) = soon("the next scheduler", async {
        loop {
            // The one that ends answers nothing more, and a connection may break.
            if let Ok(found) = jobs_of(&mut jobs).await {
                return found;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(found, named(&[("a", 2), ("b", 1)]));
    assert!(version > before, "{version}, {before}");
    assert_eq!(list(&mut backups).await.staged, "");
    jobs.create_job(create("four", "d")).await.unwrap();
    stop.cancel();
    soon("its end", scheduler.wait()).await.unwrap();

    let stop = CancellationToken::new();
    let scheduler = start(config(folder.path()), stop.clone()).await.unwrap();
    let (mut jobs, _) = clients(&scheduler).await;
    let found = jobs_of(&mut jobs).await.unwrap().0;
    assert_eq!(found, named(&[("a", 2), ("b", 1), ("d", 2)]));
    stop.cancel();
    scheduler.wait().await.unwrap();
}

#[tokio::test]
async fn what_is_committed_keeps_the_id_that_the_master_knows() {
    let folder = tempfile::tempdir().unwrap();
    let (store, state) = Store::open(folder.path()).unwrap();
    let mut old = State::default();
    old.apply(&Op::SaveFrameworkId(FrameworkId::new("of-old").unwrap())).unwrap();
    let name = "scheduler-backup-2026-01-02-03-04-05".parse().unwrap();
    let kept = Backups::open(&folder.path().join("backups")).unwrap();
    kept.write(name, &old, 48).unwrap();
    let master = master::start(Vec::new()).await;
    let config = config_with(folder.path(), &["--mesos-master-address", &master]);
    let stop = CancellationToken::new();
    let scheduler = start_with_log(config, Box::new(store), state, stop).await.unwrap();
    let (mut jobs, mut backups) = clients(&scheduler).await;
    soon("the registration", async {
        while page(&scheduler, "/vars.json").await["framework_registered"] != 1.0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    jobs.create_job(create("one", "a")).await.unwrap();
    let before = jobs_of(&mut jobs).await.unwrap().1;
    stage(&mut backups, &name.to_string()).await.unwrap();
    commit(&mut backups).await.unwrap();
    let ended = soon("its end", scheduler.wait()).await.unwrap_err();
    assert!(matches!(ended, Error::Replaced), "{ended}");
    let (_, state) = Store::open(folder.path()).unwrap();
    assert_eq!(state.framework_id(), Some(&FrameworkId::new("F").unwrap()));
    assert!(state.is_empty() && state.version() > before);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_and_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let here = elsewhere.path().join("kept");
    let flags = ["--backup-dir", here.to_str().unwrap()];
    let stop = CancellationToken::new();
    let scheduler = start(config_with(folder.path(), &flags), stop.clone()).await.unwrap();
    let (_, mut backups) = clients(&scheduler).await;
    let backup = back_up(&mut backups).await;
    assert!(here.join(&backup).is_file());
    fs::copy(here.join(&backup), elsewhere.path().join(&backup)).unwrap();
    let damaged = "scheduler-backup-2020-01-01-00-00-00";
    let mut bytes = fs::read(here.join(&backup)).unwrap();
    bytes[20] ^= 1;
    fs::write(here.join(damaged), bytes).unwrap();
    let up = format!("../{backup}");
    for (name, code, wanted) in [
        ("", Code::InvalidArgument, "INVALID"),
        ("..", Code::InvalidArgument, "INVALID"),
        (&up, Code::InvalidArgument, "INVALID"),
        ("/etc/passwd", Code::InvalidArgument, "INVALID"),
        ("scheduler-backup-2019-01-01-00-00-00", Code::NotFound, "NOT_FOUND"),
        (damaged, Code::DataLoss, "BACKUP_DAMAGED"),
    ] {
        let refused = stage(&mut backups, name).await.unwrap_err();
        assert_eq!((refused.code(), reason(&refused)), (code, wanted), "{name}: {refused}");
        assert!(refused.message().contains(name), "{refused}");
    }
    let query = || v1::TaskQuery { role: "www".into(), ..Default::default() };
    let delete = |query| v1::DeleteRecoveryTasksRequest { query };
    let unload = v1::UnloadRecoveryRequest {};
    for refused in [
        backups.query_recovery(v1::QueryRecoveryRequest::default()).await.unwrap_err(),
        backups.delete_recovery_tasks(delete(Some(query()))).await.unwrap_err(),
        commit(&mut backups).await.unwrap_err(),
        backups.unload_recovery(unload).await.unwrap_err(),
    ] {
        assert_eq!(refused.code(), Code::FailedPrecondition, "{refused}");
        assert_eq!(reason(&refused), "NOTHING_STAGED");
    }
    stage(&mut backups, &backup).await.unwrap();
    let refused = stage(&mut backups, &backup).await.unwrap_err();
    assert_eq!(reason(&refused), "ALREADY_STAGED");
    for query in [None, Some(v1::TaskQuery::default())] {
        let refused = backups.delete_recovery_tasks(delete(query)).await.unwrap_err();
        assert_eq!(reason(&refused), "INVALID", "{refused}");
    }
    backups.unload_recovery(unload).await.unwrap();
    let refused = backups.unload_recovery(unload).await.unwrap_err();
    assert_eq!(reason(&refused), "NOTHING_STAGED");
    // A folder that is gone is told, and counted.
    fs::rename(&here, elsewhere.path().join("gone")).unwrap();
    let failed = backups.perform_backup(v1::PerformBackupRequest {}).await.unwrap_err();
    assert_eq!(reason(&failed), "BACKUP_FAILED", "{failed}");
    assert!(page(&scheduler, "/vars.json").await["scheduler_backup_failed"].as_f64() >= Some(1.0));
    stop.cancel();
    scheduler.wait().await.unwrap();
}

#[tokio::test]
async fn backups_are_made_by_the_clock_and_the_oldest_go() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--backup-interval", "1secs", "--max-saved-backups", "2"];
    let stop = CancellationToken::new();
    let scheduler = start(config_with(folder.path(), &flags), stop.clone()).await.unwrap();
    let (_, mut backups) = clients(&scheduler).await;
    let mut seen = std::collections::BTreeSet::new();
    soon("the third backup", async {
        while seen.len() < 3 {
            let found = list(&mut backups).await.backups;
            assert!(found.is_sorted());
            // The new one is there before the oldest goes.
            assert!(found.len() <= 3, "{found:?}");
            seen.extend(found);
            tokio::task::yield_now().await;
        }
        while list(&mut backups).await.backups.len() != 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let oldest = seen.first().unwrap();
    assert!(!list(&mut backups).await.backups.contains(oldest));
    assert!(page(&scheduler, "/vars.json").await["scheduler_backup_success"].as_f64() >= Some(3.0));
    stop.cancel();
    scheduler.wait().await.unwrap();
}

/// A log in whose place nothing can be put.
struct Firm(Store);

impl Log for Firm {
    fn append(&mut self, steps: &[Vec<Op>]) -> Result<(), StoreError> {
        self.0.append(steps)
    }

    fn check(&mut self) -> Result<(), StoreError> {
        self.0.check()
    }

    fn begin_snapshot(&mut self) -> Result<Box<dyn Snapshot>, StoreError> {
        self.0.begin_snapshot()
    }

    fn end_snapshot(&mut self, written: Result<(), StoreError>) -> Result<(), StoreError> {
        self.0.end_snapshot(written)
    }

    fn replace(&mut self, _: &State) -> Result<(), StoreError> {
        Err(StoreError::TooLarge { length: 7 })
    }

    fn since_snapshot(&self) -> u64 {
        self.0.since_snapshot()
    }
}

#[tokio::test]
async fn a_commit_that_fails_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (store, state) = Store::open(folder.path()).unwrap();
    let stop = CancellationToken::new();
    let log = Box::new(Firm(store));
    let scheduler = start_with_log(config(folder.path()), log, state, stop.clone()).await.unwrap();
    let (mut jobs, mut backups) = clients(&scheduler).await;
    let backup = back_up(&mut backups).await;
    jobs.create_job(create("one", "a")).await.unwrap();
    stage(&mut backups, &backup).await.unwrap();
    let failed = commit(&mut backups).await.unwrap_err();
    assert_eq!(reason(&failed), "RECOVERY_FAILED", "{failed}");
    assert!(failed.message().contains("7 bytes"), "{failed}");
    assert_eq!(list(&mut backups).await.staged, backup);
    jobs.create_job(create("two", "b")).await.unwrap();
    assert_eq!(jobs_of(&mut jobs).await.unwrap().0, named(&[("a", 2), ("b", 2)]));
    stop.cancel();
    scheduler.wait().await.unwrap();
    assert_eq!(Store::open(folder.path()).unwrap().1.jobs().count(), 2);
}
