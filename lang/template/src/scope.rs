//! Finding what a reference means, and putting it into place (`dsl.md` 2.2 and 3).

use crate::{Address, Component, InterpolateError, beginning, interpolate};

use crate::object::{Bound, Kind, Object, Origin, Scope};
use crate::types::{Plain, Type};

/// How deep values may lead to values before it is taken for a cycle.
const MAX_DEPTH: usize = 60;
/// How many references one job may resolve: far above any real file, and soon reached by values
/// that double at every step.
const MAX_LOOKUPS: usize = 2_000_000;
/// How many bytes of text one job may come to, found values counted wherever they are put in.
const MAX_TEXT: usize = 64 << 20;

/// Something about a value that is wrong, and where the value is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The names of the fields that lead to it; elements of lists as `[n]`.
    pub path: Vec<String>,
    pub message: String,
    /// The innermost call that made a part of it.
    pub origin: Option<Origin>,
    /// The reference that leads back to itself, if that is what is wrong.
    pub cycle: Option<Address>,
}

/// An object after interpolation, without scopes.
#[derive(Debug)]
pub struct Resolved {
    pub object: Object,
    pub problems: Vec<Problem>,
}

/// Interpolates an object that stands by itself.
pub fn resolve(object: &Object) -> Resolved {
    let mut resolver = Resolver::default();
    let object = resolver.resolve(object, None);
    Resolved { object, problems: resolver.problems }
}

/// The scopes around a value, nearest first.
#[derive(Clone, Copy)]
struct Chain<'a> {
    frame: Frame<'a>,
    outer: Option<&'a Chain<'a>>,
}

