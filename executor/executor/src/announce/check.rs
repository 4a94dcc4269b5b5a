//! Keeps a task announced (`executor.md` 17.4, 17.5).

use std::time::Duration;

use aurora_zookeeper::State;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Announcement;
use crate::checks::{Say, Verdict};

/// What is said of a task when ZooKeeper does not answer.
const TIMED_OUT: &str = "Creating Announcer Serverset timed out.";

impl Announcement {
    /// The check, as [`Checks::start`](crate::checks::Checks::start) takes it with
    /// [`Verdict::None`]. It connects at once, announces the task while `ready` holds true, and
    /// withdraws that when it is told to stop. The task fails if ZooKeeper does not answer in time
    /// at first; later it never does for that.
    pub(crate) async fn check(
        self,
        ready: watch::Receiver<bool>,
        say: Say,
        stop: CancellationToken,
    ) {
        let joined = match self.set.join_while(&self.member, ready) {
            Ok(joined) => joined,
            Err(error) => {
                say.verdict(Verdict::Failed(format!("failed to announce the task: {error}")));
                return;
            }
        };
        let connecting = async {
            match connected(joined.state(), self.patience).await {
                Ok(()) => Ok(()),
                Err(Some(reason)) => Err(format!("{TIMED_OUT} ZooKeeper says: {reason}")),
                Err(None) => Err(format!("{TIMED_OUT} {}", self.set.diagnose().await)),
            }
        };
        match stop.run_until_cancelled(connecting).await {
            Some(Ok(())) => stop.cancelled().await,
            Some(Err(message)) => {
                tracing::error!(set = %self.set.path(), message);
                say.verdict(Verdict::Failed(message));
            }
            None => {}
        }
        joined.leave().await;
    }
}

