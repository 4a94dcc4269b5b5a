//! Logs: structured, to stderr.

use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};

use tracing_subscriber::filter::{ParseError, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{fmt, registry, reload};

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
        "invalid log filter {filter:?}: {reason}; write something like info,aurora_cluster=debug"
    )]
    Filter {
        /// What was given.
        filter: String,
        /// What is wrong with it.
        reason: String,
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
type Replace = Box<dyn Fn(Targets) -> bool + Send>;

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

fn parse(filter: &str) -> Result<Targets, TelemetryError> {
    let wrong = |reason: String| TelemetryError::Filter { filter: filter.to_owned(), reason };
    if filter.contains(['[', '{']) {
        return Err(wrong("spans cannot be chosen".to_owned()));
    }
    let parts: Vec<&str> =
        filter.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
    if parts.is_empty() {
        return Err(wrong("it names nothing".to_owned()));
    }
    parts.join(",").parse().map_err(|error: ParseError| wrong(error.to_string()))
}

/// Sets logs up for this process. `filter` says what is logged, such as `info` or
/// `warn,aurora_cluster=debug`.
///
/// # Errors
/// The filter is malformed, or logs are set up already.
pub fn init(format: Format, filter: &str) -> Result<(), TelemetryError> {
    let (targets, handle) = reload::Layer::new(parse(filter)?);
    let lines =
        fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    let subscriber = registry().with(targets);
    let set = match format {
        Format::Text => subscriber.with(lines).try_init(),
        Format::Json => subscriber.with(lines.json().flatten_event(true)).try_init(),
    };
    set.map_err(|_| TelemetryError::Twice)?;
    let replace: Replace = Box::new(move |targets| handle.reload(targets).is_ok());
    *FILTER.lock().unwrap_or_else(PoisonError::into_inner) = Some((filter.to_owned(), replace));
    Ok(())
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::filter::LevelFilter;

    use super::parse;

    #[test]
    fn a_filter_names_targets_and_levels_and_nothing_else() {
        let filter = parse(" info,,aurora_cluster=debug, ").unwrap();
        let expected = [(Some("aurora_cluster"), LevelFilter::DEBUG), (None, LevelFilter::INFO)];
        let mut found: Vec<_> =
            filter.iter().map(|(target, level)| (Some(target), level)).collect();
        found.push((None, filter.default_level().unwrap()));
        assert_eq!(found, expected);
        for (wrong, why) in [
            ("", "it names nothing"),
            (",", "it names nothing"),
            ("info,[job]=debug", "spans cannot be chosen"),
            ("aurora_cluster=loud", "write something like info,aurora_cluster=debug"),
        ] {
            let error = parse(wrong).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
