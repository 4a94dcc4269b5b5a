//! The endpoints that the original's tools read.

use aurora_api::v1::jobs_client::JobsClient;
use aurora_scheduler_server::start;
use tokio_util::sync::CancellationToken;

use crate::world::{channel, config, create, page};

#[tokio::test]
async fn what_waits_is_told_by_group() {
    let folder = tempfile::tempdir().unwrap();
    let stop = CancellationToken::new();
    let scheduler = start(config(folder.path()), stop.clone()).await.unwrap();
    let mut jobs = JobsClient::new(channel(&scheduler).await);
    jobs.create_job(create("one", "a")).await.unwrap();
    let groups = page(&scheduler, "/pendingtasks").await;
    let [group] = groups.as_array().unwrap().as_slice() else { panic!("{groups}") };
    assert_eq!(group["name"], "www/prod/a");
    assert_eq!(group["taskIds"].as_array().unwrap().len(), 2);
    assert_eq!((&group["penaltyMs"], &group["reason"]), (&0.into(), &"[]".into()));
    stop.cancel();
    scheduler.wait().await.unwrap();
}
