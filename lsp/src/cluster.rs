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
use aurora_model::quota::ResourceAggregate;
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
    fn look(&self, place: Place, roles: BTreeSet<String>) -> Asking<Roles>;
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

/// What a scheduler says of roles, by their names.
pub type Roles = BTreeMap<String, Role>;

/// What a scheduler says of a role.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Role {
    /// How many tasks of each of its jobs are in each state.
    pub jobs: BTreeMap<JobKey, BTreeMap<TaskState, u32>>,
    /// What is left of its quota; [`None`] if its production jobs are not limited.
    pub left: Option<ResourceAggregate>,
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
    fn look(&self, place: Place, _: BTreeSet<String>) -> Asking<Roles> {
        Self::refuse(&place)
    }

    fn compare(&self, place: Place, _: ReadyJob) -> Asking<String> {
        Self::refuse(&place)
    }
}

/// What was said last, of each cluster.
pub(crate) type Said = BTreeMap<String, OfCluster>;

/// What is told of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OfCluster {
    /// What goes behind its name if nothing can be told.
    Trouble(&'static str),
    /// What is told of its jobs.
    Answer {
        /// How each job does, and what is left for it.
        jobs: BTreeMap<JobKey, Vec<String>>,
        /// What is left for the production jobs of each role that is limited.
        left: BTreeMap<String, String>,
    },
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

/// What is told of a job by its full name; nothing if nothing is known yet.
pub(crate) fn of_job(said: &Said, key: &str) -> Vec<String> {
    let Ok(key) = key.parse::<ClusterJobKey>() else { return Vec::new() };
    match said.get(&key.cluster) {
        None => Vec::new(),
        Some(OfCluster::Trouble(brief)) => vec![format!("cluster {} {brief}", key.cluster)],
        Some(OfCluster::Answer { jobs, .. }) => jobs.get(&key.job).cloned().unwrap_or_default(),
    }
}

/// What is left for the role of a job in its cluster, as Markdown.
pub(crate) fn left_for(said: &Said, key: &str) -> Option<String> {
    let key: ClusterJobKey = key.parse().ok()?;
    match said.get(&key.cluster)? {
        OfCluster::Trouble(_) => None,
        OfCluster::Answer { left, .. } => {
            let left = left.get(key.job.role())?;
            Some(format!("{left} for production jobs of `{}` in `{}`", key.job.role(), key.cluster))
        }
    }
}

/// `quota left: 3.5 cpu, 2.0 GB ram, 10.0 GB disk`.
fn left_in_words(left: &ResourceAggregate) -> String {
    let ResourceAggregate { cpus, ram_mb, disk_mb } = left;
    format!("quota left: {cpus} cpu, {} ram, {} disk", megabytes(*ram_mb), megabytes(*disk_mb))
}

/// Rounded down, so that no more is promised than there is.
fn megabytes(amount: u64) -> String {
    const UNITS: [(&str, u64); 2] = [("TB", 1 << 20), ("GB", 1 << 10)];
    match UNITS.iter().find(|(_, unit)| amount >= *unit) {
        Some((name, unit)) => format!("{}.{} {name}", amount / unit, (amount % unit) * 10 / unit),
        None => format!("{amount} MB"),
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
    /// Whether each is a production job.
    jobs: BTreeMap<JobKey, bool>,
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
    for job in jobs.take(MAX_JOBS) {
        // What is no proper key runs nowhere.
        let Ok(key) = job.key_text().parse::<ClusterJobKey>() else { continue };
        let question = out.entry(key.cluster).or_insert_with(|| Question {
            clusters: clusters(&view.settings),
            jobs: BTreeMap::new(),
        });
        question.jobs.insert(key.job, job.is_production());
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
        let roles = jobs.keys().map(|job| job.role().to_owned()).collect();
        let answer = timeout(PATIENCE, core.options.schedulers.look(place, roles)).await;
        let answer = answer.unwrap_or_else(|_| {
            let why = format!("no answer within {} seconds", PATIENCE.as_secs());
            Err(Trouble::Silent(why))
        });
        let now = match answer {
            Ok(roles) => {
                failures = 0;
                trouble = None;
                in_answer(&roles, jobs)
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

/// What is told of jobs, given whether each is a production job.
fn in_answer(roles: &Roles, jobs: BTreeMap<JobKey, bool>) -> OfCluster {
    let left = |(name, role): (&String, &Role)| Some((name.clone(), left_in_words(&role.left?)));
    let left: BTreeMap<String, String> = roles.iter().filter_map(left).collect();
    let nothing = BTreeMap::new();
    let states = |job: &JobKey| roles.get(job.role())?.jobs.get(job);
    let told = |(job, is_production): (JobKey, bool)| {
        let mut told = vec![in_words(states(&job).unwrap_or(&nothing))];
        told.extend(left.get(job.role()).filter(|_| is_production).cloned());
        (job, told)
    };
    let jobs = jobs.into_iter().map(told).collect();
    OfCluster::Answer { jobs, left }
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
    use aurora_model::job::MilliCpus;

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
        let key = |key: &str| key.parse::<JobKey>().unwrap();
        let limited = Role {
            jobs: [(key("r/e/n"), [(TaskState::Running, 1)].into())].into(),
            left: Some(ResourceAggregate { cpus: MilliCpus(3500), ram_mb: 2047, disk_mb: 512 }),
        };
        let roles = Roles::from([("r".to_owned(), limited), ("free".to_owned(), Role::default())]);
        let jobs = [("r/e/n", true), ("r/e/other", false), ("free/e/n", true)];
        let jobs = jobs.map(|(job, is_production)| (key(job), is_production)).into();
        let said = Said::from([
            ("c".to_owned(), in_answer(&roles, jobs)),
            ("d".to_owned(), OfCluster::Trouble("does not answer")),
        ]);
        let left = "quota left: 3.5 cpu, 1.9 GB ram, 512 MB disk";
        for (key, wanted) in [
            ("c/r/e/n", vec!["1 of 1 RUNNING", left]),
            ("c/r/e/other", vec!["does not run"]),
            ("c/free/e/n", vec!["does not run"]),
            ("c/r/e/unknown", vec![]),
            ("d/r/e/n", vec!["cluster d does not answer"]),
            ("e/r/e/n", vec![]),
            ("c/?/e/n", vec![]),
        ] {
            assert_eq!(of_job(&said, key), wanted, "{key}");
        }
        let told = format!("{left} for production jobs of `r` in `c`");
        for (key, wanted) in
            [("c/r/e/any", Some(told.as_str())), ("c/free/e/n", None), ("d/r/e/n", None)]
        {
            assert_eq!(left_for(&said, key).as_deref(), wanted, "{key}");
        }
    }

    #[test]
    fn amounts_are_told_in_units_that_people_read_and_never_too_large() {
        for (amount, wanted) in [
            (0, "0 MB"),
            (1023, "1023 MB"),
            (1024, "1.0 GB"),
            (2047, "1.9 GB"),
            (10 << 20, "10.0 TB"),
            (u64::MAX, "17592186044415.9 TB"),
        ] {
            assert_eq!(megabytes(amount), wanted);
        }
    }

    #[test]
    fn one_that_does_not_answer_is_asked_less_and_less_often() {
        let pauses: Vec<u64> = [0, 1, 2, 3, 100].map(|it| pause(it).as_secs()).to_vec();
        assert_eq!(pauses, [5, 10, 20, 30, 30]);
    }
}
