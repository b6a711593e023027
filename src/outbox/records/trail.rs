//! All that is kept of one event's way: from its arrival, by the rules of that time, to where each delivery stands.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::clock::Moment;
use crate::event::EventId;
use crate::outbox::{Spell, StoredEvent};

use super::diary::{ConfigurationRecord, configurations};
use super::{AttemptRecord, DeliveryRecord, EventRecord, Records, attempt, moment};

/// An event's way.
#[derive(Debug)]
pub struct Trail {
    /// The event, with all that is or was owed of it.
    pub event: EventRecord,
    /// The event, to be read again.
    pub stored: StoredEvent,
    /// Whether no webhook had brought it, and bugle asked the tracker for it.
    pub caught_up: bool,
    /// Its own id in the tracker.
    pub tracker_id: String,
    /// The id of its error.
    pub error_id: String,
    /// What the rules came to: `routed`, `dropped` or `unmatched`.
    pub routing: String,
    /// The rules that matched, as it was decided.
    pub matched: Vec<String>,
    /// The rules that decided, as they were kept.
    pub rules: RulesRecord,
    /// The rules of today, if they are others.
    pub rules_now: Option<RulesRecord>,
    /// How often it came again, and when first and last.
    pub again: Repeats,
    /// What else there is to say of each delivery, in their order.
    pub ways: Vec<Way>,
}

/// Rules as they were kept, and how they came into force.
#[derive(Debug, Clone)]
pub struct RulesRecord {
    /// [`crate::rule::RuleSet::text`].
    pub text: String,
    /// The start or the reload with which they came into force; nothing if that was not written down, or is forgotten.
    pub came: Option<ConfigurationRecord>,
}

/// Second arrivals of an event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Repeats {
    /// How many.
    pub count: u64,
    /// When the first of them came.
    pub first_at: Option<Moment>,
    /// When the last of them came.
    pub last_at: Option<Moment>,
}

/// What had to do with one delivery.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Way {
    /// Why its destination was left alone while it waited, in order of time.
    pub spells: Vec<SpellRecord>,
    /// Attempts at other messages of the same pace between its acceptance and its own first attempt, or now.
    pub ahead: u64,
    /// The message of several that tells of it: its own, or another's.
    pub message: Option<MessageRecord>,
    /// Where it is only counted, or was: the message after which that began.
    pub after: Option<(EventId, Moment)>,
}

/// A time in which a destination was left alone, or not told everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpellRecord {
    /// Of what kind.
    pub spell: Spell,
    /// Since when.
    pub since: Moment,
    /// Until when; nothing: it goes on.
    pub until: Option<Moment>,
    /// What was said of it.
    pub words: String,
}

/// A message that tells of several events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageRecord {
    /// The event whose short id it carries.
    pub event: EventId,
    /// `digest` or `more`.
    pub told_as: String,
    /// The state of the delivery that stands for it.
    pub state: String,
    /// When it came to that.
    pub settled_at: Option<Moment>,
    /// How many events it tells of.
    pub events: u64,
    /// The first of them.
    pub some: Vec<(EventId, String)>,
    /// Every try at it.
    pub attempts: Vec<AttemptRecord>,
}

/// So many of the events that a message tells of are named.
const NAMED: u32 = 10;

/// Attempts of others are counted up to this.
const COUNTED: u32 = 10_000;

/// So many events of the same error are looked at for the message that came before.
const LOOKED_AT: u32 = 5_000;

impl Records {
    /// The way of the event `id`; nothing if it is not there (any more).
    pub fn trail(&self, id: EventId, now: Moment) -> rusqlite::Result<Option<Trail>> {
        let moment = self.connection.unchecked_transaction()?;
        let Some(event) = super::read_event(&moment, id, None)? else { return Ok(None) };
        let (stored, head) = moment.query_row(
            "SELECT source, product, trigger, severity, raw, caught_up, tracker_id, error_id, routing, matched, rule_set
             FROM events WHERE id = ?1",
            [id.0],
            |row| Ok((StoredEvent::of(row, 0)?, Head::of(row)?)),
        )?;
        let rules = rules_of(&moment, head.rule_set, event.received_at)?;
        let newest = newest_rules(&moment)?.filter(|newest| *newest != head.rule_set);
        let rules_now = newest.map(|newest| rules_of(&moment, newest, now)).transpose()?;
        let ways = event.deliveries.iter().map(|delivery| way(&moment, id, delivery, &head.error_id, now));
        let ways = ways.collect::<rusqlite::Result<_>>()?;
        let again = repeats(&moment, id)?;
        let Head { tracker_id, error_id, routing, matched, .. } = head;
        Ok(Some(Trail {
            event,
            caught_up: stored.is_caught_up(),
            stored,
            tracker_id,
            error_id,
            routing,
            matched,
            rules,
            rules_now,
            again,
            ways,
        }))
    }

