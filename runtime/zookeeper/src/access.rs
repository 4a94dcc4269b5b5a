//! Credentials and what is granted to others: the file of `executor.md` 17.5.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use sha1::{Digest, Sha1};
use zookeeper_client as zk;

/// The longest file that is read, in bytes.
const MAX_LEN: u64 = 64 << 10;

/// Why a file of credentials is not taken. No text of it holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// It cannot be read.
    #[error("failed to read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: std::io::Error,
    },
    /// It is not what it should be.
    #[error("{} is not a file of ZooKeeper credentials: {source}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: ParseError,
    },
}

/// What is wrong in a file of credentials.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// It is too long.
    #[error("it is longer than {MAX_LEN} bytes")]
    TooLong,
    /// It is not the JSON that is wanted.
    #[error("{what} at line {line}, column {column}")]
    Json {
        /// What is wrong.
        what: String,
        /// Where.
        line: usize,
        /// Where.
        column: usize,
    },
    /// A digest needs a user and a password.
    #[error("credential {index} of `acl` is not of the form user:password, with one colon")]
    Digest {
        /// Which of the list, from 0.
        index: usize,
    },
    /// SASL needs a user and a password.
    #[error("credential {index} of `auth` is not of the form user:password, as `sasl` needs")]
    Sasl {
        /// Which of the list, from 0.
        index: usize,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    auth: Vec<Credential>,
    #[serde(default)]
    acl: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    scheme: String,
    credential: String,
    permissions: Permissions,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Permissions {
    read: bool,
    write: bool,
    create: bool,
    delete: bool,
    admin: bool,
}

#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Credential {
    scheme: String,
    credential: String,
}

/// Who a client is, and what it lets others do with the nodes that it makes.
#[derive(Clone, PartialEq, Eq)]
pub struct Access {
    auth: Vec<Credential>,
    acl: Vec<zk::Acl>,
}

impl Default for Access {
    /// Nobody in particular, who lets everybody do everything.
    fn default() -> Self {
        Self { auth: Vec::new(), acl: zk::Acls::anyone_all().to_vec() }
    }
}

impl Access {
    /// Reads a file.
    ///
    /// # Errors
    /// There is no such file, or it is not what `executor.md` 17.5 says.
    pub fn read(path: &Path) -> Result<Self, AccessError> {
        let read = |source| AccessError::Read { path: path.to_owned(), source };
        let mut text = String::new();
        let file = std::fs::File::open(path).map_err(read)?;
        file.take(MAX_LEN + 1).read_to_string(&mut text).map_err(read)?;
        Self::parse(&text).map_err(|source| AccessError::Parse { path: path.to_owned(), source })
    }

    /// Reads the content of a file.
    ///
    /// # Errors
    /// It is not what `executor.md` 17.5 says.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        if text.len() as u64 > MAX_LEN {
            return Err(ParseError::TooLong);
        }
        let file: File = serde_json::from_str(text).map_err(|error| without_values(&error))?;
        for (index, auth) in file.auth.iter().enumerate() {
            if auth.scheme == SASL && !auth.credential.contains(':') {
                return Err(ParseError::Sasl { index });
            }
        }
        let acl: Vec<zk::Acl> = file
            .acl
            .into_iter()
            .enumerate()
            .map(|(index, entry)| entry.into_acl().ok_or(ParseError::Digest { index }))
            .collect::<Result<_, _>>()?;
        let open = Self::default().acl;
        Ok(Self { auth: file.auth, acl: if acl.is_empty() { open } else { acl } })
    }

    /// What nodes are made with.
    pub(crate) fn acls(&self) -> zk::Acls<'_> {
        zk::Acls::new(&self.acl)
    }

    /// Makes a connector say who this is.
    pub(crate) fn introduce(&self, connector: zk::Connector) -> zk::Connector {
        self.auth.iter().fold(connector, |connector, auth| match auth.credential.split_once(':') {
            Some((user, password)) if auth.scheme == SASL => connector
                .with_sasl(zk::SaslOptions::digest_md5(user.to_owned(), password.to_owned())),
            _ => connector.with_auth(&auth.scheme, auth.credential.as_bytes()),
        })
    }
}

/// What stands for DIGEST-MD5 by SASL among the schemes of `auth`.
const SASL: &str = "sasl";

