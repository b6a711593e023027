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
            let mut count = connection
                .prepare("SELECT count(*) FROM deliveries WHERE state = 'waiting' AND destination = ?1")?;
            let mut stranded = Vec::new();
            for destination in waited_for(connection)? {
                if !known.contains(&destination) {
                    let waiting: i64 = count.query_row([&destination], |row| row.get(0))?;
                    stranded.push((destination, waiting.unsigned_abs()));
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

fn stock(connection: &Connection, path: &Path) -> rusqlite::Result<Stock> {
    // One moment for all of it.
    let moment = connection.unchecked_transaction()?;
    let counts = |sql| -> rusqlite::Result<BTreeMap<String, u64>> {
        let count = |row: &Row<'_>| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs()));
        moment.prepare(sql)?.query_map([], count)?.collect()
    };
    let waiting =
        counts("SELECT destination, count(*) FROM deliveries WHERE state = 'waiting' GROUP BY destination")?;
    let dead =
        counts("SELECT destination, count(*) FROM deliveries WHERE state = 'dead' GROUP BY destination")?;
    let gone = counts("SELECT name, gone_since IS NOT NULL FROM destinations")?;
    let suspended = counts("SELECT name, suspended_since IS NOT NULL FROM destinations")?;
    let names: BTreeSet<&String> = waiting.keys().chain(dead.keys()).chain(gone.keys()).collect();
    let queues = names.into_iter().map(|destination| {
        let count = |of: &BTreeMap<String, u64>| of.get(destination).copied().unwrap_or(0);
        Ok(Queue {
            destination: destination.clone(),
            waiting: count(&waiting),
            oldest: oldest(&moment, destination)?,
            dead: count(&dead),
            is_gone: count(&gone) > 0,
            is_suspended: count(&suspended) > 0,
        })
    });
    let queues = queues.collect::<rusqlite::Result<_>>()?;
    let size = |path: &Path| fs::metadata(path).map_or(0, |file| file.len());
    let file_bytes = size(path) + size(&schema::beside(path, "-wal"));
    Ok(Stock { queues, file_bytes, used_bytes: prune::used(&moment)? })
}

/// When the delivery was accepted that is first in the queue of `destination`: the first of the urgent ones or of the
/// others, whichever came earlier. One that has moved there from elsewhere queues up anew, however old it is.
pub(super) fn oldest(connection: &Connection, destination: &str) -> rusqlite::Result<Option<Moment>> {
    let first = "SELECT accepted_at FROM deliveries WHERE destination = ?1 AND state = 'waiting'";
    let sql = format!(
        "SELECT min(accepted_at) FROM (
             SELECT * FROM ({first} AND urgent = 1 ORDER BY id LIMIT 1)
             UNION ALL SELECT * FROM ({first} AND urgent = 0 ORDER BY id LIMIT 1))"
    );
    let oldest: Option<i64> = connection.prepare_cached(&sql)?.query_row([destination], |row| row.get(0))?;
    Ok(oldest.map(Moment))
}
