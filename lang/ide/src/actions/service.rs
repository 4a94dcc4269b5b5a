//! What services should have and do not have yet: a health check, and how they are updated.

use aurora_model::config::{HealthCheckConfig, UpdateConfig};
use aurora_model::declare::StructDecl;
use aurora_model::docs::default_in_language;
use aurora_syntax::tree::{Arg, Expr, ExprKind, PostKind, PostOp, Star, StrPiece};

use super::{Action, ActionKind, Call, Place, arguments};
use crate::entity::of_scope;
use crate::names::{DefKind, ScopeId, plain_text};
use crate::references::occurrences;
use crate::source::FileEdit;
use crate::sure::Sure;
use crate::template::ports;
use crate::types::expression_at;

/// The port that checks by HTTP ask.
const HEALTH: &str = "health";
/// The port that stands for a service if nothing else is said.
const PRIMARY: &str = "http";
/// How many steps from a job to its first process are followed.
const MAX_STEPS: usize = 12;
/// The fields that people set first.
const UPDATE: [&str; 4] =
    ["batch_size", "watch_secs", "max_per_shard_failures", "max_total_failures"];
const CHECK: [&str; 3] = ["initial_interval_secs", "interval_secs", "max_consecutive_failures"];

/// Adds to a job what it lacks.
pub(super) fn additions(place: &Place<'_>, call: &Call<'_>, found: &mut Vec<Action>) {
    let decl = call.callee.as_ref().and_then(Sure::decl);
    if decl.is_none_or(|decl| decl.name != "Job") {
        return;
    }
    found.extend(health_check(place, call));
    found.extend(update(place, call));
}

/// Whether a chain of calls gives a field, in this call or another, or may do so by a dict.
fn is_given(place: &Place<'_>, call: &Call<'_>, field: &str) -> bool {
    let calls = call.postfix.ops.iter().filter_map(|op| match &op.kind {
        PostKind::Call(args) => Some(args),
        _ => None,
    });
    let is_it = |arg: &Arg| {
        arg.star == Star::Two || arg.name.is_some_and(|name| place.source.slice(name) == field)
    };
    calls.flatten().any(is_it)
}

/// A struct with fields at their defaults, for people to change.
fn skeleton(place: &Place<'_>, decl: &'static StructDecl, fields: &[&str]) -> String {
    let fields = fields.iter().filter_map(|name| decl.field(name));
    let fields = fields.filter_map(|field| {
        let value = default_in_language(field)?;
        Some(format!("{}{}{value}", field.name, place.style.equals))
    });
    format!("{}({})", decl.name, fields.collect::<Vec<_>>().join(", "))
}

fn update(place: &Place<'_>, call: &Call<'_>) -> Option<Action> {
    let is_service = place.source.slice(call.postfix.base.span) == "Service"
        || call
            .argument(place.source, "service")
            .is_some_and(|arg| place.source.slice(arg.value.span) == "True");
    if is_given(place, call, "update_config") || !is_service || !place.is_language("UpdateConfig") {
        return None;
    }
    let value = skeleton(place, UpdateConfig::DECL, &UPDATE);
    let new = format!("update_config{}{value}", place.style.equals);
    let edits = arguments::add(place, call.op, call.args, &[new])?;
    Some(place.action(ActionKind::Rewrite, "Add `update_config`", edits))
}

fn health_check(place: &Place<'_>, call: &Call<'_>) -> Option<Action> {
    if is_given(place, call, "health_check_config") || !place.is_language("HealthCheckConfig") {
        return None;
    }
    let style = place.style;
    let value = skeleton(place, HealthCheckConfig::DECL, &CHECK);
    let mut new = vec![format!("health_check_config{}{value}", style.equals)];
    let mut edits = Vec::new();
    let known = ports(place.world, place.source);
    if !known.contains(HEALTH) {
        let announced = call.argument(place.source, "announce");
        // The check asks a port that is there under another name, or one that a process is told.
        let port = if known.contains(PRIMARY) {
            Some(PRIMARY)
        } else {
            known.iter().next().map(String::as_str)
        };
        match (port, announced) {
            (Some(port), None) if !is_given(place, call, "announce") => {
                new.push(announcer(place, port)?);
            }
            (Some(port), Some(arg)) => edits.extend(alias(place, arg, port)?),
            (Some(_), None) => {}
            (None, _) => edits.push(port_reference(place, call)?),
        }
    }
    edits.extend(arguments::add(place, call.op, call.args, &new)?);
    Some(place.action(ActionKind::Rewrite, "Add a health check", edits))
}

