//! Forgetting: history that is settled and old, or too much; in steps so small that nobody waits for them.
//!
//! What may go is looked for beside the writer, by a connection of its own, however much history has to be passed over.
//! Only then does it go, a few milliseconds' worth in a commit, and each time it is looked at once more: somebody may have
//! put it back into a queue meanwhile.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::clock::Moment;
use crate::delivery::{DeliveryId, Reason};
use crate::name::DestinationName;
use crate::outbox::attempt::{NOT_BEING_TOLD, NOT_UNDER_WAY, fronts};
use crate::outbox::{Durability, Outbox, StoreError, catch_up, diary, history};
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

/// What has been found that may be forgotten.
#[derive(Debug, Default)]
pub(super) struct Forgettable {
    /// Events, the oldest first.
    events: VecDeque<i64>,
    /// Whether they go before their time, because the store is too large.
    early: bool,
    /// Deliveries that nobody will ever take.
    stranded: Vec<i64>,
}

/// Events that are looked for at once, at most.
const FOUND: u32 = 5_000;

/// Whoever wants to commit something waits for a step no longer than about this.
const STEP: Duration = Duration::from_millis(4);

/// Rows without an event that go in one step, at most.
const ROWS: u32 = 200;

/// Deliveries that are given up in one step, at most.
const MOST_STRANDED: usize = 500;

/// Pages given back to the file system between two looks at the time.
const PAGES: u32 = 32;

/// Free pages that are left where they are: what comes next needs them.
const SPARE_PAGES: i64 = 256;

/// Identities are remembered at least this long, however short history is kept.
const IDENTITIES_AT_LEAST: Duration = Duration::from_hours(7 * 24);

/// Spikes are remembered this long, far longer than they count for anything.
const SPIKES_FOR: Duration = Duration::from_hours(24);

impl Outbox {
    /// Takes one step of forgetting.
    pub async fn prune(&self, keep: Keep) -> Result<Pruned, StoreError> {
        let now = self.clock.now();
        let found = self.find(keep, now).await?;
        let forget = move |transaction: &Transaction<'_>| {
            let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
            let stranded = strand(transaction, &found.stranded, now)?;
            let gone = forget_events(transaction, &mut found, keep, now)?;
            found.stranded.clear();
            let identities =
                forget_identities(transaction, now.minus(keep.history.max(IDENTITIES_AT_LEAST)))?;
            let ended = forget_floods(transaction, now)?;
            let noted = diary::forget(transaction, now.minus(keep.history), ROWS)?;
            catch_up::forget(transaction, now)?;
            Ok((gone > 0 || identities > 0 || ended > 0 || noted > 0, used(transaction)?, stranded))
        };
        let (went, used, stranded) = self.writer.write(Durability::Handed, forget).await?;
        self.log_stranded(&stranded);
        for leader in stranded.iter().filter_map(|stranded| stranded.leader) {
            self.fold(leader).await?;
        }
        let shrank = self.writer.write(Durability::Handed, shrink).await?;
        let more = went || shrank || !stranded.is_empty();
        let stranded = stranded.iter().filter(|stranded| !stranded.is_own).count();
        Ok(Pruned { more, used, stranded: u64::try_from(stranded).unwrap_or(u64::MAX) })
    }

    /// Looks for what may go, unless some of what was found before is left. A change that could not be committed may be made
    /// again, with what is left then: what was taken out is found the next time.
    async fn find(&self, keep: Keep, now: Moment) -> Result<Arc<Mutex<Forgettable>>, StoreError> {
        let found = Arc::clone(&self.forgettable);
        if !found.lock().unwrap_or_else(PoisonError::into_inner).events.is_empty() {
            return Ok(found);
        }
        let known = self.wakes.load_full();
        let is_known = move |name: &str| known.keys().any(|known| known.as_str() == name);
        // One moment for all of it.
        let finding =
            move |connection: &Connection| find(&*connection.unchecked_transaction()?, keep, now, is_known);
        let fresh = self.read_aside(finding).await?;
        *found.lock().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(found)
    }

    fn log_stranded(&self, all: &[Stranded]) {
        let stranded = all.len();
        if stranded > 0 {
            tracing::error!(
                stranded,
                "given up: nobody has mended or resumed their destination for as long as history is kept"
            );
        }
        for destination in all.iter().filter_map(|one| DestinationName::new(&one.destination).ok()) {
            self.metrics.buried(&destination, Reason::Stranded, 1);
        }
    }
}

