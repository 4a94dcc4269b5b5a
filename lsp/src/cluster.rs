//! What schedulers say of the jobs of open files, once the user has set that they are asked.
//!
//! One task for each cluster asks, at a bounded rate, and keeps what was said; requests of the client
//! read that and never wait for a cluster. Without the setting, or without a file with jobs, there is
//! nothing that runs.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aurora_eval::ReadyJob;
use aurora_model::job::TaskState;
use aurora_model::key::{ClusterJobKey, JobKey};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tower_lsp::Client as Connection;

use crate::settings::Settings;
use crate::state::Core;

/// How often a scheduler is asked.
const PERIOD: Duration = Duration::from_secs(5);
/// How long after a question the next one comes at the earliest, whatever has changed.
const SHORTEST: Duration = Duration::from_secs(1);
/// How often one that does not answer is asked at last.
const LONGEST: Duration = Duration::from_secs(30);
/// For how long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// About how many jobs it is asked.
const MAX_JOBS: usize = 1000;

/// The way to schedulers, which whoever starts the server knows.
pub trait Schedulers: Send + Sync {
    /// How the jobs of some roles of a cluster do.
    fn look(&self, place: Place, roles: BTreeSet<String>) -> Asking<BTreeMap<String, Role>>;
    /// What submitting a job would change of what runs, as text for people.
    fn compare(&self, place: Place, job: ReadyJob) -> Asking<String>;
}

/// An answer that is on its way. It is dropped if nobody waits any more.
pub type Asking<T> = Pin<Box<dyn Future<Output = Result<T, Trouble>> + Send>>;

/// Which cluster is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its name.
    pub cluster: String,
    /// The clusters.json that says where it is, if the user has named one.
    pub clusters: Option<PathBuf>,
}

/// What a scheduler says of a role.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Role {
    /// How many tasks of each of its jobs are in each state.
    pub jobs: BTreeMap<JobKey, BTreeMap<TaskState, u32>>,
}

/// Why a scheduler has said nothing, each with the whole of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// Nobody knows where it is: nothing was sent.
    Unknown(String),
    /// It does not answer.
    Silent(String),
    /// It does not let this user in.
    Refused(String),
    /// It answers with an error.
    Failed(String),
}

impl Trouble {
    /// What goes behind the cluster's name.
    fn brief(&self) -> &'static str {
        match self {
            Self::Unknown(_) => "cannot be found",
            Self::Silent(_) => "does not answer",
            Self::Refused(_) => "refuses access",
            Self::Failed(_) => "has failed",
        }
    }

    /// The whole of it.
    pub(crate) fn why(&self) -> &str {
        match self {
            Self::Unknown(why) | Self::Silent(why) | Self::Refused(why) | Self::Failed(why) => why,
        }
    }
}

/// The way to no scheduler at all.
#[derive(Debug, Clone, Copy, Default)]
pub struct Offline;

impl Offline {
    fn refuse<T: Send + 'static>(place: &Place) -> Asking<T> {
        let why = format!("cluster {} cannot be reached from here", place.cluster);
        Box::pin(std::future::ready(Err(Trouble::Unknown(why))))
    }
}

impl Schedulers for Offline {
    fn look(&self, place: Place, _: BTreeSet<String>) -> Asking<BTreeMap<String, Role>> {
        Self::refuse(&place)
    }

    fn compare(&self, place: Place, _: ReadyJob) -> Asking<String> {
        Self::refuse(&place)
    }
}

/// What was said last, of each cluster.
pub(crate) type Said = BTreeMap<String, OfCluster>;

/// What is told of the jobs of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OfCluster {
    /// What goes behind the cluster's name if nothing can be told.
    Trouble(&'static str),
    /// How each job does.
    Jobs(BTreeMap<JobKey, String>),
}

/// Where what was said is kept.
#[derive(Debug, Default)]
pub(crate) struct Lookout {
    said: Mutex<Arc<Said>>,
    /// The jobs of open files, or what is set, may be other than they were.
    wake: Notify,
    /// Counts what was done to jobs.
    acts: watch::Sender<u64>,
}

impl Lookout {
    /// What was said last.
    pub(crate) fn said(&self) -> Arc<Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The jobs of open files, or what is set, may be other than they were.
    pub(crate) fn look_again(&self) {
        self.wake.notify_one();
    }

