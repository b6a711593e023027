//! From the outbox to a courier and back: what is due, one attempt at it, and what came of that.

use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use crate::clock::Moment;
use crate::delivery::{Delivery, DeliveryId, Outcome, Reason, Settlement, Verdict};
use crate::event::{Event, EventId, Severity, UNREADABLE};
use crate::name::{DestinationName, SourceName};
use crate::outbox::standing::{self, FARTHEST};
use crate::outbox::{Durability, Outbox, StoreError};
use crate::source;

/// What a courier finds when it looks for work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Something is due now.
    Due {
        /// Whether it is urgent.
        urgent: bool,
    },
    /// Nothing yet, but something will be due then.
    At(Moment),
    /// Nothing waits.
    Nothing,
}

/// What a courier finds when it looks at its destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Since when a person has had the destination wait.
    pub suspended_since: Option<Moment>,
    /// When a person last said to try it at once.
    pub resumed_at: Option<Moment>,
    /// What there is to do; nothing where nobody asked.
    pub next: Option<Next>,
}

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

/// An event as it was stored.
#[derive(Debug)]
pub struct StoredEvent {
    source: String,
    product: String,
    trigger: String,
    severity: String,
    raw: String,
}

impl StoredEvent {
    /// Whether it is one of bugle's own, which says that bugle is unwell.
    pub fn is_own(&self) -> bool {
        self.product == source::OWN
    }

    /// Reads the event again from its raw element, its severity as it was when it came. Pure; with a large element it
    /// takes a while.
    pub fn read(&self) -> Event {
        let Self { product, trigger, raw, .. } = self;
        // A name that somebody wrote into the store by hand costs the name, not the message.
        let source = SourceName::new(&self.source).unwrap_or_else(|_| SourceName::unknown());
        let tracker = source::plain_tracker(product);
        let read = match &tracker {
            Some(tracker) if trigger != UNREADABLE => serde_json::from_str(raw)
                .ok()
                .and_then(|element| tracker.read(&source, element, Some(trigger))),
            _ => None,
        };
        let product = tracker.map_or("unknown", |tracker| tracker.product());
        let mut event = read.unwrap_or_else(|| Event::unreadable(source, product, raw));
        event.severity = Severity::read(&self.severity).unwrap_or(Severity::Info);
        event
    }
}

/// What was found under way at the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Interrupted {
    /// Attempts that are repeated.
    pub repeated: usize,
    /// Deliveries that are dead letters now: repeated too often.
    pub buried: usize,
}

impl Outbox {
    /// Closes attempts that were under way when the process before ended: nobody knows what came of them. `again_at`
    /// says for a destination, from the count of unclear results, when to repeat; nothing: never.
    pub async fn close_interrupted(
        &self,
        again_at: impl Fn(&str, u32) -> Option<Moment> + Send + 'static,
    ) -> Result<Interrupted, StoreError> {
        let now = self.clock.now();
        let close = move |transaction: &Transaction<'_>| close_interrupted(transaction, now, &again_at);
        let ends = self.writer.write(Durability::Flushed, close).await?;
        let mut interrupted = Interrupted::default();
        for (destination, settlement) in ends {
            self.metrics.interrupted(&destination);
            if let Settlement::Dead(reason) = settlement {
                self.metrics.buried(&destination, reason, 1);
                interrupted.buried += 1;
            } else {
                interrupted.repeated += 1;
            }
        }
        Ok(interrupted)
    }

    /// Looks for work at `destination`: urgent first, then in the order of arrival.
    pub async fn next(&self, destination: &DestinationName) -> Result<Next, StoreError> {
        let (destination, now) = (destination.clone(), self.clock.now());
        self.read(move |connection| next(connection, &destination, now)).await
    }

    /// Looks at what people have decided about `destination`, and, unless it is `held`, for work.
    pub async fn look(&self, destination: &DestinationName, held: bool) -> Result<Look, StoreError> {
        let (destination, now) = (destination.clone(), self.clock.now());
        self.read(move |connection| {
            let mut look = decided(connection, &destination)?;
            if look.suspended_since.is_none() && !held {
                look.next = Some(next(connection, &destination, now)?);
            }
            Ok(look)
        })
        .await
    }

