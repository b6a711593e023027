//! What the store keeps for whoever asks a tracker: how far each application or project has been asked about and how that
//! went, in which state errors were, and when bugle was at work.

use std::time::Duration;

use rusqlite::{OptionalExtension as _, Row, Transaction, params};

use crate::api::ErrorState;
use crate::clock::Moment;
use crate::name::SourceName;
use crate::outbox::{Durability, Outbox, Records, RunId, StoreError};

/// How an application or a project was asked about, when that was done last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatchUpRecord {
    /// For which source.
    pub source: String,
    /// The application or project, as the tracker's API names it.
    pub subject: String,
    /// What happened before is not asked for: bugle was not there yet.
    pub begins: Moment,
    /// All that happened before was asked for; nothing: it never was.
    pub up_to: Option<Moment>,
    /// When that last went well.
    pub done_at: Option<Moment>,
    /// When it was asked last.
    pub asked_at: Moment,
    /// How many requests that took.
    pub requests: u64,
    /// Since when it has failed each time; nothing: the last time it went well.
    pub failing_since: Option<Moment>,
    /// When people were to be told that it fails; nothing: not since it does.
    pub told_at: Option<Moment>,
    /// When the tracker last had more to tell than was read; nothing: it never had.
    pub cut_at: Option<Moment>,
    /// Why it failed last, or what could not be had all the same; empty if all went well.
    pub words: String,
    /// What was found when something last was; nothing: it never was.
    pub found: Option<FoundRecord>,
}

/// What was found that no webhook had brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FoundRecord {
    /// How many events.
    pub count: u64,
    /// How many of them had happened while bugle was at work.
    pub missed: u64,
    /// When they were found.
    pub at: Moment,
    /// When the first of them had happened.
    pub since: Moment,
}

/// How it went to ask about an application or a project.
#[derive(Debug, Clone)]
pub struct Asked {
    /// What happened before is not asked for.
    pub begins: Moment,
    /// All that happened before has been asked for.
    pub up_to: Moment,
    /// How many requests that took.
    pub requests: u64,
    /// In which state errors are.
    pub states: Vec<ErrorState>,
    /// Whether the tracker has more to tell than was read.
    pub is_cut: bool,
    /// What could not be had; empty: nothing is missing.
    pub remark: String,
    /// What was found; nothing: nothing was.
    pub found: Option<FoundRecord>,
}

/// That an application or a project could not be asked about.
#[derive(Debug, Clone)]
pub struct NotAsked {
    /// What happened before is not asked for, if it never was.
    pub begins: Moment,
    /// How many requests that took.
    pub requests: u64,
    /// Why.
    pub words: String,
    /// Whether people are to be told, or were.
    pub is_told: bool,
}

/// What webhooks should have brought is said for so long, whatever is found meanwhile.
const RECENT: Duration = Duration::from_hours(24);

/// What is kept of a source or subject that nobody asks about any more goes after this.
const ABANDONED: Duration = Duration::from_hours(24 * 90);

impl Outbox {
    /// How it went last to ask about each application or project of `source`.
    pub async fn catch_ups(&self, source: &SourceName) -> Result<Vec<CatchUpRecord>, StoreError> {
        let source = source.clone();
        self.read(move |connection| {
            let sql = format!("{RECORDS} WHERE source = ?1");
            connection.prepare_cached(&sql)?.query_map([source.as_str()], record)?.collect()
        })
        .await
    }

    /// How it went last to ask about `subject`, and in which states its errors were then.
    pub async fn asked_before(
        &self,
        source: &SourceName,
        subject: &str,
    ) -> Result<(Option<CatchUpRecord>, Vec<ErrorState>), StoreError> {
        let (source, subject) = (source.clone(), subject.to_owned());
        self.read(move |connection| {
            let sql = format!("{RECORDS} WHERE source = ?1 AND subject = ?2");
            let key = params![source.as_str(), subject];
            let record = connection.prepare_cached(&sql)?.query_row(key, record).optional()?;
            let states = connection
                .prepare_cached(
                    "SELECT error_id, status, at FROM error_states WHERE source = ?1 AND subject = ?2",
                )?
                .query_map(key, |row| {
                    Ok(ErrorState { error_id: row.get(0)?, status: row.get(1)?, at: Moment(row.get(2)?) })
                })?
                .collect::<Result<_, _>>()?;
            Ok((record, states))
        })
        .await
    }

