//! Commands that wait for several things at a time.

use crate::failure::{Code, Failure};

/// Runs a command to its end, on this thread.
pub(crate) fn block_on<T>(command: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| Failure::new(Code::Error, format!("failed to start: {error}")))?;
    let result = runtime.block_on(command);
    // What hangs in a blocking call must not keep the process.
    runtime.shutdown_background();
    result
}

/// Runs a command until it ends or Ctrl-C is pressed.
pub(crate) fn block_on_until_interrupted<T>(
    command: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    block_on(async {
        tokio::select! {
            // First, so that Ctrl-C ends by itself what comes before anything is waited for.
            biased;
            result = command => result,
            Ok(()) = tokio::signal::ctrl_c() => Err(Failure::new(
                Code::Interrupted,
                "interrupted: what was begun goes on, and nothing more is begun",
            )),
        }
    })
}
