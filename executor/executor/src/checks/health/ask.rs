//! One question to a task, and what its answer means (`executor.md` 15.2).

use std::collections::BTreeMap;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use aurora_model::config::{HealthCheckerConfig, HttpHealthChecker};
use rustix::fs::{AtFlags, FileType, statat};

use super::shell::{self, Surroundings};
use super::{grpc, seconds};
use crate::http::{self, Answer};

/// The name of the port that a check by HTTP asks.
const HEALTH_PORT: &str = "health";

/// While a file of this name is in the sandbox, every check counts as passed and none is made.
const SNOOZE: &str = ".healthchecksnooze";

/// Longer texts than this are cut in what is said of answers, in characters.
const SHORT: usize = 9;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Checker {
    /// A command.
    Shell(String),
    /// A page.
    Http {
        /// Of this port.
        port: u16,
        /// Which, and what it must be.
        page: HttpHealthChecker,
    },
    /// A gRPC server.
    Grpc {
        /// At this port.
        port: u16,
        /// Of which service.
        service: String,
    },
    /// Whether this port takes connections.
    Tcp(u16),
}

/// What a job wants to have asked has no port.
#[derive(Debug, thiserror::Error)]
#[error("Got invalid task: its health check asks the port {0:?}, which it does not have")]
pub(crate) struct NoPort(pub(crate) String);

/// Asks one thing.
#[derive(Debug)]
pub(crate) struct Asker {
    checker: Checker,
    timeout: Duration,
    surroundings: Arc<Surroundings>,
}

/// What a job wants to have asked; nothing if that is a page, and it has no port named `health`.
///
/// # Errors
/// It is something else, and has no port.
pub(crate) fn choose(
    config: &HealthCheckerConfig,
    ports: &BTreeMap<String, u16>,
) -> Result<Option<Checker>, NoPort> {
    let number = |name: &String| ports.get(name).copied().ok_or_else(|| NoPort(name.clone()));
    if let Some(shell) = &config.shell {
        return Ok(Some(Checker::Shell(shell.shell_command.clone())));
    }
    if let Some(grpc) = &config.grpc {
        let (port, service) = (number(&grpc.port)?, grpc.service.clone());
        return Ok(Some(Checker::Grpc { port, service }));
    }
    if let Some(tcp) = &config.tcp {
        return Ok(Some(Checker::Tcp(number(&tcp.port)?)));
    }
    let page = config.http.clone().unwrap_or_default();
    Ok(ports.get(HEALTH_PORT).map(|port| Checker::Http { port: *port, page }))
}

/// The same where a job has said that it wants something asked.
///
/// # Errors
/// It has no port that could be asked.
pub(crate) fn choose_one(
    config: &HealthCheckerConfig,
    ports: &BTreeMap<String, u16>,
) -> Result<Checker, NoPort> {
    choose(config, ports)?.ok_or_else(|| NoPort(HEALTH_PORT.to_owned()))
}

impl Asker {
    /// Asks each time for at most `timeout_secs`.
    pub(crate) fn new(
        checker: Checker,
        timeout_secs: f64,
        surroundings: Arc<Surroundings>,
    ) -> Self {
        Self { checker, timeout: seconds(timeout_secs), surroundings }
    }

    /// Asks once. While the task snoozes, the answer is right and nothing is asked.
    ///
    /// # Errors
    /// The task is not well; why, for people.
    pub(crate) async fn ask(&self) -> Result<(), String> {
        if is_snoozed(&self.surroundings.sandbox) {
            tracing::info!("snoozing: the check counts as passed");
            return Ok(());
        }
        match &self.checker {
            Checker::Shell(command) => {
                shell::check(command, self.timeout, &self.surroundings).await
            }
            Checker::Grpc { port, service } => grpc::check(*port, service, self.timeout).await,
            Checker::Tcp(port) => connects(*port, self.timeout).await,
            Checker::Http { port, page } => {
                let answer = http::get(*port, &page.endpoint, self.timeout).await;
                judge(&answer.map_err(|error| error.to_string())?, page)
            }
        }
    }
}

/// Looks without following a link: the sandbox is its job's, who may put anything there.
fn is_snoozed(sandbox: &OwnedFd) -> bool {
    statat(sandbox.as_fd(), SNOOZE, AtFlags::SYMLINK_NOFOLLOW)
        .is_ok_and(|found| FileType::from_raw_mode(found.st_mode) == FileType::RegularFile)
}

