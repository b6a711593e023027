//! How often sources speak, and which of them were said to be silent.

use std::collections::BTreeMap;
use std::time::Duration;

use rusqlite::{Connection, Row, Transaction, params};

use crate::clock::Moment;
use crate::name::SourceName;
use crate::outbox::catch_up::IS_CAUGHT_UP;
use crate::outbox::{Durability, Outbox, Records, StoreError};

/// That a source was said to be silent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SilenceRecord {
    /// Which.
    pub source: String,
    /// When its last event had come.
    pub last: Moment,
    /// The longest time between two of those before.
    pub usual: Duration,
    /// When it was said.
    pub said_at: Moment,
}

/// So long before its last event is looked at how often a source speaks.
const LOOK_BACK: Duration = Duration::from_hours(24 * 28);

/// It is looked at by the hour: of a thousand events in one, the last is enough.
const HOUR: i64 = 3_600_000;

impl Outbox {
    /// The hours in which events of `source` came by webhook, in the four weeks before the last: of each its last event, the
    /// latest first.
    pub async fn spoken(&self, source: &SourceName) -> Result<Vec<Moment>, StoreError> {
        let source = source.clone();
        self.read_aside(move |connection| spoken(connection, source.as_str())).await
    }

    /// The sources that were said to be silent, each for a last event.
    pub async fn silences(&self) -> Result<Vec<SilenceRecord>, StoreError> {
        self.read(|connection| {
            connection
                .prepare_cached("SELECT source, last_at, usual, said_at FROM silences")?
                .query_map([], record)?
                .collect()
        })
        .await
    }

    /// Writes down that it is said of `source`, whose last event came then, that it is silent.
    pub async fn say_silent(
        &self,
        source: &SourceName,
        last: Moment,
        usual: Duration,
    ) -> Result<(), StoreError> {
        let (source, now) = (source.clone(), self.clock.now());
        let usual = i64::try_from(usual.as_millis()).unwrap_or(i64::MAX);
        let say = move |transaction: &Transaction<'_>| {
            transaction
                .execute(
                    "INSERT OR REPLACE INTO silences (source, last_at, usual, said_at) VALUES (?1, ?2, ?3, ?4)",
                    params![source.as_str(), last.0, usual, now.0],
                )
                .map(drop)
        };
        self.writer.write(Durability::Handed, say).await
    }
}

impl Records {
    /// The hours in which events of `source` came by webhook, in the four weeks before the last: of each its last event, the
    /// latest first.
    pub fn spoken(&self, source: &str) -> rusqlite::Result<Vec<Moment>> {
        spoken(self.connection(), source)
    }
}

fn record(row: &Row<'_>) -> rusqlite::Result<SilenceRecord> {
    Ok(SilenceRecord {
        source: row.get(0)?,
        last: Moment(row.get(1)?),
        usual: Duration::from_millis(row.get::<_, i64>(2)?.unsigned_abs()),
        said_at: Moment(row.get(3)?),
    })
}

/// One step in the index for each application of the source, and from there one for each hour that is not known yet.
fn spoken(connection: &Connection, source: &str) -> rusqlite::Result<Vec<Moment>> {
    let mut next = connection.prepare_cached(
        "SELECT min(app) FROM events INDEXED BY events_by_app WHERE source = ?1 AND app > ?2",
    )?;
    let mut apps = Vec::new();
    let mut app = Some(String::new());
    while let Some(this) = app {
        app = next.query_row(params![source, this], |row| row.get(0))?;
        apps.push(this);
    }
    let mut latest = connection.prepare_cached(&format!(
        "SELECT max(received_at) FROM (
             SELECT received_at FROM events e INDEXED BY events_by_app
             WHERE source = ?1 AND app = ?2 AND received_at < ?3 AND NOT {IS_CAUGHT_UP}
             ORDER BY received_at DESC LIMIT 1)"
    ))?;
    let mut before =
        |app: &str, end: i64| latest.query_row(params![source, app, end], |row| row.get::<_, Option<i64>>(0));
    let lasts = apps.iter().map(|app| before(app, i64::MAX)).collect::<Result<Vec<_>, _>>()?;
    let Some(last) = lasts.iter().flatten().max().copied() else { return Ok(Vec::new()) };
    let earliest = Moment(last).minus(LOOK_BACK).0;
    // Of each hour its last event.
    let mut hours: BTreeMap<i64, i64> = BTreeMap::new();
    for (app, mut at) in apps.iter().zip(lasts) {
        while let Some(this) = at.filter(|at| *at >= earliest) {
            let hour = this.div_euclid(HOUR);
            let known = hours.entry(hour).or_insert(this);
            *known = this.max(*known);
            at = before(app, hour.saturating_mul(HOUR))?;
        }
    }
    Ok(hours.into_values().rev().map(Moment).collect())
}
