//! What code lenses start: `workspace/executeCommand`.
//!
//! Each takes one argument, `{"uri": "file:///…", "job": "cluster/role/environment/name"}`; the job may
//! be left out where the file has one. The result is `{"title", "text", "ok"}`. A client that says
//! `capabilities.experimental.auroraResults` shows it by itself; for others it is opened as a document,
//! or told as a message.
//!
//! What a job means, and how it differs from what runs, is told of the texts on the screen; what is
//! deployed is on disk.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use aurora_eval::{Cancel, Disk, Engine, ReadyJob};
use aurora_ide::FileId;
use aurora_model::key::ClusterJobKey;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tower_lsp::Client as Connection;
use tower_lsp::jsonrpc::{Error, Result};
use tower_lsp::lsp_types::{ExecuteCommandParams, MessageType, ShowDocumentParams, Url};

use crate::cluster::{Place, clusters};
use crate::convert::View;
use crate::diagnostics::options;
use crate::server::Server;
use crate::settings::Settings;
use crate::state::Core;

/// The commands.
pub(crate) const NAMES: [&str; 4] =
    ["aurora.inspect", "aurora.diff", "aurora.deploy", "aurora.status"];
/// For how long what asks a scheduler may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How much of what it says is given back.
const MAX_OUTPUT: u64 = 1 << 20;

/// What a command came to.
#[derive(Debug, Clone, Serialize)]
struct Outcome {
    title: String,
    text: String,
    ok: bool,
}

/// Carries out a command.
pub(crate) async fn run(
    server: &Server,
    connection: &Connection,
    params: ExecuteCommandParams,
) -> Result<Option<Value>> {
    let view = server.core.view();
    let argument = params.arguments.first().cloned().unwrap_or_default();
    let uri = argument.get("uri").and_then(Value::as_str).and_then(|uri| Url::parse(uri).ok());
    let Some(uri) = uri else {
        return Err(Error::invalid_params("the argument must have the uri of a file"));
    };
    let key = match argument.get("job") {
        None | Some(Value::Null) => None,
        Some(key) => Some(
            key.as_str()
                .and_then(|key| key.parse::<ClusterJobKey>().ok())
                .ok_or_else(|| Error::invalid_params(format!("{key} is no job key")))?,
        ),
    };
    let file = server.core.file_id(&uri);
    let asked = Asked { core: server.core.clone(), view, file, key };
    let outcome = match params.command.as_str() {
        "aurora.inspect" => asked.inspect(server).await?,
        "aurora.diff" => asked.diff(server).await?,
        "aurora.deploy" => asked.deploy(server).await?,
        "aurora.status" => asked.status(server).await?,
        other => return Err(Error::invalid_params(format!("there is no command {other}"))),
    };
    show(server, connection, &outcome).await;
    Ok(Some(json!(outcome)))
}

/// A command's job.
#[derive(Clone)]
struct Asked {
    core: Arc<Core>,
    view: View,
    file: FileId,
    /// [`None`] for the only one of the file.
    key: Option<ClusterJobKey>,
}

impl Asked {
    /// Shows the job as it would be submitted.
    async fn inspect(self, server: &Server) -> Result<Outcome> {
        let inspect = self.core.options.inspect;
        Ok(match self.job(server).await? {
            Ok(job) => {
                let title = job.key().to_string();
                Outcome { title, text: inspect(&job.config), ok: true }
            }
            Err(text) => self.failed("inspect", text),
        })
    }

    /// Compares the job with what runs.
    async fn diff(self, server: &Server) -> Result<Outcome> {
        let job = match self.job(server).await? {
            Ok(job) => job,
            Err(text) => return Ok(self.failed("diff", text)),
        };
        let key = job.key();
        let title = format!("diff {key}");
        let place = Place { cluster: key.cluster.clone(), clusters: clusters(&self.view.settings) };
        let comparing = self.core.options.schedulers.compare(place, job);
        let (text, ok) = match tokio::time::timeout(PATIENCE, comparing).await {
            Ok(Ok(text)) => (text, true),
            Ok(Err(trouble)) => (trouble.why().to_owned(), false),
            Err(_) => {
                let seconds = PATIENCE.as_secs();
                (format!("cluster {} did not answer within {seconds} seconds", key.cluster), false)
            }
        };
        Ok(Outcome { title, text, ok })
    }

    /// Creates the job.
    async fn deploy(self, server: &Server) -> Result<Outcome> {
        let here = self.clone();
        let unsaved = server.work(move || here.unsaved().cloned()).await?;
        if let Some(id) = unsaved {
            let text = format!("save {id} first: the scheduler is told what is on disk");
            return Ok(self.failed("deploy", text));
        }
        let (set, user) = (&self.view.settings.user, &self.core.options.user);
        if !set.is_empty() && set != user {
            let text = format!(
                "the setting aurora.user shows the file as {set} would have it; only {user} can deploy \
                 from here: take the setting away first"
            );
            return Ok(self.failed("deploy", text));
        }
        let outcome = self.child(server, "create", &[self.file.name()]).await?;
        self.core.lookout.has_acted();
        Ok(outcome)
    }

    /// Shows the tasks of the job.
    async fn status(self, server: &Server) -> Result<Outcome> {
        self.child(server, "status", &[]).await
    }

    /// Runs `aurora job` with the job's key.
    async fn child(&self, server: &Server, verb: &str, more: &[&str]) -> Result<Outcome> {
        let key = match &self.key {
            Some(key) => key.clone(),
            None => match self.job(server).await? {
                Ok(job) => job.key(),
                Err(text) => return Ok(self.failed(verb, text)),
            },
        };
        let key = key.to_string();
        let mut words = vec!["job", verb, &key];
        words.extend(more);
        Ok(child(&self.core.options.program, &words, &self.view.settings).await)
    }

