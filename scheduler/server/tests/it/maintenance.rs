//! The service of maintenance, over a socket.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use aurora_api::v1;
use aurora_api::v1::maintenance_client::MaintenanceClient;
use aurora_model::job::{JobConfiguration, TaskEvent, TaskState, Timestamp};
use aurora_model::key::{AgentId, TaskId};
use aurora_scheduler_core::{Op, TaskRecord};
use aurora_scheduler_server::{Handle, start};
use aurora_scheduler_storage::{Log, Store};
use tokio_util::sync::CancellationToken;
use tonic::Code;
use tonic::transport::Channel;

use crate::world::{channel, config, config_with, job, page, soon};

/// A log in which three hosts have made offers; on the first, a production service runs.
fn write_log(folder: &Path) {
    let (mut store, _) = Store::open(folder).unwrap();
    let hosts = ["a", "b", "c"].map(|name| Op::PutHost {
        name: format!("host-{name}"),
        agent: AgentId::new(format!("agent-{name}")).unwrap(),
        address: String::new(),
        attributes: BTreeMap::new(),
    });
    let mut config = JobConfiguration::try_from(job("web")).unwrap().task;
    config.production = true;
    config.tier = Some("preferred".to_owned());
    let event =
        |state| TaskEvent { timestamp: Timestamp(1), state, message: None, scheduler: None };
    let tasks = (0..30).map(|instance| TaskRecord {
        id: TaskId::new(format!("web-{instance}")).unwrap(),
        instance,
        state: TaskState::Running,
        agent: Some((AgentId::new("agent-a").unwrap(), "host-a".into())),
        ports: BTreeMap::new(),
        failure_count: 0,
        times_partitioned: 0,
        events: vec![event(TaskState::Pending), event(TaskState::Running)],
        ancestor: None,
    });
    let tasks = Op::PutTasks { config: Arc::new(config), tasks: tasks.collect() };
    store.append(&[hosts.into_iter().chain([tasks]).collect()]).unwrap();
}

async fn client(scheduler: &Handle) -> MaintenanceClient<Channel> {
    MaintenanceClient::new(channel(scheduler).await)
}

fn modes(hosts: &[v1::HostMode]) -> Vec<(&str, v1::MaintenanceMode)> {
    hosts.iter().map(|host| (host.host.as_str(), host.mode())).collect()
}

fn names(hosts: &[&str]) -> Vec<String> {
    hosts.iter().map(|host| (*host).to_owned()).collect()
}

