//! Forgetting: history that is settled and old, or too much; in steps so small that nobody waits for them.

use std::time::Duration;

use rusqlite::{Connection, Transaction, params};

use crate::clock::Moment;
use crate::delivery::Reason;
use crate::name::DestinationName;
use crate::outbox::{Durability, Outbox, StoreError};
use crate::source::OWN;

/// What is kept, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct Keep {
    /// Settled history.
    pub history: Duration,
    /// Dead letters.
    pub dead_letters: Duration,
    /// The largest size of the file, in bytes, before the oldest settled history goes early.
    pub max_size: u64,
}

/// What a step of forgetting came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Whether there may be more to forget.
    pub more: bool,
    /// What the store holds, in bytes.
    pub used: u64,
    /// Deliveries given up because nobody has mended their destination, but for those of bugle's own events.
    pub stranded: u64,
}

/// Events that go in one step, at most.
const STEP: u32 = 500;

/// Bytes of raw elements that go in one step, about.
const STEP_BYTES: u64 = 8 << 20;

/// Pages given back to the file system in one step.
const PAGES: u32 = 2_000;

/// Identities are remembered at least this long, however short history is kept.
const IDENTITIES_AT_LEAST: Duration = Duration::from_hours(7 * 24);

impl Outbox {
    /// Takes one step of forgetting.
    pub async fn prune(&self, keep: Keep) -> Result<Pruned, StoreError> {
        let now = self.clock.now();
        let wakes = self.wakes.load();
        let known =
            serde_json::json!(wakes.keys().map(DestinationName::as_str).collect::<Vec<_>>()).to_string();
        let forget = move |transaction: &Transaction<'_>| {
            let old = forget_events(transaction, now.minus(keep.history), now.minus(keep.dead_letters))?;
            let early = if old < STEP && used(transaction)? > keep.max_size {
                forget_events(transaction, now, now.minus(keep.dead_letters))?
            } else {
                0
            };
            let stranded = strand(transaction, &known, now, now.minus(keep.history))?;
            let identities = keep.history.max(IDENTITIES_AT_LEAST);
            transaction.execute("DELETE FROM identities WHERE seen_at < ?1", [now.minus(identities).0])?;
            Ok((old == STEP || early == STEP, used(transaction)?, stranded))
        };
        let (more, used, stranded) = self.writer.write(Durability::Handed, forget).await?;
        self.log_stranded(&stranded);
        self.writer.write(Durability::Handed, shrink).await?;
        let stranded = stranded.iter().filter(|(_, is_own)| !is_own).count();
        Ok(Pruned { more, used, stranded: u64::try_from(stranded).unwrap_or(u64::MAX) })
    }

    fn log_stranded(&self, all: &[(String, bool)]) {
        let stranded = all.len();
        if stranded > 0 {
            tracing::error!(
                stranded,
                "given up: nobody has mended their destination for as long as history is kept"
            );
        }
        for destination in all.iter().filter_map(|(name, _)| DestinationName::new(name).ok()) {
            self.metrics.buried(&destination, Reason::Stranded, 1);
        }
    }
}

/// Gives up what has waited for longer than history is kept, for a destination that is gone or no longer configured:
/// whoever wanted it told has had that long to mend it. Whose they were, and whether they were of bugle's own events.
fn strand(
    transaction: &Transaction<'_>,
    known: &str,
    now: Moment,
    before: Moment,
) -> rusqlite::Result<Vec<(String, bool)>> {
    transaction
        .prepare_cached(
            "UPDATE deliveries SET state = 'dead', settled_at = ?1, reason = ?2 WHERE id IN (
                 SELECT id FROM deliveries WHERE state = 'waiting' AND accepted_at < ?3 AND (
                     destination NOT IN (SELECT value FROM json_each(?4))
                     OR destination IN (SELECT name FROM destinations WHERE gone_since IS NOT NULL))
                 LIMIT ?5)
             RETURNING destination, (SELECT product = ?6 FROM events WHERE id = deliveries.event)",
        )?
        .query_map(params![now.0, Reason::Stranded.as_str(), before.0, known, STEP, OWN], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .collect()
}

/// Gives free pages back to the file system, a bounded number at a time.
fn shrink(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    let mut statement = transaction.prepare(&format!("PRAGMA incremental_vacuum({PAGES})"))?;
    let mut pages = statement.query([])?;
    while pages.next()?.is_some() {}
    Ok(())
}

/// The bytes of the file that hold something.
pub(super) fn used(connection: &Connection) -> rusqlite::Result<u64> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let bytes = (pragma("page_count")? - pragma("freelist_count")?) * pragma("page_size")?;
    Ok(u64::try_from(bytes).unwrap_or(0))
}

/// Forgets the oldest events that came before `before` and owe nothing any more. Dead letters stay until
/// `dead_before`. Gives how many went; [`STEP`] if there may be more.
fn forget_events(
    transaction: &Transaction<'_>,
    before: Moment,
    dead_before: Moment,
) -> rusqlite::Result<u32> {
    let ids = transaction
        .prepare_cached(
            "SELECT id, octet_length(raw) FROM events e WHERE received_at < ?1 AND NOT EXISTS (
                 SELECT 1 FROM deliveries d WHERE d.event = e.id
                 AND (d.state = 'waiting' OR (d.state = 'dead' AND d.settled_at >= ?2)))
             ORDER BY received_at LIMIT ?3",
        )?
        .query_map(params![before.0, dead_before.0, STEP], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<Vec<(i64, i64)>, _>>()?;
    let (mut gone, mut bytes) = (0, 0);
    for (id, size) in ids {
        if bytes > STEP_BYTES {
            return Ok(STEP);
        }
        (gone, bytes) = (gone + 1, bytes + size.unsigned_abs());
        for statement in [
            "DELETE FROM attempts WHERE delivery IN (SELECT id FROM deliveries WHERE event = ?1)",
            "DELETE FROM deliveries WHERE event = ?1",
            "DELETE FROM duplicates WHERE event = ?1",
            "DELETE FROM events WHERE id = ?1",
        ] {
            transaction.prepare_cached(statement)?.execute([id])?;
        }
    }
    Ok(gone)
}
