//! An application or a project, and how it fares.

use std::time::Duration;

use crate::clock::Moment;
use crate::outbox::CatchUpRecord;

/// An application or a project, and how it fares.
#[derive(Debug, Default)]
pub(super) struct Subject {
    pub(super) name: String,
    /// When it is asked about next, by a clock that nobody can set.
    pub(super) due: Duration,
    /// How often in a row it could not be, since this began.
    pub(super) failures: u32,
    /// How often in a row what was found could not be kept.
    pub(super) unkept: u32,
    /// Since when it fails, whoever asked then.
    pub(super) failing_since: Option<Moment>,
    /// What the log has said of that last.
    pub(super) words: Option<String>,
    /// Whether people were told of it.
    pub(super) is_told: bool,
    /// How much of what it tells could not be read the last time.
    pub(super) unread: usize,
}

impl Subject {
    /// One of which `record` is known. What went wrong before bugle began again is said already; where only its configuration
    /// has changed, whoever changed it wants to know whether that has helped.
    pub(super) fn begin(name: String, record: Option<&CatchUpRecord>, goes_on: bool) -> Self {
        let failing = record.filter(|record| record.failing_since.is_some());
        Self {
            name,
            failing_since: failing.and_then(|record| record.failing_since),
            words: failing.filter(|_| goes_on).map(|record| record.words.clone()),
            is_told: failing.is_some_and(|record| record.told_at.is_some()),
            ..Self::default()
        }
    }

    /// Whether it was asked about the last time, and what that brought was kept.
    pub(super) fn is_well(&self) -> bool {
        self.failing_since.is_none() && self.unkept == 0
    }

    /// Notes how much could not be read. Whether that is to be said: it was not while it was as much the time before.
    pub(super) fn is_news(&mut self, unread: usize) -> bool {
        std::mem::replace(&mut self.unread, unread) != unread && unread > 0
    }

    /// Forgets what went wrong.
    pub(super) fn recover(&mut self) {
        *self = Self { name: std::mem::take(&mut self.name), unread: self.unread, ..Self::default() };
    }
}

/// What was said of all that fail but the one with this index.
pub(super) fn others(subjects: &[Subject], index: usize) -> Vec<String> {
    let others = subjects.iter().enumerate().filter(|(other, _)| *other != index);
    others.filter_map(|(_, subject)| subject.words.clone()).collect()
}
