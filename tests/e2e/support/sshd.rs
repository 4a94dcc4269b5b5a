//! A real sshd on a port of its own, and what its clients need.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::process::Process;
use super::{free_port, wait_for};

const SSHD: &str = "/usr/sbin/sshd";

/// A server that lets everybody in who has the test's key.
pub(crate) struct Sshd {
    // Ended with this.
    _process: Process,
    port: u16,
    key: PathBuf,
}

impl Sshd {
    /// None where there is no sshd, or nobody but root could be let in.
    pub(crate) fn start(folder: &Path) -> Option<Self> {
        if !Path::new(SSHD).exists() || !nix::unistd::Uid::effective().is_root() {
            return None;
        }
        // Where it drops its privileges.
        std::fs::create_dir_all("/run/sshd").unwrap();
        let (host_key, key) = (folder.join("host_key"), folder.join("key"));
        for key in [&host_key, &key] {
            let mut command = Command::new("ssh-keygen");
            command.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(key);
            assert!(command.status().unwrap().success());
        }
        let port = free_port();
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nStrictModes no\n\
             UsePAM no\nPidFile none\nPermitRootLogin yes\nPasswordAuthentication no\n\
             Subsystem sftp internal-sftp\n",
            host_key.display(),
            key.with_extension("pub").display(),
        );
        let file = folder.join("sshd_config");
        std::fs::write(&file, config).unwrap();
        let mut command = Command::new(SSHD);
        let process = Process::start(command.args(["-D", "-e", "-f"]).arg(&file));
        wait_for("sshd", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
        Some(Self { _process: process, port, key })
    }

    fn options(&self, port: &str) -> String {
        format!(
            "{port} {} -i {} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
             -o IdentitiesOnly=yes -o LogLevel=ERROR",
            self.port,
            self.key.display()
        )
    }

    pub(crate) fn ssh_options(&self) -> String {
        format!("--ssh-options={}", self.options("-p"))
    }

    pub(crate) fn scp_options(&self) -> String {
        format!("--scp-options={}", self.options("-P"))
    }
}
