//! A value bound from outside: `name=value` (`dsl.md` 7.3).

use std::str::FromStr;
use std::sync::Arc;

use aurora_template::environment::Environment;
use aurora_template::object::{Bound, Scope};
use aurora_template::{Address, Component};

/// A value bound from outside: `name=value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// What it is bound to.
    pub address: Address,
    /// The text.
    pub value: String,
}

/// An image that a job names by its tag: `{{docker.image[name][tag]}}`, which nobody has bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnboundImage {
    /// What is to be bound to the image.
    pub address: Address,
    /// Its name in the registry.
    pub name: String,
    /// Its tag.
    pub tag: String,
}

impl UnboundImage {
    /// The image that an address stands for, if it is one.
    pub(crate) fn of(address: &Address) -> Option<Self> {
        use Component::{Index, Name};
        match address.components() {
            [Name(docker), Name(image), Index(name), Index(tag)]
                if docker == "docker" && image == "image" =>
            {
                let (name, tag) = (name.clone(), tag.clone());
                Some(Self { address: address.clone(), name, tag })
            }
            _ => None,
        }
    }
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