/// `announce` with the aliases that it has anyway, and one for the check.
fn announcer(place: &Place<'_>, port: &str) -> Option<String> {
    if !place.is_language("Announcer") {
        return None;
    }
    let style = place.style;
    let (equals, port) = (style.equals, style.quoted(port));
    let (aurora, health) = (style.quoted("aurora"), style.quoted(HEALTH));
    Some(format!(
        "announce{equals}Announcer(primary_port{equals}{port}, \
         portmap{equals}{{{aurora}: {port}, {health}: {port}}})"
    ))
}

/// Adds the alias for the check to an `Announcer`; [`None`] if it is not written there.
fn alias(place: &Place<'_>, announce: &Arg, port: &str) -> Option<Vec<FileEdit>> {
    let source = place.source;
    let style = place.style;
    let entry = format!("{}: {}", style.quoted(HEALTH), style.quoted(port));
    let ExprKind::Postfix(postfix) = &announce.value.kind else { return None };
    let [op] = postfix.ops.as_slice() else { return None };
    let PostKind::Call(args) = &op.kind else { return None };
    let portmap =
        args.iter().find(|arg| arg.name.is_some_and(|name| source.slice(name) == "portmap"));
    match portmap.map(|arg| &arg.value) {
        Some(Expr { kind: ExprKind::Dict(entries), span }) => {
            let key = |key: &Expr| plain_text(key).map(|text| source.slice(text));
            Some(match entries.last() {
                _ if entries.iter().any(|(name, _)| key(name) == Some(HEALTH)) => Vec::new(),
                Some((_, last)) => vec![place.insert(last.span.end, format!(", {entry}"))],
                None => vec![place.insert(span.start + 1, entry)],
            })
        }
        Some(_) => None,
        None => {
            let aurora =
                format!("{}: {}", style.quoted("aurora"), style.quoted("{{primary_port}}"));
            let new = format!("portmap{}{{{aurora}, {entry}}}", style.equals);
            arguments::add(place, op, args, &[new])
        }
    }
}

/// Lets the first process of the job know the port of the check, which brings it about: without a port
/// the check would never run.
fn port_reference(place: &Place<'_>, call: &Call<'_>) -> Option<FileEdit> {
    let task = call.argument(place.source, "task")?;
    let piece = first_command(place, call.scope, &task.value, MAX_STEPS)?;
    let text = format!("export HEALTH_PORT={{{{thermos.ports[{HEALTH}]}}}}; ");
    let inner = piece.inner();
    // Behind the blanks that a command on lines of its own begins with.
    let written = place.source.slice(inner);
    let blanks = written.len() - written.trim_start().len();
    Some(place.insert(inner.start + crate::text::offset(blanks), text))
}

/// Whether a name is read once in all files.
fn is_read_once(place: &Place<'_>, scope: ScopeId, name: &str) -> bool {
    let Some(entity) = of_scope(place.world, place.source, scope, name) else { return false };
    let found = occurrences(place.world, &entity);
    let reads = found.all.iter().filter(|found| !found.is_declaration);
    reads.count() == 1 && found.doubtful.is_empty()
}

/// The command of the first process that a task runs, if it is written as one literal that is this job's
/// alone: another job would be told the port, too.
fn first_command<'a>(
    place: &Place<'a>,
    scope: ScopeId,
    expr: &'a Expr,
    steps: usize,
) -> Option<&'a StrPiece> {
    let steps = steps.checked_sub(1)?;
    let source = place.source;
    match &expr.kind {
        ExprKind::Paren(inner) => first_command(place, scope, inner, steps),
        ExprKind::List(items) => first_command(place, scope, items.first()?, steps),
        ExprKind::Name => {
            let name = source.slice(expr.span);
            let found = place.index.find(scope, name);
            let [(0, id)] = &*found else { return None };
            let definition = &source.names.definitions[*id];
            let value = definition.value.filter(|_| definition.kind == DefKind::Variable)?;
            let value = expression_at(source, value)?;
            let command = first_command(place, definition.scope, value, steps)?;
            is_read_once(place, definition.scope, name).then_some(command)
        }
        ExprKind::Postfix(postfix) => {
            let ops: &'a [PostOp] = &postfix.ops;
            let given = |field: &str| {
                let calls = ops.iter().rev().filter_map(|op| match &op.kind {
                    PostKind::Call(args) => Some(args),
                    _ => None,
                });
                let is_it =
                    |arg: &&'a Arg| arg.name.is_some_and(|name| source.slice(name) == field);
                calls.flat_map(|args| args.iter()).find(is_it)
            };
            if let Some(processes) = given("processes") {
                return first_command(place, scope, &processes.value, steps);
            }
            let ExprKind::Str(pieces) = &given("cmdline")?.value.kind else { return None };
            let [piece] = &**pieces else { return None };
            Some(piece).filter(|piece| piece.fields.is_none())
        }
        _ => None,
    }
}