/// Waits for the first session, but no longer than this; the error is what ZooKeeper has said against
/// it, if it has.
async fn connected(
    mut state: watch::Receiver<State>,
    patience: Duration,
) -> Result<(), Option<String>> {
    let mut rejected = None;
    let session = async {
        loop {
            match state.borrow_and_update().clone() {
                State::Connecting | State::Left => {}
                State::Rejected(reason) => rejected = Some(reason),
                State::Connected | State::Joined(_) | State::Refused(_) => return,
            }
            if state.changed().await.is_err() {
                // It has left, which is not waited for.
                std::future::pending::<()>().await;
            }
        }
    };
    tokio::time::timeout(patience, session).await.map_err(|_late| rejected)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::OnceLock;

    use aurora_model::config::{Announcer, HealthCheckConfig};
    use aurora_model::key::JobKey;
    use aurora_zookeeper::testing::{Server, free_port};
    use aurora_zookeeper::{Access, Ensemble, NodePath, View};

    use super::*;
    use crate::announce::{Announced, Settings};
    use crate::checks::Checks;

    const PATIENCE: Duration = Duration::from_secs(60);

    fn server() -> &'static Server {
        static SERVER: OnceLock<Server> = OnceLock::new();
        SERVER.get_or_init(|| Server::start().unwrap())
    }

    fn ensemble(connect: &str) -> Ensemble {
        Ensemble::new(connect).unwrap().with_session_timeout(Duration::from_secs(4))
    }

    fn announcement(ensemble: Ensemble, root: &str) -> Announcement {
        let announcer =
            Announcer { primary_port: "http".to_owned(), portmap: BTreeMap::new(), zk_path: None };
        let health =
            HealthCheckConfig { initial_interval_secs: 0.0, ..HealthCheckConfig::default() };
        let task = Announced {
            job: &JobKey::new("www", "prod", "hello").unwrap(),
            instance: 3,
            hostname: "box",
            ports: &[("http".to_owned(), 31_000)].into(),
            announcer: &announcer,
            health: &health,
        };
        let root = root.to_owned();
        let settings = Settings { ensemble, root, allows_custom_path: false, hostname: None };
        Announcement::new(task, &settings).unwrap()
    }

    fn start(announcement: Announcement, ready: watch::Receiver<bool>) -> Checks {
        let mut checks = Checks::new();
        checks.start("announcer", Verdict::None, |say, stop| announcement.check(ready, say, stop));
        checks
    }

    async fn members(view: &mut watch::Receiver<View>, count: usize) {
        let waited = tokio::time::timeout(PATIENCE, view.wait_for(|v| v.members.len() == count));
        drop(waited.await.unwrap().unwrap());
    }

    async fn failed(checks: &mut Checks) -> String {
        let waiting = async {
            loop {
                if let Verdict::Failed(message) = checks.verdict() {
                    return message;
                }
                checks.changed().await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.unwrap()
    }

    #[tokio::test]
    async fn s75_a_task_is_announced_while_it_is_ready_and_until_it_is_to_end() {
        let ensemble = ensemble(&server().connect_string());
        let path = NodePath::new("/while/www/prod/hello").unwrap();
        let membership = ensemble.server_set(path).watch();
        let mut view = membership.view();
        let (readiness, ready) = watch::channel(false);
        let mut checks = start(announcement(ensemble, "/while"), ready);
        members(&mut view, 0).await;
        readiness.send_replace(true);
        members(&mut view, 1).await;
        assert_eq!(view.borrow().members.values().next().unwrap().shard, Some(3));
        readiness.send_replace(false);
        members(&mut view, 0).await;
        readiness.send_replace(true);
        members(&mut view, 1).await;
        assert_eq!(checks.verdict(), Verdict::None);
        checks.stop(tokio::time::sleep(PATIENCE)).await;
        members(&mut view, 0).await;
    }

    #[tokio::test]
    async fn s75_a_task_fails_if_zookeeper_does_not_answer() {
        let connect = format!("127.0.0.1:{}", free_port().unwrap());
        let announcement = announcement(ensemble(&connect), "/none");
        let mut checks = start(announcement, watch::channel(true).1);
        let expected = format!(
            "Creating Announcer Serverset timed out. {connect}: Connection refused (os error 111)"
        );
        assert_eq!(failed(&mut checks).await, expected);
        checks.stop(tokio::time::sleep(PATIENCE)).await;
    }

    #[tokio::test]
    async fn s75_a_task_fails_if_zookeeper_does_not_take_the_credentials() {
        let access = r#"{"auth":[{"scheme":"nonsense","credential":"secret"}]}"#;
        let ensemble = ensemble(&server().connect_string());
        let ensemble = ensemble.with_access(Access::parse(access).unwrap());
        let mut checks = start(announcement(ensemble, "/rejected"), watch::channel(true).1);
        assert_eq!(
            failed(&mut checks).await,
            "Creating Announcer Serverset timed out. ZooKeeper says: authentication failed"
        );
        checks.stop(tokio::time::sleep(PATIENCE)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn s75_a_task_that_is_not_let_in_goes_on_as_one_that_is() {
        let refused = "not authorized".to_owned();
        for (state, goes_on) in [
            (State::Connected, true),
            (State::Joined("/a/member_0000000000".to_owned()), true),
            (State::Refused(refused.clone()), true),
            (State::Rejected(refused), false),
            (State::Connecting, false),
        ] {
            let (_sender, state) = watch::channel(state);
            let connected = connected(state.clone(), Duration::from_secs(15)).await;
            assert_eq!(connected.is_ok(), goes_on, "{:?}", state.borrow());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn s75_a_connection_is_taken_until_the_time_is_over() {
        for (after, in_time) in [(14, true), (16, false)] {
            let (sender, state) = watch::channel(State::Connecting);
            let comes = async {
                tokio::time::sleep(Duration::from_secs(after)).await;
                sender.send_replace(State::Connected);
                std::future::pending::<()>().await;
            };
            let connected = tokio::select! {
                connected = connected(state, Duration::from_secs(15)) => connected,
                () = comes => unreachable!(),
            };
            assert_eq!(connected.is_ok(), in_time, "{after}");
        }
    }

    #[tokio::test]
    async fn s75_a_task_that_ends_before_the_connection_is_never_announced() {
        let port = free_port().unwrap();
        let ensemble = ensemble(&format!("127.0.0.1:{port}"));
        let mut checks = start(announcement(ensemble.clone(), "/early"), watch::channel(true).1);
        tokio::task::yield_now().await;
        checks.stop(tokio::time::sleep(PATIENCE)).await;
        assert_eq!(checks.verdict(), Verdict::None);
        let server = tokio::task::spawn_blocking(move || Server::start_on(port));
        let server = server.await.unwrap().unwrap();
        let mut next = start(announcement(ensemble.clone(), "/early"), watch::channel(true).1);
        let path = NodePath::new("/early/www/prod/hello").unwrap();
        let membership = ensemble.server_set(path).watch();
        members(&mut membership.view(), 1).await;
        let first = membership.view().borrow().members.keys().next().cloned();
        assert_eq!(first.as_deref(), Some("member_0000000000"));
        next.stop(tokio::time::sleep(PATIENCE)).await;
        drop(server);
    }
}
