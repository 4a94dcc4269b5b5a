//! How a struct of the language is declared: once.
//!
//! `declare!` takes what a reader needs to know of a struct (name, documentation, fields with
//! type, limits and default) and makes of it the Rust type with its JSON, and a [`StructDecl`]: the
//! same as data. The evaluator's constructor, the JSON Schema, `docs/reference` and
//! `aurora config explain` are made of the latter.
//!
//! ```text
//! declare! {
//!     /// What a task needs.
//!     pub struct Resources {
//!         /// Cores.
//!         pub cpu: f64 [Cores, MoreThan(0)],       // required
//!         /// Kind of machine.
//!         pub kind: Option<String>,                // optional
//!         /// GPUs.
//!         pub gpu: i64 = 0,                        // with a default
//!     }
//! }
//! ```
//!
//! JSON is read and written by code of our own rather than by serde's derive: a default is then
//! written where its field is, and alternatives are told apart without serde's buffering, which
//! loses floats under `arbitrary_precision`.

use std::collections::BTreeMap;

use serde::de::Error;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A struct of the language.
#[derive(Debug)]
pub struct StructDecl {
    /// The name that files use.
    pub name: &'static str,
    /// What it is.
    pub doc: Doc,
    /// Its fields, in the order in which they are explained.
    pub fields: &'static [FieldDecl],
}

/// A field of a [`StructDecl`].
#[derive(Debug)]
pub struct FieldDecl {
    /// The name that files use.
    pub name: &'static str,
    /// What it is.
    pub doc: Doc,
    /// What it holds.
    pub ty: TypeDecl,
    /// Unit and limits of what it holds.
    pub rules: &'static [Rule],
    /// What holds if it is not given.
    pub presence: Presence,
}

/// What holds for a field that is not given.
#[derive(Debug, Clone, Copy)]
pub enum Presence {
    /// It must be given.
    Required,
    /// It is absent.
    Optional,
    /// It has this value, written as JSON.
    Default(fn() -> Value),
}

/// A type of the language.
#[derive(Debug, Clone, Copy)]
pub enum TypeDecl {
    /// Text.
    String,
    /// A whole number.
    Integer,
    /// A number.
    Float,
    /// True or false.
    Boolean,
    /// Text that is one of a few.
    Enum(&'static EnumDecl),
    /// A list.
    List(&'static TypeDecl),
    /// A table from keys to values.
    Map(&'static TypeDecl, &'static TypeDecl),
    /// A struct.
    Struct(&'static StructDecl),
    /// One of several types.
    Choice(&'static ChoiceDecl),
}

/// Text that is one of a few.
#[derive(Debug)]
pub struct EnumDecl {
    /// The name that files use.
    pub name: &'static str,
    /// What it is.
    pub doc: Doc,
    /// The texts, with what each means.
    pub values: &'static [(&'static str, Doc)],
}

/// One of several types.
#[derive(Debug)]
pub struct ChoiceDecl {
    /// The name that messages use.
    pub name: &'static str,
    /// What it is.
    pub doc: Doc,
    /// The types, in the order in which they are tried.
    pub alternatives: &'static [TypeDecl],
}

/// Unit or limit of a field's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// It is a number of bytes.
    Bytes,
    /// It is a number of seconds.
    Seconds,
    /// It is a number of cores.
    Cores,
    /// It is a share in percent.
    Percent,
    /// It is this or more.
    AtLeast(i64),
    /// It is this or less.
    AtMost(i64),
    /// It is more than this.
    MoreThan(i64),
    /// It is made of ASCII letters, digits, `_`, `-` and `.`, at least one.
    Identifier,
    /// It can name a file: not empty, no leading `.`, no `/`.
    FileName,
    /// It is one of these, in any letter case.
    AnyCaseOf(&'static [&'static str]),
    /// It is only there for old files; the text says what to write instead.
    Deprecated(&'static str),
    /// A list that need not be given.
    Optional,
}

/// A documentation comment.
#[derive(Debug, Clone, Copy)]
pub struct Doc(pub &'static str);

impl Doc {
    /// The paragraphs, each as one line.
    pub fn paragraphs(self) -> Vec<String> {
        let mut paragraphs = vec![String::new()];
        for line in self.0.lines().map(str::trim) {
            if line.is_empty() {
                paragraphs.push(String::new());
            } else if let Some(last) = paragraphs.last_mut() {
                if !last.is_empty() {
                    last.push(' ');
                }
                last.push_str(line);
            }
        }
        paragraphs.retain(|paragraph| !paragraph.is_empty());
        paragraphs
    }

    /// The first sentence, without its full stop.
    pub fn summary(self) -> String {
        let first = self.paragraphs().into_iter().next().unwrap_or_default();
        let end = first.find(". ").unwrap_or_else(|| first.trim_end_matches('.').len());
        first.get(..end).unwrap_or(&first).to_owned()
    }
}

impl std::fmt::Display for Doc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.paragraphs().join("\n\n"))
    }
}

