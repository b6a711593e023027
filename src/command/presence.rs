//! Whether somebody serves from a store: for commands that go on beside whoever does.

use std::io::{self, StderrLock, Write as _};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::clock::Clock;
use crate::command::nothing_yet;
use crate::outbox::{self, Records};

/// Whether somebody serves from the store, as far as is known.
pub(super) struct Presence<'a> {
    path: &'a Path,
    clock: &'a Clock,
    is_served: bool,
    /// When there last was a sign of it, or it was looked.
    heard_at: Duration,
    /// Which file it is.
    store: Option<String>,
}

impl<'a> Presence<'a> {
    /// Looks who serves from the store at `path`.
    pub(super) fn begin(path: &'a Path, clock: &'a Clock) -> Self {
        let (is_served, store) = (outbox::is_served(path), outbox::identity(path));
        Self { path, clock, is_served, heard_at: clock.steady(), store }
    }

    /// Whether somebody serves.
    pub(super) fn is_served(&self) -> bool {
        self.is_served
    }

    /// Has been told that somebody serves, or that nobody does.
    pub(super) fn learns(&mut self, is_served: bool) {
        self.is_served = is_served;
    }

    /// Something was heard: whoever says that it stops is believed.
    pub(super) fn hears(&mut self) {
        self.heard_at = self.clock.steady();
    }

    /// After a `silence`, looks whether somebody serves. Gives whether, if that is not as it was.
    pub(super) fn look_after(&mut self, silence: Duration) -> Result<Option<bool>> {
        if self.clock.steady().saturating_sub(self.heard_at) <= silence {
            return Ok(None);
        }
        self.hears();
        self.expect_same()?;
        let before = std::mem::replace(&mut self.is_served, outbox::is_served(self.path));
        Ok(Some(self.is_served).filter(|is_served| *is_served != before))
    }

    /// Opens the store again: the same, of which more has become known since.
    pub(super) fn open_again(&self) -> Result<Records> {
        self.expect_same()?;
        Records::open(self.path)?.with_context(|| nothing_yet(self.path))
    }

    fn expect_same(&self) -> Result<()> {
        if outbox::identity(self.path) != self.store {
            bail!(
                "{} is another file now, such as a backup that was restored: begin again",
                self.path.display()
            );
        }
        Ok(())
    }
}

/// Says something beside what is written.
pub(super) fn remark(words: &str) -> io::Result<()> {
    let mut aside: StderrLock<'_> = io::stderr().lock();
    writeln!(aside, "bugle: {words}")
}
