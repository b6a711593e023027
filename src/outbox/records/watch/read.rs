//! The questions that a watch asks, each answered from an index or from the end of a table.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension as _, Params, Row};

use super::{Ended, PAGE};
use crate::clock::Moment;
use crate::event::EventId;
use crate::outbox::catch_up::IS_CAUGHT_UP;
use crate::outbox::records::watch::news::{About, Happening, News, Sent};

/// The columns of an event, as [`about`] reads them; none of them lies behind what the tracker has sent.
const ABOUT: &str = "e.id, e.received_at, e.source, e.trigger, e.severity, e.app, e.title";

fn about(row: &Row<'_>) -> rusqlite::Result<About> {
    Ok(About {
        id: EventId(row.get(0)?),
        received_at: Moment(row.get(1)?),
        source: row.get(2)?,
        trigger: row.get(3)?,
        severity: row.get(4)?,
        app: row.get(5)?,
        title: row.get(6)?,
    })
}

fn all<T>(
    connection: &Connection,
    sql: &str,
    parameters: impl Params,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    connection.prepare_cached(sql)?.query_map(parameters, read)?.collect()
}

fn one<T>(
    connection: &Connection,
    sql: &str,
    id: i64,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Option<T>> {
    connection.prepare_cached(sql)?.query_row([id], read).optional()
}

/// What was owed at first of an event `e`: nothing of it has taken over what another delivery was to do.
const OWED_AT_FIRST: &str =
    "(SELECT json_group_array(d.destination ORDER BY d.id) FROM deliveries d WHERE d.event = e.id
    AND d.id NOT IN (SELECT p.moved_to FROM deliveries p
                     WHERE p.event = e.id AND p.state = 'moved' AND p.reason IS NOT 'covered'))";

/// The events after number `after`.
pub(super) fn events(connection: &Connection, after: i64) -> rusqlite::Result<Vec<(i64, News)>> {
    let sql = format!(
        "SELECT {ABOUT}, e.routing, e.matched, {OWED_AT_FIRST}, {IS_CAUGHT_UP}
         FROM events e WHERE e.id > ?1 ORDER BY e.id LIMIT {PAGE}"
    );
    all(connection, &sql, [after], |row| {
        let event = about(row)?;
        let (id, at, routing) = (event.id.0, event.received_at, row.get(7)?);
        let (matched, destinations, caught_up) = (list(row, 8)?, list(row, 9)?, row.get(10)?);
        let what = Happening::Arrived { event, caught_up, routing, matched, destinations };
        Ok((id, News { at, what }))
    })
}

/// A list that we wrote ourselves; of one that somebody edited by hand nothing is told.
fn list(row: &Row<'_>, place: usize) -> rusqlite::Result<Vec<String>> {
    Ok(serde_json::from_str(row.get_ref(place)?.as_str()?).unwrap_or_default())
}

/// The second arrivals after number `after`. Of what is forgotten nothing can be told.
pub(super) fn duplicates(
    connection: &Connection,
    after: i64,
) -> rusqlite::Result<Vec<(i64, Moment, Option<News>)>> {
    let sql = format!(
        "SELECT {ABOUT}, c.id, c.received_at FROM duplicates c LEFT JOIN events e ON e.id = c.event
         WHERE c.id > ?1 ORDER BY c.id LIMIT {PAGE}"
    );
    all(connection, &sql, [after], |row| {
        let (id, at) = (row.get(7)?, Moment(row.get(8)?));
        let is_known = row.get::<_, Option<i64>>(0)?.is_some();
        let what = if is_known { Some(Happening::CameAgain { event: about(row)? }) } else { None };
        Ok((id, at, what.map(|what| News { at, what })))
    })
}

/// An attempt, and what there is to tell of its end.
pub(super) struct Attempt {
    pub(super) id: i64,
    pub(super) started_at: Moment,
    /// Nothing while it is under way.
    pub(super) news: Option<News>,
    pub(super) tells_of_several: bool,
}

