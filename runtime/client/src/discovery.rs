//! Where the scheduler of a cluster is (`client.md` 12).
//!
//! `--scheduler` wins, then the files of clusters, then an `aurora up` of this user whose file names the
//! cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use aurora_template::types::nearest;
use clap::builder::{OsStringValueParser, TypedValueParser};

use crate::address::Address;
use crate::clusters::{self, Auth, Entry, Tls, Written};
use crate::error::{Code, Error};
use crate::registry;
use crate::scheduler::Scheduler;
use crate::zookeeper::Announced;

/// The most addresses that a cluster may have.
const MAX_ADDRESSES: usize = 64;

/// How the scheduler is reached.
#[derive(Debug, Clone, clap::Args)]
pub struct Connection {
    /// The scheduler's address, such as http://127.0.0.1:8081; by default it is found by the
    /// cluster's name: in clusters.toml and clusters.json, then among running `aurora up`.
    #[arg(long, env = "AURORA_SCHEDULER", value_name = "URL", global = true)]
    pub scheduler: Option<String>,
    /// How long an unreachable scheduler is tried again, such as 90 (seconds) or 5m.
    #[arg(
        long,
        env = "AURORA_RETRY_FOR",
        value_name = "TIME",
        default_value = RETRY_FOR,
        value_parser = retry_time,
        global = true
    )]
    pub retry_for: Duration,
    /// Do not try an unreachable scheduler again.
    #[arg(long, global = true)]
    pub no_retry: bool,
    /// How long the scheduler may take to answer one call.
    #[arg(
        long,
        env = "AURORA_REQUEST_TIMEOUT",
        value_name = "TIME",
        default_value = "1m",
        value_parser = time_above_zero,
        global = true
    )]
    pub request_timeout: Duration,
    /// The file of clusters (.json or .toml) to read instead of the usual ones.
    #[arg(
        long,
        env = "AURORA_CLUSTERS",
        value_name = "FILE",
        value_parser = OsStringValueParser::new().map(PathBuf::from),
        global = true
    )]
    pub clusters: Option<PathBuf>,
    /// Whether the scheduler that is asked is to answer by itself, whether or not it leads.
    #[arg(skip)]
    pub is_direct: bool,
}

/// The longest time that may be given.
const MAX_TIME: Duration = Duration::from_secs(365 * 24 * 3600);

/// How long a scheduler of this machine may take to answer somebody who has not named it.
const BRIEFLY: Duration = Duration::from_secs(3);

/// How long is usual.
const RETRY_FOR: &str = "10m";

/// A variable that is set to nothing gives none.
fn retry_time(text: &str) -> Result<Duration, String> {
    time(if text.is_empty() { RETRY_FOR } else { text })
}

fn time(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().map(Duration::from_secs);
    let time = seconds.or_else(|| humantime::parse_duration(text).ok());
    time.filter(|time| *time <= MAX_TIME)
        .ok_or_else(|| "give seconds, or a time such as 90s or 1h30m, a year at most".to_owned())
}

fn time_above_zero(text: &str) -> Result<Duration, String> {
    time(text).and_then(|time| {
        if time.is_zero() { Err("it must be above zero".to_owned()) } else { Ok(time) }
    })
}

/// How a cluster came to be known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The address was given.
    Given,
    /// A file has it.
    File(PathBuf),
    /// A process of `aurora up`.
    Up(i32),
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Given => f.write_str("--scheduler"),
            Self::File(file) => write!(f, "{}", file.display()),
            Self::Up(pid) => write!(f, "aurora up (process {pid})"),
        }
    }
}

/// Where the schedulers of a cluster are.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    Addresses(Vec<Address>),
    ZooKeeper(Announced),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Addresses(addresses) => {
                let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
                f.write_str(&addresses.join(", "))
            }
            Self::ZooKeeper(announced) => write!(f, "{announced}"),
        }
    }
}

/// A cluster whose schedulers can be looked for.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// What the file calls it; empty of an address without a cluster.
    pub(crate) name: String,
    /// How it came to be known.
    pub origin: Origin,
    pub(crate) place: Place,
    /// What printed addresses begin with, in place of the scheduler's own.
    pub(crate) pages: Option<String>,
    pub(crate) tls: Tls,
    pub(crate) auth: Auth,
}

