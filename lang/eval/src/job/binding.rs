//! A value bound from outside: `name=value` (`dsl.md` 7.3).

use std::str::FromStr;
use std::sync::Arc;

use aurora_template::Address;
use aurora_template::environment::Environment;
use aurora_template::object::{Bound, Scope};

/// A value bound from outside: `name=value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// What it is bound to.
    pub address: Address,
    /// The text.
    pub value: String,
}

/// A text that is no binding.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BindingError {
    /// There is no `=`.
    #[error("binding parameter {0:?} must be formatted name=value")]
    Shape(String),
    /// The name is no address.
    #[error("could not parse binding parameter {parameter:?}: {reason}")]
    Name {
        /// What was given.
        parameter: String,
        /// What is wrong with the name.
        reason: String,
    },
}

impl FromStr for Binding {
    type Err = BindingError;

    fn from_str(text: &str) -> Result<Self, BindingError> {
        let (name, value) =
            text.split_once('=').ok_or_else(|| BindingError::Shape(text.to_owned()))?;
        let address = name.parse().map_err(|error: aurora_template::AddressError| {
            BindingError::Name { parameter: text.to_owned(), reason: error.reason.to_owned() }
        })?;
        Ok(Self { address, value: value.to_owned() })
    }
}

impl Binding {
    /// The scope that these bindings make; the last one of a name counts.
    pub(crate) fn scope(bindings: &[Self]) -> Scope {
        let names: Environment = bindings
            .iter()
            .map(|binding| (binding.address.clone(), Bound::Text(binding.value.clone())))
            .collect();
        Scope::Names(Arc::new(names))
    }
}
