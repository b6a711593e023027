//! A terminal that does not show what is typed.

use std::io::{self, IsTerminal as _};

use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};

/// What Ctrl-C types while nothing is shown.
pub(super) const INTERRUPT: u8 = 3;

/// For as long as this is there, the terminal of standard input shows nothing. Ctrl-C ends a line with [`INTERRUPT`]
/// instead of ending the process, which would leave the terminal as it is.
#[derive(Debug)]
pub(super) struct Hidden {
    before: Termios,
}

/// Hides what is typed; nothing if that cannot be done.
pub(super) fn hide() -> Option<Hidden> {
    if !io::stdin().is_terminal() {
        return None;
    }
    let before = tcgetattr(io::stdin()).ok()?;
    let mut silent = before.clone();
    silent.local_modes -= LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ISIG;
    silent.special_codes[SpecialCodeIndex::VEOL] = INTERRUPT;
    // What was typed ahead is kept: a script may have pasted all answers at once.
    tcsetattr(io::stdin(), OptionalActions::Drain, &silent).ok()?;
    Some(Hidden { before })
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // If the terminal is gone there is nothing left to mend.
        tcsetattr(io::stdin(), OptionalActions::Drain, &self.before).unwrap_or_default();
    }
}
