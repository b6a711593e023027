//! Where a watch has come to in a table of numbered rows.

use rusqlite::{Connection, OptionalExtension as _, params};

use crate::clock::Moment;

/// The last row that was told of. When the last rows of a table are forgotten, their numbers are used again: the moments tell
/// a new row from the one that was told of.
#[derive(Debug)]
pub(super) struct Anchor {
    table: &'static str,
    /// The column that says when a row came.
    column: &'static str,
    id: i64,
    /// When it came.
    at: i64,
    /// The latest moment of all that were told of.
    latest: i64,
}

/// Rows that come at about the same time have their moments in another order than their numbers, but not more than these.
const NEAR: u32 = 1_000;

/// The number after which there are `depth` rows in `table`.
pub(super) fn before_last(connection: &Connection, table: &str, depth: usize) -> rusqlite::Result<i64> {
    let sql = format!("SELECT id FROM {table} ORDER BY id DESC LIMIT 1 OFFSET ?1");
    let found = connection.query_row(&sql, [i64::try_from(depth).unwrap_or(i64::MAX)], |row| row.get(0));
    Ok(found.optional()?.unwrap_or(0))
}

impl Anchor {
    pub(super) fn new(
        connection: &Connection,
        table: &'static str,
        column: &'static str,
        depth: usize,
    ) -> rusqlite::Result<Self> {
        let id = before_last(connection, table, depth)?;
        let at = moment(connection, table, column, id)?.unwrap_or(i64::MIN);
        let before =
            format!("SELECT {column} AS at FROM {table} WHERE id <= ?1 ORDER BY id DESC LIMIT {NEAR}");
        let latest: Option<i64> =
            connection.query_row(&format!("SELECT max(at) FROM ({before})"), [id], |row| row.get(0))?;
        Ok(Self { table, column, id, at, latest: latest.unwrap_or(at) })
    }

    pub(super) fn id(&self) -> i64 {
        self.id
    }

    /// The row `id` has been told of.
    pub(super) fn advance(&mut self, id: i64, at: Moment) {
        (self.id, self.at, self.latest) = (id, at.0, self.latest.max(at.0));
    }

    /// Goes back to a row that was told of, if the last of them is not there any more.
    pub(super) fn hold(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        if self.id == 0 || moment(connection, self.table, self.column, self.id)? == Some(self.at) {
            return Ok(());
        }
        let sql = format!(
            "SELECT id, {0} FROM {1} WHERE id < ?1 AND {0} <= ?2 ORDER BY id DESC LIMIT 1",
            self.column, self.table
        );
        let known = connection
            .prepare_cached(&sql)?
            .query_row(params![self.id, self.latest], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        (self.id, self.at) = known.unwrap_or((0, i64::MIN));
        Ok(())
    }
}

fn moment(connection: &Connection, table: &str, column: &str, id: i64) -> rusqlite::Result<Option<i64>> {
    let sql = format!("SELECT {column} FROM {table} WHERE id = ?1");
    connection.prepare_cached(&sql)?.query_row([id], |row| row.get(0)).optional()
}
