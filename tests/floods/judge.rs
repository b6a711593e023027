//! The judge of floods: compares what was posted with what the chats have shown and what the store says.
//!
//! - Everything that was accepted has come to an end, once for each destination: in a message of its own, or folded into
//!   one that the chat has shown.
//! - The counts that the messages tell add up to the number of events.
//! - No chat was asked too often, not even one that does not say so.
//! - The sums of the store agree with what is in it, at any moment.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bugle::event::EventId;
use bugle::pretend::{CEILING, Product, Received, most_within};
use rusqlite::Connection;
use serde_json::Value;

use super::ground::Room;

/// A message that people in a channel have seen.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    /// When, by the chats' clock.
    pub(crate) at: Duration,
    /// Its title.
    pub(crate) title: String,
    /// All that can be read in it.
    pub(crate) text: String,
    /// How it tells of several; empty if it tells of one.
    pub(crate) told_as: String,
    /// How many events it says it tells of.
    pub(crate) said: u64,
    /// How many the store says it does.
    pub(crate) holds: u64,
    /// Whom it mentions.
    pub(crate) pings: Vec<String>,
    /// The delivery.
    pub(crate) leader: i64,
}

/// What a room has shown, in that order, and what is wrong with it.
pub(crate) fn shown(store: &Connection, room: &Room, faults: &mut Vec<String>) -> Vec<Shown> {
    let leaders = leaders(store, room.name);
    let seen = room.chat.received().into_iter().filter(|received| received.is_shown());
    seen.filter_map(|received| match told(&leaders, room, &received) {
        Ok(shown) => Some(shown),
        Err(words) => {
            faults.push(format!("{}: {words}", room.name));
            None
        }
    })
    .collect()
}

/// A delivery that was a message: how it tells, and of how many.
struct Leader {
    id: i64,
    told_as: String,
    holds: u64,
}

/// Those of a destination, by the short id in their footer.
fn leaders(store: &Connection, room: &str) -> BTreeMap<String, Leader> {
    let sql = "SELECT d.event, d.id, coalesce(d.told_as, ''),
                      1 + (SELECT count(*) FROM deliveries m WHERE m.folded_into = d.id)
               FROM deliveries d WHERE d.destination = ?1 AND d.folded_into IS NULL";
    let mut statement = store.prepare(sql).unwrap();
    let rows = statement.query_map([room], |row| {
        let leader =
            Leader { id: row.get(1)?, told_as: row.get(2)?, holds: row.get::<_, i64>(3)?.unsigned_abs() };
        Ok((EventId(row.get(0)?).to_string(), leader))
    });
    rows.unwrap().map(Result::unwrap).collect()
}

fn told(leaders: &BTreeMap<String, Leader>, room: &Room, received: &Arc<Received>) -> Result<Shown, String> {
    let body = received.json.as_ref().ok_or("a message is no JSON")?;
    let (title, text) = (title(room.chat.product(), body), visible(body));
    let leader = {
        let words: BTreeSet<&str> = text.split(|letter: char| !letter.is_alphanumeric()).collect();
        let mut ids = words.into_iter().filter_map(|word| leaders.get(word));
        let leader = ids.next().ok_or_else(|| format!("a message that nobody owed: {text}"))?;
        if ids.next().is_some() {
            return Err(format!("a message with several ids: {text}"));
        }
        leader
    };
    let said = match leader.told_as.as_str() {
        // Nobody wants to read of one event as if it were many.
        "digest" if leader.holds > 1 => in_digest(&title)?,
        "more" => text.split(" more notice").next().map_or(0, |before| *numbers(before).last().unwrap_or(&0)),
        _ => 1,
    };
    Ok(Shown {
        at: received.passed,
        title,
        text,
        told_as: leader.told_as.clone(),
        said,
        holds: leader.holds,
        pings: received.pings.clone(),
        leader: leader.id,
    })
}

/// How many events the title of a digest says it tells of: in all, and by severity and as
/// notices, which must be as many where there are several.
fn in_digest(title: &str) -> Result<u64, String> {
    let (all, by_severity) = title
        .split_once(" event")
        .ok_or_else(|| format!("a digest whose title does not count: {title:?}"))?;
    let all = *numbers(all).last().ok_or("a digest that counts nothing")?;
    if by_severity.contains(", all ") {
        return Ok(all);
    }
    let sum: u64 = numbers(by_severity).iter().sum();
    if sum == all { Ok(all) } else { Err(format!("a digest whose sums do not agree: {title:?}")) }
}

/// The numbers in a text, written with commas between the thousands.
fn numbers(text: &str) -> Vec<u64> {
    let words = text.split(|letter: char| !letter.is_ascii_digit() && letter != ',');
    words.filter_map(|word| word.trim_matches(',').replace(',', "").parse().ok()).collect()
}

