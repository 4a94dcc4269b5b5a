//! The names of what the shell counts of its own.

use aurora_mesos::v1::scheduler::{call, event};

/// Every one that has no label, by the original's names where it has one. What is counted of webhooks
/// is there where there are any.
const NAMES: [&str; 32] = [
    "assigner_launch_failures",
    "events_missed",
    "log_snapshot_failures",
    "log_steps",
    "mesos_calls_dropped",
    "mesos_failures",
    "offers_rescinded",
    "scheduler_backup_failed",
    "scheduler_backup_success",
    "scheduler_driver_kill_failures",
    "scheduler_framework_disconnects",
    "scheduler_framework_message",
    "scheduler_framework_registers",
    "scheduler_inverse_offers",
    "scheduler_lost_executors",
    "scheduler_resource_offers",
    "scheduler_status_update",
    "sla_coordinator_attempts",
    "sla_coordinator_errors",
    "sla_coordinator_success",
    "sla_coordinator_user_errors",
    "slaves_lost",
    "tasks_launched",
    "thrift_workload_addInstances",
    "thrift_workload_createJob",
    "thrift_workload_drainHosts",
    "thrift_workload_endMaintenance",
    "thrift_workload_killTasks",
    "thrift_workload_pruneTasks",
    "thrift_workload_restartShards",
    "thrift_workload_slaDrainHosts",
    "thrift_workload_startMaintenance",
];

/// Has all of them there from the start, so that whoever watches one sees a nought and not nothing.
pub(crate) fn register() {
    for name in NAMES {
        metrics::counter!(name).increment(0);
    }
    // Numbers of a protocol's words are small.
    for number in 1..100 {
        if let Ok(event) = event::Type::try_from(number) {
            metrics::counter!("mesos_scheduler_event", "type" => event.as_str_name()).increment(0);
        }
        if let Ok(call) = call::Type::try_from(number) {
            let call = call.as_str_name().to_ascii_lowercase();
            metrics::counter!("mesos_call_failures", "call" => call).increment(0);
        }
    }
}
