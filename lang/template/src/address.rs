//! The address within a reference: `name`, `a.b`, `m[key].x`.

use std::fmt;
use std::str::FromStr;

/// One step of an [`Address`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Component {
    /// `.name`: a field.
    Name(String),
    /// `[index]`: an element of a list or a map.
    Index(String),
}

/// Where a value is found. Never empty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(Vec<Component>);

/// A text between double braces that is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{{{{{text}}}}} is not a reference: {reason}")]
pub struct AddressError {
    /// The text between the braces.
    pub text: String,
    /// Why, and what to write instead.
    pub reason: &'static str,
}

impl Address {
    /// An address of these steps; `None` if there are none.
    pub fn from_components(components: Vec<Component>) -> Option<Self> {
        (!components.is_empty()).then_some(Self(components))
    }

    /// The steps, outermost first.
    pub fn components(&self) -> &[Component] {
        &self.0
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let steps = Steps::parse(text)?;
        let components = steps.0.iter().map(|step| match step.component {
            Part::Name(name) => Component::Name(name.to_owned()),
            Part::Index(index) => Component::Index(index.to_owned()),
        });
        Ok(Self(components.collect()))
    }
}

/// An address within the text it was read from.
#[derive(Debug)]
pub(crate) struct Steps<'a>(pub(crate) Vec<Step<'a>>, &'a str);

/// A step of an address, and where it stands in the text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step<'a> {
    pub(crate) component: Part<'a>,
    start: usize,
    end: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part<'a> {
    Name(&'a str),
    Index(&'a str),
}

/// An address, or the part of one that is still to be followed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Route<'s, 'a> {
    text: &'a str,
    pub(crate) steps: &'s [Step<'a>],
}

impl<'a> Steps<'a> {
    pub(crate) fn route(&self) -> Route<'_, 'a> {
        Route { text: self.1, steps: &self.0 }
    }

    pub(crate) fn parse(text: &'a str) -> Result<Self, AddressError> {
        let error = |reason| AddressError { text: text.to_owned(), reason };
        let mut steps = Vec::new();
        let mut at = 0;
        while at < text.len() {
            let rest = &text[at..];
            if let Some(indexed) = rest.strip_prefix('[') {
                let Some((index, _)) = indexed.split_once(']') else {
                    return Err(error("a '[' is not closed"));
                };
                if index.is_empty() || !index.bytes().all(is_index_byte) {
                    return Err(error(
                        "between brackets go letters, digits, '_', '.', '/' and '-'",
                    ));
                }
                let end = at + index.len() + 2;
                steps.push(Step { component: Part::Index(index), start: at, end });
                at = end;
                continue;
            }
            let name = match rest.strip_prefix('.') {
                Some(name) => name,
                None if steps.is_empty() => rest,
                None => return Err(error("after a ']' comes '.' or '['")),
            };
            let start = text.len() - name.len();
            let end = start + name.find(['.', '[']).unwrap_or(name.len());
            let name = &text[start..end];
            if !is_name(name) {
                return Err(error(if name.contains(char::is_whitespace) {
                    "there may be no blanks in it; to keep double braces as text, write {{&…}}"
                } else {
                    "names begin with a letter or '_' and hold letters, digits and '_'"
                }));
            }
            steps.push(Step { component: Part::Name(name), start, end });
            at = end;
        }
        if steps.is_empty() { Err(error("it is empty")) } else { Ok(Self(steps, text)) }
    }
}

impl<'s, 'a> Route<'s, 'a> {
    /// The first step and what follows it.
    pub(crate) fn split_first(self) -> Option<(Part<'a>, Self)> {
        let (first, steps) = self.steps.split_first()?;
        Some((first.component, Self { text: self.text, steps }))
    }

    /// The first `length` steps as an [`Address`] would write them, and the steps that follow.
    pub(crate) fn split_at(self, length: usize) -> Option<(&'a str, Self)> {
        let (head, steps) = self.steps.split_at_checked(length)?;
        let (first, last) = (head.first()?, head.last()?);
        Some((self.text.get(first.start..last.end)?, Self { text: self.text, steps }))
    }

    /// All of it, as an [`Address`] would write it.
    pub(crate) fn text(self) -> &'a str {
        self.split_at(self.steps.len()).map_or("", |(text, _)| text)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, component) in self.0.iter().enumerate() {
            match component {
                Component::Name(name) if position == 0 => f.write_str(name)?,
                Component::Name(name) => write!(f, ".{name}")?,
                Component::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

fn is_name(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && text.bytes().next().is_some_and(|b| !b.is_ascii_digit())
}

fn is_index_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'/' | b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written_back() {
        for text in ["a", "a.b", "a[0].b[k/x-y.z]", "[k]", "_x1"] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        assert_eq!(".Names".parse::<Address>().unwrap().to_string(), "Names");
    }

    #[test]
    fn the_parts_of_an_address_are_written_like_addresses() {
        let steps = Steps::parse(".a.b[c.d].e").unwrap();
        let route = steps.route();
        let whole = |route: Route<'_, '_>| route.text().to_owned();
        assert_eq!(whole(route), "a.b[c.d].e");
        let parts: Vec<_> =
            (1..=4).map(|n| route.split_at(n).map(|(t, r)| (t, whole(r))).unwrap()).collect();
        let expected =
            [("a", "b[c.d].e"), ("a.b", "[c.d].e"), ("a.b[c.d]", "e"), ("a.b[c.d].e", "")];
        assert_eq!(parts, expected.map(|(a, b)| (a, b.to_owned())));
    }

    #[test]
    fn other_texts_are_no_addresses() {
        for text in
            ["", " x ", "0x", "a.", "a[]", "x&", "print $1", "a[b", "a]b", "a[b]c", "a[ ]", "é"]
        {
            assert!(text.parse::<Address>().is_err(), "{text:?}");
        }
    }
}
