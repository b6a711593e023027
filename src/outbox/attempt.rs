//! From the outbox to a courier and back: what is due, one attempt at it, and what came of that.

use rusqlite::{OptionalExtension as _, Row, Transaction, params};

use crate::clock::Moment;
use crate::delivery::{Delivery, DeliveryId, Outcome, Reason, Settlement, Verdict};
use crate::event::EventId;
use crate::flood::{ErrorKey, Told};
use crate::name::DestinationName;
use crate::outbox::look::{DUE, Room};
use crate::outbox::standing::{self, FARTHEST};
use crate::outbox::{Durability, Outbox, StoreError, StoredEvent, leader, window};
use crate::source;

/// A delivery taken for one attempt.
#[derive(Debug)]
pub struct Claim {
    /// What is owed.
    pub delivery: Delivery,
    /// What it tells of.
    pub stored: StoredEvent,
    /// The attempt's number in the store.
    pub attempt: i64,
}

/// Which of what is due is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pick {
    /// This one, if it is still due.
    This(DeliveryId),
    /// What has been tried least, of the first thousand: a destination that is down must not be asked with the same few
    /// messages again and again, which may be all that is wrong with it.
    LeastTried,
}

/// How an attempt ended, and what follows from it.
#[derive(Debug, Clone)]
pub struct Ending {
    /// What the platform's answer means.
    pub verdict: Verdict,
    /// What becomes of the delivery.
    pub settlement: Settlement,
    /// Until when each of these destinations is to be left alone, since a platform has asked for it.
    pub holds: Vec<(DestinationName, Moment)>,
    /// Until when this destination is left alone after failures.
    pub rests_until: Option<Moment>,
    /// What was accepted before this and still waits for the destination is given up with the delivery.
    pub overdue: Option<Moment>,
    /// The errors that the message has named. If it was posted, their windows open.
    pub named: Vec<ErrorKey>,
}

/// Deliveries that were given up with another, since their destination has been down for too long.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GivenUp {
    /// How many.
    pub count: u64,
    /// Those that are not of bugle's own events.
    pub of_others: u64,
    /// Those whose message was to tell of others, too.
    pub leaders: Vec<DeliveryId>,
}

impl Ending {
    /// One that says nothing of the destination.
    pub fn new(verdict: Verdict, settlement: Settlement) -> Self {
        let (holds, named) = (Vec::new(), Vec::new());
        Self { verdict, settlement, holds, rests_until: None, overdue: None, named }
    }

    /// When the delivery is tried again at `destination`, as far as can be told.
    fn again_at(&self, destination: &DestinationName) -> Option<Moment> {
        let due = self.settlement.again_at()?;
        let holds = self.holds.iter().filter(|(name, _)| name == destination).map(|(_, until)| *until);
        holds.chain(self.rests_until).chain([due]).max()
    }
}

impl Outbox {
    /// Takes what is due, for one attempt; nothing while a person has the destination wait. The mark need not be flushed:
    /// should a power failure take it, all that is lost is the knowledge that the message may be a repeat.
    pub async fn claim(&self, room: &Room, pick: Pick) -> Result<Option<Claim>, StoreError> {
        let (room, now) = (room.clone(), self.clock.now());
        let claim = move |transaction: &Transaction<'_>| claim(transaction, &room, now, pick);
        self.writer.write(Durability::Handed, claim).await
    }

    /// Writes down how an attempt ended and what follows; what was given up with it is returned.
    pub async fn settle(&self, room: &Room, claim: &Claim, ending: Ending) -> Result<GivenUp, StoreError> {
        let (delivery, attempt, now) = (claim.delivery.clone(), claim.attempt, self.clock.now());
        let (name, flood) = (room.name.clone(), room.flood);
        let settle = move |transaction: &Transaction<'_>| {
            let Ending { verdict, settlement, holds, rests_until, overdue, named } = &ending;
            end_attempt(transaction, attempt, verdict, ending.again_at(&name), now)?;
            write_settlement(transaction, delivery.id, verdict, *settlement, now)?;
            if *settlement == Settlement::Delivered {
                window::open(transaction, &name, named, delivery.urgent, flood, now)?;
            }
            for (destination, until) in holds {
                standing::hold(transaction, destination, (now, *until), verdict)?;
            }
            let given_up = match overdue {
                Some(before) => give_up(transaction, &name, *before, verdict, now)?,
                None => GivenUp::default(),
            };
            standing::mark(transaction, &name, verdict, now)?;
            let delivered_at = (verdict.outcome == Outcome::Delivered).then_some(now);
            standing::rest(transaction, &name, *rests_until, delivered_at)?;
            Ok(given_up)
        };
        let given_up = self.writer.write(Durability::Flushed, settle).await?;
        if given_up.count > 0 {
            self.metrics.buried(&room.name, Reason::GaveUp, given_up.count);
            tracing::error!(
                given_up = given_up.count,
                "the destination has been down for too long: these are dead letters now"
            );
        }
        Ok(given_up)
    }

    /// Makes due at once what waits for `destination` because it has failed there; not what may be there already, which is
    /// repeated slowly.
    pub async fn let_go(&self, destination: &DestinationName) -> Result<(), StoreError> {
        let (destination, now) = (destination.clone(), self.clock.now());
        let let_go = move |transaction: &Transaction<'_>| {
            transaction
                .prepare_cached(
                    "UPDATE deliveries SET due_at = ?2 WHERE destination = ?1 AND state = 'waiting' AND due_at > ?2
                     AND failures > 0 AND unclear = 0",
                )?
                .execute(params![destination.as_str(), now.0])
        };
        self.writer.write(Durability::Handed, let_go).await.map(drop)
    }

    /// When the attempts of a pace group since `since` began, the oldest first: a restart must not hurry.
    pub async fn recent_attempts(&self, pace_group: &str, since: Moment) -> Result<Vec<Moment>, StoreError> {
        let pace_group = pace_group.to_owned();
        self.read(move |connection| {
            connection
                .prepare(
                    "SELECT started_at FROM attempts WHERE pace_group = ?1 AND started_at > ?2 ORDER BY started_at",
                )?
                .query_map(params![pace_group, since.0], |row| row.get(0).map(Moment))?
                .collect()
        })
        .await
    }
}

