//! What is announced of a task, and where (`executor.md` 17.2 to 17.4).

use std::collections::BTreeMap;
use std::time::Duration;

use aurora_model::config::{Announcer, HealthCheckConfig};
use aurora_model::key::JobKey;
use aurora_zookeeper::{Endpoint, Member, NodePath, PathError, ServerSet, Status};

use super::Settings;

/// The least time that ZooKeeper has to answer, whatever a job says of its health checks.
const LEAST_PATIENCE: Duration = Duration::from_secs(5);
/// The most.
const MOST_PATIENCE: Duration = Duration::from_secs(24 * 60 * 60);

/// Why a task cannot be announced, in the words that its user sees.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AnnounceError {
    /// The operator does not let jobs choose.
    #[error(
        "Executor must be started with --announcer-allow-custom-serverset-path in order to use \
         zk_path in the Announcer config"
    )]
    CustomPath,
    /// What the job has chosen is no path.
    #[error("the zk_path of the Announcer cannot be used: {0}")]
    Path(#[from] PathError),
}

/// What is known of a task that is to be announced. All texts are bound.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Announced<'a> {
    /// Its job.
    pub(crate) job: &'a JobKey,
    /// Which of the job's instances it is.
    pub(crate) instance: u32,
    /// The host of its agent.
    pub(crate) hostname: &'a str,
    /// Its ports, assigned ones and aliases, by name.
    pub(crate) ports: &'a BTreeMap<String, u16>,
    /// What the job wants.
    pub(crate) announcer: &'a Announcer,
    /// How it is checked, which says how long ZooKeeper has to answer.
    pub(crate) health: &'a HealthCheckConfig,
}

/// What is announced, and where.
#[derive(Debug, Clone)]
pub(crate) struct Announcement {
    pub(super) set: ServerSet,
    pub(super) member: Member,
    /// How long ZooKeeper has to answer for the first time.
    pub(super) patience: Duration,
}

impl Announcement {
    /// What is to be announced of a task.
    pub(crate) fn new(task: Announced<'_>, settings: &Settings) -> Result<Self, AnnounceError> {
        let path = match &task.announcer.zk_path {
            Some(_) if !settings.allows_custom_path => return Err(AnnounceError::CustomPath),
            Some(path) => NodePath::new(path)?,
            None => {
                let job = task.job;
                let (role, environment, name) = (job.role(), job.environment(), job.name());
                NodePath::new(&format!("{}/{role}/{environment}/{name}", settings.root))?
            }
        };
        let host = settings.hostname.as_deref().unwrap_or(task.hostname);
        let primary = task.ports.get(&task.announcer.primary_port);
        let member = Member {
            status: Status::Alive,
            additional_endpoints: task
                .ports
                .iter()
                .map(|(name, port)| (name.clone(), Endpoint::new(host, *port)))
                .collect(),
            service_endpoint: Endpoint::new(host, primary.copied().unwrap_or(0)),
            shard: Some(i64::from(task.instance)),
        };
        let set = settings.ensemble.server_set(path);
        Ok(Self { set, member, patience: patience(task.health) })
    }
}