    /// The events that have this id in their tracker: the latest first, `limit` at most.
    pub fn of_tracker_id(&self, id: &str, limit: u32) -> rusqlite::Result<Vec<EventId>> {
        self.ids(
            "SELECT id FROM events WHERE tracker_id = ?1 AND tracker_id <> '' ORDER BY id DESC LIMIT ?2",
            id,
            limit,
        )
    }

    /// The events of the error that has this id in its tracker: the latest first, `limit` at most.
    pub fn of_error_id(&self, id: &str, limit: u32) -> rusqlite::Result<Vec<EventId>> {
        self.ids(
            "SELECT id FROM events WHERE error_id = ?1 AND error_id <> '' ORDER BY id DESC LIMIT ?2",
            id,
            limit,
        )
    }

    fn ids(&self, sql: &str, id: &str, limit: u32) -> rusqlite::Result<Vec<EventId>> {
        let mut statement = self.connection.prepare_cached(sql)?;
        statement.query_map(params![id, limit], |row| row.get(0).map(EventId))?.collect()
    }
}

struct Head {
    tracker_id: String,
    error_id: String,
    routing: String,
    matched: Vec<String>,
    rule_set: i64,
}

impl Head {
    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        let matched: String = row.get(9)?;
        Ok(Self {
            tracker_id: row.get(6)?,
            error_id: row.get(7)?,
            routing: row.get(8)?,
            // We wrote this list ourselves; a store that somebody edited by hand costs the names, not the trail.
            matched: serde_json::from_str(&matched).unwrap_or_default(),
            rule_set: row.get(10)?,
        })
    }
}

fn newest_rules(connection: &Connection) -> rusqlite::Result<Option<i64>> {
    let sql = "SELECT rule_set FROM configurations WHERE rule_set IS NOT NULL ORDER BY id DESC LIMIT 1";
    connection.prepare_cached(sql)?.query_row([], |row| row.get(0)).optional()
}

/// The rules of the number `rule_set` as they were in force at a moment.
fn rules_of(connection: &Connection, rule_set: i64, at: Moment) -> rusqlite::Result<RulesRecord> {
    let text = "SELECT rules FROM rule_sets WHERE id = ?1";
    let text: String = connection.prepare_cached(text)?.query_row([rule_set], |row| row.get(0))?;
    // The first of those in a row that had these rules: a restart alone changes nothing.
    let came = connection
        .prepare_cached(
            "SELECT id FROM configurations WHERE rule_set = ?1 AND at <= ?2 AND id > coalesce(
                 (SELECT max(id) FROM configurations WHERE rule_set <> ?1 AND at <= ?2), 0)
             ORDER BY id LIMIT 1",
        )?
        .query_row(params![rule_set, at.0], |row| row.get::<_, i64>(0))
        .optional()?;
    let Some(came) = came else { return Ok(RulesRecord { text, came: None }) };
    let came = configurations(connection, "id = ?1", [came])?.pop();
    Ok(RulesRecord { text, came })
}

fn repeats(connection: &Connection, event: EventId) -> rusqlite::Result<Repeats> {
    connection
        .prepare_cached(
            "SELECT count(*), min(received_at), max(received_at) FROM duplicates WHERE event = ?1",
        )?
        .query_row([event.0], |row| {
            Ok(Repeats {
                count: row.get::<_, i64>(0)?.unsigned_abs(),
                first_at: moment(row, 1)?,
                last_at: moment(row, 2)?,
            })
        })
}

fn way(
    connection: &Connection,
    event: EventId,
    delivery: &DeliveryRecord,
    error_id: &str,
    now: Moment,
) -> rusqlite::Result<Way> {
    let leader = delivery.folded_into.or_else(|| delivery.told_as.as_ref().map(|_| delivery.id));
    let message = leader.map(|leader| message(connection, leader)).transpose()?.flatten();
    let told_more = message.as_ref().is_some_and(|message| message.told_as == "more");
    let after = if told_more || delivery.held_until.is_some() {
        told_before(connection, event, delivery, error_id)?
    } else {
        None
    };
    let until = delivery.settled_at.unwrap_or(now);
    let first_try = message
        .iter()
        .flat_map(|message| &message.attempts)
        .chain(&delivery.attempts)
        .map(|attempt| attempt.started_at)
        .min();
    Ok(Way {
        spells: spells(connection, &delivery.destination, (delivery.accepted_at, until))?,
        ahead: ahead(
            connection,
            event,
            leader.unwrap_or(delivery.id),
            (delivery.accepted_at, first_try.unwrap_or(until)),
        )?,
        message,
        after,
    })
}