#[derive(Clone, Copy)]
enum Frame<'a> {
    /// What was bound on an object.
    Bound(&'a [Scope]),
    /// The fields of a struct.
    Fields(&'a Object),
}

#[derive(Default)]
struct Resolver {
    problems: Vec<Problem>,
    path: Vec<String>,
    /// The references that are being looked up, each found in the value of the one before.
    trail: Vec<Address>,
    lookups: usize,
    bytes: usize,
    /// More was looked up than may be: whatever is left stays as it is.
    exhausted: bool,
}

/// Why a text cannot be interpolated.
enum Failure {
    Cycle(Address),
    Other(String),
}

impl Resolver {
    fn problem(&mut self, message: impl Into<String>, origin: Option<&Origin>) {
        self.problems.push(Problem {
            path: self.path.clone(),
            message: message.into(),
            origin: origin.cloned(),
            cycle: None,
        });
    }

    fn resolve(&mut self, object: &Object, outer: Option<&Chain<'_>>) -> Object {
        // One problem is enough to know that what refers to this has no text.
        if self.exhausted || !(self.trail.is_empty() || self.problems.is_empty()) {
            return object.clone();
        }
        let chain = Chain { frame: Frame::Bound(object.scopes()), outer };
        let plain = |kind| Object::new(object.ty().clone(), kind, object.origin().cloned());
        match object.kind() {
            Kind::Scalar(value) => self.scalar(object, value, &chain),
            Kind::List(items) => {
                let items = items
                    .iter()
                    .enumerate()
                    .map(|(index, item)| {
                        self.at(format!("[{index}]"), |r| r.resolve(item, Some(&chain)))
                    })
                    .collect();
                plain(Kind::List(items))
            }
            Kind::Map(entries) => {
                let entries = entries
                    .iter()
                    .map(|(key, value)| {
                        let name = format!("[{}]", text_form(key));
                        self.at(name, |r| {
                            (r.resolve(key, Some(&chain)), r.resolve(value, Some(&chain)))
                        })
                    })
                    .collect();
                plain(Kind::Map(entries))
            }
            Kind::Struct(fields) => {
                let Type::Struct(ty) = object.ty() else { return object.clone() };
                let own = Chain { frame: Frame::Fields(object), outer: Some(&chain) };
                let fields = fields
                    .iter()
                    .zip(&ty.fields)
                    .map(|(value, field)| {
                        value.as_ref().map(|value| {
                            self.at(field.name.to_owned(), |r| r.resolve(value, Some(&own)))
                        })
                    })
                    .collect();
                plain(Kind::Struct(fields))
            }
            Kind::Choice(value) => self.choice(object, value, &chain),
        }
    }

    fn at<T>(&mut self, step: String, act: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(step);
        let result = act(self);
        self.path.pop();
        result
    }

    fn scalar(&mut self, object: &Object, value: &Plain, chain: &Chain<'_>) -> Object {
        let mut open = false;
        let value = match value {
            Plain::Text(text) => match self.text(text, chain) {
                Ok((text, is_open)) => {
                    open = is_open;
                    Plain::Text(text)
                }
                Err(Failure::Other(message)) => {
                    self.problem(message, object.origin());
                    return object.clone();
                }
                Err(Failure::Cycle(address)) => {
                    let text = beginning(text);
                    self.problems.push(Problem {
                        path: self.path.clone(),
                        message: format!(
                            "unable to interpolate {text:?}: {{{{{address}}}}} leads back to itself"
                        ),
                        origin: object.origin().cloned(),
                        cycle: Some(address),
                    });
                    return object.clone();
                }
            },
            other => other.clone(),
        };
        let value = if open {
            value
        } else {
            match object.ty().coerce(&value) {
                Ok(value) => value,
                Err(message) => {
                    self.problem(message, object.origin());
                    value
                }
            }
        };
        Object::new(object.ty().clone(), Kind::Scalar(value), object.origin().cloned())
    }

    /// The first alternative that takes the value.
    fn choice(&mut self, object: &Object, value: &Plain, chain: &Chain<'_>) -> Object {
        let Type::Choice(ty) = object.ty() else { return object.clone() };
        for alternative in &ty.alternatives {
            let Ok(candidate) = alternative.build(value.clone(), object.origin()) else { continue };
            let complete = match (candidate.kind(), alternative) {
                (Kind::Struct(fields), Type::Struct(ty)) => {
                    matches!(value, Plain::Object(_))
                        || fields.iter().zip(&ty.fields).all(|(v, f)| v.is_some() || !f.required)
                }
                _ => true,
            };
            if complete {
                return self.resolve(&candidate, Some(chain));
            }
        }
        let names: Vec<String> = ty.alternatives.iter().map(ToString::to_string).collect();
        self.problem(format!("expected one of {}, got {value}", names.join(", ")), object.origin());
        object.clone()
    }

    /// The text with what is found put in, and whether references are left.
    fn text(&mut self, text: &str, chain: &Chain<'_>) -> Result<(String, bool), Failure> {
        if !text.contains("{{") {
            self.take_text(text.len())?;
            return Ok((text.to_owned(), false));
        }
        if self.trail.len() > MAX_DEPTH {
            return Err(self.endless());
        }
        let done = interpolate(text, |address| {
            self.lookups += 1;
            if self.lookups > MAX_LOOKUPS {
                self.exhausted = true;
                return Err(Failure::Other(format!(
                    "the job refers to more than {MAX_LOOKUPS} values"
                )));
            }
            self.trail.push(address.clone());
            let found = self.find(address, chain);
            self.trail.pop();
            let found = found?;
            self.take_text(found.as_ref().map_or(0, String::len))?;
            Ok(found)
        })?;
        self.take_text(done.text.len())?;
        Ok((done.text, !done.unbound.is_empty()))
    }

    fn take_text(&mut self, bytes: usize) -> Result<(), Failure> {
        self.bytes += bytes;
        if self.bytes > MAX_TEXT {
            self.exhausted = true;
            let limit = MAX_TEXT >> 20;
            return Err(Failure::Other(format!(
                "the texts of the job come to more than {limit} MB, with what their references \
                 lead to"
            )));
        }
        Ok(())
    }

    /// What to say of a trail that is too long: most likely it goes round.
    fn endless(&self) -> Failure {
        match self.trail.split_last() {
            Some((last, before)) if before.contains(last) => Failure::Cycle(last.clone()),
            _ => Failure::Other(format!(
                "its references lead to references more than {MAX_DEPTH} deep"
            )),
        }
    }

    /// The text form of what the address means here.
    fn find(&mut self, address: &Address, chain: &Chain<'_>) -> Result<Option<String>, Failure> {
        let components = address.components();
        if let [Component::Name(first), rest @ ..] = components
            && first == "super"
            && !rest.is_empty()
        {
            let frames: Vec<Chain<'_>> =
                std::iter::successors(Some(*chain), |link| link.outer.copied()).collect();
            for link in frames.iter().rev() {
                if let Some(text) = self.find_in(link, rest)? {
                    return Ok(Some(text));
                }
            }
            return Ok(None);
        }
        let mut link = Some(chain);
        while let Some(here) = link {
            if let Some(text) = self.find_in(here, components)? {
                return Ok(Some(text));
            }
            link = here.outer;
        }
        Ok(None)
    }

    fn find_in(
        &mut self,
        link: &Chain<'_>,
        components: &[Component],
    ) -> Result<Option<String>, Failure> {
        match link.frame {
            Frame::Fields(object) => {
                let components = match components {
                    [Component::Name(first), rest @ ..] if first == "self" && !rest.is_empty() => {
                        rest
                    }
                    all => all,
                };
                self.find_in_fields(object, components, link)
            }
            Frame::Bound(scopes) => {
                for scope in scopes {
                    let found = match scope {
                        Scope::Object(object) => {
                            let own = Chain { frame: Frame::Bound(object.scopes()), outer: None };
                            self.descend(object, components, &own)?
                        }
                        Scope::Names(names) => self.find_in_names(names, components)?,
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
        names: &std::collections::BTreeMap<Address, Bound>,
        components: &[Component],
    ) -> Result<Option<String>, Failure> {
        for length in (1..=components.len()).rev() {
            let Some(address) = Address::from_components(components[..length].to_vec()) else {
                continue;
            };
            match names.get(&address) {
                Some(Bound::Text(text)) if length == components.len() => {
                    return Ok(Some(text.clone()));
                }
                Some(Bound::Object(object)) => {
                    let own = Chain { frame: Frame::Bound(object.scopes()), outer: None };
                    let found = self.descend(object, &components[length..], &own)?;
                    if found.is_some() {
                        return Ok(found);
                    }
                }
                Some(Bound::Text(_)) | None => {}
            }
        }
        Ok(None)
    }

    fn find_in_fields(
        &mut self,
        object: &Object,
        components: &[Component],
        link: &Chain<'_>,
    ) -> Result<Option<String>, Failure> {
        let [Component::Name(name), rest @ ..] = components else { return Ok(None) };
        let Some(value) = object.field(name) else { return Ok(None) };
        let inner = Chain { frame: Frame::Bound(value.scopes()), outer: Some(link) };
        self.descend(value, rest, &inner)
    }

    /// Follows an address into a value; `chain` begins with the value's own scopes.
    fn descend(
        &mut self,
        value: &Object,
        components: &[Component],
        chain: &Chain<'_>,
    ) -> Result<Option<String>, Failure> {
        if components.is_empty() {
            return self.shown(value, chain).map(Some);
        }
        let inner = match (value.kind(), components) {
            (Kind::Struct(_), all) => {
                let own = Chain { frame: Frame::Fields(value), outer: Some(chain) };
                return self.find_in_fields(value, all, &own);
            }
            (Kind::List(items), [Component::Index(index), ..]) => {
                let Ok(index) = index.parse::<i64>() else { return Ok(None) };
                let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
                let index = if index < 0 { index + length } else { index };
                usize::try_from(index).ok().and_then(|index| items.get(index))
            }
            (Kind::Map(entries), [Component::Index(wanted), ..]) => {
                entries.iter().find(|(key, _)| text_form(key) == *wanted).map(|(_, value)| value)
            }
            _ => None,
        };
        match inner {
            None => Ok(None),
            Some(inner) => {
                let chain = Chain { frame: Frame::Bound(inner.scopes()), outer: Some(chain) };
                self.descend(inner, &components[1..], &chain)
            }
        }
    }

    /// The text that stands for a found value: interpolated where it is at home.
    fn shown(&mut self, value: &Object, chain: &Chain<'_>) -> Result<String, Failure> {
        match value.kind() {
            Kind::Scalar(Plain::Text(text)) => Ok(self.text(text, chain)?.0),
            Kind::Scalar(_) => Ok(text_form(value)),
            _ => {
                let outer = (std::mem::take(&mut self.problems), std::mem::take(&mut self.path));
                let resolved = self.resolve(value, chain.outer);
                let problems = std::mem::replace(&mut self.problems, outer.0);
                self.path = outer.1;
                match problems.into_iter().next() {
                    None => {
                        let text = text_form(&resolved);
                        self.take_text(text.len())?;
                        Ok(text)
                    }
                    Some(Problem { cycle: Some(address), .. }) => Err(Failure::Cycle(address)),
                    Some(problem) => Err(Failure::Other(problem.message)),
                }
            }
        }
    }
}

impl From<InterpolateError> for Failure {
    fn from(error: InterpolateError) -> Self {
        match error {
            InterpolateError::Cycle { address, .. } => Self::Cycle(address),
            error => Self::Other(error.to_string()),
        }
    }
}

/// An object as it looks within a text: `IntegerList(10, 20)`, `StringStringMap(k => v)`.
pub fn text_form(object: &Object) -> String {
    match object.kind() {
        Kind::Scalar(Plain::Text(text)) => text.clone(),
        Kind::Scalar(value) => value.to_string(),
        Kind::List(items) => {
            let Type::List(element) = object.ty() else { return String::new() };
            let items: Vec<String> = items.iter().map(text_form).collect();
            format!("{element}List({})", items.join(", "))
        }
        Kind::Map(entries) => {
            let Type::Map(types) = object.ty() else { return String::new() };
            let entries: Vec<String> = entries
                .iter()
                .map(|(key, value)| format!("{} => {}", text_form(key), text_form(value)))
                .collect();
            format!("{}{}Map({})", types.0, types.1, entries.join(", "))
        }
        Kind::Struct(fields) => {
            let Type::Struct(ty) = object.ty() else { return String::new() };
            let fields: Vec<String> = fields
                .iter()
                .zip(&ty.fields)
                .filter_map(|(value, field)| {
                    value.as_ref().map(|value| format!("{}={}", field.name, text_form(value)))
                })
                .collect();
            format!("{}({})", ty.name, fields.join(", "))
        }
        Kind::Choice(value) => value.to_string(),
    }
}