#[tokio::test]
async fn hosts_are_left_emptied_and_taken_back() {
    use v1::MaintenanceMode::{Drained, Draining, None, Scheduled};
    let folder = tempfile::tempdir().unwrap();
    write_log(folder.path());
    let stop = CancellationToken::new();
    let scheduler = start(config(folder.path()), stop.clone()).await.unwrap();
    let mut client = client(&scheduler).await;

    let request = v1::StartMaintenanceRequest {
        request_id: Some("s1".into()),
        hosts: names(&["host-b", "host-x", "host-b"]),
    };
    let answer = client.start_maintenance(request.clone()).await.unwrap().into_inner();
    assert_eq!(modes(&answer.hosts), [("host-b", Scheduled)]);
    assert_eq!(answer.unknown_hosts, ["host-x"]);

    let request = v1::DrainHostsRequest { request_id: Option::None, hosts: names(&["host-b"]) };
    let answer = client.drain_hosts(request).await.unwrap().into_inner();
    assert_eq!(modes(&answer.hosts), [("host-b", Drained)]);

    let drain = v1::SlaDrainHostsRequest {
        request_id: Some("d1".into()),
        hosts: names(&["host-a", "host-c"]),
        default_policy: Some(v1::SlaPolicy {
            policy: Some(v1::sla_policy::Policy::Percentage(v1::PercentageSlaPolicy {
                percentage: 95.0,
                duration_secs: 60,
            })),
        }),
        timeout_secs: 3600,
        surge: true,
    };
    let first = client.sla_drain_hosts(drain.clone()).await.unwrap().into_inner();
    assert_eq!(modes(&first.hosts), [("host-a", Draining), ("host-c", Drained)]);

    let hosts = names(&["host-a", "host-b", "nobody"]);
    let found = client.get_hosts(v1::GetHostsRequest { hosts }).await.unwrap().into_inner();
    assert_eq!(found.unknown_hosts, ["nobody"]);
    let a = &found.hosts[0];
    let maintenance = a.maintenance.as_ref().unwrap();
    assert_eq!((a.tasks, maintenance.mode()), (30, Draining));
    let recorded = maintenance.drain.as_ref().unwrap();
    assert_eq!(recorded.default_policy, drain.default_policy);
    assert_eq!((recorded.timeout_secs, recorded.surge), (3600, true));
    assert!(recorded.created_ms > 0);

    let request = v1::EndMaintenanceRequest { request_id: Option::None, hosts: names(&["host-a"]) };
    let answer = client.end_maintenance(request).await.unwrap().into_inner();
    assert_eq!(modes(&answer.hosts), [("host-a", None)]);
    // A repeated call changes nothing, and is answered as the first was.
    assert_eq!(client.sla_drain_hosts(drain).await.unwrap().into_inner(), first);
    let mut list = v1::ListHostsRequest { page_size: 2, ..Default::default() };
    let page = client.list_hosts(list.clone()).await.unwrap().into_inner();
    let shown = |page: &v1::ListHostsResponse| {
        let mode = |host: &v1::HostStatus| host.maintenance.as_ref().unwrap().mode();
        page.hosts.iter().map(|host| (host.host.clone(), mode(host))).collect::<Vec<_>>()
    };
    assert_eq!(shown(&page), [("host-a".into(), None), ("host-b".into(), Drained)]);
    list.page_token = page.next_page_token;
    let page = client.list_hosts(list).await.unwrap().into_inner();
    assert_eq!(shown(&page), [("host-c".into(), Drained)]);
    assert_eq!(page.next_page_token, "");
    let only = v1::ListHostsRequest { only_in_maintenance: true, ..Default::default() };
    let page = client.list_hosts(only).await.unwrap().into_inner();
    assert_eq!(shown(&page).len(), 2);

    // All of it is in the log.
    stop.cancel();
    scheduler.wait().await.unwrap();
    let (_, state) = Store::open(folder.path()).unwrap();
    let in_maintenance: Vec<_> = state.maintenance().hosts().map(|(name, _)| name).collect();
    assert_eq!(in_maintenance, ["host-b", "host-c"]);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    write_log(folder.path());
    let stop = CancellationToken::new();
    let scheduler = start(config(folder.path()), stop.clone()).await.unwrap();
    let mut client = client(&scheduler).await;
    for (hosts, expected) in [
        (Vec::new(), "hosts is empty"),
        (vec![String::new()], "empty name"),
        (vec!["x".repeat(256)], "more than 255 bytes"),
        (vec!["x".to_owned(); 10_001], "at most 10000"),
    ] {
        let request = v1::DrainHostsRequest { hosts, ..Default::default() };
        let error = client.drain_hosts(request).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument);
        assert!(error.message().contains(expected), "{error}");
    }
    let policy = |percentage| v1::SlaPolicy {
        policy: Some(v1::sla_policy::Policy::Percentage(v1::PercentageSlaPolicy {
            percentage,
            duration_secs: 60,
        })),
    };
    for (default_policy, timeout_secs, expected) in [
        (None, 1, "default_policy is missing"),
        (Some(policy(95.0)), 0, "at least 1"),
        (Some(policy(101.0)), 1, "percentage is out of range"),
        (Some(v1::SlaPolicy::default()), 1, "missing"),
    ] {
        let hosts = names(&["host-a"]);
        let request = v1::SlaDrainHostsRequest {
            request_id: None,
            hosts,
            default_policy,
            timeout_secs,
            surge: false,
        };
        let error = client.sla_drain_hosts(request).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument);
        assert!(error.message().contains(expected), "{error}");
    }
    stop.cancel();
    scheduler.wait().await.unwrap();
}

#[tokio::test]
async fn services_are_measured_and_forgotten_with_their_tasks() {
    let folder = tempfile::tempdir().unwrap();
    write_log(folder.path());
    let stop = CancellationToken::new();
    let flags = ["--sla-stat-refresh-interval", "1"];
    let scheduler = start(config_with(folder.path(), &flags), stop.clone()).await.unwrap();
    let mut client = client(&scheduler).await;
    let gauge = "sla_www/prod/web_job_uptime_50.00_sec";
    soon("the numbers of a service", async {
        while page(&scheduler, "/vars.json").await.get(gauge).is_none() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let drain = v1::SlaDrainHostsRequest {
        request_id: None,
        hosts: names(&["host-a"]),
        default_policy: Some(v1::SlaPolicy {
            policy: Some(v1::sla_policy::Policy::Count(v1::CountSlaPolicy {
                count: 29,
                duration_secs: 60,
            })),
        }),
        timeout_secs: 3600,
        surge: true,
    };
    client.sla_drain_hosts(drain).await.unwrap();
    let countdown = "maintenance_countdown_ms_www/prod/web/0";
    soon("a countdown", async {
        while page(&scheduler, "/vars.json").await.get(countdown).is_none() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let hosts = names(&["host-a"]);
    client.end_maintenance(v1::EndMaintenanceRequest { request_id: None, hosts }).await.unwrap();
    soon("the end of a countdown", async {
        while page(&scheduler, "/vars.json").await.get(countdown).is_some() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    stop.cancel();
    scheduler.wait().await.unwrap();
}
