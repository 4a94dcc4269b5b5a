//! What an operator can choose of announcing (`executor.md` 17.5, 20).

use std::path::PathBuf;

use aurora_zookeeper::{Access, AccessError, ConnectStringError, Ensemble, NodePath, PathError};

/// The flags of announcing.
#[derive(Debug, Clone, clap::Args)]
pub struct AnnounceFlags {
    /// The ZooKeeper servers where tasks are announced, as HOST:PORT,HOST:PORT. Without it none is.
    #[arg(long, value_name = "SERVERS")]
    pub announcer_ensemble: Option<String>,
    /// The path in ZooKeeper below which tasks are announced, as ROLE/ENVIRONMENT/JOB.
    #[arg(long, value_name = "PATH", default_value = "/aurora")]
    pub announcer_serverset_path: String,
    /// Let jobs choose another path, by `zk_path` of their announcer.
    #[arg(long)]
    pub announcer_allow_custom_serverset_path: bool,
    /// The host that is announced, instead of the agent's.
    #[arg(long, value_name = "HOST")]
    pub announcer_hostname: Option<String>,
    /// A JSON file of the credentials for ZooKeeper, and of who may do what with the nodes made.
    #[arg(long, value_name = "FILE")]
    pub announcer_zookeeper_auth_config: Option<PathBuf>,
}

/// Why an executor does not start with these flags.
#[derive(Debug, thiserror::Error)]
pub enum AnnounceFlagsError {
    /// The servers are none.
    #[error("--announcer-ensemble: {0}")]
    Ensemble(#[from] ConnectStringError),
    /// The path is none.
    #[error("--announcer-serverset-path: {0}")]
    Path(#[from] PathError),
    /// The file of credentials cannot be used.
    #[error("--announcer-zookeeper-auth-config: {0}")]
    Access(#[from] AccessError),
}

/// What announcing needs of the flags, checked.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(super) ensemble: Ensemble,
    pub(super) root: String,
    pub(super) allows_custom_path: bool,
    pub(super) hostname: Option<String>,
}

impl AnnounceFlags {
    /// Checks the flags, and reads the file of credentials. Gives nothing if nothing is to be
    /// announced; all is checked all the same.
    pub(crate) fn settings(&self) -> Result<Option<Settings>, AnnounceFlagsError> {
        let access = match &self.announcer_zookeeper_auth_config {
            Some(path) => Access::read(path)?,
            None => Access::default(),
        };
        let root = self.announcer_serverset_path.clone();
        NodePath::new(&format!("{root}/role/environment/job"))?;
        let Some(ensemble) = &self.announcer_ensemble else { return Ok(None) };
        Ok(Some(Settings {
            ensemble: Ensemble::new(ensemble)?.with_access(access),
            root,
            allows_custom_path: self.announcer_allow_custom_serverset_path,
            hostname: self.announcer_hostname.clone(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Args {
        #[command(flatten)]
        flags: AnnounceFlags,
    }

    fn settings(args: &[&str]) -> Result<Option<Settings>, AnnounceFlagsError> {
        Args::parse_from(["executor"].iter().chain(args)).flags.settings()
    }

    #[test]
    fn nothing_is_announced_without_an_ensemble() {
        assert!(settings(&[]).unwrap().is_none());
        let settings = settings(&["--announcer-ensemble", "zk1:2181,zk2:2181"]).unwrap().unwrap();
        assert_eq!(settings.root, "/aurora");
        assert!(!settings.allows_custom_path);
    }

    #[test]
    fn s75_flags_that_cannot_be_used_are_an_error_at_the_start() {
        let wrong = |args: &[&str]| settings(args).unwrap_err().to_string();
        assert!(wrong(&["--announcer-ensemble", "zk:none"]).contains("--announcer-ensemble"));
        let path = wrong(&["--announcer-serverset-path", "aurora"]);
        assert!(path.contains("--announcer-serverset-path"), "{path}");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("auth.json");
        let flag = ["--announcer-zookeeper-auth-config", file.to_str().unwrap()];
        assert!(wrong(&flag).contains("auth.json"), "{}", wrong(&flag));
        for text in [
            "junk",
            r#"{"what":1}"#,
            r#"{"acl":[{"scheme":"world","credential":"anyone"}]}"#,
            r#"{"acl":[{"scheme":"digest","credential":"secret","permissions":{"read":true}}]}"#,
        ] {
            std::fs::write(&file, text).unwrap();
            let error = wrong(&flag);
            assert!(error.contains("auth.json") && !error.contains("secret"), "{error}");
        }
        std::fs::write(&file, r#"{"auth":[{"scheme":"digest","credential":"a:b"}]}"#).unwrap();
        assert!(settings(&flag).unwrap().is_none());
    }
}
