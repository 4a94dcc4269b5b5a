//! Maintenance schedules of a real Mesos master, where one can be started.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use aurora_api::v1;
use aurora_api::v1::jobs_client::JobsClient;
use aurora_api::v1::maintenance_client::MaintenanceClient;
use aurora_scheduler_server::{Handle, start};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

use crate::world::{channel, config_with, job, soon};

/// A real master and agent.
struct Mesos {
    tools: PathBuf,
    work: tempfile::TempDir,
    port: u16,
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Mesos {
    /// None where no Mesos can be started: the variable names the folder of `start` and `stop`.
    fn start() -> Option<Self> {
        let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/mesos");
        let tools = std::env::var_os("AURORA_TEST_MESOS").map_or(beside, PathBuf::from);
        if !tools.join("start").exists() {
            eprintln!("skipped: no Mesos here; AURORA_TEST_MESOS names the folder of its `start`");
            return None;
        }
        let mesos = Self { tools, work: tempfile::tempdir().unwrap(), port: free_port() };
        let (port, agent) = (mesos.port.to_string(), free_port().to_string());
        let ran = mesos
            .command("start")
            .args(["--daemon", "--clean", "--port", &port, "--agent-port", &agent])
            .output()
            .unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        Some(mesos)
    }

    fn command(&self, tool: &str) -> Command {
        let mut command = Command::new(self.tools.join(tool));
        command.arg("--work-dir").arg(self.work.path());
        command
    }

    /// Replaces the maintenance schedule.
    async fn schedule(&self, windows: Value) {
        let body = json!({
            "type": "UPDATE_MAINTENANCE_SCHEDULE",
            "update_maintenance_schedule": { "schedule": { "windows": windows } },
        })
        .to_string();
        let head = format!(
            "POST /api/v1 HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n",
            body.len()
        );
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}

impl Drop for Mesos {
    fn drop(&mut self) {
        // Also after a failure, when anything may be amiss.
        let _ = self.command("stop").output();
    }
}

/// Waits until a job has a task in a state.
async fn wait_for_task(scheduler: &Handle, name: &str, state: v1::TaskState) {
    let mut jobs = JobsClient::new(channel(scheduler).await);
    let query = v1::TaskQuery {
        role: "www".into(),
        environment: "prod".into(),
        name: name.into(),
        states: vec![state as i32],
        ..Default::default()
    };
    let request = v1::WatchTasksRequest { query: Some(query) };
    let mut tasks = jobs.watch_tasks(request).await.unwrap().into_inner();
    soon(state.as_str_name(), async {
        while tasks.message().await.unwrap().unwrap().task.is_none() {}
    })
    .await;
}

async fn wait_for_mode(scheduler: &Handle, mode: v1::MaintenanceMode) -> v1::HostStatus {
    let mut client = MaintenanceClient::new(channel(scheduler).await);
    soon(mode.as_str_name(), async {
        loop {
            let request = v1::GetHostsRequest { hosts: vec!["localhost".into()] };
            let mut found = client.get_hosts(request).await.unwrap().into_inner();
            if let Some(host) = found.hosts.pop()
                && host.maintenance.as_ref().unwrap().mode() == mode
            {
                return host;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

#[tokio::test]
async fn an_agent_is_left_for_its_maintenance_and_used_after_it() {
    let Some(mesos) = Mesos::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let master = format!("127.0.0.1:{}", mesos.port);
    // An executor that never says a word: what it is given stays on its way.
    let flags = [
        "--mesos-master-address",
        &master,
        "--thermos-executor-path",
        "/bin/sleep",
        "--thermos-executor-flags",
        "1000",
        "--thermos-executor-fetch",
        "false",
    ];
    let stop = CancellationToken::new();
    let scheduler = start(config_with(folder.path(), &flags), stop.clone()).await.unwrap();
    let mut jobs = JobsClient::new(channel(&scheduler).await);
    let mut one = job("web");
    one.instance_count = 1;
    jobs.create_job(v1::CreateJobRequest { request_id: None, job: Some(one) }).await.unwrap();
    wait_for_task(&scheduler, "web", v1::TaskState::Assigned).await;

    // In three minutes: the host is left at once, as that is less than the threshold.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    let from = u64::try_from(now).unwrap() + 180_000_000_000;
    let window = json!({
        "machine_ids": [{ "hostname": "localhost", "ip": "127.0.0.1" }],
        "unavailability": { "start": { "nanoseconds": from } },
    });
    mesos.schedule(json!([window])).await;
    let host = wait_for_mode(&scheduler, v1::MaintenanceMode::Drained).await;
    let cause = host.maintenance.unwrap().cause();
    assert_eq!(cause, v1::MaintenanceCause::Mesos);
    assert_eq!(host.unavailable_from_ms, Some(i64::try_from(from / 1_000_000).unwrap()));
    wait_for_task(&scheduler, "web", v1::TaskState::Pending).await;

    // Called off: the host is offered without a word of maintenance, and takes tasks again.
    mesos.schedule(json!([])).await;
    wait_for_mode(&scheduler, v1::MaintenanceMode::None).await;
    wait_for_task(&scheduler, "web", v1::TaskState::Assigned).await;
    stop.cancel();
    scheduler.wait().await.unwrap();
}
