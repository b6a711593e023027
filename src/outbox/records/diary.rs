//! What bugle has written down of itself: when it ran, whom it refused, which configurations it was given.

use rusqlite::{Connection, Params, Row, params};

use crate::clock::Moment;

use super::{Records, moment};

/// What became of a configuration that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigurationRecord {
    /// When.
    pub at: Moment,
    /// `start`, `reload` or `refused`.
    pub how: String,
    /// What changed, or what is wrong with it.
    pub lines: Vec<String>,
    /// The rules that it brought, as they were kept; nothing if it was refused.
    pub rules: Option<String>,
    /// Those that were in force before; nothing if that is not known.
    pub before: Option<String>,
}

/// A time in which bugle was not at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Absence {
    /// The last sign of life before.
    pub since: Moment,
    /// When it was at work again; nothing: it is not.
    pub until: Option<Moment>,
    /// Why.
    pub kind: AbsenceKind,
}

/// Why bugle was not at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AbsenceKind {
    /// It had been told to stop.
    Stopped,
    /// It ended without being told to.
    Killed,
    /// It did not end: the machine slept, its clock was set forward, or the store could not be written.
    Paused,
}

impl AbsenceKind {
    /// The word for programs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Killed => "killed",
            Self::Paused => "paused",
        }
    }
}

/// When bugle was at work, as far as it has written that down.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Presence {
    /// When the first run began that is still known; nothing: none is.
    pub first: Option<Moment>,
    /// When it was not at work since, as far as it was asked for; the last ones, if there are many.
    pub absences: Vec<Absence>,
    /// How many absences before those are left out.
    pub left_out: usize,
}

/// Requests that were refused for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusalRecord {
    /// At whose door; empty: there is no such source.
    pub source: String,
    /// Why: the code of the answer.
    pub reason: String,
    /// How many.
    pub count: u64,
    /// When the first came.
    pub first_at: Moment,
    /// When the last came.
    pub last_at: Moment,
    /// From where the last came; empty if that is not known.
    pub sender: String,
}

