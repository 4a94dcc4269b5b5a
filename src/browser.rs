//! Showing a page in the user's browser.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::failure::{Code, Failure};
use crate::output::warn;

/// How long is waited for the browser to say whether it could be started. One that goes on longer shows the
/// page.
const PATIENCE: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(10);
/// What is tried where $BROWSER says nothing.
const OPENERS: [&str; 3] = ["xdg-open", "x-www-browser", "open"];

/// Whether the page is shown besides.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct OpenBrowser {
    /// Show the page of it in a browser afterwards: the one that $BROWSER names, or the system's.
    #[arg(long)]
    open_browser: bool,
}

impl OpenBrowser {
    /// Whether it is.
    pub(crate) fn is_wanted(self) -> bool {
        self.open_browser
    }

    /// Shows the page if that is wanted. What was done has been done, whether or not it can be shown.
    pub(crate) fn show(self, page: &str) {
        if self.open_browser
            && let Err(failure) = open(page)
        {
            warn(&failure.to_string());
        }
    }
}

/// Shows a page. `$BROWSER` is a list of commands with colons between them, the first that works is taken;
/// `%s` in one stands for the page, which is its last word otherwise.
pub(crate) fn open(page: &str) -> Result<(), Failure> {
    let named = std::env::var("BROWSER").unwrap_or_default();
    let named: Vec<&str> = named.split(':').filter(|command| !command.trim().is_empty()).collect();
    let tried = if named.is_empty() { OPENERS.to_vec() } else { named };
    let mut reasons = Vec::new();
    for command in tried {
        match run(command, page) {
            Ok(()) => return Ok(()),
            Err(reason) => reasons.push(format!("{command}: {reason}")),
        }
    }
    Err(Failure::new(
        Code::Error,
        format!(
            "failed to show {page} in a browser ({}); name one with $BROWSER, or open the page yourself",
            reasons.join("; ")
        ),
    ))
}

fn run(command: &str, page: &str) -> Result<(), String> {
    let words = words(command, page);
    let Some((program, words)) = words.split_first() else { return Err("it is empty".to_owned()) };
    let mut child = Command::new(program)
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| error.to_string())?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(status.to_string()),
            Ok(None) if Instant::now() < deadline => std::thread::sleep(LOOK),
            Ok(None) => return Ok(()),
            Err(error) => return Err(error.to_string()),
        }
    }
}

/// The words of a command that shows a page. No shell reads them.
fn words(command: &str, page: &str) -> Vec<String> {
    let mut words: Vec<String> =
        command.split_whitespace().map(|word| word.replace("%s", page)).collect();
    if !command.contains("%s") {
        words.push(page.to_owned());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_where_the_command_wants_it() {
        assert_eq!(words("firefox", "http://x"), ["firefox", "http://x"]);
        assert_eq!(words("w3m -T %s -x", "http://x"), ["w3m", "-T", "http://x", "-x"]);
    }
}
