//! What can be done with the jobs of a file, where they stand in it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use aurora_model::config::Job;
use aurora_syntax::tree::{Expr, ExprKind, PostKind, Stmt, StmtKind};
use aurora_syntax::{Kind as Word, Span};

use crate::evaluated::JobValue;
use crate::names::touches;
use crate::resolve::{Meaning, nearest};
use crate::source::{FileId, Source};
use crate::text::offset;
use crate::types::{self, Kind, expression_at, kind_of};
use crate::workspace::Snapshot;

/// How many jobs that are made at one place have lenses of their own.
const MAX_AT_ONE_PLACE: usize = 4;
/// How many steps from a name to where a job is made are followed.
const MAX_STEPS: usize = 8;

/// The commands for a job, in the order in which they are shown: what people read, and the command.
/// Those after the first need the job's full name.
const COMMANDS: [(&str, &str); 3] =
    [("inspect", "aurora.inspect"), ("diff", "aurora.diff"), ("deploy", "aurora.deploy")];

/// A job where it stands in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lens {
    /// The call that makes it, or its element of the list of jobs.
    pub span: Span,
    /// Its key, `?` for what is not known; [`None`] for the lens that tells how many more jobs are
    /// made at the same place.
    pub key: Option<String>,
    /// How many jobs of this place have no lens of their own: only in the last one.
    pub more: usize,
    /// What can be done.
    pub commands: Vec<Command>,
}

/// Something that can be done with a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// What people read.
    pub title: &'static str,
    /// The command's id.
    pub id: &'static str,
    /// The file whose list of jobs has the job.
    pub file: FileId,
    /// The job's key.
    pub key: String,
}

/// The jobs that are made in a file, in the order of the text: as the last evaluation with jobs told,
/// or, for a file that never came to any, as its text tells.
pub fn lenses(world: &Snapshot, file: &FileId) -> Vec<Lens> {
    let Some(source) = world.file(file) else { return Vec::new() };
    let mut found: BTreeMap<Span, Vec<(FileId, String, bool)>> = BTreeMap::new();
    let mut is_known = false;
    for main in world.mains_of(file) {
        let Some(evaluated) = world.last_jobs(&main) else { continue };
        // Jobs are many and their files few.
        let mut names: HashMap<&str, bool> = HashMap::new();
        let mut told: HashSet<(Span, String)> = HashSet::new();
        let (Some(config), Some(moves)) = (&evaluated.config, evaluated.moves(source)) else {
            continue;
        };
        is_known |= main == *file;
        let listed = if main == *file { listed(source, config.jobs().len()) } else { Vec::new() };
        for (at, job) in config.jobs().iter().enumerate() {
            let mut is_here =
                |name| *names.entry(name).or_insert_with(|| FileId::evaluated(name) == *file);
            let span = match job.origin().filter(|origin| is_here(&origin.file)) {
                Some(origin) => {
                    moves.around(Span::new(offset(origin.span.start), offset(origin.span.end)))
                }
                // Another file makes it: it stands where this one takes it in.
                None => listed.get(at).copied(),
            };
            let Some(span) = span else { continue };
            let key = job.key_text();
            // What a reference is part of is not known either.
            let has_key = job.has_key() && !key.contains("{{");
            if told.insert((span, key.clone())) {
                found.entry(span).or_default().push((main.clone(), key, has_key));
            }
        }
    }
    // Where all was changed since the evaluation, the text tells until there is another.
    if !is_known || found.is_empty() {
        for (span, key) in by_text(world, source) {
            let has_key = !key.split('/').any(|part| part == "?");
            found.entry(span).or_insert_with(|| vec![(file.clone(), key, has_key)]);
        }
    }
    found.into_iter().flat_map(|(span, jobs)| of_place(span, jobs)).collect()
}

/// The jobs whose role is given by the value at a byte, by their keys.
pub fn jobs_of_role(world: &Snapshot, file: &FileId, at: u32) -> BTreeSet<Arc<str>> {
    let mut found = BTreeSet::new();
    let Some(source) = world.file(file) else { return found };
    for main in world.mains_of(file) {
        let Some(evaluated) = world.last_jobs(&main) else { continue };
        let Some(moves) = evaluated.moves(source) else { continue };
        for JobValue { job, value } in evaluated.values(file) {
            let span = Span::new(offset(value.span.start), offset(value.span.end));
            let is_role = value.path.len() == 1 && value.path[0] == "role";
            if is_role && moves.now(span).is_some_and(|now| touches(now, at)) {
                found.insert(job.clone());
            }
        }
    }
    found
}

fn of_place(span: Span, jobs: Vec<(FileId, String, bool)>) -> Vec<Lens> {
    let more = jobs.len().saturating_sub(MAX_AT_ONE_PLACE);
    let lens = |(file, key, has_key): (FileId, String, bool)| {
        let count = if has_key { COMMANDS.len() } else { 1 };
        let command = |(title, id): &(&'static str, &'static str)| Command {
            title,
            id,
            file: file.clone(),
            key: key.clone(),
        };
        let commands = COMMANDS[..count].iter().map(command).collect();
        Lens { span, key: Some(key), more: 0, commands }
    };
    let mut all: Vec<Lens> = jobs.into_iter().take(MAX_AT_ONE_PLACE).map(lens).collect();
    if more > 0 {
        all.push(Lens { span, key: None, more, commands: Vec::new() });
    }
    all
}

