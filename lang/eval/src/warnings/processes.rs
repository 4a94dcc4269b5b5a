//! Doubts about the processes of a job.

use std::collections::{BTreeMap, BTreeSet};

use super::View;
use crate::codes::Code;
use crate::report::Report;

pub(super) fn warnings(view: &View<'_>) -> Vec<Report> {
    let mut found = unlimited_failures(view);
    found.extend(duplicates(view));
    found.extend(endless(view));
    found.extend(orders_of_unknown(view));
    found
}

/// A report about a field of the process at `index`.
fn about(view: &View<'_>, code: Code, index: usize, field: &str, message: String) -> Report {
    let step = format!("[{index}]");
    view.report(code, &["task", "processes", &step, field], message)
}

fn unlimited_failures(view: &View<'_>) -> Vec<Report> {
    let processes = view.job().task.processes.iter().enumerate();
    processes
        .filter(|(_, process)| process.max_failures == 0 && !process.daemon)
        .map(|(index, process)| {
            let message = format!(
                "`{}` is run again for ever if it fails: max_failures = 0 is no limit",
                process.name
            );
            about(view, Code::UnlimitedFailures, index, "max_failures", message).with_help(
                "give a number of runs that is enough; the task fails after it instead of hanging",
            )
        })
        .collect()
}

fn duplicates(view: &View<'_>) -> Vec<Report> {
    let mut last = BTreeMap::new();
    let processes = &view.job().task.processes;
    for (index, process) in processes.iter().enumerate() {
        last.insert(process.name.as_str(), index);
    }
    let lost = processes.iter().enumerate().filter(|(index, process)| {
        last.get(process.name.as_str()).is_some_and(|last| last > index)
    });
    lost.map(|(index, process)| {
        let message = format!(
            "the task has another process `{}` further on: this one never runs",
            process.name
        );
        about(view, Code::DuplicateProcess, index, "name", message)
            .with_help("give each process of the task a name of its own")
    })
    .collect()
}

/// A batch task ends when all its processes have ended that are neither ephemeral nor final.
fn endless(view: &View<'_>) -> Option<Report> {
    if view.job().service {
        return None;
    }
    let mut processes = view.job().task.processes.iter().enumerate();
    let (index, process) =
        processes.find(|(_, process)| process.daemon && !process.ephemeral && !process.is_final)?;
    let message = format!(
        "`{}` is a daemon, which is run again whenever it ends: the task never finishes",
        process.name
    );
    Some(about(view, Code::EndlessTask, index, "daemon", message).with_help(
        "add `ephemeral = True` if the task is to end without it, or make the job a Service",
    ))
}

fn orders_of_unknown(view: &View<'_>) -> Vec<Report> {
    let task = &view.job().task;
    let known: BTreeSet<&str> = task.processes.iter().map(|p| p.name.as_str()).collect();
    let constraints = task.constraints.iter().flatten().enumerate();
    constraints
        .filter(|(_, constraint)| {
            !constraint.order.is_empty()
                && constraint.order.iter().all(|name| !known.contains(name.as_str()))
        })
        .map(|(index, constraint)| {
            let names = constraint.order.join(", ");
            let step = format!("[{index}]");
            let near = constraint
                .order
                .iter()
                .find_map(|name| aurora_template::types::nearest(name, known.iter().copied()));
            let report = view.report(
                Code::OrderOfUnknown,
                &["task", "constraints", &step, "order"],
                format!("order({names}) is ignored: the task has none of these processes"),
            );
            report.with_help(match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => {
                    format!("the task has {}", known.iter().copied().collect::<Vec<_>>().join(", "))
                }
            })
        })
        .collect()
}
