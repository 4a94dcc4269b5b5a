//! The executor as a small program of its own: agents start one for every task.

#![allow(clippy::disallowed_methods, reason = "a program: it reads its environment")]

#[cfg(all(target_env = "gnu", target_feature = "crt-static"))]
mod names;

use std::process::ExitCode;

use aurora_daemon::telemetry;
use clap::Parser;

/// Runs one Aurora task for a Mesos agent, which starts this program.
#[derive(Debug, Parser)]
#[command(name = "aurora-executor", version)]
struct Args {
    #[command(flatten)]
    flags: aurora_executor::Flags,
    /// What is logged, such as info or warn,aurora_thermos=debug.
    #[arg(long, env = "AURORA_LOG", default_value = "info", value_name = "FILTER")]
    log_filter: String,
    /// How log lines look.
    #[arg(long, value_enum, default_value_t, value_name = "FORM")]
    log_format: telemetry::Format,
}

fn main() -> ExitCode {
    #[cfg(all(target_env = "gnu", target_feature = "crt-static"))]
    names::only_from_files();
    let args = Args::parse();
    if let Err(error) = telemetry::init(args.log_format, &args.log_filter) {
        eprintln!("aurora-executor: {error}");
        return ExitCode::FAILURE;
    }
    // One thread: the task's processes end with the thread that starts them.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("aurora-executor: failed to start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(aurora_executor::run(args.flags, std::env::vars_os()));
    // What hangs in a blocking call must not keep the process.
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("aurora-executor: {error}");
            ExitCode::FAILURE
        }
    }
}