impl Cluster {
    /// One of which no more is known than an address.
    pub(crate) fn at(address: Address, name: &str, origin: Origin) -> Self {
        Self {
            name: name.to_owned(),
            origin,
            place: Place::Addresses(vec![address]),
            pages: None,
            tls: Tls::default(),
            auth: Auth::default(),
        }
    }

    /// As a file has it.
    fn of_entry(name: &str, written: &Written) -> Result<Self, Error> {
        let entry = written.entry(name)?;
        let wrong = |reason: &str| {
            let file = written.file.display();
            Error::new(
                Code::InvalidConfiguration,
                format!("cluster {name} in {file} cannot be used: {reason}{}", written.slips()),
            )
        };
        match entry.auth_mechanism.as_deref() {
            None | Some("UNAUTHENTICATED") => {}
            Some("KERBEROS") => {
                return Err(wrong(
                    "its auth_mechanism is KERBEROS, which this client does not speak; use a \
                     token, ~/.netrc or a client certificate, and remove auth_mechanism",
                ));
            }
            Some(other) => {
                return Err(wrong(&format!(
                    "its auth_mechanism {other:?} is unknown; UNAUTHENTICATED is known"
                )));
            }
        }
        let place = place(&entry).map_err(|reason| wrong(&reason))?;
        // As the original: beside scheduler_uri it says nothing.
        let is_announced = matches!(place, Place::ZooKeeper(_));
        Ok(Self {
            name: name.to_owned(),
            origin: Origin::File(written.file.clone()),
            place,
            pages: entry.proxy_url.filter(|_| is_announced),
            tls: entry.tls,
            auth: entry.auth,
        })
    }

    /// Where its schedulers are, for people.
    pub fn place(&self) -> String {
        self.place.to_string()
    }
}

fn place(entry: &Entry) -> Result<Place, String> {
    if let Some(zk) = entry.zk.as_deref().filter(|zk| !zk.trim().is_empty()) {
        return Announced::new(entry, zk).map(Place::ZooKeeper);
    }
    let addresses: Vec<&String> = entry.scheduler_uri.iter().chain(&entry.schedulers).collect();
    if addresses.is_empty() {
        return Err("it says nowhere where its scheduler is: add its scheduler_uri, schedulers \
                    or zk with scheduler_zk_path, or give --scheduler URL"
            .to_owned());
    }
    if addresses.len() > MAX_ADDRESSES {
        return Err(format!(
            "{} addresses are too many: it may have {MAX_ADDRESSES}",
            addresses.len()
        ));
    }
    let addresses = addresses.into_iter().map(|text| Address::parse(text));
    let addresses = addresses.collect::<Result<_, _>>().map_err(|error| error.to_string())?;
    Ok(Place::Addresses(addresses))
}

impl Connection {
    /// To a scheduler that is asked once, as whoever shows things beside others does.
    pub fn once(scheduler: Option<String>, clusters: Option<PathBuf>) -> Self {
        let (retry_for, request_timeout) = (Duration::ZERO, crate::transport::CALL_TIMEOUT);
        Self { scheduler, retry_for, no_retry: true, request_timeout, clusters, is_direct: false }
    }

    /// The same, as the environment names it: `$AURORA_SCHEDULER` and `$AURORA_CLUSTERS`.
    pub fn of_environment() -> Self {
        let scheduler = std::env::var("AURORA_SCHEDULER").ok();
        Self::once(scheduler, std::env::var_os("AURORA_CLUSTERS").map(PathBuf::from))
    }

    /// How long an unreachable scheduler is tried again.
    pub(crate) fn patience(&self) -> Duration {
        if self.no_retry { Duration::ZERO } else { self.retry_for }
    }

