//! Names: what is in scope, what every file knows, and what stands behind a dot.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aurora_model::names::GROUPS;
use aurora_syntax::tree::{Expr, ExprKind, PostKind, PostOp};
use aurora_syntax::walk;

use super::describe::Origin;
use super::expected::Expected;
use super::place::Place;
use super::{Completion, CompletionKind, List, MAX_PROPOSALS, Rank, taking};
use crate::builtin::{self, Builtin, builtins, documented};
use crate::declaration::{of_type, one_line};
use crate::names::{DefKind, Definition, ScopeKind};
use crate::python::{METHODS, python};
use crate::resolve::{Definitive, definitions, origin};
use crate::source::Source;
use crate::style::escaped;
use crate::types::{self, Kind, own_fields};

/// How many names are looked at for what they are.
pub(super) const MAX_KINDS: usize = 300;
/// How many variables of a file are looked at for what there is already.
const MAX_AT_HAND: usize = 60;

/// How much of a value is shown, in bytes.
const MAX_VALUE: usize = 40;

/// The functions of the language that stand as statements.
const STATEMENTS: [&str; 4] = ["include", "load", "print", "fail"];

/// What names are proposed for.
pub(super) enum Wanted {
    /// A statement begins.
    Statement,
    /// A value, maybe one that fits.
    Value(Option<Expected>),
}

impl Wanted {
    pub(super) fn takes(&self, kind: &Kind) -> bool {
        matches!(self, Self::Value(Some(expected)) if expected.takes(kind))
    }

    /// Whether functions of the library make what is expected.
    pub(super) fn is_made(&self) -> bool {
        matches!(self, Self::Value(Some(expected)) if expected.is_made())
    }

    /// Whether a function that gives a value of a kind makes what is expected.
    pub(super) fn is_made_by(&self, result: &Kind) -> bool {
        let is_certain = match result {
            Kind::List(inner) => !matches!(**inner, Kind::Unknown),
            _ => true,
        };
        is_certain && self.takes(result)
    }
}

/// The definitions that can be seen of names that are wanted, each name once, with how near they are.
fn visible(place: &Place<'_>, is_wanted: impl Fn(&str) -> bool) -> Vec<(Rank, Definitive)> {
    let source = place.source;
    let mut found: Vec<(Rank, Definitive)> =
        own(place, &is_wanted).into_iter().map(|found| (Rank::Local, found)).collect();
    let names = source.names.definitions.iter().enumerate();
    let own: BTreeSet<usize> = found.iter().map(|(_, found)| found.id).collect();
    let own = names.filter(|(id, _)| own.contains(id));
    let mut seen: BTreeSet<&str> = own.map(|(_, found)| source.slice(found.name)).collect();
    let files = place.world.namespace(source);
    for file in files.iter().filter(|file| file.id != source.id) {
        for (id, definition) in outer(file) {
            let name = file.slice(definition.name);
            if is_wanted(name) && seen.insert(name) {
                found.push((Rank::Shared, Definitive { source: file.clone(), id }));
            }
        }
    }
    found
}

/// Those of the file itself.
fn own(place: &Place<'_>, is_wanted: impl Fn(&str) -> bool) -> Vec<Definitive> {
    let source = place.source;
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut found = Vec::new();
    for scope in source.names.around(place.scope) {
        // The last definition of a name counts.
        for (id, definition) in source.names.definitions.iter().enumerate().rev() {
            let name = source.slice(definition.name);
            let is_it = definition.scope == scope && is_wanted(name);
            if is_it && is_usable(place, definition) && seen.insert(name) {
                found.push(Definitive { source: source.clone(), id });
            }
        }
    }
    found
}

/// The definitions of a file that others can see.
pub(super) fn outer(file: &Source) -> impl Iterator<Item = (usize, &Definition)> {
    let all = file.names.definitions.iter().enumerate();
    all.filter(|(_, found)| found.scope == 0 && !found.name.is_empty())
}

