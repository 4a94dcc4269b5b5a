//! Cron jobs, instances and quotas over the API.

use aurora_api::v1;
use aurora_api::v1::cron_jobs_client::CronJobsClient;
use aurora_api::v1::jobs_client::JobsClient;
use aurora_api::v1::quotas_client::QuotasClient;
use aurora_scheduler_server::start;
use tokio_util::sync::CancellationToken;
use tonic::Code;

use crate::world::{channel, config, create, job};

fn nightly(name: &str) -> v1::JobConfiguration {
    let mut nightly = job(name);
    nightly.cron_schedule = Some("0 3 * * *".into());
    nightly.cron_time_zone = Some("Europe/Rome".into());
    if let Some(task) = &mut nightly.task {
        task.is_service = false;
    }
    nightly
}

fn key(name: &str) -> Option<v1::JobKey> {
    Some(v1::JobKey { role: "www".into(), environment: "prod".into(), name: name.into() })
}

#[tokio::test]
async fn cron_jobs_outlive_a_restart_and_are_told_with_their_runs() {
    let folder = tempfile::tempdir().unwrap();
    let stop = CancellationToken::new();
    let scheduler = start(config(folder.path()), stop.clone()).await.unwrap();
    let mut crons = CronJobsClient::new(channel(&scheduler).await);
    for name in ["a", "b", "c"] {
        let request = v1::ScheduleCronJobRequest {
            request_id: Some(format!("schedule-{name}")),
            job: Some(nightly(name)),
        };
        let answer = crons.schedule_cron_job(request.clone()).await.unwrap().into_inner();
        assert!(answer.next_ms.is_some_and(|next| next > 1_700_000_000_000), "{answer:?}");
        // A repeated call is answered in the same way.
        assert_eq!(crons.schedule_cron_job(request).await.unwrap().into_inner(), answer);
    }
    let start_b = || v1::StartCronJobRequest { request_id: Some("start".into()), job: key("b") };
    let started = crons.start_cron_job(start_b()).await.unwrap().into_inner();
    let outcome = started.outcome.as_ref().and_then(|outcome| outcome.kind.clone());
    let wanted = v1::cron_outcome::Kind::Started(v1::CronStarted { instances: 2 });
    assert_eq!(outcome, Some(wanted));
    stop.cancel();
    scheduler.wait().await.unwrap();

    let stop = CancellationToken::new();
    let scheduler = start(config(folder.path()), stop.clone()).await.unwrap();
    let mut crons = CronJobsClient::new(channel(&scheduler).await);
    assert_eq!(crons.start_cron_job(start_b()).await.unwrap().into_inner(), started);
    let mut names = Vec::new();
    let mut token = String::new();
    loop {
        let request =
            v1::ListCronJobsRequest { role: "www".into(), page_size: 2, page_token: token.clone() };
        let page = crons.list_cron_jobs(request).await.unwrap().into_inner();
        names.push(
            page.jobs
                .iter()
                .map(|cron| {
                    let job = cron.job.as_ref().unwrap();
                    job.key.as_ref().unwrap().name.clone()
                })
                .collect::<Vec<_>>(),
        );
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(names, [vec!["a", "b"], vec!["c"]]);
    let found = crons.get_cron_job(v1::GetCronJobRequest { job: key("b") }).await.unwrap();
    let found = found.into_inner().job.unwrap();
    assert_eq!((found.time_zone.as_str(), found.runs.len()), ("Europe/Rome", 1));
    assert_eq!(found.runs[0].outcome, started.outcome);

    let deschedule = v1::DescheduleCronJobRequest { request_id: None, job: key("b") };
    assert!(crons.deschedule_cron_job(deschedule.clone()).await.unwrap().into_inner().existed);
    assert!(!crons.deschedule_cron_job(deschedule).await.unwrap().into_inner().existed);
    let gone = crons.get_cron_job(v1::GetCronJobRequest { job: key("b") }).await.unwrap_err();
    assert_eq!((gone.code(), gone.message()), (Code::NotFound, "there is no cron job www/prod/b"));
    let replace = v1::ReplaceCronJobRequest { request_id: None, job: Some(nightly("b")) };
    assert_eq!(crons.replace_cron_job(replace).await.unwrap_err().code(), Code::NotFound);
    let replace = v1::ReplaceCronJobRequest { request_id: None, job: Some(nightly("c")) };
    crons.replace_cron_job(replace).await.unwrap();
    stop.cancel();
    scheduler.wait().await.unwrap();
}

#[tokio::test]
async fn what_is_wrong_with_a_cron_job_is_said_over_the_api() {
    let folder = tempfile::tempdir().unwrap();
    let stop = CancellationToken::new();
    let scheduler = start(config(folder.path()), stop.clone()).await.unwrap();
    let mut crons = CronJobsClient::new(channel(&scheduler).await);
    for (schedule, zone, message) in [
        (None, "", "has no cron schedule: it is created, not scheduled"),
        (Some("0 3 * *"), "", "has 4 fields instead of five"),
        (Some("0 3 * * *"), "Rome", "did you mean Europe/Rome?"),
    ] {
        let mut bad = nightly("bad");
        bad.cron_schedule = schedule.map(str::to_owned);
        bad.cron_time_zone = Some(zone.to_owned());
        let request = v1::ScheduleCronJobRequest { request_id: None, job: Some(bad) };
        let refused = crons.schedule_cron_job(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert!(refused.message().contains(message), "{refused:?}");
    }
    let list = v1::ListCronJobsRequest { page_token: "x".into(), ..Default::default() };
    let refused = crons.list_cron_jobs(list).await.unwrap_err();
    assert_eq!(refused.message(), "page_token is of no page");
    stop.cancel();
    scheduler.wait().await.unwrap();
}

#[tokio::test]
async fn instances_are_added_and_restarted_and_quotas_removed_once() {
    let folder = tempfile::tempdir().unwrap();
    let stop = CancellationToken::new();
    let scheduler = start(config(folder.path()), stop.clone()).await.unwrap();
    let mut jobs = JobsClient::new(channel(&scheduler).await);
    jobs.create_job(create("c", "web")).await.unwrap();
    let add = || v1::AddInstancesRequest {
        request_id: Some("add".into()),
        job: key("web"),
        like: 1,
        count: 2,
    };
    let added = jobs.add_instances(add()).await.unwrap().into_inner();
    assert_eq!(added.instances, [2, 3]);
    assert_eq!(jobs.add_instances(add()).await.unwrap().into_inner(), added);
    // They wait for a place: there is nothing to restart.
    let restart = |instances: &[u32]| v1::RestartTasksRequest {
        request_id: None,
        job: key("web"),
        instances: instances.to_vec(),
    };
    let restarted = jobs.restart_tasks(restart(&[0, 3])).await.unwrap().into_inner();
    assert!(restarted.restarted.is_empty());
    let refused = jobs.restart_tasks(restart(&[0, 4])).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
    let reused = v1::RestartTasksRequest { request_id: Some("add".into()), ..restart(&[0]) };
    let refused = jobs.restart_tasks(reused).await.unwrap_err();
    assert_eq!(refused.metadata().get("aurora-reason").unwrap(), "REQUEST_ID_REUSED");

    let mut quotas = QuotasClient::new(channel(&scheduler).await);
    let quota = Some(v1::ResourceAggregate { cpus: 1.0, ram_mb: 1, disk_mb: 1 });
    let set = v1::SetQuotaRequest { role: "www".into(), quota, request_id: Some("set".into()) };
    quotas.set_quota(set.clone()).await.unwrap();
    let remove = || v1::RemoveQuotaRequest { role: "www".into(), request_id: Some("rm".into()) };
    quotas.remove_quota(remove()).await.unwrap();
    let asked = || v1::GetQuotaRequest { role: "www".into() };
    assert!(!quotas.get_quota(asked()).await.unwrap().into_inner().is_set);
    // What was asked for long ago does not come again.
    quotas.set_quota(set).await.unwrap();
    assert!(!quotas.get_quota(asked()).await.unwrap().into_inner().is_set);
    quotas.remove_quota(remove()).await.unwrap();
    stop.cancel();
    scheduler.wait().await.unwrap();
}