fn find(
    connection: &Connection,
    keep: Keep,
    now: Moment,
    is_known: impl Fn(&str) -> bool,
) -> rusqlite::Result<Forgettable> {
    let dead_before = now.minus(keep.dead_letters);
    let mut found = Forgettable {
        events: find_events(connection, now.minus(keep.history), dead_before)?,
        early: false,
        stranded: find_stranded(connection, now.minus(keep.history), is_known)?,
    };
    if found.events.is_empty() && used(connection)? > keep.max_size {
        found.events = find_events(connection, now, dead_before)?;
        found.early = true;
    }
    Ok(found)
}

/// What keeps an event from being forgotten: that somebody is still to hear of it, or may still want to send it again.
const IS_OWED: &str = "EXISTS (SELECT 1 FROM deliveries d WHERE d.event = e.id
                                AND (d.state = 'waiting' OR (d.state = 'dead' AND d.settled_at >= ?2)))";

/// The oldest events that came before `before` and owe nothing any more. Dead letters stay until `dead_before`.
fn find_events(
    connection: &Connection,
    before: Moment,
    dead_before: Moment,
) -> rusqlite::Result<VecDeque<i64>> {
    connection
        .prepare(&format!(
            "SELECT id FROM events e WHERE received_at < ?1 AND NOT {IS_OWED} ORDER BY received_at, id LIMIT ?3"
        ))?
        .query_map(params![before.0, dead_before.0, FOUND], |row| row.get(0))?
        .collect()
}

/// What has waited since before `before` at the front of a queue whose destination is gone, suspended or no longer
/// configured: whoever wanted it told has had that long to mend it.
fn find_stranded(
    connection: &Connection,
    before: Moment,
    is_known: impl Fn(&str) -> bool,
) -> rusqlite::Result<Vec<i64>> {
    let mut is_shut = connection.prepare(
        "SELECT 1 FROM destinations
         WHERE name = ?1 AND (gone_since IS NOT NULL OR suspended_since IS NOT NULL)",
    )?;
    let mut front = connection.prepare(&fronts("?1", "?2", 600))?;
    let mut stranded = Vec::new();
    for destination in history::waited_for(connection)? {
        if is_known(&destination) && !is_shut.exists([&destination])? {
            continue;
        }
        let ids = front.query_map(params![destination, before.0 - 1], |row| row.get(0))?;
        stranded.extend(ids.collect::<Result<Vec<i64>, _>>()?);
        if stranded.len() >= MOST_STRANDED {
            break;
        }
    }
    stranded.truncate(MOST_STRANDED);
    Ok(stranded)
}

/// A delivery that was given up since nobody has mended its destination.
struct Stranded {
    destination: String,
    /// Whether it is of one of bugle's own events.
    is_own: bool,
    /// Its number, if its message was to tell of others, too.
    leader: Option<DeliveryId>,
}

/// Gives up those of `found` that still wait.
fn strand(transaction: &Transaction<'_>, found: &[i64], now: Moment) -> rusqlite::Result<Vec<Stranded>> {
    let ids = serde_json::json!(found).to_string();
    transaction
        .prepare_cached(&format!(
            "UPDATE deliveries SET state = 'dead', settled_at = ?1, reason = ?2
             WHERE id IN (SELECT value FROM json_each(?3)) AND state = 'waiting' AND {NOT_UNDER_WAY} AND {NOT_BEING_TOLD}
             RETURNING destination, (SELECT product = ?4 FROM events WHERE id = deliveries.event),
                       iif(told_as IS NULL, NULL, id)"
        ))?
        .query_map(params![now.0, Reason::Stranded.as_str(), ids, OWN], |row| {
            let leader: Option<i64> = row.get(2)?;
            Ok(Stranded { destination: row.get(0)?, is_own: row.get(1)?, leader: leader.map(DeliveryId) })
        })?
        .collect()
}

