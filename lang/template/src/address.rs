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
        let error = |reason| AddressError { text: text.to_owned(), reason };
        let mut components = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            if let Some(indexed) = rest.strip_prefix('[') {
                let Some((index, after)) = indexed.split_once(']') else {
                    return Err(error("a '[' is not closed"));
                };
                if index.is_empty() || !index.bytes().all(is_index_byte) {
                    return Err(error(
                        "between brackets go letters, digits, '_', '.', '/' and '-'",
                    ));
                }
                components.push(Component::Index(index.to_owned()));
                rest = after;
                continue;
            }
            let name = match rest.strip_prefix('.') {
                Some(name) => name,
                None if components.is_empty() => rest,
                None => return Err(error("after a ']' comes '.' or '['")),
            };
            let end = name.find(['.', '[']).unwrap_or(name.len());
            let (name, after) = name.split_at(end);
            if !is_name(name) {
                return Err(error(if name.contains(char::is_whitespace) {
                    "there may be no blanks in it; to keep double braces as text, write {{&…}}"
                } else {
                    "names begin with a letter or '_' and hold letters, digits and '_'"
                }));
            }
            components.push(Component::Name(name.to_owned()));
            rest = after;
        }
        if components.is_empty() { Err(error("it is empty")) } else { Ok(Self(components)) }
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
    fn other_texts_are_no_addresses() {
        for text in
            ["", " x ", "0x", "a.", "a[]", "x&", "print $1", "a[b", "a]b", "a[b]c", "a[ ]", "é"]
        {
            assert!(text.parse::<Address>().is_err(), "{text:?}");
        }
    }
}
