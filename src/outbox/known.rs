//! What of all that a tracker tells is here already, and what webhooks are known to bring.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::clock::Moment;
use crate::name::SourceName;
use crate::outbox::catch_up::IS_CAUGHT_UP;
use crate::outbox::{Outbox, StoreError};

/// How it can be told whether an event is here already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sought {
    /// By its own id at the tracker.
    Id {
        /// What happened.
        trigger: String,
        /// The id.
        id: String,
    },
    /// By its error, of which an event came at that moment or later.
    Error {
        /// What happened.
        trigger: String,
        /// The error's id.
        error_id: String,
        /// The moment; nothing: whenever it came.
        since: Option<Moment>,
    },
}

/// An event that was sought and is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// When it came.
    pub at: Moment,
    /// Whether no webhook has brought it.
    pub caught_up: bool,
}

impl Outbox {
    /// Of each that is `sought`, the one that is here already, whether by a webhook or because it was caught up before.
    pub async fn are_here(
        &self,
        source: &SourceName,
        sought: Vec<Sought>,
    ) -> Result<Vec<Option<Known>>, StoreError> {
        let source = source.clone();
        self.read_aside(move |connection| sought.iter().map(|one| known(connection, &source, one)).collect())
            .await
    }

    /// Whether a webhook of `source` has ever told of `trigger`, as far as that is still known.
    pub async fn is_brought(&self, source: &SourceName, trigger: &str) -> Result<bool, StoreError> {
        let (source, trigger) = (source.clone(), trigger.to_owned());
        let sql = format!(
            "SELECT 1 FROM events e INDEXED BY events_by_app
             WHERE source = ?1 AND trigger = ?2 AND NOT {IS_CAUGHT_UP} LIMIT 1"
        );
        self.read_aside(move |connection| connection.prepare(&sql)?.exists(params![source.as_str(), trigger]))
            .await
    }
}

fn known(connection: &Connection, source: &SourceName, sought: &Sought) -> rusqlite::Result<Option<Known>> {
    match sought {
        Sought::Id { trigger, id } if !id.is_empty() => connection
            .prepare_cached(&format!(
                "SELECT received_at, {IS_CAUGHT_UP} FROM events e INDEXED BY events_by_tracker_id
                 WHERE tracker_id = ?1 AND tracker_id <> '' AND source = ?2 AND trigger = ?3
                 ORDER BY id DESC LIMIT 1"
            ))?
            .query_row(params![id, source.as_str(), trigger], read)
            .optional(),
        Sought::Error { trigger, error_id, since } if !error_id.is_empty() => connection
            .prepare_cached(&format!(
                "SELECT received_at, {IS_CAUGHT_UP} FROM events e INDEXED BY events_by_error
                 WHERE error_id = ?1 AND error_id <> '' AND source = ?2 AND received_at >= ?4
                     AND (trigger = ?3 OR ?3 = 'reopened' AND {IS_REOPENED_BY_HAND})
                 ORDER BY id DESC LIMIT 1"
            ))?
            .query_row(params![error_id, source.as_str(), trigger, since.unwrap_or(EVER).0], read)
            .optional(),
        Sought::Id { .. } | Sought::Error { .. } => Ok(None),
    }
}

/// Before anything.
const EVER: Moment = Moment(i64::MIN);

/// A colleague has opened the error of the event `e` again: an API shows only that it is open. A change by hand to another
/// state says the contrary.
const IS_REOPENED_BY_HAND: &str = "trigger = 'errorStateManualChange'
    AND CASE WHEN json_valid(raw) THEN raw ->> '$.trigger.stateChange' IS 'reopened' ELSE 0 END";

fn read(row: &Row<'_>) -> rusqlite::Result<Known> {
    Ok(Known { at: Moment(row.get(0)?), caught_up: row.get(1)? })
}