/// The message that is to tell of it is not under way.
pub(super) const NOT_BEING_TOLD: &str = "(folded_into IS NULL
    OR folded_into NOT IN (SELECT delivery FROM attempts WHERE ended_at IS NULL))";

/// What is under way is taken by nobody else, should there ever be two couriers at one destination. Of attempts without
/// an end there are as many as couriers, and the index over them holds no others.
pub(super) const NOT_UNDER_WAY: &str = "id NOT IN (SELECT delivery FROM attempts WHERE ended_at IS NULL)";

impl Pick {
    fn sql(self) -> String {
        let due = format!("FROM deliveries WHERE {DUE} AND {NOT_UNDER_WAY} ORDER BY urgent DESC, id");
        match self {
            Self::This(id) => {
                format!("SELECT id FROM deliveries WHERE id = {} AND {DUE} AND {NOT_UNDER_WAY}", id.0)
            }
            Self::LeastTried => format!(
                "SELECT id FROM (SELECT id, urgent, failures + unclear AS tries {due} LIMIT 1000)
                 ORDER BY tries, urgent DESC, id LIMIT 1"
            ),
        }
    }
}

fn claim(
    transaction: &Transaction<'_>,
    room: &Room,
    now: Moment,
    pick: Pick,
) -> rusqlite::Result<Option<Claim>> {
    if standing::is_suspended(transaction, &room.name)? {
        return Ok(None);
    }
    let found = transaction
        .prepare_cached(&format!(
            "SELECT d.id, d.event, d.urgent, d.mentions, d.accepted_at, d.failures, d.unclear, d.simplest, d.template,
                    d.instead_of, d.told_as, d.error_key, e.source, e.product, e.trigger, e.severity, e.raw, e.caught_up
             FROM deliveries d JOIN events e ON e.id = d.event WHERE d.id = ({})",
            pick.sql()
        ))?
        .query_row(params![room.name.as_str(), now.0, now.plus(FARTHEST).0], |row| {
            Ok((read_delivery(row, &room.name)?, StoredEvent::of(row, 12)?))
        })
        .optional()?;
    let Some((mut delivery, stored)) = found else { return Ok(None) };
    if let Some(told) = delivery.told {
        delivery.mentions = leader::mentioned(transaction, room, delivery.id.0, told, now)?;
        delivery.tells_again = leader::tells_again(transaction, delivery.id.0)?;
        delivery.instead_of = leader::instead_of(transaction, delivery.id.0)?;
    }
    let attempt = transaction
        .prepare_cached("INSERT INTO attempts (delivery, pace_group, started_at) VALUES (?1, ?2, ?3)")?
        .insert(params![delivery.id.0, room.pace_group, now.0])?;
    Ok(Some(Claim { delivery, stored, attempt }))
}

fn read_delivery(row: &Row<'_>, destination: &DestinationName) -> rusqlite::Result<Delivery> {
    let mentions: String = row.get(3)?;
    let told: Option<String> = row.get(10)?;
    Ok(Delivery {
        id: DeliveryId(row.get(0)?),
        event_id: EventId(row.get(1)?),
        destination: destination.clone(),
        urgent: row.get(2)?,
        // We wrote this list ourselves; a store that somebody edited by hand costs the mentions, not the message.
        mentions: serde_json::from_str(&mentions).unwrap_or_default(),
        accepted_at: Moment(row.get(4)?),
        failures: row.get(5)?,
        unclear: row.get(6)?,
        simplest: row.get(7)?,
        template: row.get(8)?,
        instead_of: row.get(9)?,
        told: told.as_deref().and_then(Told::read),
        error: row.get::<_, Option<[u8; 16]>>(11)?.map(ErrorKey),
        tells_again: false,
    })
}

