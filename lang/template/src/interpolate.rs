//! Replaces the references of a text (`dsl.md` 2.2).

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::address::{Route, Steps};
use crate::split::fragments;
use crate::trace::Trace;
use crate::{Address, AddressError, Fragment};

/// How often a text is gone through before it is taken for endless.
pub const MAX_PASSES: usize = 100;

/// The longest text that an interpolation may grow to, in bytes.
pub const MAX_TEXT_LEN: usize = 4 << 20;

/// How many found values of one pass are remembered.
const MAX_KNOWN: usize = 32;

/// Why a text cannot be interpolated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InterpolateError {
    /// Something between double braces is no address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// References lead back to themselves.
    #[error("unable to interpolate {text:?}: {}", ring(cycle))]
    Cycle {
        /// The beginning of the text.
        text: String,
        /// The references, each of which leads to the next and the last to the first.
        cycle: Vec<Address>,
    },
    /// References lead to references, none of them back to itself, more than [`MAX_PASSES`] times.
    #[error(
        "unable to interpolate {text:?}: references lead to references more than {MAX_PASSES} times"
    )]
    Endless {
        /// The beginning of the text.
        text: String,
    },
    /// The text grows beyond [`MAX_TEXT_LEN`].
    #[error("unable to interpolate {text:?}: the result is longer than {MAX_TEXT_LEN} bytes")]
    TooLong {
        /// The beginning of the text.
        text: String,
    },
}

/// References that lead to each other, as a message says it.
pub(crate) fn ring(cycle: &[Address]) -> String {
    let names: Vec<String> = cycle.iter().take(10).map(|name| format!("{{{{{name}}}}}")).collect();
    match names.split_first() {
        Some((first, [])) => format!("{first} leads back to itself"),
        Some((first, others)) => {
            format!("{first} leads back to itself through {}", others.join(" and "))
        }
        None => "a reference leads back to itself".to_owned(),
    }
}

/// A text after interpolation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Interpolated {
    /// The text, with the references that were not found.
    pub text: String,
    /// Those references.
    pub unbound: BTreeSet<Address>,
}

/// Replaces every reference that `lookup` finds, again and again until it finds none, and takes
/// away one level of escapes.
///
/// # Errors
/// [`InterpolateError`], or whatever `lookup` fails with.
pub fn interpolate<E: From<InterpolateError>>(
    text: &str,
    mut lookup: impl FnMut(&Address) -> Result<Option<String>, E>,
) -> Result<Interpolated, E> {
    let done = resolve_text(text, |route| match route.text().parse::<Address>() {
        Ok(address) => lookup(&address),
        Err(_) => Ok(None),
    });
    let done = done.map_err(|failed| failed.error)?;
    let unbound = done.open.keys().filter_map(|address| address.parse().ok()).collect();
    Ok(Interpolated { text: done.text, unbound })
}

/// A text after interpolation.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) text: String,
    /// The references that are left, each with where it comes from in the text as written.
    pub(crate) open: BTreeMap<String, Range<usize>>,
}

/// Why a text cannot be interpolated, and which bytes of it are at fault.
#[derive(Debug)]
pub(crate) struct Failed<E> {
    pub(crate) error: E,
    pub(crate) span: Option<Range<usize>>,
}

