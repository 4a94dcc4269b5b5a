//! Questions in pages, and the reasons of failures.

use std::collections::BTreeSet;

use aurora_api::v1;
use aurora_api::v1::cluster_client::ClusterClient;
use aurora_api::v1::jobs_client::JobsClient;
use aurora_scheduler_server::start;
use tokio_stream::StreamExt;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

use crate::world::{channel, config, create, job};

fn reason(status: &Status) -> &str {
    status.metadata().get("aurora-reason").unwrap().to_str().unwrap()
}

#[tokio::test]
async fn pages_hold_everything_once_whatever_changes_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let stop = CancellationToken::new();
    let scheduler = start(config(folder.path()), stop.clone()).await.unwrap();
    let mut jobs = JobsClient::new(channel(&scheduler).await);
    for name in ["a", "b", "c", "d", "e"] {
        let mut request = create(name, name);
        request.job.as_mut().unwrap().instance_count = 3;
        jobs.create_job(request).await.unwrap();
    }
    let mut seen = Vec::new();
    let mut token = String::new();
    loop {
        let request = v1::ListTasksRequest {
            query: Some(v1::TaskQuery { role: "www".into(), ..Default::default() }),
            page_size: 4,
            page_token: token.clone(),
            without_executor_data: true,
        };
        let page = jobs.list_tasks(request).await.unwrap().into_inner();
        assert!(page.tasks.len() <= 4 && page.version > 0);
        assert_eq!(page.pending_reasons.len(), page.tasks.len());
        for task in page.tasks {
            let assigned = task.assigned.unwrap();
            let config = assigned.task.unwrap();
            assert_eq!(config.executor.unwrap().data, "");
            seen.push((config.job.unwrap().name, assigned.instance));
        }
        // What has been seen may go.
        if token.is_empty() {
            let kill = v1::KillTasksRequest { job: job("a").key, ..Default::default() };
            jobs.kill_tasks(kill).await.unwrap();
        }
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    let all: BTreeSet<_> = seen.iter().cloned().collect();
    assert_eq!((seen.len(), all.len()), (15, 15), "{seen:?}");
    assert!(seen.is_sorted());

    let stream = v1::ListTasksRequest { page_size: 5, ..Default::default() };
    let pages: Vec<_> =
        jobs.stream_tasks(stream).await.unwrap().into_inner().collect::<Vec<_>>().await;
    let sizes: Vec<usize> = pages.iter().map(|page| page.as_ref().unwrap().tasks.len()).collect();
    assert_eq!(sizes, [5, 5, 2]);

    let mut names = Vec::new();
    let mut token = String::new();
    loop {
        let request = v1::ListJobsRequest {
            role: "www".into(),
            page_size: 3,
            page_token: token,
            with_config: true,
        };
        let page = jobs.list_jobs(request).await.unwrap().into_inner();
        for job in page.jobs {
            assert_eq!(job.config.unwrap().instance_count, 3);
            names.push(job.key.unwrap().name);
        }
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(names, ["b", "c", "d", "e"]);

    for (query, count) in [
        (
            v1::TaskQuery {
                jobs: vec![job("b").key.unwrap(), job("e").key.unwrap()],
                ..Default::default()
            },
            6,
        ),
        (
            v1::TaskQuery {
                jobs: vec![job("b").key.unwrap()],
                instances: vec![2],
                ..Default::default()
            },
            1,
        ),
        (v1::TaskQuery { name: "c".into(), ..Default::default() }, 3),
        (v1::TaskQuery { environment: "devel".into(), ..Default::default() }, 0),
        (v1::TaskQuery { agent_hosts: vec!["h".into()], ..Default::default() }, 0),
        (v1::TaskQuery { states: vec![v1::TaskState::Running as i32], ..Default::default() }, 0),
    ] {
        let shown = format!("{query:?}");
        let request = v1::ListTasksRequest { query: Some(query), ..Default::default() };
        let found = jobs.list_tasks(request).await.unwrap().into_inner();
        assert_eq!(found.tasks.len(), count, "{shown}");
    }
    let odd = v1::ListTasksRequest { page_token: "odd".into(), ..Default::default() };
    let refused = jobs.list_tasks(odd).await.unwrap_err();
    assert_eq!((refused.code(), reason(&refused)), (Code::InvalidArgument, "INVALID"));
    stop.cancel();
    scheduler.wait().await.unwrap();
}

#[tokio::test]
async fn jobs_roles_configurations_and_tiers_are_summarised() {
    let folder = tempfile::tempdir().unwrap();
    let stop = CancellationToken::new();
    let scheduler = start(config(folder.path()), stop.clone()).await.unwrap();
    let mut jobs = JobsClient::new(channel(&scheduler).await);
    jobs.create_job(create("one", "a")).await.unwrap();
    let found = jobs.get_job(v1::GetJobRequest { job: job("a").key }).await.unwrap().into_inner();
    let found = found.job.unwrap();
    assert_eq!((found.pending, found.active), (2, 0));
    assert_eq!(found.config.unwrap().task.unwrap().tier.as_deref(), Some("preemptible"));
    let missing = jobs.get_job(v1::GetJobRequest { job: job("b").key }).await.unwrap_err();
    assert_eq!((missing.code(), reason(&missing)), (Code::NotFound, "NOT_FOUND"));
    let roles = jobs.list_roles(v1::ListRolesRequest {}).await.unwrap().into_inner().roles;
    let expected =
        v1::RoleSummary { role: "www".into(), jobs: 1, pending: 2, ..Default::default() };
    assert_eq!(roles, [expected]);
    let request = v1::GetConfigSummaryRequest { job: job("a").key };
    let groups = jobs.get_config_summary(request).await.unwrap().into_inner().groups;
    assert_eq!(groups.len(), 1);
    assert_eq!(groups[0].instances, [v1::InstanceRange { first: 0, last: 1 }]);
    let reasons = jobs.get_pending_reasons(v1::GetPendingReasonsRequest::default()).await.unwrap();
    let reasons = reasons.into_inner().reasons;
    assert_eq!(reasons.len(), 2);
    assert_eq!(reasons[0].reason, "Waiting for a Mesos master");
    let named = v1::TaskQuery { agent_hosts: vec!["h".into()], ..Default::default() };
    let request = v1::GetPendingReasonsRequest { query: Some(named), ..Default::default() };
    let refused = jobs.get_pending_reasons(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
    let refused = jobs.create_job(create("two", "a")).await.unwrap_err();
    assert_eq!(reason(&refused), "ALREADY_EXISTS");
    let mut cluster = ClusterClient::new(channel(&scheduler).await);
    let tiers = cluster.get_tiers(v1::GetTiersRequest {}).await.unwrap().into_inner();
    assert_eq!(tiers.default_tier, "preemptible");
    let names: Vec<&str> = tiers.tiers.iter().map(|tier| tier.name.as_str()).collect();
    assert_eq!(names, ["preemptible", "preferred", "revocable"]);
    assert!(tiers.tiers[0].preemptible && !tiers.tiers[1].preemptible);
    stop.cancel();
    scheduler.wait().await.unwrap();
}
