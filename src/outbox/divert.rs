//! Moving what waits for one destination to another, which is to hear of it instead.
//!
//! A delivery that moves is settled, and says by `moved_to` which one took it over: a new one, or one that the other
//! destination has anyway. However often what follows moves on, the way from there ends at a delivery that waits, was
//! posted or is a dead letter; it never goes round, whichever way messages moved before.

use rusqlite::{OptionalExtension as _, Row, Transaction, params};

use crate::clock::Moment;
use crate::delivery::Reason;
use crate::name::DestinationName;
use crate::outbox::attempt::NOT_UNDER_WAY;
use crate::outbox::{Durability, Outbox, StoreError, standing};

/// Deliveries that move in one commit, at most: few enough that whoever shares the commit, or waits for it, hardly notices.
const CHUNK: u32 = 100;

/// What became of deliveries that were to move.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Diverted {
    /// They wait for the other destination now.
    pub moved: usize,
    /// The other destination hears of their events anyway.
    pub covered: usize,
}

impl Diverted {
    /// Whether there were none.
    pub fn is_nothing(self) -> bool {
        self == Self::default()
    }

    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { moved: self.moved + other.moved, covered: self.covered + other.covered }
    }
}

impl Outbox {
    /// Moves what waits at `from` to `to`, for the reason `why`: what is urgent first, in the order of arrival, at most a
    /// hundred at once. When this returns, they are on disk and owed to `to`. What is under way is left alone.
    pub async fn divert(
        &self,
        from: &DestinationName,
        to: &DestinationName,
        why: Reason,
    ) -> Result<Diverted, StoreError> {
        let (wake, now) = (self.wake(to), self.clock.now());
        let way = Way { from: from.clone(), to: to.clone(), why, now };
        let divert = move |transaction: &Transaction<'_>| divert(transaction, &way, CHUNK);
        let diverted = self.writer.write(Durability::Flushed, divert).await?;
        if !diverted.is_nothing() {
            wake.notify_one();
        }
        Ok(diverted)
    }
}

/// From where to where, and why.
struct Way {
    from: DestinationName,
    to: DestinationName,
    why: Reason,
    now: Moment,
}

/// A delivery as far as moving it concerns it.
struct Parcel {
    id: i64,
    event: i64,
    urgent: bool,
    mentions: String,
    state: String,
    moved_to: Option<i64>,
    instead_of: Option<String>,
}

const PARCEL: &str = "id, event, urgent, mentions, state, moved_to, instead_of";

fn parcel(row: &Row<'_>) -> rusqlite::Result<Parcel> {
    Ok(Parcel {
        id: row.get(0)?,
        event: row.get(1)?,
        urgent: row.get(2)?,
        mentions: row.get(3)?,
        state: row.get(4)?,
        moved_to: row.get(5)?,
        instead_of: row.get(6)?,
    })
}

fn divert(transaction: &Transaction<'_>, way: &Way, limit: u32) -> rusqlite::Result<Diverted> {
    let parcels = transaction
        .prepare_cached(&format!(
            "SELECT {PARCEL} FROM deliveries WHERE destination = ?1 AND state = 'waiting' AND {NOT_UNDER_WAY}
             ORDER BY urgent DESC, id LIMIT ?2"
        ))?
        .query_map(params![way.from.as_str(), limit], parcel)?
        .collect::<Result<Vec<_>, _>>()?;
    if !parcels.is_empty() {
        standing::divert(transaction, &way.from, &way.to, way.now)?;
    }
    let mut diverted = Diverted::default();
    for parcel in &parcels {
        if let Some(cover) = cover(transaction, way, parcel)? {
            settle(transaction, way, parcel, cover, Reason::Covered)?;
            diverted.covered += 1;
        } else {
            let successor = forward(transaction, way, parcel)?;
            settle(transaction, way, parcel, successor, way.why)?;
            diverted.moved += 1;
        }
    }
    Ok(diverted)
}

/// The delivery by which `to` hears of the event anyway, if there is one. If it still waits, it takes over what the
/// other one was to do: go ahead of the rest, mention people.
fn cover(transaction: &Transaction<'_>, way: &Way, parcel: &Parcel) -> rusqlite::Result<Option<i64>> {
    let candidates = transaction
        .prepare_cached(&format!(
            "SELECT {PARCEL} FROM deliveries
             WHERE event = ?1 AND destination = ?2 AND state IN ('waiting', 'delivered', 'folded', 'moved')
             ORDER BY state = 'moved', id DESC"
        ))?
        .query_map(params![parcel.event, way.to.as_str()], self::parcel)?
        .collect::<Result<Vec<_>, _>>()?;
    for candidate in candidates {
        let first = candidate.id;
        let Some(end) = end(transaction, candidate)? else { continue };
        // What moved away from there and came here is this one; and nobody has heard of a dead letter.
        if end.id == parcel.id || matches!(end.state.as_str(), "dead" | "discarded") {
            continue;
        }
        if end.state == "waiting" {
            take_over(transaction, &end, parcel)?;
        }
        return Ok(Some(first));
    }
    Ok(None)
}

/// Where the way of a delivery that moved has come to.
fn end(transaction: &Transaction<'_>, parcel: Parcel) -> rusqlite::Result<Option<Parcel>> {
    let mut here = parcel;
    while here.state == "moved" {
        let next = transaction
            .prepare_cached(&format!("SELECT {PARCEL} FROM deliveries WHERE id = ?1"))?
            .query_row([here.moved_to], self::parcel)
            .optional()?;
        let Some(next) = next else { return Ok(None) };
        here = next;
    }
    Ok(Some(here))
}

fn take_over(transaction: &Transaction<'_>, end: &Parcel, parcel: &Parcel) -> rusqlite::Result<()> {
    // We wrote these lists ourselves; a store that somebody edited by hand costs the mentions, not the message.
    let read = |list: &str| serde_json::from_str::<Vec<String>>(list).unwrap_or_default();
    let mut mentions = read(&end.mentions);
    for name in read(&parcel.mentions) {
        if !mentions.contains(&name) {
            mentions.push(name);
        }
    }
    transaction
        .prepare_cached("UPDATE deliveries SET urgent = ?2, mentions = ?3 WHERE id = ?1")?
        .execute(params![end.id, end.urgent || parcel.urgent, serde_json::json!(mentions).to_string()])?;
    Ok(())
}

/// A delivery to `to` that owes what `parcel` did. What may have been posted already still says so.
fn forward(transaction: &Transaction<'_>, way: &Way, parcel: &Parcel) -> rusqlite::Result<i64> {
    let first = parcel.instead_of.as_deref().unwrap_or(way.from.as_str());
    // It may have come back to where it was meant for.
    let instead_of = (first != way.to.as_str()).then_some(first);
    transaction
        .prepare_cached(
            "INSERT INTO deliveries (event, destination, rule, template, urgent, mentions, accepted_at, due_at,
                                     unclear, instead_of)
             SELECT event, ?2, rule, template, urgent, mentions, accepted_at, 0, unclear, ?3
             FROM deliveries WHERE id = ?1",
        )?
        .insert(params![parcel.id, way.to.as_str(), instead_of])
}

fn settle(
    transaction: &Transaction<'_>,
    way: &Way,
    parcel: &Parcel,
    successor: i64,
    reason: Reason,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "UPDATE deliveries SET state = 'moved', settled_at = ?2, reason = ?3, moved_to = ?4 WHERE id = ?1",
        )?
        .execute(params![parcel.id, way.now.0, reason.as_str(), successor])?;
    Ok(())
}
