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
        let way = Way { from: from.clone(), to: to.clone(), why, now, up_to: i64::MAX };
        let divert = move |transaction: &Transaction<'_>| {
            // A person's decision: nothing leaves, whichever way.
            if standing::is_suspended(transaction, &way.from)? {
                return Ok(Diverted::default());
            }
            divert(transaction, &way)
        };
        let diverted = self.writer.write(Durability::Flushed, divert).await?;
        if !diverted.is_nothing() {
            wake.notify_one();
        }
        Ok(diverted)
    }
}

/// From where to where, and why.
pub(super) struct Way {
    pub(super) from: DestinationName,
    pub(super) to: DestinationName,
    pub(super) why: Reason,
    pub(super) now: Moment,
    /// Deliveries with a greater number stay.
    pub(super) up_to: i64,
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
    /// Whether its message tells of others, too.
    leads: bool,
}

const PARCEL: &str = "id, event, urgent, mentions, state, moved_to, instead_of, told_as IS NOT NULL";

fn parcel(row: &Row<'_>) -> rusqlite::Result<Parcel> {
    Ok(Parcel {
        id: row.get(0)?,
        event: row.get(1)?,
        urgent: row.get(2)?,
        mentions: row.get(3)?,
        state: row.get(4)?,
        moved_to: row.get(5)?,
        instead_of: row.get(6)?,
        leads: row.get(7)?,
    })
}

/// Moves the next few: what is in the queue, in its order, then what windows hold. Where a message was to tell of several, those go
/// first, each by itself; so it is never left to tell of what is no more its own.
pub(super) fn divert(transaction: &Transaction<'_>, way: &Way) -> rusqlite::Result<Diverted> {
    let mut parcels = Vec::new();
    for held in [0, 1] {
        let some = waiting(transaction, way, held, left(&parcels))?;
        for parcel in some {
            if parcel.leads {
                parcels.extend(members(transaction, &parcel, left(&parcels))?);
            }
            if left(&parcels) == 0 {
                break;
            }
            parcels.push(parcel);
        }
    }
    // What a person moves, goes once; it says nothing of what comes after it.
    if !parcels.is_empty() && way.why != Reason::MovedByHand {
        standing::divert(transaction, &way.from, &way.to, way.now)?;
    }
    let mut diverted = Diverted::default();
    for parcel in &parcels {
        if send(transaction, way, parcel)? {
            diverted.moved += 1;
        } else {
            diverted.covered += 1;
        }
    }
    Ok(diverted)
}

fn left(parcels: &[Parcel]) -> u32 {
    CHUNK.saturating_sub(u32::try_from(parcels.len()).unwrap_or(CHUNK))
}

/// What waits and is not under way, of what is `held` so.
fn waiting(transaction: &Transaction<'_>, way: &Way, held: u8, most: u32) -> rusqlite::Result<Vec<Parcel>> {
    transaction
        .prepare_cached(&format!(
            "SELECT {PARCEL} FROM deliveries WHERE destination = ?1 AND state = 'waiting' AND held = ?4 AND +id <= ?3
             AND {NOT_UNDER_WAY} ORDER BY urgent DESC, id LIMIT ?2"
        ))?
        .query_map(params![way.from.as_str(), most, way.up_to, held], parcel)?
        .collect()
}

/// What the message of `leader` was to tell of. If that may have been posted, so may they.
fn members(transaction: &Transaction<'_>, leader: &Parcel, most: u32) -> rusqlite::Result<Vec<Parcel>> {
    transaction
        .prepare_cached(
            "UPDATE deliveries SET unclear = max(unclear, (SELECT unclear FROM deliveries WHERE id = ?1))
             WHERE id IN (SELECT id FROM deliveries WHERE folded_into = ?1 AND state = 'waiting' ORDER BY id LIMIT ?2)",
        )?
        .execute(params![leader.id, most])?;
    transaction
        .prepare_cached(&format!(
            "SELECT {PARCEL} FROM deliveries WHERE folded_into = ?1 AND state = 'waiting' ORDER BY id LIMIT ?2"
        ))?
        .query_map(params![leader.id, most], parcel)?
        .collect()
}

