//! The windows of errors: after a message about one was posted, more of the same is only counted until its window ends.
//!
//! A delivery that a window holds waits, but not in the queue. A window knows how many it holds (triggers of the schema see
//! to it), and is not forgotten before it holds none: so whatever it holds is told when it ends.

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::clock::Moment;
use crate::flood::{ErrorKey, FloodControl};
use crate::name::DestinationName;
use crate::outbox::attempt::NOT_UNDER_WAY;
use crate::outbox::look::{DUE, Room};
use crate::outbox::standing::FARTHEST;
use crate::outbox::{Durability, Outbox, StoreError};

/// Rows that change in one commit, at most.
pub(super) const CHUNK: u32 = 1_000;

/// Whether a window `w` is open at `?now`, or is over but what it holds has not been told. One that was opened later than now
/// comes from a clock that has been set back since, and is over.
pub(super) const IS_OPEN: &str = "((w.opened_at <= ?now AND w.ends_at > ?now) OR w.held > 0)";

/// What may be held back, or told together with others: what may be there already goes by itself, with its mark. What was
/// tried elsewhere, before it moved here, is not there.
pub(super) const MAY_BE_FOLDED: &str = "(told_as IS NULL AND alone = 0 AND (unclear = 0
    OR NOT EXISTS (SELECT 1 FROM attempts WHERE attempts.delivery = deliveries.id)))";

/// Whether more of the error is only counted now, at `destination`. What is urgent is so only after an urgent message.
pub(super) fn holds(
    transaction: &Transaction<'_>,
    destination: &DestinationName,
    key: ErrorKey,
    urgent: bool,
    now: Moment,
) -> rusqlite::Result<bool> {
    let sql = format!(
        "SELECT 1 FROM windows w WHERE destination = ?1 AND error_key = ?2 AND urgent >= ?3 AND {}",
        IS_OPEN.replace("?now", "?4")
    );
    transaction.prepare_cached(&sql)?.exists(params![destination.as_str(), key.0, urgent, now.0])
}

/// A message about the errors `keys` was posted: from now on more of the same is only counted. A window that is open stays as
/// it is, but holds what is urgent from now on if the message was.
pub(super) fn open(
    transaction: &Transaction<'_>,
    destination: &DestinationName,
    keys: &[ErrorKey],
    urgent: bool,
    control: FloodControl,
    now: Moment,
) -> rusqlite::Result<()> {
    let Some(span) = control.collapse else { return Ok(()) };
    let sql = format!(
        "INSERT INTO windows AS w (destination, error_key, urgent, opened_at, ends_at) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (destination, error_key) DO UPDATE SET
             urgent = iif({0}, max(w.urgent, ?3), ?3),
             ends_at = iif({0}, w.ends_at, ?5),
             opened_at = iif({0}, w.opened_at, ?4)",
        IS_OPEN.replace("?now", "?4")
    );
    let mut open = transaction.prepare_cached(&sql)?;
    for key in keys {
        open.execute(params![destination.as_str(), key.0, urgent, now.0, now.plus(span).0])?;
    }
    Ok(())
}

/// The error of what is first in the queue, urgent or not, if its window is open and so holds it back.
pub(super) fn first_covered(
    connection: &Connection,
    destination: &DestinationName,
    urgent: bool,
    now: Moment,
) -> rusqlite::Result<Option<[u8; 16]>> {
    let sql = format!(
        "SELECT w.error_key FROM (
             SELECT error_key, urgent, collapsible AND {MAY_BE_FOLDED} AS may_be FROM deliveries
             WHERE {DUE} AND urgent = ?4 AND {NOT_UNDER_WAY} ORDER BY id LIMIT 1) AS first
         JOIN windows w ON w.destination = ?1 AND w.error_key = first.error_key AND w.urgent >= first.urgent
         WHERE first.may_be AND {}",
        IS_OPEN.replace("?now", "?2"),
    );
    connection
        .prepare_cached(&sql)?
        .query_row(params![destination.as_str(), now.0, now.plus(FARTHEST).0, urgent], |row| row.get(0))
        .optional()
}

/// When the first window ends of those that hold anything; at once, if the configuration has no windows any more, or if it
/// was opened later than now, by a clock that has been set back since.
pub(super) fn first_end(
    connection: &Connection,
    room: &Room,
    now: Moment,
) -> rusqlite::Result<Option<Moment>> {
    let first = connection
        .prepare_cached(
            "SELECT opened_at, ends_at FROM windows WHERE destination = ?1 AND held > 0 ORDER BY ends_at LIMIT 1",
        )?
        .query_row([room.name.as_str()], |row| Ok((Moment(row.get(0)?), Moment(row.get(1)?))))
        .optional()?;
    let off = room.flood.collapse.is_none();
    Ok(first.map(|(opened_at, ends_at)| if off || opened_at > now { now } else { ends_at }))
}

impl Outbox {
    /// Has the windows that are open hold back what came before they did: what is first in the queue of `destination`, and
    /// more of the same, at most a thousand at once.
    pub async fn collapse(&self, destination: &DestinationName) -> Result<(), StoreError> {
        let (destination, now) = (destination.clone(), self.clock.now());
        let collapse = move |transaction: &Transaction<'_>| collapse(transaction, &destination, now);
        self.writer.write(Durability::Handed, collapse).await.map(drop)
    }
}

fn collapse(
    transaction: &Transaction<'_>,
    destination: &DestinationName,
    now: Moment,
) -> rusqlite::Result<u32> {
    let mut collapsing = transaction.prepare_cached(&format!(
        "UPDATE deliveries SET held = 1 WHERE id IN (
             SELECT id FROM deliveries INDEXED BY deliveries_of_error
             WHERE destination = ?1 AND state = 'waiting' AND error_key = ?2 AND held = 0
             AND collapsible = 1 AND {MAY_BE_FOLDED} AND {NOT_UNDER_WAY}
             AND urgent <= (SELECT urgent FROM windows WHERE destination = ?1 AND error_key = ?2)
             ORDER BY id LIMIT ?3)"
    ))?;
    let mut held: u32 = 0;
    for urgent in [true, false] {
        while held < CHUNK
            && let Some(key) = first_covered(transaction, destination, urgent, now)?
        {
            let some = collapsing.execute(params![destination.as_str(), key, CHUNK - held])?;
            if some == 0 {
                break;
            }
            held = held.saturating_add(u32::try_from(some).unwrap_or(CHUNK));
        }
    }
    Ok(held)
}