    /// Takes what is due first, for one attempt; nothing while a person has the destination wait. The mark need not be flushed: should a power failure take it, all
    /// that is lost is the knowledge that the message may be a repeat.
    pub async fn claim(
        &self,
        destination: &DestinationName,
        pace_group: &str,
    ) -> Result<Option<Claim>, StoreError> {
        let (destination, pace_group, now) = (destination.clone(), pace_group.to_owned(), self.clock.now());
        let claim = move |transaction: &Transaction<'_>| {
            claim(transaction, &destination, &pace_group, now, Pick::First)
        };
        self.writer.write(Durability::Handed, claim).await
    }

    /// Takes, of what is due, what has been tried least: a destination that is down must not be asked with the same few
    /// messages again and again, which may be all that is wrong with it.
    pub async fn claim_probe(
        &self,
        destination: &DestinationName,
        pace_group: &str,
    ) -> Result<Option<Claim>, StoreError> {
        let (destination, pace_group, now) = (destination.clone(), pace_group.to_owned(), self.clock.now());
        let claim = move |transaction: &Transaction<'_>| {
            claim(transaction, &destination, &pace_group, now, Pick::LeastTried)
        };
        self.writer.write(Durability::Handed, claim).await
    }

    /// Writes down how an attempt ended and what follows, until when each of `holds` is to be left alone since a platform
    /// has asked for it, and until when this destination is after failures, as it `rests_until`. With `overdue`, whatever was accepted before and still waits for this destination is given up with it; how many that are,
    /// but for those of bugle's own events, is returned.
    pub async fn settle(
        &self,
        claim: &Claim,
        verdict: Verdict,
        settlement: Settlement,
        holds: Vec<(DestinationName, Moment)>,
        rests_until: Option<Moment>,
        overdue: Option<Moment>,
    ) -> Result<u64, StoreError> {
        let (delivery, attempt, now) = (claim.delivery.id, claim.attempt, self.clock.now());
        let destination = claim.delivery.destination.clone();
        let down = destination.clone();
        let settle = move |transaction: &Transaction<'_>| {
            end_attempt(transaction, attempt, &verdict, now)?;
            write_settlement(transaction, delivery, &verdict, settlement, now)?;
            for (destination, until) in &holds {
                standing::hold(transaction, destination, *until, &verdict)?;
            }
            let given_up = match overdue {
                Some(before) => give_up(transaction, &destination, before, &verdict, now)?,
                None => Vec::new(),
            };
            standing::mark(transaction, &destination, &verdict, now)?;
            let delivered_at = (verdict.outcome == Outcome::Delivered).then_some(now);
            standing::rest(transaction, &destination, rests_until, delivered_at)?;
            Ok(given_up)
        };
        let given_up = self.writer.write(Durability::Flushed, settle).await?;
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        if !given_up.is_empty() {
            self.metrics.buried(&down, Reason::GaveUp, count(given_up.len()));
            tracing::error!(
                given_up = given_up.len(),
                "the destination has been down for too long: these are dead letters now"
            );
        }
        Ok(count(given_up.iter().filter(|is_own| !**is_own).count()))
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

/// What is under way is taken by nobody else, should there ever be two couriers at one destination. Of attempts without
/// an end there are as many as couriers, and the index over them holds no others.
pub(super) const NOT_UNDER_WAY: &str = "id NOT IN (SELECT delivery FROM attempts WHERE ended_at IS NULL)";

fn decided(connection: &Connection, destination: &DestinationName) -> rusqlite::Result<Look> {
    let decided = connection
        .prepare_cached("SELECT suspended_since, resumed_at FROM destinations WHERE name = ?1")?
        .query_row([destination.as_str()], |row| {
            let moment = |place| row.get::<_, Option<i64>>(place).map(|at| at.map(Moment));
            Ok(Look { suspended_since: moment(0)?, resumed_at: moment(1)?, next: None })
        })
        .optional()?;
    Ok(decided.unwrap_or(Look { suspended_since: None, resumed_at: None, next: None }))
}

fn next(connection: &Connection, destination: &DestinationName, now: Moment) -> rusqlite::Result<Next> {
    let due = connection
        .prepare_cached(&format!(
            "SELECT urgent FROM deliveries WHERE destination = ?1 AND state = 'waiting'
             AND (due_at <= ?2 OR due_at > ?3) AND {NOT_UNDER_WAY} ORDER BY urgent DESC, id LIMIT 1"
        ))?
        .query_row(params![destination.as_str(), now.0, now.plus(FARTHEST).0], |row| row.get(0))
        .optional()?;
    if let Some(urgent) = due {
        return Ok(Next::Due { urgent });
    }
    let at: Option<i64> = connection
        .prepare_cached(&format!(
            "SELECT min(due_at) FROM deliveries WHERE destination = ?1 AND state = 'waiting' AND {NOT_UNDER_WAY}"
        ))?
        .query_row([destination.as_str()], |row| row.get(0))?;
    Ok(at.map_or(Next::Nothing, |at| Next::At(Moment(at))))
}

/// Which of what is due is taken.
#[derive(Debug, Clone, Copy)]
enum Pick {
    /// The first in the order of the queue.
    First,
    /// Of the first thousand the one that has been tried least.
    LeastTried,
}

impl Pick {
    fn sql(self) -> String {
        let due = format!(
            "FROM deliveries WHERE destination = ?1 AND state = 'waiting' AND (due_at <= ?2 OR due_at > ?3)
             AND {NOT_UNDER_WAY} ORDER BY urgent DESC, id"
        );
        match self {
            Self::First => format!("SELECT id {due} LIMIT 1"),
            Self::LeastTried => format!(
                "SELECT id FROM (SELECT id, urgent, failures + unclear AS tries {due} LIMIT 1000)
                 ORDER BY tries, urgent DESC, id LIMIT 1"
            ),
        }
    }
}

