//! Looking a store through: the file itself, and what bugle relies on in it. Nothing is changed.

use std::fs;
use std::path::Path;

use rusqlite::{Connection, Row};

use crate::outbox::schema::{self, OpenError};
use crate::outbox::{damage, prune};

/// Of what is wrong with the file at most so much is told.
const TOLD: usize = 20;

/// What a look through a store has shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Examined {
    /// The version of its tables.
    pub version: i64,
    /// The version that this bugle works with. It brings an older store up to date when it opens it.
    pub newest: i64,
    /// The size of the file.
    pub file_bytes: u64,
    /// The size of its log.
    pub log_bytes: u64,
    /// The part of the file that holds something.
    pub used_bytes: u64,
    /// Events in it; nothing if they cannot be counted.
    pub events: Option<u64>,
    /// Deliveries in it, by their state.
    pub deliveries: Vec<(String, u64)>,
    /// What SQLite says is wrong with the file; nothing: it is whole.
    pub damage: Vec<String>,
    /// What bugle relies on and what is not so.
    pub broken: Vec<Broken>,
}

/// Something that bugle relies on and that is not so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// What should not be.
    pub what: &'static str,
    /// How often it is so.
    pub count: u64,
    /// The number of the first such row; 0: it is about something that has none.
    pub first: i64,
}

impl Examined {
    /// Whether this bugle can go on with it.
    pub fn is_in_order(&self) -> bool {
        self.damage.is_empty() && self.broken.is_empty() && self.version <= self.newest
    }
}

/// Looks through the store in the file at `path`, in use or not. Blocks, with a large file for a while.
pub fn examine(path: &Path) -> Result<Examined, OpenError> {
    let connection = schema::open_to_read(path)?;
    let mut examined = Examined { newest: schema::newest(), ..Examined::default() };
    if let Err(error) = look(&connection, path, &mut examined) {
        if !damage::is_damage(&error) {
            return Err(OpenError::Sqlite { path: path.to_owned(), cause: error });
        }
        // It broke off there.
        examined.damage.push(error.to_string());
    }
    Ok(examined)
}

fn look(connection: &Connection, path: &Path, examined: &mut Examined) -> rusqlite::Result<()> {
    // One moment for all of it.
    let moment = connection.unchecked_transaction()?;
    let size = |path: &Path| fs::metadata(path).map_or(0, |file| file.len());
    examined.file_bytes = size(path);
    examined.log_bytes = size(&schema::beside(path, "-wal"));
    examined.used_bytes = prune::used(&moment)?;
    // First: the others break off at what it names.
    let complaints = texts(&moment, &format!("PRAGMA integrity_check({TOLD})"))?;
    examined.damage.extend(complaints.into_iter().filter(|complaint| complaint != "ok"));
    let version = "SELECT max(version) FROM refinery_schema_history";
    examined.version = moment.query_row(version, [], |row| row.get(0))?;
    let orphans =
        "SELECT 'row ' || coalesce(rowid, 0) || ' of ' || \"table\" || ' belongs to a row of ' || parent ||
                   ' that is not there' FROM pragma_foreign_key_check LIMIT 20";
    examined.damage.extend(texts(&moment, orphans)?);
    examined.events = Some(moment.query_row("SELECT count(*) FROM events", [], |row| count(row, 0))?);
    examined.deliveries = moment
        .prepare("SELECT state, count(*) FROM deliveries GROUP BY state ORDER BY state")?
        .query_map([], |row| Ok((row.get(0)?, count(row, 1)?)))?
        .collect::<Result<_, _>>()?;
    if examined.version == examined.newest {
        for (what, sql) in RELIED_ON {
            examined.broken.extend(broken(&moment, what, sql)?);
        }
    }
    Ok(())
}

fn count(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(i64::unsigned_abs)
}

fn texts(connection: &Connection, sql: &str) -> rusqlite::Result<Vec<String>> {
    connection.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
}

fn broken(connection: &Connection, what: &'static str, sql: &str) -> rusqlite::Result<Option<Broken>> {
    let counted = format!("SELECT count(*), coalesce(min(id), 0) FROM ({sql})");
    let (count, first) = connection.query_row(&counted, [], |row| Ok((count(row, 0)?, row.get(1)?)))?;
    Ok((count > 0).then_some(Broken { what, count, first }))
}