    /// Something was done to a job: how it does is not what it was.
    pub(crate) fn has_acted(&self) {
        self.acts.send_modify(|acts| *acts += 1);
    }

    /// Changes what is told, and says whether it is another.
    fn change(&self, change: impl FnOnce(&mut Said)) -> bool {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let mut new = Said::clone(&said);
        change(&mut new);
        let is_new = new != **said;
        if is_new {
            *said = Arc::new(new);
        }
        is_new
    }
}

/// What is told of a job by its full name; [`None`] if nothing is known yet.
pub(crate) fn status(said: &Said, key: &str) -> Option<String> {
    let key: ClusterJobKey = key.parse().ok()?;
    match said.get(&key.cluster)? {
        OfCluster::Trouble(brief) => Some(format!("cluster {} {brief}", key.cluster)),
        OfCluster::Jobs(jobs) => jobs.get(&key.job).cloned(),
    }
}

/// How a job does: `2 of 3 RUNNING, 1 PENDING`.
fn in_words(states: &BTreeMap<TaskState, u32>) -> String {
    let active = || states.iter().filter(|(state, count)| state.is_active() && **count > 0);
    let total: u32 = active().map(|(_, count)| count).sum();
    if total == 0 {
        return "does not run".to_owned();
    }
    let running = states.get(&TaskState::Running).copied().unwrap_or_default();
    let others = active().filter(|(state, _)| **state != TaskState::Running);
    let others: String = others.map(|(state, count)| format!(", {count} {state}")).collect();
    format!("{running} of {total} RUNNING{others}")
}

/// The clusters.json that the user has named.
pub(crate) fn clusters(settings: &Settings) -> Option<PathBuf> {
    Some(PathBuf::from(&settings.clusters)).filter(|path| !path.as_os_str().is_empty())
}

/// What one cluster is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Question {
    clusters: Option<PathBuf>,
    jobs: BTreeSet<JobKey>,
}

