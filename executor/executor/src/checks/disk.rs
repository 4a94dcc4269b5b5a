//! How much of the disk a task uses (`executor.md` 15.4).

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use aurora_thermos::disk;
use tokio_util::sync::CancellationToken;

use super::{Say, Verdict};

/// How often it is looked.
const INTERVAL: Duration = Duration::from_secs(60);

/// Looks until told to stop, or until the sandbox holds more than `limit` bytes.
pub(crate) async fn watch(limit: u64, sandbox: Arc<OwnedFd>, say: Say, stop: CancellationToken) {
    loop {
        let (folder, stopped) = (sandbox.clone(), stop.clone());
        let walk = tokio::task::spawn_blocking(move || {
            disk::used(&folder, None, || stopped.is_cancelled())
        });
        let walked = tokio::select! {
            () = stop.cancelled() => return,
            walked = walk => walked,
        };
        match walked {
            Ok(Ok(None)) => return,
            Ok(Ok(Some(used))) => {
                if !used.is_all {
                    tracing::warn!("the sandbox holds more files than are looked at");
                }
                if let Some(reason) = exceeded(limit, used.bytes) {
                    say.verdict(Verdict::Failed(reason));
                    return;
                }
            }
            Ok(Err(error)) => tracing::warn!(%error, "failed to look at the sandbox"),
            Err(error) => tracing::error!(%error, "failed to measure the sandbox"),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(INTERVAL) => {}
        }
    }
}

fn exceeded(limit: u64, used: u64) -> Option<String> {
    (used > limit)
        .then(|| format!("Disk limit exceeded.  Reserved {limit} bytes vs used {used} bytes."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s73_more_than_the_limit_is_too_much_and_as_much_is_not() {
        let message = "Disk limit exceeded.  Reserved 1000 bytes vs used 1001 bytes.";
        assert_eq!(exceeded(1000, 1001).as_deref(), Some(message));
        assert_eq!(exceeded(1000, 1000), None);
    }
}
