//! Names of things: roles, job keys, instance keys and the opaque ids of tasks, agents and offers.
//!
//! Text becomes one of these at the edge of the system; inside, a value that exists is valid
//! (`scheduler.md` 2.1).

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest identifier that is accepted, in bytes.
pub const IDENTIFIER_MAX_LEN: usize = 255;

/// Why a text is not a name of the kind asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// An identifier holds a character other than ASCII letters, digits, `_`, `-` and `.`, is
    /// empty, or is longer than [`IDENTIFIER_MAX_LEN`].
    #[error(
        "invalid {what} {value:?}: use 1 to {IDENTIFIER_MAX_LEN} letters, digits, '_', '-' and '.'"
    )]
    Identifier {
        /// Which part of the key it is, such as "role".
        what: &'static str,
        /// The text that was given.
        value: String,
    },
    /// The text does not have the parts of the key asked for.
    #[error("invalid {what} {value:?}: expected {expected}")]
    Shape {
        /// The kind of key, such as "job key".
        what: &'static str,
        /// The text that was given.
        value: String,
        /// The form that is accepted.
        expected: &'static str,
    },
    /// The text is empty.
    #[error("an empty text is not a {what}")]
    Empty {
        /// The kind of id.
        what: &'static str,
    },
}

/// Whether `text` is an identifier: `^[\w\-\.]+$` in ASCII, at most [`IDENTIFIER_MAX_LEN`] bytes.
pub fn is_identifier(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= IDENTIFIER_MAX_LEN
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

fn identifier(what: &'static str, text: &str) -> Result<Arc<str>, KeyError> {
    if is_identifier(text) {
        Ok(Arc::from(text))
    } else {
        // The message must stay readable whatever was sent.
        let value = text.chars().take(IDENTIFIER_MAX_LEN + 1).collect();
        Err(KeyError::Identifier { what, value })
    }
}

/// Who owns jobs, and the Unix user their processes run as.
///
/// Cheap to clone: the text is shared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Role(Arc<str>);

impl Role {
    /// Makes a role of an identifier.
    ///
    /// # Errors
    /// [`KeyError::Identifier`] if the text is not one.
    pub fn new(text: &str) -> Result<Self, KeyError> {
        identifier("role", text).map(Self)
    }

    /// The role as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Role {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        Self::new(text)
    }
}

impl From<&JobKey> for Role {
    /// The role that owns a job.
    fn from(job: &JobKey) -> Self {
        Self(job.role.clone())
    }
}

/// Roles are looked up by their text.
impl Borrow<str> for Role {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// The name of a job within a cluster: role, environment and name (`role/environment/name`).
///
/// Cheap to clone: the parts are shared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobKey {
    role: Arc<str>,
    environment: Arc<str>,
    name: Arc<str>,
}

impl JobKey {
    /// Makes a key of three identifiers.
    ///
    /// # Errors
    /// [`KeyError::Identifier`] names the first part that is not an identifier.
    pub fn new(role: &str, environment: &str, name: &str) -> Result<Self, KeyError> {
        Ok(Self {
            role: identifier("role", role)?,
            environment: identifier("environment", environment)?,
            name: identifier("job name", name)?,
        })
    }

    /// The role: who owns the job, and the Unix user its processes run as.
    pub fn role(&self) -> &str {
        &self.role
    }

    /// The environment, such as `prod` or `devel`.
    pub fn environment(&self) -> &str {
        &self.environment
    }

    /// The name within role and environment.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key of one instance of this job.
    pub fn instance(&self, instance: u32) -> InstanceKey {
        InstanceKey { job: self.clone(), instance }
    }
}

impl fmt::Display for JobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.role, self.environment, self.name)
    }
}

impl FromStr for JobKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let shape = || KeyError::Shape {
            what: "job key",
            value: text.to_owned(),
            expected: "role/environment/name",
        };
        let mut parts = text.split('/');
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(role), Some(environment), Some(name), None) => Self::new(role, environment, name),
            _ => Err(shape()),
        }
    }
}

impl Serialize for JobKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for JobKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// One instance of a job (`role/environment/name/N`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceKey {
    /// The job.
    pub job: JobKey,
    /// The instance id, from 0.
    pub instance: u32,
}

impl fmt::Display for InstanceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.job, self.instance)
    }
}

/// A job key together with the cluster it runs on (`cluster/role/environment/name`), as the
/// client writes it. The cluster's name is any text without `/`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterJobKey {
    /// The cluster.
    pub cluster: String,
    /// The job on that cluster.
    pub job: JobKey,
}

impl fmt::Display for ClusterJobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.cluster, self.job)
    }
}

