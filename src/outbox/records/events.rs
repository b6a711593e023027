//! What has come, narrowed down: read newest first from one index that has all that is looked at, so that neither a long
//! history nor what the trackers have sent is ever read through.

use rusqlite::{Connection, OptionalExtension as _, Row};

use crate::clock::Moment;
use crate::event::EventId;
use crate::outbox::catch_up::IS_CAUGHT_UP;
use crate::outbox::records::Records;
use crate::outbox::records::words::Words;
use crate::rule::Choice;
use crate::source::OWN;

/// Which events are meant: those for which all of it holds. What bugle says of itself is meant only if its source is named.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Those that came then or later.
    pub since: Option<Moment>,
    /// Those that came before then.
    pub until: Option<Moment>,
    /// Those of these sources.
    pub source: Choice,
    /// Those of these applications.
    pub app: Choice,
    /// Those with these triggers.
    pub trigger: Choice,
    /// Those that are so bad.
    pub severity: Choice,
    /// Those with these words in their title, their message, their application, source or trigger, or as an id of theirs.
    pub words: Words,
    /// Those that no rule matched.
    pub unmatched: bool,
    /// Those that nobody has heard of, or not yet.
    pub unsent: bool,
    /// Those that no webhook had brought.
    pub caught_up: bool,
}

/// An event in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventLine {
    /// Its number.
    pub id: EventId,
    /// When it came.
    pub received_at: Moment,
    /// Through which door.
    pub source: String,
    /// The product behind that door.
    pub product: String,
    /// What happened, in the tracker's word.
    pub trigger: String,
    /// How bad it is.
    pub severity: String,
    /// The application.
    pub app: String,
    /// Its title, or the beginning of it.
    pub title: String,
    /// How its message begins.
    pub words: String,
    /// The error's id in the tracker.
    pub error_id: String,
    /// The event's own id there.
    pub tracker_id: String,
    /// Whether no webhook had brought it, and bugle asked the tracker for it.
    pub caught_up: bool,
    /// How often it came again.
    pub duplicates: u64,
    /// What became of it.
    pub fate: EventFate,
}

/// What became of an event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFate {
    /// What was decided: `routed`, `dropped` or `unmatched`.
    pub routing: String,
    /// The rules that matched.
    pub matched: Vec<String>,
    /// Deliveries of it that were delivered. One that has moved is counted as what took it over.
    pub delivered: u64,
    /// Those that another message told of.
    pub folded: u64,
    /// Those that wait.
    pub waiting: u64,
    /// Those that were given up.
    pub dead: u64,
    /// Those that a person has discarded.
    pub discarded: u64,
}

impl EventFate {
    /// To how many it is or was owed.
    pub fn owed(&self) -> u64 {
        self.heard() + self.waiting + self.dead + self.discarded
    }

    /// How many have heard of it.
    pub fn heard(&self) -> u64 {
        self.delivered + self.folded
    }

    /// The fate in a word: `delivered`, `folded`, `waiting`, `dead`, `discarded`, `dropped`, `unmatched`, or `partly` if only
    /// some have heard of it.
    pub fn word(&self) -> &str {
        match self {
            _ if self.owed() == 0 => &self.routing,
            _ if self.heard() > 0 && self.heard() < self.owed() => "partly",
            _ if self.delivered > 0 => "delivered",
            _ if self.folded > 0 => "folded",
            _ if self.waiting > 0 => "waiting",
            _ if self.dead > 0 => "dead",
            _ => "discarded",
        }
    }
}

impl Records {
    /// The `limit` latest events that are meant, the latest first, and whether there are more.
    pub fn events(&self, filter: &EventFilter, limit: usize) -> rusqlite::Result<(Vec<EventLine>, bool)> {
        // One moment for all of it.
        let moment = self.connection.unchecked_transaction()?;
        let search = Search { connection: &moment, filter, has_default: has_default(&moment, filter)? };
        let mut found = search.look(limit.saturating_add(1))?;
        let more = found.len() > limit;
        found.truncate(limit);
        for line in &mut found {
            complete(&moment, line)?;
        }
        Ok((found, more))
    }

    /// The event `id` as it stands in a listing; nothing if it is not there (any more).
    pub fn line(&self, id: EventId) -> rusqlite::Result<Option<EventLine>> {
        let moment = self.connection.unchecked_transaction()?;
        let sql = format!("SELECT {COLUMNS} FROM events WHERE id = ?1");
        let found = moment.prepare_cached(&sql)?.query_row([id.0], line).optional()?;
        let Some(mut found) = found else { return Ok(None) };
        complete(&moment, &mut found)?;
        Ok(Some(found))
    }
}