impl StructDecl {
    /// The field of a name.
    pub fn field(&self, name: &str) -> Option<&'static FieldDecl> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// Whether this JSON can be the struct, and how many of its keys the struct knows.
    fn fits(&self, json: &serde_json::Map<String, Value>) -> Option<usize> {
        let mut known = 0;
        for field in self.fields {
            match json.get(field.name) {
                Some(value) if field.ty.has_shape_of(value) => known += 1,
                Some(_) => return None,
                None if matches!(field.presence, Presence::Required) => return None,
                None => {}
            }
        }
        (known > 0).then_some(known)
    }
}

impl FieldDecl {
    /// The value of a field that is not given, if it has one then.
    pub fn default(&self) -> Option<Value> {
        match self.presence {
            Presence::Default(value) => Some(value()),
            Presence::Required | Presence::Optional => None,
        }
    }
}

/// A Rust type that stands for a type of the language.
pub trait Declared: Sized + Serialize {
    /// The type.
    const TYPE: TypeDecl;
    /// Whether a field of it need not be given.
    const OPTIONAL: bool = false;

    /// What a field without a default is if it is not given.
    fn absent() -> Option<Self> {
        None
    }

    /// Whether a field is left out when it is written.
    fn is_absent(&self) -> bool {
        false
    }
}

impl Declared for String {
    const TYPE: TypeDecl = TypeDecl::String;
}

impl Declared for i64 {
    const TYPE: TypeDecl = TypeDecl::Integer;
}

impl Declared for f64 {
    const TYPE: TypeDecl = TypeDecl::Float;
}

impl Declared for bool {
    const TYPE: TypeDecl = TypeDecl::Boolean;
}

impl<T: Declared> Declared for Option<T> {
    const TYPE: TypeDecl = T::TYPE;
    const OPTIONAL: bool = true;

    fn absent() -> Option<Self> {
        Some(None)
    }

    fn is_absent(&self) -> bool {
        self.is_none()
    }
}

impl<T: Declared> Declared for Vec<T> {
    const TYPE: TypeDecl = TypeDecl::List(&T::TYPE);

    fn absent() -> Option<Self> {
        Some(Self::new())
    }
}

impl<K: Declared + Ord, V: Declared> Declared for BTreeMap<K, V> {
    const TYPE: TypeDecl = TypeDecl::Map(&K::TYPE, &V::TYPE);
}

/// The value of a field that JSON does not have. A default that is a template is not it: the
/// evaluator fills it in, and what has been evaluated has the field.
pub(crate) fn absent<T: Declared, E: Error>(
    key: &'static str,
    default: Option<fn() -> T>,
) -> Result<T, E> {
    if let Some(absent) = T::absent() {
        return Ok(absent);
    }
    let value = default.map(|default| default()).ok_or_else(|| E::missing_field(key))?;
    if json(&value).to_string().contains("{{") {
        return Err(E::missing_field(key));
    }
    Ok(value)
}

/// A default as its field's type has it.
pub(crate) fn made<T>(value: impl Into<T>) -> T {
    value.into()
}

/// A default as JSON. Everything that is declared can be written as JSON.
pub(crate) fn json(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

pub(crate) const fn presence(
    is_optional: bool,
    rules: &[Rule],
    default: Option<fn() -> Value>,
) -> Presence {
    if let Some(default) = default {
        return Presence::Default(default);
    }
    let mut index = 0;
    while index < rules.len() {
        if matches!(rules[index], Rule::Optional) {
            return Presence::Optional;
        }
        index += 1;
    }
    if is_optional { Presence::Optional } else { Presence::Required }
}

/// The alternative that JSON is meant for: of those whose required fields are there, the one that
/// knows most of the fields, and of several such the first.
pub(crate) fn alternative<E: Error>(choice: &ChoiceDecl, json: &Value) -> Result<usize, E> {
    let fits = |ty: &TypeDecl| match (ty, json) {
        (TypeDecl::Struct(decl), Value::Object(fields)) => decl.fits(fields),
        _ => None,
    };
    let mut best = None;
    for (index, ty) in choice.alternatives.iter().enumerate() {
        let fits = fits(ty);
        if fits.is_some() && fits > best.and_then(|(_, fits)| fits) {
            best = Some((index, fits));
        }
    }
    best.map(|(index, _)| index).ok_or_else(|| {
        let names: Vec<&str> = choice.alternatives.iter().map(TypeDecl::name).collect();
        E::custom(format!("not a {}: none of {} fits", choice.name, names.join(", ")))
    })
}

/// Reads the value of one field; a mistake names the field.
pub(crate) fn read<'de, M, T>(map: &mut M, key: &'static str) -> Result<T, M::Error>
where
    M: serde::de::MapAccess<'de>,
    T: Deserialize<'de>,
{
    map.next_value().map_err(|error| M::Error::custom(format!("field {key}: {error}")))
}