/// Where a file puts each of its jobs in the list of these: the elements of the lists that it gives
/// to `jobs`, or all of the last of these lists if there are not as many elements as jobs.
fn listed(source: &Source, count: usize) -> Vec<Span> {
    let statements = source.parsed.tree.iter();
    let lists: Vec<&Expr> = statements.filter_map(|stmt| list_of_jobs(source, stmt)).collect();
    let items = lists.iter().flat_map(|list| match &list.kind {
        ExprKind::List(items) => items.as_slice(),
        _ => std::slice::from_ref(*list),
    });
    let spans: Vec<Span> = items.map(|item| item.span).collect();
    if spans.len() == count {
        return spans;
    }
    lists.last().map_or_else(Vec::new, |list| vec![list.span; count])
}

/// The elements of the lists that a file gives to `jobs`, each where it is made, with the key as far
/// as it is written there.
fn by_text(world: &Snapshot, source: &Arc<Source>) -> Vec<(Span, String)> {
    let mut lists = Vec::new();
    for statement in &source.parsed.tree {
        lists.extend(list_of_jobs(source, statement));
    }
    let mut found = Vec::new();
    for list in lists {
        let ExprKind::List(items) = &list.kind else { continue };
        for item in items {
            let made = made_at(world, source, item);
            let is_job = kind_of(world, source, 0, made)
                .decl()
                .is_some_and(|decl| decl.name == Job::DECL.name);
            if is_job {
                found.push((made.span, key_of(world, source, made)));
            }
        }
    }
    found
}

fn list_of_jobs<'a>(source: &Source, statement: &'a Stmt) -> Option<&'a Expr> {
    let is_jobs =
        |target: &Expr| target.kind == ExprKind::Name && source.slice(target.span) == "jobs";
    match &statement.kind {
        StmtKind::Assign { targets, value } if targets.iter().any(is_jobs) => Some(value),
        StmtKind::Augmented { target, value, op } if op.kind == Word::PlusEq && is_jobs(target) => {
            Some(value)
        }
        _ => None,
    }
}

/// Where an element of the list is made: there, or where its name is given a value in the same file.
fn made_at<'a>(world: &Snapshot, source: &'a Arc<Source>, item: &'a Expr) -> &'a Expr {
    let mut here = item;
    for _ in 0..MAX_STEPS {
        if here.kind != ExprKind::Name {
            break;
        }
        let Some(value) = value_of(world, source, here) else { return item };
        here = value;
    }
    here
}

/// The value of a name, if this file gives it one.
fn value_of<'a>(world: &Snapshot, source: &'a Arc<Source>, name: &Expr) -> Option<&'a Expr> {
    let meaning = crate::resolve::meaning(world, source, 0, source.slice(name.span))?;
    let Meaning::Defined(all) = meaning else { return None };
    let found = nearest(source, name.span, &all)?;
    if found.source.id != source.id {
        return None;
    }
    expression_at(source, found.get().value?)
}

/// The key of a job as the calls that make it say, those of copies first.
fn key_of(world: &Snapshot, source: &Arc<Source>, made: &Expr) -> String {
    let mut parts: [Option<String>; 4] = Default::default();
    let names = ["cluster", "role", "environment", "name"];
    let mut next = Some(made);
    for _ in 0..MAX_STEPS {
        let Some(expr) = next.take() else { break };
        let ExprKind::Postfix(postfix) = &expr.kind else { break };
        for op in postfix.ops.iter().rev() {
            let PostKind::Call(args) = &op.kind else { continue };
            let before = types::kind_before(world, source, 0, postfix, op.span.start);
            let makes_job = matches!(before, Kind::Struct(decl) | Kind::Constructor(decl) if decl.name == Job::DECL.name);
            if !makes_job && !matches!(before, Kind::Function(_)) {
                continue;
            }
            for (part, name) in parts.iter_mut().zip(names) {
                let given =
                    args.iter().find(|arg| arg.name.is_some_and(|n| source.slice(n) == name));
                if let (None, Some(arg)) = (&part, given) {
                    *part = Some(plain(source, &arg.value).unwrap_or_else(|| "?".to_owned()));
                }
            }
        }
        if postfix.base.kind == ExprKind::Name {
            next = value_of(world, source, &postfix.base);
        }
    }
    parts.map(|part| part.unwrap_or_else(|| "?".to_owned())).join("/")
}

/// A text that is written as such and has no references.
fn plain(source: &Source, value: &Expr) -> Option<String> {
    let ExprKind::Str(pieces) = &value.kind else { return None };
    if pieces.iter().any(|piece| piece.fields.is_some()) {
        return None;
    }
    let text = aurora_syntax::value(&source.text, pieces).value;
    (!text.contains("{{") && !text.is_empty()).then_some(text)
}
