//! A glance at a store from outside, of whatever version it is. For who looks why no message comes.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension as _, params};

use crate::clock::Moment;
use crate::outbox::catch_up::IS_CAUGHT_UP;
use crate::outbox::records::{self, AttemptRecord, Records};
use crate::outbox::schema::{self, OpenError};
use crate::outbox::{prune, visit};

/// A store, as somebody passing by sees it.
#[derive(Debug)]
pub struct Glance {
    /// Whether a bugle serves from it.
    pub is_served: bool,
    /// The version of its tables.
    pub version: i64,
    /// The version that this bugle works with.
    pub newest: i64,
    /// What it holds, in bytes.
    pub used: u64,
}

/// The files of the store at `path` that are there: itself, its log, and what the log is found by.
pub fn files(path: &Path) -> Vec<PathBuf> {
    let all = ["", "-wal", "-shm"].map(|ending| schema::beside(path, ending));
    all.into_iter().filter(|file| file.is_file()).collect()
}

impl Glance {
    /// Looks at the store at `path`; nothing if there is none yet.
    pub fn at(path: &Path) -> Result<Option<Self>, OpenError> {
        visit::steadily(path, visit::visit, |records| {
            let (version, used) =
                measured(records.connection()).map_err(|cause| schema::unusable(path, cause))?;
            Ok(Self { is_served: records.is_served(), version, newest: schema::newest(), used })
        })
    }

    /// Whether its tables are those that this bugle knows, so that it can be looked into.
    pub fn is_of_now(&self) -> bool {
        self.version == self.newest
    }
}

/// When something came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// Nothing ever did.
    Never,
    /// Something did, but no event of it is kept any more.
    Forgotten,
    /// The last event that is kept came then.
    At(Moment),
}

impl Records {
    /// When an event last came through `source`: what bugle has asked the tracker for did not come that way.
    pub fn last_arrival(&self, source: &str) -> rusqlite::Result<Arrival> {
        // Where nothing was ever counted nothing need be looked for.
        let count = "SELECT coalesce((SELECT sum(count) FROM arrivals WHERE source = ?1), 0)
                            - (SELECT count(*) FROM events WHERE caught_up = 1 AND source = ?1)";
        if self.connection().query_row(count, [source], |row| row.get::<_, i64>(0))? <= 0 {
            return Ok(Arrival::Never);
        }
        let last: Option<i64> = self.connection().query_row(&last_arrival(), [source], |row| row.get(0))?;
        Ok(last.map_or(Arrival::Forgotten, |at| Arrival::At(Moment(at))))
    }

    /// When the newest event that is kept came, whatever brought it.
    pub fn newest_event(&self) -> rusqlite::Result<Option<Moment>> {
        let sql = "SELECT max(received_at) FROM events";
        self.connection().query_row(sql, [], |row| row.get::<_, Option<i64>>(0)).map(|at| at.map(Moment))
    }

    /// How the last attempt at `destination` ended, while it was in the group of that pace.
    pub fn last_attempt(
        &self,
        destination: &str,
        pace_group: &str,
    ) -> rusqlite::Result<Option<AttemptRecord>> {
        self.connection()
            .query_row(LAST_ATTEMPT, params![destination, pace_group], records::attempt)
            .optional()
    }
}

/// When something last came through a source: from application to application, so that it does not matter how many events
/// there are.
pub(super) fn last_arrival() -> String {
    format!(
        "WITH RECURSIVE apps (app) AS (
             SELECT min(app) FROM events INDEXED BY events_by_app WHERE source = ?1
             UNION ALL
             SELECT (SELECT min(app) FROM events INDEXED BY events_by_app WHERE source = ?1 AND app > apps.app)
             FROM apps WHERE apps.app IS NOT NULL)
         SELECT max((SELECT received_at FROM events e INDEXED BY events_by_app
                     WHERE source = ?1 AND app = apps.app AND NOT {IS_CAUGHT_UP}
                     ORDER BY received_at DESC LIMIT 1))
         FROM apps"
    )
}

/// The last attempt at a destination that has ended, in the group of its pace: those are kept in order of time.
pub(super) const LAST_ATTEMPT: &str = "
    SELECT a.started_at, a.ended_at, a.outcome, a.reason, a.status, a.words, a.again_at
    FROM attempts a INDEXED BY attempts_by_pace CROSS JOIN deliveries d ON d.id = a.delivery
    WHERE a.pace_group = ?2 AND d.destination = ?1 AND a.ended_at IS NOT NULL
    ORDER BY a.started_at DESC LIMIT 1";

fn measured(connection: &Connection) -> rusqlite::Result<(i64, u64)> {
    let version = "SELECT coalesce(max(version), 0) FROM refinery_schema_history";
    Ok((connection.query_row(version, [], |row| row.get(0))?, prune::used(connection)?))
}
