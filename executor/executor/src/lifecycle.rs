//! Asking a task to end by HTTP, before it is made to (`executor.md` 16).

use std::collections::BTreeMap;
use std::time::Duration;

use aurora_model::config::HttpLifecycleConfig;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::http;

/// How long a task is asked to end at most, requests and waits together, whatever its job says:
/// otherwise one that is killed or ill could live as long as it likes.
pub(crate) const ASKING: Duration = Duration::from_secs(60);

/// By when a task that is to end has to be over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Until when it is only asked.
    ask_until: Instant,
    /// When nothing of it may live any more.
    pub(crate) end_by: Instant,
}

impl Limits {
    /// Of what time there is one half is for asking: what does not listen has the other to end upon
    /// a signal.
    pub(crate) fn new(now: Instant, end_by: Instant) -> Self {
        Self { ask_until: now + end_by.saturating_duration_since(now) / 2, end_by }
    }
}

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
    pub(crate) async fn ask(&self, limits: watch::Receiver<Option<Limits>>) {
        if tokio::time::timeout(ASKING, self.ask_in_turn(limits)).await.is_err() {
            tracing::warn!("the task was asked to end for long enough");
        }
    }

    async fn ask_in_turn(&self, limits: watch::Receiver<Option<Limits>>) {
        for (path, wait) in &self.requests {
            let asked = until(limits.clone(), http::post(self.port, path, self.timeout)).await;
            match asked {
                Some(Ok(status)) => {
                    tracing::info!(path, status, "asked the task to end");
                    // However long it takes, the next is due then.
                    let _over = until(limits.clone(), tokio::time::sleep(*wait)).await;
                }
                Some(Err(error)) => {
                    tracing::info!(path, %error, "the task cannot be asked to end");
                }
                None => return,
            }
        }
    }
}

/// Waits for something, but not beyond limits that may come nearer meanwhile.
async fn until<T>(
    mut limits: watch::Receiver<Option<Limits>>,
    what: impl Future<Output = T>,
) -> Option<T> {
    tokio::pin!(what);
    loop {
        let limits_now = *limits.borrow_and_update();
        let late = async {
            match limits_now {
                Some(limits) => tokio::time::sleep_until(limits.ask_until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = late => return None,
            done = &mut what => return Some(done),
            Ok(()) = limits.changed() => {}
        }
    }
}

#[cfg(test)]
mod tests {
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

    #[tokio::test(start_paused = true)]
    async fn s74_half_of_a_time_that_was_shortened_is_for_asking() {
        let began = Instant::now();
        let (sender, limits) = watch::channel(None);
        let waiting = tokio::spawn(until(limits, tokio::time::sleep(Duration::from_secs(50))));
        tokio::task::yield_now().await;
        for secs in [18, 6] {
            sender.send_replace(Some(Limits::new(began, began + Duration::from_secs(secs))));
        }
        assert_eq!(waiting.await.unwrap(), None);
        assert_eq!(began.elapsed(), Duration::from_secs(3));
    }
}
