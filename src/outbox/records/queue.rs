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
}

/// All of them, by name.
pub(super) fn queues(connection: &Connection, configured: &[String]) -> rusqlite::Result<Vec<QueueRecord>> {
    // One moment for all of it.
    let moment = connection.unchecked_transaction()?;
    let (dead, mut standings) = (dead(&moment)?, standings(&moment)?);
    let waited_for = history::waited_for(&moment)?;
    let names: BTreeSet<&String> = configured.iter().chain(&waited_for).chain(dead.keys()).collect();
    let queues = names.into_iter().map(|name| {
        let [waiting, urgent] = waiting(&moment, name)?;
        Ok(QueueRecord {
            destination: name.clone(),
            configured: configured.contains(name),
            waiting,
            urgent,
            oldest: history::oldest(&moment, name)?,
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

/// How many wait, and how many of those are urgent.
fn waiting(connection: &Connection, destination: &str) -> rusqlite::Result<[u64; 2]> {
    let count = |condition: &str| {
        let sql = format!(
            "SELECT count(*) FROM deliveries INDEXED BY deliveries_waiting
             WHERE destination = ?1 AND state = 'waiting' {condition}"
        );
        let count = connection.prepare_cached(&sql)?.query_row([destination], |row| row.get::<_, i64>(0))?;
        Ok::<_, rusqlite::Error>(count.unsigned_abs())
    };
    Ok([count("")?, count("AND urgent = 1")?])
}

fn due_at(connection: &Connection, destination: &str) -> rusqlite::Result<Option<Moment>> {
    let sql = "SELECT min(due_at) FROM deliveries INDEXED BY deliveries_due
               WHERE destination = ?1 AND state = 'waiting'";
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
                    hold_until, hold_reason, rests_until, delivered_at
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
            };
            Ok((row.get(0)?, standing))
        })?
        .collect()
}
