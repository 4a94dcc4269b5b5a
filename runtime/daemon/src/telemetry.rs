//! Logs: structured, to stderr.

use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Why logs cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter is malformed.
    #[error(
        "invalid log filter {filter:?}: {source}; write something like info,aurora_cluster=debug"
    )]
    Filter {
        /// What was given.
        filter: String,
        /// What is wrong with it.
        source: tracing_subscriber::filter::ParseError,
    },
    /// They have been set up before.
    #[error("logs are set up already")]
    Twice,
    /// There is nothing whose filter could be changed.
    #[error("this process keeps no log")]
    None,
}

/// The filter of this process's log, and how another one is put in its place.
static FILTER: Mutex<Option<(String, Replace)>> = Mutex::new(None);

/// Puts another filter in place; `false` if that cannot be done.
type Replace = Box<dyn Fn(EnvFilter) -> bool + Send>;

/// What is logged; nothing if no log is kept.
pub fn filter() -> Option<String> {
    let held = FILTER.lock().unwrap_or_else(PoisonError::into_inner);
    held.as_ref().map(|(filter, _)| filter.clone())
}

/// Has something else logged from now on.
///
/// # Errors
/// The filter is malformed, or no log is kept.
pub fn set_filter(filter: &str) -> Result<(), TelemetryError> {
    let parsed = parse(filter)?;
    let mut held = FILTER.lock().unwrap_or_else(PoisonError::into_inner);
    match &mut *held {
        Some((shown, replace)) if replace(parsed) => {
            filter.clone_into(shown);
            Ok(())
        }
        _ => Err(TelemetryError::None),
    }
}

fn parse(filter: &str) -> Result<EnvFilter, TelemetryError> {
    EnvFilter::try_new(filter)
        .map_err(|source| TelemetryError::Filter { filter: filter.to_owned(), source })
}

/// Sets logs up for this process. `filter` says what is logged, such as `info` or
/// `warn,aurora_cluster=debug`.
///
/// # Errors
/// The filter is malformed, or logs are set up already.
pub fn init(format: Format, filter: &str) -> Result<(), TelemetryError> {
    let lines = tracing_subscriber::fmt()
        .with_env_filter(parse(filter)?)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_span_events(FmtSpan::NONE);
    let replace: Box<dyn Fn(EnvFilter) -> bool + Send> = match format {
        Format::Text => {
            let lines = lines.with_filter_reloading();
            let handle = lines.reload_handle();
            lines.try_init().map_err(|_| TelemetryError::Twice)?;
            Box::new(move |filter| handle.reload(filter).is_ok())
        }
        Format::Json => {
            let lines = lines.json().flatten_event(true).with_filter_reloading();
            let handle = lines.reload_handle();
            lines.try_init().map_err(|_| TelemetryError::Twice)?;
            Box::new(move |filter| handle.reload(filter).is_ok())
        }
    };
    *FILTER.lock().unwrap_or_else(PoisonError::into_inner) = Some((filter.to_owned(), replace));
    Ok(())
}
