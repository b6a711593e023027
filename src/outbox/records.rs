//! What a person looks at after a failure: the queues as they stand, and the dead letters. Read beside whoever serves.

mod arrivals;
mod diary;
mod events;
mod next;
mod queue;
mod trail;
mod watch;
mod words;

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::clock::Moment;
use crate::delivery::Reason;
use crate::event::EventId;
use crate::name::DestinationName;
use crate::order::Letters;
use crate::outbox::hooks::{self, HookRecord};
use crate::outbox::visit::Rest;

pub use arrivals::{AppRecord, ArrivalRecord, WithheldRecord};
pub use diary::{Absence, AbsenceKind, ConfigurationRecord, Presence, RefusalRecord};
#[cfg(test)]
pub(super) use events::statements;
pub use events::{EventFate, EventFilter, EventLine};
pub use next::NextEvent;
pub(super) use queue::names;
pub use queue::{BurstRecord, QueueRecord, StandingRecord};
pub use trail::{MessageRecord, Repeats, RulesRecord, SpellRecord, Trail, Way};
pub use watch::{About, Happening, News, Sent, Watch};
pub use words::{Words, WordsError};

/// The store, to look into. Nothing of it is changed, and nobody is kept from serving from it.
#[derive(Debug)]
pub struct Records {
    connection: Connection,
    /// How its files were when it was opened; nothing if a bugle serves from it.
    rest: Option<Rest>,
}

/// A dead letter in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The delivery's number.
    pub delivery: i64,
    /// What it tells of.
    pub event: EventId,
    /// For whom it was.
    pub destination: String,
    /// When it was given up.
    pub given_up_at: Moment,
    /// When it was accepted.
    pub accepted_at: Moment,
    /// Why it was given up.
    pub reason: String,
    /// What the platform said last.
    pub words: String,
    /// How often it was tried.
    pub attempts: u64,
    /// Where the event came from.
    pub source: String,
    /// What happened, in the tracker's word.
    pub trigger: String,
    /// The event's title.
    pub title: String,
}

/// An event with all that is or was owed of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRecord {
    /// Its number.
    pub id: EventId,
    /// When it came.
    pub received_at: Moment,
    /// Through which door.
    pub source: String,
    /// What happened, in the tracker's word.
    pub trigger: String,
    /// How bad it is.
    pub severity: String,
    /// The application.
    pub app: String,
    /// Its title.
    pub title: String,
    /// Its element of the webhook's body, as it came.
    pub raw: String,
    /// To whom it is or was owed, in the order in which that was decided.
    pub deliveries: Vec<DeliveryRecord>,
}

/// One of an event's deliveries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryRecord {
    /// Its number.
    pub id: i64,
    /// Where it goes.
    pub destination: String,
    /// The rule that picked it; nothing: the default destination.
    pub rule: Option<String>,
    /// The template that the rule asks for.
    pub template: Option<String>,
    /// Whether it goes ahead of everything that waits.
    pub urgent: bool,
    /// When it was accepted.
    pub accepted_at: Moment,
    /// Where it stands: `waiting`, `delivered`, `folded`, `moved`, `discarded` or `dead`.
    pub state: String,
    /// When it came to that; nothing while it waits.
    pub settled_at: Option<Moment>,
    /// Why.
    pub reason: Option<String>,
    /// What the platform said last.
    pub words: Option<String>,
    /// The delivery that took it over.
    pub moved_to: Option<i64>,
    /// The destination that it was first meant for.
    pub instead_of: Option<String>,
    /// How its message tells of several events: `digest` or `more`; nothing: it tells of its own event alone.
    pub told_as: Option<String>,
    /// The delivery whose message tells of this one, too.
    pub folded_into: Option<i64>,
    /// The event that this message carries the number of; nothing once it is forgotten.
    pub told_with: Option<EventId>,
    /// Until when it is only counted: the end of the window of its error.
    pub held_until: Option<Moment>,
    /// Every try.
    pub attempts: Vec<AttemptRecord>,
}

/// One try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptRecord {
    /// When it began.
    pub started_at: Moment,
    /// When it ended; nothing while it is under way.
    pub ended_at: Option<Moment>,
    /// How it ended.
    pub outcome: Option<String>,
    /// Why so.
    pub reason: Option<String>,
    /// The status of the platform's answer.
    pub status: Option<u16>,
    /// The platform's words, or ours.
    pub words: Option<String>,
    /// When it was to be tried again, if it was.
    pub again_at: Option<Moment>,
}