impl Records {
    /// What became of the configurations that were read between two moments, in order of time: at most `limit`, the last ones.
    /// A start with the rules that were in force before is none.
    pub fn configurations(
        &self,
        since: Moment,
        until: Moment,
        limit: u32,
    ) -> rusqlite::Result<Vec<ConfigurationRecord>> {
        configurations(
            &self.connection,
            "id IN (SELECT id FROM configurations s WHERE at >= ?1 AND at <= ?2
                    AND (how <> 'start' OR rule_set IS NOT (
                         SELECT b.rule_set FROM configurations b WHERE b.id < s.id AND b.rule_set IS NOT NULL
                         ORDER BY b.id DESC LIMIT 1))
                    ORDER BY id DESC LIMIT ?3)",
            params![since.0, until.0, limit],
        )
    }

    /// When bugle was at work between two moments, with at most `limit` absences.
    pub fn presence(&self, since: Moment, until: Moment, limit: usize) -> rusqlite::Result<Presence> {
        let first =
            self.connection.query_row("SELECT min(started_at) FROM runs", [], |row| moment(row, 0))?;
        // From the run that began before to the one that began after: between two of them bugle was not at work.
        let runs = self
            .connection
            .prepare_cached(
                "SELECT started_at, beat_at, stopped_at, goes_on FROM runs
                 WHERE id >= coalesce((SELECT max(id) FROM runs WHERE started_at <= ?1), 0)
                 AND id <= coalesce((SELECT min(id) FROM runs WHERE started_at > ?2), (SELECT max(id) FROM runs))
                 ORDER BY id",
            )?
            .query_map(params![since.0, until.0], Run::of)?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        let mut absences = Vec::new();
        for (run, next) in runs.iter().zip(runs.iter().skip(1).map(Some).chain([None])) {
            let Some(absence) = self.absence(run, next)? else { continue };
            if absence.until.is_none_or(|again| again >= since) && absence.since <= until {
                absences.push(absence);
            }
        }
        let left_out = absences.len().saturating_sub(limit);
        Ok(Presence { first, absences: absences.split_off(left_out), left_out })
    }

    /// The absence after `run`, until `next` began.
    fn absence(&self, run: &Run, next: Option<&Run>) -> rusqlite::Result<Option<Absence>> {
        if next.is_none() && self.is_served() {
            return Ok(None);
        }
        let until = next.map(|next| next.started_at);
        let kind = match (run.stopped_at, next) {
            (_, Some(Run { goes_on: true, .. })) => AbsenceKind::Paused,
            (Some(_), _) => AbsenceKind::Stopped,
            (None, _) => AbsenceKind::Killed,
        };
        let since = match run.stopped_at {
            Some(stopped_at) => stopped_at,
            // What is in the store was written by one that was at work: a beat comes only every ten seconds.
            None => self.last_trace(until)?.unwrap_or(run.beat_at).max(run.beat_at),
        };
        Ok(Some(Absence { since, until, kind }))
    }

    /// The last thing that came or was written down before a moment.
    fn last_trace(&self, before: Option<Moment>) -> rusqlite::Result<Option<Moment>> {
        let before = before.map_or(i64::MAX, |before| before.0);
        self.connection
            .prepare_cached(
                "SELECT max(at) FROM (SELECT max(received_at) AS at FROM events WHERE received_at < ?1
                                      UNION ALL SELECT max(at) FROM configurations WHERE at < ?1)",
            )?
            .query_row([before], |row| moment(row, 0))
    }

    /// Who was refused between two moments, by source and reason; the most recent first.
    pub fn refusals(&self, since: Moment, until: Moment) -> rusqlite::Result<Vec<RefusalRecord>> {
        self.connection
            .prepare_cached(REFUSALS)?
            .query_map(params![since.0, until.0], |row| {
                Ok(RefusalRecord {
                    source: row.get(0)?,
                    reason: row.get(1)?,
                    count: row.get::<_, i64>(2)?.unsigned_abs(),
                    first_at: Moment(row.get(3)?),
                    last_at: Moment(row.get(4)?),
                    sender: row.get(5)?,
                })
            })?
            .collect()
    }
}

/// A run, as it was written down.
struct Run {
    started_at: Moment,
    beat_at: Moment,
    stopped_at: Option<Moment>,
    goes_on: bool,
}

impl Run {
    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            started_at: Moment(row.get(0)?),
            beat_at: Moment(row.get(1)?),
            stopped_at: moment(row, 2)?,
            goes_on: row.get(3)?,
        })
    }
}

/// Who was refused between two moments. A row may be of more than its ten minutes where the store could not be written
/// meanwhile; the sender is that of the latest.
pub(in crate::outbox) const REFUSALS: &str = "
    SELECT source, reason, sum(count), min(first_at), max(last_at), substr(max(format('%020d', last_at) || sender), 21)
    FROM refusals WHERE span >= ?1 - 3600000 AND span <= ?2 AND last_at >= ?1 AND first_at <= ?2
    GROUP BY source, reason ORDER BY max(last_at) DESC";

/// The configurations for which `condition` holds, in order of time.
pub(super) fn configurations(
    connection: &Connection,
    condition: &str,
    parameters: impl Params,
) -> rusqlite::Result<Vec<ConfigurationRecord>> {
    let sql = format!(
        "SELECT at, how, lines, (SELECT rules FROM rule_sets s WHERE s.id = c.rule_set),
                (SELECT rules FROM configurations b JOIN rule_sets s ON s.id = b.rule_set WHERE b.id < c.id
                 ORDER BY b.id DESC LIMIT 1)
         FROM configurations c WHERE {condition} ORDER BY id"
    );
    let read = |row: &Row<'_>| {
        let lines: String = row.get(2)?;
        Ok(ConfigurationRecord {
            at: Moment(row.get(0)?),
            how: row.get(1)?,
            lines: serde_json::from_str(&lines).unwrap_or_default(),
            rules: row.get(3)?,
            before: row.get(4)?,
        })
    };
    connection.prepare_cached(&sql)?.query_map(parameters, read)?.collect()
}
