//! What a courier finds when it looks at its destination: what people have decided, and what is to be sent next, by itself
//! or together with others.

use rusqlite::{Connection, OptionalExtension as _, params};

use crate::clock::Moment;
use crate::delivery::DeliveryId;
use crate::flood::{self, FloodControl, SPIKING, Told, URGENT_ONE_BY_ONE, URGENT_WITHIN};
use crate::name::DestinationName;
use crate::outbox::attempt::NOT_UNDER_WAY;
use crate::outbox::standing::FARTHEST;
use crate::outbox::window::{self, MAY_BE_FOLDED};
use crate::outbox::{Outbox, StoreError};

/// What a courier finds when it looks at its destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Since when a person has had the destination wait.
    pub suspended_since: Option<Moment>,
    /// When a person last said to try it at once.
    pub resumed_at: Option<Moment>,
    /// What there is to do; nothing where nobody asked.
    pub next: Option<Next>,
}

/// What there is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Something can be sent now.
    Due(Turn),
    /// The window of its error holds back what is first, which has not been written down yet.
    Covered,
    /// Nothing yet, but something can be then.
    At(Moment),
    /// Nothing waits.
    Nothing,
}

/// What can be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// Whether it is urgent.
    pub urgent: bool,
    /// Which delivery it is, or what is to become one.
    pub what: What,
}

/// Whether something is sent by itself or together with others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// This delivery.
    One(DeliveryId),
    /// All that is to be told together now, in this way.
    Many(Told),
}

/// Which destination is looked at, and by which rules.
#[derive(Debug, Clone)]
pub struct Room {
    /// Its name.
    pub name: DestinationName,
    /// Whom it shares its pace with.
    pub pace_group: String,
    /// What its configuration says of floods.
    pub flood: FloodControl,
}

impl Outbox {
    /// Looks at what people have decided about the destination, and, unless it is `held`, for work: urgent first, then in the
    /// order of arrival.
    pub async fn look(&self, room: &Room, held: bool) -> Result<Look, StoreError> {
        let (room, now) = (room.clone(), self.clock.now());
        self.read(move |connection| {
            let mut look = decided(connection, &room.name)?;
            if look.suspended_since.is_none() && !held {
                look.next = Some(next(connection, &room, now)?);
            }
            Ok(look)
        })
        .await
    }
}

fn decided(connection: &Connection, destination: &DestinationName) -> rusqlite::Result<Look> {
    let decided = connection
        .prepare_cached("SELECT suspended_since, resumed_at FROM destinations WHERE name = ?1")?
        .query_row([destination.as_str()], |row| {
            let moment = |place| row.get::<_, Option<i64>>(place).map(|at| at.map(Moment));
            Ok(Look { suspended_since: moment(0)?, resumed_at: moment(1)?, next: None })
        })
        .optional()?;
    Ok(decided.unwrap_or(Look { suspended_since: None, resumed_at: None, next: None }))
}

/// In the queue of the destination `?1`, and due at `?2`; or not before `?3`, which is farther than anything is put off, so
/// that it comes from a clock that has been set back since.
pub(super) const DUE: &str =
    "destination = ?1 AND state = 'waiting' AND held = 0 AND (due_at <= ?2 OR due_at > ?3)";

/// What can be done about a part of the queue.
enum Ready {
    Now(Turn),
    At(Moment),
    Never,
}

fn next(connection: &Connection, room: &Room, now: Moment) -> rusqlite::Result<Next> {
    if room.flood.collapse.is_some() {
        for urgent in [true, false] {
            if window::first_covered(connection, &room.name, urgent, now)?.is_some() {
                return Ok(Next::Covered);
            }
        }
    }
    let mut at = Vec::new();
    for look in [urgent, more, others] {
        match look(connection, room, now)? {
            Ready::Now(turn) => return Ok(Next::Due(turn)),
            Ready::At(moment) => at.push(moment),
            Ready::Never => {}
        }
    }
    let due: Option<i64> = connection
        .prepare_cached(&format!(
            "SELECT min(due_at) FROM deliveries
             WHERE destination = ?1 AND state = 'waiting' AND held = 0 AND due_at > ?2 AND {NOT_UNDER_WAY}"
        ))?
        .query_row(params![room.name.as_str(), now.0], |row| row.get(0))?;
    at.extend(due.map(Moment));
    Ok(at.into_iter().min().map_or(Next::Nothing, Next::At))
}

