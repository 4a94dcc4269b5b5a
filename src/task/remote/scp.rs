//! `aurora task scp`.

use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;

use aurora_client::keys::InstanceKey;
use aurora_client::{Connection, Scheduler};
use tokio::process::Command;

use super::super::{none, tasks};
use super::{code, not_started, places, words};
use crate::failure::{Code, Failure};

#[derive(Debug, clap::Args)]
pub(crate) struct ScpArgs {
    /// What to copy, then where to: paths of this machine, and cluster/role/environment/name/0:PATH on the
    /// machine of an instance, where a path that does not begin with / is one of its sandbox.
    #[arg(value_name = "PATH", num_args = 2.., required = true)]
    paths: Vec<String>,
    /// More options of scp, as in --scp-options='-v -P 2222'.
    #[arg(long, value_name = "OPTIONS", default_value = "", allow_hyphen_values = true)]
    scp_options: String,
    /// Paths are those of the executor's folder instead of the task's.
    #[arg(long)]
    executor_sandbox: bool,
    #[command(flatten)]
    connection: Connection,
}

/// One of the paths.
#[derive(Debug, PartialEq)]
enum Side {
    Here(String),
    There(InstanceKey, PathBuf),
}

impl Side {
    /// What has a `:` is on a machine of the cluster, unless it begins like a path of this one.
    fn of(text: &str) -> Result<Self, Failure> {
        let wrong = |why: String| Failure::new(Code::InvalidParameter, format!("{text:?}: {why}"));
        let (key, path) = match text.split_once(':') {
            Some((key, path)) if !key.starts_with(['.', '/']) => (key, path),
            _ => return Ok(Self::Here(text.to_owned())),
        };
        let key = key.parse().map_err(wrong)?;
        let path = normal(path);
        if path.components().next().is_some_and(|first| first.as_os_str() == "~") {
            return Err(wrong("a home is not known here: write the path out".to_owned()));
        }
        Ok(Self::There(key, path))
    }
}

/// A path without `.` and, where they can be taken back, `..`.
fn normal(path: &str) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in Path::new(path).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => match normal.components().next_back() {
                Some(Component::Normal(_)) => drop(normal.pop()),
                Some(Component::RootDir) => {}
                _ => normal.push(".."),
            },
            part => normal.push(part),
        }
    }
    if normal.as_os_str().is_empty() { PathBuf::from(".") } else { normal }
}

impl ScpArgs {
    pub(in super::super) async fn run(self) -> Result<ExitCode, Failure> {
        let options = words("--scp-options", &self.scp_options)?;
        let sides: Vec<Side> =
            self.paths.iter().map(|text| Side::of(text)).collect::<Result<_, _>>()?;
        let mut scp = Command::new("scp");
        scp.args(&options);
        for side in sides {
            match side {
                Side::Here(path) => scp.arg(path),
                Side::There(key, path) => scp.arg(self.there(&key, &path).await?),
            };
        }
        let status = scp.status().await.map_err(|error| not_started("scp", &error))?;
        Ok(ExitCode::from(code(status)))
    }

    /// A path on the machine of an instance, as scp writes it.
    async fn there(&self, key: &InstanceKey, path: &Path) -> Result<String, Failure> {
        let job = &key.job;
        let scheduler = Scheduler::of_cluster(&job.cluster, &self.connection).await?;
        let found = tasks(&scheduler, &job.job, Some(&[key.instance].into()), true).await?;
        let places =
            places(&scheduler, &job.cluster, &self.connection, &found, self.executor_sandbox)
                .await?;
        let Some(place) = places.first() else {
            return Err(none(&scheduler, job, Some(key.instance), "has no task that runs").await);
        };
        let path = Path::new(&place.folder).join(path);
        Ok(format!("{}@{}:{}", place.role, place.host, path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c112_c155_paths_are_normalised() {
        for (given, wanted) in [
            ("/x/../y", "/y"),
            ("", "."),
            ("a/./b", "a/b"),
            ("../../", "../.."),
            ("a/../../b", "../b"),
            ("/../etc", "/etc"),
        ] {
            assert_eq!(normal(given), PathBuf::from(wanted), "{given}");
        }
    }

    #[test]
    fn c113_homes_and_keys_without_an_instance_are_refused() {
        for wrong in ["c/r/e/n/0:~", "c/r/e/n/0:~/x", "c/r/e/n:x", "nonsense:x", "c/r/e/n!/0:x"] {
            assert_eq!(Side::of(wrong).unwrap_err().code, Code::InvalidParameter, "{wrong}");
        }
        assert_eq!(Side::of("./a:b").unwrap(), Side::Here("./a:b".to_owned()));
    }
}
