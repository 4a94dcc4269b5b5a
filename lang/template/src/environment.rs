//! A table from addresses to values: what `bind` gives names to (`dsl.md` 1.5).

use std::collections::BTreeMap;

use crate::object::{Bound, Object};
use crate::types::{Plain, TypeMismatch};
use crate::{Address, Component};

/// How many names one table may hold: tables that hold tables double fast.
pub const MAX_NAMES: usize = 100_000;

/// Names and what is bound to them. A name is an [`Address`], kept as it is written.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Environment(BTreeMap<Box<str>, Bound>);

impl Environment {
    /// What is bound to exactly this address.
    pub fn get(&self, address: &str) -> Option<&Bound> {
        self.0.get(address)
    }

    /// The stored name that reads like `address`, and what is bound to it.
    pub(crate) fn entry(&self, address: &str) -> Option<(&str, &Bound)> {
        self.0.get_key_value(address).map(|(name, bound)| (&**name, bound))
    }

    /// Binds an address, in place of what was bound to it.
    pub fn insert(&mut self, address: &Address, value: Bound) {
        self.0.insert(address.to_string().into(), value);
    }

    /// Every name with its value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Bound)> {
        self.0.iter().map(|(name, bound)| (&**name, bound))
    }

    /// How many names there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing is bound.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn objects(&self) -> impl Iterator<Item = &Object> {
        self.0.values().filter_map(|bound| match bound {
            Bound::Object(object) => Some(object),
            Bound::Text(_) => None,
        })
    }

    /// Adds the entries of a mapping; mappings and tables within it become longer addresses.
    ///
    /// # Errors
    /// A key is no address, a value is nothing that can be bound, or it becomes too much.
    pub fn add(&mut self, entries: Vec<(Plain, Plain)>) -> Result<(), TypeMismatch> {
        self.add_below(&[], entries)
    }

    fn add_below(
        &mut self,
        prefix: &[Component],
        entries: Vec<(Plain, Plain)>,
    ) -> Result<(), TypeMismatch> {
        for (key, value) in entries {
            let Plain::Text(key) = key else {
                return Err(TypeMismatch::new(format!("names are text, got {key}")));
            };
            let address: Address = key.parse().map_err(|error: crate::AddressError| {
                TypeMismatch::new(format!("cannot bind to {key:?}: {}", error.reason))
            })?;
            let components = [prefix, address.components()].concat();
            let Some(address) = Address::from_components(components) else { continue };
            let bound = match value {
                Plain::Map(inner) => {
                    self.add_below(address.components(), inner)?;
                    continue;
                }
                Plain::Names(inner) => {
                    self.add_table(&address, &inner)?;
                    continue;
                }
                Plain::Object(object) => Bound::Object(object),
                Plain::Text(text) => Bound::Text(text),
                Plain::Int(_) | Plain::Big(_) | Plain::Float(_) | Plain::Bool(_) => {
                    Bound::Text(value.text())
                }
                Plain::List(_) | Plain::Empty | Plain::Other(_) => {
                    return Err(TypeMismatch {
                        help: Some(
                            "values are text, numbers, objects and dicts of them; a list is bound \
                             as List(String)([…])"
                                .to_owned(),
                        ),
                        ..TypeMismatch::new(format!("{{{{{address}}}}} cannot be bound to {value}"))
                    });
                }
            };
            self.insert(&address, bound);
            self.check_size()?;
        }
        Ok(())
    }

    fn add_table(&mut self, prefix: &Address, table: &Self) -> Result<(), TypeMismatch> {
        for (name, bound) in table.iter() {
            let dot = if name.starts_with('[') { "" } else { "." };
            self.0.insert(format!("{prefix}{dot}{name}").into(), bound.clone());
            self.check_size()?;
        }
        Ok(())
    }

    /// Adds what is bound in another table, in place of what is bound here.
    ///
    /// # Errors
    /// It becomes too much.
    pub fn merge(&mut self, table: &Self) -> Result<(), TypeMismatch> {
        for (name, bound) in &table.0 {
            self.0.insert(name.clone(), bound.clone());
            self.check_size()?;
        }
        Ok(())
    }

    fn check_size(&self) -> Result<(), TypeMismatch> {
        if self.len() > MAX_NAMES {
            return Err(TypeMismatch::new(format!(
                "more than {MAX_NAMES} names are bound at once"
            )));
        }
        Ok(())
    }
}

impl FromIterator<(Address, Bound)> for Environment {
    fn from_iter<T: IntoIterator<Item = (Address, Bound)>>(names: T) -> Self {
        Self(names.into_iter().map(|(name, bound)| (name.to_string().into(), bound)).collect())
    }
}