pub(super) fn end_attempt(
    transaction: &Transaction<'_>,
    attempt: i64,
    verdict: &Verdict,
    again_at: Option<Moment>,
    now: Moment,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "UPDATE attempts SET ended_at = ?2, outcome = ?3, reason = ?4, status = ?5, words = ?6, again_at = ?7
             WHERE id = ?1",
        )?
        .execute(params![
            attempt,
            now.0,
            verdict.outcome.as_str(),
            verdict.reason.as_str(),
            verdict.status,
            verdict.words,
            again_at.map(|at| at.0),
        ])?;
    Ok(())
}

pub(super) fn write_settlement(
    transaction: &Transaction<'_>,
    delivery: DeliveryId,
    verdict: &Verdict,
    settlement: Settlement,
    now: Moment,
) -> rusqlite::Result<()> {
    match settlement {
        Settlement::Delivered => transaction
            .prepare_cached(
                "UPDATE deliveries SET state = 'delivered', settled_at = ?2, message_id = ?3
                 WHERE id = ?1 AND state IN ('waiting', 'dead')",
            )?
            .execute(params![delivery.0, now.0, verdict.message_id])?,
        Settlement::Again { at, failures, unclear } => transaction
            .prepare_cached(
                "UPDATE deliveries SET due_at = ?2, failures = ?3, unclear = ?4, words = ?5
                 WHERE id = ?1 AND state = 'waiting'",
            )?
            .execute(params![delivery.0, at.0, failures, unclear, verdict.words])?,
        Settlement::Simpler => transaction
            .prepare_cached(
                "UPDATE deliveries SET due_at = ?2, simplest = 1, words = ?3 WHERE id = ?1 AND state = 'waiting'",
            )?
            .execute(params![delivery.0, now.0, verdict.words])?,
        Settlement::Dead(reason) => transaction
            .prepare_cached(
                "UPDATE deliveries SET state = 'dead', settled_at = ?2, reason = ?3, words = ?4
                 WHERE id = ?1 AND state = 'waiting'",
            )?
            .execute(params![delivery.0, now.0, reason.as_str(), verdict.words])?,
    };
    Ok(())
}

/// Gives up what has waited too long for a destination that is down: one by one, at a probe a step, it never ended. For
/// each whether it was of one of bugle's own events.
fn give_up(
    transaction: &Transaction<'_>,
    destination: &DestinationName,
    before: Moment,
    verdict: &Verdict,
    now: Moment,
) -> rusqlite::Result<GivenUp> {
    let mut given_up = GivenUp::default();
    transaction
        .prepare_cached(&format!(
            "UPDATE deliveries SET state = 'dead', settled_at = ?1, reason = ?2, words = ?3
             WHERE id IN ({}) AND {NOT_UNDER_WAY} AND {NOT_BEING_TOLD}
             RETURNING id, told_as IS NOT NULL, (SELECT product = ?6 FROM events WHERE id = deliveries.event)",
            fronts("?4", "?5", 900)
        ))?
        .query_map(
            params![
                now.0,
                Reason::GaveUp.as_str(),
                verdict.words,
                destination.as_str(),
                before.0,
                source::OWN
            ],
            |row| Ok((DeliveryId(row.get(0)?), row.get(1)?, row.get(2)?)),
        )?
        .try_for_each(|row: rusqlite::Result<(DeliveryId, bool, bool)>| {
            let (id, leads, is_own) = row?;
            given_up.count += 1;
            given_up.of_others += u64::from(!is_own);
            given_up.leaders.extend(leads.then_some(id));
            Ok::<_, rusqlite::Error>(())
        })?;
    Ok(given_up)
}

/// What waits for a destination and was accepted by a moment: of the first in the queue, urgent or not, of what windows hold,
/// and of what other messages are to tell of, `rows` in all.
pub(super) fn fronts(destination: &str, accepted_by: &str, rows: u32) -> String {
    let rows = rows / 6;
    let fronts = [0, 1, 2].into_iter().flat_map(|held| [0, 1].map(|urgent| (held, urgent))).map(|(held, urgent)| {
        format!(
            "SELECT * FROM (SELECT id, accepted_at FROM deliveries WHERE destination = {destination}
                            AND state = 'waiting' AND held = {held} AND urgent = {urgent} ORDER BY id LIMIT {rows})"
        )
    });
    let fronts: Vec<String> = fronts.collect();
    format!("SELECT id FROM ({}) WHERE accepted_at <= {accepted_by}", fronts.join(" UNION ALL "))
}
