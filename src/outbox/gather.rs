//! Telling of many deliveries in one message: which they are is fixed and on disk before the message is made.
//!
//! One of them is the *leader*: it stays in the queue, is claimed, tried and settled as any other, and its message tells of
//! all. The others, its *members*, wait for what becomes of it. Whatever interrupts this leaves a leader with fewer members,
//! and the rest in the queue.

use std::time::Duration;

use rusqlite::{OptionalExtension as _, Transaction, params};

use crate::clock::Moment;
use crate::delivery::DeliveryId;
use crate::flood::{ENDS_TOGETHER, Told};
use crate::outbox::attempt::NOT_UNDER_WAY;
use crate::outbox::look::{DUE, Room};
use crate::outbox::standing::{self, FARTHEST};
use crate::outbox::window::{self, CHUNK, MAY_BE_FOLDED};
use crate::outbox::{Durability, Outbox, StoreError};

/// A gathering under way.
#[derive(Debug, Clone)]
struct Begun {
    leader: i64,
    /// What came after that belongs to the next.
    up_to: i64,
    /// Of what ended: the keys of the windows, as a JSON list.
    keys: String,
    is_complete: bool,
}

impl Outbox {
    /// Gathers what is to be told together, urgent or not, and says which delivery stands for all of it; nothing, if there is
    /// nothing any more. When this returns, which they are is on disk.
    pub async fn gather(
        &self,
        room: &Room,
        told: Told,
        urgent: bool,
    ) -> Result<Option<DeliveryId>, StoreError> {
        let now = self.clock.now();
        let mut begun: Option<Begun> = None;
        loop {
            let room = room.clone();
            let step = move |transaction: &Transaction<'_>| {
                // A person's decision: nothing changes meanwhile.
                if standing::is_suspended(transaction, &room.name)?
                    || !still_leads(transaction, begun.as_ref())?
                {
                    return Ok(None);
                }
                match told {
                    Told::Digest => digest(transaction, &room, urgent, now, begun.clone()),
                    Told::More => more(transaction, &room, now, begun.clone()),
                }
            };
            begun = self.writer.write(Durability::Flushed, step).await?;
            match &begun {
                Some(begun) if begun.is_complete => return Ok(Some(DeliveryId(begun.leader))),
                Some(_) => {}
                None => return Ok(None),
            }
        }
    }
}

/// Whether a gathering that has begun can go on: somebody may have moved its leader meanwhile.
fn still_leads(transaction: &Transaction<'_>, begun: Option<&Begun>) -> rusqlite::Result<bool> {
    let Some(begun) = begun else { return Ok(true) };
    transaction
        .prepare_cached("SELECT 1 FROM deliveries WHERE id = ?1 AND state = 'waiting' AND held = 0")?
        .exists([begun.leader])
}

/// Gathers what is due and urgent, or due and not urgent: the first of it leads.
fn digest(
    transaction: &Transaction<'_>,
    room: &Room,
    urgent: bool,
    now: Moment,
    begun: Option<Begun>,
) -> rusqlite::Result<Option<Begun>> {
    let may_be = format!("{DUE} AND urgent = ?4 AND {MAY_BE_FOLDED} AND {NOT_UNDER_WAY}");
    let (name, farthest) = (room.name.as_str(), now.plus(FARTHEST).0);
    let begun = if let Some(begun) = begun {
        begun
    } else {
        let first = transaction
            .prepare_cached(&format!("SELECT id FROM deliveries WHERE {may_be} ORDER BY id LIMIT 1"))?
            .query_row(params![name, now.0, farthest, urgent], |row| row.get(0))
            .optional()?;
        let Some(leader) = first else { return Ok(None) };
        lead(transaction, leader, Told::Digest, String::new(), now)?
    };
    let folded = transaction
        .prepare_cached(&format!(
            "UPDATE deliveries SET held = 2, folded_into = ?5 WHERE id IN (
                 SELECT id FROM deliveries WHERE {may_be} AND id <> ?5 AND id <= ?6 ORDER BY id LIMIT ?7)"
        ))?
        .execute(params![name, now.0, farthest, urgent, begun.leader, begun.up_to, CHUNK])?;
    Ok(Some(Begun { is_complete: is_last(folded), ..begun }))
}