/// Sends one on its way; whether it goes itself, not covered by another.
fn send(transaction: &Transaction<'_>, way: &Way, parcel: &Parcel) -> rusqlite::Result<bool> {
    let cover = cover(transaction, way, parcel)?;
    let (successor, why) = match cover {
        Some(cover) => (cover, Reason::Covered),
        None => (forward(transaction, way, parcel)?, way.why),
    };
    settle(transaction, way, parcel, successor, why)?;
    Ok(cover.is_none())
}

/// Sends the dead letter `id` again: to `to`, or to where it was given up. Whose it was, where it goes, and whether it
/// goes itself, not covered by another; nothing if it is none (any more).
pub(super) fn redrive(
    transaction: &Transaction<'_>,
    id: i64,
    to: Option<&DestinationName>,
    now: Moment,
) -> rusqlite::Result<Option<(DestinationName, DestinationName, bool)>> {
    let found = transaction
        .prepare_cached(&format!(
            "SELECT {PARCEL}, destination FROM deliveries WHERE id = ?1 AND state = 'dead'"
        ))?
        .query_row([id], |row| Ok((parcel(row)?, row.get::<_, String>(8)?)))
        .optional()?;
    // We wrote the name ourselves; what somebody has renamed by hand stays where it is.
    let Some((parcel, from)) =
        found.and_then(|(parcel, from)| Some((parcel, DestinationName::new(&from).ok()?)))
    else {
        return Ok(None);
    };
    let to = to.unwrap_or(&from).clone();
    let way = Way { from, to, why: Reason::Redriven, now, up_to: i64::MAX };
    let goes = send(transaction, &way, &parcel)?;
    Ok(Some((way.from, way.to, goes)))
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
    let gains = parcel.urgent && !end.urgent || mentions.len() > read(&end.mentions).len();
    transaction
        .prepare_cached(&format!(
            "UPDATE deliveries SET urgent = ?2, mentions = ?3, mentioned = iif(?4, NULL, mentioned),
                                   held = iif(held = 1 AND ?2 > urgent OR {TOLD_WITH_LESS}, 0, held),
                                   folded_into = iif({TOLD_WITH_LESS}, NULL, folded_into)
             WHERE id = ?1"
        ))?
        .execute(params![
            end.id,
            end.urgent || parcel.urgent,
            serde_json::json!(mentions).to_string(),
            gains
        ])?;
    Ok(())
}

/// No window holds what is urgent from now on, and no message tells of it that does not mention whom it has to; unless that
/// message is under way.
const TOLD_WITH_LESS: &str =
    "(held = 2 AND ?4 AND folded_into NOT IN (SELECT delivery FROM attempts WHERE ended_at IS NULL))";

/// A delivery to `to` that owes what `parcel` did. What may have been posted already still says so.
fn forward(transaction: &Transaction<'_>, way: &Way, parcel: &Parcel) -> rusqlite::Result<i64> {
    let first = parcel.instead_of.as_deref().unwrap_or(way.from.as_str());
    // It may have come back to where it was meant for.
    let instead_of = (first != way.to.as_str()).then_some(first);
    // What is sent again begins anew: it is not given up for how long ago it came, or for what was tried before.
    let begins_at = (way.why == Reason::Redriven).then_some(way.now.0);
    transaction
        .prepare_cached(
            "INSERT INTO deliveries (event, destination, rule, template, urgent, mentions, accepted_at, due_at,
                                     unclear, instead_of, error_key, collapsible, alone)
             SELECT event, ?2, rule, template, urgent, mentions, coalesce(?4, accepted_at), 0,
                    iif(?4 IS NULL, unclear, min(unclear, 1)), ?3, error_key, collapsible, alone
             FROM deliveries WHERE id = ?1",
        )?
        .insert(params![parcel.id, way.to.as_str(), instead_of, begins_at])
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
