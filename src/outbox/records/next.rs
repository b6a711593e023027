//! Events as they come, for who waits for the next one.

use rusqlite::{OptionalExtension as _, Row};

use super::Records;
use crate::event::EventId;
use crate::outbox::stored::StoredEvent;
use crate::source;

/// An event that has come, and what the rules decided.
#[derive(Debug)]
pub struct NextEvent {
    /// Its number.
    pub id: EventId,
    /// The event, to be read again.
    pub event: StoredEvent,
    /// The names of the rules that matched.
    pub matched: Vec<String>,
    /// What came of that: `routed`, `dropped` or `unmatched`.
    pub routing: String,
}

impl Records {
    /// The number of the last event that has come; 0 if none has.
    pub fn last_event(&self) -> rusqlite::Result<EventId> {
        let sql = "SELECT coalesce(max(id), 0) FROM events";
        self.connection.query_row(sql, [], |row| row.get(0)).map(EventId)
    }

    /// The first event after `last` that came from outside, if there is one.
    pub fn event_after(&self, last: EventId) -> rusqlite::Result<Option<NextEvent>> {
        self.connection
            .prepare_cached(
                "SELECT id, matched, routing, source, product, trigger, severity, raw, caught_up FROM events
                 WHERE id > ?1 AND product <> ?2 ORDER BY id LIMIT 1",
            )?
            .query_row((last.0, source::OWN), next_event)
            .optional()
    }
}

fn next_event(row: &Row<'_>) -> rusqlite::Result<NextEvent> {
    let matched: String = row.get(1)?;
    Ok(NextEvent {
        id: EventId(row.get(0)?),
        // A list that somebody has written over costs the names.
        matched: serde_json::from_str(&matched).unwrap_or_default(),
        routing: row.get(2)?,
        event: StoredEvent::of(row, 3)?,
    })
}
