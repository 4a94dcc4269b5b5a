//! Schedulers that say in ZooKeeper where they are (`client.md` 12).

use std::time::Duration;

use aurora_zookeeper::{Ensemble, Freshness, Member, NodePath, ServerSet, View};

use crate::address::Address;
use crate::clusters::Entry;
use crate::error::{Code, Error};

/// How long ZooKeeper may take to say who there is.
const PATIENCE: Duration = Duration::from_secs(10);
const DEFAULT_PORT: u16 = 2181;

/// Where schedulers announce themselves.
#[derive(Debug, Clone)]
pub(crate) struct Announced {
    set: ServerSet,
    servers: String,
}

impl Announced {
    /// As an entry says it; `zk` is its list of hosts.
    pub(crate) fn new(entry: &Entry, zk: &str) -> Result<Self, String> {
        let port = entry.zk_port.unwrap_or(DEFAULT_PORT);
        let Some(path) = &entry.scheduler_zk_path else {
            return Err("it has zk, but no scheduler_zk_path: add the path at which its \
                        schedulers announce themselves, such as /aurora/scheduler"
                .to_owned());
        };
        let with_port = |host: &str| {
            let host = host.trim();
            let has_port = host.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'));
            if has_port { host.to_owned() } else { format!("{host}:{port}") }
        };
        let servers = zk.split(',').map(with_port).collect::<Vec<_>>().join(",");
        let ensemble = Ensemble::new(&servers).map_err(|error| format!("zk: {error}"))?;
        let path = NodePath::new(path).map_err(|error| format!("scheduler_zk_path: {error}"))?;
        Ok(Self { set: ensemble.server_set(path), servers })
    }

    /// Who is announced now, first who has been longest: the one that leads.
    pub(crate) async fn look(&self) -> Result<Vec<Address>, Error> {
        let membership = self.set.watch();
        let mut view = membership.view();
        let is_known =
            |view: &View| !matches!(view.freshness, Freshness::Unknown | Freshness::Stale);
        let known = async { view.wait_for(is_known).await.map(|view| view.clone()) };
        let Ok(Ok(known)) = tokio::time::timeout(PATIENCE, known).await else {
            let why = self.set.diagnose().await;
            return Err(Error::new(
                Code::Network,
                format!("ZooKeeper does not answer within {} s: {why}", PATIENCE.as_secs()),
            ));
        };
        if let Freshness::Refused(reason) = &known.freshness {
            return Err(Error::new(
                Code::Network,
                format!("ZooKeeper refuses to show {self}: {reason}"),
            ));
        }
        if known.members.is_empty() {
            return Err(Error::new(
                Code::Network,
                format!("no schedulers detected: nobody is announced at {self}"),
            ));
        }
        let addresses: Vec<Address> = known.members.values().filter_map(address).collect();
        if addresses.is_empty() {
            return Err(Error::new(
                Code::Network,
                format!("who is announced at {self} has neither an http nor an https endpoint"),
            ));
        }
        Ok(addresses)
    }
}

/// Where a member serves pages and calls: `https` before `http`.
fn address(member: &Member) -> Option<Address> {
    ["https", "http"].into_iter().find_map(|scheme| {
        let endpoint = member.additional_endpoints.get(scheme)?;
        let host = &endpoint.host;
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        Address::parse(&format!("{scheme}://{host}:{}", endpoint.port)).ok()
    })
}

impl std::fmt::Display for Announced {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "zk://{}{}", self.servers, self.set.path())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_that_of_all_hosts_without_one() {
        let entry = |port, path: &str| Entry {
            zk_port: port,
            scheduler_zk_path: Some(path.to_owned()),
            ..Entry::default()
        };
        for (zk, port, shown) in [
            ("a,b", None, "zk://a:2181,b:2181/aurora/scheduler"),
            ("a, b:3", Some(4), "zk://a:4,b:3/aurora/scheduler"),
        ] {
            let announced = Announced::new(&entry(port, "/aurora/scheduler"), zk).unwrap();
            assert_eq!(announced.to_string(), shown);
        }
        let wrong = Announced::new(&entry(None, "aurora"), "a").unwrap_err();
        assert!(wrong.starts_with("scheduler_zk_path: "), "{wrong}");
        let wrong = Announced::new(&Entry::default(), "a").unwrap_err();
        assert!(wrong.contains("no scheduler_zk_path"), "{wrong}");
    }

    #[test]
    fn https_is_preferred() {
        let member = |text: &str| address(&Member::from_json(text.as_bytes()).unwrap());
        let service = r#""serviceEndpoint": {"host": "h", "port": 1}"#;
        let both = format!(
            r#"{{{service}, "additionalEndpoints": {{"http": {{"host": "h", "port": 2}},
                "https": {{"host": "::1", "port": 3}}}}}}"#
        );
        assert_eq!(member(&both).unwrap().to_string(), "https://[::1]:3");
        assert_eq!(member(&format!("{{{service}}}")), None);
    }
}
