//! What came, and when each application was last heard of: what there is to say when there is no event.

use rusqlite::{OptionalExtension as _, params};

use crate::clock::Moment;
use crate::event::EventId;

use super::{Records, moment};

/// What came through a source in a span of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArrivalRecord {
    /// The source.
    pub source: String,
    /// Events.
    pub events: u64,
    /// Those of them that nobody was to hear of: no rule matched, or a rule dropped them.
    pub untold: u64,
    /// When the last came.
    pub last_at: Moment,
}

/// An application, and when it was heard of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppRecord {
    /// Through which source.
    pub source: String,
    /// Its name; empty: the events name none.
    pub app: String,
    /// When its last event came.
    pub last_at: Moment,
    /// That event.
    pub last: EventId,
    /// The times between its last events, at most a hundred of them, sorted; in milliseconds.
    pub gaps: Vec<i64>,
}

/// A tracker's word that it withholds events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WithheldRecord {
    /// The event that says so.
    pub event: EventId,
    /// When it came.
    pub at: Moment,
    /// Through which source.
    pub source: String,
    /// Of which application.
    pub app: String,
    /// In the tracker's own word.
    pub trigger: String,
}

/// How many gaps are looked at, and how many applications.
const GAPS: u32 = 100;
const APPS: usize = 1_000;

impl Records {
    /// What came between two moments, by source; what bugle said of itself came from nobody.
    pub fn arrivals(&self, since: Moment, until: Moment) -> rusqlite::Result<Vec<ArrivalRecord>> {
        self.connection
            .prepare_cached(
                "SELECT source, count(*), sum(routing <> 'routed'), max(received_at) FROM events
                 WHERE received_at >= ?1 AND received_at <= ?2 AND product <> 'bugle' GROUP BY source ORDER BY source",
            )?
            .query_map(params![since.0, until.0], |row| {
                Ok(ArrivalRecord {
                    source: row.get(0)?,
                    events: row.get::<_, i64>(1)?.unsigned_abs(),
                    untold: row.get::<_, i64>(2)?.unsigned_abs(),
                    last_at: Moment(row.get(3)?),
                })
            })?
            .collect()
    }

    /// The applications of sources that are `wanted`, at most a thousand, with when each was heard of: one step in the index for
    /// each, and a hundred more for the gaps.
    pub fn heard_of(&self, wanted: impl Fn(&str, &str) -> bool) -> rusqlite::Result<Vec<AppRecord>> {
        let mut next = self.connection.prepare_cached(
            "SELECT source, app FROM events INDEXED BY events_by_app WHERE (source, app) > (?1, ?2)
             ORDER BY source, app LIMIT 1",
        )?;
        let mut apps = Vec::new();
        let mut last: Option<(String, String)> = None;
        loop {
            let (source, app) = last.clone().unwrap_or_default();
            let found: Option<(String, String)> =
                next.query_row([&source, &app], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
            let Some((source, app)) = found else { return Ok(apps) };
            if apps.len() >= APPS {
                return Ok(apps);
            }
            if wanted(&source, &app) {
                apps.push(self.heard_of_one(&source, &app)?);
            }
            last = Some((source, app));
        }
    }

    fn heard_of_one(&self, source: &str, app: &str) -> rusqlite::Result<AppRecord> {
        let times = self
            .connection
            .prepare_cached(
                "SELECT received_at, id FROM events INDEXED BY events_by_app WHERE source = ?1 AND app = ?2
                 ORDER BY received_at DESC LIMIT ?3",
            )?
            .query_map(params![source, app, GAPS + 1], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<Vec<(i64, i64)>>>()?;
        let (last_at, last) = times.first().copied().unwrap_or_default();
        let mut gaps: Vec<i64> =
            times.iter().zip(times.iter().skip(1)).map(|(later, earlier)| later.0 - earlier.0).collect();
        gaps.sort_unstable();
        Ok(AppRecord {
            source: source.to_owned(),
            app: app.to_owned(),
            last_at: Moment(last_at),
            last: EventId(last),
            gaps,
        })
    }

    /// Where trackers said between two moments that they withhold events: the latest first, `limit` at most.
    pub fn withheld(
        &self,
        since: Moment,
        until: Moment,
        limit: u32,
    ) -> rusqlite::Result<Vec<WithheldRecord>> {
        self.connection
            .prepare_cached(
                "SELECT id, received_at, source, app, trigger FROM events INDEXED BY events_withheld
                 WHERE trigger IN ('projectSamplingStarted', 'projectApproachingRateLimit')
                 AND received_at >= ?1 AND received_at <= ?2 ORDER BY received_at DESC LIMIT ?3",
            )?
            .query_map(params![since.0, until.0, limit], |row| {
                Ok(WithheldRecord {
                    event: EventId(row.get(0)?),
                    at: Moment(row.get(1)?),
                    source: row.get(2)?,
                    app: row.get(3)?,
                    trigger: row.get(4)?,
                })
            })?
            .collect()
    }

    /// When the oldest event came that is still kept.
    pub fn oldest(&self) -> rusqlite::Result<Option<Moment>> {
        self.connection
            .prepare_cached("SELECT min(received_at) FROM events")?
            .query_row([], |row| moment(row, 0))
    }

    /// Whether there was an event of the number `id`, which is forgotten.
    pub fn has_forgotten(&self, id: EventId) -> rusqlite::Result<bool> {
        let last = "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0)";
        let last: i64 = self.connection.prepare_cached(last)?.query_row([], |row| row.get(0))?;
        Ok(id.0 > 0 && id.0 <= last && self.line(id)?.is_none())
    }
}
