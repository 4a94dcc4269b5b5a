//! Asking a task to end by HTTP, before it is made to (`executor.md` 16).

use std::collections::BTreeMap;
use std::time::Duration;

use crate::http;
use crate::limits::{Limits, Watched, until};
use aurora_model::config::HttpLifecycleConfig;

/// How long a task is asked to end at most, requests and waits together, whatever its job says:
/// otherwise one that is killed or ill could live as long as it likes.
pub(crate) const ASKING: Duration = Duration::from_secs(60);

/// How a task is asked to end: one request after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lifecycle {
    port: u16,
    /// The path of each request, and how long the task has to end once it was answered.
    requests: [(String, Duration); 2],
    /// How long each answer may take.
    timeout: Duration,
}

impl Lifecycle {
    /// What a job says about it; none if the task has no such port.
    pub(crate) fn new(
        config: &HttpLifecycleConfig,
        ports: &BTreeMap<String, u16>,
        timeout: Duration,
    ) -> Option<Self> {
        let seconds = |number: i64| Duration::from_secs(u64::try_from(number).unwrap_or(0));
        let requests = [
            (&config.graceful_shutdown_endpoint, config.graceful_shutdown_wait_secs),
            (&config.shutdown_endpoint, config.shutdown_wait_secs),
        ];
        Some(Self {
            port: *ports.get(&config.port)?,
            requests: requests.map(|(path, wait)| (path.clone(), seconds(wait))),
            timeout,
        })
    }

    /// Asks the task to end, and waits for that as long as the job says, but no longer than
    /// [`ASKING`] and not beyond the limits, which may come nearer meanwhile. Whoever hears that it
    /// has ended drops this.
    pub(crate) async fn ask(&self, limits: Watched) {
        if tokio::time::timeout(ASKING, self.ask_in_turn(limits)).await.is_err() {
            tracing::warn!("the task was asked to end for long enough");
        }
    }

    async fn ask_in_turn(&self, limits: Watched) {
        for (path, wait) in &self.requests {
            let within = |limits: &Limits| limits.ask_until;
            let asking = http::post(self.port, path, self.timeout);
            match until(limits.clone(), within, asking).await {
                Some(Ok(status)) => {
                    tracing::info!(path, status, "asked the task to end");
                    // However long it takes, the next is due then.
                    let _over = until(limits.clone(), within, tokio::time::sleep(*wait)).await;
                }
                Some(Err(error)) => {
                    tracing::info!(%error, "the task cannot be asked to end");
                }
                None => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::watch;
    use tokio::time::Instant;

    use super::*;

    fn lifecycle(config: &HttpLifecycleConfig, ports: &[(&str, u16)]) -> Option<Lifecycle> {
        let ports = ports.iter().map(|(name, port)| ((*name).to_owned(), *port)).collect();
        Lifecycle::new(config, &ports, Duration::from_secs(1))
    }

    #[test]
    fn s74_what_the_job_says_is_asked_of_the_port_it_names_and_nothing_without_it() {
        let default = HttpLifecycleConfig::default();
        let secs = Duration::from_secs;
        let asked = lifecycle(&default, &[("health", 7)]).unwrap();
        let requests =
            [("/quitquitquit".to_owned(), secs(5)), ("/abortabortabort".to_owned(), secs(5))];
        assert_eq!((asked.port, asked.requests), (7, requests));
        assert_eq!(lifecycle(&default, &[("http", 7)]), None);
        let own = HttpLifecycleConfig {
            port: "admin".to_owned(),
            graceful_shutdown_endpoint: "/bye".to_owned(),
            shutdown_endpoint: "/now".to_owned(),
            graceful_shutdown_wait_secs: 0,
            shutdown_wait_secs: 2,
        };
        let asked = lifecycle(&own, &[("admin", 8), ("health", 7)]).unwrap();
        let requests = [("/bye".to_owned(), secs(0)), ("/now".to_owned(), secs(2))];
        assert_eq!((asked.port, asked.requests), (8, requests));
    }

    #[tokio::test(start_paused = true)]
    async fn s74_a_task_is_not_asked_for_longer_than_a_minute() {
        // It takes connections and never answers.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let ports = BTreeMap::from([("health".to_owned(), listener.local_addr().unwrap().port())]);
        let timeout = Duration::from_secs(3600);
        let asked = Lifecycle::new(&HttpLifecycleConfig::default(), &ports, timeout).unwrap();
        let began = Instant::now();
        asked.ask(watch::channel(None).1).await;
        assert_eq!(began.elapsed(), ASKING);
    }

    #[tokio::test]
    async fn s74_what_refuses_connections_is_not_waited_for() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let patient = HttpLifecycleConfig {
            graceful_shutdown_wait_secs: 1000,
            shutdown_wait_secs: 1000,
            ..HttpLifecycleConfig::default()
        };
        let asked = lifecycle(&patient, &[("health", port)]).unwrap();
        let asking = asked.ask(watch::channel(None).1);
        tokio::time::timeout(ASKING / 2, asking).await.unwrap();
    }
}
