//! Real servers for tests: those of Debian's package `zookeeper`, on free ports of this machine.
//!
//! A server ends when its [`Server`] is dropped, and also when the process that has started it
//! ends in any way: a shell between the two waits for the other end of its input to go.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Where the package puts it, together with what it needs.
const JAR: &str = "/usr/share/java/zookeeper.jar";
/// How long a server may take to answer.
const START: Duration = Duration::from_secs(60);
/// How often another port is tried.
const ATTEMPTS: usize = 5;
/// How long a question about a server's state may take.
const ASK: Duration = Duration::from_secs(2);

/// Starts the server, says its pid, and ends it when the input ends. Signals that are sent to all
/// of a terminal's processes must not end the shell before it has ended the server.
const SCRIPT: &str = r#"
set -u
trap '' INT TERM HUP
java -Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 "${@:3}" -cp "$1" \
    org.apache.zookeeper.server.quorum.QuorumPeerMain "$2/zoo.cfg" >"$2/log" 2>&1 &
server=$!
echo "$server"
cat >/dev/null
kill -KILL "$server" 2>/dev/null
wait "$server" 2>/dev/null
rm -rf "$2"
"#;

/// What stands in an ACL for a user with this password.
pub fn digest(user: &str, password: &str) -> String {
    crate::access::digest(user, password)
}

/// What a test asks of a server.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Lines added to its configuration.
    pub config: Vec<String>,
    /// The user and password that it takes by SASL DIGEST-MD5.
    pub sasl_user: Option<(String, String)>,
}

/// One server that runs, alone or as part of an ensemble.
#[derive(Debug)]
pub struct Server {
    port: u16,
    pid: i32,
    shell: Child,
    input: Option<ChildStdin>,
    folder: TempDir,
}

impl Server {
    /// Starts a server, and waits until it serves.
    ///
    /// # Errors
    /// Debian's packages `zookeeper` and `default-jre-headless` are not there, or it does not start.
    pub fn start() -> std::io::Result<Self> {
        Self::start_with(&Options::default())
    }

    /// The same, set up differently.
    ///
    /// # Errors
    /// The same.
    pub fn start_with(options: &Options) -> std::io::Result<Self> {
        let mut failure = None;
        for _ in 0..ATTEMPTS {
            let server = Self::launch(free_port()?, None, options)?;
            match server.wait() {
                Ok(_) => return Ok(server),
                Err(error) => failure = Some(error),
            }
        }
        Err(failure.unwrap_or_else(|| std::io::Error::other("no attempt was made")))
    }

    /// Starts a server on this port, and waits until it serves.
    ///
    /// # Errors
    /// The same, or something else has taken the port.
    pub fn start_on(port: u16) -> std::io::Result<Self> {
        let server = Self::launch(port, None, &Options::default())?;
        server.wait()?;
        Ok(server)
    }

    /// Starts an ensemble, and waits until each of its servers serves.
    ///
    /// # Errors
    /// The same as of one server.
    pub fn start_ensemble(size: usize) -> std::io::Result<Vec<Self>> {
        let mut failure = None;
        for _ in 0..ATTEMPTS {
            let mut peers = Vec::new();
            for id in 1..=size {
                peers.push(format!("server.{id}=127.0.0.1:{}:{}", free_port()?, free_port()?));
            }
            let options = Options { config: peers, sasl_user: None };
            let servers = (1..=size)
                .map(|id| Self::launch(free_port()?, Some(id), &options))
                .collect::<std::io::Result<Vec<_>>>()?;
            match servers.iter().try_for_each(|server| server.wait().map(drop)) {
                Ok(()) => return Ok(servers),
                Err(error) => failure = Some(error),
            }
        }
        Err(failure.unwrap_or_else(|| std::io::Error::other("no attempt was made")))
    }

    fn launch(port: u16, id: Option<usize>, options: &Options) -> std::io::Result<Self> {
        if !Path::new(JAR).exists() {
            return Err(std::io::Error::other(format!(
                "{JAR} is missing: apt-get install zookeeper default-jre-headless"
            )));
        }
        let folder = tempfile::Builder::new().prefix("zookeeper-").tempdir()?;
        let data = folder.path().join("data");
        std::fs::create_dir(&data)?;
        if let Some(id) = id {
            std::fs::write(data.join("myid"), id.to_string())?;
        }
        let mut config = vec![
            "tickTime=500".to_owned(),
            "initLimit=20".to_owned(),
            "syncLimit=10".to_owned(),
            format!("dataDir={}", data.display()),
            format!("clientPort={port}"),
            "clientPortAddress=127.0.0.1".to_owned(),
            "admin.enableServer=false".to_owned(),
            "4lw.commands.whitelist=*".to_owned(),
            "minSessionTimeout=1000".to_owned(),
        ];
        config.extend_from_slice(&options.config);
        let mut java = Vec::new();
        if let Some((user, password)) = &options.sasl_user {
            let path = folder.path().join("jaas.conf");
            let login = "org.apache.zookeeper.server.auth.DigestLoginModule";
            let users = format!("user_{user}=\"{password}\"");
            std::fs::write(&path, format!("Server {{ {login} required {users}; }};"))?;
            java.push(format!("-Djava.security.auth.login.config={}", path.display()));
            let provider = "org.apache.zookeeper.server.auth.SASLAuthenticationProvider";
            config.push(format!("authProvider.sasl={provider}"));
        }
        std::fs::write(folder.path().join("zoo.cfg"), config.join("\n"))?;
        let mut shell = Command::new("bash")
            .args(["-c", SCRIPT, "zookeeper", JAR])
            .arg(folder.path())
            .args(java)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = shell.stdin.take();
        let mut line = String::new();
        if let Some(output) = shell.stdout.take() {
            BufReader::new(output).read_line(&mut line)?;
        }
        let pid = line.trim().parse().map_err(std::io::Error::other)?;
        Ok(Self { port, pid, shell, input, folder })
    }

    /// Waits until it serves, and gives its mode: `standalone`, `leader`, `follower`.
    fn wait(&self) -> std::io::Result<String> {
        let deadline = Instant::now() + START;
        loop {
            match self.mode() {
                Ok(Some(mode)) => return Ok(mode),
                Ok(None) | Err(_) if Instant::now() < deadline && self.is_alive() => {
                    std::thread::sleep(Duration::from_millis(50));
                }
                Ok(None) | Err(_) => {
                    let log = std::fs::read_to_string(self.log()).unwrap_or_default();
                    return Err(std::io::Error::other(format!("it does not start: {log}")));
                }
            }
        }
    }

    fn is_alive(&self) -> bool {
        Path::new(&format!("/proc/{}", self.pid)).exists()
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// What it is: `standalone`, `leader`, `follower`, or nothing yet.
    ///
    /// # Errors
    /// It does not answer.
    pub fn mode(&self) -> std::io::Result<Option<String>> {
        let mut stream = TcpStream::connect_timeout(&self.address(), ASK)?;
        stream.set_read_timeout(Some(ASK))?;
        stream.set_write_timeout(Some(ASK))?;
        stream.write_all(b"srvr")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer.lines().find_map(|line| line.strip_prefix("Mode: ").map(str::to_owned)))
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Where it listens, as clients take it.
    pub fn connect_string(&self) -> String {
        self.address().to_string()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.input.take());
        // The shell ends the server and itself; an error means that it has ended already.
        let _ = self.shell.wait();
    }
}

/// A port that nothing listens on.
///
/// # Errors
/// There is none.
pub fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