/// Forgets what of `found` may still be forgotten, for as long as a step may take; how many events went.
fn forget_events(
    transaction: &Transaction<'_>,
    found: &mut Forgettable,
    keep: Keep,
    now: Moment,
) -> rusqlite::Result<u32> {
    let begun = Instant::now();
    let dead_before = now.minus(keep.dead_letters);
    let mut gone = 0;
    while let Some(id) = found.events.pop_front() {
        if found.early && used(transaction)? <= keep.max_size {
            found.events.clear();
            break;
        }
        gone += u32::from(forget_event(transaction, id, dead_before)?);
        if begun.elapsed() >= STEP {
            break;
        }
    }
    Ok(gone)
}

/// Forgets an event, if it owes nothing any more; whether it did.
fn forget_event(transaction: &Transaction<'_>, id: i64, dead_before: Moment) -> rusqlite::Result<bool> {
    let may_go = transaction
        .prepare_cached(&format!("SELECT 1 FROM events e WHERE id = ?1 AND NOT {IS_OWED}"))?
        .query_row(params![id, dead_before.0], |_| Ok(()))
        .optional()?;
    if may_go.is_none() {
        return Ok(false);
    }
    for statement in [
        "DELETE FROM attempts WHERE delivery IN (SELECT id FROM deliveries WHERE event = ?1)",
        "DELETE FROM deliveries WHERE event = ?1",
        "DELETE FROM duplicates WHERE event = ?1",
        "DELETE FROM events WHERE id = ?1",
    ] {
        transaction.prepare_cached(statement)?.execute([id])?;
    }
    Ok(true)
}

/// Forgets the oldest identities that were seen before `before`, a bounded number at a time; how many went.
fn forget_identities(transaction: &Transaction<'_>, before: Moment) -> rusqlite::Result<usize> {
    transaction
        .prepare_cached(
            "DELETE FROM identities WHERE digest IN (
                 SELECT digest FROM identities WHERE seen_at < ?1 ORDER BY seen_at LIMIT ?2)",
        )?
        .execute(params![before.0, ROWS])
}

/// Forgets windows that are over and hold nothing, a bounded number at a time, and spikes that are long over; how many
/// windows went.
fn forget_floods(transaction: &Transaction<'_>, now: Moment) -> rusqlite::Result<usize> {
    transaction.prepare_cached("DELETE FROM spikes WHERE at < ?1")?.execute([now.minus(SPIKES_FOR).0])?;
    transaction
        .prepare_cached(
            "DELETE FROM windows WHERE (destination, error_key) IN (
                 SELECT destination, error_key FROM windows WHERE held = 0 AND ends_at <= ?1
                 ORDER BY ends_at LIMIT ?2)",
        )?
        .execute(params![now.0, ROWS])
}

/// Gives free pages back to the file system, for as long as a step may take; whether any went.
fn shrink(transaction: &Transaction<'_>) -> rusqlite::Result<bool> {
    let begun = Instant::now();
    let free = || transaction.pragma_query_value(None, "freelist_count", |row| row.get::<_, i64>(0));
    let before = free()?;
    let mut left = before;
    while left > SPARE_PAGES {
        let mut statement = transaction.prepare_cached(&format!("PRAGMA incremental_vacuum({PAGES})"))?;
        let mut pages = statement.query([])?;
        while pages.next()?.is_some() {}
        let now_left = free()?;
        // A file that was made by something else cannot shrink.
        if now_left == left || begun.elapsed() >= STEP {
            left = now_left;
            break;
        }
        left = now_left;
    }
    Ok(left < before)
}

/// The bytes of the file that hold something.
pub(super) fn used(connection: &Connection) -> rusqlite::Result<u64> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let bytes = (pragma("page_count")? - pragma("freelist_count")?) * pragma("page_size")?;
    Ok(u64::try_from(bytes).unwrap_or(0))
}