    /// Calls a subject `name` that was known as `before`, unless there is one of that name.
    pub async fn rename_subject(
        &self,
        source: &SourceName,
        before: &str,
        name: &str,
    ) -> Result<(), StoreError> {
        let (source, before, name) = (source.clone(), before.to_owned(), name.to_owned());
        let rename = move |transaction: &Transaction<'_>| {
            for table in ["catch_ups", "error_states"] {
                let sql =
                    format!("UPDATE OR IGNORE {table} SET subject = ?3 WHERE source = ?1 AND subject = ?2");
                transaction.execute(&sql, params![source.as_str(), before, name])?;
            }
            Ok(())
        };
        self.writer.write(Durability::Handed, rename).await
    }

    /// Writes down how it went to ask about `subject`: from where the next time begins, and all that goes with it, at once.
    pub async fn note_asked(
        &self,
        source: &SourceName,
        subject: &str,
        asked: Asked,
    ) -> Result<(), StoreError> {
        let (source, subject, now) = (source.clone(), subject.to_owned(), self.clock.now());
        let note = move |transaction: &Transaction<'_>| {
            for state in &asked.states {
                keep_state(transaction, &source, &subject, state)?;
            }
            write_asked(transaction, (source.as_str(), &subject), &asked, now)
        };
        self.writer.write(Durability::Flushed, note).await
    }

    /// Writes down that `subject` could not be asked about, and why. What was asked before stays as it is.
    pub async fn note_not_asked(
        &self,
        source: &SourceName,
        subject: &str,
        NotAsked { begins, requests, words, is_told }: NotAsked,
    ) -> Result<(), StoreError> {
        let (source, subject) = (source.clone(), subject.to_owned());
        let now = self.clock.now();
        let note = move |transaction: &Transaction<'_>| {
            let requests = signed(requests);
            transaction
                .prepare_cached(
                    "INSERT INTO catch_ups (source, subject, begins_at, asked_at, requests, failing_since, told_at, words,
                                            found, missed)
                     VALUES (?1, ?2, ?6, ?3, ?4, ?3, iif(?7, ?3, NULL), ?5, 0, 0)
                     ON CONFLICT (source, subject) DO UPDATE SET
                         begins_at = min(begins_at, ?6), asked_at = ?3, requests = ?4, words = ?5,
                         failing_since = coalesce(failing_since, ?3),
                         told_at = iif(?7, coalesce(told_at, ?3), told_at)",
                )?
                .execute(params![source.as_str(), subject, now.0, requests, words, begins.0, is_told])
                .map(drop)
        };
        self.writer.write(Durability::Handed, note).await
    }

    /// When bugle was at work last before `run`; nothing: it never was, as far as that is still known.
    pub async fn at_work_before(&self, run: RunId) -> Result<Option<Moment>, StoreError> {
        self.read(move |connection| {
            connection.query_row(
                "SELECT max(coalesce(stopped_at, beat_at)) FROM runs WHERE id < ?1",
                [run.0],
                |row| row.get::<_, Option<i64>>(0).map(|at| at.map(Moment)),
            )
        })
        .await
    }

    /// From when until when bugle was not at work, for each time that ended after `since`.
    pub async fn absences(&self, since: Moment) -> Result<Vec<(Moment, Moment)>, StoreError> {
        self.read(move |connection| {
            connection
                .prepare_cached(
                    "SELECT gone, started_at FROM (
                         SELECT started_at, lag(coalesce(stopped_at, beat_at)) OVER (ORDER BY id) AS gone FROM runs)
                     WHERE gone IS NOT NULL AND started_at > ?1",
                )?
                .query_map([since.0], |row| Ok((Moment(row.get(0)?), Moment(row.get(1)?))))?
                .collect()
        })
        .await
    }
}

impl Records {
    /// How each application and project was asked about last.
    pub fn catch_ups(&self) -> rusqlite::Result<Vec<CatchUpRecord>> {
        let sql = format!("{RECORDS} ORDER BY source, subject");
        self.connection().prepare_cached(&sql)?.query_map([], record)?.collect()
    }

    /// When the bugle began that serves from it; nothing: none does.
    pub fn begun(&self) -> rusqlite::Result<Option<Moment>> {
        if !self.is_served() {
            return Ok(None);
        }
        // A run that goes on after a pause is the one before.
        let sql = "SELECT max(started_at) FROM runs WHERE goes_on = 0";
        self.connection().query_row(sql, [], |row| row.get::<_, Option<i64>>(0).map(|at| at.map(Moment)))
    }
}