impl FromStr for ClusterJobKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let shape = || KeyError::Shape {
            what: "job key",
            value: text.to_owned(),
            expected: "cluster/role/environment/name",
        };
        let (cluster, job) = text.split_once('/').ok_or_else(shape)?;
        if cluster.is_empty() || job.split('/').count() != 3 {
            return Err(shape());
        }
        Ok(Self { cluster: cluster.to_owned(), job: job.parse()? })
    }
}

macro_rules! opaque_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        ///
        /// Cheap to clone: the text is shared.
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Makes an id of a text.
            ///
            /// # Errors
            /// [`KeyError::Empty`] if there is none.
            pub fn new(text: impl AsRef<str>) -> Result<Self, KeyError> {
                let text = text.as_ref();
                if text.is_empty() {
                    return Err(KeyError::Empty { what: $what });
                }
                Ok(Self(Arc::from(text)))
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = KeyError;

            fn from_str(text: &str) -> Result<Self, KeyError> {
                Self::new(text)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::new(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
            }
        }
    };
}

opaque_id!(
    /// One run of one instance: `role-env-name-instance-<uuid4>`. Not to be parsed.
    TaskId,
    "task id"
);
opaque_id!(
    /// A Mesos agent's id.
    AgentId,
    "agent id"
);
opaque_id!(
    /// A Mesos offer's id.
    OfferId,
    "offer id"
);
opaque_id!(
    /// The id under which the master knows this scheduler.
    FrameworkId,
    "framework id"
);
opaque_id!(
    /// What a client sends with a change so that it may send it again: any text it will not use
    /// for another change, by custom a UUID.
    RequestId,
    "request id"
);

opaque_id!(
    /// One update of a job. The job's key goes with it: see [`crate::update::UpdateKey`].
    UpdateId,
    "update id"
);

impl TaskId {
    /// The id of a run of `instance`, made unique by `uuid`. Every character that Mesos does not
    /// take in an id becomes `-`.
    pub fn for_instance(instance: &InstanceKey, uuid: &str) -> Self {
        let InstanceKey { job, instance } = instance;
        // A job has many, which are made together.
        let mut text = String::with_capacity(
            job.role.len()
                + job.environment.len()
                + job.name.len()
                + uuid.len()
                + "----4294967295".len(),
        );
        let number = instance.to_string();
        for (place, part) in
            [&*job.role, &*job.environment, &*job.name, &number, uuid].iter().enumerate()
        {
            if place > 0 {
                text.push('-');
            }
            let is_taken = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
            text.extend(part.chars().map(|c| if is_taken(c) { c } else { '-' }));
        }
        Self(Arc::from(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn job_keys_are_parsed_and_printed() {
        let key: JobKey = "www-data/prod/hello.v2".parse().unwrap();
        assert_eq!((key.role(), key.environment(), key.name()), ("www-data", "prod", "hello.v2"));
        assert_eq!(key.to_string(), "www-data/prod/hello.v2");
        assert_eq!(key.instance(3).to_string(), "www-data/prod/hello.v2/3");
    }

    #[test]
    fn bad_job_keys_name_what_is_wrong() {
        let cases = [
            ("", "invalid job key \"\": expected role/environment/name"),
            ("a/b", "invalid job key \"a/b\": expected role/environment/name"),
            ("a/b/c/d", "invalid job key \"a/b/c/d\": expected role/environment/name"),
            ("a//c", "invalid environment \"\""),
            ("a/b/c d", "invalid job name \"c d\""),
            ("é/b/c", "invalid role \"é\""),
        ];
        for (text, message) in cases {
            let error = text.parse::<JobKey>().unwrap_err().to_string();
            assert!(error.starts_with(message), "{text:?}: {error}");
        }
        assert!(JobKey::new(&"r".repeat(256), "e", "n").is_err());
        assert!(JobKey::new(&"r".repeat(255), "e", "n").is_ok());
    }

    #[test]
    fn cluster_job_keys_have_four_parts() {
        let key: ClusterJobKey = "devcluster/www-data/prod/hello".parse().unwrap();
        assert_eq!(key.cluster, "devcluster");
        assert_eq!(key.to_string(), "devcluster/www-data/prod/hello");
        for text in ["a/b/c", "a/b/c/d/e", "/a/b/c", "a"] {
            assert!(text.parse::<ClusterJobKey>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn task_ids_hold_only_what_mesos_takes() {
        let key: JobKey = "role.x/prod/a.b".parse().unwrap();
        let id = TaskId::for_instance(&key.instance(7), "0000-1111");
        assert_eq!(id.as_str(), "role-x-prod-a-b-7-0000-1111");
    }
}
