//! `hashlib`: checksums of texts.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use allocative::Allocative;
use starlark::eval::{Arguments, Evaluator};
use starlark::starlark_simple_value;
use starlark::values::{
    Heap, NoSerialize, ProvidesStaticType, StarlarkPagablePanic, StarlarkValue, Value,
    starlark_value,
};

use super::super::call::{Call, Res, refuse};
use super::super::digest::Hasher;
use super::super::native::Kind::General;
use super::{Member, Module};

pub(super) const HASHLIB: Module = Module {
    name: "hashlib",
    members: &[
        ("md5", Member::Function(General(checksum))),
        ("sha1", Member::Function(General(checksum))),
        ("sha224", Member::Function(General(checksum))),
        ("sha256", Member::Function(General(checksum))),
        ("sha384", Member::Function(General(checksum))),
        ("sha512", Member::Function(General(checksum))),
        ("new", Member::Function(General(named))),
    ],
};

fn checksum<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let [text] = call.args(["string"], 0)?;
    make(call.name, text, call)
}

fn named<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let [name, text] = call.args(["name", "string"], 1)?;
    let name = call.text(name.unwrap_or(Value::new_none()))?;
    make(name, text, call)
}

fn make<'v>(name: &str, text: Option<Value<'v>>, call: &Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let Some(mut hasher) = Hasher::named(name) else {
        return refuse(format!("there is no checksum {:?}", aurora_template::beginning(name)));
    };
    if let Some(text) = text {
        hasher.update(call.text(text)?.as_bytes());
    }
    Ok(call.alloc(Checksum(Arc::new(Mutex::new(hasher)))))
}

/// A checksum in the making.
#[derive(ProvidesStaticType, NoSerialize, Allocative, StarlarkPagablePanic)]
struct Checksum(#[allocative(skip)] Arc<Mutex<Hasher>>);
starlark_simple_value!(Checksum);

impl fmt::Debug for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<checksum>")
    }
}

#[starlark_value(type = "checksum")]
impl<'v> StarlarkValue<'v> for Checksum {
    fn get_attr(&self, attribute: &str, heap: Heap<'v>) -> Option<Value<'v>> {
        let action = match attribute {
            "hexdigest" => Action::Hex,
            "update" => Action::Update,
            "copy" => Action::Copy,
            _ => return None,
        };
        Some(heap.alloc(Method { of: self.0.clone(), action }))
    }

    fn dir_attr(&self) -> Vec<String> {
        ["copy", "hexdigest", "update"].map(str::to_owned).to_vec()
    }
}

#[derive(Debug, Clone, Copy)]
enum Action {
    Hex,
    Update,
    Copy,
}

#[derive(ProvidesStaticType, NoSerialize, Allocative, StarlarkPagablePanic)]
struct Method {
    #[allocative(skip)]
    of: Arc<Mutex<Hasher>>,
    #[allocative(skip)]
    action: Action,
}
starlark_simple_value!(Method);

impl fmt::Debug for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<method of a checksum>")
    }
}

#[starlark_value(type = "function")]
impl<'v> StarlarkValue<'v> for Method {
    fn invoke(
        &self,
        _me: Value<'v>,
        args: &Arguments<'v, '_>,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<Value<'v>> {
        let mut call = Call::new("update", args, eval)?;
        let mut hasher = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        match self.action {
            Action::Hex => {
                call.args([], 0)?;
                call.new_text(&hasher.clone().hex())
            }
            Action::Update => {
                let text = call.one()?;
                hasher.update(call.text(text)?.as_bytes());
                Ok(Value::new_none())
            }
            Action::Copy => {
                call.args([], 0)?;
                Ok(call.alloc(Checksum(Arc::new(Mutex::new(hasher.clone())))))
            }
        }
    }
}
