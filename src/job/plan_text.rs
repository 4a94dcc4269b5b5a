//! A plan, as people and programs read it.

use std::collections::BTreeSet;
use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use aurora_api::v1;
use aurora_client::compare::{FieldChange, Update};
use aurora_client::plan::{Action, Plan};
use aurora_model::key::ClusterJobKey;
use serde_json::{Value, json};

use super::compare::{field_diff, in_line, is_nested, ranges, updates};

/// A plan for programs.
pub(crate) fn json(plan: &Plan, key: &ClusterJobKey, warnings: &[String]) -> Value {
    let found = &plan.found;
    let amounts = |amounts: Option<v1::ResourceAggregate>| {
        amounts.map(|it| json!({ "cpus": it.cpus, "ram_mb": it.ram_mb, "disk_mb": it.disk_mb }))
    };
    json!({
        "job": key.to_string(),
        "id": plan.id.to_string(),
        "action": if plan.has_changes() { plan.action.name() } else { "none" },
        "add": found.add,
        "remove": found.remove,
        "update": updates(found),
        "unchanged": found.same,
        "schedule": plan.schedule,
        "counts": {
            "add": found.add.len(),
            "change": changed(plan),
            "remove": found.remove.len(),
            "unchanged": found.same.len(),
        },
        "quota": plan.quota.as_ref().map(|quota| json!({
            "role": plan.job.key.role(),
            "limit": amounts(quota.limit),
            "before": amounts(quota.before),
            "after": amounts(quota.after),
            "exceeded_by": amounts(quota.exceeded_by),
        })),
        "placement": plan.placement.as_ref().map(|placement| json!({
            "wanted": placement.wanted,
            "fits": placement.fits,
            "reason": placement.reason.as_ref().map(|why| &why.reason),
            "hint": placement.reason.as_ref().and_then(|why| why.hint.as_ref()),
        })),
        "refused": plan.refusals(),
        "warnings": warnings,
    })
}

/// How many instances would become something else.
fn changed(plan: &Plan) -> usize {
    plan.found.update.iter().map(|update| update.instances.len()).sum()
}

/// A plan for people, with colours.
pub(crate) fn text(plan: &Plan, key: &ClusterJobKey) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_plan(&mut text, plan, key);
    text
}

fn write_plan(text: &mut String, plan: &Plan, key: &ClusterJobKey) -> std::fmt::Result {
    let found = &plan.found;
    let becomes = match (plan.has_changes(), plan.action) {
        (false, _) => "is what the file says",
        (true, Action::Create) => "would be created",
        (true, Action::Update) => "would be updated",
        (true, Action::Schedule) => "would be scheduled",
    };
    writeln!(text, "{key} {becomes}:")?;
    let mut row = |sign: Sign, instances: &BTreeSet<u32>, what: &str| match instances.is_empty() {
        true => Ok(()),
        false => writeln!(text, "  {} {} {what}", sign.shown(), ranges(instances)),
    };
    row(Sign::Add, &found.add, "new")?;
    row(Sign::Remove, &found.remove, "gone")?;
    for update in &found.update {
        row(Sign::Change, &update.instances, "changed")?;
    }
    row(Sign::Same, &found.same, "as they are")?;
    write_changes(text, plan)?;
    if let Some(quota) = &plan.quota {
        write_quota(text, plan.job.key.role(), quota)?;
    }
    if let Some(placement) = &plan.placement {
        write_placement(text, placement)?;
    }
    let yellow = AnsiColor::Yellow.on_default().bold();
    for refusal in plan.refusals() {
        writeln!(text, "\n{yellow}As things are, this would be refused:{yellow:#} {refusal}")?;
    }
    writeln!(
        text,
        "\nPlan: {} to add, {} to change, {} to remove, {} unchanged.",
        found.add.len(),
        changed(plan),
        found.remove.len(),
        found.same.len()
    )?;
    writeln!(text, "Plan id: {}", plan.id)
}