#[expect(clippy::cast_precision_loss, reason = "it is limited to a day after that")]
fn patience(health: &HealthCheckConfig) -> Duration {
    let failures = health.max_consecutive_failures as f64 * health.interval_secs;
    let seconds = health.initial_interval_secs + failures;
    Duration::try_from_secs_f64(seconds)
        .unwrap_or(MOST_PATIENCE)
        .clamp(LEAST_PATIENCE, MOST_PATIENCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    use aurora_zookeeper::Ensemble;

    fn announcer(zk_path: Option<&str>) -> Announcer {
        Announcer {
            primary_port: "http".to_owned(),
            portmap: BTreeMap::new(),
            zk_path: zk_path.map(str::to_owned),
        }
    }

    fn settings() -> Settings {
        Settings {
            ensemble: Ensemble::new("127.0.0.1:1").unwrap(),
            root: "/aurora".to_owned(),
            allows_custom_path: false,
            hostname: None,
        }
    }

    fn announcement(
        announcer: &Announcer,
        ports: &[(&str, u16)],
        settings: &Settings,
    ) -> Result<Announcement, AnnounceError> {
        Announcement::new(
            Announced {
                job: &JobKey::new("www", "prod", "hello").unwrap(),
                instance: 3,
                hostname: "box",
                ports: &ports.iter().map(|(name, port)| ((*name).to_owned(), *port)).collect(),
                announcer,
                health: &HealthCheckConfig::default(),
            },
            settings,
        )
    }

    #[test]
    fn s75_every_port_is_announced_and_the_primary_one_stands_for_the_task() {
        let ports = [("http", 31_000), ("aurora", 31_000), ("health", 31_001)];
        let announced = announcement(&announcer(None), &ports, &settings()).unwrap();
        assert_eq!(announced.set.path().as_str(), "/aurora/www/prod/hello");
        assert_eq!(
            String::from_utf8(announced.member.to_json().unwrap()).unwrap(),
            r#"{"status": "ALIVE", "additionalEndpoints": {"aurora": {"host": "box", "port": 31000}, "health": {"host": "box", "port": 31001}, "http": {"host": "box", "port": 31000}}, "serviceEndpoint": {"host": "box", "port": 31000}, "shard": 3}"#
        );
        assert_eq!(announced.patience, Duration::from_secs(15));
    }

    #[test]
    fn s75_a_task_without_ports_is_announced_at_port_0() {
        let announced = announcement(&announcer(None), &[], &settings()).unwrap();
        assert_eq!(announced.member.service_endpoint, Endpoint::new("box", 0));
        assert!(announced.member.additional_endpoints.is_empty());
    }

    #[test]
    fn s75_the_hostname_of_the_flag_wins() {
        let settings = Settings { hostname: Some("10.0.0.1".to_owned()), ..settings() };
        let announced = announcement(&announcer(None), &[("http", 1)], &settings).unwrap();
        assert_eq!(announced.member.service_endpoint, Endpoint::new("10.0.0.1", 1));
        assert_eq!(announced.member.additional_endpoints["http"], Endpoint::new("10.0.0.1", 1));
    }

    #[test]
    fn s75_a_path_of_the_job_is_used_with_permission_only() {
        let custom = announcer(Some("//mine///here"));
        let error = announcement(&custom, &[], &settings()).unwrap_err().to_string();
        assert_eq!(
            error,
            "Executor must be started with --announcer-allow-custom-serverset-path in order to use \
             zk_path in the Announcer config"
        );
        let settings = Settings { allows_custom_path: true, ..settings() };
        let announced = announcement(&custom, &[], &settings).unwrap();
        assert_eq!(announced.set.path().as_str(), "/mine/here");
        let announced = announcement(&announcer(None), &[], &settings).unwrap();
        assert_eq!(announced.set.path().as_str(), "/aurora/www/prod/hello");
        let wrong = announcement(&announcer(Some("mine")), &[], &settings).unwrap_err();
        assert!(wrong.to_string().contains("\"mine\""), "{wrong}");
    }

    #[test]
    fn slashes_of_the_root_do_not_count() {
        for (root, path) in [
            ("/", "/www/prod/hello"),
            ("//a//b/", "/a/b/www/prod/hello"),
            ("/aurora", "/aurora/www/prod/hello"),
        ] {
            let settings = Settings { root: root.to_owned(), ..settings() };
            let announced = announcement(&announcer(None), &[], &settings).unwrap();
            assert_eq!(announced.set.path().as_str(), path, "{root}");
        }
    }

    #[test]
    fn the_time_for_zookeeper_is_that_for_becoming_healthy_within_reason() {
        let of = |initial_interval_secs, interval_secs, max_consecutive_failures| {
            patience(&HealthCheckConfig {
                initial_interval_secs,
                interval_secs,
                max_consecutive_failures,
                ..HealthCheckConfig::default()
            })
        };
        assert_eq!(of(15.0, 10.0, 0), Duration::from_secs(15));
        assert_eq!(of(7.5, 2.5, 3), Duration::from_secs(15));
        assert_eq!(of(0.0, 10.0, 0), LEAST_PATIENCE);
        assert_eq!(of(1e300, 10.0, 0), MOST_PATIENCE);
        assert_eq!(of(f64::NAN, 10.0, 0), MOST_PATIENCE);
        assert_eq!(of(15.0, 10.0, i64::MAX), MOST_PATIENCE);
    }
}
