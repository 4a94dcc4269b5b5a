//! Questions on a terminal.

use std::io::BufRead as _;

use crate::failure::{Code, Failure};

/// The line that somebody types after a question; empty at the end of the input. It is waited for beside everything
/// else, such as a signal.
pub(crate) async fn answer(question: &str) -> Result<String, Failure> {
    let failed = |error: &dyn std::fmt::Display| {
        Failure::new(Code::Error, format!("failed to read from the terminal: {error}"))
    };
    // A terminal shows it though no line has ended; and whoever wants to be told nothing is asked all the same.
    anstream::eprint!("{question}");
    let read = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).map(|_| line)
    });
    read.await.map_err(|error| failed(&error))?.map_err(|error| failed(&error))
}

/// Whether an answer is a yes.
pub(crate) fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}
