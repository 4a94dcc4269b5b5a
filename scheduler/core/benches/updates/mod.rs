//! Updates for benchmarks, of the shapes of the original's.

use std::sync::Arc;

use aurora_model::job::Timestamp;
use aurora_model::key::{JobKey, UpdateId};
use aurora_model::update::{
    InstanceAction, InstanceConfig, InstanceEvent, InstanceRange, JobUpdate, UpdateEvent,
    UpdateInstructions, UpdateKey, UpdateSettings, UpdateStatus,
};
use aurora_scheduler_core::{Op, UpdateOp, UpdateSnapshot};

use crate::cluster::job;

/// Events of an update.
const EVENTS: i64 = 100;

/// An update that is over, by its number, and the ops that make it: with so many configurations from
/// before it, events of instances and pieces of metadata.
pub(crate) fn one(number: u32, configs: u32, events: u32, metadata: u32) -> (UpdateKey, Vec<Op>) {
    let key = UpdateKey {
        job: JobKey::new("jmh", "prod", &format!("job-{number}")).unwrap(),
        id: UpdateId::new(format!("update-{number}")).unwrap(),
    };
    let config = |config: u32| {
        let mut job = job("jmh", &format!("job-{number}"), 1);
        job.task.executor.as_mut().unwrap().data = "x".repeat(10_000);
        job.task.priority = i32::try_from(config).unwrap();
        InstanceConfig {
            task: Arc::new(job.task),
            instances: vec![InstanceRange { first: config, last: config }],
        }
    };
    let update = JobUpdate {
        key: key.clone(),
        user: "bench".into(),
        instructions: UpdateInstructions {
            initial: (0..configs).map(config).collect(),
            desired: Some(config(configs)),
            settings: UpdateSettings::default(),
            surge: None,
        },
        metadata: (0..metadata).map(|n| (format!("key-{n}"), format!("value-{n}"))).collect(),
    };
    let statuses = (0..EVENTS).map(|at| UpdateEvent {
        status: match at + 1 {
            EVENTS => UpdateStatus::RolledForward,
            _ => UpdateStatus::RollingForward,
        },
        timestamp: Timestamp(at),
        user: Some("bench".into()),
        message: Some("message".into()),
    });
    let snapshot = UpdateSnapshot {
        update: Arc::new(update),
        events: statuses.collect(),
        taken: Vec::new(),
        acted: false,
        last_pulse: None,
        tally: None,
    };
    let of_instances = (0..events).map(|instance| InstanceEvent {
        instance,
        timestamp: Timestamp(i64::from(instance)),
        action: InstanceAction::InstanceUpdated,
        message: Some("message".into()),
    });
    let events = UpdateOp::Events { key: key.clone(), events: of_instances.collect() };
    (key, vec![Op::Update(UpdateOp::Put(Box::new(snapshot))), Op::Update(events)])
}
