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