    /// Where a cluster is.
    pub fn find(&self, name: &str) -> Result<Cluster, Error> {
        if let Some(address) = self.given_address() {
            return Ok(Cluster::at(Address::parse(address)?, name, Origin::Given));
        }
        let file = self.clusters_file();
        let clusters = clusters::read(file)?;
        if let Some(written) = clusters.get(name) {
            return Cluster::of_entry(name, written);
        }
        // Who names a file means what it says, and no other cluster of the same name.
        let running = if file.is_some() { Vec::new() } else { running()? };
        let named: Vec<_> =
            running.iter().filter(|up| up.clusters.iter().any(|known| known == name)).collect();
        match named.as_slice() {
            [one] => Ok(Cluster::at(Address::parse(&one.scheduler)?, name, Origin::Up(one.pid))),
            [] => Err(unknown(name, file, &clusters, &running)),
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
                        "several running `aurora up` have a cluster {name}; choose one with\n{}",
                        lines.join("\n")
                    ),
                ))
            }
        }
    }

    /// The file of clusters that is named; a variable that is set to nothing names none.
    pub fn clusters_file(&self) -> Option<&Path> {
        self.clusters.as_deref().filter(|file| !file.as_os_str().is_empty())
    }

    /// A variable that is set to nothing gives none.
    fn given_address(&self) -> Option<&str> {
        self.scheduler.as_deref().filter(|address| !address.is_empty())
    }

    /// The scheduler whose address is given, whichever cluster it is of.
    pub fn given(&self) -> Result<Option<Scheduler>, Error> {
        let Some(address) = self.given_address() else { return Ok(None) };
        let cluster = Cluster::at(Address::parse(address)?, "", Origin::Given);
        Ok(Some(Scheduler::of(cluster, self.patience(), self.request_timeout)))
    }

    /// The scheduler of this machine, to be asked once and briefly: if one `aurora up` runs here, and no file of
    /// clusters is named.
    pub fn here(&self) -> Result<Option<Scheduler>, Error> {
        let running = if self.clusters_file().is_some() { Vec::new() } else { running()? };
        let [one] = running.as_slice() else { return Ok(None) };
        let cluster = Cluster::at(Address::parse(&one.scheduler)?, "", Origin::Up(one.pid));
        Ok(Some(Scheduler::of(cluster, Duration::ZERO, self.request_timeout.min(BRIEFLY))))
    }

    /// What a file says of a cluster. One that was found otherwise has its name and the scheduler's address.
    pub fn entry(&self, cluster: &str) -> Result<serde_json::Value, Error> {
        if let Some(written) = clusters::read(self.clusters_file())?.remove(cluster) {
            return Ok(written.value);
        }
        let found = self.find(cluster)?;
        Ok(serde_json::json!({ "name": cluster, "scheduler_uri": found.place() }))
    }

    /// The names of all that can be found: in files and, if none is named, among running `aurora up`.
    pub fn names(&self) -> Result<Vec<String>, Error> {
        let mut names: BTreeSet<String> =
            clusters::read(self.clusters_file())?.into_keys().collect();
        if self.clusters_file().is_none() {
            match running() {
                Ok(running) => names.extend(running.into_iter().flat_map(|up| up.clusters)),
                // Those of the files are there all the same.
                Err(error) => tracing::warn!("{error}"),
            }
        }
        Ok(names.into_iter().collect())
    }
}

fn running() -> Result<Vec<registry::Registered>, Error> {
    registry::running().map_err(|error| {
        Error::new(Code::Error, format!("failed to look for running `aurora up`: {error}"))
    })
}

/// Where the agents of a cluster have their sandboxes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentFolders {
    /// Their working folder, if clusters.json tells it.
    pub root: Option<String>,
    /// Which run of an executor is meant.
    pub run: String,
}

impl Connection {
    /// The registry of the images of a cluster, if its entry names one (`docker_registry`).
    ///
    /// # Errors
    /// A file of clusters cannot be read.
    pub fn docker_registry(&self, cluster: &str) -> Result<Option<String>, Error> {
        let mut clusters = clusters::read(self.clusters_file())?;
        Ok(clusters.remove(cluster).and_then(|written| written.text("docker_registry")))
    }

    /// Where the agents of a cluster have their sandboxes: `slave_root` and `slave_run_directory` of its entry.
    pub fn agent_folders(&self, cluster: &str) -> Result<AgentFolders, Error> {
        let entry = clusters::read(self.clusters_file())?.remove(cluster);
        let text = |name: &str| {
            let value = entry.as_ref()?.text(name)?;
            Some(value.trim_end_matches('/').to_owned())
        };
        let run = text("slave_run_directory").unwrap_or_else(|| "latest".to_owned());
        Ok(AgentFolders { root: text("slave_root"), run })
    }
}