/// All that is looked at; nothing of it has to be fetched from the table.
const COLUMNS: &str =
    "received_at, id, source, product, app, trigger, severity, routing, title, words, error_id, tracker_id";

/// Every event of a span, the latest first.
fn all() -> String {
    format!(
        "SELECT {COLUMNS} FROM events INDEXED BY events_by_time WHERE received_at >= ?1 AND received_at < ?2
         ORDER BY received_at DESC, id DESC"
    )
}

/// One event, found in the same index.
fn one() -> String {
    format!("SELECT {COLUMNS} FROM events INDEXED BY events_by_time WHERE received_at = ?1 AND id = ?2")
}

/// Of a span, those that no rule picked for anybody, the latest first.
const UNROUTED: &str = "SELECT received_at, id FROM events INDEXED BY events_unrouted
    WHERE routing <> 'routed' AND received_at >= ?1 AND received_at < ?2";

/// Of a span, those that no rule matched, the latest first. Some of them went to the default destination.
const UNMATCHED: &str = "SELECT received_at, id FROM events INDEXED BY events_of_no_rule
    WHERE matched = '[]' AND received_at >= ?1 AND received_at < ?2 ORDER BY received_at DESC, id DESC";

/// Of a span, those that no webhook had brought, the latest first.
const CAUGHT_UP: &str = "SELECT received_at, id FROM events INDEXED BY events_caught_up
    WHERE caught_up = 1 AND received_at >= ?1 AND received_at < ?2 ORDER BY received_at DESC, id DESC";

/// Of a span, those that nobody has heard of, or not yet: from what is not settled well, of which there is little.
fn unsent() -> String {
    format!(
        "{UNROUTED}
         UNION
         SELECT e.received_at, e.id FROM (
             SELECT event FROM deliveries INDEXED BY deliveries_waiting WHERE state = 'waiting'
             UNION SELECT event FROM deliveries INDEXED BY deliveries_dead WHERE state = 'dead'
             UNION SELECT event FROM deliveries INDEXED BY deliveries_discarded WHERE state = 'discarded') AS unheard
         CROSS JOIN events e ON e.id = unheard.event
         WHERE e.received_at >= ?1 AND e.received_at < ?2 AND NOT EXISTS (
             SELECT 1 FROM deliveries INDEXED BY deliveries_by_event
             WHERE event = e.id AND state IN ('delivered', 'folded'))
         ORDER BY 1 DESC, 2 DESC"
    )
}

/// A search under way.
struct Search<'a> {
    connection: &'a Connection,
    filter: &'a EventFilter,
    /// Whether there ever was a default destination, which hears of what no rule matched.
    has_default: bool,
}

impl Search<'_> {
    /// The first `most` that are meant.
    fn look(&self, most: usize) -> rusqlite::Result<Vec<EventLine>> {
        let candidates = match self.filter {
            EventFilter { unsent: true, .. } => unsent(),
            EventFilter { unmatched: true, .. } => UNMATCHED.to_owned(),
            EventFilter { caught_up: true, .. } => CAUGHT_UP.to_owned(),
            _ => all(),
        };
        let is_whole = candidates == all();
        let since = self.filter.since.map_or(i64::MIN, |since| since.0);
        let until = self.filter.until.map_or(i64::MAX, |until| until.0);
        let mut candidates = self.connection.prepare_cached(&candidates)?;
        let mut one = self.connection.prepare_cached(&one())?;
        let mut rows = candidates.query([since, until])?;
        let mut found = Vec::new();
        while found.len() < most
            && let Some(row) = rows.next()?
        {
            if is_whole {
                found.extend(self.meant(row)?);
            } else {
                let mut whole = one.query([row.get::<_, i64>(0)?, row.get(1)?])?;
                if let Some(row) = whole.next()? {
                    found.extend(self.meant(row)?);
                }
            }
        }
        Ok(found)
    }

    /// The event in this row, if it is meant.
    fn meant(&self, row: &Row<'_>) -> rusqlite::Result<Option<EventLine>> {
        let filter = self.filter;
        let text = |place: usize| Ok::<_, rusqlite::Error>(row.get_ref(place)?.as_str()?);
        let is_chosen = (text(3)? != OWN || filter.source.names(OWN))
            && filter.source.chooses(text(2)?)
            && filter.app.chooses(text(4)?)
            && filter.trigger.chooses(text(5)?)
            && filter.severity.chooses(text(6)?)
            && (filter.words.is_empty()
                || filter
                    .words
                    .occur_in(&[text(8)?, text(9)?, text(4)?, text(2)?, text(5)?], &[text(10)?, text(11)?]));
        let is_meant = is_chosen
            && (!filter.unmatched || self.is_unmatched(row.get(1)?, text(7)?)?)
            && (!filter.caught_up || is_caught_up(self.connection, row.get(1)?)?);
        if is_meant { line(row).map(Some) } else { Ok(None) }
    }

    fn is_unmatched(&self, id: i64, routing: &str) -> rusqlite::Result<bool> {
        match routing {
            "unmatched" => Ok(true),
            // What went to the default destination looks like any other, but that no rule is named.
            "routed" if self.has_default => self
                .connection
                .prepare_cached("SELECT 1 FROM events WHERE id = ?1 AND matched = '[]'")?
                .exists([id]),
            _ => Ok(false),
        }
    }
}

