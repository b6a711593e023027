//! What listings read. Nothing here changes the store.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, Row};

use crate::clock::Moment;
use crate::metrics::{Queue, Stock};
use crate::name::DestinationName;
use crate::outbox::{Outbox, StoreError, prune, schema};

impl Outbox {
    /// How many deliveries wait for each destination that is not among `known`: they were owed before it left the
    /// configuration, and go out when it comes back.
    pub async fn stranded(&self, known: &[DestinationName]) -> Result<Vec<(String, u64)>, StoreError> {
        let known: Vec<String> = known.iter().map(ToString::to_string).collect();
        self.read(move |connection| {
            let mut stranded = Vec::new();
            for destination in waited_for(connection)? {
                if !known.contains(&destination) {
                    let waiting = waiting(connection, &destination)?;
                    stranded.push((destination, waiting));
                }
            }
            Ok(stranded)
        })
        .await
    }

    /// What is kept for each destination, and how much room it takes. Read by a connection of its own, so that neither
    /// the writer nor a courier waits for it.
    pub async fn stock(&self, turn: impl Send + 'static) -> Result<Stock, StoreError> {
        let path = Arc::clone(&self.path);
        self.read_aside(move |connection| {
            let _turn = turn;
            stock(connection, &path)
        })
        .await
    }
}

/// The destinations that something waits for: one step in the index for each, however much it is.
pub(super) fn waited_for(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare(
            "WITH RECURSIVE names (name) AS (
                 SELECT min(destination) FROM deliveries WHERE state = 'waiting'
                 UNION ALL
                 SELECT (SELECT min(destination) FROM deliveries WHERE state = 'waiting' AND destination > name)
                 FROM names WHERE name IS NOT NULL)
             SELECT name FROM names WHERE name IS NOT NULL",
        )?
        .query_map([], |row| row.get(0))?
        .collect()
}

/// How many deliveries wait for `destination`, in one step however many they are.
pub(super) fn waiting(connection: &Connection, destination: &str) -> rusqlite::Result<u64> {
    connection
        .prepare_cached("SELECT sum(count) FROM tallies WHERE destination = ?1 AND state = 'waiting'")?
        .query_row([destination], |row| row.get::<_, Option<i64>>(0))
        .map(|count| count.unwrap_or_default().unsigned_abs())
}

/// Counts by a name, and then by one of our words.
fn by_word(connection: &Connection, sql: &str) -> rusqlite::Result<BTreeMap<String, BTreeMap<String, u64>>> {
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    let mut counts = BTreeMap::<String, BTreeMap<String, u64>>::new();
    while let Some(row) = rows.next()? {
        let count = row.get::<_, i64>(2)?.unsigned_abs();
        counts.entry(row.get(0)?).or_default().insert(row.get(1)?, count);
    }
    Ok(counts)
}

fn stock(connection: &Connection, path: &Path) -> rusqlite::Result<Stock> {
    // One moment for all of it.
    let moment = connection.unchecked_transaction()?;
    let counts = |sql| -> rusqlite::Result<BTreeMap<String, u64>> {
        let count = |row: &Row<'_>| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs()));
        moment.prepare(sql)?.query_map([], count)?.collect()
    };
    let mut owed = by_word(&moment, "SELECT destination, state, count FROM tallies")?;
    let held = counts("SELECT destination, sum(held) FROM windows WHERE held > 0 GROUP BY destination")?;
    let dead =
        counts("SELECT destination, count(*) FROM deliveries WHERE state = 'dead' GROUP BY destination")?;
    let gone = counts("SELECT name, gone_since IS NOT NULL FROM destinations")?;
    let suspended = counts("SELECT name, suspended_since IS NOT NULL FROM destinations")?;
    let names: BTreeSet<String> = owed.keys().chain(dead.keys()).chain(gone.keys()).cloned().collect();
    let queues = names.into_iter().map(|destination| {
        let mut settled = owed.remove(&destination).unwrap_or_default();
        let count = |of: &BTreeMap<String, u64>| of.get(&destination).copied().unwrap_or(0);
        Ok(Queue {
            waiting: settled.remove("waiting").unwrap_or_default(),
            settled,
            held: count(&held),
            oldest: oldest(&moment, &destination, false)?,
            dead: count(&dead),
            is_gone: count(&gone) > 0,
            is_suspended: count(&suspended) > 0,
            destination,
        })
    });
    let queues = queues.collect::<rusqlite::Result<_>>()?;
    let arrivals = by_word(&moment, "SELECT source, fate, count FROM arrivals")?;
    let size = |path: &Path| fs::metadata(path).map_or(0, |file| file.len());
    let file_bytes = size(path) + size(&schema::beside(path, "-wal"));
    Ok(Stock { queues, arrivals, file_bytes, used_bytes: prune::used(&moment)? })
}

/// When the delivery was accepted that is first in the queue of `destination`: the first of the urgent ones or of the
/// others, whichever came earlier; with what windows hold back if `held` says so. One that has moved there from elsewhere queues up anew, however old it is.
pub(super) fn oldest(
    connection: &Connection,
    destination: &str,
    held: bool,
) -> rusqlite::Result<Option<Moment>> {
    let kinds = if held { "[0,1,2]" } else { "[0,2]" };
    let sql = "SELECT min((SELECT accepted_at FROM deliveries INDEXED BY deliveries_waiting
                           WHERE destination = ?1 AND state = 'waiting' AND held = h.value AND urgent = u.value
                           ORDER BY id LIMIT 1))
               FROM json_each(?2) h, json_each('[0,1]') u";
    let oldest: Option<i64> =
        connection.prepare_cached(sql)?.query_row([destination, kinds], |row| row.get(0))?;
    Ok(oldest.map(Moment))
}
