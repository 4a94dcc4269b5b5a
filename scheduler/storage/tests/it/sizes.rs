//! What is done to the largest job there may be is one step, and the log takes it.

use std::collections::BTreeSet;

use aurora_model::job::TaskState;
use aurora_model::key::JobKey;
use aurora_scheduler_core::{MAX_TASKS_PER_JOB, Op, Request, Settings};
use aurora_scheduler_storage::{Log, Store, frame};

use crate::world::{World, job};

const INSTANCES: u32 = 200;

/// Steps that are appended together share a record up to this size.
const SHARED: u64 = 16 << 20;

/// How long the record of a step is, in bytes.
fn length(step: &[Op]) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(folder.path()).unwrap();
    store.append(&[step.to_vec()]).unwrap();
    store.since_snapshot()
}

#[test]
fn what_is_done_to_the_largest_job_is_no_longer_than_a_record_may_be() {
    // Ids, names and messages are as long as they may be.
    let settings = Settings {
        scheduler_host: "h".repeat(255),
        max_tasks_per_job: MAX_TASKS_PER_JOB,
        unset_quota: None,
        ..Settings::default()
    };
    let name = "n".repeat(190);
    let key = JobKey::new("www", "prod", &name).unwrap();
    let message = Some("x".repeat(1 << 10));
    let mut lengths = Vec::new();
    for runs in [false, true] {
        let mut world = World::with(settings.clone());
        world.register();
        world.create(job(&name, INSTANCES, true)).unwrap();
        lengths.push(("create", length(world.log.last().unwrap())));
        let all: BTreeSet<u32> = (0..INSTANCES).collect();
        if runs {
            for _ in 0..INSTANCES / 50 {
                world.offer("A", 100);
            }
            let ids: Vec<_> = world.tasks(&name).iter().map(|task| task.id().clone()).collect();
            for id in ids {
                world.status(&id, TaskState::Running);
            }
            let restart = Request::RestartTasks { job: key.clone(), instances: all.clone() };
            world.ask_as(Some("r"), restart).unwrap();
            lengths.push(("restart", length(world.log.last().unwrap())));
        }
        let (job, message) = (key.clone(), message.clone());
        world.ask_as(Some("k"), Request::KillTasks { job, instances: all, message }).unwrap();
        lengths.push(("kill", length(world.log.last().unwrap())));
    }
    let most = frame::MAX_PAYLOAD as u64 - SHARED;
    for (what, length) in lengths {
        let whole = length * u64::from(MAX_TASKS_PER_JOB / INSTANCES);
        assert!(whole < most, "{what}: {whole} bytes, and a record may have {most}");
    }
}
