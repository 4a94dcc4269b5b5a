//! The clusters that files name (`client.md` 12): `clusters.json` as the original has it, and `clusters.toml`
//! for people. Both are read to the same values, so that an entry means the same in either.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use aurora_template::types::nearest;
use serde::Deserialize;
use serde_json::Value;

use crate::error::{Code, Error};

/// The longest file of clusters, in bytes.
const MAX_LEN: u64 = 4 << 20;

/// Where an entry is, and all that it says: keys that mean nothing here are kept for those who show it.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// The file.
    pub file: PathBuf,
    /// The entry.
    pub value: Value,
}

/// The keys of an entry that mean something here.
const KEYS: [&str; 13] = [
    "name",
    "scheduler_uri",
    "schedulers",
    "zk",
    "zk_port",
    "scheduler_zk_path",
    "proxy_url",
    "auth_mechanism",
    "tls",
    "auth",
    "docker_registry",
    "slave_root",
    "slave_run_directory",
];

/// What an entry says, as far as it means something here.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Entry {
    pub(crate) scheduler_uri: Option<String>,
    /// Several addresses, of which one leads.
    pub(crate) schedulers: Vec<String>,
    /// Hosts of ZooKeeper, with commas between.
    pub(crate) zk: Option<String>,
    pub(crate) zk_port: Option<u16>,
    pub(crate) scheduler_zk_path: Option<String>,
    pub(crate) proxy_url: Option<String>,
    pub(crate) auth_mechanism: Option<String>,
    pub(crate) tls: Tls,
    pub(crate) auth: Auth,
}

/// How the other side is known, and this one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Tls {
    /// Who is trusted, in place of whom the system trusts.
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) cert_file: Option<PathBuf>,
    pub(crate) key_file: Option<PathBuf>,
    /// The name that the scheduler's certificate must have, in place of the host's.
    pub(crate) server_name: Option<String>,
}

/// Who asks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Auth {
    pub(crate) token_file: Option<PathBuf>,
    pub(crate) netrc_file: Option<PathBuf>,
    /// Whether credentials may go over a network that others can listen to.
    pub(crate) allow_plain_http: bool,
}

impl Written {
    /// What it says. Paths begin at the folder of the file, or at the home of the user with `~/`.
    pub(crate) fn entry(&self, cluster: &str) -> Result<Entry, Error> {
        let mut entry: Entry = serde_json::from_value(self.value.clone()).map_err(|error| {
            let file = self.file.display();
            Error::new(
                Code::InvalidConfiguration,
                format!("cluster {cluster} in {file} cannot be used: {error}{}", self.slips()),
            )
        })?;
        let paths = [
            &mut entry.tls.ca_file,
            &mut entry.tls.cert_file,
            &mut entry.tls.key_file,
            &mut entry.auth.token_file,
            &mut entry.auth.netrc_file,
        ];
        for path in paths.into_iter().flatten() {
            *path = self.absolute(path);
        }
        Ok(entry)
    }

    /// A text of it, if it has one of this name.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.value.get(name)?.as_str().map(ToOwned::to_owned)
    }

    /// The end of a sentence about an entry that cannot be used: its keys that are like one that means something.
    /// Others are kept for other programs, and no mistake.
    pub(crate) fn slips(&self) -> String {
        let keys = self.value.as_object().into_iter().flat_map(serde_json::Map::keys);
        keys.filter(|key| !KEYS.contains(&key.as_str()))
            .filter_map(|key| Some((key, nearest(key, KEYS.into_iter())?)))
            .map(|(key, meant)| format!("; {key}: did you mean {meant}?"))
            .collect()
    }

    fn absolute(&self, path: &Path) -> PathBuf {
        match (path.strip_prefix("~"), home()) {
            (Ok(below), Some(home)) => home.join(below),
            _ => self.file.parent().unwrap_or(Path::new("")).join(path),
        }
    }
}

/// The user's home.
pub(crate) fn home() -> Option<PathBuf> {
    std::env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from)
}

/// The folders of configuration, the machine's and then the user's.
pub(crate) fn folders() -> Vec<PathBuf> {
    let system = std::env::var_os("AURORA_CONFIG_ROOT").filter(|folder| !folder.is_empty());
    let system = system.map_or_else(|| PathBuf::from("/etc/aurora"), PathBuf::from);
    std::iter::once(system).chain(home().map(|home| home.join(".aurora"))).collect()
}

