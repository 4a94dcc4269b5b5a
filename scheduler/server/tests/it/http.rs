//! The endpoints that the original's tools read.

use aurora_api::v1;
use aurora_api::v1::jobs_client::JobsClient;
use aurora_scheduler_server::start;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::world::{ask, channel, config, create, page, soon};

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

#[tokio::test]
async fn the_endpoints_of_the_original_are_there() {
    let folder = tempfile::tempdir().unwrap();
    let stop = CancellationToken::new();
    let scheduler = start(config(folder.path()), stop.clone()).await.unwrap();
    let mut jobs = JobsClient::new(channel(&scheduler).await);
    jobs.create_job(create("one", "a")).await.unwrap();
    let tasks = jobs.list_tasks(v1::ListTasksRequest::default()).await.unwrap().into_inner().tasks;
    let id = tasks[0].assigned.as_ref().unwrap().task_id.clone();
    for (path, wanted) in [
        ("/offers", json!([])),
        ("/maintenance", json!({ "SCHEDULED": [], "DRAINED": [], "DRAINING": {} })),
        ("/cron", json!({ "scheduled": {} })),
        (
            "/tiers",
            json!({ "default": "preemptible", "tiers": {
                "preemptible": { "preemptible": true, "revocable": false },
                "preferred": { "preemptible": false, "revocable": false },
                "revocable": { "preemptible": true, "revocable": true },
            } }),
        ),
        ("/state", json!({ "taskConfigs": {}, "agents": {} })),
        (
            "/graphdata?metrics=nothing&since=9999999999999",
            json!({ "names": ["time", "nothing"], "data": [] }),
        ),
    ] {
        assert_eq!(page(&scheduler, path).await, wanted, "{path}");
    }
    let services = page(&scheduler, "/services").await;
    assert!(services.as_array().unwrap().iter().any(|one| one["name"] == "mesos"), "{services}");
    for (path, status, wanted) in [
        ("/health", 200, "OK\n"),
        ("/leaderhealth", 200, "502: there is no leader"),
        ("/structdump", 400, "/structdump/task/TASK_ID"),
        ("/structdump/task/nobody", 200, "There is nothing by this name."),
        ("/structdump/cron/www/prod/a", 200, "There is nothing by this name."),
        ("/mname", 400, "/mname/ROLE/ENVIRONMENT/JOB/INSTANCE"),
        ("/mname/www/prod/a", 404, "There is nothing at"),
        ("/mname/www/prod/a/0", 404, "is not running: it is PENDING"),
        ("/mname/www/prod/a/7/x", 404, "has no active task"),
        ("/mname/www/prod/a/x", 404, "is no instance"),
        ("/utilization", 200, "free_pool_consumed"),
        ("/utilization/total_consumed", 200, "www"),
        ("/utilization/total_consumed/www", 200, "www/prod/a"),
        ("/utilization/some", 400, "unknown kind of consumption \"some\""),
        ("/slaves", 308, ""),
        ("/agents", 200, "No agent has offered anything yet."),
        ("/", 307, ""),
        ("/scheduler", 200, "/scheduler/www"),
        ("/scheduler/www", 200, "/scheduler/www/prod/a"),
        ("/scheduler/www/prod", 200, "/scheduler/www/prod/a"),
        ("/scheduler/www/devel", 404, "This role has no jobs."),
        ("/scheduler/nobody", 404, "This role has no jobs."),
        ("/scheduler/www/prod/a", 200, "Waiting for a Mesos master"),
        ("/scheduler/www/prod/none", 404, "There is no such job."),
        ("/scheduler/www/prod/a/0", 200, "Timeline"),
        ("/scheduler/www/prod/a/9", 404, "Nothing is known of this instance."),
        ("/pending", 200, "Waiting for a Mesos master"),
        ("/quota", 200, "/scheduler/www"),
        ("/crons", 200, "There are no cron jobs."),
        ("/updates", 200, "No job is being updated."),
        ("/logconfig", 200, "Filter"),
        ("/graphview", 200, "Numbers"),
        ("/graphdata?metrics=a&since=x", 400, "since must be"),
        ("/nothing", 404, "There is nothing at /nothing."),
    ] {
        let (found, head, body) = ask(&scheduler, "GET", path, "").await;
        assert_eq!(found, status, "{path}: {head}");
        assert!(body.contains(wanted), "{path}: {wanted}: {body}");
    }
    let (_, _, dump) = ask(&scheduler, "GET", &format!("/structdump/task/{id}"), "").await;
    assert!(dump.contains("assignedTask") && dump.contains("PENDING"), "{dump}");
    let (_, _, pretty) = ask(&scheduler, "GET", "/vars.json?pretty=true", "").await;
    assert!(pretty.starts_with("{\n") && pretty.contains("jvm_uptime_secs"), "{pretty}");
    let (_, _, vars) = ask(&scheduler, "GET", "/vars", "").await;
    for name in [
        "task_store_PENDING ",
        "http_200_responses_events ",
        "scheduler_thrift_createJob_events ",
        "scheduler_thrift_response_OK ",
        "resources_total_consumed_cpu_cores ",
        "empty_slots_small ",
        "framework_registered 0",
        "cron_jobs_loaded 0",
        // What has not happened yet.
        "timed_out_tasks 0",
        "job_updates_pruned 0",
        "update_transition_ERROR 0",
        "slaves_lost ",
        "offers_rescinded ",
        "mesos_scheduler_event_RESCIND ",
        "mesos_call_failures_kill ",
        "thrift_workload_drainHosts ",
    ] {
        assert!(vars.lines().any(|line| line.starts_with(name)), "{name}\n{vars}");
    }
    assert!(
        !vars.contains("PATH") && !vars.contains("native-log"),
        "nothing of the process's setting"
    );
    stop.cancel();
    scheduler.wait().await.unwrap();
}

#[tokio::test]
async fn only_who_is_here_may_end_it() {
    let folder = tempfile::tempdir().unwrap();
    let scheduler = start(config(folder.path()), CancellationToken::new()).await.unwrap();
    let (status, ..) = ask(&scheduler, "GET", "/quitquitquit", "").await;
    assert_eq!(status, 405);
    for path in ["/quitquitquit", "/abortabortabort", "/logconfig"] {
        // A page of another site told a browser to.
        let path = format!("{path} HTTP/1.1\r\norigin: http://elsewhere\r\nx-rest:");
        let (status, _, body) = ask(&scheduler, "POST", &path, "").await;
        assert_eq!(status, 403, "{path}: {body}");
    }
    let (status, _, body) = ask(&scheduler, "POST", "/quitquitquit", "").await;
    assert_eq!((status, body.as_str()), (200, "the scheduler ends\n"));
    soon("the end", scheduler.wait()).await.unwrap();
}
