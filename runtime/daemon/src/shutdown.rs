//! Being told to stop.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// What the signals of this process have said so far.
#[derive(Debug, Clone)]
pub struct Signals {
    /// Cancelled by the first SIGINT or SIGTERM: stop in good order.
    pub stop: CancellationToken,
    /// Cancelled by the second: stop at once.
    pub force: CancellationToken,
}

/// Takes over SIGINT and SIGTERM of this process. SIGHUP of a lost terminal counts too.
///
/// # Errors
/// The handlers cannot be set.
pub fn signals() -> std::io::Result<Signals> {
    let signals = Signals { stop: CancellationToken::new(), force: CancellationToken::new() };
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let shared = signals.clone();
    tokio::spawn(async move {
        for token in [&shared.stop, &shared.force] {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
            token.cancel();
        }
    });
    Ok(signals)
}
