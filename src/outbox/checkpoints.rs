//! Moving what has been committed from the log into the file, beside the writer, so that no commit waits for it.
//!
//! The log begins anew once all of it has been moved and nobody reads from it. Under a steady load of commits, or with
//! readers that overlap without a gap, that moment may never come by itself, and the log would grow without end. Past a
//! bound the writer is therefore kept waiting, for a fraction of a second, until it has come.

use std::sync::{Mutex, Weak};
use std::thread;
use std::time::Duration;

use rusqlite::Connection;

/// How often what has been committed is moved.
const EVERY: Duration = Duration::from_millis(500);

/// Past this many pages the log has to begin anew: twice as many as a commit leaves there before it moves them itself.
pub(super) const PAGES_AT_MOST: i64 = 32_768;

/// So many rounds are left out after one in which the writer was kept waiting for nothing: somebody reads for longer than
/// it can wait, such as a backup.
const LEFT_OUT: u32 = 10;

/// Moves what has been committed for as long as `still_open` is.
pub(super) fn run(connection: &Connection, still_open: &Weak<Mutex<Connection>>) {
    let mut left_out = 0_u32;
    while still_open.strong_count() > 0 {
        // First, so that no start has to wait for one.
        thread::park_timeout(EVERY);
        // One that cannot be made now is made the next time.
        let log = checkpoint(connection, "PASSIVE").map_or(0, |(_, log)| log);
        left_out = left_out.saturating_sub(1);
        if log > PAGES_AT_MOST && left_out == 0 {
            let is_done = checkpoint(connection, "RESTART").is_ok_and(|(is_done, _)| is_done);
            left_out = if is_done { 0 } else { LEFT_OUT };
        }
    }
}

/// Whether all was moved as it should be, and how many pages the log has.
fn checkpoint(connection: &Connection, mode: &str) -> rusqlite::Result<(bool, i64)> {
    connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| {
        Ok((row.get::<_, i64>(0)? == 0, row.get(1)?))
    })
}
