//! The executor as a small program of its own: agents start one for every task.

#![allow(clippy::disallowed_methods, reason = "a program: it reads its environment")]

use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

/// Runs one Aurora task for a Mesos agent, which starts this program.
#[derive(Debug, Parser)]
#[command(name = "aurora-executor", version)]
struct Args {
    #[command(flatten)]
    flags: aurora_executor::Flags,
    /// What is logged, such as `info` or `debug`.
    #[arg(long, env = "AURORA_LOG", default_value = "info")]
    log_filter: String,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let filter = EnvFilter::try_new(&args.log_filter).unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    // One thread: the task's processes end with the thread that starts them.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("aurora-executor: failed to start: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(aurora_executor::run(args.flags, std::env::vars())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("aurora-executor: {error}");
            ExitCode::FAILURE
        }
    }
}
