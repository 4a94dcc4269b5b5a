//! The user's terminal while a command has it.

use std::io::{self, IsTerminal};

use aurora_client::exec::Size;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

/// Standard input as a terminal that passes each key on. Put back as it was when this is dropped.
#[derive(Debug)]
pub(super) struct Raw(Termios);

impl Raw {
    /// Takes the terminal.
    pub(super) fn take() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(io::stdin(), OptionalActions::Now, &raw)?;
        Ok(Self(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // It may have gone.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}

/// Whether the user types at a terminal.
pub(super) fn is_there() -> bool {
    io::stdin().is_terminal()
}

/// How large the terminal is.
pub(super) fn size() -> io::Result<Size> {
    let size = tcgetwinsize(io::stdin())?;
    Ok(Size { rows: size.ws_row, columns: size.ws_col })
}
