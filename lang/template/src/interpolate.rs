//! Replaces the references of a text (`dsl.md` 2.2).

use std::collections::{BTreeMap, BTreeSet};

use crate::{Address, AddressError, Fragment, references, split};

/// How often a text is gone through before it is taken for endless.
pub const MAX_PASSES: usize = 100;

/// The longest text that an interpolation may grow to, in bytes.
pub const MAX_TEXT_LEN: usize = 4 << 20;

/// Why a text cannot be interpolated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InterpolateError {
    /// Something between double braces is no address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// A reference leads back to itself.
    #[error("unable to interpolate {text:?}: {{{{{address}}}}} leads back to itself")]
    Cycle {
        /// The beginning of the text.
        text: String,
        /// The reference.
        address: Address,
    },
    /// References lead to references, none of them back to itself, more than [`MAX_PASSES`] times.
    #[error("unable to interpolate {text:?}: references lead to references without end")]
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
    let mut current = text.to_owned();
    let mut leads = BTreeMap::new();
    for pass in 0..MAX_PASSES {
        let mut next = String::with_capacity(current.len());
        let mut unbound = BTreeSet::new();
        let mut found_any = false;
        for fragment in split(&current) {
            match fragment {
                Fragment::Text(plain) => next.push_str(plain),
                Fragment::Escape { inner } => {
                    next.push_str("{{&");
                    next.push_str(inner);
                    next.push_str("}}");
                }
                Fragment::Reference { inner, .. } => {
                    let address: Address = inner.parse().map_err(InterpolateError::from)?;
                    if let Some(value) = lookup(&address)? {
                        found_any = true;
                        next.push_str(&value);
                        // Few texts come this far, and what comes this far goes round.
                        if pass >= MAX_PASSES / 2 {
                            let inner = references(&value).filter_map(|(r, _)| r.parse().ok());
                            leads.entry(address).or_insert_with(BTreeSet::new).extend(inner);
                        }
                    } else {
                        next.push_str(&format!("{{{{{address}}}}}"));
                        unbound.insert(address);
                    }
                    if next.len() > MAX_TEXT_LEN {
                        return Err(InterpolateError::TooLong { text: beginning(text) }.into());
                    }
                }
            }
        }
        if !found_any {
            return Ok(Interpolated { text: unescape(&next), unbound });
        }
        current = next;
    }
    let text = beginning(text);
    Err(match leads.keys().find(|address| leads_back(&leads, address)) {
        Some(address) => InterpolateError::Cycle { text, address: address.clone() },
        None => InterpolateError::Endless { text },
    }
    .into())
}

/// Whether following an address comes to it again.
fn leads_back(leads: &BTreeMap<Address, BTreeSet<Address>>, start: &Address) -> bool {
    let mut seen = BTreeSet::new();
    let mut next = vec![start];
    while let Some(address) = next.pop() {
        for inner in leads.get(address).into_iter().flatten() {
            if inner == start {
                return true;
            }
            if seen.insert(inner) {
                next.push(inner);
            }
        }
    }
    false
}

fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for fragment in split(text) {
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

    fn with(text: &str, values: &[(&str, &str)]) -> Result<Interpolated, InterpolateError> {
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
    fn what_never_ends_is_refused() {
        for values in [
            [("x", "{{x}} {{other}}"), ("other", "fine")],
            [("x", "{{y}}"), ("y", "{{x}}")],
            [("x", "{{a}}{{x}}"), ("a", "")],
        ] {
            match with("{{x}}", &values) {
                Err(InterpolateError::Cycle { address, .. }) => {
                    assert!(["x", "y"].contains(&address.to_string().as_str()), "{address}");
                }
                other => panic!("{values:?}: {other:?}"),
            }
        }
        let growing = with("{{x}}", &[("x", "{{x}}{{x}}")]);
        assert!(matches!(growing, Err(InterpolateError::TooLong { .. })), "{growing:?}");
        assert!(matches!(with("awk '{{print $1}}'", &[]), Err(InterpolateError::Address(_))));
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