/// The task that asks a cluster, which ends with this.
struct Follower {
    question: watch::Sender<Question>,
    task: JoinHandle<()>,
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Has the clusters of open files asked for as long as the user has set so.
pub(crate) async fn follow(connection: Connection, core: Arc<Core>) {
    let mut followers: BTreeMap<String, Follower> = BTreeMap::new();
    loop {
        let questions = questions(&core);
        followers.retain(|cluster, _| questions.contains_key(cluster));
        if core.lookout.change(|said| said.retain(|cluster, _| questions.contains_key(cluster))) {
            refresh(&connection, &core);
        }
        for (cluster, question) in questions {
            if let Some(follower) = followers.get(&cluster) {
                follower.question.send_if_modified(|old| {
                    let is_new = *old != question;
                    *old = question;
                    is_new
                });
                continue;
            }
            let (to, from) = watch::channel(question);
            let asking = ask(connection.clone(), core.clone(), cluster.clone(), from);
            let follower = Follower { question: to, task: tokio::spawn(asking) };
            followers.insert(cluster, follower);
        }
        core.lookout.wake.notified().await;
    }
}

/// What is to be asked: about the jobs of the files that are open, as they were evaluated last.
fn questions(core: &Core) -> BTreeMap<String, Question> {
    let mut out: BTreeMap<String, Question> = BTreeMap::new();
    if !core.lock().settings.ask_clusters {
        return out;
    }
    let view = core.view();
    let mut mains = BTreeSet::new();
    for id in view.world.open_files() {
        mains.extend(view.world.mains_of(id));
    }
    let evaluated = mains.iter().filter_map(|main| view.world.last_jobs(main)?.config.as_ref());
    let jobs = evaluated.flat_map(|config| config.jobs()).filter(|job| job.has_key());
    let keys = jobs.filter_map(|job| job.key_text().parse::<ClusterJobKey>().ok());
    for key in keys.take(MAX_JOBS) {
        let question = out.entry(key.cluster).or_insert_with(|| Question {
            clusters: clusters(&view.settings),
            jobs: BTreeSet::new(),
        });
        question.jobs.insert(key.job);
    }
    out
}

/// Asks one cluster, again and again.
async fn ask(
    connection: Connection,
    core: Arc<Core>,
    cluster: String,
    mut question: watch::Receiver<Question>,
) {
    let mut acts = core.lookout.acts.subscribe();
    let mut failures = 0;
    let mut trouble = None;
    loop {
        let Question { clusters, jobs } = question.borrow_and_update().clone();
        acts.mark_unchanged();
        let begun = Instant::now();
        let place = Place { cluster: cluster.clone(), clusters };
        let roles = jobs.iter().map(|job| job.role().to_owned()).collect();
        let answer = timeout(PATIENCE, core.options.schedulers.look(place, roles)).await;
        let answer = answer.unwrap_or_else(|_| {
            let why = format!("no answer within {} seconds", PATIENCE.as_secs());
            Err(Trouble::Silent(why))
        });
        let now = match answer {
            Ok(roles) => {
                failures = 0;
                trouble = None;
                let nothing = BTreeMap::new();
                let states = |job: &JobKey| roles.get(job.role())?.jobs.get(job);
                let words = |job: JobKey| {
                    let words = in_words(states(&job).unwrap_or(&nothing));
                    (job, words)
                };
                OfCluster::Jobs(jobs.into_iter().map(words).collect())
            }
            Err(found) => {
                let brief = found.brief();
                // What is asked nothing may be looked for as often as before.
                failures = if matches!(found, Trouble::Unknown(_)) { 0 } else { failures + 1 };
                if trouble.as_ref() != Some(&found) {
                    core.log.line(&format!("cluster {cluster} {brief}: {}", found.why()));
                    trouble = Some(found);
                }
                OfCluster::Trouble(brief)
            }
        };
        let is_new = core.lookout.change(|said| {
            // What nobody asks about any more is taken away after the question is.
            if question.has_changed().is_ok() {
                said.insert(cluster.clone(), now);
            }
        });
        if is_new {
            refresh(&connection, &core);
        }
        let is_over = tokio::select! {
            () = sleep(pause(failures)) => false,
            changed = question.changed() => changed.is_err(),
            changed = acts.changed() => changed.is_err(),
        };
        if is_over {
            return;
        }
        sleep_until(begun + SHORTEST).await;
    }
}

/// How long a scheduler is left alone after so many failures in a row.
fn pause(failures: u32) -> Duration {
    LONGEST.min(PERIOD.saturating_mul(1 << failures.min(8)))
}

/// Has the client ask for lenses again, if it can.
fn refresh(connection: &Connection, core: &Core) {
    if core.client().refresh_lenses {
        let connection = connection.clone();
        // The client answers when it likes; nobody waits.
        tokio::spawn(async move { connection.code_lens_refresh().await });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_told_by_the_states_of_its_tasks() {
        use TaskState::{Failed, Finished, Killing, Pending, Running, Starting};
        for (states, wanted) in [
            (vec![], "does not run"),
            (vec![(Finished, 2), (Failed, 1)], "does not run"),
            (vec![(Running, 3), (Failed, 9)], "3 of 3 RUNNING"),
            (vec![(Pending, 1), (Running, 2)], "2 of 3 RUNNING, 1 PENDING"),
            (
                vec![(Pending, 1), (Starting, 2), (Killing, 3)],
                "0 of 6 RUNNING, 1 PENDING, 2 STARTING, 3 KILLING",
            ),
        ] {
            assert_eq!(in_words(&states.into_iter().collect()), wanted);
        }
    }

    #[test]
    fn what_was_said_is_found_by_the_full_name() {
        let job: JobKey = "r/e/n".parse().unwrap();
        let jobs = BTreeMap::from([(job, "does not run".to_owned())]);
        let said = Said::from([
            ("c".to_owned(), OfCluster::Jobs(jobs)),
            ("d".to_owned(), OfCluster::Trouble("does not answer")),
        ]);
        for (key, wanted) in [
            ("c/r/e/n", Some("does not run")),
            ("c/r/e/other", None),
            ("d/r/e/n", Some("cluster d does not answer")),
            ("e/r/e/n", None),
            ("c/?/e/n", None),
        ] {
            assert_eq!(status(&said, key).as_deref(), wanted, "{key}");
        }
    }

    #[test]
    fn one_that_does_not_answer_is_asked_less_and_less_often() {
        let pauses: Vec<u64> = [0, 1, 2, 3, 100].map(|it| pause(it).as_secs()).to_vec();
        assert_eq!(pauses, [5, 10, 20, 30, 30]);
    }
}
