//! The judge: compares what the trackers were answered with what the chats have shown and what the store says.
//!
//! - Every event that was answered 200 is in the store, whole, with a delivery for each destination that is to hear of it.
//! - Each delivery has ended: delivered, and then the chat has shown it; moved, and then the one that took it over has
//!   ended; given up or discarded, and then a person can see it.
//! - What is folded stands in a message that the chat has shown, and in no other.
//! - Nothing is shown twice, except where an attempt's end was unknown: a kill, or an answer that was lost. Such a
//!   repeat must say that it may be one.
//! - What was not answered 200 may be there, but never half; what nobody posted is not there at all.
//! - Where nothing fails on a chat's side, each chat shows its messages in the order in which they were accepted.
//! - The store is sound, and its sums agree.

use std::collections::{BTreeMap, BTreeSet};

use bugle::event::EventId;
use rusqlite::Connection;

use crate::ground::ROOMS;
use crate::ledger::{Answer, Known, Mark, marks_in};
use crate::relay::LOG;
use crate::stage::Stage;
use crate::story::Fault;
use crate::sums::judge_sums;

/// What a story came to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Findings {
    /// Events answered 200.
    pub(crate) accepted: u64,
    /// Requests answered otherwise, or not at all.
    pub(crate) refused: u64,
    pub(crate) unanswered: u64,
    /// Messages in the chats.
    pub(crate) shown: u64,
    /// Deliveries given up, and moved to another destination.
    pub(crate) dead: u64,
    pub(crate) moved: u64,
    /// Messages shown again, each with an excuse.
    pub(crate) doubled: u64,
    /// Requests that a chat refused because there were too many: our own fault, not the script's.
    pub(crate) hurried: u64,
    /// What is wrong.
    pub(crate) faults: Vec<String>,
}

struct Delivery {
    event: i64,
    destination: String,
    state: String,
    moved_to: Option<i64>,
    folded_into: Option<i64>,
    /// Whether its message tells of several.
    leads: bool,
    unclear: u64,
    urgent: bool,
}

/// Everything that there is to know about a story.
struct Evidence<'a> {
    known: BTreeMap<Mark, Known>,
    /// The events of the store, by their marks.
    stored: BTreeMap<Mark, Vec<i64>>,
    deliveries: BTreeMap<i64, Delivery>,
    seen: Seen<'a>,
    /// The events of each request.
    requests: Vec<Vec<Mark>>,
}

/// Judges a story that has settled.
pub(crate) fn judge(stage: &Stage, fault: &Fault) -> Findings {
    let mut findings = Findings { faults: stage.complaints.clone(), ..Findings::default() };
    count_answers(stage, &mut findings);
    let log = std::fs::read_to_string(stage.ground.path().join(LOG)).unwrap_or_default();
    if log.contains("panicked at") {
        findings.faults.push("bugle panicked".to_owned());
    }
    if !fault.forgets
        && let Ok(store) = stage.ground.look()
    {
        findings.faults.extend(judge_sums(&store));
    }
    match gather(stage, &mut findings) {
        Ok(evidence) => {
            evidence.judge_events(fault, &mut findings);
            evidence.judge_doubles(fault, &mut findings);
            if !fault.forgets {
                evidence.judge_requests(&mut findings);
            }
            if !fault.may_double && !fault.may_die {
                evidence.judge_order(&mut findings);
            }
        }
        Err(error) => findings.faults.push(format!("the store cannot be read: {error}")),
    }
    findings
}

fn count_answers(stage: &Stage, findings: &mut Findings) {
    for posted in stage.ledger.all() {
        match posted.answer {
            Answer::Accepted => {}
            Answer::Refused(status) => {
                findings.refused += 1;
                if !matches!(status, 408 | 503) {
                    findings.faults.push(format!("a webhook was answered {status}"));
                }
            }
            Answer::None | Answer::Nobody => findings.unanswered += 1,
            Answer::Hung => findings.faults.push(format!("nobody answered {:?}", posted.events)),
        }
    }
}

