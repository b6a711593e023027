//! How each destination stands, with what waits for it: read from indexes alone, however much history there is.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension as _, Row};

use crate::clock::Moment;
use crate::outbox::history;

use super::moment;

/// A destination, and what waits for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueueRecord {
    /// Its name.
    pub destination: String,
    /// Whether it is in the configuration.
    pub configured: bool,
    /// Deliveries that wait.
    pub waiting: u64,
    /// Those of them that are urgent.
    pub urgent: u64,
    /// Those of them that are only counted until the window of their error ends.
    pub held: u64,
    /// When the first of those windows ends.
    pub held_until: Option<Moment>,
    /// Those of them that a message is to tell of beside its own event.
    pub gathered: u64,
    /// Those of them that are in the queue and are not urgent.
    pub queued: u64,
    /// Those of them that are in the queue and are urgent.
    pub queued_urgent: u64,
    /// Those of them that are in the queue and go by themselves, whatever waits.
    pub alone: u64,
    /// When the first of them in the queue was accepted.
    pub oldest: Option<Moment>,
    /// When the first of them is due.
    pub due_at: Option<Moment>,
    /// Since when one of them is being sent.
    pub in_hand_since: Option<Moment>,
    /// Dead letters.
    pub dead: u64,
    /// How it stands, as its courier and people have left it.
    pub standing: StandingRecord,
}

/// What is stored of a destination itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StandingRecord {
    /// Since when a person has had it wait.
    pub suspended_since: Option<Moment>,
    /// Since when its webhook is gone.
    pub gone_since: Option<Moment>,
    /// What its platform said then.
    pub gone_words: Option<String>,
    /// Since when it has done nothing but fail.
    pub failing_since: Option<Moment>,
    /// Since when what is meant for it has gone to its fallback.
    pub diverting_since: Option<Moment>,
    /// Which is this one.
    pub diverted_to: Option<String>,
    /// Until when its platform has asked to wait.
    pub hold_until: Option<Moment>,
    /// Why.
    pub hold_reason: Option<String>,
    /// Until when its courier leaves it alone after failures.
    pub rests_until: Option<Moment>,
    /// When its platform last took a message.
    pub delivered_at: Option<Moment>,
    /// The digests of the burst that it is in, or was in last.
    pub burst: BurstRecord,
    /// The same of urgent ones.
    pub urgent_burst: BurstRecord,
}

/// Digests that have followed one another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BurstRecord {
    /// How many there were.
    pub digests: u32,
    /// When the last of them was gathered.
    pub last_at: Option<Moment>,
}

/// All of them, by name.
pub(super) fn queues(connection: &Connection, configured: &[String]) -> rusqlite::Result<Vec<QueueRecord>> {
    // One moment for all of it.
    let moment = connection.unchecked_transaction()?;
    let (dead, mut standings) = (dead(&moment)?, standings(&moment)?);
    let waited_for = history::waited_for(&moment)?;
    let names: BTreeSet<&String> = configured.iter().chain(&waited_for).chain(dead.keys()).collect();
    let queues = names.into_iter().map(|name| {
        let (held, held_until) = held(&moment, name)?;
        Ok(QueueRecord {
            destination: name.clone(),
            configured: configured.contains(name),
            waiting: history::waiting(&moment, name)?,
            urgent: urgent(&moment, name)?,
            held,
            held_until,
            gathered: gathered(&moment, name)?,
            queued: queued(&moment, name, "urgent = 0")?,
            queued_urgent: queued(&moment, name, "urgent = 1")?,
            alone: queued(&moment, name, "(told_as IS NOT NULL OR alone = 1 OR unclear > 0)")?,
            oldest: history::oldest(&moment, name, true)?,
            due_at: due_at(&moment, name)?,
            in_hand_since: in_hand_since(&moment, name)?,
            dead: dead.get(name).copied().unwrap_or_default(),
            standing: standings.remove(name).unwrap_or_default(),
        })
    });
    queues.collect()
}

/// The destinations for which something was ever kept.
pub(in crate::outbox) fn names(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut names: BTreeSet<String> = history::waited_for(connection)?.into_iter().collect();
    names.extend(dead(connection)?.into_keys());
    names.extend(standings(connection)?.into_keys());
    Ok(names.into_iter().collect())
}