/// Tells a store from every other on this machine, by whatever path it is called.
pub fn identity(path: &Path) -> Option<String> {
    let file = fs::metadata(path).ok()?;
    Some(format!("{:x}-{:x}", file.dev(), file.ino()))
}

impl Records {
    /// Looks through `connection`; at `rest`: nobody serves from the store.
    pub(super) fn beside(connection: Connection, rest: Option<Rest>) -> Self {
        Self { connection, rest }
    }

    pub(super) fn rest(&self) -> Option<&Rest> {
        self.rest.as_ref()
    }

    /// For questions that only one asks.
    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Whether a bugle serves from it, so that what is due is sent.
    pub fn is_served(&self) -> bool {
        self.rest.is_none()
    }

    /// How every destination stands that is among `configured`, or for which something is kept.
    pub fn queues(&self, configured: &[String]) -> rusqlite::Result<Vec<QueueRecord>> {
        queue::queues(&self.connection, configured)
    }

    /// The `letters` that were given up last, at most `limit`, and how many there are in all.
    pub fn dead_letters(&self, letters: &Letters, limit: u32) -> rusqlite::Result<(Vec<DeadLetter>, u64)> {
        let moment = self.connection.unchecked_transaction()?;
        let (events, destination, reason, since, until) = parameters(letters);
        let count = moment.query_row(
            &format!("SELECT count(*) {MEANT}"),
            params![events, destination, reason, since, until],
            |row| row.get::<_, i64>(0),
        )?;
        let all = moment
            .prepare(&format!(
                "SELECT d.id, d.event, d.destination, d.settled_at, d.accepted_at, coalesce(d.reason, ''),
                        coalesce(d.words, ''), (SELECT count(*) FROM attempts a WHERE a.delivery = d.id),
                        e.source, e.trigger, e.title
                 FROM (SELECT id {MEANT} ORDER BY settled_at DESC, id DESC LIMIT ?6) AS listed
                 JOIN deliveries d ON d.id = listed.id JOIN events e ON e.id = d.event
                 ORDER BY d.settled_at DESC, d.id DESC"
            ))?
            .query_map(params![events, destination, reason, since, until, limit], dead_letter)?
            .collect::<Result<_, _>>()?;
        Ok((all, count.unsigned_abs()))
    }

    /// The event `id` with all that is or was owed of it, to `destination` if one is given; nothing if it is not there
    /// (any more).
    pub fn event(&self, id: EventId, destination: Option<&str>) -> rusqlite::Result<Option<EventRecord>> {
        read_event(&*self.connection.unchecked_transaction()?, id, destination)
    }

    /// The webhooks that bugle has subscribed.
    pub fn hooks(&self) -> rusqlite::Result<Vec<HookRecord>> {
        hooks::hooks(&self.connection, None)
    }

    /// Every destination for which something was ever kept.
    pub fn destinations(&self) -> rusqlite::Result<Vec<String>> {
        names(&self.connection)
    }
}

/// The tries at a delivery, in order.
const ATTEMPTS: &str = "SELECT started_at, ended_at, outcome, reason, status, words, again_at FROM attempts
                        WHERE delivery = ?1 ORDER BY id";

fn read_event(
    connection: &Connection,
    id: EventId,
    destination: Option<&str>,
) -> rusqlite::Result<Option<EventRecord>> {
    let event = connection
        .query_row(
            "SELECT id, received_at, source, trigger, severity, app, title, raw FROM events WHERE id = ?1",
            [id.0],
            event,
        )
        .optional()?;
    let Some(mut event) = event else { return Ok(None) };
    event.deliveries = connection
        .prepare(
            "SELECT id, destination, rule, template, urgent, accepted_at, state, settled_at, reason, words, moved_to,
                    instead_of, told_as, folded_into,
                    (SELECT leader.event FROM deliveries leader WHERE leader.id = d.folded_into),
                    (SELECT w.ends_at FROM windows w WHERE d.state = 'waiting' AND d.held = 1
                     AND w.destination = d.destination AND w.error_key = d.error_key)
             FROM deliveries d WHERE event = ?1 AND (?2 IS NULL OR destination = ?2) ORDER BY id",
        )?
        .query_map(params![id.0, destination], delivery)?
        .collect::<Result<_, _>>()?;
    let mut attempts = connection.prepare(ATTEMPTS)?;
    for delivery in &mut event.deliveries {
        delivery.attempts = attempts.query_map([delivery.id], attempt)?.collect::<Result<_, _>>()?;
    }
    Ok(Some(event))
}

