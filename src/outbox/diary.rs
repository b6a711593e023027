//! What bugle writes down of itself: when it ran, whom it did not let in, and which configuration it was given. Without it
//! nobody could tell later why there is no event.

use std::net::IpAddr;
use std::time::Duration;

use rusqlite::{Transaction, params};

use crate::clock::Moment;
use crate::name::SourceName;
use crate::outbox::{Durability, Outbox, RuleSetId, StoreError};

/// The number of a run in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunId(pub(super) i64);

/// Requests that were refused for one reason, one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// At whose door; nothing: there is no such source.
    pub source: Option<SourceName>,
    /// Why: the code of the answer.
    pub reason: &'static str,
    /// When the first came.
    pub first_at: Moment,
    /// When the last came.
    pub last_at: Moment,
    /// How many.
    pub count: u64,
    /// From where the last came, if that is known.
    pub sender: Option<IpAddr>,
}

/// What became of a configuration that was read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reread {
    /// It took the place of the one before.
    Reload(RuleSetId),
    /// It was refused, and the one before stayed.
    Refused,
}

/// Refusals of a kind within so long are one row, at most.
const SPAN: Duration = Duration::from_mins(10);

/// A beat that comes so much later than the one before shows that nothing was at work in between: the machine slept, or the
/// store could not be written.
const PAUSED: Duration = Duration::from_mins(1);

/// Lines that are kept of a configuration, at most, and characters of each.
const LINES: usize = 50;
const LINE: usize = 500;

impl Outbox {
    /// Writes down that bugle runs, in its `version`, and begins with these `rules`.
    pub async fn begin_run(&self, version: &'static str, rules: RuleSetId) -> Result<RunId, StoreError> {
        let now = self.clock.now();
        let begin = move |transaction: &Transaction<'_>| {
            insert_configuration(transaction, "start", Some(rules), "[]", now)?;
            insert_run(transaction, version, false, now)
        };
        self.writer.write(Durability::Handed, begin).await
    }

    /// Writes down that it still runs, and who was `refused` since the last time. After a pause in which it was not at work
    /// it is another run.
    pub async fn beat(&self, run: RunId, refused: Vec<Refused>) -> Result<RunId, StoreError> {
        let now = self.clock.now();
        let beat = move |transaction: &Transaction<'_>| {
            for refused in &refused {
                write_refused(transaction, refused)?;
            }
            let goes_on = transaction
                .prepare_cached("UPDATE runs SET beat_at = ?2 WHERE id = ?1 AND beat_at > ?3")?
                .execute(params![run.0, now.0, now.minus(PAUSED).0])?;
            if goes_on > 0 {
                return Ok(run);
            }
            let version: String = transaction.query_row(
                "SELECT coalesce((SELECT version FROM runs WHERE id = ?1), '')",
                [run.0],
                |row| row.get(0),
            )?;
            insert_run(transaction, &version, true, now)
        };
        self.writer.write(Durability::Handed, beat).await
    }

    /// Writes down that it ends because it was told to.
    pub async fn end_run(&self, run: RunId, refused: Vec<Refused>) -> Result<(), StoreError> {
        let run = self.beat(run, refused).await?;
        let now = self.clock.now();
        let end = move |transaction: &Transaction<'_>| {
            transaction
                .execute("UPDATE runs SET beat_at = ?2, stopped_at = ?2 WHERE id = ?1", params![run.0, now.0])
        };
        self.writer.write(Durability::Handed, end).await.map(drop)
    }

    /// Writes down what became of a configuration at a moment, with `lines` that say what has changed or what is wrong with
    /// it. No secret may be in them.
    pub async fn note_configuration(
        &self,
        read: Reread,
        at: Moment,
        lines: &[String],
    ) -> Result<(), StoreError> {
        let (how, rule_set) = match read {
            Reread::Reload(rule_set) => ("reload", Some(rule_set)),
            Reread::Refused => ("refused", None),
        };
        let lines: Vec<String> =
            lines.iter().take(LINES).map(|line| line.chars().take(LINE).collect()).collect();
        let lines = serde_json::json!(lines).to_string();
        let note =
            move |transaction: &Transaction<'_>| insert_configuration(transaction, how, rule_set, &lines, at);
        self.writer.write(Durability::Flushed, note).await
    }
}

fn insert_configuration(
    transaction: &Transaction<'_>,
    how: &str,
    rules: Option<RuleSetId>,
    lines: &str,
    at: Moment,
) -> rusqlite::Result<()> {
    transaction.execute(
        "INSERT INTO configurations (at, how, rule_set, lines) VALUES (?1, ?2, ?3, ?4)",
        params![at.0, how, rules.map(|rules| rules.0), lines],
    )?;
    Ok(())
}

fn insert_run(
    transaction: &Transaction<'_>,
    version: &str,
    goes_on: bool,
    now: Moment,
) -> rusqlite::Result<RunId> {
    transaction
        .prepare_cached("INSERT INTO runs (started_at, beat_at, goes_on, version) VALUES (?1, ?1, ?2, ?3)")?
        .insert(params![now.0, goes_on, version])
        .map(RunId)
}

fn write_refused(transaction: &Transaction<'_>, refused: &Refused) -> rusqlite::Result<()> {
    let span = i64::try_from(SPAN.as_millis()).unwrap_or(i64::MAX);
    let Refused { source, reason, first_at, last_at, count, sender } = refused;
    transaction
        .prepare_cached(
            "INSERT INTO refusals (span, source, reason, first_at, last_at, count, sender)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT (span, source, reason) DO UPDATE SET
                 last_at = max(last_at, excluded.last_at), count = count + excluded.count, sender = excluded.sender",
        )?
        .execute(params![
            first_at.0 - first_at.0.rem_euclid(span),
            source.as_ref().map_or("", SourceName::as_str),
            reason,
            first_at.0,
            last_at.0,
            i64::try_from(*count).unwrap_or(i64::MAX),
            sender.map(|sender| sender.to_string()).unwrap_or_default(),
        ])?;
    Ok(())
}

/// What is forgotten, each found from the oldest on: nothing of what stays is read through.
pub(super) const FORGET: [&str; 4] = [
    "DELETE FROM refusals WHERE (span, source, reason) IN (
         SELECT span, source, reason FROM refusals WHERE span < ?1 ORDER BY span LIMIT ?2)",
    "DELETE FROM runs WHERE id < (SELECT min(id) FROM runs) + ?2 AND beat_at < ?1",
    "DELETE FROM configurations WHERE id IN (
         SELECT id FROM configurations WHERE at < ?1 AND id < (
             SELECT id FROM configurations WHERE at < ?1 AND rule_set IS NOT NULL ORDER BY at DESC, id DESC LIMIT 1)
         ORDER BY at LIMIT ?2)",
    "DELETE FROM spells WHERE id IN (
         SELECT id FROM spells WHERE until IS NOT NULL AND until < ?1 ORDER BY until LIMIT ?2)",
];

/// Forgets what came before `before`, a bounded number of `rows` of each kind at a time; how many went. The last
/// configuration before it stays, since its rules were in force then.
pub(super) fn forget(transaction: &Transaction<'_>, before: Moment, rows: u32) -> rusqlite::Result<usize> {
    let mut gone = 0;
    for statement in FORGET {
        gone += transaction.prepare_cached(statement)?.execute(params![before.0, rows])?;
    }
    Ok(gone)
}
