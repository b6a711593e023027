//! Accepting: an event, its identity and everything it makes owed, in one transaction.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::{OptionalExtension as _, Transaction, params};

use crate::clock::Moment;
use crate::event::{Event, EventId, Identity, UNREADABLE, digest};
use crate::flood::{self, ErrorKey};
use crate::metrics::{Fate, Metrics};
use crate::name::{DestinationName, RuleName};
use crate::outbox::{Outbox, StoreError, window};
use crate::rule::{Route, Routing, RuleSet};
use crate::source::OWN;
use crate::text;

/// The number of a rule set in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuleSetId(pub i64);

/// An event and what the rules decided for it.
#[derive(Debug)]
pub struct Offer {
    /// What happened.
    pub event: Event,
    /// Who hears of it.
    pub routing: Routing,
}

/// What became of an offered event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// Its number; of a duplicate, the number of the first arrival.
    pub id: EventId,
    /// Whether it had been accepted before, and so is owed to nobody again.
    pub duplicate: bool,
    /// How many destinations hear of it.
    pub owed: usize,
}

/// So many characters of a title and of an error's message are kept beside the event, for listings and searches.
const SEARCHED: usize = 200;

/// How long a tracker's request waits for a store that does not answer.
const PATIENCE: Duration = Duration::from_secs(3);

impl Outbox {
    /// Keeps `rules` as they are, so that a decision can be explained when they have changed.
    pub async fn keep_rules(&self, rules: &RuleSet) -> Result<RuleSetId, StoreError> {
        let (text, now) = (rules.text().to_owned(), self.clock.now());
        let digest = digest(&[&text]);
        let keep = move |transaction: &Transaction<'_>| {
            transaction.execute(
                "INSERT OR IGNORE INTO rule_sets (digest, rules, first_used) VALUES (?1, ?2, ?3)",
                params![digest, text, now.0],
            )?;
            transaction.query_row("SELECT id FROM rule_sets WHERE digest = ?1", [digest], |row| row.get(0))
        };
        self.writer.write_within(PATIENCE, keep, |_| {}).await.map(RuleSetId)
    }

    /// Accepts all events of one request together: when this returns, they are on disk and will be delivered.
    ///
    /// Waits up to three seconds for a store that cannot be written; what could not be begun by then is not stored.
    /// `room` is dropped with the events themselves, which may be later than this returns.
    pub async fn accept(
        &self,
        rules: RuleSetId,
        offers: Vec<Offer>,
        room: impl Send + 'static,
    ) -> Result<Vec<Accepted>, StoreError> {
        if offers.is_empty() {
            return Ok(Vec::new());
        }
        let (now, wakes, metrics) = (self.clock.now(), Arc::clone(&self.wakes), self.metrics.clone());
        let offers = Arc::new(offers);
        let stored = Arc::clone(&offers);
        let store = move |transaction: &Transaction<'_>| {
            let _held = &room;
            stored.iter().map(|offer| accept(transaction, rules, offer, now)).collect()
        };
        let wake = move |accepted: &Vec<Accepted>| {
            count(&metrics, &offers, accepted);
            let wakes = wakes.load();
            for destination in owed(&offers, accepted) {
                if let Some(wake) = wakes.get(destination) {
                    wake.notify_one();
                }
            }
        };
        self.writer.write_within(PATIENCE, store, wake).await
    }
}

/// Counts what is on disk, whether or not whoever has sent it is still there. What bugle says of itself came from
/// nobody.
fn count(metrics: &Metrics, offers: &[Offer], accepted: &[Accepted]) {
    let of_trackers = offers.iter().zip(accepted).filter(|(offer, _)| offer.event.product != OWN);
    for (Offer { event, routing }, accepted) in of_trackers {
        let fate = match (accepted.duplicate, routing.matched.is_empty(), routing.routes.is_empty()) {
            (true, _, _) => Fate::Duplicate,
            (false, true, _) => Fate::Unmatched,
            (false, false, true) => Fate::Dropped,
            (false, false, false) => Fate::Routed,
        };
        metrics.event_accepted(&event.source, fate, event.trigger != UNREADABLE);
        if event.caught_up && fate != Fate::Duplicate {
            metrics.event_caught_up(&event.source);
        }
    }
}

fn owed<'a>(offers: &'a [Offer], accepted: &[Accepted]) -> Vec<&'a DestinationName> {
    let mut owed: Vec<_> = offers
        .iter()
        .zip(accepted)
        .filter(|(_, accepted)| !accepted.duplicate)
        .flat_map(|(offer, _)| offer.routing.routes.iter().map(|route| &route.destination))
        .collect();
    owed.sort_unstable();
    owed.dedup();
    owed
}