impl Entry {
    fn into_acl(self) -> Option<zk::Acl> {
        let may = &self.permissions;
        let permission = [
            (may.read, zk::Permission::READ),
            (may.write, zk::Permission::WRITE),
            (may.create, zk::Permission::CREATE),
            (may.delete, zk::Permission::DELETE),
            (may.admin, zk::Permission::ADMIN),
        ]
        .into_iter()
        .filter(|(may, _)| *may)
        .fold(zk::Permission::NONE, |all, (_, one)| all | one);
        let id = if self.scheme == "digest" {
            let (user, password) = self.credential.split_once(':')?;
            if password.contains(':') {
                return None;
            }
            digest(user, password)
        } else {
            self.credential
        };
        Some(zk::Acl::new(permission, zk::AuthId::new(&self.scheme, &id)))
    }
}

/// What stands in an ACL for a user with this password: `user:base64(sha1(user:password))`.
pub(crate) fn digest(user: &str, password: &str) -> String {
    format!("{user}:{}", STANDARD.encode(Sha1::digest(format!("{user}:{password}"))))
}

/// What is wrong, without what the file holds: messages about values show them.
fn without_values(error: &serde_json::Error) -> ParseError {
    let message = error.to_string();
    let names_keys = ["unknown field", "missing field", "duplicate field"];
    let what = if error.is_data() && !names_keys.iter().any(|known| message.starts_with(known)) {
        "a value of the wrong type".to_owned()
    } else {
        message.split(" at line ").next().unwrap_or_default().to_owned()
    };
    ParseError::Json { what, line: error.line(), column: error.column() }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let schemes: Vec<&str> = self.auth.iter().map(|auth| auth.scheme.as_str()).collect();
        f.debug_struct("Access").field("auth", &schemes).field("acl", &self.acl.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> String {
        Access::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn s75_a_digest_is_that_of_the_original() {
        assert_eq!(digest("user", "pass"), "user:smGaoVKd/cQkjm7b88GyorAUz20=");
    }

    #[test]
    fn s75_credentials_and_what_is_granted_are_read() {
        let access = Access::parse(
            r#"{"auth": [{"scheme": "digest", "credential": "user:pass"}],
                "acl": [{"scheme": "digest", "credential": "user:pass",
                         "permissions": {"read": true, "write": true, "create": true,
                                         "delete": true, "admin": true}},
                        {"scheme": "world", "credential": "anyone", "permissions": {"read": true}}]}"#,
        )
        .unwrap();
        assert_eq!(
            access.acl,
            [
                zk::Acl::new(
                    zk::Permission::ALL,
                    zk::AuthId::new("digest", "user:smGaoVKd/cQkjm7b88GyorAUz20=")
                ),
                zk::Acl::new(zk::Permission::READ, zk::AuthId::anyone()),
            ]
        );
        assert_eq!(access.auth.len(), 1);
        let shown = format!("{access:?}");
        assert!(!shown.contains("pass") && !shown.contains("user"), "{shown}");
        assert_eq!(Access::parse("{}").unwrap(), Access::default());
    }

    #[test]
    fn s75_what_is_wrong_in_a_file_is_named() {
        let acl = |credential: &str| {
            format!(
                r#"{{"acl":[{{"scheme":"digest","credential":"{credential}","permissions":{{}}}}]}}"#
            )
        };
        assert!(wrong("junk").contains("line 1"), "{}", wrong("junk"));
        assert!(wrong(r#"{"acls":[]}"#).contains("unknown field `acls`"));
        let without = wrong(r#"{"acl":[{"scheme":"world","credential":"anyone"}]}"#);
        assert!(without.contains("missing field `permissions`"), "{without}");
        for credential in ["user", "user:pass:word"] {
            assert!(wrong(&acl(credential)).contains("one colon"), "{credential}");
        }
        assert!(Access::parse(&acl("user:pass")).is_ok());
        assert!(wrong(r#"{"auth":[{"scheme":"sasl","credential":"user"}]}"#).contains("sasl"));
        let long = " ".repeat(64 << 10) + "{}";
        assert_eq!(Access::parse(&long), Err(ParseError::TooLong));
    }

    #[test]
    fn no_error_shows_a_secret() {
        for text in [
            r#"{"auth":"hush:secret"}"#,
            r#"{"auth":[{"scheme":"digest","credential":{"hush":"secret"}}]}"#,
            r#"{"acl":[{"scheme":"digest","credential":"hush:secret","permissions":"secret"}]}"#,
            r#"{"acl":[{"scheme":"digest","credential":"hush:secret:secret","permissions":{}}]}"#,
        ] {
            let error = Access::parse(text).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
        }
    }

    #[test]
    fn s75_a_file_that_is_not_there_is_named() {
        let error = Access::read(Path::new("/nowhere/auth.json")).unwrap_err().to_string();
        assert!(error.contains("/nowhere/auth.json"), "{error}");
    }
}