/// Whether no webhook has brought the event `e`: told by an index, since the column lies behind what the tracker has sent.
pub(super) const IS_CAUGHT_UP: &str = "EXISTS (SELECT 1 FROM events c INDEXED BY events_caught_up
    WHERE c.caught_up = 1 AND c.received_at = e.received_at AND c.id = e.id)";

/// All that is told of it.
const RECORDS: &str =
    "SELECT source, subject, up_to, asked_at, requests, failing_since, words, found, missed, found_at,
                              found_since, begins_at, done_at, told_at, cut_at FROM catch_ups";

fn record(row: &Row<'_>) -> rusqlite::Result<CatchUpRecord> {
    let moment = |place| row.get::<_, Option<i64>>(place).map(|at| at.map(Moment));
    let number = |place| row.get::<_, i64>(place).map(i64::unsigned_abs);
    let found = match (moment(9)?, moment(10)?) {
        (Some(at), Some(since)) => Some(FoundRecord { count: number(7)?, missed: number(8)?, at, since }),
        _ => None,
    };
    Ok(CatchUpRecord {
        source: row.get(0)?,
        subject: row.get(1)?,
        begins: Moment(row.get(11)?),
        up_to: moment(2)?,
        done_at: moment(12)?,
        asked_at: Moment(row.get(3)?),
        requests: number(4)?,
        failing_since: moment(5)?,
        told_at: moment(13)?,
        cut_at: moment(14)?,
        words: row.get(6)?,
        found,
    })
}

/// An error that is open is worth a row only as long as another state is known that it had before.
fn keep_state(
    transaction: &Transaction<'_>,
    source: &SourceName,
    subject: &str,
    ErrorState { error_id, status, at }: &ErrorState,
) -> rusqlite::Result<()> {
    if status == "open" {
        transaction
            .prepare_cached("DELETE FROM error_states WHERE source = ?1 AND subject = ?2 AND error_id = ?3")?
            .execute(params![source.as_str(), subject, error_id])?;
    } else {
        transaction
            .prepare_cached(
                "INSERT OR REPLACE INTO error_states (source, subject, error_id, status, at)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![source.as_str(), subject, error_id, status, at.0])?;
    }
    Ok(())
}

fn write_asked(
    transaction: &Transaction<'_>,
    (source, subject): (&str, &str),
    Asked { begins, up_to, requests, is_cut, remark, found, .. }: &Asked,
    now: Moment,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO catch_ups (source, subject, begins_at, up_to, asked_at, requests, done_at, cut_at, words, found,
                                    missed)
             VALUES (?1, ?2, ?6, ?3, ?4, ?5, ?4, iif(?7, ?4, NULL), ?8, 0, 0)
             ON CONFLICT (source, subject) DO UPDATE SET
                 begins_at = min(begins_at, ?6), up_to = ?3, asked_at = ?4, requests = ?5, done_at = ?4,
                 cut_at = iif(?7, ?4, cut_at), failing_since = NULL, told_at = NULL, words = ?8",
        )?
        .execute(params![source, subject, up_to.0, now.0, signed(*requests), begins.0, is_cut, remark])?;
    if let Some(FoundRecord { count, missed, since, .. }) = found {
        transaction
            .prepare_cached(
                "UPDATE catch_ups SET found = ?3, missed = ?4, found_at = ?5, found_since = ?6
                 WHERE source = ?1 AND subject = ?2 AND (?4 > 0 OR missed = 0 OR found_at <= ?7)",
            )?
            .execute(params![
                source,
                subject,
                signed(*count),
                signed(*missed),
                now.0,
                since.0,
                now.minus(RECENT).0
            ])?;
    }
    Ok(())
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Forgets what was kept of sources and subjects that nobody has asked about for long.
pub(super) fn forget(transaction: &Transaction<'_>, now: Moment) -> rusqlite::Result<()> {
    let before = now.minus(ABANDONED).0;
    let gone = transaction.prepare_cached("DELETE FROM catch_ups WHERE asked_at < ?1")?.execute([before])?;
    if gone > 0 {
        transaction.execute(
            "DELETE FROM error_states WHERE (source, subject) NOT IN (SELECT source, subject FROM catch_ups)",
            [],
        )?;
    }
    Ok(())
}
