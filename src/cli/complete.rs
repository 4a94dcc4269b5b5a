//! What a shell offers behind TAB: commands and options from the tree of commands, and jobs from where they are:
//! running clusters, and the files of the current folder.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::Write;
use std::time::Duration;

use aurora_api::v1::{TaskQuery, UpdateQuery};
use aurora_client::keys::InstancesKey;
use aurora_client::scheduler::tasks_of;
use aurora_client::{Connection, Scheduler};
use aurora_eval::{Disk, Engine};
use aurora_model::update::UpdateStatus;
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use clap_complete::env::{Bash, CompleteEnv, EnvCompleter, Fish, Zsh};

use crate::config::Outside;
use crate::failure::{Code, Failure};
use crate::job::owner;
use crate::output::print;
use crate::update::KINDS;

/// How long a cluster may take to say what it has: somebody waits behind TAB.
const PATIENCE: Duration = Duration::from_millis(1500);
/// The most files of the current folder that are looked at, and the longest, in bytes.
const MAX_FILES: usize = 32;
const MAX_FILE_LEN: u64 = 256 << 10;
/// The variable by which the shell asks.
const VARIABLE: &str = "AURORA_COMPLETE";

/// `aurora completion …`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The shell.
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

impl Args {
    /// Prints what makes the shell ask this program for completions.
    pub(super) fn run(&self) -> Result<(), Failure> {
        let shell: &dyn EnvCompleter = match self.shell {
            Shell::Bash => &Bash,
            Shell::Zsh => &Zsh,
            Shell::Fish => &Fish,
        };
        let mut script = Vec::new();
        let failed = |error: &dyn std::fmt::Display| {
            Failure::new(Code::Error, format!("failed to write the completions: {error}"))
        };
        // Found anew through $PATH each time: it may be another version by then.
        for name in ["aurora", "aurora_admin"] {
            shell
                .write_registration(VARIABLE, name, name, name, &mut script)
                .and_then(|()| script.write_all(b"\n"))
                .map_err(|error| failed(&error))?;
        }
        print(&String::from_utf8(script).map_err(|error| failed(&error))?)
    }
}

/// Answers the shell and ends the process, if it is the shell that has started it.
pub(super) fn answer(command: fn() -> clap::Command) {
    CompleteEnv::with_factory(move || with_candidates(command())).var(VARIABLE).complete();
}

/// The tree of commands, whose arguments know what they may be.
fn with_candidates(command: clap::Command) -> clap::Command {
    let takes = |name: &str| command.get_arguments().any(|argument| is(argument, &[name]));
    // Where the cluster stands by itself, roles and jobs are no keys.
    let (takes_file, takes_cluster) = (takes("FILE"), takes("CLUSTER"));
    command
        .mut_args(|argument| {
            if takes_cluster {
                return if is(&argument, &["CLUSTER"]) {
                    argument.add(ArgValueCompleter::new(clusters))
                } else if is(&argument, &["HOST,…"]) {
                    argument.add(ArgValueCompleter::new(hosts))
                } else {
                    argument
                };
            }
            if is(&argument, &["JOB", "JOB/INSTANCES", "JOB[/INSTANCES]", "JOB/INSTANCE"]) {
                let completer = move |typed: &OsStr| jobs(typed, takes_file);
                return argument.add(ArgValueCompleter::new(completer));
            }
            if is(&argument, &["PATTERN", "FILTER", "ROLE", "CLUSTER/ROLE"]) {
                return argument.add(ArgValueCompleter::new(|typed: &OsStr| jobs(typed, false)));
            }
            if argument.is_positional() && is(&argument, &["ID"]) {
                return argument.add(ArgValueCompleter::new(updates));
            }
            if argument.is_positional() && is(&argument, &["PROCESS"]) {
                return argument.add(ArgValueCompleter::new(processes));
            }
            if argument.get_long() == Some("status") && is(&argument, &["STATE"]) {
                return argument.add(ArgValueCompleter::new(statuses));
            }
            argument
        })
        .mut_subcommands(with_candidates)
}

fn is(argument: &clap::Arg, names: &[&str]) -> bool {
    argument.get_value_names().is_some_and(|of| {
        of.len() == 1 && of.first().is_some_and(|name| names.contains(&name.as_str()))
    })
}