impl TypeDecl {
    /// The structs that a value is, or consists of.
    pub fn structs(&self) -> Vec<&'static StructDecl> {
        match self {
            Self::Struct(decl) => vec![*decl],
            Self::List(inner) | Self::Map(_, inner) => inner.structs(),
            Self::Choice(decl) => decl.alternatives.iter().flat_map(Self::structs).collect(),
            _ => Vec::new(),
        }
    }

    /// The name, without what a list or map holds.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::String => "String",
            Self::Integer => "Integer",
            Self::Float => "Float",
            Self::Boolean => "Boolean",
            Self::Enum(decl) => decl.name,
            Self::List(_) => "List",
            Self::Map(..) => "Map",
            Self::Struct(decl) => decl.name,
            Self::Choice(decl) => decl.name,
        }
    }

    /// Whether JSON is a table, list or scalar as values of the type are.
    fn has_shape_of(&self, json: &Value) -> bool {
        match self {
            Self::Struct(_) | Self::Choice(_) | Self::Map(..) => json.is_object(),
            Self::List(_) => json.is_array(),
            Self::String | Self::Integer | Self::Float | Self::Boolean | Self::Enum(_) => {
                !json.is_object() && !json.is_array()
            }
        }
    }
}

impl std::fmt::Display for TypeDecl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::List(element) => write!(f, "List({element})"),
            Self::Map(key, value) => write!(f, "Map({key}, {value})"),
            other => f.write_str(other.name()),
        }
    }
}

