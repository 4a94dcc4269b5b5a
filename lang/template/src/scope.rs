//! Putting what references mean into place (`dsl.md` 2.2); what they mean is for [`crate::find`].

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use crate::find::{Chain, Frame};
use crate::interpolate::{Done, Failed, resolve_text};
use crate::object::{Kind, Object, Origin, Size};
use crate::problem::Failure;
pub use crate::problem::{Problem, ProblemKind};
use crate::render::check;
use crate::types::{ChoiceType, Plain, Type};
use crate::{Address, Component};

/// How deep found values may lead to values. Chains within one struct do not count: they are
/// followed pass by pass.
const MAX_DEPTH: usize = 150;
/// How many references one job may resolve: far above any real file, and soon reached by values
/// that double at every step.
const MAX_LOOKUPS: usize = 2_000_000;
/// How many bytes of text one job may come to, found values counted wherever they are put in.
const MAX_TEXT: usize = 64 << 20;
/// How many open references of one job are told with their places.
const MAX_OPEN: usize = 100_000;

/// An object after interpolation, without scopes.
#[derive(Debug)]
pub struct Resolved {
    /// The object, with as much put in as can be.
    pub object: Object,
    /// What is wrong with it.
    pub problems: Vec<Problem>,
    /// Every reference that is left.
    pub unbound: BTreeSet<Address>,
    /// Where they are left.
    pub open: Vec<OpenReference>,
    /// The names bound by `bind` or from outside that something was found under.
    pub used: BTreeSet<Box<str>>,
    /// How much work it was: values gone through and references looked up.
    pub cost: usize,
}

/// A reference that is left after interpolation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenReference {
    /// What it refers to.
    pub address: Address,
    /// The way to the value in which it is left.
    pub path: Vec<String>,
    /// The call in which the value was made.
    pub origin: Option<Origin>,
    /// Which bytes of the text as written led to it.
    pub in_text: Range<usize>,
}

/// Interpolates an object that stands by itself.
pub fn resolve(object: &Object) -> Resolved {
    let mut resolver = Resolver::default();
    let object = resolver.resolve(object, None);
    resolver.done(object)
}

/// Interpolates an object that stands by itself so many times, each of which takes away one level of
/// escapes. A text without open references keeps what is bound around it; of one with open
/// references only the fields around it are left.
pub fn resolve_times(object: &Object, times: usize) -> Resolved {
    let mut resolver = Resolver { again: times.saturating_sub(1), ..Resolver::default() };
    let object = resolver.resolve(object, None);
    resolver.done(object)
}

/// Interpolates one field of a struct and nothing else of it; [`None`] if the field is absent.
pub fn resolve_field(object: &Object, field: &str) -> Option<Resolved> {
    let value = object.field(field)?;
    let mut resolver = Resolver::default();
    let bound = Chain { frame: Frame::Bound(object.scopes()), outer: None };
    let own = Chain { frame: Frame::Fields(object), outer: Some(&bound) };
    let value = resolver.resolve(value, Some(&own));
    Some(resolver.done(value))
}

#[derive(Debug, Default)]
pub(crate) struct Resolver {
    problems: Vec<Problem>,
    open: Vec<OpenReference>,
    unbound: BTreeSet<Address>,
    pub(crate) used: BTreeSet<Box<str>>,
    path: Vec<Step>,
    /// The references that are being looked up, each found in the value of the one before.
    trail: Trail,
    lookups: usize,
    size: Size,
    /// More was looked up than may be: whatever is left stays as it is.
    exhausted: bool,
    /// How often each text is interpolated after it was.
    again: usize,
    /// How many choices are around the value. Each takes away one more level of escapes: the original
    /// looks at what it has chosen by interpolating that again, and forgets what stays open.
    choices: usize,
    /// Only fields are asked, nothing that is bound.
    pub(crate) bare: bool,
}

