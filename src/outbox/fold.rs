//! What becomes of those that a message tells of beside its own event: they share its fate.

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::clock::Moment;
use crate::delivery::{DeliveryId, Reason};
use crate::name::DestinationName;
use crate::outbox::window::CHUNK;
use crate::outbox::{Durability, Outbox, StoreError};
use crate::source::OWN;

/// What members of messages have come to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Folded {
    /// Told by a message that was delivered.
    pub told: u64,
    /// Dead letters now, as the message is.
    pub dead: u64,
    /// Those of them that are not of bugle's own events.
    pub dead_of_others: u64,
    /// Back in the queue, since the message will never be.
    pub released: u64,
}

impl Outbox {
    /// Settles the members of `leader` as it is settled, at most a thousand in a commit.
    pub async fn fold(&self, leader: DeliveryId) -> Result<Folded, StoreError> {
        let mut all = Folded::default();
        loop {
            let now = self.clock.now();
            let fold = move |transaction: &Transaction<'_>| fold(transaction, leader.0, now);
            let some = self.writer.write(Durability::Handed, fold).await?;
            let Some(destination) = some.destination else { break };
            self.metrics.folded(&destination, some.folded.told);
            if let Some(reason) = some.reason {
                self.metrics.buried(&destination, reason, some.folded.dead);
            }
            self.wake(&destination).notify_one();
            all.told += some.folded.told;
            all.dead += some.folded.dead;
            all.dead_of_others += some.folded.dead_of_others;
            all.released += some.folded.released;
        }
        all.log();
        Ok(all)
    }

    /// Settles all members whose leaders were settled when the process before ended.
    pub(super) async fn fold_all(&self) -> Result<(), StoreError> {
        for leader in self.read(settled_leaders).await? {
            self.fold(DeliveryId(leader)).await?;
        }
        Ok(())
    }
}

impl Folded {
    fn log(self) {
        let Self { told, dead, released, .. } = self;
        if told > 0 {
            tracing::info!(folded = told, "told by a message that stands for many");
        }
        if dead > 0 {
            tracing::error!(
                dead,
                "given up with the message that was to tell of them: these are dead letters now"
            );
        }
        if released > 0 {
            tracing::warn!(released, "back in the queue: the message that was to tell of them is no more");
        }
    }
}

/// The leaders that are settled, or not there any more, while members of theirs are not.
fn settled_leaders(connection: &Connection) -> rusqlite::Result<Vec<i64>> {
    connection
        .prepare(
            "SELECT DISTINCT m.folded_into FROM deliveries m LEFT JOIN deliveries l ON l.id = m.folded_into
             WHERE m.state = 'waiting' AND m.held = 2 AND l.state IS NOT 'waiting'",
        )?
        .query_map([], |row| row.get(0))?
        .collect()
}

/// What a step of folding has done.
#[derive(Debug, Default)]
struct Step {
    folded: Folded,
    /// Where; nothing, if there was nothing to do.
    destination: Option<DestinationName>,
    /// Why, if they are dead letters now.
    reason: Option<Reason>,
}

/// Settles some of the members of `leader` as it is settled itself. If it was given up for its age, or went another way, they
/// are back in the queue, for they may be younger; and may be there already, if it may.
fn fold(transaction: &Transaction<'_>, leader: i64, now: Moment) -> rusqlite::Result<Step> {
    let found: Option<(String, Option<String>)> = transaction
        .prepare_cached("SELECT state, reason FROM deliveries WHERE id = ?1")?
        .query_row([leader], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (state, reason) = found.unwrap_or_default();
    let reason = reason.as_deref().and_then(Reason::read);
    let is_of_age = matches!(reason, Some(Reason::GaveUp | Reason::Stranded));
    let set = match state.as_str() {
        "waiting" => return Ok(Step::default()),
        "delivered" => "state = 'folded', settled_at = ?3",
        "dead" if !is_of_age => {
            "state = 'dead', settled_at = ?3, reason = (SELECT reason FROM deliveries WHERE id = ?1),
             words = (SELECT words FROM deliveries WHERE id = ?1)"
        }
        _ => {
            "held = 0, folded_into = NULL, due_at = min(due_at, ?3),
             unclear = max(unclear, coalesce((SELECT unclear FROM deliveries WHERE id = ?1), 1))"
        }
    };
    let all: Vec<(String, bool)> = transaction
        .prepare_cached(&format!(
            "UPDATE deliveries SET {set}
             WHERE id IN (SELECT id FROM deliveries WHERE folded_into = ?1 AND state = 'waiting' LIMIT ?2)
             RETURNING destination, (SELECT product = ?4 FROM events WHERE id = deliveries.event)"
        ))?
        .query_map(params![leader, CHUNK, now.0, OWN], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let count = |of_others: bool| {
        let counted = all.iter().filter(|(_, is_own)| !of_others || !is_own).count();
        u64::try_from(counted).unwrap_or(u64::MAX)
    };
    let folded = match state.as_str() {
        "delivered" => Folded { told: count(false), ..Folded::default() },
        "dead" if !is_of_age => {
            Folded { dead: count(false), dead_of_others: count(true), ..Folded::default() }
        }
        _ => Folded { released: count(false), ..Folded::default() },
    };
    // We wrote the name ourselves; one that somebody edited by hand is counted nowhere.
    let destination = all.first().and_then(|(name, _)| DestinationName::new(name).ok());
    Ok(Step { folded, destination, reason: reason.filter(|_| folded.dead > 0) })
}
