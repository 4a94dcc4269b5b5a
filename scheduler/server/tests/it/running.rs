//! The endpoints that the original's tools read, while tasks run.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use aurora_api::v1;
use aurora_api::v1::cron_jobs_client::CronJobsClient;
use aurora_api::v1::jobs_client::JobsClient;
use aurora_api::v1::maintenance_client::MaintenanceClient;
use aurora_api::v1::quotas_client::QuotasClient;
use aurora_model::job::{JobConfiguration, TaskEvent, TaskState, Timestamp};
use aurora_model::key::{AgentId, TaskId};
use aurora_scheduler_core::{Op, TaskRecord};
use aurora_scheduler_server::{Handle, start};
use aurora_scheduler_storage::{Log, Store};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::master;
use crate::world::{ask, channel, config_with, job, json_at, page, soon};

fn host(name: &str) -> Op {
    Op::PutHost {
        name: format!("host-{name}"),
        agent: AgentId::new(format!("agent-{name}")).unwrap(),
        address: String::new(),
        attributes: BTreeMap::from([("rack".to_owned(), ["r1".to_owned()].into())]),
    }
}

/// Instances of a job that run on a host, each with a port.
fn running(name: &str, instances: u32, on: &str) -> Op {
    let mut config = JobConfiguration::try_from(job(name)).unwrap().task;
    config.tier = Some("preemptible".to_owned());
    config.resources.ports = ["http".to_owned()].into();
    let event =
        |state| TaskEvent { timestamp: Timestamp(1), state, message: None, scheduler: None };
    let tasks = (0..instances).map(|instance| TaskRecord {
        id: TaskId::new(format!("{name}-{instance}")).unwrap(),
        instance,
        state: TaskState::Running,
        agent: Some((AgentId::new(format!("agent-{on}")).unwrap(), format!("host-{on}"))),
        ports: [("http".to_owned(), 31_000 + u16::try_from(instance).unwrap())].into(),
        failure_count: 0,
        times_partitioned: 0,
        events: vec![event(TaskState::Pending), event(TaskState::Running)],
        ancestor: None,
    });
    Op::PutTasks { config: Arc::new(config), tasks: tasks.collect() }
}

/// A log in which `web` runs on host-a and `api` on host-b.
fn write_log(folder: &Path) {
    let (mut store, _) = Store::open(folder).unwrap();
    let hosts = ["a", "b", "c"].map(host);
    let jobs = [running("web", 2, "a"), running("api", 1, "b")];
    store.append(&[hosts.into_iter().chain(jobs).collect()]).unwrap();
}

async fn begin(folder: &Path, stop: &CancellationToken) -> Handle {
    write_log(folder);
    let master = master::start(vec![master::offer("agent-c", "host-c", 4.0)]).await;
    let flags = ["--mesos-master-address", &master, "--viz-job-url-prefix", "http://graphs/"];
    start(config_with(folder, &flags), stop.clone()).await.unwrap()
}

#[tokio::test]
async fn what_runs_is_told_by_agent_job_and_address() {
    let folder = tempfile::tempdir().unwrap();
    let stop = CancellationToken::new();
    let scheduler = begin(folder.path(), &stop).await;

    let state = page(&scheduler, "/state").await;
    let configs = state["taskConfigs"].as_object().unwrap();
    let key_of = |name: &str| {
        let job = format!("www/prod/{name}-");
        configs.keys().find(|key| key.starts_with(&job)).unwrap().clone()
    };
    let (web, api) = (key_of("web"), key_of("api"));
    assert_eq!(configs.len(), 2);
    assert_eq!(configs[&web]["job"]["name"], "web");
    assert_eq!(state["agents"], json!({ "agent-a": [&web, &web], "agent-b": [&api] }));

    for (path, wanted) in [
        ("/mname/www/prod/web/1", "http://host-a:31001/"),
        ("/mname/www/prod/web/0/x/y?q=1", "http://host-a:31000/x/y?q=1"),
    ] {
        let (status, head, _) = ask(&scheduler, "GET", path, "").await;
        assert_eq!(status, 307, "{path}: {head}");
        assert!(head.contains(&format!("location: {wanted}\r\n")), "{path}: {head}");
    }
    for (path, wanted) in [
        ("/structdump/task/web-1", vec!["&quot;RUNNING&quot;", "host-a", "31001"]),
        ("/utilization", vec!["total_consumed", "0.3"]),
        ("/utilization/free_pool_consumed", vec!["www", "0.3"]),
        ("/utilization/free_pool_consumed/www", vec!["www/prod/web", "0.2", "www/prod/api"]),
        ("/utilization/quota_consumed/www", vec!["Nothing is used."]),
        ("/agents", vec!["host-a", "agent-b", "rack: r1"]),
        ("/scheduler/www/prod/web", vec!["http://graphs/www/prod/web", "host-a"]),
    ] {
        let (status, _, body) = ask(&scheduler, "GET", path, "").await;
        assert_eq!(status, 200, "{path}");
        for wanted in wanted {
            assert!(body.contains(wanted), "{path}: {wanted}: {body}");
        }
    }
    stop.cancel();
    scheduler.wait().await.unwrap();
}