/// [`interpolate`] for a lookup that follows the steps of an address where they stand.
pub(crate) fn resolve_text<E: From<InterpolateError>>(
    text: &str,
    mut lookup: impl FnMut(Route<'_, '_>) -> Result<Option<String>, E>,
) -> Result<Done, Failed<E>> {
    let mut trace = Trace::new(text);
    let mut current = Cow::Borrowed(text);
    let mut open: BTreeMap<String, Range<usize>> = BTreeMap::new();
    let mut escapes = false;
    let endless = |trace: &Trace, other: fn(String) -> InterpolateError| {
        let text = beginning(text);
        let (error, span) = match trace.cycle() {
            Some((cycle, span)) => (InterpolateError::Cycle { text, cycle }, Some(span)),
            None => (other(text), None),
        };
        Failed { error: error.into(), span }
    };
    for _ in 0..MAX_PASSES {
        let mut next = String::with_capacity(current.len());
        // What was found in this pass, and where its value is in the next text: what is referred to
        // again need not be looked up again, so doubling takes no time.
        let mut known: Vec<(&str, Range<usize>)> = Vec::new();
        for (fragment, span) in fragments(&current) {
            let Fragment::Reference { inner, .. } = fragment else {
                escapes |= matches!(fragment, Fragment::Escape { .. });
                next.push_str(&current[span.clone()]);
                trace.keep(span, next.len());
                continue;
            };
            let steps = Steps::parse(inner).map_err(|error| Failed {
                error: InterpolateError::from(error).into(),
                span: Some(trace.written(&span)),
            })?;
            let route = steps.route();
            let address = route.text();
            // What was not found in one pass is not found in the next.
            let again = known.iter().find(|(known, _)| *known == address);
            let start = next.len();
            let found = if let Some((_, value)) = again {
                next.extend_from_within(value.clone());
                true
            } else if open.contains_key(address) {
                false
            } else {
                let value = lookup(route)
                    .map_err(|error| Failed { error, span: Some(trace.written(&span)) })?;
                next.push_str(value.as_deref().unwrap_or_default());
                if value.is_some() && known.len() < MAX_KNOWN {
                    known.push((address, start..next.len()));
                }
                value.is_some()
            };
            if found {
                trace.found(address, span, next.len());
            } else {
                if !open.contains_key(address) {
                    open.insert(address.to_owned(), trace.written(&span));
                }
                next.push_str("{{");
                next.push_str(address);
                next.push_str("}}");
                trace.keep(span, next.len());
            }
            if next.len() > MAX_TEXT_LEN {
                return Err(endless(&trace, |text| InterpolateError::TooLong { text }));
            }
        }
        trace.end_pass();
        let found_any = !known.is_empty();
        current = Cow::Owned(next);
        if !found_any {
            let text = if escapes { unescape(&current) } else { current.into_owned() };
            return Ok(Done { text, open });
        }
    }
    Err(endless(&trace, |text| InterpolateError::Endless { text }))
}

fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for (fragment, _) in fragments(text) {
        match fragment {
            Fragment::Text(piece) => plain.push_str(piece),
            Fragment::Escape { inner } | Fragment::Reference { inner, .. } => {
                plain.push_str("{{");
                plain.push_str(inner);
                plain.push_str("}}");
            }
        }
    }
    plain
}