/// The title of a message, as each platform's form has it.
fn title(product: Product, body: &Value) -> String {
    let text = match product {
        Product::Slack => visible(&body["text"]),
        Product::Teams => texts(&body["attachments"][0]["content"]["body"]),
        Product::Discord => visible(&body["embeds"][0]["title"]),
    };
    // Whom it mentions may stand before it.
    let title = text.lines().find(|line| !line.starts_with("<at>")).unwrap_or_default();
    let (title, _link) = title.split_once("](").unwrap_or((title, ""));
    title.split(" · ").next().unwrap_or_default().replace(['[', '*'], "").trim().to_owned()
}

/// What an Adaptive Card's blocks say, from top to bottom.
fn texts(block: &Value) -> String {
    match block {
        Value::Array(blocks) => blocks.iter().map(texts).collect(),
        Value::Object(block) => {
            let own = block.get("text").map(visible).unwrap_or_default();
            let runs = block.get("inlines").map(texts).map(|runs| runs.replace('\n', "") + "\n");
            let within = ["items", "columns"].iter().filter_map(|part| block.get(*part));
            own + &runs.unwrap_or_default() + &within.map(texts).collect::<String>()
        }
        _ => String::new(),
    }
}

/// All text of a body.
fn visible(body: &Value) -> String {
    match body {
        Value::String(text) => plain(text) + "\n",
        Value::Array(values) => values.iter().map(visible).collect(),
        Value::Object(map) => map.values().map(visible).collect(),
        _ => String::new(),
    }
}

fn plain(text: &str) -> String {
    text.replace(['\u{200B}', '\\'], "").replace("&amp;", "&")
}

/// What is wrong in `room`, where all of `marks` is owed and everything has come to rest. What was lost on the way and
/// `may_repeat` may have been shown twice.
pub(crate) fn judge_room(
    store: &Connection,
    room: &Room,
    marks: &BTreeSet<String>,
    may_repeat: bool,
) -> Vec<String> {
    let mut faults = Vec::new();
    let all = shown(store, room, &mut faults);
    let mut fault = |words: String| faults.push(format!("{}: {words}", room.name));
    let once: BTreeMap<i64, &Shown> = all.iter().map(|shown| (shown.leader, shown)).collect();
    if once.len() != all.len() && !may_repeat {
        fault(format!("{} messages, of which {} are different", all.len(), once.len()));
    }
    for shown in once.values().filter(|shown| shown.said != shown.holds) {
        fault(format!("{:?} says {} events and is {}", shown.title, shown.said, shown.holds));
    }
    let said: u64 = once.values().map(|shown| shown.said).sum();
    if said != marks.len() as u64 {
        fault(format!("the messages tell of {said} events, and there are {}", marks.len()));
    }
    judge_ends(store, room.name, marks, &once, &mut fault);
    judge_pace(room, &mut fault);
    faults
}

fn judge_ends(
    store: &Connection,
    room: &str,
    marks: &BTreeSet<String>,
    shown: &BTreeMap<i64, &Shown>,
    fault: &mut impl FnMut(String),
) {
    let mut left = marks.clone();
    let sql = "SELECT e.raw, d.id, d.state, coalesce(d.folded_into, 0)
               FROM deliveries d JOIN events e ON e.id = d.event WHERE d.destination = ?1";
    let mut statement = store.prepare(sql).unwrap();
    let rows = statement.query_map([room], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?, row.get::<_, String>(2)?, row.get::<_, i64>(3)?))
    });
    for (raw, id, state, folded_into) in rows.unwrap().map(Result::unwrap) {
        let raw: Value = serde_json::from_str(&raw).unwrap();
        let mark = raw["error"]["id"].as_str().unwrap_or_default();
        if !left.remove(mark) {
            fault(format!("{mark} is owed twice, or nobody posted it"));
        }
        let message = if state == "folded" { folded_into } else { id };
        if !matches!(state.as_str(), "delivered" | "folded") {
            fault(format!("{mark} is {state}"));
        } else if !shown.contains_key(&message) {
            fault(format!("LOST: {mark} is {state}, and no message tells of it"));
        }
    }
    if !left.is_empty() {
        fault(format!("LOST: {} events, such as {:?}", left.len(), left.first()));
    }
}

fn judge_pace(room: &Room, fault: &mut impl FnMut(String)) {
    let refused = room.chat.received().iter().filter(|received| !received.is_shown()).count();
    if refused > 0 {
        fault(format!("{refused} requests were refused"));
    }
    let (most, span) = CEILING;
    let came = most_within(&[&room.chat], span);
    if room.chat.product() == Product::Teams && came > most {
        fault(format!("{came} messages in {span:?}, of which people see {most}"));
    }
}

/// How long after its acceptance the message with `mark` was shown in `room`; nothing if it was not, alone.
pub(crate) fn delay(all: &[Shown], mark: &str, accepted: Duration) -> Option<Duration> {
    let message = all.iter().find(|shown| shown.told_as.is_empty() && shown.text.contains(mark))?;
    Some(message.at.saturating_sub(accepted))
}
