//! References that are still open, and who binds them later on (`dsl.md` 9).

use std::collections::BTreeSet;

use aurora_template::object::{Kind, Object};
use aurora_template::scope::{OpenReference, Resolved};
use aurora_template::types::Plain;
use aurora_template::types::nearest;
use aurora_template::{Address, Component, Fragment, InterpolateError};

use super::stage::{Fault, Stage};
use crate::codes::Code;

/// Whether a text has something that another interpolation would change: an escape, or a reference
/// that an escape has become.
pub(super) fn changes_again(resolved: &Resolved) -> bool {
    each_text(&resolved.object, &mut |text| {
        aurora_template::split(text).into_iter().any(|fragment| match fragment {
            Fragment::Text(_) => false,
            Fragment::Escape { .. } => true,
            Fragment::Reference { inner, .. } => inner
                .parse::<Address>()
                .map_or(true, |address| !resolved.unbound.contains(&address)),
        })
    })
}

/// Whether one of the texts with braces in an object is what is looked for.
fn each_text(object: &Object, is: &mut impl FnMut(&str) -> bool) -> bool {
    // What is final has no braces.
    if object.is_resolved() {
        return false;
    }
    match object.kind() {
        Kind::Scalar(Plain::Text(text)) => text.contains("{{") && is(text),
        Kind::List(items) => items.iter().any(|item| each_text(item, is)),
        Kind::Map(entries) => {
            entries.iter().any(|(key, value)| each_text(key, is) || each_text(value, is))
        }
        Kind::Struct(fields) => fields.iter().flatten().any(|value| each_text(value, is)),
        Kind::Scalar(_) | Kind::Choice(_) => false,
    }
}

/// What only the executor knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Later {
    TaskId,
    Instance,
    Hostname,
    Port(String),
    /// What a port is called by mistake: `thermos.ports.http`.
    NamedPort(String),
}

/// What the executor binds to an address, if it does.
pub(super) fn later(address: &Address) -> Option<Later> {
    let is = |component: &Component, wanted: &str| matches!(component, Component::Name(name) if name == wanted);
    match address.components() {
        [space, field] if is(space, "thermos") && is(field, "task_id") => Some(Later::TaskId),
        [space, field] if is(space, "mesos") && is(field, "instance") => Some(Later::Instance),
        [space, field] if is(space, "mesos") && is(field, "hostname") => Some(Later::Hostname),
        [space, ports, port] if is(space, "thermos") && is(ports, "ports") => Some(match port {
            Component::Index(port) => Later::Port(port.clone()),
            Component::Name(port) => Later::NamedPort(port.clone()),
        }),
        _ => None,
    }
}

/// The ports that the processes of a task refer to.
///
/// # Errors
/// One is referred to in another way than by `[name]`.
pub(super) fn referenced_ports(resolved: &Resolved) -> Result<BTreeSet<String>, Fault> {
    let mut ports = BTreeSet::new();
    for open in &resolved.open {
        if !matches!(&*open.path, [task, processes, ..] if task == "task" && processes == "processes")
        {
            continue;
        }
        match later(&open.address) {
            Some(Later::Port(port)) => {
                ports.insert(port);
            }
            Some(Later::NamedPort(_)) => return Err(nothing_bound(open)),
            _ => {}
        }
    }
    Ok(ports)
}

/// What is left open in the task once everything that the executor binds is there (`dsl.md` 8.3, 5).
pub(super) fn open_in_task(resolved: &Resolved) -> Vec<Fault> {
    let mut found = Vec::new();
    let mut last: &[String] = &[];
    for open in resolved.open.iter().filter(|open| is_in_task(open)) {
        let is_next_of_text = open.path == last;
        last = &open.path;
        if is_never_bound(open) {
            found.push(nothing_bound(open));
        } else if !is_next_of_text
            && let Some(text) = text_at(&resolved.object, &open.path)
            && let Some(address) = made_by_executor(text)
        {
            found.push(nothing_bound(&OpenReference { address, ..open.clone() }));
        }
    }
    found
}