/// A text as a message shows it: the whole of it, or its first characters.
pub fn beginning(text: &str) -> String {
    let mut short: String = text.chars().take(60).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::split;

    type Names<'a> = &'a [(&'a str, &'a str)];

    fn with(text: &str, values: Names<'_>) -> Result<Interpolated, InterpolateError> {
        let values: BTreeMap<Address, String> =
            values.iter().map(|(k, v)| (k.parse().unwrap(), (*v).to_owned())).collect();
        interpolate(text, |address| Ok(values.get(address).cloned()))
    }

    #[test]
    fn found_references_are_replaced_and_others_stay() {
        let cases = [
            ("{{x}}-{{y}}", "1-{{y}}"),
            ("{{m[{{k}}]}}", "M"),
            ("{{{{p}}}}", "1"),
            ("{{&x}} {{&&x}} {{&z&}}", "{{x}} {{&x}} {{z}}"),
            ("{{.Names}}", "{{Names}}"),
            ("{{esc}}", "{{x}}"),
        ];
        for (text, expected) in cases {
            let values = [("x", "1"), ("k", "key"), ("m[key]", "M"), ("p", "x"), ("esc", "{{&x}}")];
            assert_eq!(with(text, &values).unwrap().text, expected, "{text}");
        }
        let unbound = with("{{y}} {{a.b}} {{&z}}", &[]).unwrap().unbound;
        assert_eq!(unbound.iter().map(Address::to_string).collect::<Vec<_>>(), ["a.b", "y"]);
    }

    #[test]
    fn what_never_ends_is_refused_and_named() {
        let cases: [(&str, Names, &[&str]); 7] = [
            ("{{x}}", &[("x", "{{x}} {{other}}"), ("other", "fine")], &["x"]),
            ("{{x}}", &[("x", "{{y}}"), ("y", "{{x}}")], &["x", "y"]),
            ("{{x}}", &[("x", "{{a}}{{x}}"), ("a", "")], &["x"]),
            ("a {{z}}", &[("z", "{{x}}"), ("x", "{{y}}"), ("y", "{{x}}")], &["x", "y"]),
            ("{{x}}", &[("x", "{{x}}{{x}}")], &["x"]),
            ("{{x}}", &[("x", "{{y{{one}}}}"), ("one", "1"), ("y1", "{{x}}")], &["x", "y1"]),
            (
                "{{c}}",
                &[("a", "{{b}}"), ("b", "{{c}}"), ("c", "{{d}} {{e}}"), ("d", "{{a}}"), ("e", "")],
                &["c", "d", "a", "b"],
            ),
        ];
        for (text, values, expected) in cases {
            match with(text, values) {
                Err(InterpolateError::Cycle { cycle, .. }) => {
                    let names: Vec<String> = cycle.iter().map(Address::to_string).collect();
                    assert_eq!(names, expected, "{values:?}");
                }
                other => panic!("{values:?}: {other:?}"),
            }
        }
        assert!(matches!(with("awk '{{print $1}}'", &[]), Err(InterpolateError::Address(_))));
    }

    #[test]
    fn what_is_left_or_wrong_is_placed_in_the_text_as_written() {
        let values = [("a", "long value of {{b}}"), ("b", "{{c}}"), ("bad", "{{ x }}")];
        let values: BTreeMap<&str, &str> = values.into_iter().collect();
        let lookup = |route: Route<'_, '_>| {
            Ok::<_, InterpolateError>(values.get(route.text()).map(|value| (*value).to_owned()))
        };
        let text = "é {{.y}} {{a}} {{z}}{{y}}";
        let done = resolve_text(text, lookup).unwrap();
        assert_eq!(done.text, "é {{y}} long value of {{c}} {{z}}{{y}}");
        let open: Vec<_> =
            done.open.iter().map(|(name, at)| (&**name, &text[at.clone()])).collect();
        assert_eq!(open, [("c", "{{a}}"), ("y", "{{.y}}"), ("z", "{{z}}")]);

        let text = "{{a}} and {{bad}}";
        let failed = resolve_text(text, lookup).unwrap_err();
        assert_eq!(&text[failed.span.unwrap()], "{{bad}}");
        let text = "{{a}} and {{0}}";
        let failed = resolve_text(text, lookup).unwrap_err();
        assert_eq!(&text[failed.span.unwrap()], "{{0}}");
    }

    #[test]
    fn a_reference_put_together_is_placed_at_all_of_its_parts() {
        let text = "x {{zone_{{env}}}} y";
        let done = resolve_text(text, |route| {
            Ok::<_, InterpolateError>((route.text() == "env").then(|| "prod".to_owned()))
        });
        let done = done.unwrap();
        assert_eq!(&text[done.open["zone_prod"].clone()], "{{zone_{{env}}}}");
    }

    #[test]
    fn a_chain_of_99_works_and_one_of_100_does_not() {
        for (length, works) in [(99, true), (100, false)] {
            let result = interpolate::<InterpolateError>("{{x0}}", |address| {
                let n: usize = address.to_string()[1..].parse().unwrap();
                Ok(Some(if n + 1 == length {
                    "end".to_owned()
                } else {
                    format!("{{{{x{}}}}}", n + 1)
                }))
            });
            assert_eq!(result.is_ok(), works, "{length}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_taken_without_panic(text in "[{}&a-z.\\[\\] é]{0,40}") {
            let _ = with(&text, &[("a", "b"), ("b", "{{c}}")]);
            let rebuilt: String = split(&text)
                .into_iter()
                .map(|fragment| match fragment {
                    Fragment::Text(piece) => piece.to_owned(),
                    Fragment::Reference { inner, .. } => format!("{{{{{inner}}}}}"),
                    Fragment::Escape { inner } => format!("{{{{&{inner}}}}}"),
                })
                .collect();
            let without = |text: &str| text.replace('&', "");
            prop_assert_eq!(without(&rebuilt), without(&text), "only a closing & may be lost");
        }

        #[test]
        fn a_text_without_references_is_kept(text in "[a-z{} ]{0,40}") {
            prop_assume!(split(&text).iter().all(|f| matches!(f, Fragment::Text(_))));
            prop_assert_eq!(with(&text, &[]).unwrap().text, text);
        }
    }
}