fn dead(connection: &Connection) -> rusqlite::Result<BTreeMap<String, u64>> {
    let sql = "SELECT destination, count(*) FROM deliveries WHERE state = 'dead' GROUP BY destination";
    let count = |row: &Row<'_>| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs()));
    connection.prepare_cached(sql)?.query_map([], count)?.collect()
}

fn count(connection: &Connection, sql: &str, destination: &str) -> rusqlite::Result<u64> {
    let count = connection.prepare_cached(sql)?.query_row([destination], |row| row.get::<_, i64>(0))?;
    Ok(count.unsigned_abs())
}

/// How many of those that wait are urgent.
fn urgent(connection: &Connection, destination: &str) -> rusqlite::Result<u64> {
    let sql = "SELECT count(*) FROM deliveries INDEXED BY deliveries_waiting
               WHERE destination = ?1 AND state = 'waiting' AND held IN (0, 1, 2) AND urgent = 1";
    count(connection, sql, destination)
}

/// How many are in the queue, of those for which `condition` holds.
fn queued(connection: &Connection, destination: &str, condition: &str) -> rusqlite::Result<u64> {
    let sql = format!(
        "SELECT count(*) FROM deliveries WHERE destination = ?1 AND state = 'waiting' AND held = 0 AND {condition}"
    );
    count(connection, &sql, destination)
}

/// How many of those that wait another's message is to tell of.
fn gathered(connection: &Connection, destination: &str) -> rusqlite::Result<u64> {
    let sql = "SELECT count(*) FROM deliveries INDEXED BY deliveries_waiting
               WHERE destination = ?1 AND state = 'waiting' AND held = 2";
    count(connection, sql, destination)
}

/// How many of those that wait windows hold back, and when the first of these ends.
fn held(connection: &Connection, destination: &str) -> rusqlite::Result<(u64, Option<Moment>)> {
    connection
        .prepare_cached(
            "SELECT coalesce(sum(held), 0), min(ends_at) FROM windows INDEXED BY windows_holding
             WHERE destination = ?1 AND held > 0",
        )?
        .query_row([destination], |row| Ok((row.get::<_, i64>(0)?.unsigned_abs(), moment(row, 1)?)))
}

fn due_at(connection: &Connection, destination: &str) -> rusqlite::Result<Option<Moment>> {
    let sql = "SELECT min(due_at) FROM deliveries INDEXED BY deliveries_due
               WHERE destination = ?1 AND state = 'waiting' AND held = 0";
    connection.prepare_cached(sql)?.query_row([destination], |row| moment(row, 0))
}

fn in_hand_since(connection: &Connection, destination: &str) -> rusqlite::Result<Option<Moment>> {
    connection
        .prepare_cached(
            "SELECT a.started_at FROM attempts a INDEXED BY attempts_open
             JOIN deliveries d ON d.id = a.delivery
             WHERE a.ended_at IS NULL AND d.destination = ?1 AND d.state = 'waiting' LIMIT 1",
        )?
        .query_row([destination], |row| row.get(0).map(Moment))
        .optional()
}

fn standings(connection: &Connection) -> rusqlite::Result<BTreeMap<String, StandingRecord>> {
    connection
        .prepare_cached(
            "SELECT name, suspended_since, gone_since, gone_words, failing_since, diverting_since, diverted_to,
                    hold_until, hold_reason, rests_until, delivered_at, digests, digest_at, urgent_digests, urgent_digest_at
             FROM destinations",
        )?
        .query_map([], |row| {
            let standing = StandingRecord {
                suspended_since: moment(row, 1)?,
                gone_since: moment(row, 2)?,
                gone_words: row.get(3)?,
                failing_since: moment(row, 4)?,
                diverting_since: moment(row, 5)?,
                diverted_to: row.get(6)?,
                hold_until: moment(row, 7)?,
                hold_reason: row.get(8)?,
                rests_until: moment(row, 9)?,
                delivered_at: moment(row, 10)?,
                burst: BurstRecord { digests: row.get(11)?, last_at: moment(row, 12)? },
                urgent_burst: BurstRecord { digests: row.get(13)?, last_at: moment(row, 14)? },
            };
            Ok((row.get(0)?, standing))
        })?
        .collect()
}