fn gather<'a>(stage: &Stage, findings: &mut Findings) -> rusqlite::Result<Evidence<'a>> {
    let connection = stage.ground.look()?;
    check_store(&connection, findings)?;
    let mut stored: BTreeMap<Mark, Vec<i64>> = BTreeMap::new();
    let mut events = connection.prepare("SELECT id, raw FROM events")?;
    let mut rows = events.query([])?;
    while let Some(row) = rows.next()? {
        let (id, raw): (i64, String) = (row.get(0)?, row.get(1)?);
        for mark in marks_in(&raw) {
            stored.entry(mark).or_default().push(id);
        }
    }
    let deliveries = connection
        .prepare(
            "SELECT d.id, d.event, d.destination, d.state, d.moved_to, d.urgent,
                    (SELECT count(*) FROM attempts a WHERE a.delivery = d.id AND a.outcome = 'unclear'),
                    d.folded_into, d.told_as IS NOT NULL
             FROM deliveries d",
        )?
        .query_map([], |row| {
            let delivery = Delivery {
                event: row.get(1)?,
                destination: row.get(2)?,
                state: row.get(3)?,
                moved_to: row.get(4)?,
                urgent: row.get(5)?,
                unclear: row.get::<_, u32>(6)?.into(),
                folded_into: row.get(7)?,
                leads: row.get(8)?,
            };
            Ok((row.get(0)?, delivery))
        })?
        .collect::<rusqlite::Result<_>>()?;
    let seen = look_at_chats(stage, &deliveries, findings);
    let requests = stage.ledger.all().into_iter();
    let requests = requests.map(|posted| posted.events.into_iter().map(|(mark, _)| mark).collect());
    Ok(Evidence { known: stage.ledger.events(), stored, deliveries, seen, requests: requests.collect() })
}

/// What is wrong with the store itself, by SQLite's word and by ours.
const SUMS: &[(&str, &str)] = &[
    ("attempts are open", "SELECT count(*) FROM attempts WHERE ended_at IS NULL"),
    (
        "deliveries are delivered without an attempt that says so",
        "SELECT count(*) FROM deliveries d WHERE state = 'delivered' AND 1 <> (
             SELECT count(*) FROM attempts a WHERE a.delivery = d.id AND a.outcome = 'delivered')",
    ),
    (
        "deliveries have an attempt that was delivered and are not",
        "SELECT count(*) FROM deliveries d WHERE state <> 'delivered' AND EXISTS (
             SELECT 1 FROM attempts a WHERE a.delivery = d.id AND a.outcome = 'delivered')",
    ),
    (
        "routed events have no deliveries",
        "SELECT count(*) FROM events e WHERE routing = 'routed' AND NOT EXISTS (
             SELECT 1 FROM deliveries d WHERE d.event = e.id)",
    ),
    (
        "deliveries are settled without a time, or the other way round",
        "SELECT count(*) FROM deliveries WHERE (state = 'waiting') <> (settled_at IS NULL)",
    ),
];

fn check_store(connection: &Connection, findings: &mut Findings) -> rusqlite::Result<()> {
    let verdict: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
    if verdict != "ok" {
        findings.faults.push(format!("the store is damaged: {verdict}"));
    }
    if connection.prepare("PRAGMA foreign_key_check")?.exists([])? {
        findings.faults.push("the store points at what is not there".to_owned());
    }
    for (words, sql) in SUMS {
        let count: i64 = connection.query_row(sql, [], |row| row.get(0))?;
        if count > 0 {
            findings.faults.push(format!("{count} {words}"));
        }
    }
    Ok(())
}

/// How often, and how often with a word that it may be a repeat.
type Times = (u64, u64);