/// The keys that begin so, as far as their next slash. What cannot be asked offers nothing: there is nobody to
/// tell.
fn jobs(typed: &OsStr, from_files: bool) -> Vec<CompletionCandidate> {
    let Some(typed) = typed.to_str() else { return Vec::new() };
    let mut keys = if from_files { keys_of_files() } else { BTreeSet::new() };
    match typed.split_once('/') {
        None => {
            keys.extend(names().into_iter().map(|name| name + "/"));
        }
        Some((cluster, rest)) => {
            let role = rest.split_once('/').map(|(role, _)| role);
            keys.extend(running(cluster, role).unwrap_or_default());
        }
    }
    steps(typed, keys).into_iter().map(CompletionCandidate::new).collect()
}

/// The clusters that begin so.
fn clusters(typed: &OsStr) -> Vec<CompletionCandidate> {
    let Some(typed) = typed.to_str() else { return Vec::new() };
    let found = names().into_iter().filter(|name| name.starts_with(typed));
    found.map(CompletionCandidate::new).collect()
}

/// The words that a shell has so far, the name of the program among them.
fn line() -> impl Iterator<Item = String> {
    let words = std::env::args_os().skip_while(|word| word != "--").skip(1);
    words.filter_map(|word| word.into_string().ok())
}

/// The first job in the line.
fn typed_job() -> Option<InstancesKey> {
    line().find_map(|word| word.parse().ok())
}

/// Of these, the ones that begin as typed.
fn beginning<T: AsRef<str>>(
    typed: &OsStr,
    all: impl IntoIterator<Item = T>,
) -> Vec<CompletionCandidate> {
    let Some(typed) = typed.to_str() else { return Vec::new() };
    let found = all.into_iter().filter(|word| word.as_ref().starts_with(typed));
    found.map(|word| CompletionCandidate::new(word.as_ref())).collect()
}

/// What updates may be asked for by: kinds of states, as people write them, and states.
fn statuses(typed: &OsStr) -> Vec<CompletionCandidate> {
    beginning(typed, KINDS.into_iter().chain(UpdateStatus::ALL.map(UpdateStatus::name)))
}

/// The updates of the job in the line that begin so.
fn updates(typed: &OsStr) -> Vec<CompletionCandidate> {
    let Some(key) = typed_job() else { return Vec::new() };
    let asked = asked(&key.job.cluster, async |scheduler: Scheduler| {
        let job = Some((&key.job.job).into());
        let found = scheduler.updates(UpdateQuery { job, ..UpdateQuery::default() }).await?;
        Ok(found.into_iter().filter_map(|update| Some(update.key?.id)).collect())
    });
    beginning(typed, asked.unwrap_or_default())
}

/// The processes of the job in the line that begin so: those of one instance, which tells as much as all.
fn processes(typed: &OsStr) -> Vec<CompletionCandidate> {
    let Some(key) = typed_job() else { return Vec::new() };
    let asked = asked(&key.job.cluster, async |scheduler: Scheduler| {
        let one = key.instances.iter().flatten().next().copied().unwrap_or(0);
        let query = TaskQuery { instances: vec![one], ..tasks_of(&key.job.job) };
        let tasks = scheduler.tasks(query).await?.tasks;
        let names =
            tasks.into_iter().filter_map(|task| names_of(&task.assigned?.task?.executor?.data));
        Ok(names.flatten().collect())
    });
    beginning(typed, asked.unwrap_or_default().into_iter().collect::<BTreeSet<_>>())
}

/// The names of the processes of which an executor is told.
fn names_of(data: &str) -> Option<Vec<String>> {
    let data: serde_json::Value = serde_json::from_str(data).ok()?;
    let processes = data.get("task")?.get("processes")?.as_array()?.iter();
    Some(processes.filter_map(|process| Some(process.get("name")?.as_str()?.to_owned())).collect())
}

/// The hosts of the cluster in the line that begin as the last of a list does.
fn hosts(typed: &OsStr) -> Vec<CompletionCandidate> {
    let known = names();
    let Some(cluster) = line().find(|word| known.contains(word)) else { return Vec::new() };
    let before = typed.to_str().and_then(|typed| Some(typed.rsplit_once(',')?.0));
    let asked = asked(&cluster, async |scheduler: Scheduler| {
        let found = scheduler.all_hosts(false).await?.into_iter().map(|host| host.name);
        Ok(match before {
            None => found.collect(),
            Some(before) => found.map(|host| format!("{before},{host}")).collect(),
        })
    });
    beginning(typed, asked.unwrap_or_default())
}