fn claim(
    transaction: &Transaction<'_>,
    destination: &DestinationName,
    pace_group: &str,
    now: Moment,
    pick: Pick,
) -> rusqlite::Result<Option<Claim>> {
    if standing::is_suspended(transaction, destination)? {
        return Ok(None);
    }
    let found = transaction
        .prepare_cached(&format!(
            "SELECT d.id, d.event, d.urgent, d.mentions, d.accepted_at, d.failures, d.unclear, d.simplest,
                    d.template, d.instead_of, e.source, e.product, e.trigger, e.severity, e.raw
             FROM deliveries d JOIN events e ON e.id = d.event WHERE d.id = ({})",
            pick.sql()
        ))?
        .query_row(params![destination.as_str(), now.0, now.plus(FARTHEST).0], |row| {
            Ok((read_delivery(row, destination)?, read_event(row)?))
        })
        .optional()?;
    let Some((delivery, stored)) = found else { return Ok(None) };
    let attempt = transaction
        .prepare_cached("INSERT INTO attempts (delivery, pace_group, started_at) VALUES (?1, ?2, ?3)")?
        .insert(params![delivery.id.0, pace_group, now.0])?;
    Ok(Some(Claim { delivery, stored, attempt }))
}

fn read_delivery(row: &Row<'_>, destination: &DestinationName) -> rusqlite::Result<Delivery> {
    let mentions: String = row.get(3)?;
    let instead_of: Option<String> = row.get(9)?;
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
        instead_of: instead_of.and_then(|name| DestinationName::new(&name).ok()),
    })
}

fn read_event(row: &Row<'_>) -> rusqlite::Result<StoredEvent> {
    Ok(StoredEvent {
        source: row.get(10)?,
        product: row.get(11)?,
        trigger: row.get(12)?,
        severity: row.get(13)?,
        raw: row.get(14)?,
    })
}

fn end_attempt(
    transaction: &Transaction<'_>,
    attempt: i64,
    verdict: &Verdict,
    now: Moment,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "UPDATE attempts SET ended_at = ?2, outcome = ?3, reason = ?4, status = ?5, words = ?6 WHERE id = ?1",
        )?
        .execute(params![
            attempt,
            now.0,
            verdict.outcome.as_str(),
            verdict.reason.as_str(),
            verdict.status,
            verdict.words,
        ])?;
    Ok(())
}

fn write_settlement(
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
) -> rusqlite::Result<Vec<bool>> {
    transaction
        .prepare_cached(&format!(
            "UPDATE deliveries SET state = 'dead', settled_at = ?1, reason = ?2, words = ?3 WHERE id IN (
                 SELECT id FROM (
                     SELECT * FROM (SELECT id, accepted_at FROM deliveries WHERE destination = ?4 AND state = 'waiting'
                                    AND urgent = 1 ORDER BY id LIMIT 500)
                     UNION ALL
                     SELECT * FROM (SELECT id, accepted_at FROM deliveries WHERE destination = ?4 AND state = 'waiting'
                                    AND urgent = 0 ORDER BY id LIMIT 500))
                 WHERE accepted_at <= ?5)
             AND {NOT_UNDER_WAY}
             RETURNING (SELECT product = ?6 FROM events WHERE id = deliveries.event)"
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
            |row| row.get(0),
        )?
        .collect()
}

fn close_interrupted(
    transaction: &Transaction<'_>,
    now: Moment,
    again_at: &impl Fn(&str, u32) -> Option<Moment>,
) -> rusqlite::Result<Vec<(DestinationName, Settlement)>> {
    let open: Vec<(i64, DeliveryId, u32, u32, String)> = transaction
        .prepare(
            "SELECT a.id, d.id, d.failures, d.unclear, d.destination
             FROM attempts a INDEXED BY attempts_open CROSS JOIN deliveries d ON d.id = a.delivery
             WHERE a.ended_at IS NULL AND d.state = 'waiting'",
        )?
        .query_map([], |row| {
            Ok((row.get(0)?, DeliveryId(row.get(1)?), row.get(2)?, row.get(3)?, row.get(4)?))
        })?
        .collect::<Result<_, _>>()?;
    let words = "bugle was stopped while this was being sent";
    let verdict = Verdict::new(Outcome::Unclear, Reason::Interrupted, words);
    let mut ends = Vec::new();
    for (attempt, delivery, failures, unclear, destination) in &open {
        let (failures, unclear) = (*failures, unclear + 1);
        let settlement = match again_at(destination, unclear) {
            Some(at) => Settlement::Again { at, failures, unclear },
            None => Settlement::Dead(Reason::UnclearTooOften),
        };
        end_attempt(transaction, *attempt, &verdict, now)?;
        write_settlement(transaction, *delivery, &verdict, settlement, now)?;
        // We wrote the name ourselves; one that somebody edited by hand is counted nowhere.
        ends.extend(DestinationName::new(destination).ok().map(|destination| (destination, settlement)));
    }
    Ok(ends)
}