fn is_never_bound(open: &OpenReference) -> bool {
    later(&open.address).is_none_or(|later| matches!(later, Later::NamedPort(_)))
}

/// What is open outside the task that nobody binds later on (`dsl.md` 8.3, 7).
pub(super) fn open_in_job(resolved: &Resolved) -> Vec<Fault> {
    resolved
        .open
        .iter()
        .filter(|open| !is_in_task(open) && is_never_bound(open))
        .map(nothing_bound)
        .collect()
}

fn is_in_task(open: &OpenReference) -> bool {
    open.path.first().is_some_and(|field| field == "task")
}

/// The text at a path.
fn text_at<'a>(object: &'a Object, path: &[String]) -> Option<&'a str> {
    let mut object = object;
    for step in path {
        let index = step.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        object = match (object.kind(), index) {
            (Kind::List(items), Some(index)) => items.get(index.parse::<usize>().ok()?)?,
            _ => object.field(step)?,
        };
    }
    match object.kind() {
        Kind::Scalar(Plain::Text(text)) => Some(text),
        _ => None,
    }
}

/// A reference that is there only once the executor has put in what it knows, as
/// `{{list[{{mesos.instance}}]}}` has one.
fn made_by_executor(text: &str) -> Option<Address> {
    let written: BTreeSet<Address> =
        aurora_template::references(text).filter_map(|(inner, _)| inner.parse().ok()).collect();
    let done = aurora_template::interpolate::<InterpolateError>(text, |address| {
        Ok(later(address).and_then(|later| match later {
            Later::TaskId | Later::Hostname => Some(String::new()),
            Later::Instance | Later::Port(_) => Some("31337".to_owned()),
            Later::NamedPort(_) => None,
        }))
    });
    done.ok()?.unbound.into_iter().find(|address| !written.contains(address))
}

/// What was meant by a reference of the executor's that it does not know.
fn runtime_help(address: &str) -> Option<String> {
    const KNOWN: [&str; 5] =
        ["mesos.instance", "mesos.hostname", "thermos.task_id", "thermos.user", "thermos.ports"];
    const OF_THE_JOB: [&str; 3] = ["environment", "name", "instances"];
    let (space, field) = address.split_once('.')?;
    if !["mesos", "thermos"].contains(&space) {
        return None;
    }
    if OF_THE_JOB.contains(&field) {
        return Some(format!("write {{{{{field}}}}}, the job's own field"));
    }
    let (plain, index) = address.split_at(address.find('[').unwrap_or(address.len()));
    Some(match nearest(plain, KNOWN.into_iter()) {
        Some(near) => format!("did you mean {{{{{near}{index}}}}}?"),
        None => "of mesos and thermos there are {{mesos.instance}}, {{mesos.hostname}}, \
                 {{thermos.task_id}}, {{thermos.user}} and {{thermos.ports[NAME]}}"
            .to_owned(),
    })
}

fn nothing_bound(open: &OpenReference) -> Fault {
    let shown = aurora_template::beginning(&open.address.to_string());
    let fault = match later(&open.address) {
        Some(Later::NamedPort(port)) => {
            Fault::at(Stage::Convert, "", format!("{{{{{shown}}}}} names no port"))
                .coded(Code::BadReference)
                .with_help(format!("ports are written {{{{thermos.ports[{port}]}}}}"))
        }
        _ => Fault::at(Stage::Convert, "", format!("nothing is bound to {{{{{shown}}}}}"))
            .coded(Code::UnboundReference),
    };
    let fault = match runtime_help(&shown) {
        Some(help) if fault.help.is_none() => fault.with_help(help),
        _ => fault,
    };
    Fault {
        path: open.path.clone(),
        origin: open.origin.clone(),
        in_text: Some(Box::new(open.in_text.clone())),
        is_nameless: true,
        ..fault
    }
}