/// Addresses, one behind the other: few are ever asked for.
#[derive(Debug, Default)]
struct Trail {
    text: String,
    ends: Vec<usize>,
}

impl Trail {
    fn push(&mut self, address: &str) {
        self.text.push_str(address);
        self.ends.push(self.text.len());
    }

    fn pop(&mut self) {
        self.ends.pop();
        self.text.truncate(self.ends.last().copied().unwrap_or(0));
    }

    fn len(&self) -> usize {
        self.ends.len()
    }

    fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    fn addresses(&self) -> impl Iterator<Item = &str> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).filter_map(|(start, end)| self.text.get(start..*end))
    }
}

/// A step of the way to a value.
#[derive(Debug, Clone)]
enum Step {
    Field(Arc<str>),
    Index(usize),
    Key(String),
}

/// How much was known at some point, to go back to.
struct Mark {
    problems: usize,
    open: usize,
}

/// A choice made of one of its alternatives.
struct Candidate {
    object: Object,
    problems: Vec<Problem>,
    open: Vec<OpenReference>,
    unbound: BTreeSet<Address>,
    /// Whether the alternative takes the value, if more of it were given or bound.
    takes: bool,
}

impl Resolver {
    fn done(self, object: Object) -> Resolved {
        let Self { problems, open, unbound, used, lookups, size, .. } = self;
        Resolved { object, problems, unbound, open, used, cost: lookups + size.parts }
    }

    fn path(&self) -> Vec<String> {
        let step = |step: &Step| match step {
            Step::Field(name) => name.to_string(),
            Step::Index(index) => format!("[{index}]"),
            Step::Key(key) => format!("[{key}]"),
        };
        self.path.iter().map(step).collect()
    }

    fn problem(&mut self, failure: Failure, object: &Object, in_text: Option<Range<usize>>) {
        let mut help = None;
        let mut message = failure.message;
        if let ([cycle], Some(Step::Field(field))) = (&*failure.cycle, self.path.last())
            && matches!(cycle.components(), [Component::Name(name)] if **name == **field)
            && matches!(object.kind(), Kind::Scalar(Plain::Text(text))
                if crate::references(text).any(|(inner, _)| *inner == **field))
        {
            message = format!("{{{{{field}}}}} leads back to itself: it is this very field");
            help = Some(
                "a field finds itself before a binding of the same name: bind another name"
                    .to_owned(),
            );
        }
        self.problems.push(Problem {
            help,
            origin: object.origin().cloned(),
            cycle: failure.cycle,
            in_text,
            ..Problem::new(failure.kind, self.path(), message)
        });
    }

    pub(crate) fn resolve(&mut self, object: &Object, outer: Option<&Chain<'_>>) -> Object {
        // One problem is enough to know that what refers to this has no text.
        if self.exhausted || !(self.trail.is_empty() || self.problems.is_empty()) {
            return object.clone();
        }
        if object.is_resolved() {
            return match self.take(object.size()) {
                Ok(()) if object.scopes().is_empty() => object.clone(),
                Ok(()) => Object::new(
                    object.ty().clone(),
                    object.kind().clone(),
                    object.origin().cloned(),
                ),
                Err(failure) => {
                    self.problem(failure, object, None);
                    object.clone()
                }
            };
        }
        let chain = Chain { frame: Frame::Bound(object.scopes()), outer };
        let kind = match object.kind() {
            Kind::Scalar(value) => return self.scalar(object, value, &chain),
            Kind::List(items) => Kind::List(
                items
                    .iter()
                    .enumerate()
                    .map(|(index, item)| {
                        self.at(|| Step::Index(index), |r| r.resolve(item, Some(&chain)))
                    })
                    .collect(),
            ),
            Kind::Map(entries) => Kind::Map(
                entries
                    .iter()
                    .map(|(key, value)| {
                        let step = || Step::Key(crate::beginning(&text_form(key)));
                        self.at(step, |r| {
                            (r.resolve(key, Some(&chain)), r.resolve(value, Some(&chain)))
                        })
                    })
                    .collect(),
            ),
            Kind::Struct(fields) => {
                let Type::Struct(ty) = object.ty() else { return object.clone() };
                let own = Chain { frame: Frame::Fields(object), outer: Some(&chain) };
                Kind::Struct(
                    fields
                        .iter()
                        .zip(&ty.fields)
                        .map(|(value, field)| {
                            let value = value.as_ref()?;
                            let step = || Step::Field(field.name.clone());
                            Some(self.at(step, |r| r.resolve(value, Some(&own))))
                        })
                        .collect(),
                )
            }
            Kind::Choice(value) => {
                let Type::Choice(ty) = object.ty() else { return object.clone() };
                self.choices += 1;
                let chosen = self.choice(object, ty, value, &chain);
                self.choices -= 1;
                return chosen;
            }
        };
        Object::new(object.ty().clone(), kind, object.origin().cloned())
    }