/// Gathers what the windows hold that end now, and opens them again, so that what comes meanwhile is held. Those that were
/// to end a little later end with them.
fn more(
    transaction: &Transaction<'_>,
    room: &Room,
    now: Moment,
    begun: Option<Begun>,
) -> rusqlite::Result<Option<Begun>> {
    let name = room.name.as_str();
    let held =
        "deliveries INDEXED BY deliveries_of_error WHERE destination = ?1 AND state = 'waiting' AND held = 1
                AND error_key IN (SELECT unhex(value) FROM json_each(?2))";
    let Some(begun) = begun else {
        let windows = ending(transaction, room, now)?;
        let keys: Vec<&str> = windows.iter().map(|window| window.key.as_str()).collect();
        let keys = serde_json::json!(keys).to_string();
        let first: Option<i64> = transaction
            .prepare_cached(&format!("SELECT min(id) FROM {held}"))?
            .query_row(params![name, keys], |row| row.get(0))?;
        open_again(transaction, room, &windows, now)?;
        let Some(leader) = first else {
            // Somebody has edited the store by hand: a window that says it holds something would be looked at for ever.
            hold_nothing(transaction, room, &keys)?;
            return Ok(None);
        };
        // What it tells of follows in steps of their own.
        return lead(transaction, leader, Told::More, keys, now).map(Some);
    };
    let folded = transaction
        .prepare_cached(&format!(
            "UPDATE deliveries SET held = 2, folded_into = ?3 WHERE id IN (
                 SELECT id FROM {held} AND +id <= ?4 LIMIT ?5)"
        ))?
        .execute(params![name, begun.keys, begun.leader, begun.up_to, CHUNK])?;
    Ok(Some(Begun { is_complete: is_last(folded), ..begun }))
}

/// Whether there is nothing more to fold after a step that has folded so many.
fn is_last(folded: usize) -> bool {
    u32::try_from(folded).is_ok_and(|folded| folded < CHUNK)
}

/// From now on `leader` stands for others, too.
fn lead(
    transaction: &Transaction<'_>,
    leader: i64,
    told: Told,
    keys: String,
    now: Moment,
) -> rusqlite::Result<Begun> {
    transaction
        .prepare_cached(
            "UPDATE deliveries SET held = 0, told_as = ?2, due_at = min(due_at, ?3) WHERE id = ?1",
        )?
        .execute(params![leader, told.as_str(), now.0])?;
    let up_to =
        transaction.prepare_cached("SELECT max(id) FROM deliveries")?.query_row([], |row| row.get(0))?;
    Ok(Begun { leader, up_to, keys, is_complete: false })
}

/// A window that ends.
struct EndingWindow {
    /// Its error's key, in hexadecimal.
    key: String,
    span: Duration,
}

/// The windows that end now, if one does: those that hold something and are near their end. At most a thousand.
fn ending(transaction: &Transaction<'_>, room: &Room, now: Moment) -> rusqlite::Result<Vec<EndingWindow>> {
    if window::first_end(transaction, room, now)?.is_none_or(|at| at > now) {
        return Ok(Vec::new());
    }
    transaction
        .prepare_cached(
            "SELECT hex(error_key), ends_at - opened_at FROM windows
             WHERE destination = ?1 AND held > 0
             AND (?2 OR opened_at > ?3 OR ends_at - (ends_at - opened_at) / ?4 <= ?3)
             ORDER BY ends_at LIMIT ?5",
        )?
        .query_map(
            params![room.name.as_str(), room.flood.collapse.is_none(), now.0, ENDS_TOGETHER, CHUNK],
            |row| {
                let span: i64 = row.get(1)?;
                Ok(EndingWindow { key: row.get(0)?, span: Duration::from_millis(span.unsigned_abs()) })
            },
        )?
        .collect()
}

/// Opens windows again, for longer; if the configuration has none any more, they are over.
fn open_again(
    transaction: &Transaction<'_>,
    room: &Room,
    windows: &[EndingWindow],
    now: Moment,
) -> rusqlite::Result<()> {
    let mut open = transaction.prepare_cached(
        "UPDATE windows SET opened_at = ?3, ends_at = ?4 WHERE destination = ?1 AND error_key = unhex(?2)",
    )?;
    for EndingWindow { key, span } in windows {
        let ends_at = room.flood.next_window(*span).map_or(now, |span| now.plus(span));
        open.execute(params![room.name.as_str(), key, now.0, ends_at.0])?;
    }
    Ok(())
}

fn hold_nothing(transaction: &Transaction<'_>, room: &Room, keys: &str) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "UPDATE windows SET held = 0
             WHERE destination = ?1 AND error_key IN (SELECT unhex(value) FROM json_each(?2))",
        )?
        .execute(params![room.name.as_str(), keys])?;
    Ok(())
}
