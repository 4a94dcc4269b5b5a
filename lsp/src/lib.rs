//! The language server of `.aurora` files (LSP 3.17): the protocol around `aurora-ide`.
//!
//! What is known of files is worked out there; here are the conversion of values, what the client
//! holds, the order of things, and what runs beside requests: evaluation and the files on disk.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a shell crate: it talks to an editor, reads files and waits"
)]

mod changes;
mod client;
mod cluster;
mod commands;
mod convert;
mod diagnostics;
mod features;
mod library;
mod log;
mod server;
mod settings;
mod state;
mod transport;
mod watch;

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tower_lsp::LspService;

pub use crate::cluster::{Asking, Offline, Place, Role, Roles, Schedulers, Trouble};
use crate::log::Log;
use crate::server::Server;
use crate::state::Core;
pub use crate::transport::Ended;

/// How many threads work out what requests ask for, beside those of commands, which evaluate files.
const WORKERS: usize = 4;
/// The stack of each. Trees are walked recursively.
const STACK: usize = 8 << 20;

/// What the server is told by whoever starts it.
pub struct Options {
    /// Who the files find to be their user.
    pub user: String,
    /// Where copies of the library's modules and of the pages about errors are put.
    pub cache: Option<PathBuf>,
    /// Where requests and their times are written.
    pub log: Option<File>,
    /// Where the pages about errors are on the web, if they are.
    pub pages: Option<&'static str>,
    /// The program that commands run: this one.
    pub program: PathBuf,
    /// What a job is, as text for people.
    pub inspect: fn(&aurora_model::config::Job) -> String,
    /// The names of the clusters of a clusters.json, or of those that the client's commands read.
    pub clusters: fn(Option<&Path>) -> Result<Vec<String>, String>,
    /// The way to schedulers. They are asked by commands, and if the user has set so.
    pub schedulers: Arc<dyn Schedulers>,
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options").field("user", &self.user).finish_non_exhaustive()
    }
}

/// Serves a client until it says `exit`, or until the input or the output ends.
///
/// # Errors
/// The threads cannot be started.
pub fn run(
    input: impl Read + Send + 'static,
    output: impl Write + Send + 'static,
    mut options: Options,
) -> std::io::Result<Ended> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(WORKERS + transport::MAX_COMMANDS)
        .thread_stack_size(STACK)
        .thread_name("aurora-lsp")
        .enable_all()
        .build()?;
    let (log, traces) = Log::new(options.log.take());
    let core = Arc::new(Core::new(options, log));
    core.log.line(concat!("aurora ", env!("CARGO_PKG_VERSION"), " lsp starts"));
    let evaluating = core.clone();
    let evaluator = std::thread::Builder::new()
        .name("aurora-evaluate".to_owned())
        .stack_size(STACK)
        .spawn(move || diagnostics::evaluate_all(&evaluating))?;
    let (jobs, to_do) = std::sync::mpsc::channel();
    let watching = core.clone();
    std::thread::Builder::new()
        .name("aurora-files".to_owned())
        .stack_size(STACK)
        .spawn(move || watch::work(&watching, &to_do))?;
    let (out, is_written) = transport::write_to(output);
    let incoming = transport::read_from(input);
    let serving = core.clone();
    let ended = runtime.block_on(async move {
        let mut started = Ok(());
        let (service, socket) = LspService::build(|client| {
            started = server::start(&client, &serving, traces);
            Server::new(client, serving.clone(), jobs)
        })
        .custom_method("$/setTrace", Server::set_trace)
        .finish();
        started?;
        Ok(transport::serve(service, socket, incoming, out, serving.log.clone()).await)
    });
    core.stop();
    runtime.shutdown_background();
    transport::written(&is_written);
    if evaluator.is_finished() {
        // It has nothing to say but a panic, which was written.
        let _ = evaluator.join();
    }
    core.log.line("ended");
    ended
}