    fn at<T>(&mut self, step: impl FnOnce() -> Step, act: impl FnOnce(&mut Self) -> T) -> T {
        // What is looked up has no place of its own.
        if !self.trail.is_empty() {
            return act(self);
        }
        self.path.push(step());
        let result = act(self);
        self.path.pop();
        result
    }

    fn scalar(&mut self, object: &Object, value: &Plain, chain: &Chain<'_>) -> Object {
        match self.scalar_value(object, value, chain) {
            Ok(value) => {
                Object::new(object.ty().clone(), Kind::Scalar(value), object.origin().cloned())
            }
            Err((failure, span)) => {
                self.problem(failure, object, span);
                // Without what is bound to it, like everything that is interpolated.
                Object::new(object.ty().clone(), object.kind().clone(), object.origin().cloned())
            }
        }
    }

    fn scalar_value(
        &mut self,
        object: &Object,
        value: &Plain,
        chain: &Chain<'_>,
    ) -> Result<Plain, (Failure, Option<Range<usize>>)> {
        let coerce = |value: &Plain| {
            object
                .ty()
                .coerce(value)
                .map_err(|message| (Failure::new(ProblemKind::Coercion, message), None))
        };
        let Plain::Text(text) = value else { return coerce(value) };
        if !text.contains("{{") {
            self.take(Size { parts: 1, text: text.len() }).map_err(|failure| (failure, None))?;
            return coerce(value);
        }
        if self.trail.len() > MAX_DEPTH {
            return Err((self.too_deep(text), None));
        }
        let mut done = self.text(text, chain).map_err(|failed| (failed.error, failed.span))?;
        if self.trail.is_empty() {
            done = self.further(done, text.len(), chain).map_err(|failure| (failure, None))?;
        }
        self.take(Size { parts: 1, text: done.text.len() }).map_err(|failure| (failure, None))?;
        let open = !done.open.is_empty();
        if self.trail.is_empty() {
            self.note_open(object, done.open);
        }
        if open {
            return Ok(Plain::Text(done.text));
        }
        coerce(&Plain::Text(done.text))
    }

    /// The interpolations after the first: as many as are asked for, and one for each choice around,
    /// of which only the text counts.
    fn further(&mut self, done: Done, written: usize, chain: &Chain<'_>) -> Result<Done, Failure> {
        let mut done = done;
        for round in 0..self.again + self.choices {
            if !done.text.contains("{{") {
                break;
            }
            self.bare = !done.open.is_empty();
            let next = self.text(&done.text, chain);
            self.bare = false;
            let next = next.map_err(|failed| failed.error)?;
            done.text = next.text;
            if round < self.again {
                done.open = next.open;
                // They count the bytes of a text that nobody has written.
                done.open.values_mut().for_each(|span| *span = 0..written);
            }
        }
        Ok(done)
    }