/// What the chats have shown.
#[derive(Default)]
struct Seen<'a> {
    /// Each event that was told alone.
    shown: BTreeMap<(&'a str, Mark), Times>,
    /// What each chat has shown first of those, in that order.
    order: Vec<(&'a str, Mark)>,
    /// Each message that tells of several, by the delivery that leads.
    gathered: BTreeMap<i64, Times>,
}

fn look_at_chats<'a>(
    stage: &Stage,
    deliveries: &BTreeMap<i64, Delivery>,
    findings: &mut Findings,
) -> Seen<'a> {
    let mut seen = Seen::default();
    for ((name, _), chat) in ROOMS.into_iter().zip(&stage.ground.chats) {
        let here = deliveries.iter().filter(|(_, delivery)| delivery.leads && delivery.destination == name);
        let leaders: BTreeMap<String, i64> =
            here.map(|(id, delivery)| (EventId(delivery.event).to_string(), *id)).collect();
        for received in chat.received() {
            let is_hurry = received.answer.as_ref().is_some_and(|answer| answer.why == "too many requests");
            findings.hurried += u64::from(is_hurry);
            // A page that somebody put in the way is no chat's answer: nobody there has seen the message.
            let is_page = received.answer.as_ref().is_some_and(|answer| answer.body.starts_with(b"<html"));
            if !received.is_shown() || is_page {
                continue;
            }
            findings.shown += 1;
            seen.look(name, &String::from_utf8_lossy(&received.request.body), &leaders);
        }
    }
    seen
}

impl<'a> Seen<'a> {
    fn look(&mut self, room: &'a str, body: &str, leaders: &BTreeMap<String, i64>) {
        let excuse = u64::from(body.contains("may be a repeat"));
        let mut words = body.split(|letter: char| !letter.is_ascii_alphanumeric());
        if let Some(leader) = words.find_map(|word| leaders.get(word)) {
            let (times, excused) = self.gathered.entry(*leader).or_default();
            (*times, *excused) = (*times + 1, *excused + excuse);
            return;
        }
        for mark in marks_in(body) {
            let (times, excused) = self.shown.entry((room, mark)).or_default();
            *times += 1;
            if *times == 1 {
                self.order.push((room, mark));
            }
            *excused += excuse;
        }
    }
}