async fn connects(port: u16, timeout: Duration) -> Result<(), String> {
    let why = match tokio::time::timeout(timeout, http::connect(port)).await {
        Ok(Ok(_connection)) => return Ok(()),
        Ok(Err(error)) => error.to_string(),
        Err(_late) => "Error within timeout".to_owned(),
    };
    Err(format!("Failed to signal tcp://localhost:{port}: {why}"))
}

fn judge(answer: &Answer, page: &HttpHealthChecker) -> Result<(), String> {
    let body = String::from_utf8_lossy(&answer.body).trim().to_lowercase();
    let expected = &page.expected_response;
    if !expected.is_empty() && body != expected.to_lowercase() {
        let (expected, got) = (short(expected), short(&body));
        return Err(format!(
            "Response differs from expected response (expected \"{expected}\", got \"{got}\")"
        ));
    }
    let code = page.expected_response_code;
    if code != 0 && code != i64::from(answer.status) {
        let got = answer.status;
        return Err(format!(
            "Response code differs from expected response (expected {code}, got {got})"
        ));
    }
    Ok(())
}

fn short(text: &str) -> String {
    let escape = |char: char| if char.is_control() { '\u{fffd}' } else { char };
    if text.chars().nth(SHORT).is_none() {
        return text.chars().map(escape).collect();
    }
    text.chars().take(SHORT - 2).map(escape).chain("...".chars()).collect()
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    /// Answers by the path: `/STATUS/BODY`, with `_` for a blank.
    async fn server() -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, port));
            }
        });
        port
    }

    async fn serve(mut stream: TcpStream, port: u16) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            if stream.read_buf(&mut head).await.unwrap() == 0 {
                return;
            }
        }
        let head = String::from_utf8(head).unwrap();
        let path = head.split_whitespace().nth(1).unwrap();
        let mut parts = path.trim_start_matches('/').splitn(2, '/');
        let (status, rest) = (parts.next().unwrap(), parts.next().unwrap_or_default());
        let answer = match status {
            "slow" => return drop(stream.read_buf(&mut Vec::new()).await),
            "reset" => return stream.set_zero_linger().unwrap(),
            "endless" => {
                let head = "HTTP/1.1 200 OK\r\n\r\nok";
                stream.write_all(head.as_bytes()).await.unwrap();
                while stream.write_all(&[b' '; 4096]).await.is_ok() {}
                return;
            }
            "302" | "307" => {
                let rest = rest.replace("PORT", &port.to_string());
                format!("HTTP/1.1 {status} X\r\nLocation: {rest}\r\nContent-Length: 0\r\n\r\n")
            }
            _ => {
                let body = rest.replace('_', " ");
                let length = body.len();
                format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n{body}")
            }
        };
        // Who has heard enough may be gone.
        let _ = stream.write_all(answer.as_bytes()).await;
    }

    async fn ask(port: u16, path: &str, expected: &str, code: i64) -> Result<(), String> {
        let page = HttpHealthChecker {
            endpoint: path.to_owned(),
            expected_response: expected.to_owned(),
            expected_response_code: code,
        };
        let answer = http::get(port, path, Duration::from_secs(20)).await;
        judge(&answer.map_err(|error| error.to_string())?, &page)
    }

    #[tokio::test]
    async fn answers_mean_what_they_meant_to_the_original() {
        let port = server().await;
        let differs = |expected: &str, got: &str| {
            format!(
                "Response differs from expected response (expected \"{expected}\", got \"{got}\")"
            )
        };
        let code = |expected: u16, got: u16| {
            format!("Response code differs from expected response (expected {expected}, got {got})")
        };
        let long = format!("/200/{}", "x".repeat(50));
        let far = format!("/302/http://localhost:{port}/200/ok");
        for (path, expected, wanted_code, result) in [
            ("/200/OK_", "ok", 0, None),
            ("/200/OK_", "OK", 0, None),
            ("/200/not_ok", "ok", 0, Some(differs("ok", "not ok"))),
            (&long, "averylongexpected", 0, Some(differs("averylo...", "xxxxxxx..."))),
            ("/200/not_ok", "", 0, None),
            ("/500/ok", "", 0, None),
            ("/500/ok", "ok", 0, Some(differs("ok", ""))),
            ("/404", "", 200, Some(code(200, 404))),
            ("/503", "", 503, None),
            ("/201/ok", "ok", 200, Some(code(200, 201))),
            ("/302//200/ok", "ok", 0, None),
            ("/302//307//200/ok", "ok", 200, None),
            (&far, "ok", 0, None),
            ("/endless", "ok", 0, None),
        ] {
            let got = ask(port, path, expected, wanted_code).await;
            assert_eq!(got.err(), result, "{path} {expected} {wanted_code}");
        }
    }

    #[tokio::test]
    async fn no_other_server_is_asked_and_nobody_for_ever() {
        let port = server().await;
        for there in ["http://example.com/200/ok", "https://localhost:PORT/200/ok", "//a/200/ok"] {
            let error = ask(port, &format!("/302/{there}"), "ok", 0).await.unwrap_err();
            assert!(error.contains("not on the same port"), "{error}");
        }
        let around = "/302/".repeat(30) + "/200/ok";
        let error = ask(port, &around, "ok", 0).await.unwrap_err();
        assert!(error.ends_with(": it leads on and on"), "{error}");
    }

    #[tokio::test]
    async fn what_gives_no_answer_is_told_with_its_address() {
        let port = server().await;
        let refusing = {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            listener.local_addr().unwrap().port()
        };
        let asked = |port: u16, path: &str, secs: u64| {
            let path = path.to_owned();
            async move { http::get(port, &path, Duration::from_millis(secs)).await.unwrap_err() }
        };
        let slow = asked(port, "slow", 50).await.to_string();
        let told = format!("Failed to signal http://localhost:{port}/slow: Error within timeout");
        assert_eq!(slow, told);
        let refused = asked(refusing, "/health", 20_000).await.to_string();
        let told =
            format!("Failed to signal http://localhost:{refusing}/health: Connection refused");
        assert!(refused.starts_with(&told), "{refused}");
        let reset = asked(port, "/reset", 20_000).await.to_string();
        assert!(reset.contains("reset") || reset.contains("closed"), "{reset}");
        assert_eq!(http::post(port, "/404", Duration::from_secs(20)).await.unwrap(), 404);
    }

    #[tokio::test]
    async fn a_port_that_takes_connections_is_well_and_one_that_does_not_is_told() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let timeout = Duration::from_secs(20);
        connects(port, timeout).await.unwrap();
        drop(listener);
        let why = connects(port, timeout).await.unwrap_err();
        let begins = format!("Failed to signal tcp://localhost:{port}: Connection refused");
        assert!(why.starts_with(&begins), "{why}");
    }

    #[test]
    fn one_thing_is_asked_and_what_has_no_port_is_named() {
        let ports = BTreeMap::from([("health".to_owned(), 7), ("db".to_owned(), 8)]);
        let chosen = |json: &str, ports: &BTreeMap<String, u16>| {
            choose(&serde_json::from_str(json).unwrap(), ports).map_err(|NoPort(name)| name)
        };
        let shell = r#""shell": {"shell_command": "true"}"#;
        let grpc = r#""grpc": {"port": "db", "service": "s"}"#;
        let tcp = r#""tcp": {"port": "db"}"#;
        let http = r#""http": {"endpoint": "/h"}"#;
        let page = HttpHealthChecker { endpoint: "/h".to_owned(), ..Default::default() };
        let none = BTreeMap::new();
        let command = Checker::Shell("true".to_owned());
        let server = Checker::Grpc { port: 8, service: "s".to_owned() };
        for (json, ports, expected) in [
            (format!("{{{http}, {tcp}, {grpc}, {shell}}}"), &none, Ok(Some(command))),
            (format!("{{{http}, {tcp}, {grpc}}}"), &ports, Ok(Some(server))),
            (format!("{{{http}, {grpc}}}"), &none, Err("db".to_owned())),
            (format!("{{{http}, {tcp}}}"), &ports, Ok(Some(Checker::Tcp(8)))),
            (format!("{{{tcp}}}"), &none, Err("db".to_owned())),
            (format!("{{{http}}}"), &ports, Ok(Some(Checker::Http { port: 7, page }))),
            (
                "{}".to_owned(),
                &ports,
                Ok(Some(Checker::Http { port: 7, page: HttpHealthChecker::default() })),
            ),
            (format!("{{{http}}}"), &none, Ok(None)),
        ] {
            assert_eq!(chosen(&json, ports), expected, "{json}");
        }
        let NoPort(name) = choose_one(&serde_json::from_str("{}").unwrap(), &none).unwrap_err();
        assert_eq!(name, "health");
    }
}