/// What is urgent goes one by one, until there were too many of it to be read one by one.
fn urgent(connection: &Connection, room: &Room, now: Moment) -> rusqlite::Result<Ready> {
    let turn = |what| Ready::Now(Turn { urgent: true, what });
    if let Some(one) = first_alone(connection, room, true, now)? {
        return Ok(turn(What::One(one)));
    }
    let Some(first) = first(connection, room, true, now)? else { return Ok(Ready::Never) };
    if room.flood.digest_over.is_none() || recent_urgent(connection, room, now)? < URGENT_ONE_BY_ONE {
        return Ok(turn(What::One(first)));
    }
    let burst = Burst::read(connection, &room.name, true)?;
    Ok(match burst.rests_until(now, true) {
        Some(at) => Ready::At(at),
        None => turn(What::Many(Told::Digest)),
    })
}

/// What windows hold is told when the first of them ends; but not before what was told so last has been sent: where nothing can
/// be sent for days, they go on counting.
fn more(connection: &Connection, room: &Room, now: Moment) -> rusqlite::Result<Ready> {
    Ok(match window::first_end(connection, room, now)? {
        Some(at) if at > now => Ready::At(at),
        Some(_) if !more_waits(connection, room)? => {
            Ready::Now(Turn { urgent: false, what: What::Many(Told::More) })
        }
        _ => Ready::Never,
    })
}

/// What is not urgent goes one by one while it is little, and together while there is a burst.
fn others(connection: &Connection, room: &Room, now: Moment) -> rusqlite::Result<Ready> {
    let turn = |what| Ready::Now(Turn { urgent: false, what });
    if let Some(one) = first_alone(connection, room, false, now)? {
        return Ok(turn(What::One(one)));
    }
    let Some(first) = first(connection, room, false, now)? else { return Ok(Ready::Never) };
    let Some(over) = room.flood.digest_over else { return Ok(turn(What::One(first))) };
    let burst = Burst::read(connection, &room.name, false)?;
    if let Some(at) = burst.rests_until(now, false) {
        return Ok(Ready::At(at));
    }
    let waiting = count_due(connection, room, over, now)?;
    let sooner = waiting > 1 && (burst.goes_on(now, false) || is_spiking(connection, room, over, now)?);
    Ok(turn(if waiting > over || sooner { What::Many(Told::Digest) } else { What::One(first) }))
}

/// What is due first, urgent or not.
fn first(
    connection: &Connection,
    room: &Room,
    urgent: bool,
    now: Moment,
) -> rusqlite::Result<Option<DeliveryId>> {
    first_of(
        connection,
        (room, urgent, now),
        &format!(
            "SELECT id FROM deliveries WHERE {DUE} AND urgent = ?4 AND {NOT_UNDER_WAY} ORDER BY id LIMIT 1"
        ),
    )
}

/// What is due first, urgent or not, of what may not be told together with others: a message that tells of many already, or one
/// that may be there already. Nobody waits for it to be gathered, and no pause between digests concerns it.
fn first_alone(
    connection: &Connection,
    room: &Room,
    urgent: bool,
    now: Moment,
) -> rusqlite::Result<Option<DeliveryId>> {
    first_of(
        connection,
        (room, urgent, now),
        &format!(
            "SELECT id FROM deliveries INDEXED BY deliveries_alone
             WHERE {DUE} AND (told_as IS NOT NULL OR alone = 1 OR unclear > 0) AND NOT {MAY_BE_FOLDED} AND urgent = ?4
             AND {NOT_UNDER_WAY} ORDER BY id LIMIT 1"
        ),
    )
}

fn first_of(
    connection: &Connection,
    (room, urgent, now): (&Room, bool, Moment),
    sql: &str,
) -> rusqlite::Result<Option<DeliveryId>> {
    connection
        .prepare_cached(sql)?
        .query_row(params![room.name.as_str(), now.0, now.plus(FARTHEST).0, urgent], |row| {
            row.get(0).map(DeliveryId)
        })
        .optional()
}

/// Whether a message waits that tells how much more there was.
fn more_waits(connection: &Connection, room: &Room) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(
            "SELECT 1 FROM deliveries INDEXED BY deliveries_alone
             WHERE destination = ?1 AND state = 'waiting' AND held = 0 AND (told_as IS NOT NULL OR alone = 1 OR unclear > 0)
             AND told_as = 'more'",
        )?
        .exists([room.name.as_str()])
}

