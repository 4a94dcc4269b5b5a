//! Views on a terminal that are drawn again in place while something is waited for.
//!
//! Nothing of the terminal is changed: no mode, no cursor, no other screen. So there is nothing to put back,
//! however the program ends.

mod line;
mod screen;

use std::io::IsTerminal;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

pub(crate) use line::{Bar, Line, bar};
pub(crate) use screen::{Screen, Size, above};

/// How often a view is drawn that changes all the time.
const BUSY: Duration = Duration::from_millis(100);
/// How often one is drawn in which nothing changes but times.
const IDLE: Duration = Duration::from_secs(1);

/// Whether views are drawn.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(crate) struct Progress {
    /// Print lines, not a view that is drawn again in place; which is what is done anyway where the output is
    /// no terminal, and where CI, NO_COLOR or TERM=dumb is set.
    #[arg(long)]
    no_progress: bool,
}

impl Progress {
    /// A view on the standard output, if it is a terminal that shows one.
    pub(crate) fn on_stdout(self) -> Live {
        let is_live = !self.no_progress && std::io::stdout().is_terminal() && is_welcome();
        Live::new(is_live.then(Screen::stdout))
    }

    /// The same on the standard error.
    pub(crate) fn on_stderr(self) -> Live {
        let is_live = !self.no_progress && std::io::stderr().is_terminal() && is_welcome();
        Live::new(is_live.then(Screen::stderr))
    }
}

/// Whether the environment has nothing against it.
fn is_welcome() -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !is_set("CI")
        && !is_set("NO_COLOR")
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// A view, or none.
#[derive(Debug)]
pub(crate) struct Live {
    screen: Option<Screen>,
    resized: Option<Signal>,
    drawn: Option<Instant>,
    is_stale: bool,
}

impl Live {
    fn new(screen: Option<Screen>) -> Self {
        // Without that signal the view has the right width a second later.
        let resized = screen.is_some().then(|| signal(SignalKind::window_change()).ok()).flatten();
        Self { screen, resized, drawn: None, is_stale: true }
    }

    /// None: what it would show is told otherwise.
    pub(crate) fn off() -> Self {
        Self::new(None)
    }

    /// Whether there is one: what is not drawn is to be told otherwise.
    pub(crate) fn is_on(&self) -> bool {
        self.screen.is_some()
    }

    /// What is drawn has changed.
    pub(crate) fn touch(&mut self) {
        self.is_stale = true;
    }

    /// Waits for something, and draws meanwhile.
    pub(crate) async fn during<T>(
        &mut self,
        awaited: impl Future<Output = T>,
        mut lines: impl FnMut(Size) -> Vec<Line>,
    ) -> T {
        if self.screen.is_none() {
            return awaited.await;
        }
        tokio::pin!(awaited);
        loop {
            let pause = if self.is_stale { BUSY } else { IDLE };
            let due = self.drawn.map_or_else(Instant::now, |drawn| drawn + pause);
            tokio::select! {
                biased;
                // First, so that a view that changes all the time is drawn all the same.
                () = tokio::time::sleep_until(due) => {}
                found = &mut awaited => return found,
                () = changed(&mut self.resized) => {}
            }
            self.draw(&mut lines);
        }
    }

    fn draw(&mut self, lines: &mut impl FnMut(Size) -> Vec<Line>) {
        if let Some(screen) = &mut self.screen {
            screen.draw(lines);
            self.drawn = Some(Instant::now());
            self.is_stale = false;
        }
    }

    /// Draws for the last time.
    pub(crate) fn finish(&mut self, mut lines: impl FnMut(Size) -> Vec<Line>) {
        self.draw(&mut lines);
        self.screen = None;
    }

    /// Takes the view away, so that lines can be printed; it is drawn below them again.
    pub(crate) fn clear(&mut self) {
        if let Some(screen) = &mut self.screen {
            screen.clear();
            (self.drawn, self.is_stale) = (None, true);
        }
    }
}

async fn changed(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}
