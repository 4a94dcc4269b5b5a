//! What a reference means at a place (`dsl.md` 3).

use crate::address::{Part, Route};
use crate::environment::Environment;
use crate::object::{Bound, Kind, Object, Scope};
use crate::problem::{Failure, ProblemKind};
use crate::scope::Resolver;
use crate::types::{Plain, Type};

/// The scopes around a value, nearest first.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chain<'a> {
    pub(crate) frame: Frame<'a>,
    pub(crate) outer: Option<&'a Chain<'a>>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Frame<'a> {
    /// What was bound on an object.
    Bound(&'a [Scope]),
    /// The fields of a struct.
    Fields(&'a Object),
}

impl<'a> Chain<'a> {
    /// The scopes of a value that stands by itself.
    fn alone(value: &'a Object) -> Self {
        Self { frame: Frame::Bound(value.scopes()), outer: None }
    }

    fn links(&'a self) -> impl Iterator<Item = &'a Self> {
        std::iter::successors(Some(self), |link| link.outer)
    }
}

impl Resolver {
    /// The text form of what the address means here.
    pub(crate) fn find(
        &mut self,
        route: Route<'_, '_>,
        chain: &Chain<'_>,
    ) -> Result<Option<String>, Failure> {
        for link in chain.links() {
            if self.bare && matches!(link.frame, Frame::Bound(_)) {
                continue;
            }
            if let Some(text) = self.find_in(link, route)? {
                return Ok(Some(text));
            }
        }
        match route.split_first() {
            Some((Part::Name("super"), rest)) if !rest.steps.is_empty() => {
                self.find_around(rest, chain)
            }
            _ => Ok(None),
        }
    }

    /// What surrounds each struct, from the outermost inwards. What surrounds a struct is what is
    /// bound on it and on what holds it, and then the fields of the struct around that; what
    /// surrounds the latter has been asked by then.
    fn find_around(
        &mut self,
        route: Route<'_, '_>,
        chain: &Chain<'_>,
    ) -> Result<Option<String>, Failure> {
        let links: Vec<&Chain<'_>> = chain.links().collect();
        let structs: Vec<usize> = links
            .iter()
            .enumerate()
            .filter(|(_, link)| matches!(link.frame, Frame::Fields(_)))
            .map(|(index, _)| index)
            .collect();
        for (position, start) in structs.iter().enumerate().rev() {
            let end = structs.get(position + 1).map_or(links.len(), |next| next + 1);
            for link in &links[start + 1..end] {
                if let Some(text) = self.find_in(link, route)? {
                    return Ok(Some(text));
                }
            }
        }
        Ok(None)
    }

    fn find_in(
        &mut self,
        link: &Chain<'_>,
        route: Route<'_, '_>,
    ) -> Result<Option<String>, Failure> {
        match link.frame {
            Frame::Fields(object) => {
                let Some((Part::Name(name), rest)) = route.split_first() else { return Ok(None) };
                if name == "self" {
                    let found = if rest.steps.is_empty() {
                        match link.outer {
                            Some(around) => self.shown(object, around).map(Some)?,
                            None => None,
                        }
                    } else {
                        self.ask_struct(object, rest, link)?
                    };
                    if found.is_some() {
                        return Ok(found);
                    }
                }
                // The fields are names like those that are bound: what is found there is at home
                // in itself only.
                match object.field(name) {
                    Some(value) => self.ask(value, rest, &Chain::alone(value)),
                    None => Ok(None),
                }
            }
            Frame::Bound(scopes) => {
                for scope in scopes {
                    let found = match scope {
                        Scope::Object(_) if route.steps.is_empty() => None,
                        Scope::Object(object) => self.ask(object, route, &Chain::alone(object))?,
                        Scope::Names(names) => self.find_in_names(names, route)?,
                    };
                    if found.is_some() {
                        return Ok(found);
                    }
                }
                Ok(None)
            }
        }
    }

    /// The exact address, else the longest beginning of it whose value has the rest.
    fn find_in_names(
        &mut self,
        names: &Environment,
        route: Route<'_, '_>,
    ) -> Result<Option<String>, Failure> {
        for length in (1..=route.steps.len()).rev() {
            let Some((address, rest)) = route.split_at(length) else { continue };
            let Some((name, bound)) = names.entry(address) else { continue };
            let found = match bound {
                Bound::Text(text) => rest.steps.is_empty().then(|| text.clone()),
                Bound::Object(object) => self.ask(object, rest, &Chain::alone(object))?,
            };
            if found.is_some() {
                if !self.used.contains(name) {
                    self.used.insert(name.into());
                }
                return Ok(found);
            }
        }
        Ok(None)
    }

    fn ask_struct(
        &mut self,
        object: &Object,
        route: Route<'_, '_>,
        fields: &Chain<'_>,
    ) -> Result<Option<String>, Failure> {
        let Some((Part::Name(name), rest)) = route.split_first() else { return Ok(None) };
        let Some(value) = object.field(name) else { return Ok(None) };
        let inner = Chain { frame: Frame::Bound(value.scopes()), outer: Some(fields) };
        self.ask(value, rest, &inner)
    }

    /// Follows an address into a value; `chain` begins with the value's own scopes.
    fn ask(
        &mut self,
        value: &Object,
        route: Route<'_, '_>,
        chain: &Chain<'_>,
    ) -> Result<Option<String>, Failure> {
        let Some((first, rest)) = route.split_first() else {
            return self.shown(value, chain).map(Some);
        };
        let inner = match (value.kind(), first) {
            (Kind::Struct(_), _) => {
                let own = Chain { frame: Frame::Fields(value), outer: Some(chain) };
                return self.ask_struct(value, route, &own);
            }
            (Kind::List(items), Part::Index(index)) => element(items, index),
            (Kind::Map(entries), Part::Index(key)) => entry(value.ty(), entries, key)?,
            _ => None,
        };
        match inner {
            None => Ok(None),
            Some(inner) => {
                let chain = Chain { frame: Frame::Bound(inner.scopes()), outer: Some(chain) };
                self.ask(inner, rest, &chain)
            }
        }
    }
}

fn element<'a>(items: &'a [Object], index: &str) -> Option<&'a Object> {
    let index: i64 = index.parse().ok()?;
    let length = i64::try_from(items.len()).ok()?;
    let index = if index < 0 { index + length } else { index };
    items.get(usize::try_from(index).ok()?)
}

/// The value of the key that equals `key` once both are of the keys' type.
fn entry<'a>(
    ty: &Type,
    entries: &'a [(Object, Object)],
    key: &str,
) -> Result<Option<&'a Object>, Failure> {
    let Type::Map(types) = ty else { return Ok(None) };
    let wanted = types.0.coerce(&Plain::Text(key.to_owned())).map_err(|message| {
        Failure::new(ProblemKind::Coercion, format!("[{key}] is no key of {ty}: {message}"))
    })?;
    let is_wanted = |stored: &Object| match stored.kind() {
        Kind::Scalar(value) if *value == wanted => true,
        Kind::Scalar(Plain::Text(text)) if types.0 == Type::String => {
            matches!(&wanted, Plain::Text(wanted) if text == wanted)
        }
        Kind::Scalar(value) => types.0.coerce(value).is_ok_and(|value| value == wanted),
        _ => false,
    };
    Ok(entries.iter().rev().find(|(stored, _)| is_wanted(stored)).map(|(_, value)| value))
}
