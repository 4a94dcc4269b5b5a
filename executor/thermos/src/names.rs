//! What is known of a task only where it runs, and bound there (`executor.md` 3).

use std::collections::{BTreeMap, BTreeSet};

use aurora_template::{Address, InterpolateError, interpolate};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// What names stand for, and which of those that were met stand for nothing.
#[derive(Debug, Clone, Default)]
pub struct Names {
    known: BTreeMap<Address, String>,
    unbound: BTreeSet<Address>,
}

/// Why texts cannot be bound.
#[derive(Debug, thiserror::Error)]
pub enum NamesError {
    /// The description cannot be written or read as JSON.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// A text cannot be interpolated.
    #[error(transparent)]
    Template(#[from] InterpolateError),
}

impl Names {
    /// The names of a task: `thermos.task_id`, `thermos.user`, `thermos.ports[…]`, `mesos.instance`
    /// and `mesos.hostname`.
    pub fn new(
        task_id: &str,
        user: &str,
        instance: u32,
        hostname: &str,
        ports: &BTreeMap<String, u16>,
    ) -> Self {
        let fixed = [
            ("thermos.task_id".to_owned(), task_id.to_owned()),
            ("thermos.user".to_owned(), user.to_owned()),
            ("mesos.instance".to_owned(), instance.to_string()),
            ("mesos.hostname".to_owned(), hostname.to_owned()),
        ];
        let ports =
            ports.iter().map(|(name, port)| (format!("thermos.ports[{name}]"), port.to_string()));
        // A port whose name makes no address cannot be referred to.
        let known = fixed.into_iter().chain(ports);
        let known = known.filter_map(|(name, value)| Some((name.parse().ok()?, value))).collect();
        Self { known, unbound: BTreeSet::new() }
    }

    /// Binds every text of something. Gives its JSON too.
    ///
    /// # Errors
    /// It is no JSON, or a text cannot be interpolated. What stands for nothing is no error: see
    /// [`Names::unbound`].
    pub fn bind<T: Serialize + DeserializeOwned>(
        &mut self,
        part: &T,
    ) -> Result<(T, String), NamesError> {
        let mut json = serde_json::to_value(part)?;
        self.bind_texts(&mut json)?;
        let text = json.to_string();
        Ok((serde_json::from_value(json)?, text))
    }

    /// The names that were met so far and stand for nothing.
    pub fn unbound(&self) -> &BTreeSet<Address> {
        &self.unbound
    }

    fn bind_texts(&mut self, json: &mut Value) -> Result<(), InterpolateError> {
        match json {
            Value::String(text) if text.contains("{{") => {
                let known = |address: &Address| Ok(self.known.get(address).cloned());
                let done = interpolate::<InterpolateError>(text, known)?;
                self.unbound.extend(done.unbound);
                *text = done.text;
            }
            Value::Array(items) => items.iter_mut().try_for_each(|item| self.bind_texts(item))?,
            Value::Object(fields) => {
                fields.values_mut().try_for_each(|value| self.bind_texts(value))?;
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_to_the_place_are_bound_and_others_named() {
        let ports = [("http".to_owned(), 80), ("a]b".to_owned(), 1)].into();
        let mut names = Names::new("id", "me", 2, "box", &ports);
        let text = "{{thermos.task_id}} {{thermos.user}} {{thermos.ports[http]}} \
                    {{mesos.instance}}@{{mesos.hostname}}";
        let (bound, json) = names.bind(&vec![text.to_owned()]).unwrap();
        assert_eq!(
            (bound, json),
            (vec!["id me 80 2@box".to_owned()], r#"["id me 80 2@box"]"#.to_owned())
        );
        assert!(names.unbound().is_empty());
        names.bind(&"{{thermos.ports[admin]}}".to_owned()).unwrap();
        let unbound: Vec<String> = names.unbound().iter().map(Address::to_string).collect();
        assert_eq!(unbound, ["thermos.ports[admin]"]);
    }
}