    fn failed(&self, verb: &str, text: String) -> Outcome {
        let about = self.key.as_ref().map_or_else(|| self.file.to_string(), ToString::to_string);
        Outcome { title: format!("{verb} {about}"), text, ok: false }
    }

    /// The job as it would be submitted, with the texts that are on the screen; or what is wrong.
    async fn job(&self, server: &Server) -> Result<std::result::Result<ReadyJob, String>> {
        let here = self.clone();
        let waiting = Waiting(Cancel::default());
        let cancel = waiting.0.clone();
        server
            .work(move || {
                here.ready(&cancel).map_err(|report| {
                    report.findings().iter().map(in_words).collect::<Vec<_>>().join("\n")
                })
            })
            .await
    }

    fn ready(&self, cancel: &Cancel) -> std::result::Result<ReadyJob, aurora_eval::Report> {
        let (view, user) = (&self.view, &self.core.options.user);
        let options = options(&self.file, &view.settings, user, cancel)?;
        let user = options.inputs.user.clone();
        let loader = aurora_ide::evaluated::Overlay::new(&view.world, &Disk);
        let config = Engine::default().evaluate(self.file.path(), &loader, &options)?;
        let job = self.key.as_ref().map_or_else(|| config.only(), |key| config.find(key))?;
        job.ready_by_tags(&user)
    }

    /// A file of the job whose text on the screen is not what other programs read on disk.
    fn unsaved(&self) -> Option<&FileId> {
        let world = &self.view.world;
        world.open_files().find(|id| {
            let Some(source) = world.file(id) else { return false };
            let is_part = **id == self.file || world.mains_of(id).contains(&self.file);
            is_part
                && !std::fs::read_to_string(id.path())
                    .is_ok_and(|disk| is_same(&disk, &source.text))
        })
    }
}

/// Whether two texts differ in no more than what editors take away when they read a file: a byte order
/// mark, and ends of lines that are not like the others.
fn is_same(disk: &str, screen: &str) -> bool {
    let plain = |text: &str| {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        text.replace("\r\n", "\n").replace('\r', "\n")
    };
    disk == screen || plain(disk) == plain(screen)
}

/// Ends an evaluation when nobody waits for it any more.
struct Waiting(Cancel);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

fn in_words(finding: &aurora_eval::Finding) -> String {
    let place = finding.location.as_ref().map(|place| {
        let start = place.start;
        format!("{}:{}:{}: ", place.file, start.line, start.column)
    });
    let help = finding.help.as_ref().map(|help| format!("\n  {help}"));
    format!("{}{}{}", place.unwrap_or_default(), finding.message, help.unwrap_or_default())
}

/// Runs this program with other words, and gives what it says.
async fn child(program: &Path, words: &[&str], settings: &Settings) -> Outcome {
    let title = format!("aurora {}", words.join(" "));
    let failed = |text: String| Outcome { title: title.clone(), text, ok: false };
    let mut command = Command::new(program);
    command.args(words);
    // Only what reads a file is told what files may see.
    if words.get(1) != Some(&"status") {
        for (name, value) in &settings.env {
            command.args(["--env", name]).env(name, value);
        }
        for binding in &settings.bindings {
            command.args(["--bind", &format!("{}={}", binding.address, binding.value)]);
        }
    }
    if let Some(file) = clusters(settings) {
        command.env("AURORA_CLUSTERS", file);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return failed(format!("cannot start {}: {error}", program.display())),
    };
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let run = async { tokio::join!(read(out), read(err), child.wait()) };
    match tokio::time::timeout(PATIENCE, run).await {
        Ok((out, err, Ok(status))) => Outcome {
            title: title.clone(),
            text: [out, err].into_iter().filter(|text| !text.is_empty()).collect(),
            ok: status.success(),
        },
        Ok((.., Err(error))) => failed(format!("cannot wait for its end: {error}")),
        Err(_) => failed(format!("it took longer than {} seconds", PATIENCE.as_secs())),
    }
}

async fn read(from: Option<impl AsyncRead + Unpin>) -> String {
    let mut bytes = Vec::new();
    if let Some(from) = from {
        let mut from = from.take(MAX_OUTPUT);
        // What could be read of it is what there is.
        let _ = from.read_to_end(&mut bytes).await;
        let _ = tokio::io::copy(&mut from.into_inner(), &mut tokio::io::sink()).await;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Shows what a command came to, if the client does not do so by itself.
async fn show(server: &Server, connection: &Connection, outcome: &Outcome) {
    let client = server.core.client();
    if client.shows_results {
        return;
    }
    if client.show_document
        && let Some(path) = server.core.library.result(&outcome.title, &outcome.text)
        && let Ok(uri) = Url::from_file_path(path)
    {
        let document = ShowDocumentParams {
            uri,
            external: Some(false),
            take_focus: Some(true),
            selection: None,
        };
        // The client answers when it likes.
        let connection = connection.clone();
        tokio::spawn(async move { connection.show_document(document).await });
        return;
    }
    let kind = if outcome.ok { MessageType::INFO } else { MessageType::ERROR };
    connection.show_message(kind, format!("{}\n{}", outcome.title, outcome.text)).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_editors_take_away_is_no_change() {
        for (disk, screen, wanted) in [
            ("a\nb\n", "a\nb\n", true),
            ("\u{feff}a\n", "a\n", true),
            ("a\r\nb\n", "a\nb\n", true),
            ("a\nb\n", "a\nb", false),
            ("a\n", "b\n", false),
        ] {
            assert_eq!(is_same(disk, screen), wanted, "{disk:?} {screen:?}");
        }
    }
}
