//! An event as the store has it, to be read again.

use rusqlite::Row;

use crate::event::{Event, Severity, UNREADABLE};
use crate::name::SourceName;
use crate::source;

/// An event as it was stored.
#[derive(Debug)]
pub struct StoredEvent {
    source: String,
    product: String,
    trigger: String,
    severity: String,
    raw: String,
    caught_up: bool,
}

impl StoredEvent {
    /// Reads it from the columns `source`, `product`, `trigger`, `severity`, `raw` and `caught_up`, the first of which is at `place`.
    pub(super) fn of(row: &Row<'_>, place: usize) -> rusqlite::Result<Self> {
        Ok(Self {
            source: row.get(place)?,
            product: row.get(place + 1)?,
            trigger: row.get(place + 2)?,
            severity: row.get(place + 3)?,
            raw: row.get(place + 4)?,
            caught_up: row.get(place + 5)?,
        })
    }

    /// Whether it is one of bugle's own, which says that bugle is unwell.
    pub fn is_own(&self) -> bool {
        self.product == source::OWN
    }

    /// Whether no webhook had brought it.
    pub fn is_caught_up(&self) -> bool {
        self.caught_up
    }

    /// Reads the event again from its raw element, its severity as it was when it came. Pure; with a large element it
    /// takes a while.
    pub fn read(&self) -> Event {
        let Self { product, trigger, raw, .. } = self;
        // A name that somebody wrote into the store by hand costs the name, not the message.
        let source = SourceName::new(&self.source).unwrap_or_else(|_| SourceName::unknown());
        let tracker = source::plain_tracker(product);
        let read = match &tracker {
            Some(tracker) if trigger != UNREADABLE => serde_json::from_str(raw)
                .ok()
                .and_then(|element| tracker.read(&source, element, Some(trigger))),
            _ => None,
        };
        let product = tracker.map_or("unknown", |tracker| tracker.product());
        let mut event = read.unwrap_or_else(|| Event::unreadable(source, product, raw));
        event.severity = Severity::read(&self.severity).unwrap_or(Severity::Info);
        event.caught_up = self.caught_up;
        event
    }
}