/// What bugle relies on beyond what SQLite watches over: in words what is wrong, and the rows in which it is so.
const RELIED_ON: &[(&str, &str)] = &[
    (
        "deliveries that wait and are settled, or do not wait and are not settled",
        "SELECT id FROM deliveries WHERE (state = 'waiting') = (settled_at IS NOT NULL)",
    ),
    ("dead letters without a reason", "SELECT id FROM deliveries WHERE state = 'dead' AND reason IS NULL"),
    (
        "deliveries that moved to one that is not there, or is not of the same event",
        "SELECT id FROM deliveries d WHERE state = 'moved'
         AND NOT EXISTS (SELECT 1 FROM deliveries t WHERE t.id = d.moved_to AND t.event = d.event)",
    ),
    (
        "deliveries that moved and never arrive anywhere",
        "WITH RECURSIVE way (id, at) AS (
             SELECT id, moved_to FROM deliveries WHERE state = 'moved'
             UNION SELECT way.id, d.moved_to FROM way JOIN deliveries d ON d.id = way.at AND d.state = 'moved')
         SELECT id FROM way GROUP BY id
         HAVING NOT max(EXISTS (SELECT 1 FROM deliveries d WHERE d.id = at AND d.state <> 'moved'))",
    ),
    (
        "deliveries with two attempts under way",
        "SELECT delivery AS id FROM attempts WHERE ended_at IS NULL GROUP BY delivery HAVING count(*) > 1",
    ),
    (
        "attempts that have ended with nothing",
        "SELECT id FROM attempts WHERE ended_at IS NOT NULL AND (outcome IS NULL OR reason IS NULL)",
    ),
    (
        "numbers that would be used again",
        "SELECT max(id) AS id FROM events
         HAVING id > coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0)
         UNION ALL SELECT max(id) FROM deliveries
         HAVING max(id) > coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'deliveries'), 0)",
    ),
    (
        "deliveries told with a message that was not delivered",
        "SELECT id FROM deliveries d WHERE state = 'folded' AND (folded_into IS NULL OR EXISTS (
             SELECT 1 FROM deliveries leader WHERE leader.id = d.folded_into AND leader.state <> 'delivered'))",
    ),
    (
        "deliveries that wait for a message of several that is not there",
        "SELECT id FROM deliveries d WHERE state = 'waiting' AND held = 2 AND NOT EXISTS (
             SELECT 1 FROM deliveries leader WHERE leader.id = d.folded_into AND leader.told_as IS NOT NULL
             AND leader.destination = d.destination)",
    ),
    (
        "deliveries that wait for the end of a window that is not there",
        "SELECT id FROM deliveries d WHERE state = 'waiting' AND held = 1 AND NOT EXISTS (
             SELECT 1 FROM windows w WHERE w.destination = d.destination AND w.error_key = d.error_key)",
    ),
    (
        "windows that hold another number of deliveries than they count",
        "SELECT 0 AS id FROM windows w WHERE held <> (
             SELECT count(*) FROM deliveries d WHERE d.destination = w.destination AND d.error_key = w.error_key
             AND d.state = 'waiting' AND d.held = 1)",
    ),
    (
        "tallies of what waits that are not what waits",
        "SELECT coalesce(first, 0) AS id FROM (SELECT destination, count FROM tallies WHERE state = 'waiting') t
         FULL JOIN (SELECT destination, count(*) AS rows, min(id) AS first FROM deliveries WHERE state = 'waiting'
                    GROUP BY destination) r ON r.destination = t.destination
         WHERE coalesce(count, 0) <> coalesce(rows, 0)",
    ),
    (
        "tallies of deliveries that are smaller than what is there",
        "SELECT r.first AS id FROM (SELECT destination, state, count(*) AS rows, min(id) AS first FROM deliveries
                                    WHERE state <> 'waiting' GROUP BY destination, state) r
         LEFT JOIN tallies t ON t.destination = r.destination AND t.state = r.state
         WHERE coalesce(t.count, 0) < rows",
    ),
    (
        "tallies of events that are smaller than what is there",
        "SELECT r.first AS id FROM (SELECT source, routing, count(*) AS rows, min(id) AS first FROM events
                                    WHERE product <> 'bugle' GROUP BY source, routing) r
         LEFT JOIN arrivals a ON a.source = r.source AND a.fate = r.routing
         WHERE coalesce(a.count, 0) < rows",
    ),
];