/// Whether a definition of the file can be used where the cursor stands.
fn is_usable(place: &Place<'_>, definition: &Definition) -> bool {
    let whole = definition.whole;
    let is_within = whole.start < place.at && place.at <= whole.end;
    let is_its_own = is_within
        && (definition.kind == DefKind::Variable
            || definition.kind == DefKind::Struct && place.is_in_bases());
    // A function runs later than what stands around it, and the element of a comprehension is
    // evaluated after what stands behind it.
    let scope = place.source.names.scopes.get(definition.scope).map(|scope| scope.kind);
    let is_later = whole.start >= place.at
        && !place.is_in_function()
        && scope != Some(ScopeKind::Comprehension);
    let is_word = definition.name == place.word;
    !(definition.name.is_empty()
        || definition.kind == DefKind::Field
        || is_its_own
        || is_word
        || is_later)
}

/// The structs of the language of which the file has values already.
pub(super) fn structs_at_hand(place: &Place<'_>) -> BTreeSet<&'static str> {
    let is_value = |definition: &Definition| {
        matches!(definition.kind, DefKind::Variable | DefKind::Parameter | DefKind::Loaded)
    };
    let own = own(place, |_| true).into_iter();
    own.filter(|found| is_value(found.get()))
        .take(MAX_AT_HAND)
        .filter_map(|found| match types::kind_of_definition(place.world, &found) {
            Kind::Struct(decl) => Some(decl.name),
            _ => None,
        })
        .collect()
}

/// Proposes every name that can be seen, and those that can be had from other files.
pub(super) fn all(place: &Place<'_>, list: &mut List, wanted: &Wanted) {
    let fitting = list.labels();
    let seen = visible(place, |name| list.takes(name));
    let mut found = Vec::new();
    let mut made = Vec::new();
    let new = seen.iter().filter(|(_, found)| !fitting.contains(found.name()));
    for (at, (rank, definitive)) in new.enumerate() {
        let kind = if at < MAX_KINDS {
            types::kind_of_definition(place.world, definitive)
        } else {
            Kind::Unknown
        };
        let is_made = match &kind {
            Kind::Function(_) => {
                let of = &definitive.source;
                wanted.is_made_by(&types::result_of_call(place.world, of, kind.clone()))
            }
            _ => false,
        };
        match (wanted.takes(&kind), is_made) {
            (true, _) => found.push((Rank::Fitting, definitive, kind)),
            // What is there comes before what is to be made.
            (_, true) => made.push((Rank::Fitting, definitive, kind)),
            _ => found.push((*rank, definitive, kind)),
        }
    }
    found.extend(made);
    // Only what may come into the list is worked out.
    found.sort_by_cached_key(|(rank, found, _)| list.key(*rank, found.name()));
    found.truncate(MAX_PROPOSALS);
    for (rank, found, kind) in &found {
        list.push(*rank, proposal(place, found, kind));
    }
    let names: BTreeSet<&str> = seen.iter().map(|(_, found)| found.name()).collect();
    // Who has been given what fits types a letter to see all that there is.
    let is_told = list.typed.is_empty() && !fitting.is_empty();
    for (name, builtin) in builtins() {
        let is_there = names.contains(name) || fitting.contains(name);
        if is_there || !list.takes(name) || !is_of_use(name, builtin) {
            continue;
        }
        let rank = match wanted {
            Wanted::Statement if !STATEMENTS.contains(&name) => continue,
            Wanted::Statement => Rank::Local,
            Wanted::Value(_) if wanted.is_made() && wanted.takes(&types::kind_of_builtin(name)) => {
                Rank::Made
            }
            Wanted::Value(_) if is_told || matches!(name, "load" | "include") => continue,
            Wanted::Value(_) => Rank::Builtin,
        };
        list.push(rank, builtin_proposal(place, name, Some(builtin)));
    }
    let is_jobs = |file: &Arc<Source>| file.defines_jobs();
    if matches!(wanted, Wanted::Statement)
        && place.is_outermost()
        && !place.world.namespace(place.source).iter().any(is_jobs)
    {
        let jobs = Completion::new("jobs", CompletionKind::Variable).snippet("jobs = [$0]");
        list.push(Rank::Snippet, jobs.detail("[Job]").of(Origin::Named("jobs".to_owned())).again());
    }
    if !matches!(wanted, Wanted::Statement) {
        taking::names(place, list, wanted, &names);
    }
}

/// Whether a name of the language is more than there for old files.
fn is_of_use(name: &str, builtin: Builtin) -> bool {
    match builtin {
        Builtin::Python => python(name).is_some() || builtin::members(name).next().is_some(),
        _ => aurora_eval::refused(name).is_none(),
    }
}

/// Proposes types: those of fields, or those that a class may be of.
pub(super) fn types(place: &Place<'_>, list: &mut List, are_bases: bool) {
    for (rank, found) in visible(place, |name| list.takes(name)) {
        let kind = types::kind_of_definition(place.world, &found);
        if matches!(kind, Kind::OwnConstructor(_)) {
            let name = found.name().to_owned();
            let class = Completion::new(name, CompletionKind::Struct).of(Origin::defined(&found));
            list.push(rank, class);
        }
    }
    let of_types = GROUPS.iter().find(|group| group.names.iter().any(|name| name.name == "Struct"));
    let names = of_types.into_iter().flat_map(|group| group.names);
    for decl in names {
        let is_base = decl.name == "Struct";
        if is_base != are_bases || matches!(decl.name, "Environment" | "Empty" | "struct_type") {
            continue;
        }
        let kind = if is_base { CompletionKind::Struct } else { CompletionKind::Function };
        // These two stand around a type.
        if !place.calls.is_empty() && matches!(decl.name, "Required" | "Default") {
            continue;
        }
        let takes_types =
            matches!(decl.name, "Required" | "Default" | "List" | "Map" | "Choice" | "Enum");
        let proposal = Completion::new(decl.name, kind).detail(decl.signature);
        let mut proposal = proposal.of(Origin::Builtin(decl.name.to_owned()));
        if takes_types && !place.is_called(place.word) {
            proposal = proposal.snippet(format!("{}($0)", decl.name)).again();
        }
        list.push(Rank::Fitting, proposal);
    }
    if are_bases {
        return;
    }
    for (name, found) in builtins() {
        if matches!(found, Builtin::Struct(_) | Builtin::Enum(_)) {
            let proposal = Completion::new(name, CompletionKind::Struct);
            list.push(Rank::Builtin, proposal.of(Origin::Builtin(name.to_owned())));
        }
    }
}

/// A name that a file defines.
pub(super) fn proposal(place: &Place<'_>, found: &Definitive, kind: &Kind) -> Completion {
    let name = found.name().to_owned();
    let detail = kind.shown().unwrap_or_default();
    match kind {
        Kind::Function(function) => {
            let proposal = Completion::new(&name, CompletionKind::Function).detail(detail);
            let takes = super::fields::has_parameters(function);
            called(place, proposal, &name, takes).of(Origin::defined(function))
        }
        Kind::OwnConstructor(class) => {
            let detail = format!("class {}", class.name());
            let proposal = Completion::new(&name, CompletionKind::Struct).detail(detail);
            called(place, proposal, &name, true).of(Origin::defined(class))
        }
        Kind::Constructor(_) => {
            let proposal = Completion::new(&name, CompletionKind::Struct).detail(detail);
            called(place, proposal, &name, true).of(Origin::defined(found))
        }
        _ => {
            let is_module = found.get().kind == DefKind::Module;
            let of = if is_module { CompletionKind::Module } else { CompletionKind::Variable };
            let shown = origin(place.world, found);
            let value = shown.get().value.filter(|_| {
                matches!(kind, Kind::Text | Kind::Number | Kind::Boolean | Kind::Unknown)
            });
            let value = value.map(|value| one_line(&shown.source, value, MAX_VALUE));
            let detail = match value {
                Some(value) if detail.is_empty() => value,
                Some(value) => format!("{detail} = {value}"),
                None => detail,
            };
            Completion::new(name, of).detail(detail).of(Origin::defined(&shown))
        }
    }
}

/// A name of the language.
pub(super) fn builtin_proposal(
    place: &Place<'_>,
    name: &str,
    found: Option<Builtin>,
) -> Completion {
    let origin = Origin::Builtin(name.to_owned());
    let new = |kind| Completion::new(name, kind).of(origin.clone());
    match found {
        Some(Builtin::Struct(decl)) => {
            called(place, new(CompletionKind::Struct).detail(decl.doc.summary()), name, true)
        }
        Some(Builtin::Enum(decl)) => new(CompletionKind::Struct).detail(decl.doc.summary()),
        Some(Builtin::Object(object)) => {
            let proposal = new(CompletionKind::Struct).detail(object.ty.name);
            // `Service` alone is no whole job.
            if object.name == "Service" { called(place, proposal, name, true) } else { proposal }
        }
        Some(Builtin::Name(decl)) => {
            // An alias has the signature of the first name.
            let proposal = new(CompletionKind::Function).detail(decl.signature);
            match decl.signature.split_once('(') {
                Some((_, inside)) if !decl.signature.starts_with("class ") => {
                    called(place, proposal, name, !inside.starts_with(')'))
                }
                _ => Completion { kind: CompletionKind::Constant, ..proposal },
            }
        }
        Some(Builtin::Python) => match python(name) {
            Some(decl) if decl.signature.contains('(') => {
                let proposal = new(CompletionKind::Function).detail(decl.signature);
                called(place, proposal, name, !decl.signature.contains("()"))
            }
            Some(_) => new(CompletionKind::Constant),
            None => new(CompletionKind::Module),
        },
        None => new(CompletionKind::Variable),
    }
}

/// The same with brackets, unless they are there.
fn called(place: &Place<'_>, proposal: Completion, name: &str, takes: bool) -> Completion {
    if place.is_called(place.word) {
        return proposal;
    }
    if takes {
        proposal.snippet(format!("{}($0)", escaped(name))).again()
    } else {
        proposal.inserts(format!("{name}()"))
    }
}

/// Proposes what may stand behind the dot before the cursor.
pub(super) fn members(place: &Place<'_>, list: &mut List) {
    let kind = place.cursor.owner().unwrap_or_default();
    match &kind {
        Kind::Named(space) => {
            of_space(place, list, space);
            return;
        }
        Kind::Function(_) | Kind::Member(..) | Kind::Number | Kind::Boolean => return,
        Kind::Text => python_methods(place, list, "text"),
        Kind::Table => python_methods(place, list, "dict"),
        Kind::List(_) => python_methods(place, list, "list"),
        Kind::Struct(decl) => {
            for field in decl.fields {
                let origin =
                    Origin::Field { of: decl.name.to_owned(), name: field.name.to_owned() };
                accessors(place, list, field.name, &of_type(&field.ty), &origin);
            }
        }
        Kind::Own(class) => {
            for field in own_fields(place.world, class) {
                let ty = super::spec::spec(place.world, &field).ty.shown();
                accessors(place, list, field.name(), &ty, &Origin::defined(&field));
            }
        }
        Kind::Constructor(_) | Kind::OwnConstructor(_) | Kind::Unknown => {}
    }
    // The other texts, lists and tables are objects of the language: fields of structs.
    if matches!(kind, Kind::Text | Kind::Table | Kind::List(_)) && is_behind_literal(place) {
        return;
    }
    let is_type = matches!(kind, Kind::Constructor(_) | Kind::OwnConstructor(_));
    for decl in builtin::methods() {
        if (decl.name == "json_loads") != is_type {
            continue;
        }
        let takes = !decl.signature.contains("()");
        let proposal = Completion::new(decl.name, CompletionKind::Method)
            .detail(decl.signature)
            .of(Origin::Named(decl.name.to_owned()));
        list.push(Rank::Fitting, called(place, proposal, decl.name, takes));
    }
}

/// Whether what stands before the dot is made of literals: a value of Python.
fn is_behind_literal(place: &Place<'_>) -> bool {
    let Some(dot) = place.before() else { return false };
    let mut found = false;
    walk::around(&place.source.parsed.tree, dot.span, &mut |expr| {
        let ExprKind::Postfix(postfix) = &expr.kind else { return };
        let is_here =
            |op: &PostOp| matches!(op.kind, PostKind::Attr(_)) && op.span.start == dot.span.start;
        if postfix.ops.iter().any(is_here) {
            found = is_literal(place, &postfix.base, true);
        }
    });
    found
}

fn is_literal(place: &Place<'_>, expr: &Expr, follow: bool) -> bool {
    match &expr.kind {
        ExprKind::Str(_)
        | ExprKind::Int
        | ExprKind::Float
        | ExprKind::List(_)
        | ExprKind::Dict(_)
        | ExprKind::Set(_)
        | ExprKind::Comp(_)
        | ExprKind::Tuple { .. } => true,
        ExprKind::Paren(inner) => is_literal(place, inner, follow),
        ExprKind::Chain(chain) => is_literal(place, &chain.first, follow),
        ExprKind::Name if follow => {
            let name = place.source.slice(expr.span);
            let found = definitions(place.world, place.source, place.scope, name);
            let is_one = |found: &Definitive| {
                let value = found.get().value;
                let value = value.and_then(|value| types::expression_at(&found.source, value));
                let is_given = found.get().kind == DefKind::Variable;
                is_given && value.is_some_and(|value| is_literal(place, value, false))
            };
            !found.is_empty() && found.iter().all(is_one)
        }
        _ => false,
    }
}

/// `x.field()` and `x.has_field()`.
fn accessors(place: &Place<'_>, list: &mut List, name: &str, ty: &str, origin: &Origin) {
    let has = format!("has_{name}");
    for (name, detail, rank) in [(name, ty, Rank::Local), (&has, "Boolean", Rank::Builtin)] {
        let proposal = Completion::new(name, CompletionKind::Field).detail(detail);
        list.push(rank, called(place, proposal.of(origin.clone()), name, false));
    }
}

/// The methods of a kind of value of Python.
fn python_methods(place: &Place<'_>, list: &mut List, of: &str) {
    for decl in METHODS.iter().filter(|decl| decl.of == of) {
        let proposal = Completion::new(decl.name, CompletionKind::Method)
            .detail(decl.signature)
            .of(Origin::Method { of: of.to_owned(), name: decl.name.to_owned() });
        let takes = !decl.signature.ends_with("()");
        list.push(Rank::Fitting, called(place, proposal, decl.name, takes));
    }
}

fn of_space(place: &Place<'_>, list: &mut List, space: &str) {
    for (name, decl) in builtin::members(space) {
        // `path.join` of `os`.
        if let Some((first, _)) = name.split_once('.') {
            if !list.has(first) {
                let module =
                    Completion::new(first, CompletionKind::Module).inserts(format!("{first}."));
                list.push(Rank::Fitting, module.again());
            }
            continue;
        }
        let full = format!("{space}.{name}");
        let proposal = Completion::new(name, CompletionKind::Function)
            .detail(decl.signature)
            .of(Origin::Named(full.clone()));
        let is_called = documented(&full).is_some_and(|decl| {
            decl.signature.contains('(') || decl.signature.starts_with("import ")
        });
        let proposal = if is_called { called(place, proposal, name, true) } else { proposal };
        list.push(Rank::Fitting, proposal);
    }
}

/// Proposes the modules of Python that files find.
pub(super) fn modules(list: &mut List) {
    let group = GROUPS.iter().find(|group| group.title == "Python's modules");
    for decl in group.into_iter().flat_map(|group| group.names) {
        if let Some(module) = decl.signature.strip_prefix("import ")
            && !list.has(module)
        {
            let proposal = Completion::new(module, CompletionKind::Module);
            list.push(Rank::Fitting, proposal.of(Origin::Named(decl.name.to_owned())));
        }
    }
}

/// The definitions of a file that may be taken from it, of names that are wanted, the functions first.
pub(super) fn exported(file: &Arc<Source>, is_wanted: impl Fn(&str) -> bool) -> Vec<Definitive> {
    let is_public = |definition: &Definition| {
        let name = file.slice(definition.name);
        let is_kept =
            matches!(definition.kind, DefKind::Function | DefKind::Struct | DefKind::Variable);
        is_kept && !name.starts_with('_') && !matches!(name, "jobs" | "hooks") && is_wanted(name)
    };
    // The last definition of a name counts.
    let mut last: BTreeMap<&str, usize> = BTreeMap::new();
    for (id, definition) in outer(file).filter(|(_, definition)| is_public(definition)) {
        last.insert(file.slice(definition.name), id);
    }
    let found = last.into_values().map(|id| Definitive { source: file.clone(), id });
    let mut found: Vec<Definitive> = found.collect();
    found.sort_by_key(|found| (found.get().kind == DefKind::Variable, found.id));
    found
}
