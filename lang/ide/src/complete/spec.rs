//! What the text of a class says of a field.

use aurora_model::declare::StructDecl;
use aurora_syntax::tree::{Arg, Expr, ExprKind, PostKind};

use crate::builtin::{Builtin, builtin};
use crate::resolve::{Definitive, Meaning, meaning, origin};
use crate::types::expression_at;
use crate::workspace::Snapshot;

/// How many names a type may be written through.
const MAX_STEPS: usize = 8;

/// A field of a class.
#[derive(Debug, Clone, Default)]
pub(super) struct Spec {
    /// Whether it must be given.
    pub(super) is_required: bool,
    /// The value that it has otherwise, as written.
    pub(super) default: Option<String>,
    /// What it holds.
    pub(super) ty: SpecType,
}

/// What a field of a class holds.
#[derive(Debug, Clone, Default)]
pub(super) enum SpecType {
    /// Text.
    Text,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// One of a few texts.
    Enum(Vec<String>),
    /// A list.
    List(Box<SpecType>),
    /// A table.
    Map,
    /// A struct of the language.
    Struct(&'static StructDecl),
    /// A struct of a file.
    Own(Definitive),
    /// Nothing that the text tells.
    #[default]
    Unknown,
}

impl SpecType {
    /// Its name for people.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Text => "String".to_owned(),
            Self::Number => "Number".to_owned(),
            Self::Boolean => "Boolean".to_owned(),
            Self::Enum(values) => values.join(" | "),
            Self::List(inner) => format!("List({})", inner.shown()),
            Self::Map => "Map".to_owned(),
            Self::Struct(decl) => decl.name.to_owned(),
            Self::Own(class) => class.name().to_owned(),
            Self::Unknown => String::new(),
        }
    }
}

/// What a class says of a field.
pub(super) fn spec(world: &Snapshot, field: &Definitive) -> Spec {
    let written = field.get().value.and_then(|span| expression_at(&field.source, span));
    let Some(written) = written else { return Spec::default() };
    if let Some((name, args)) = call(field, written) {
        let ty = || args.first().map(|arg| type_of(world, field, &arg.value, MAX_STEPS));
        match name {
            "Required" => {
                let ty = ty().unwrap_or_default();
                return Spec { is_required: true, default: None, ty };
            }
            "Default" => {
                let default = args.get(1).map(|arg| field.source.slice(arg.value.span).to_owned());
                return Spec { is_required: false, default, ty: ty().unwrap_or_default() };
            }
            _ => {}
        }
    }
    Spec { ty: type_of(world, field, written, MAX_STEPS), ..Spec::default() }
}

/// The name and arguments of a plain call.
fn call<'a>(at: &'a Definitive, expr: &'a Expr) -> Option<(&'a str, &'a [Arg])> {
    let ExprKind::Postfix(postfix) = &expr.kind else { return None };
    let [op] = postfix.ops.as_slice() else { return None };
    let PostKind::Call(args) = &op.kind else { return None };
    (postfix.base.kind == ExprKind::Name).then(|| (at.source.slice(postfix.base.span), &**args))
}

fn type_of(world: &Snapshot, at: &Definitive, expr: &Expr, steps: usize) -> SpecType {
    let Some(steps) = steps.checked_sub(1) else { return SpecType::Unknown };
    if let Some((name, args)) = call(at, expr) {
        return match name {
            "List" => {
                let inner = args.first().map(|arg| type_of(world, at, &arg.value, steps));
                SpecType::List(Box::new(inner.unwrap_or_default()))
            }
            "Map" => SpecType::Map,
            "Enum" => SpecType::Enum(values(at, args)),
            _ => SpecType::Unknown,
        };
    }
    if expr.kind != ExprKind::Name {
        return SpecType::Unknown;
    }
    let name = at.source.slice(expr.span);
    match meaning(world, &at.source, at.get().scope, name) {
        Some(Meaning::Builtin(_, Builtin::Struct(decl))) => SpecType::Struct(decl),
        Some(Meaning::Builtin(_, Builtin::Enum(decl))) => {
            SpecType::Enum(decl.values.iter().map(|(value, _)| (*value).to_owned()).collect())
        }
        Some(Meaning::Builtin(..)) => match name {
            "String" => SpecType::Text,
            "Integer" | "Float" => SpecType::Number,
            "Boolean" => SpecType::Boolean,
            _ => SpecType::Unknown,
        },
        Some(Meaning::Defined(all)) => {
            let Some(found) = all.last().map(|found| origin(world, found)) else {
                return SpecType::Unknown;
            };
            if found.get().kind == crate::names::DefKind::Struct {
                return SpecType::Own(found);
            }
            let value = found.get().value.and_then(|span| expression_at(&found.source, span));
            value.map(|value| type_of(world, &found, value, steps)).unwrap_or_default()
        }
        None => SpecType::Unknown,
    }
}

/// The values of `Enum("a", "b")` or `Enum("Name", ("a", "b"))`.
fn values(at: &Definitive, args: &[Arg]) -> Vec<String> {
    let text = |expr: &Expr| match &expr.kind {
        ExprKind::Str(pieces) => Some(aurora_syntax::value(&at.source.text, pieces).value),
        _ => None,
    };
    let all = |exprs: &[Expr]| exprs.iter().filter_map(text).collect();
    match args {
        [_, Arg { value: Expr { kind: ExprKind::Tuple { items, .. }, .. }, .. }]
        | [_, Arg { value: Expr { kind: ExprKind::List(items), .. }, .. }] => all(items),
        _ => args.iter().filter_map(|arg| text(&arg.value)).collect(),
    }
}

/// Whether a name is one that types are made with.
pub(super) fn makes_type(name: &str) -> bool {
    matches!(name, "Required" | "Default" | "List" | "Map" | "Choice") && builtin(name).is_some()
}
