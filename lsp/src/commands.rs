//! What code lenses start: `workspace/executeCommand`.
//!
//! Each takes one argument, `{"uri": "file:///…", "job": "cluster/role/environment/name"}`; the job may
//! be left out where the file has one. The result is `{"title", "text", "ok"}`. A client that says
//! `capabilities.experimental.auroraResults` shows it by itself; for others it is opened as a document,
//! or told as a message.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use aurora_eval::{Cancel, Disk, Engine};
use aurora_model::key::ClusterJobKey;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tower_lsp::Client as Connection;
use tower_lsp::jsonrpc::{Error, Result};
use tower_lsp::lsp_types::{ExecuteCommandParams, MessageType, ShowDocumentParams, Url};

use crate::convert::View;
use crate::diagnostics::options;
use crate::server::Server;
use crate::settings::Settings;
use crate::state::Core;

/// The commands.
pub(crate) const NAMES: [&str; 3] = ["aurora.inspect", "aurora.diff", "aurora.deploy"];
/// For how long a program that asks a scheduler may take.
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
    let core = server.core.clone();
    let outcome = match params.command.as_str() {
        "aurora.inspect" => server.work(move || inspect(&core, &view, &file, key.as_ref())).await?,
        "aurora.diff" | "aurora.deploy" => {
            let word = if params.command == "aurora.diff" { "diff" } else { "create" };
            let found = {
                let (view, file) = (view.clone(), file.clone());
                server.work(move || saved(&core, &view, &file, key.as_ref())).await?
            };
            match found {
                Ok(key) => {
                    let words = ["job", word, &key.to_string(), file.name()];
                    child(&server.core.options.program, &words, &view.settings).await
                }
                Err(reason) => Outcome { title: params.command.clone(), text: reason, ok: false },
            }
        }
        other => return Err(Error::invalid_params(format!("there is no command {other}"))),
    };
    show(server, connection, &outcome).await;
    Ok(Some(json!(outcome)))
}

/// Shows the job as it would be submitted, with the text that is on the screen.
fn inspect(
    core: &Core,
    view: &View,
    file: &aurora_ide::FileId,
    key: Option<&ClusterJobKey>,
) -> Outcome {
    let failed = |report: &aurora_eval::Report| Outcome {
        title: format!("inspect {}", key.map_or_else(|| file.to_string(), ToString::to_string)),
        text: report.findings().iter().map(in_words).collect::<Vec<_>>().join("\n"),
        ok: false,
    };
    let options = match options(file, &view.settings, &core.options.user, &Cancel::default()) {
        Ok(options) => options,
        Err(report) => return failed(&report),
    };
    let user = options.inputs.user.clone();
    let loader = aurora_ide::evaluated::Overlay::new(&view.world, &Disk);
    let config = Engine::default().evaluate(file.path(), &loader, &options);
    let ready = config.and_then(|config| {
        let job = key.map_or_else(|| config.only(), |key| config.find(key))?;
        job.ready(&user)
    });
    match ready {
        Ok(job) => Outcome {
            title: job.key().to_string(),
            text: (core.options.inspect)(&job.config),
            ok: true,
        },
        Err(report) => failed(&report),
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

/// The job that is meant, if what is on the screen is what other programs read on disk.
fn saved(
    core: &Core,
    view: &View,
    file: &aurora_ide::FileId,
    key: Option<&ClusterJobKey>,
) -> std::result::Result<ClusterJobKey, String> {
    for id in view.world.open_files() {
        let Some(source) = view.world.file(id) else { continue };
        let is_part = id == file || view.world.mains_of(id).contains(file);
        if is_part && std::fs::read(id.path()).ok().as_deref() != Some(source.text.as_bytes()) {
            return Err(format!("save {id} first: the scheduler is told what is on disk"));
        }
    }
    if let Some(key) = key {
        return Ok(key.clone());
    }
    let options = options(file, &view.settings, &core.options.user, &Cancel::default());
    let found = options.and_then(|options| {
        let config = Engine::default().evaluate(file.path(), &Disk, &options)?;
        Ok(config.only()?.ready(&options.inputs.user)?.key())
    });
    found.map_err(|report| report.findings().iter().map(in_words).collect::<Vec<_>>().join("\n"))
}

/// Runs this program with other words, and gives what it says.
async fn child(program: &Path, words: &[&str], settings: &Settings) -> Outcome {
    let title = format!("aurora {}", words.join(" "));
    let failed = |text: String| Outcome { title: title.clone(), text, ok: false };
    let mut command = Command::new(program);
    command.args(words);
    for (name, value) in &settings.env {
        command.args(["--env", name]).env(name, value);
    }
    if let Some(root) = clusters_root(settings) {
        command.env("AURORA_CONFIG_ROOT", root);
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

/// The folder whose clusters.json the client's commands are to read, if one is set.
fn clusters_root(settings: &Settings) -> Option<PathBuf> {
    let path = Path::new(&settings.clusters);
    path.ends_with("clusters.json").then(|| path.parent().map(Path::to_owned)).flatten()
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
