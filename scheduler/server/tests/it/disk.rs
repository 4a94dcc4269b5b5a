//! A disk that fails.

use aurora_api::v1::jobs_client::JobsClient;
use aurora_scheduler_core::{Op, State};
use aurora_scheduler_server::{Error, start_with_log};
use aurora_scheduler_storage::{Log, Snapshot, Store, StoreError};
use tokio_util::sync::CancellationToken;
use tonic::Code;

use crate::world::{channel, config, create};

/// A log on a disk that takes so many groups of steps and no more.
struct Failing {
    store: Store,
    left: usize,
}

impl Log for Failing {
    fn append(&mut self, steps: &[Vec<Op>]) -> Result<(), StoreError> {
        self.left = self.left.checked_sub(1).ok_or_else(|| StoreError::Failed("disk".into()))?;
        self.store.append(steps)
    }

    fn check(&mut self) -> Result<(), StoreError> {
        self.store.check()
    }

    fn begin_snapshot(&mut self) -> Result<Box<dyn Snapshot>, StoreError> {
        self.store.begin_snapshot()
    }

    fn end_snapshot(&mut self, written: Result<(), StoreError>) -> Result<(), StoreError> {
        self.store.end_snapshot(written)
    }

    fn replace(&mut self, state: &State) -> Result<(), StoreError> {
        self.store.replace(state)
    }

    fn since_snapshot(&self) -> u64 {
        self.store.since_snapshot()
    }
}

#[tokio::test]
async fn what_cannot_be_written_is_not_acknowledged_and_ends_the_scheduler() {
    let folder = tempfile::tempdir().unwrap();
    let (store, state) = Store::open(folder.path()).unwrap();
    let log = Box::new(Failing { store, left: 1 });
    let scheduler =
        start_with_log(config(folder.path()), log, state, CancellationToken::new()).await.unwrap();
    let mut jobs = JobsClient::new(channel(&scheduler).await);
    jobs.create_job(create("one", "a")).await.unwrap();
    let lost = jobs.create_job(create("two", "b")).await.unwrap_err();
    assert!(matches!(lost.code(), Code::Unavailable | Code::Unknown), "{lost}");
    let error = scheduler.wait().await.unwrap_err();
    assert!(matches!(error, Error::Log(_)), "{error}");
    // The next one has what was acknowledged, and nothing else.
    let (_, state) = Store::open(folder.path()).unwrap();
    let names: Vec<&str> = state.jobs().map(|job| job.name()).collect();
    assert_eq!(names, ["a"]);
}