#[tokio::test]
async fn pages_are_json_for_who_asks_for_that() {
    let folder = tempfile::tempdir().unwrap();
    let stop = CancellationToken::new();
    let scheduler = begin(folder.path(), &stop).await;
    let (status, task) = json_at(&scheduler, "/structdump/task/web-1").await;
    assert_eq!((status, &task["status"]), (200, &json!("RUNNING")));
    let (status, nothing) = json_at(&scheduler, "/structdump/task/nobody").await;
    assert_eq!((status, nothing), (404, json!({ "error": "There is nothing by this name." })));
    let (_, agents) = json_at(&scheduler, "/agents").await;
    let found = agents["agents"].as_array().unwrap();
    let agent = found.iter().find(|agent| agent["host"] == "host-a").unwrap();
    assert_eq!((&agent["agentId"], &agent["tasks"]), (&json!("agent-a"), &json!(2)));
    assert_eq!((&agent["attributes"]["rack"], &agent["mode"]), (&json!(["r1"]), &json!("NONE")));
    assert_eq!(agents["next"], Value::Null);
    for (path, name, cpus) in [
        ("/utilization", "total_consumed", 0.3),
        ("/utilization/free_pool_consumed", "www", 0.3),
        ("/utilization/free_pool_consumed/www", "www/prod/web", 0.2),
    ] {
        let (status, used) = json_at(&scheduler, path).await;
        assert_eq!((status, &used["used"][name]["cpus"]), (200, &json!(cpus)), "{path}: {used}");
    }
    stop.cancel();
    scheduler.wait().await.unwrap();
}

