//! Where the scheduler of a cluster is (`client.md` 12).
//!
//! `--scheduler` wins, then `clusters.json`, then an `aurora up` of this user whose file names the
//! cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::error::{Code, Error};
use crate::registry;

/// The longest clusters.json, in bytes.
const MAX_LEN: u64 = 4 << 20;

/// How the scheduler is reached.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Connection {
    /// The scheduler's address, such as http://127.0.0.1:8081; by default it is found by the
    /// cluster's name: in clusters.json, then among running `aurora up`.
    #[arg(long, env = "AURORA_SCHEDULER", value_name = "URL", global = true)]
    pub scheduler: Option<String>,
    /// Seconds for which an unreachable scheduler is tried again.
    #[arg(
        long,
        env = "AURORA_RETRY_FOR",
        value_name = "SECONDS",
        default_value_t = 0,
        global = true
    )]
    pub retry_for: u32,
    /// The clusters.json to read instead of the usual ones.
    #[arg(long, env = "AURORA_CLUSTERS", value_name = "FILE", global = true)]
    pub clusters: Option<PathBuf>,
}

impl Connection {
    /// The address of the scheduler of `cluster`.
    pub fn find(&self, cluster: &str) -> Result<String, Error> {
        if let Some(address) = &self.scheduler {
            return Ok(address.clone());
        }
        let clusters = match &self.clusters {
            Some(file) => by_name(read(file)?),
            None => clusters()?,
        };
        if let Some(entry) = clusters.get(cluster) {
            return scheduler_uri(cluster, entry);
        }
        let running = registry::running().map_err(|error| {
            Error::new(Code::Error, format!("failed to look for running `aurora up`: {error}"))
        })?;
        let named: Vec<_> =
            running.iter().filter(|up| up.clusters.iter().any(|name| name == cluster)).collect();
        match named.as_slice() {
            [one] => Ok(one.scheduler.clone()),
            [] => Err(unknown(cluster, &clusters, &running)),
            several => {
                let lines: Vec<String> = several
                    .iter()
                    .map(|up| {
                        format!("  --scheduler {}  ({})", up.scheduler, up.data_dir.display())
                    })
                    .collect();
                Err(Error::new(
                    Code::InvalidConfiguration,
                    format!(
                        "several running `aurora up` have a cluster {cluster}; choose one with\n{}",
                        lines.join("\n")
                    ),
                ))
            }
        }
    }
}

impl Connection {
    /// What clusters.json says of a cluster. One that was found otherwise has its name and the scheduler's address.
    pub fn entry(&self, cluster: &str) -> Result<Value, Error> {
        let mut clusters = match &self.clusters {
            Some(file) => by_name(read(file)?),
            None => clusters()?,
        };
        if let Some(entry) = clusters.remove(cluster) {
            return Ok(entry);
        }
        let address = self.find(cluster)?;
        Ok(serde_json::json!({ "name": cluster, "scheduler_uri": address }))
    }
}

fn unknown(
    cluster: &str,
    clusters: &BTreeMap<String, Value>,
    running: &[registry::Registered],
) -> Error {
    let mut known: Vec<&str> = clusters.keys().map(String::as_str).collect();
    known.extend(running.iter().flat_map(|up| up.clusters.iter().map(String::as_str)));
    known.sort_unstable();
    known.dedup();
    let known = if known.is_empty() {
        "no cluster is known".to_owned()
    } else {
        format!("known are {}", known.join(", "))
    };
    Error::new(
        Code::InvalidConfiguration,
        format!(
            "unknown cluster {cluster}: {known}. Start one on this machine with `aurora up FILE`, \
             name the scheduler with --scheduler URL, or add the cluster to {}",
            files().iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" or ")
        ),
    )
}

/// The files, the last one wins.
fn files() -> Vec<PathBuf> {
    let system = std::env::var_os("AURORA_CONFIG_ROOT")
        .map_or_else(|| PathBuf::from("/etc/aurora"), PathBuf::from);
    let mut files = vec![system.join("clusters.json")];
    if let Some(home) = std::env::var_os("HOME") {
        files.push(PathBuf::from(home).join(".aurora/clusters.json"));
    }
    files
}

/// The names of the clusters of a clusters.json; without one, of those that are read and of running
/// `aurora up`.
pub fn names(file: Option<&Path>) -> Result<Vec<String>, String> {
    let entries = match file {
        Some(file) => read(file).map(|entries| by_name(entries).into_keys().collect()),
        None => clusters().map(|clusters| clusters.into_keys().collect()),
    };
    let mut names: BTreeSet<String> = entries.map_err(|failure| failure.to_string())?;
    if file.is_none() {
        // What cannot be looked for offers nothing.
        let running = registry::running().unwrap_or_default();
        names.extend(running.into_iter().flat_map(|up| up.clusters));
    }
    Ok(names.into_iter().collect())
}

fn clusters() -> Result<BTreeMap<String, Value>, Error> {
    let mut clusters = BTreeMap::new();
    for path in files() {
        clusters.extend(by_name(read(&path)?));
    }
    Ok(clusters)
}

/// Entries by their names. One without a name cannot be meant by anybody.
fn by_name(entries: Vec<Value>) -> BTreeMap<String, Value> {
    let named = |entry: Value| Some((entry.get("name")?.as_str()?.to_owned(), entry));
    entries.into_iter().filter_map(named).collect()
}

fn read(path: &Path) -> Result<Vec<Value>, Error> {
    let wrong = |reason: String| {
        Error::new(
            Code::InvalidConfiguration,
            format!("failed to read {}: {reason}", path.display()),
        )
    };
    match std::fs::metadata(path) {
        Ok(found) if found.len() > MAX_LEN => {
            return Err(wrong(format!("it is longer than {MAX_LEN} bytes")));
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Ok(_) | Err(_) => {}
    }
    let text = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    match serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))? {
        Value::Array(entries) => Ok(entries),
        Value::Object(entries) => Ok(entries.into_iter().map(|(_, entry)| entry).collect()),
        _ => Err(wrong("it must hold a list of clusters".to_owned())),
    }
}

fn scheduler_uri(cluster: &str, entry: &Value) -> Result<String, Error> {
    if let Some(address) = entry.get("scheduler_uri").and_then(Value::as_str) {
        return Ok(address.to_owned());
    }
    let reason = if entry.get("zk").is_some() {
        "it is found through ZooKeeper, which this client does not speak; add its scheduler_uri, \
         or give --scheduler URL"
    } else {
        "it has no scheduler_uri; add one, or give --scheduler URL"
    };
    Err(Error::new(
        Code::InvalidConfiguration,
        format!("cluster {cluster} in clusters.json cannot be used: {reason}"),
    ))
}