fn accept(
    transaction: &Transaction<'_>,
    rules: RuleSetId,
    offer: &Offer,
    now: Moment,
) -> rusqlite::Result<Accepted> {
    if let Some(identity) = &offer.event.identity
        && let Some(first) = first_arrival(transaction, identity, now)?
    {
        transaction
            .prepare_cached(
                "INSERT INTO duplicates (event, received_at) SELECT id, ?2 FROM events WHERE id = ?1",
            )?
            .execute(params![first.0, now.0])?;
        arrived(transaction, &offer.event, "duplicate")?;
        return Ok(Accepted { id: first, duplicate: true, owed: 0 });
    }
    let id = insert_event(transaction, rules, offer, now)?;
    if let Some(identity) = &offer.event.identity {
        transaction
            .prepare_cached("INSERT OR REPLACE INTO identities (digest, event, seen_at) VALUES (?1, ?2, ?3)")?
            .execute(params![identity.digest, id.0, now.0])?;
    }
    let Offer { event, routing } = offer;
    if flood::is_spike(event.product, &event.trigger) {
        transaction
            .prepare_cached("INSERT OR REPLACE INTO spikes (source, app, at) VALUES (?1, ?2, ?3)")?
            .execute(params![event.source.as_str(), event.app.name, now.0])?;
    }
    let kind = Kind {
        key: ErrorKey::of(event),
        is_collapsible: flood::is_collapsible(event),
        is_own: event.product == OWN,
    };
    for route in &routing.routes {
        insert_delivery(transaction, id, route, &kind, now)?;
    }
    Ok(Accepted { id, duplicate: false, owed: offer.routing.routes.len() })
}

fn first_arrival(
    transaction: &Transaction<'_>,
    identity: &Identity,
    now: Moment,
) -> rusqlite::Result<Option<EventId>> {
    let first = transaction
        .prepare_cached("SELECT event, seen_at FROM identities WHERE digest = ?1")?
        .query_row([identity.digest], |row| Ok((EventId(row.get(0)?), Moment(row.get(1)?))))
        .optional()?;
    Ok(first
        .filter(|(_, seen_at)| identity.within.is_none_or(|within| now.since(*seen_at) < within))
        .map(|(id, _)| id))
}

fn insert_event(
    transaction: &Transaction<'_>,
    rules: RuleSetId,
    Offer { event, routing }: &Offer,
    now: Moment,
) -> rusqlite::Result<EventId> {
    let fate = fate(routing);
    arrived(transaction, event, fate)?;
    let matched: Vec<&str> = routing.matched.iter().map(RuleName::as_str).collect();
    transaction
        .prepare_cached(
            "INSERT INTO events (received_at, source, product, trigger, severity, app, title, error_id, tracker_id,
                                 rule_set, matched, routing, raw, words, caught_up)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
        )?
        .insert(params![
            now.0,
            event.source.as_str(),
            event.product,
            event.trigger,
            event.severity.as_str(),
            event.app.name,
            text::beginning(&event.title, SEARCHED),
            event.error.id,
            event.id,
            rules.0,
            serde_json::json!(matched).to_string(),
            fate,
            event.raw,
            text::beginning(&event.text, SEARCHED),
            event.caught_up,
        ])
        .map(EventId)
}

fn fate(routing: &Routing) -> &'static str {
    match (routing.routes.is_empty(), routing.matched.is_empty()) {
        (false, _) => "routed",
        (true, false) => "dropped",
        (true, true) => "unmatched",
    }
}

/// Counts an event of its source for ever; what bugle says of itself came from nobody.
fn arrived(transaction: &Transaction<'_>, event: &Event, fate: &str) -> rusqlite::Result<()> {
    if event.product != OWN {
        transaction
            .prepare_cached(
                "INSERT INTO arrivals (source, fate, count) VALUES (?1, ?2, 1)
                 ON CONFLICT (source, fate) DO UPDATE SET count = count + 1",
            )?
            .execute(params![event.source.as_str(), fate])?;
    }
    Ok(())
}

/// What of an event decides whether it may be told with others.
struct Kind {
    key: Option<ErrorKey>,
    is_collapsible: bool,
    is_own: bool,
}

fn insert_delivery(
    transaction: &Transaction<'_>,
    event: EventId,
    route: &Route,
    Kind { key, is_collapsible, is_own }: &Kind,
    now: Moment,
) -> rusqlite::Result<()> {
    let is_held = match key {
        Some(key) if *is_collapsible => {
            window::holds(transaction, &route.destination, *key, route.urgent, now)?
        }
        _ => false,
    };
    transaction
        .prepare_cached(
            "INSERT INTO deliveries (event, destination, rule, template, urgent, mentions, accepted_at, due_at,
                                     error_key, collapsible, held, alone)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8, ?9, ?10, ?11)",
        )?
        .execute(params![
            event.0,
            route.destination.as_str(),
            route.rule.as_ref().map(RuleName::as_str),
            route.template,
            route.urgent,
            serde_json::json!(route.mention).to_string(),
            now.0,
            key.map(|key| key.0),
            is_collapsible,
            is_held,
            is_own,
        ])?;
    Ok(())
}