/// The times in which `destination` was left alone that touch the span between two moments.
fn spells(
    connection: &Connection,
    destination: &str,
    (from, to): (Moment, Moment),
) -> rusqlite::Result<Vec<SpellRecord>> {
    let mut statement = connection.prepare_cached(
        "SELECT kind, since, until, words FROM spells
             WHERE destination = ?1 AND since <= ?3 AND (until IS NULL OR until >= ?2) ORDER BY since, id",
    )?;
    let all = statement.query_map(params![destination, from.0, to.0], |row| {
        let kind: String = row.get(0)?;
        let spell = Spell::read(&kind);
        let (since, until, words) = (Moment(row.get(1)?), moment(row, 2)?, row.get(3)?);
        Ok(spell.map(|spell| SpellRecord { spell, since, until, words }))
    })?;
    all.filter_map(Result::transpose).collect()
}

/// Attempts between two moments at the pace of the first one at a message.
fn ahead(
    connection: &Connection,
    event: EventId,
    message: i64,
    (from, to): (Moment, Moment),
) -> rusqlite::Result<u64> {
    let sql = "SELECT count(*) FROM (
                   SELECT 1 FROM attempts WHERE pace_group = (SELECT pace_group FROM attempts WHERE delivery = ?1 LIMIT 1)
                   AND started_at >= ?2 AND started_at < ?3
                   AND delivery NOT IN (SELECT id FROM deliveries WHERE event = ?5) LIMIT ?4)";
    let count: i64 = connection
        .prepare_cached(sql)?
        .query_row(params![message, from.0, to.0, COUNTED, event.0], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

/// The message of several that the delivery `leader` stands for.
fn message(connection: &Connection, leader: i64) -> rusqlite::Result<Option<MessageRecord>> {
    let found = connection
        .prepare_cached(
            "SELECT event, coalesce(told_as, ''), state, settled_at,
                    1 + (SELECT count(*) FROM deliveries m WHERE m.folded_into = l.id)
             FROM deliveries l WHERE id = ?1",
        )?
        .query_row([leader], |row| {
            Ok(MessageRecord {
                event: EventId(row.get(0)?),
                told_as: row.get(1)?,
                state: row.get(2)?,
                settled_at: moment(row, 3)?,
                events: row.get::<_, i64>(4)?.unsigned_abs(),
                some: Vec::new(),
                attempts: Vec::new(),
            })
        })
        .optional()?;
    let Some(mut message) = found else { return Ok(None) };
    message.some = connection
        .prepare_cached(
            "SELECT e.id, e.title FROM deliveries m JOIN events e ON e.id = m.event
             WHERE m.folded_into = ?1 ORDER BY m.id LIMIT ?2",
        )?
        .query_map(params![leader, NAMED], |row| Ok((EventId(row.get(0)?), row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    message.attempts = connection
        .prepare_cached(super::ATTEMPTS)?
        .query_map([leader], attempt)?
        .collect::<Result<_, _>>()?;
    Ok(Some(message))
}

/// The last message about the same error that the destination of `delivery` was told before it came.
fn told_before(
    connection: &Connection,
    event: EventId,
    delivery: &DeliveryRecord,
    error_id: &str,
) -> rusqlite::Result<Option<(EventId, Moment)>> {
    connection
        .prepare_cached(
            "SELECT d.event, d.settled_at
             FROM (SELECT id FROM events WHERE error_id = ?1 AND error_id <> '' AND id < ?5 ORDER BY id DESC LIMIT ?4) e
             CROSS JOIN deliveries d ON d.event = e.id
             WHERE d.destination = ?2 AND d.state = 'delivered' AND d.settled_at <= ?3
             ORDER BY d.settled_at DESC LIMIT 1",
        )?
        .query_row(params![error_id, delivery.destination, delivery.accepted_at.0, LOOKED_AT, event.0], |row| {
            Ok((EventId(row.get(0)?), Moment(row.get(1)?)))
        })
        .optional()
}