fn unknown(
    cluster: &str,
    file: Option<&Path>,
    clusters: &BTreeMap<String, Written>,
    running: &[registry::Registered],
) -> Error {
    let mut known: Vec<&str> = clusters.keys().map(String::as_str).collect();
    known.extend(running.iter().flat_map(|up| up.clusters.iter().map(String::as_str)));
    known.sort_unstable();
    known.dedup();
    let all = known.join(", ");
    let known = match nearest(cluster, known.iter().copied()) {
        Some(near) => format!("did you mean {near}? Known are {all}"),
        None if known.is_empty() => "no cluster is known".to_owned(),
        None => format!("known are {all}"),
    };
    let start = match file {
        Some(_) => "Name",
        None => "Start one on this machine with `aurora up FILE`, name",
    };
    let files = file.map_or_else(clusters::files, |file| vec![file.to_owned()]);
    let files: Vec<String> = files.iter().map(|path| path.display().to_string()).collect();
    Error::new(
        Code::InvalidConfiguration,
        format!(
            "unknown cluster {cluster}: {known}. {start} the scheduler with --scheduler URL, or add the cluster to {}",
            files.join(" or ")
        ),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn cluster(value: Value) -> Result<Cluster, Error> {
        Cluster::of_entry("a", &Written { file: "/etc/aurora/clusters.json".into(), value })
    }

    #[test]
    fn zookeeper_wins_and_only_with_it_pages_are_elsewhere() {
        let both = json!({
            "zk": "z", "scheduler_zk_path": "/s", "scheduler_uri": "http://h:1",
            "proxy_url": "https://pages/",
        });
        let found = cluster(both).unwrap();
        assert_eq!(
            (found.place().as_str(), found.pages.as_deref()),
            ("zk://z:2181/s", Some("https://pages/"))
        );
        let direct = json!({ "scheduler_uri": "http://h:1", "proxy_url": "https://pages/" });
        let found = cluster(direct).unwrap();
        assert_eq!((found.place().as_str(), found.pages), ("http://h:1", None));
        let several = json!({ "schedulers": ["http://h:1", "https://i"] });
        assert_eq!(cluster(several).unwrap().place(), "http://h:1, https://i");
    }

    #[test]
    fn c122_an_entry_that_cannot_be_used_says_what_to_add() {
        for (value, wanted) in [
            (json!({}), "add its scheduler_uri, schedulers or zk"),
            (json!({ "zk": "z" }), "no scheduler_zk_path"),
            (json!({ "scheduler_uri": "ftp://h" }), "speaks http and https only"),
            (json!({ "schedulers": vec!["http://h"; 65] }), "65 addresses are too many"),
            (json!({ "scheduler_uri": "http://h", "auth_mechanism": "KERBEROS" }), "use a token"),
            (json!({ "scheduler_uri": "http://h", "auth_mechanism": "X" }), "\"X\" is unknown"),
        ] {
            let error = cluster(value).unwrap_err();
            assert_eq!(error.code, Code::InvalidConfiguration);
            let error = error.to_string();
            assert!(error.contains(wanted) && error.contains("cluster a in /etc"), "{error}");
        }
    }

    #[test]
    fn what_is_nearly_known_is_named() {
        let written = |file: &str| Written { file: file.into(), value: json!({}) };
        let clusters = BTreeMap::from([
            ("devcluster".to_owned(), written("/c.json")),
            ("west".to_owned(), written("/c.json")),
        ]);
        let told = |name: &str| unknown(name, None, &clusters, &[]).to_string();
        let near =
            "unknown cluster devclustr: did you mean devcluster? Known are devcluster, west. ";
        assert!(told("devclustr").starts_with(near), "{}", told("devclustr"));
        assert!(told("x").starts_with("unknown cluster x: known are devcluster, west. "));

        for (value, wanted) in [
            (json!({ "schedulr_uri": "http://h" }), "; schedulr_uri: did you mean scheduler_uri?"),
            (
                json!({ "zk": "z", "scheduler_zk_pth": "/a" }),
                "; scheduler_zk_pth: did you mean scheduler_zk_path?",
            ),
        ] {
            let error = cluster(value).unwrap_err().to_string();
            assert!(error.ends_with(wanted), "{error}");
        }
        // What another program keeps there is nobody's slip.
        let other = json!({ "rack": 7, "zk": "z", "slave_root": "/x" });
        let error = cluster(other).unwrap_err().to_string();
        assert!(!error.contains("did you mean"), "{error}");
    }

    #[test]
    fn times_are_seconds_or_have_a_unit() {
        assert_eq!(time("90"), Ok(Duration::from_secs(90)));
        assert_eq!(time("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(time("0"), Ok(Duration::ZERO));
        assert_eq!(retry_time(""), Ok(Duration::from_secs(600)));
        for wrong in ["", "-1", "x", "2years"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
        assert!(time_above_zero("0s").is_err());
    }
}