    fn text(&mut self, text: &str, chain: &Chain<'_>) -> Result<Done, Failed<Failure>> {
        resolve_text(text, |route| {
            self.lookups += 1;
            if self.lookups > MAX_LOOKUPS {
                self.exhausted = true;
                return Err(Failure::new(
                    ProblemKind::Limit,
                    format!("the job refers to more than {MAX_LOOKUPS} values"),
                ));
            }
            self.trail.push(route.text());
            let found = self.find(route, chain);
            self.trail.pop();
            let found = found?;
            self.take(Size { parts: 0, text: found.as_ref().map_or(0, String::len) })?;
            Ok(found)
        })
    }

    fn note_open(
        &mut self,
        object: &Object,
        open: std::collections::BTreeMap<String, Range<usize>>,
    ) {
        for (address, in_text) in open {
            let Ok(address) = address.parse::<Address>() else { continue };
            if self.open.len() < MAX_OPEN {
                let path = self.path();
                let origin = object.origin().cloned();
                self.open.push(OpenReference { address: address.clone(), path, origin, in_text });
            }
            if !self.unbound.contains(&address) {
                self.unbound.insert(address);
            }
        }
    }

    fn mark(&self) -> Mark {
        Mark { problems: self.problems.len(), open: self.open.len() }
    }

    /// What was found wrong or left open since then.
    fn undo(&mut self, mark: &Mark) -> (Vec<Problem>, Vec<OpenReference>) {
        (self.problems.split_off(mark.problems), self.open.split_off(mark.open))
    }

    /// The first alternative that takes the value (`dsl.md` 1.4).
    fn choice(
        &mut self,
        object: &Object,
        ty: &ChoiceType,
        value: &Plain,
        chain: &Chain<'_>,
    ) -> Object {
        if let Plain::Object(given) = value
            && ty.alternatives.iter().any(|alternative| given.ty() == alternative)
        {
            return self.resolve(given, Some(chain));
        }
        let outside = std::mem::take(&mut self.unbound);
        let mut best: Option<Candidate> = None;
        let mut tries = 0;
        for alternative in &ty.alternatives {
            // As the original, which fails on a dict with a field that an earlier alternative does not
            // have. What was not written in a file, such as JSON, cannot name its alternative.
            if let (Some(_), Some(field)) = (object.origin(), unknown_field(alternative, value)) {
                self.unbound.extend(outside);
                let mut fitting = ty.alternatives.iter();
                let meant = fitting.find(|other| {
                    matches!(other, Type::Struct(_)) && unknown_field(other, value).is_none()
                });
                let hint = meant.map(|other| format!(": write {other}({field} = …)"));
                let message = format!(
                    "a dict here is {}, which has no field `{field}`{}",
                    alternative.with_article(),
                    hint.unwrap_or_default()
                );
                self.problem(Failure::new(ProblemKind::Choice, message), object, None);
                return object.unbound();
            }
            let Ok(candidate) = alternative.build(value.clone(), object.origin()) else { continue };
            tries += 1;
            let mark = self.mark();
            let resolved = self.resolve(&candidate, Some(chain));
            let wrong = self.problems.len() > mark.problems;
            let ends = self.problems[mark.problems..].iter().any(|problem| {
                matches!(
                    problem.kind,
                    ProblemKind::Address | ProblemKind::Cycle | ProblemKind::Limit
                )
            });
            if ends || !wrong && check(&resolved).is_empty() {
                self.unbound.extend(outside);
                return resolved;
            }
            let (problems, open) = self.undo(&mark);
            let unbound = std::mem::take(&mut self.unbound);
            if best.as_ref().is_none_or(|best| !best.takes && !wrong) {
                best = Some(Candidate { object: resolved, problems, open, unbound, takes: !wrong });
            }
        }
        self.unbound = outside;
        match best {
            Some(best) if best.takes || tries == 1 => {
                self.problems.extend(best.problems);
                self.open.extend(best.open);
                self.unbound.extend(best.unbound);
                best.object
            }
            _ => {
                let names: Vec<String> = ty.alternatives.iter().map(ToString::to_string).collect();
                let message = format!("expected one of {}, got {value}", names.join(", "));
                self.problem(Failure::new(ProblemKind::Choice, message), object, None);
                object.unbound()
            }
        }
    }