/// How many are due that are not urgent, counted up to one more than `over`.
fn count_due(connection: &Connection, room: &Room, over: u32, now: Moment) -> rusqlite::Result<u32> {
    connection
        .prepare_cached(&format!(
            "SELECT count(*) FROM (
                 SELECT 1 FROM deliveries WHERE {DUE} AND urgent = 0 AND {MAY_BE_FOLDED} LIMIT ?4)"
        ))?
        .query_row(params![room.name.as_str(), now.0, now.plus(FARTHEST).0, over.saturating_add(1)], |row| {
            row.get(0)
        })
}

/// Whether a project is spiking of which something is due.
fn is_spiking(connection: &Connection, room: &Room, over: u32, now: Moment) -> rusqlite::Result<bool> {
    let since = now.minus(SPIKING);
    let any = "SELECT 1 FROM spikes WHERE at > ?1 AND at <= ?2";
    if !connection.prepare_cached(any)?.exists([since.0, now.0])? {
        return Ok(false);
    }
    connection
        .prepare_cached(&format!(
            "SELECT 1 FROM (SELECT event FROM deliveries WHERE {DUE} AND urgent = 0 ORDER BY id LIMIT ?4) AS first
             JOIN events e ON e.id = first.event
             JOIN spikes s ON s.source = e.source AND s.app = e.app AND s.at > ?5 AND s.at <= ?2"
        ))?
        .exists(params![room.name.as_str(), now.0, now.plus(FARTHEST).0, over, since.0])
}

/// How many urgent messages the destination has had, or may have had, of late; counted up to as many as go one by one.
fn recent_urgent(connection: &Connection, room: &Room, now: Moment) -> rusqlite::Result<u32> {
    connection
        .prepare_cached(
            "SELECT count(*) FROM (
                 SELECT 1 FROM (SELECT delivery, outcome FROM attempts WHERE pace_group = ?2 AND started_at > ?3
                                AND started_at <= ?5 ORDER BY started_at DESC LIMIT 1000) AS recent
                 JOIN deliveries d ON d.id = recent.delivery
                 WHERE d.destination = ?1 AND d.urgent = 1 AND d.told_as IS NOT 'more'
                 AND recent.outcome IN ('delivered', 'unclear') LIMIT ?4)",
        )?
        .query_row(
            params![room.name.as_str(), room.pace_group, now.minus(URGENT_WITHIN).0, URGENT_ONE_BY_ONE, now.0],
            |row| row.get(0),
        )
}

/// The digests of a destination that have followed one another.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Burst {
    /// How many there were.
    pub(super) digests: u32,
    last_at: Option<Moment>,
}

impl Burst {
    /// What is stored of the burst that `destination` is in, or was in last.
    pub(super) fn read(
        connection: &Connection,
        destination: &DestinationName,
        urgent: bool,
    ) -> rusqlite::Result<Self> {
        let sql = if urgent {
            "SELECT urgent_digests, urgent_digest_at FROM destinations WHERE name = ?1"
        } else {
            "SELECT digests, digest_at FROM destinations WHERE name = ?1"
        };
        let read = connection
            .prepare_cached(sql)?
            .query_row([destination.as_str()], |row| {
                let last_at: Option<i64> = row.get(1)?;
                Ok(Self { digests: row.get(0)?, last_at: last_at.map(Moment) })
            })
            .optional()?;
        Ok(read.unwrap_or_default())
    }

    /// Until when nothing is told, as a digest was not long ago.
    fn rests_until(self, now: Moment, urgent: bool) -> Option<Moment> {
        self.next_at(now, urgent).filter(|at| *at > now)
    }

    /// Whether what waits now belongs to the same burst: it did not begin after a pause in which nothing came.
    pub(super) fn goes_on(self, now: Moment, urgent: bool) -> bool {
        self.next_at(now, urgent).is_some_and(|at| now < at.plus(flood::SILENCE))
    }

    /// When the next digest may follow; nothing outside of a burst, or where the clock has been set back since.
    fn next_at(self, now: Moment, urgent: bool) -> Option<Moment> {
        let last_at = self.last_at.filter(|at| self.digests > 0 && *at <= now)?;
        Some(last_at.plus(flood::pause(self.digests, urgent)))
    }
}