/// Declares a struct, an enumeration or a choice; see the module's documentation.
macro_rules! declare {
    // A struct that can be had without giving anything.
    ($(#[$($meta:tt)*])+ pub struct $name:ident: Default { $($body:tt)* }) => {
        $crate::declare::declare! { $(#[$($meta)*])+ pub struct $name { $($body)* } }
        $crate::declare::declare! { @default $name { $($body)* } }
    };
    (@default $name:ident { $($(#[$($meta:tt)*])+
        pub $field:ident $(as $key:literal)?: $ty:ty $([$($rule:expr),+])? $(= $value:expr)?),+ $(,)? }
    ) => {
        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $crate::declare::declare!(@or_default $ty $(, $value)?)),+ }
            }
        }
    };
    (@or_default $ty:ty) => { <$ty>::default() };
    (@or_default $ty:ty, $value:expr) => { $crate::declare::made::<$ty>($value) };
    (@key $field:ident) => { stringify!($field) };
    (@key $field:ident $key:literal) => { $key };
    (@maker $ty:ty) => { None };
    (@maker $ty:ty, $value:expr) => { Some(|| $crate::declare::made::<$ty>($value)) };
    (@json $ty:ty) => { None };
    (@json $ty:ty, $value:expr) => {
        Some(|| $crate::declare::json(&$crate::declare::made::<$ty>($value)))
    };

    ($(#[doc = $doc:literal])+ $(#[derive($($derive:ident),+)])?
    pub struct $name:ident $(as $called:literal)? { $($(#[doc = $field_doc:literal])+
        pub $field:ident $(as $key:literal)?: $ty:ty $([$($rule:expr),+])? $(= $value:expr)?),+ $(,)? }
    ) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, PartialEq $($(, $derive)+)?)]
        pub struct $name { $($(#[doc = $field_doc])+ pub $field: $ty),+ }

        impl $name {
            /// The struct as data.
            pub const DECL: &'static $crate::declare::StructDecl = &$crate::declare::StructDecl {
                name: $crate::declare::declare!(@key $name $($called)?),
                doc: $crate::declare::Doc(concat!($($doc, "\n"),+)),
                fields: &[$($crate::declare::FieldDecl {
                    name: $crate::declare::declare!(@key $field $($key)?),
                    doc: $crate::declare::Doc(concat!($($field_doc, "\n"),+)),
                    ty: <$ty as $crate::declare::Declared>::TYPE,
                    rules: {
                        #[allow(unused_imports, reason = "few fields have rules")]
                        use $crate::declare::Rule::*;
                        &[$($($rule),+)?]
                    },
                    presence: $crate::declare::presence(
                        <$ty as $crate::declare::Declared>::OPTIONAL,
                        {
                            #[allow(unused_imports, reason = "few fields have rules")]
                            use $crate::declare::Rule::*;
                            &[$($($rule),+)?]
                        },
                        $crate::declare::declare!(@json $ty $(, $value)?),
                    ),
                }),+],
            };
        }

        impl $crate::declare::Declared for $name {
            const TYPE: $crate::declare::TypeDecl = $crate::declare::TypeDecl::Struct(Self::DECL);
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeMap;
                let mut map = serializer.serialize_map(None)?;
                $(if !$crate::declare::Declared::is_absent(&self.$field) {
                    map.serialize_entry(
                        $crate::declare::declare!(@key $field $($key)?),
                        &self.$field,
                    )?;
                })+
                map.end()
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                struct Visitor;
                impl<'de> serde::de::Visitor<'de> for Visitor {
                    type Value = $name;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        write!(f, "{}", $name::DECL.name)
                    }

                    fn visit_map<M>(self, mut map: M) -> Result<$name, M::Error>
                    where
                        M: serde::de::MapAccess<'de>,
                    {
                        $(let mut $field: Option<$ty> = None;)+
                        while let Some(key) = map.next_key::<String>()? {
                            match key.as_str() {
                                $($crate::declare::declare!(@key $field $($key)?) => {
                                    $field = Some($crate::declare::read(
                                        &mut map,
                                        $crate::declare::declare!(@key $field $($key)?),
                                    )?);
                                })+
                                _ => {
                                    map.next_value::<serde::de::IgnoredAny>()?;
                                }
                            }
                        }
                        Ok($name { $($field: match $field {
                            Some(given) => given,
                            None => $crate::declare::absent::<$ty, M::Error>(
                                $crate::declare::declare!(@key $field $($key)?),
                                $crate::declare::declare!(@maker $ty $(, $value)?),
                            )?,
                        }),+ })
                    }
                }
                from.deserialize_map(Visitor)
            }
        }
    };

    ($(#[doc = $doc:literal])+ pub enum $name:ident $(as $called:literal)? {
        $($(#[doc = $value_doc:literal])+ $variant:ident = $text:literal),+ $(,)?
    }) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        pub enum $name { $($(#[doc = $value_doc])+ #[serde(rename = $text)] $variant),+ }

        impl $name {
            /// The enumeration as data.
            pub const DECL: &'static $crate::declare::EnumDecl = &$crate::declare::EnumDecl {
                name: $crate::declare::declare!(@key $name $($called)?),
                doc: $crate::declare::Doc(concat!($($doc, "\n"),+)),
                values: &[$(($text, $crate::declare::Doc(concat!($($value_doc, "\n"),+)))),+],
            };
        }

        impl $crate::declare::Declared for $name {
            const TYPE: $crate::declare::TypeDecl = $crate::declare::TypeDecl::Enum(Self::DECL);
        }
    };

    ($(#[doc = $doc:literal])+ $(#[derive($($derive:ident),+)])? pub choice $name:ident $(as $called:literal)? {
        $($(#[doc = $alternative_doc:literal])+ $variant:ident($ty:ty)),+ $(,)?
    }) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, PartialEq $($(, $derive)+)?)]
        pub enum $name { $($(#[doc = $alternative_doc])+ $variant($ty)),+ }

        impl $name {
            /// The choice as data.
            pub const DECL: &'static $crate::declare::ChoiceDecl = &$crate::declare::ChoiceDecl {
                name: $crate::declare::declare!(@key $name $($called)?),
                doc: $crate::declare::Doc(concat!($($doc, "\n"),+)),
                alternatives: &[$(<$ty as $crate::declare::Declared>::TYPE),+],
            };
        }

        impl $crate::declare::Declared for $name {
            const TYPE: $crate::declare::TypeDecl = $crate::declare::TypeDecl::Choice(Self::DECL);
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self { $(Self::$variant(value) => value.serialize(serializer)),+ }
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let json = serde_json::Value::deserialize(from)?;
                let chosen = $crate::declare::alternative::<D::Error>(Self::DECL, &json)?;
                let mut index = 0;
                $(
                    if index == chosen {
                        return <$ty as serde::Deserialize>::deserialize(json)
                            .map(Self::$variant)
                            .map_err(serde::de::Error::custom);
                    }
                    index += 1;
                )+
                Err(serde::de::Error::custom(format!("alternative {index} is unknown")))
            }
        }
    };
}
pub(crate) use declare;