/// What becomes of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    Add,
    Remove,
    Change,
    Same,
}

impl Sign {
    fn of(change: &FieldChange) -> Self {
        match (change.running.is_null(), change.wanted.is_null()) {
            (true, _) => Self::Add,
            (_, true) => Self::Remove,
            _ => Self::Change,
        }
    }

    fn shown(self) -> String {
        let (sign, style) = match self {
            Self::Add => ('+', AnsiColor::Green.on_default()),
            Self::Remove => ('-', AnsiColor::Red.on_default()),
            Self::Change => ('~', AnsiColor::Yellow.on_default()),
            Self::Same => ('=', Style::new()),
        };
        format!("{style}{sign}{style:#}")
    }
}

fn write_changes(text: &mut String, plan: &Plan) -> std::fmt::Result {
    if !plan.schedule.is_empty() {
        writeln!(text, "\nSchedule:")?;
        plan.schedule.iter().try_for_each(|change| write_change(text, change))?;
    }
    plan.found.update.iter().try_for_each(|update: &Update| {
        writeln!(text, "\nInstances {}:", ranges(&update.instances))?;
        update.changes().iter().try_for_each(|change| write_change(text, change))
    })
}

/// One field: in a line if its values have room there, else as the lines that differ.
fn write_change(text: &mut String, change: &FieldChange) -> std::fmt::Result {
    let FieldChange { path, running, wanted } = change;
    let sign = Sign::of(change);
    let has_lines =
        |value: &Value| is_nested(value) || value.as_str().is_some_and(|text| text.contains('\n'));
    if has_lines(running) || has_lines(wanted) {
        writeln!(text, "  {} {path}:", sign.shown())?;
        let shown = field_diff(running, wanted);
        return shown.lines().try_for_each(|line| writeln!(text, "      {line}"));
    }
    let (running, wanted) = (in_line(running), in_line(wanted));
    match sign {
        Sign::Add => writeln!(text, "  {} {path}: {wanted}", sign.shown()),
        Sign::Remove => writeln!(text, "  {} {path}: {running}", sign.shown()),
        Sign::Change | Sign::Same => {
            writeln!(text, "  {} {path}: {running} -> {wanted}", sign.shown())
        }
    }
}

fn write_quota(text: &mut String, role: &str, quota: &v1::QuotaEffect) -> std::fmt::Result {
    let (before, after) = (quota.before.unwrap_or_default(), quota.after.unwrap_or_default());
    writeln!(text, "\nQuota of {role}:")?;
    let limit = quota.limit;
    let of = |limit: Option<String>| limit.map_or("unlimited".to_owned(), |it| format!("of {it}"));
    writeln!(
        text,
        "  CPU:  {:?} -> {:?} core(s), {}",
        before.cpus,
        after.cpus,
        of(limit.map(|it| format!("{:?}", it.cpus)))
    )?;
    writeln!(
        text,
        "  RAM:  {} -> {} MB, {}",
        before.ram_mb,
        after.ram_mb,
        of(limit.map(|it| it.ram_mb.to_string()))
    )?;
    writeln!(
        text,
        "  Disk: {} -> {} MB, {}",
        before.disk_mb,
        after.disk_mb,
        of(limit.map(|it| it.disk_mb.to_string()))
    )
}

fn write_placement(text: &mut String, placement: &v1::TrialPlacement) -> std::fmt::Result {
    let v1::TrialPlacement { wanted, fits, reason } = placement;
    write!(text, "\nPlacement: {fits} of {wanted} instances would find a place at once")?;
    let Some(reason) = reason.as_ref().filter(|_| fits < wanted) else {
        return writeln!(text, ".");
    };
    writeln!(text, "; the others would wait: {}", reason.reason)?;
    match &reason.hint {
        Some(hint) => writeln!(text, "  {hint}"),
        None => Ok(()),
    }
}