    fn take(&mut self, size: Size) -> Result<(), Failure> {
        self.size.text = self.size.text.saturating_add(size.text);
        self.size.parts = self.size.parts.saturating_add(size.parts);
        if self.size.text > MAX_TEXT {
            self.exhausted = true;
            let limit = MAX_TEXT >> 20;
            return Err(Failure::new(
                ProblemKind::Limit,
                format!(
                    "the texts of the job come to more than {limit} MB, with what their \
                     references lead to"
                ),
            ));
        }
        Ok(())
    }

    /// What to say of a trail that is too long: most likely it goes round.
    fn too_deep(&self, text: &str) -> Failure {
        let trail: Vec<&str> = self.trail.addresses().collect();
        let ring = trail.split_last().and_then(|(last, before)| {
            let start = before.iter().rposition(|address| address == last)?;
            let ring = &before[start..];
            // Said from where the way first comes to it.
            let entry = trail.iter().position(|address| ring.contains(address))?;
            trail[entry..].iter().take(ring.len()).map(|text| text.parse().ok()).collect()
        });
        match ring {
            Some(ring) => Failure::cycle(text, ring),
            None => Failure::new(
                ProblemKind::Cycle,
                format!("its references lead to references more than {MAX_DEPTH} deep"),
            ),
        }
    }

    /// The text that stands for a found value: interpolated where it is at home, which is `chain`.
    pub(crate) fn shown(&mut self, value: &Object, chain: &Chain<'_>) -> Result<String, Failure> {
        if let Kind::Scalar(plain) = value.kind() {
            if value.is_resolved() {
                return Ok(plain.text());
            }
            let plain = self.scalar_value(value, plain, chain).map_err(|(failure, _)| failure)?;
            return Ok(match plain {
                Plain::Text(text) => text,
                other => other.text(),
            });
        }
        if self.trail.len() > MAX_DEPTH {
            return Err(self.too_deep(""));
        }
        let outside = std::mem::take(&mut self.problems);
        let resolved = self.resolve(value, chain.outer);
        let problems = std::mem::replace(&mut self.problems, outside);
        match problems.into_iter().next() {
            None => {
                let text = text_form(&resolved);
                self.take(Size { parts: 0, text: text.len() })?;
                Ok(text)
            }
            Some(Problem { kind, message, cycle, .. }) => Err(Failure { kind, message, cycle }),
        }
    }
}

/// An object as it looks within a text: `IntegerList(10, 20)`, `StringStringMap(k => v)`.
pub fn text_form(object: &Object) -> String {
    match object.kind() {
        Kind::Scalar(value) => value.text(),
        Kind::List(items) => {
            let items: Vec<String> = items.iter().map(text_form).collect();
            format!("{}({})", object.ty(), items.join(", "))
        }
        Kind::Map(entries) => {
            let entries: Vec<String> = entries
                .iter()
                .map(|(key, value)| format!("{} => {}", text_form(key), text_form(value)))
                .collect();
            format!("{}({})", object.ty(), entries.join(", "))
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
        Kind::Choice(value) => match &**value {
            Plain::Object(object) => text_form(object),
            other => other.text(),
        },
    }
}

/// The first name in a dict that a struct has no field of.
fn unknown_field<'a>(ty: &Type, value: &'a Plain) -> Option<&'a str> {
    let (Type::Struct(ty), Plain::Map(entries)) = (ty, value) else { return None };
    entries.iter().find_map(|(key, _)| match key {
        Plain::Text(name) if ty.position(name).is_none() => Some(&**name),
        _ => None,
    })
}
