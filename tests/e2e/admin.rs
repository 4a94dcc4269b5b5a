//! `aurora_admin` (`admin.md` 10; `client.md` 16) against real daemons, called by its name.

mod access;
mod backups;
mod drains;
mod fleet;
mod tasks;
mod words;

use std::os::unix::fs::symlink;
use std::process::Command;

use crate::support::cluster::Cluster;
use crate::support::proxy::Proxy;
use crate::support::{Home, Ran};

/// Somebody who runs a cluster.
struct Operator<'a> {
    home: &'a Home,
    scheduler: Option<String>,
}

impl<'a> Operator<'a> {
    fn of(cluster: &'a Cluster) -> Self {
        Self { home: &cluster.home, scheduler: Some(cluster.scheduler_address()) }
    }

    /// Whose calls are counted on their way.
    fn behind(proxy: &Proxy, cluster: &'a Cluster) -> Self {
        Self { home: &cluster.home, scheduler: Some(proxy.address()) }
    }

    /// Who finds clusters by their names only.
    fn alone(home: &'a Home) -> Self {
        Self { home, scheduler: None }
    }

    /// `aurora_admin`, a link to the program.
    fn command(&self, words: &[&str]) -> Command {
        let link = self.home.path().join("aurora_admin");
        if !link.exists() {
            symlink(env!("CARGO_BIN_EXE_aurora"), &link).unwrap();
        }
        let like = self.home.aurora::<&str>(&[]);
        let mut command = Command::new(link);
        command.args(words).env_clear();
        for (name, value) in like.get_envs() {
            if let Some(value) = value {
                command.env(name, value);
            }
        }
        if let Some(scheduler) = &self.scheduler {
            command.env("AURORA_SCHEDULER", scheduler);
        }
        command
    }

    fn run(&self, words: &[&str]) -> Ran {
        Ran(self.command(words).output().unwrap())
    }

    /// What is printed by a command that succeeds.
    #[track_caller]
    fn out(&self, words: &[&str]) -> String {
        self.run(words).expect(0).out()
    }

    /// What is told by a command that ends with this code.
    #[track_caller]
    fn refused(&self, words: &[&str], code: i32) -> String {
        self.run(words).expect(code).err()
    }
}