/// The attempts of which `condition` holds, with their events.
fn attempts_where(condition: &str) -> String {
    format!(
        "SELECT {ABOUT}, d.id, d.destination, d.told_as IS NOT NULL, a.id, a.started_at, a.ended_at, a.outcome, a.reason,
                a.status, a.words, a.again_at,
                (SELECT count(*) FROM attempts b WHERE b.delivery = a.delivery AND b.id <= a.id)
         FROM attempts a CROSS JOIN deliveries d ON d.id = a.delivery CROSS JOIN events e ON e.id = d.event
         WHERE {condition}"
    )
}

/// The attempts after number `after`, whether they have ended or not.
pub(super) fn attempts(connection: &Connection, after: i64) -> rusqlite::Result<Vec<Attempt>> {
    let sql = attempts_where(&format!("a.id > ?1 ORDER BY a.id LIMIT {PAGE}"));
    all(connection, &sql, [after], read_attempt)
}

/// The attempt of this number; nothing if it is forgotten.
pub(super) fn attempt(connection: &Connection, id: i64) -> rusqlite::Result<Option<Attempt>> {
    one(connection, &attempts_where("a.id = ?1"), id, read_attempt)
}

fn read_attempt(row: &Row<'_>) -> rusqlite::Result<Attempt> {
    let sent = read_sent(row)?;
    let attempt = row.get::<_, i64>(18)?.unsigned_abs();
    let outcome: String = row.get::<_, Option<_>>(13)?.unwrap_or_default();
    let what = if outcome == "delivered" {
        Happening::Delivered { sent, attempt }
    } else {
        Happening::Failed {
            sent,
            attempt,
            outcome,
            reason: row.get::<_, Option<_>>(14)?.unwrap_or_default(),
            status: row.get(15)?,
            words: row.get::<_, Option<_>>(16)?.unwrap_or_default(),
            again_at: row.get::<_, Option<_>>(17)?.map(Moment),
        }
    };
    let ended_at: Option<i64> = row.get(12)?;
    Ok(Attempt {
        id: row.get(10)?,
        started_at: Moment(row.get(11)?),
        news: ended_at.map(|at| News { at: Moment(at), what }),
        tells_of_several: row.get(9)?,
    })
}

fn read_sent(row: &Row<'_>) -> rusqlite::Result<Sent> {
    Ok(Sent { event: about(row)?, delivery: row.get(7)?, destination: row.get(8)? })
}

/// The attempts up to number `up_to` that have not ended.
pub(super) fn under_way(connection: &Connection, up_to: i64) -> rusqlite::Result<BTreeSet<i64>> {
    let sql = "SELECT id FROM attempts INDEXED BY attempts_open WHERE ended_at IS NULL AND id <= ?1";
    Ok(all(connection, sql, [up_to], |row| row.get(0))?.into_iter().collect())
}

/// The messages that were delivered and whose members have not all been settled.
pub(super) fn folding(connection: &Connection) -> rusqlite::Result<BTreeSet<i64>> {
    let sql = "SELECT DISTINCT m.folded_into FROM deliveries m JOIN deliveries l ON l.id = m.folded_into
               WHERE m.state = 'waiting' AND m.held = 2 AND l.state = 'delivered'";
    Ok(all(connection, sql, [], |row| row.get(0))?.into_iter().collect())
}

/// How many members of `leader` are not settled, and how many it has told of, and when.
pub(super) fn members(
    connection: &Connection,
    leader: i64,
) -> rusqlite::Result<(i64, Option<(u64, Moment)>)> {
    let sql = "SELECT count(*) FILTER (WHERE state = 'waiting'), count(*) FILTER (WHERE state = 'folded'),
                      max(settled_at) FILTER (WHERE state = 'folded')
               FROM deliveries WHERE folded_into = ?1";
    connection.prepare_cached(sql)?.query_row([leader], |row| {
        let at: Option<i64> = row.get(2)?;
        let count = row.get::<_, i64>(1)?.unsigned_abs();
        Ok((row.get(0)?, at.map(|at| (count, Moment(at)))))
    })
}

/// The delivery of this number, with its event.
pub(super) fn sent(connection: &Connection, delivery: i64) -> rusqlite::Result<Option<Sent>> {
    let sql = format!(
        "SELECT {ABOUT}, d.id, d.destination FROM deliveries d JOIN events e ON e.id = d.event WHERE d.id = ?1"
    );
    one(connection, &sql, delivery, read_sent)
}

/// What deliveries end as without being told; the index over them asks for it in these words.
const ENDED: &str = "deliveries INDEXED BY deliveries_ended WHERE state IN ('dead', 'discarded', 'moved')";

