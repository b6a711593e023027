//! What a message has to tell that stands for many: counted by the store, and only the events read again that it names.

use rusqlite::{Connection, Row, params};

use crate::clock::Moment;
use crate::delivery::DeliveryId;
use crate::event::Event;
use crate::flood::{Gathering, Kindred, NAMED, NOTICES, OCCURRENCES, Told};
use crate::outbox::catch_up::IS_CAUGHT_UP;
use crate::outbox::{Outbox, StoreError, StoredEvent};

impl Outbox {
    /// All that the message of `leader` has to tell, which tells of others in the way of `told`.
    pub async fn gathering(&self, leader: DeliveryId, told: Told) -> Result<Gathering, StoreError> {
        self.read_aside(move |connection| {
            // One moment for all of it.
            let moment = connection.unchecked_transaction()?;
            read(&moment, leader.0, told)
        })
        .await
    }
}

/// The deliveries that the message of `?1` tells of, with their events, and `rank` and `kin` of each: how bad it is, and what
/// it has in common with others of its error; nothing, if it does not tell of an error happening. Of a word that only
/// the tracker knows, nobody knows how bad it is.
fn members() -> String {
    let occurrences: Vec<String> = OCCURRENCES.iter().map(|trigger| format!("'{trigger}'")).collect();
    let occurrences = occurrences.join(", ");
    format!(
        "WITH told AS (
             SELECT id, event, error_key FROM deliveries WHERE id = ?1
             UNION ALL
             SELECT id, event, error_key FROM deliveries WHERE folded_into = ?1 AND state IN ('waiting', 'folded')),
         members AS (
             SELECT e.id, e.received_at, e.trigger, e.severity, {IS_CAUGHT_UP} AS caught_up,
                    CASE e.severity WHEN 'error' THEN 3 WHEN 'warning' THEN 1 WHEN 'info' THEN 0 ELSE 2 END AS rank,
                    CASE WHEN told.error_key IS NOT NULL THEN hex(told.error_key)
                         WHEN e.trigger IN ({occurrences}) THEN json_array(e.source, e.app, e.title) END AS kin
             FROM told JOIN events e ON e.id = told.event)"
    )
}

fn read(connection: &Connection, leader: i64, told: Told) -> rusqlite::Result<Gathering> {
    let members = members();
    let ask = |sql: &str| connection.prepare_cached(&format!("{members} {sql}"));
    let count = |sql: &str| ask(sql)?.query_row([leader], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs);
    let (first_at, last_at) = ask("SELECT min(received_at), max(received_at) FROM members")?
        .query_row([leader], |row| Ok((Moment(row.get(0)?), Moment(row.get(1)?))))?;
    let errors = ask(
        "SELECT max(id), max(rank), max(iif(rank = 2, severity, '')), group_concat(DISTINCT trigger), count(*),
                min(received_at), max(received_at)
         FROM members WHERE kin IS NOT NULL GROUP BY kin
         ORDER BY max(rank) DESC, count(*) DESC, min(id) LIMIT ?2",
    )?
    .query_map(params![leader, limit(NAMED)], |row| kindred(connection, row))?
    .collect::<Result<Vec<_>, _>>()?;
    let notices = ask("SELECT id FROM members WHERE kin IS NULL ORDER BY id LIMIT ?2")?
        .query_map(params![leader, limit(NOTICES)], |row| event(connection, row.get(0)?))?
        .collect::<Result<Vec<_>, _>>()?;
    let urgent = connection
        .prepare_cached("SELECT urgent FROM deliveries WHERE id = ?1")?
        .query_row([leader], |row| row.get(0))?;
    let beyond = |all: u64, shown: usize| all.saturating_sub(u64::try_from(shown).unwrap_or(u64::MAX));
    Ok(Gathering {
        told,
        urgent,
        count: count("SELECT count(*) FROM members")?,
        caught_up: count("SELECT coalesce(sum(caught_up), 0) FROM members")?,
        severities: ask(
            "SELECT severity, count(*) FROM members WHERE kin IS NOT NULL GROUP BY severity ORDER BY rank DESC, severity",
        )?
        .query_map([leader], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))?
        .collect::<Result<_, _>>()?,
        first_at,
        last_at,
        more_errors: beyond(count("SELECT count(DISTINCT kin) FROM members")?, errors.len()),
        errors,
        more_notices: beyond(count("SELECT count(*) FROM members WHERE kin IS NULL")?, notices.len()),
        notices,
    })
}

fn limit(most: usize) -> i64 {
    i64::try_from(most).unwrap_or(i64::MAX)
}

/// The events of one error; the last of them tells most.
fn kindred(connection: &Connection, row: &Row<'_>) -> rusqlite::Result<Kindred> {
    let unknown: String = row.get(2)?;
    let severity = match row.get(1)? {
        3 => "error".to_owned(),
        2 => unknown,
        1 => "warning".to_owned(),
        _ => "info".to_owned(),
    };
    let triggers: String = row.get(3)?;
    Ok(Kindred {
        event: event(connection, row.get(0)?)?,
        severity,
        triggers: triggers.split(',').map(str::to_owned).collect(),
        count: row.get::<_, i64>(4)?.unsigned_abs(),
        first_at: Moment(row.get(5)?),
        last_at: Moment(row.get(6)?),
    })
}

fn event(connection: &Connection, id: i64) -> rusqlite::Result<Event> {
    connection
        .prepare_cached(
            "SELECT source, product, trigger, severity, raw, caught_up FROM events WHERE id = ?1",
        )?
        .query_row([id], |row| StoredEvent::of(row, 0))
        .map(|stored| stored.read())
}
