//! The structs of the language as types of the evaluator: made of their declarations in
//! `aurora_model` (`dsl.md` 5).

use std::collections::BTreeMap;
use std::sync::Arc;

use aurora_model::catalog::{ALIASES, OBJECTS, enums, structs};
use aurora_model::declare::{EnumDecl, FieldDecl, Presence, StructDecl, TypeDecl};
use aurora_template::object::{Kind, Object};
use aurora_template::types::{ChoiceType, EnumType, Field, Plain, StructType, Type};
use serde_json::Value;

/// Every struct type and the objects that stand beside them, by the names files use.
pub(crate) struct Schema {
    types: BTreeMap<&'static str, Arc<StructType>>,
    /// Ready-made objects: `Service`, `DefaultLifecycleConfig`, …
    pub(crate) objects: Vec<(&'static str, Object)>,
}

impl Schema {
    /// The struct of a name; [`None`] if there is none.
    pub(crate) fn get(&self, name: &str) -> Option<&Arc<StructType>> {
        self.types.get(name)
    }

    pub(crate) fn types(&self) -> impl Iterator<Item = (&'static str, &Arc<StructType>)> {
        self.types.iter().map(|(name, ty)| (*name, ty))
    }

    /// The type of a declaration. Each struct is made once: its name is its identity.
    fn struct_type(&mut self, decl: &StructDecl) -> Arc<StructType> {
        if let Some(known) = self.types.get(decl.name) {
            return known.clone();
        }
        let fields = decl.fields.iter().map(|decl| self.field(decl)).collect();
        let ty = Arc::new(StructType { name: decl.name.to_owned(), fields });
        self.types.insert(decl.name, ty.clone());
        ty
    }

    /// Defaults are of their field's type, so building one cannot fail; one that did would be
    /// absent, which the test shows.
    fn field(&mut self, decl: &FieldDecl) -> Field {
        let ty = self.ty(&decl.ty);
        let default = decl.default().and_then(|json| ty.build(plain(json), None).ok());
        let required = matches!(decl.presence, Presence::Required);
        Field { name: decl.name.into(), ty, required, default }
    }

    fn ty(&mut self, decl: &TypeDecl) -> Type {
        match decl {
            TypeDecl::String => Type::String,
            TypeDecl::Integer => Type::Integer,
            TypeDecl::Float => Type::Float,
            TypeDecl::Boolean => Type::Boolean,
            TypeDecl::Enum(decl) => enum_type(decl),
            TypeDecl::List(element) => Type::List(Arc::new(self.ty(element))),
            TypeDecl::Map(key, value) => Type::Map(Arc::new((self.ty(key), self.ty(value)))),
            TypeDecl::Struct(decl) => Type::Struct(self.struct_type(decl)),
            TypeDecl::Choice(decl) => {
                let alternatives = decl.alternatives.iter().map(|ty| self.ty(ty)).collect();
                Type::Choice(Arc::new(ChoiceType { name: decl.name.into(), alternatives }))
            }
        }
    }
}

fn enum_type(decl: &EnumDecl) -> Type {
    let values = decl.values.iter().map(|(value, _)| Arc::from(*value)).collect();
    Type::Enum(Arc::new(EnumType { name: decl.name.into(), values }))
}

/// The enums that files can name.
pub(crate) fn enum_types() -> impl Iterator<Item = (&'static str, Type)> {
    enums().map(|decl| (decl.name, enum_type(decl)))
}

/// A default as the interpreter would have it.
fn plain(json: Value) -> Plain {
    match json {
        Value::Null => Plain::Empty,
        Value::Bool(value) => Plain::Bool(value),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Plain::Int(whole),
            (None, Some(float)) => Plain::Float(float),
            (None, None) => Plain::Other(number.to_string()),
        },
        Value::String(text) => Plain::Text(text),
        Value::Array(items) => Plain::List(items.into_iter().map(plain).collect()),
        Value::Object(fields) => Plain::Map(
            fields.into_iter().map(|(name, value)| (Plain::Text(name), plain(value))).collect(),
        ),
    }
}

/// All structs and ready-made objects.
pub(crate) fn schema() -> Schema {
    let mut schema = Schema { types: BTreeMap::new(), objects: Vec::new() };
    for decl in structs() {
        schema.struct_type(decl);
    }
    for (alias, decl) in ALIASES {
        let ty = schema.struct_type(decl);
        schema.types.insert(alias, ty);
    }
    for decl in OBJECTS {
        let ty = Type::Struct(schema.struct_type(decl.ty));
        let object = ty
            .build(plain((decl.fields)()), None)
            .unwrap_or_else(|_| Object::new(ty, Kind::Struct(Vec::new()), None));
        schema.objects.push((decl.name, object));
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ready_made_object_is_whole() {
        for (name, object) in &schema().objects {
            assert!(matches!(object.kind(), Kind::Struct(fields) if !fields.is_empty()), "{name}");
        }
    }

    #[test]
    fn every_default_is_of_its_fields_type() {
        let schema = schema();
        for decl in structs() {
            let ty = schema.get(decl.name).unwrap();
            for field in decl.fields {
                let made = &ty.fields[ty.position(field.name).unwrap()];
                let place = format!("{}.{}", decl.name, field.name);
                assert_eq!(made.default.is_some(), field.default().is_some(), "{place}");
                let given = made.default.as_ref().map(aurora_template::render::to_json);
                assert_eq!(given, field.default(), "{place}");
            }
        }
    }
    #[test]
    fn what_the_reference_names_is_there() {
        let known: Vec<&str> = crate::globals::GLOBALS.names().map(|name| name.as_str()).collect();
        let mut missing = Vec::new();
        for group in aurora_model::names::GROUPS.iter().filter(|group| group.is_global) {
            for decl in group.names {
                for name in std::iter::once(&decl.name).chain(decl.also) {
                    let first = name.split('.').next().unwrap();
                    if !known.contains(&first) {
                        missing.push(*name);
                    }
                }
            }
        }
        assert!(missing.is_empty(), "{missing:?}");
    }
}
