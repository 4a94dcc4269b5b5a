//! Fields that a struct does not have, and values that a field cannot take.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use aurora_eval::Code;
use aurora_model::declare::{FieldDecl, Rule, StructDecl, TypeDecl};
use aurora_syntax::Span;
use aurora_syntax::tree::{Arg, Expr, ExprKind, PostKind, Star, Stmt};
use aurora_syntax::walk;
use aurora_template::object::Object;
use aurora_template::types::{ChoiceType, EnumType, Plain, StructType, Type, nearest};

use super::{About, Diagnostic, Fix};
use crate::names::{DefId, ScopeId};
use crate::resolve::Definitive;
use crate::source::{FileEdit, FileId, Source};
use crate::sure::{Certain, Sure, scope_of};
use crate::types::own_fields;

/// What is wrong with the arguments of calls that make structs.
pub(super) fn calls(about: &About<'_>, certain: &mut Certain<'_>, found: &mut Vec<Diagnostic>) {
    let mut calls = Calls { about, certain, types: HashMap::new(), classes: HashMap::new(), found };
    calls.stmts(&about.source.parsed.tree);
}

struct Calls<'a, 'c, 'f> {
    about: &'a About<'a>,
    certain: &'f mut Certain<'c>,
    /// The types of fields without those of their fields, by where the declarations are.
    types: HashMap<*const FieldDecl, Type>,
    /// The fields of classes.
    classes: HashMap<(FileId, DefId), Rc<[Definitive]>>,
    found: &'f mut Vec<Diagnostic>,
}

impl Calls<'_, '_, '_> {
    fn stmts(&mut self, stmts: &[Stmt]) {
        walk::everything(stmts, &mut |expr| {
            let ExprKind::Postfix(postfix) = &expr.kind else { return };
            let has_names = |op: &aurora_syntax::tree::PostOp| match &op.kind {
                PostKind::Call(args) => args.iter().any(|arg| arg.name.is_some()),
                _ => false,
            };
            if !postfix.ops.iter().any(has_names) {
                return;
            }
            let scope = scope_of(self.about.source, &postfix.base);
            for (at, op) in postfix.ops.iter().enumerate() {
                let PostKind::Call(args) = &op.kind else { continue };
                match self.certain.before(scope, &postfix.base, &postfix.ops[..at]) {
                    Some(Sure::Constructor(decl) | Sure::Struct(decl) | Sure::Maker(decl)) => {
                        args.iter().for_each(|arg| self.argument(decl, scope, arg))
                    }
                    Some(Sure::OwnConstructor(class) | Sure::Own(class)) => {
                        let fields = self.fields(&class);
                        let known: Vec<&str> = fields.iter().map(|field| field.name()).collect();
                        for name in args.iter().filter_map(|arg| arg.name) {
                            self.known(class.name(), &known, name, args);
                        }
                    }
                    None => {}
                }
            }
        });
    }

    fn fields(&mut self, class: &Definitive) -> Rc<[Definitive]> {
        let key = (class.source.id.clone(), class.id);
        let found = || own_fields(self.about.world, class).into();
        self.classes.entry(key).or_insert_with(found).clone()
    }

    /// Says that a struct does not have a field, unless it has.
    fn known(&mut self, of: &str, known: &[&str], name: Span, args: &[Arg]) {
        let source = self.about.source;
        let text = source.slice(name);
        if text.is_empty() || known.contains(&text) {
            return;
        }
        let whole = args.iter().find(|arg| arg.name == Some(name)).map_or(name, |arg| arg.span);
        let near = nearest(text, known.iter().copied());
        self.found.push(
            Diagnostic::new(
                source,
                whole,
                Code::UnknownField,
                format!("{of} has no field `{text}`"),
            )
            .help(format!("{of} has the fields {}", known.join(", ")))
            .meant(source, name, near),
        );
    }

    fn argument(&mut self, decl: &'static StructDecl, scope: ScopeId, arg: &Arg) {
        let Some(name) = arg.name else { return };
        let Some(field) = decl.field(self.about.source.slice(name)) else {
            let known: Vec<&str> = decl.fields.iter().map(|field| field.name).collect();
            return self.known(decl.name, &known, name, std::slice::from_ref(arg));
        };
        if arg.star != Star::No {
            return;
        }
        let Some(value) = self.value(scope, &arg.value) else { return };
        let ty = self.types.entry(std::ptr::from_ref(field)).or_insert_with(|| shallow(&field.ty));
        if let Some(Wrong { code, message, help, meant }) = mismatch(field, ty, value) {
            let source = self.about.source;
            let mut found = Diagnostic::new(source, arg.span, code, message);
            if let Some(near) = meant
                && let ExprKind::Str(pieces) = &arg.value.kind
                && let [piece] = &**pieces
            {
                let title = format!("write \"{near}\"");
                let edits = vec![FileEdit { location: source.at(piece.inner()), text: near }];
                found.fixes.push(Fix { title, edits });
            }
            self.found.push(Diagnostic { help, ..found });
        }
    }

    /// The value of a literal, or of what makes a struct.
    fn value(&mut self, scope: ScopeId, expr: &Expr) -> Option<Plain> {
        let source = self.about.source;
        Some(match &expr.kind {
            ExprKind::Paren(inner) => return self.value(scope, inner),
            ExprKind::Name => match source.slice(expr.span) {
                "True" => Plain::Bool(true),
                "False" => Plain::Bool(false),
                "None" => Plain::Other("None".to_owned()),
                _ => return self.made(scope, expr),
            },
            ExprKind::Postfix(_) => return self.made(scope, expr),
            _ => literal(source, expr)?,
        })
    }

    fn made(&mut self, scope: ScopeId, expr: &Expr) -> Option<Plain> {
        match self.certain.kind(scope, expr)? {
            Sure::Struct(decl) => Some(Plain::Object(Object::blank(&named(decl.name), None))),
            _ => None,
        }
    }
}