impl Evidence<'_> {
    fn times(&self, destination: &str, mark: Mark) -> u64 {
        self.seen.shown.get(&(destination, mark)).map_or(0, |(times, _)| *times)
    }

    fn judge_events(&self, fault: &Fault, findings: &mut Findings) {
        for (mark, known) in &self.known {
            findings.accepted += u64::from(known.is_owed);
            match self.stored.get(mark).map(Vec::as_slice) {
                Some([event]) => self.judge_event(*mark, *event, *known, findings),
                Some(events) => findings.faults.push(format!("{mark} is stored {} times", events.len())),
                None if known.is_owed && !fault.forgets => {
                    findings.faults.push(format!("LOST: {mark} was answered 200 and is not in the store"));
                }
                None if known.is_owed => {
                    let owed = known.circle.owed().iter();
                    for destination in owed.filter(|destination| self.times(destination, *mark) == 0) {
                        findings.faults.push(format!("LOST: {mark} is forgotten and not in {destination}"));
                    }
                }
                None => {}
            }
        }
        for mark in self.stored.keys().filter(|mark| !self.known.contains_key(mark)) {
            findings.faults.push(format!("{mark} is in the store, and nobody posted it"));
        }
        let ended = |state: &str| self.deliveries.values().filter(|d| d.state == state).count() as u64;
        (findings.dead, findings.moved) = (ended("dead"), ended("moved"));
    }

    fn judge_event(&self, mark: Mark, event: i64, known: Known, findings: &mut Findings) {
        let of_event = || self.deliveries.iter().filter(|(_, delivery)| delivery.event == event);
        for owed in known.circle.owed() {
            let Some((id, _)) = of_event().find(|(_, delivery)| delivery.destination == *owed) else {
                findings.faults.push(format!("LOST: nothing is owed to {owed} of {mark}"));
                continue;
            };
            if let Err(words) = self.follow(*id, mark) {
                findings.faults.push(format!("LOST: {mark} for {owed}: {words}"));
            }
        }
        let allowed: BTreeSet<&str> = known.circle.owed().iter().copied().chain(["spare"]).collect();
        for (_, delivery) in of_event().filter(|(_, delivery)| !allowed.contains(&*delivery.destination)) {
            findings.faults.push(format!("{mark} went to {}, who asked for that?", delivery.destination));
        }
    }

    /// Follows a delivery to its end.
    fn follow(&self, id: i64, mark: Mark) -> Result<(), String> {
        let mut id = id;
        let mut passed = BTreeSet::new();
        loop {
            let delivery = self.deliveries.get(&id).ok_or_else(|| format!("there is no delivery {id}"))?;
            if !passed.insert(id) {
                return Err("it moves in a circle".to_owned());
            }
            let Delivery { destination, state, .. } = delivery;
            match (state.as_str(), delivery.moved_to) {
                ("folded", _) => return self.follow_folded(delivery, mark),
                ("delivered", _) if self.seen.gathered.contains_key(&id) => return Ok(()),
                ("delivered", _) if self.times(destination, mark) > 0 => return Ok(()),
                ("delivered", _) => return Err(format!("delivered, and not shown in {destination}")),
                ("dead" | "discarded", _) => return Ok(()),
                ("moved", Some(next)) => id = next,
                (other, _) => return Err(format!("it is {other} at {destination}")),
            }
        }
    }

    /// A message of others tells of it, and that has been seen.
    fn follow_folded(&self, delivery: &Delivery, mark: Mark) -> Result<(), String> {
        let leader = delivery.folded_into.unwrap_or_default();
        if self.times(&delivery.destination, mark) > 0 {
            return Err(format!("told alone and with others at {}", delivery.destination));
        }
        match self.deliveries.get(&leader) {
            Some(message) if message.state == "delivered" && self.seen.gathered.contains_key(&leader) => {
                Ok(())
            }
            Some(_) | None => Err("it is folded into a message that nobody has seen".to_owned()),
        }
    }

    fn judge_requests(&self, findings: &mut Findings) {
        for request in &self.requests {
            let stored = request.iter().filter(|mark| self.stored.contains_key(mark)).count();
            if stored != 0 && stored != request.len() {
                findings.faults.push(format!("LOST: of the request with {request:?} a part is stored"));
            }
        }
    }

    fn judge_order(&self, findings: &mut Findings) {
        let mut last: BTreeMap<(&str, bool), (i64, Mark)> = BTreeMap::new();
        for (room, mark) in &self.seen.order {
            let event = self.stored.get(mark).and_then(|events| events.first());
            let is_it = |delivery: &Delivery| Some(&delivery.event) == event && delivery.destination == *room;
            let Some((id, delivery)) = self.deliveries.iter().find(|(_, delivery)| is_it(delivery)) else {
                continue;
            };
            match last.insert((*room, delivery.urgent), (*id, *mark)) {
                Some((before, of)) if before > *id => {
                    findings.faults.push(format!("{room} shows {mark} after {of}, which was accepted later"));
                }
                Some(_) | None => {}
            }
        }
    }

    fn judge_doubles(&self, fault: &Fault, findings: &mut Findings) {
        for ((room, mark), (times, excused)) in &self.seen.shown {
            if !self.known.contains_key(mark) {
                findings.faults.push(format!("{mark} is shown in {room}, and nobody posted it"));
            }
            let more = times.saturating_sub(1);
            findings.doubled += more;
            let of_mark = self.stored.get(mark).and_then(|events| events.first());
            let at_room =
                self.deliveries.values().filter(|d| Some(&d.event) == of_mark && d.destination == *room);
            let (delivered, unclear) = at_room.fold((0, 0), |(all, unclear), d| {
                (all + u64::from(d.state == "delivered"), unclear + d.unclear)
            });
            if more > 0 && (*excused < more || (!fault.forgets && *times > delivered + unclear)) {
                findings.faults.push(format!(
                    "DOUBLED: {mark} is shown {times} times in {room}, {excused} of them said so, \
                     after {unclear} unclear attempts"
                ));
            }
        }
        for (leader, (times, excused)) in &self.seen.gathered {
            let unclear = self.deliveries.get(leader).map_or(0, |delivery| delivery.unclear);
            let more = times.saturating_sub(1);
            findings.doubled += more;
            if *excused < more || more > unclear {
                findings.faults.push(format!("DOUBLED: a message of several is shown {times} times"));
            }
        }
        if !fault.may_die && findings.dead > 0 {
            findings.faults.push(format!("{} deliveries were given up without need", findings.dead));
        }
        let unclear: u64 = self.deliveries.values().map(|delivery| delivery.unclear).sum();
        if !fault.may_double && unclear > 0 {
            findings.faults.push(format!("{unclear} attempts are unclear, and no answer was lost"));
        }
    }
}