fn is_caught_up(connection: &Connection, id: i64) -> rusqlite::Result<bool> {
    let sql = format!("SELECT 1 FROM events e WHERE id = ?1 AND {IS_CAUGHT_UP}");
    connection.prepare_cached(&sql)?.exists([id])
}

fn has_default(connection: &Connection, filter: &EventFilter) -> rusqlite::Result<bool> {
    let sql = "SELECT 1 FROM rule_sets WHERE rules ->> '$.default_destination' IS NOT NULL";
    Ok(filter.unmatched && connection.prepare_cached(sql)?.exists([])?)
}

fn line(row: &Row<'_>) -> rusqlite::Result<EventLine> {
    Ok(EventLine {
        received_at: Moment(row.get(0)?),
        id: EventId(row.get(1)?),
        source: row.get(2)?,
        product: row.get(3)?,
        app: row.get(4)?,
        trigger: row.get(5)?,
        severity: row.get(6)?,
        fate: EventFate { routing: row.get(7)?, ..EventFate::default() },
        title: row.get(8)?,
        words: row.get(9)?,
        error_id: row.get(10)?,
        tracker_id: row.get(11)?,
        caught_up: false,
        duplicates: 0,
    })
}

/// Adds what is not in the index, which only what is listed is asked for.
fn complete(connection: &Connection, line: &mut EventLine) -> rusqlite::Result<()> {
    let id = line.id.0;
    line.caught_up = is_caught_up(connection, id)?;
    let matched: String = connection
        .prepare_cached("SELECT matched FROM events WHERE id = ?1")?
        .query_row([id], |row| row.get(0))?;
    // We wrote this list ourselves; in a store that somebody edited by hand the names are missing.
    line.fate.matched = serde_json::from_str(&matched).unwrap_or_default();
    let duplicates: i64 = connection
        .prepare_cached("SELECT count(*) FROM duplicates WHERE event = ?1")?
        .query_row([id], |row| row.get(0))?;
    line.duplicates = duplicates.unsigned_abs();
    let mut states = connection
        .prepare_cached("SELECT state, count(*) FROM deliveries WHERE event = ?1 GROUP BY state")?;
    let mut rows = states.query([id])?;
    while let Some(row) = rows.next()? {
        let count = row.get::<_, i64>(1)?.unsigned_abs();
        match row.get_ref(0)?.as_str()? {
            "delivered" => line.fate.delivered = count,
            "folded" => line.fate.folded = count,
            "waiting" => line.fate.waiting = count,
            "dead" => line.fate.dead = count,
            "discarded" => line.fate.discarded = count,
            _ => {}
        }
    }
    Ok(())
}

/// The statements that look through many rows, each with what its plan must say.
#[cfg(test)]
pub(in crate::outbox) fn statements() -> Vec<(String, &'static str)> {
    vec![
        (all(), "USING COVERING INDEX events_by_time (received_at>? AND received_at<?)"),
        (one(), "USING COVERING INDEX events_by_time (received_at=? AND id=?)"),
        (unsent(), "USING INTEGER PRIMARY KEY (rowid=?)"),
        (CAUGHT_UP.to_owned(), "USING COVERING INDEX events_caught_up (received_at>? AND received_at<?)"),
        (UNMATCHED.to_owned(), "USING COVERING INDEX events_of_no_rule (received_at>? AND received_at<?)"),
        (super::diary::REFUSALS.to_owned(), "USING PRIMARY KEY (span>? AND span<?)"),
    ]
}