/// The names of all clusters.
fn names() -> Vec<String> {
    Connection::of_environment().names().unwrap_or_default()
}

/// Of the keys that begin as typed, what comes up to the slash after it, or the key.
fn steps(typed: &str, keys: BTreeSet<String>) -> BTreeSet<String> {
    keys.into_iter()
        .filter_map(|key| {
            let rest = key.strip_prefix(typed)?;
            let end = rest.find('/').map_or(key.len(), |slash| typed.len() + slash + 1);
            Some(key[..end].to_owned())
        })
        .collect()
}

/// The roles of a cluster, or the jobs of a role of it.
fn running(cluster: &str, role: Option<&str>) -> Result<Vec<String>, Failure> {
    asked(cluster, async |scheduler: Scheduler| {
        let Some(role) = role else {
            let roles = scheduler.roles().await?;
            return Ok(roles.into_iter().map(|role| format!("{cluster}/{role}/")).collect());
        };
        let jobs = scheduler.list(role).await?.into_iter().filter_map(|job| job.key);
        let key = |key: aurora_api::v1::JobKey| {
            format!("{cluster}/{}/{}/{}", key.role, key.environment, key.name)
        };
        Ok(jobs.map(key).collect())
    })
}

/// What a scheduler says, if it does in time.
fn asked(
    cluster: &str,
    ask: impl AsyncFnOnce(Scheduler) -> Result<Vec<String>, Failure>,
) -> Result<Vec<String>, Failure> {
    let connection = Connection::of_environment();
    crate::runtime::block_on(async {
        let asking = async { ask(Scheduler::of_cluster(cluster, &connection).await?).await };
        match tokio::time::timeout(PATIENCE, asking).await {
            Ok(found) => found,
            Err(_) => Err(Failure::new(Code::Timeout, "the cluster did not answer in time")),
        }
    })
}

/// The keys of the jobs in the current folder's files.
fn keys_of_files() -> BTreeSet<String> {
    let Ok(entries) = std::fs::read_dir(".") else { return BTreeSet::new() };
    let Ok(owner) = owner() else { return BTreeSet::new() };
    let engine = Engine::default();
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "aurora"))
        .filter(|path| std::fs::metadata(path).is_ok_and(|file| file.len() <= MAX_FILE_LEN))
        .take(MAX_FILES)
        .filter_map(|path| {
            let path = path.strip_prefix(".").unwrap_or(&path).to_owned();
            let options = Outside::default().options(&path, &owner).ok()?;
            engine.evaluate(&path, &Disk, &options).ok()
        })
        .flat_map(|config| config.jobs().iter().map(|job| job.key_text()).collect::<Vec<_>>())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_offered_that_are_taken() {
        let offered = statuses(OsStr::new(""));
        assert_eq!(offered.len(), KINDS.len() + UpdateStatus::ALL.len());
        for word in offered {
            let line = ["aurora", "update", "list", "c", "--status"].map(OsStr::new);
            let line = line.into_iter().chain([word.get_value()]);
            super::super::command().try_get_matches_from(line).unwrap();
        }
        assert_eq!(statuses(OsStr::new("roll")).len(), 0);
        assert_eq!(statuses(OsStr::new("ROLLED_F")).len(), 1);
    }

    #[test]
    fn processes_are_those_of_the_task() {
        let data =
            r#"{"task": {"processes": [{"name": "one"}, {"cmdline": "x"}, {"name": "two"}]}}"#;
        assert_eq!(names_of(data).unwrap(), ["one", "two"]);
        assert_eq!(names_of("{}"), None);
    }

    #[test]
    fn keys_are_offered_slash_by_slash() {
        let keys = ["c/www/prod/a", "c/www/prod/b", "c/www/test/a", "c/db/prod/a", "other/"];
        let offered = |typed: &str| {
            let keys = keys.iter().map(ToString::to_string).collect();
            steps(typed, keys).into_iter().collect::<Vec<_>>().join(" ")
        };
        for (typed, wanted) in [
            ("", "c/ other/"),
            ("o", "other/"),
            ("c/", "c/db/ c/www/"),
            ("c/www/p", "c/www/prod/"),
            ("c/www/prod/", "c/www/prod/a c/www/prod/b"),
            ("c/www/prod/a", "c/www/prod/a"),
            ("x", ""),
        ] {
            assert_eq!(offered(typed), wanted, "{typed:?}");
        }
    }
}