/// The files, the last one wins.
pub fn files() -> Vec<PathBuf> {
    let names = ["clusters.json", "clusters.toml"];
    folders().iter().flat_map(|folder| names.map(|name| folder.join(name))).collect()
}

/// The clusters of one file, which must be there, or of the usual ones: a later entry replaces the whole of an
/// earlier one.
pub fn read(only: Option<&Path>) -> Result<BTreeMap<String, Written>, Error> {
    let must_be = only.is_some();
    let mut clusters = BTreeMap::new();
    for file in only.map_or_else(files, |file| vec![file.to_owned()]) {
        for (name, value) in read_file(&file, must_be)? {
            clusters.insert(name, Written { file: file.clone(), value });
        }
    }
    Ok(clusters)
}

/// The entries of a file by their names; none if it is not there, unless it must be.
fn read_file(path: &Path, must_be: bool) -> Result<Vec<(String, Value)>, Error> {
    let wrong = |reason: String| {
        Error::new(
            Code::InvalidConfiguration,
            format!("failed to read {}: {reason}", path.display()),
        )
    };
    let text = match crate::file::read_text(path, MAX_LEN) {
        Ok((text, _)) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !must_be => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(wrong(error.to_string())),
    };
    if path.extension().is_some_and(|extension| extension == "toml") {
        from_toml(&text).map_err(wrong)
    } else {
        from_json(&text).map_err(wrong)
    }
}

/// A list of entries, or an object of them whose keys say nothing. One without a name cannot be meant by
/// anybody.
fn from_json(text: &str) -> Result<Vec<(String, Value)>, String> {
    let entries: Vec<Value> = match serde_json::from_str(text).map_err(|error| error.to_string())? {
        Value::Array(entries) => entries,
        Value::Object(entries) => entries.into_iter().map(|(_, entry)| entry).collect(),
        _ => return Err("it must hold a list of clusters".to_owned()),
    };
    let named = |entry: Value| Some((entry.get("name")?.as_str()?.to_owned(), entry));
    Ok(entries.into_iter().filter_map(named).collect())
}

/// A table for each cluster, called as it is.
fn from_toml(text: &str) -> Result<Vec<(String, Value)>, String> {
    let tables: BTreeMap<String, BTreeMap<String, Value>> =
        toml::from_str(text).map_err(|error| error.to_string())?;
    let entry = |(name, keys): (String, BTreeMap<String, Value>)| {
        let mut keys: serde_json::Map<String, Value> = keys.into_iter().collect();
        keys.insert("name".to_owned(), name.clone().into());
        (name, Value::Object(keys))
    };
    Ok(tables.into_iter().map(entry).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn c130_both_layouts_are_read_and_what_has_no_name_is_skipped() {
        let entry = json!({ "name": "a", "scheduler_uri": "http://h:1", "rack": 7 });
        let expected = vec![("a".to_owned(), entry.clone())];
        for text in [json!([entry, { "scheduler_uri": "x" }]), json!({ "other": entry, "x": {} })] {
            assert_eq!(from_json(&text.to_string()).unwrap(), expected);
        }
        assert!(from_json("[").unwrap_err().contains("line 1"));
        assert_eq!(from_json("7").unwrap_err(), "it must hold a list of clusters");
    }

    #[test]
    fn a_table_is_called_as_the_cluster_is() {
        let read =
            from_toml("[a]\nschedulers = ['http://h:1']\nrack = 7\n[a.tls]\nca_file = 'ca.pem'\n");
        let (name, value) = read.unwrap().remove(0);
        let written = Written { file: "/etc/aurora/clusters.toml".into(), value };
        let entry = written.entry(&name).unwrap();
        assert_eq!((name.as_str(), &written.value["rack"]), ("a", &json!(7)));
        assert_eq!(entry.schedulers, ["http://h:1"]);
        assert_eq!(entry.tls.ca_file, Some("/etc/aurora/ca.pem".into()));
    }

    #[test]
    fn what_cannot_be_meant_is_named() {
        let written =
            |value| Written { file: "/c.json".into(), value }.entry("a").unwrap_err().to_string();
        let wrong = written(json!({ "name": "a", "zk_port": "x" }));
        assert!(wrong.starts_with("cluster a in /c.json cannot be used: invalid type"), "{wrong}");
        let wrong = written(json!({ "tls": { "cafile": "x" } }));
        assert!(wrong.contains("unknown field `cafile`"), "{wrong}");
    }
}