/// The value of a literal; of a list or table, only that it is one and how many elements it has.
fn literal(source: &Arc<Source>, expr: &Expr) -> Option<Plain> {
    Some(match &expr.kind {
        ExprKind::Str(pieces) if pieces.iter().all(|piece| piece.fields.is_none()) => {
            Plain::Text(aurora_syntax::value(&source.text, pieces).value)
        }
        ExprKind::Int => {
            let digits = source.slice(expr.span);
            let is_plain = digits.bytes().all(|b| b.is_ascii_digit());
            (is_plain && (digits == "0" || !digits.starts_with('0')))
                .then(|| Plain::integer(digits))?
        }
        ExprKind::Float => Plain::Float(source.slice(expr.span).parse().ok()?),
        ExprKind::List(items) | ExprKind::Tuple { items, .. } => {
            let item = |item| literal(source, item).unwrap_or(Plain::Empty);
            Plain::List(items.iter().map(item).collect())
        }
        ExprKind::Dict(entries) => {
            Plain::Map(entries.iter().map(|_| (Plain::Empty, Plain::Empty)).collect())
        }
        _ => return None,
    })
}

/// Why a field cannot take a value.
struct Wrong {
    code: Code,
    message: String,
    help: Option<String>,
    /// The text that is likely meant.
    meant: Option<String>,
}

/// Why a field cannot take a value; [`None`] if it can, or nobody knows.
fn mismatch(field: &FieldDecl, ty: &Type, value: Plain) -> Option<Wrong> {
    if let Plain::Text(text) = &value
        && aurora_template::references(text).next().is_some()
        && !matches!(field.ty, TypeDecl::List(_) | TypeDecl::Map(..) | TypeDecl::Struct(_))
    {
        return None;
    }
    let is_none = matches!(value, Plain::Other(_));
    match (&field.ty, &value) {
        (TypeDecl::Struct(_) | TypeDecl::Choice(_), Plain::Map(_)) => return None,
        (TypeDecl::Map(..), Plain::Map(_)) => return None,
        (TypeDecl::Choice(_), Plain::Object(_)) => return None,
        (TypeDecl::List(element), Plain::List(items)) => {
            let element = shallow(element);
            let wrong = items.iter().find_map(|item| match item {
                Plain::Empty | Plain::Map(_) | Plain::List(_) => None,
                item => element.build(item.clone(), None).err(),
            });
            return wrong.map(of_build);
        }
        _ => {}
    }
    let built = match ty.build(value.clone(), None) {
        Ok(built) => built,
        Err(wrong) => return Some(of_build(wrong)),
    };
    // What is None in one struct may be given in its copies.
    if is_none || matches!(field.ty, TypeDecl::Struct(_) | TypeDecl::List(_) | TypeDecl::Map(..)) {
        return None;
    }
    drop(built);
    if let Err(message) = ty.coerce(&value) {
        let message = format!("{}: {message}", field.name);
        return Some(Wrong { code: Code::BadValue, message, help: None, meant: None });
    }
    any_case(field, &value)
}

fn of_build(wrong: aurora_template::types::TypeMismatch) -> Wrong {
    let code = match wrong.no_value {
        Some(_) => Code::BadEnumValue,
        None => Code::TypeMismatch,
    };
    let meant = wrong.no_value.and_then(|no_value| no_value.meant);
    Wrong { code, message: wrong.message, help: wrong.help, meant }
}

/// A text that is one of a few in any letter case.
fn any_case(field: &FieldDecl, value: &Plain) -> Option<Wrong> {
    let Plain::Text(text) = value else { return None };
    let allowed = field.rules.iter().find_map(|rule| match rule {
        Rule::AnyCaseOf(allowed) => Some(allowed),
        _ => None,
    })?;
    if allowed.iter().any(|known| known.eq_ignore_ascii_case(text)) {
        return None;
    }
    let near = nearest(text, allowed.iter().copied());
    Some(Wrong {
        code: Code::BadCronPolicy,
        message: format!("unknown {} {text:?}", field.name),
        help: near.map(|near| format!("did you mean {near:?}?")),
        meant: near.map(str::to_owned),
    })
}

/// A type without the fields of its structs.
fn shallow(ty: &TypeDecl) -> Type {
    match ty {
        TypeDecl::String => Type::String,
        TypeDecl::Integer => Type::Integer,
        TypeDecl::Float => Type::Float,
        TypeDecl::Boolean => Type::Boolean,
        TypeDecl::Enum(decl) => {
            let values = decl.values.iter().map(|(value, _)| Arc::from(*value)).collect();
            Type::Enum(Arc::new(EnumType { name: decl.name.into(), values }))
        }
        TypeDecl::List(element) => Type::List(Arc::new(shallow(element))),
        TypeDecl::Map(key, value) => Type::Map(Arc::new((shallow(key), shallow(value)))),
        TypeDecl::Struct(decl) => Type::Struct(named(decl.name)),
        TypeDecl::Choice(decl) => {
            let alternatives = decl.alternatives.iter().map(shallow).collect();
            Type::Choice(Arc::new(ChoiceType { name: decl.name.into(), alternatives }))
        }
    }
}

fn named(name: &str) -> Arc<StructType> {
    Arc::new(StructType { name: name.to_owned(), fields: Vec::new() })
}