/// From and where of the dead letters that are meant; the parameters are those of [`parameters`].
const MEANT: &str = "FROM deliveries INDEXED BY deliveries_dead WHERE state = 'dead'
    AND (?1 IS NULL OR event IN (SELECT value FROM json_each(?1)))
    AND (?2 IS NULL OR destination = ?2) AND (?3 IS NULL OR reason = ?3)
    AND (?4 IS NULL OR settled_at >= ?4) AND (?5 IS NULL OR settled_at < ?5)";

type Parameters<'a> = (Option<String>, Option<&'a str>, Option<&'static str>, Option<i64>, Option<i64>);

fn parameters(letters: &Letters) -> Parameters<'_> {
    let ids: Vec<i64> = letters.events.iter().map(|event| event.0).collect();
    (
        (!ids.is_empty()).then(|| serde_json::json!(ids).to_string()),
        letters.destination.as_ref().map(DestinationName::as_str),
        letters.reason.map(Reason::as_str),
        letters.since.map(|since| since.0),
        letters.until.map(|until| until.0),
    )
}

/// The numbers of the `letters` after one number and up to another, in their order, at most `limit`.
pub(super) fn next_letters(
    connection: &Connection,
    letters: &Letters,
    after: i64,
    up_to: i64,
    limit: usize,
) -> rusqlite::Result<Vec<i64>> {
    let (events, destination, reason, since, until) = parameters(letters);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    connection
        .prepare_cached(&format!("SELECT id {MEANT} AND id > ?6 AND id <= ?7 ORDER BY id LIMIT ?8"))?
        .query_map(params![events, destination, reason, since, until, after, up_to, limit], |row| row.get(0))?
        .collect()
}

/// The destinations for which `letters` were given up.
pub(super) fn owners(connection: &Connection, letters: &Letters) -> rusqlite::Result<Vec<String>> {
    let (events, destination, reason, since, until) = parameters(letters);
    connection
        .prepare_cached(&format!("SELECT DISTINCT destination {MEANT}"))?
        .query_map(params![events, destination, reason, since, until], |row| row.get(0))?
        .collect()
}

fn moment(row: &Row<'_>, place: usize) -> rusqlite::Result<Option<Moment>> {
    row.get::<_, Option<i64>>(place).map(|at| at.map(Moment))
}

fn dead_letter(row: &Row<'_>) -> rusqlite::Result<DeadLetter> {
    Ok(DeadLetter {
        delivery: row.get(0)?,
        event: EventId(row.get(1)?),
        destination: row.get(2)?,
        given_up_at: Moment(row.get(3)?),
        accepted_at: Moment(row.get(4)?),
        reason: row.get(5)?,
        words: row.get(6)?,
        attempts: row.get::<_, i64>(7)?.unsigned_abs(),
        source: row.get(8)?,
        trigger: row.get(9)?,
        title: row.get(10)?,
    })
}

fn event(row: &Row<'_>) -> rusqlite::Result<EventRecord> {
    Ok(EventRecord {
        id: EventId(row.get(0)?),
        received_at: Moment(row.get(1)?),
        source: row.get(2)?,
        trigger: row.get(3)?,
        severity: row.get(4)?,
        app: row.get(5)?,
        title: row.get(6)?,
        raw: row.get(7)?,
        deliveries: Vec::new(),
    })
}

fn delivery(row: &Row<'_>) -> rusqlite::Result<DeliveryRecord> {
    Ok(DeliveryRecord {
        id: row.get(0)?,
        destination: row.get(1)?,
        rule: row.get(2)?,
        template: row.get(3)?,
        urgent: row.get(4)?,
        accepted_at: Moment(row.get(5)?),
        state: row.get(6)?,
        settled_at: moment(row, 7)?,
        reason: row.get(8)?,
        words: row.get(9)?,
        moved_to: row.get(10)?,
        instead_of: row.get(11)?,
        told_as: row.get(12)?,
        folded_into: row.get(13)?,
        told_with: row.get::<_, Option<i64>>(14)?.map(EventId),
        held_until: moment(row, 15)?,
        attempts: Vec::new(),
    })
}

pub(super) fn attempt(row: &Row<'_>) -> rusqlite::Result<AttemptRecord> {
    Ok(AttemptRecord {
        started_at: Moment(row.get(0)?),
        ended_at: moment(row, 1)?,
        outcome: row.get(2)?,
        reason: row.get(3)?,
        status: row.get(4)?,
        words: row.get(5)?,
        again_at: moment(row, 6)?,
    })
}
