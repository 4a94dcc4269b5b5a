//! How long an agent takes to look at 10,000 containers that have ended, and to remove them.
//!
//! Their folders are written first; the agent is told of nothing, as after a restart. Its own numbers
//! say how long each pass took.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark")]
#![allow(clippy::disallowed_methods, reason = "a benchmark of a shell crate")]

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aurora_cluster::agent::{self, Config, Share};
use aurora_cluster::resources::Resources;
use aurora_daemon::listen::Listen;
use aurora_daemon::metrics::{self, Metrics};
use tokio_util::sync::CancellationToken;

const CONTAINERS: u32 = 10_000;
/// Files in each sandbox, and their size in bytes.
const FILES: (u32, usize) = (10, 4096);

fn main() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    let numbers = metrics::install();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let week = Duration::from_hours(7 * 24);
        for round in 1..=3 {
            let secs = pass(folder.path(), &numbers, week, CONTAINERS).await;
            println!("{CONTAINERS} containers looked at, round {round}: {secs:.3} s");
        }
        let secs = pass(folder.path(), &numbers, Duration::ZERO, 0).await;
        println!("{CONTAINERS} containers with {} files each removed: {secs:.3} s", FILES.0);
    });
}

/// Runs an agent until it has looked once, and gives how many seconds that took it.
async fn pass(folder: &Path, numbers: &Metrics, delay: Duration, kept: u32) -> f64 {
    let number = |name: &str| numbers.vars().get(name).copied().unwrap_or_default();
    let (count, sum) = ("agent_collection_events", "agent_collection_seconds_total");
    let (passes, secs) = (number(count), number(sum));
    let stop = CancellationToken::new();
    let config = Config {
        // Nobody is there, and nobody is needed.
        master: "127.0.0.1:1".to_owned(),
        listen: Listen::Address("127.0.0.1:0".parse().unwrap()),
        work_dir: folder.to_owned(),
        hostname: "localhost".to_owned(),
        resources: Resources::default(),
        attributes: Vec::new(),
        registration_timeout: Duration::from_mins(1),
        reregistration_timeout: Duration::from_secs(2),
        shutdown_grace: Duration::from_secs(5),
        recovery_timeout: Duration::from_mins(15),
        gc_delay: delay,
        gc_failed_delay: delay,
        gc_disk_headroom: Share::new(0.0).unwrap(),
        exec: true,
        disk_watch_interval: Duration::from_mins(1),
    };
    let agent = agent::start(config, stop.clone()).await.unwrap();
    while number(count) <= passes {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let secs = number(sum) - secs;
    stop.cancel();
    agent.wait().await.unwrap();
    assert_eq!(number("agent_sandboxes_kept"), f64::from(kept));
    secs
}

/// Writes what is left of the containers.
fn write(work_dir: &Path) {
    let minute_ago = SystemTime::now() - Duration::from_mins(1);
    let ended_ms = minute_ago.duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
    // As `checkpoint.proto` has it: version 1, and the end.
    let mut container = vec![0x08, 1, 0x50];
    let mut rest = ended_ms;
    while rest >= 0x80 {
        container.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    container.push(rest as u8);
    // The executor's description, which nobody looks into.
    container.extend([0x22, 0x80, 0x08]);
    container.extend([0; 1024]);
    for number in 0..CONTAINERS {
        let run = format!("S0/frameworks/F/executors/thermos-{number}/runs/{number}");
        let (sandbox, meta) = (work_dir.join("slaves").join(&run), work_dir.join("meta/slaves"));
        fs::create_dir_all(&sandbox).unwrap();
        for file in 0..FILES.0 {
            fs::write(sandbox.join(file.to_string()), vec![1; FILES.1]).unwrap();
        }
        fs::create_dir_all(meta.join(&run)).unwrap();
        fs::write(meta.join(&run).join("container"), &container).unwrap();
    }
}