/// When the last of them ended, and when the first of the last `depth` did.
pub(super) fn last_ended(connection: &Connection, depth: usize) -> rusqlite::Result<(i64, i64)> {
    let nth = |place: usize| {
        let sql = format!("SELECT settled_at FROM {ENDED} ORDER BY settled_at DESC LIMIT 1 OFFSET ?1");
        let place = i64::try_from(place).unwrap_or(i64::MAX);
        connection.prepare_cached(&sql)?.query_row([place], |row| row.get::<_, i64>(0)).optional()
    };
    let first_told = match depth.checked_sub(1) {
        Some(place) => nth(place)?.unwrap_or(i64::MIN),
        None => i64::MAX,
    };
    Ok((nth(0)?.unwrap_or(i64::MIN), first_told))
}

/// Gives what has ended since then, in the order of time, for as long as it is taken.
pub(super) fn ended(
    connection: &Connection,
    since: i64,
    mut take: impl FnMut((i64, Ended, i64)) -> bool,
) -> rusqlite::Result<()> {
    let sql = format!(
        "SELECT id, state, settled_at FROM {ENDED} AND settled_at >= ?1 ORDER BY settled_at, state, id"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([since])?;
    while let Some(row) = rows.next()? {
        let how = match row.get_ref(1)?.as_str()? {
            "dead" => Ended::Dead,
            "discarded" => Ended::Discarded,
            _ => Ended::Moved,
        };
        if !take((row.get(0)?, how, row.get(2)?)) {
            break;
        }
    }
    Ok(())
}

/// How this delivery has ended.
pub(super) fn ending(connection: &Connection, delivery: i64) -> rusqlite::Result<Option<News>> {
    let sql = format!(
        "SELECT {ABOUT}, d.id, d.destination, d.state, d.settled_at, coalesce(d.reason, ''), coalesce(d.words, ''),
                coalesce((SELECT n.destination FROM deliveries n WHERE n.id = d.moved_to), '')
         FROM deliveries d JOIN events e ON e.id = d.event WHERE d.id = ?1"
    );
    one(connection, &sql, delivery, |row| {
        let sent = read_sent(row)?;
        let what = match row.get_ref(9)?.as_str()? {
            "dead" => Happening::GivenUp { sent, reason: row.get(11)?, words: row.get(12)? },
            "discarded" => Happening::Discarded { sent },
            _ => Happening::Moved { sent, to: row.get(13)?, reason: row.get(11)? },
        };
        Ok(News { at: Moment(row.get(10)?), what })
    })
}

/// Refusals of one kind, all there were of them.
pub(super) struct Refused {
    pub(super) kind: (i64, String, String),
    pub(super) count: u64,
    pub(super) news: News,
}

/// The ten minutes before which there are `depth` refusals or fewer, counted from the end.
pub(super) fn refused_before_last(connection: &Connection, depth: usize) -> rusqlite::Result<i64> {
    let sql = "SELECT span FROM refusals ORDER BY span DESC LIMIT 1 OFFSET ?1";
    let depth = i64::try_from(depth).unwrap_or(i64::MAX);
    Ok(connection.prepare_cached(sql)?.query_row([depth], |row| row.get(0)).optional()?.unwrap_or(i64::MIN))
}

/// The refusals since then.
pub(super) fn refused(connection: &Connection, since: i64) -> rusqlite::Result<Vec<Refused>> {
    let sql =
        "SELECT span, source, reason, count, last_at, sender FROM refusals WHERE span >= ?1 ORDER BY span";
    all(connection, sql, [since], |row| {
        let (source, reason): (String, String) = (row.get(1)?, row.get(2)?);
        let count = row.get::<_, i64>(3)?.unsigned_abs();
        let kind = (row.get(0)?, source.clone(), reason.clone());
        let what = Happening::Refused { source, reason, count, sender: row.get(5)? };
        Ok(Refused { kind, count, news: News { at: Moment(row.get(4)?), what } })
    })
}

/// What became of the configurations after number `after`.
pub(super) fn configurations(connection: &Connection, after: i64) -> rusqlite::Result<Vec<(i64, News)>> {
    let sql = format!("SELECT id, at, how, lines FROM configurations WHERE id > ?1 ORDER BY id LIMIT {PAGE}");
    all(connection, &sql, [after], |row| {
        let what = Happening::Configuration { how: row.get(2)?, lines: list(row, 3)? };
        Ok((row.get(0)?, News { at: Moment(row.get(1)?), what }))
    })
}

/// The runs after number `after`, as they began.
pub(super) fn runs(connection: &Connection, after: i64) -> rusqlite::Result<Vec<(i64, News)>> {
    let sql = format!("SELECT r.id, r.started_at, r.version, b.beat_at, r.goes_on
               FROM runs r LEFT JOIN runs b ON b.id = (SELECT max(id) FROM runs WHERE id < r.id) AND b.stopped_at IS NULL
               WHERE r.id > ?1 ORDER BY r.id LIMIT {PAGE}");
    all(connection, &sql, [after], |row| {
        let cut_off_at = row.get::<_, Option<i64>>(3)?.map(Moment);
        let what = match cut_off_at {
            Some(since) if row.get(4)? => Happening::Paused { since },
            _ => Happening::Started { version: row.get(2)?, cut_off_at },
        };
        Ok((row.get(0)?, News { at: Moment(row.get(1)?), what }))
    })
}

/// The run of number `last`, if it has not stopped.
pub(super) fn unstopped(connection: &Connection, last: i64) -> rusqlite::Result<Option<i64>> {
    one(connection, "SELECT id FROM runs WHERE id = ?1 AND stopped_at IS NULL", last, |row| row.get(0))
}

/// That this run has stopped, if it has.
pub(super) fn stopped(connection: &Connection, run: i64) -> rusqlite::Result<Option<News>> {
    let sql = "SELECT stopped_at, version FROM runs WHERE id = ?1 AND stopped_at IS NOT NULL";
    one(connection, sql, run, |row| {
        Ok(News { at: Moment(row.get(0)?), what: Happening::Stopped { version: row.get(1)? } })
    })
}

/// Whose end comes with time alone is told when it begins.
const HAS_AN_END_OF_ITS_OWN: &str = "kind <> 'asked_to_wait'";

/// The spells after number `after`, as they began.
pub(super) fn spells(connection: &Connection, after: i64) -> rusqlite::Result<Vec<(i64, News)>> {
    let sql = format!(
        "SELECT id, since, destination, kind, iif({HAS_AN_END_OF_ITS_OWN}, NULL, until), words FROM spells
         WHERE id > ?1 ORDER BY id LIMIT {PAGE}"
    );
    all(connection, &sql, [after], |row| {
        let until = row.get::<_, Option<i64>>(4)?.map(Moment);
        let (destination, spell) = (row.get(2)?, row.get(3)?);
        let what = Happening::Began { destination, spell, until, words: row.get(5)? };
        Ok((row.get(0)?, News { at: Moment(row.get(1)?), what }))
    })
}

/// The spells up to number `up_to` that go on.
pub(super) fn going_on(connection: &Connection, up_to: i64) -> rusqlite::Result<BTreeSet<i64>> {
    let sql = "SELECT id FROM spells WHERE until IS NULL AND id <= ?1";
    Ok(all(connection, sql, [up_to], |row| row.get(0))?.into_iter().collect())
}

/// How far a spell has come.
pub(super) enum SpellEnd {
    GoesOn,
    Over(Box<News>),
    /// Its end is nothing to tell, or it is there no more.
    Forgotten,
}

/// Whether this spell is over.
pub(super) fn spell_end(connection: &Connection, id: i64) -> rusqlite::Result<SpellEnd> {
    let sql = format!(
        "SELECT until, destination, kind, since FROM spells WHERE id = ?1 AND {HAS_AN_END_OF_ITS_OWN}"
    );
    let found = one(connection, &sql, id, |row| {
        let Some(until) = row.get::<_, Option<i64>>(0)? else { return Ok(SpellEnd::GoesOn) };
        let (destination, spell) = (row.get(1)?, row.get(2)?);
        let what = Happening::Ended { destination, spell, since: Moment(row.get(3)?) };
        Ok(SpellEnd::Over(Box::new(News { at: Moment(until), what })))
    })?;
    Ok(found.unwrap_or(SpellEnd::Forgotten))
}
