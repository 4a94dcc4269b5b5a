//! What commands tell beside their results (`client.md` 2): lines on standard error, as the original's.

use std::fmt;
use std::io;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use crate::live::above;

/// From now on lines are told: those of how calls do, or with `is_verbose` of each of them.
pub(crate) fn init(is_verbose: bool) {
    let (ours, zookeeper, others) = if is_verbose {
        (LevelFilter::DEBUG, LevelFilter::DEBUG, LevelFilter::WARN)
    } else {
        (LevelFilter::INFO, LevelFilter::ERROR, LevelFilter::OFF)
    };
    let targets = Targets::new()
        .with_target("aurora", ours)
        .with_target("aurora_client", ours)
        .with_target("aurora_zookeeper", zookeeper)
        .with_default(others);
    let lines = tracing_subscriber::fmt::layer().with_writer(|| Beside).event_format(Lines);
    // Nobody has set logs up before: this is called once, by commands that do not.
    let _ = tracing_subscriber::registry().with(targets).with(lines).try_init();
}

/// The standard error, above whatever view is drawn there.
struct Beside;

impl io::Write for Beside {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut written = Ok(());
        above(|| written = io::stderr().lock().write_all(bytes));
        written.map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().lock().flush()
    }
}

/// ` WARN] text`.
struct Lines;

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let level = match *event.metadata().level() {
            Level::ERROR => "ERROR",
            Level::WARN => "WARN",
            Level::INFO => "INFO",
            _ => "DEBUG",
        };
        write!(writer, "{level:>5}] ")?;
        context.format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}