/// Waits until a page is as it is to be.
async fn page_when(scheduler: &Handle, path: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    soon(path, async {
        loop {
            let found = page(scheduler, path).await;
            if is_so(&found) {
                return found;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

#[tokio::test]
async fn what_is_offered_and_what_waits_for_more_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let stop = CancellationToken::new();
    let scheduler = begin(folder.path(), &stop).await;
    let offers = page_when(&scheduler, "/offers", |offers| *offers != json!([])).await;
    let [offer] = offers.as_array().unwrap().as_slice() else { panic!("{offers}") };
    assert_eq!(offer["hostname"], "host-c");
    assert_eq!(offer["agent_id"]["value"], "agent-c");
    assert_eq!(offer["id"]["value"], "offer-of-agent-c");
    let resource = |name: &str| {
        let all = offer["resources"].as_array().unwrap();
        all.iter().find(|one| one["name"] == name).unwrap().clone()
    };
    assert_eq!(resource("cpus")["scalar"]["value"], 4.0);
    assert_eq!(resource("ports")["ranges"]["range"], json!([{ "begin": 31000, "end": 31001 }]));
    let attributes = offer["attributes"].as_array().unwrap();
    let rack = json!({ "name": "rack", "type": "TEXT", "text": { "value": "r1" } });
    assert!(attributes.contains(&rack), "{offer}");

    let mut jobs = JobsClient::new(channel(&scheduler).await);
    let mut greedy = job("greedy");
    greedy.task.as_mut().unwrap().resources.as_mut().unwrap().cpus = 100.0;
    let create = v1::CreateJobRequest { job: Some(greedy), request_id: None };
    jobs.create_job(create).await.unwrap();
    let waits = page_when(&scheduler, "/pendingtasks", |groups| {
        groups[0]["reason"].as_str().is_some_and(|reason| reason.contains("CPU"))
    })
    .await;
    assert_eq!(waits[0]["name"], "www/prod/greedy");
    assert_eq!(waits[0]["taskIds"].as_array().unwrap().len(), 2);
    // Other schedulers of this process count too.
    let vars = page(&scheduler, "/vars.json").await;
    for name in ["scheduler_resource_offers", "mesos_scheduler_event_OFFERS"] {
        assert!(vars[name].as_f64().is_some_and(|count| count >= 1.0), "{name}: {vars}");
    }
    for name in [
        "mem_storage_attribute_size",
        "mesos_call_queue_size",
        "effect_queue_size",
        "system_load_avg",
        "process_cpu_cores_utilized",
    ] {
        assert!(vars[name].is_number(), "{name}: {vars}");
    }
    stop.cancel();
    scheduler.wait().await.unwrap();
}

#[tokio::test]
async fn what_is_set_scheduled_and_drained_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let stop = CancellationToken::new();
    let scheduler = begin(folder.path(), &stop).await;
    // While there is no master nobody is drained.
    page_when(&scheduler, "/offers", |offers| *offers != json!([])).await;
    let to = channel(&scheduler).await;
    let mut quotas = QuotasClient::new(to.clone());
    let amounts = v1::ResourceAggregate { cpus: 1.5, ram_mb: 2, disk_mb: 3 };
    for role in ["www", "ads"] {
        let request =
            v1::SetQuotaRequest { role: role.into(), quota: Some(amounts), request_id: None };
        quotas.set_quota(request).await.unwrap();
    }
    let mut crons = CronJobsClient::new(to.clone());
    let mut nightly = job("nightly");
    nightly.cron_schedule = Some("0 3 * * *".into());
    nightly.task.as_mut().unwrap().is_service = false;
    let request = v1::ScheduleCronJobRequest { request_id: None, job: Some(nightly) };
    crons.schedule_cron_job(request).await.unwrap();
    let mut hosts = MaintenanceClient::new(to);
    let request = v1::StartMaintenanceRequest { request_id: None, hosts: vec!["host-c".into()] };
    hosts.start_maintenance(request).await.unwrap();
    let request = v1::DrainHostsRequest { request_id: None, hosts: vec!["host-b".into()] };
    hosts.drain_hosts(request).await.unwrap();

    let quota = json!({ "cpu_cores": 1.5, "ram_mb": 2, "disk_mb": 3 });
    for (path, wanted) in [
        ("/quotas", json!({ "ads": quota, "www": quota })),
        ("/quotas?role=www", json!({ "www": quota })),
        ("/quotas?role=nobody", json!({})),
        ("/cron", json!({ "scheduled": { "www/prod/nightly": "0 3 * * *" } })),
        (
            "/maintenance",
            json!({ "SCHEDULED": ["host-c"], "DRAINED": [], "DRAINING": { "host-b": ["api-0"] } }),
        ),
    ] {
        assert_eq!(page(&scheduler, path).await, wanted, "{path}");
    }
    let (_, _, tiers) = ask(&scheduler, "GET", "/tiers", "").await;
    assert!(tiers.contains("\"default\":\"preemptible\""), "{tiers}");
    for (path, wanted) in [
        ("/structdump/cron/www/prod/nightly", "0 3 * * *"),
        ("/agents", "SCHEDULED"),
        ("/mname/www/prod/api/0", "is not running: it is DRAINING"),
        ("/quota", "/scheduler/ads"),
    ] {
        let (_, _, body) = ask(&scheduler, "GET", path, "").await;
        assert!(body.contains(wanted), "{path}: {wanted}: {body}");
    }
    stop.cancel();
    scheduler.wait().await.unwrap();
}
