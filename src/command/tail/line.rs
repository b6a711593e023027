//! One line for each thing that happened: for people, and for programs.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

use crate::clock::Moment;
use crate::command::listing::{counted, cut, lasted, time, title};
use crate::outbox::{About, Happening, News, Sent};

/// The longest title, and the longest other text.
const TITLE: usize = 80;
const OTHER: usize = 40;

/// Lines for people. The day stands above the first line of each.
#[derive(Debug, Default)]
pub(super) struct Lines {
    day: String,
}

impl Lines {
    pub(super) fn write(&mut self, out: &mut dyn Write, news: &News) -> io::Result<()> {
        let stamp = time(news.at);
        let (day, time) = stamp.split_once(' ').unwrap_or(("", &stamp));
        if day != self.day {
            day.clone_into(&mut self.day);
            writeln!(out, "{day}, in UTC")?;
        }
        let id = news.what.event().map(|event| format!("#{}", event.id)).unwrap_or_default();
        let word = match &news.what {
            Happening::Began { spell, .. } => cut(spell, OTHER),
            what => word(what).to_owned(),
        };
        writeln!(out, "{time}  {id:6}  {:13}  {}", word.replace('_', " "), words(news))
    }
}

/// What happened, in a word: the same for people and programs.
fn word(what: &Happening) -> &'static str {
    match what {
        Happening::Arrived { .. } => "arrived",
        Happening::CameAgain { .. } => "duplicate",
        Happening::Delivered { .. } => "delivered",
        Happening::Failed { .. } => "failed",
        Happening::Folded { .. } => "folded",
        Happening::GivenUp { .. } => "given_up",
        Happening::Discarded { .. } => "discarded",
        Happening::Moved { .. } => "moved",
        Happening::Refused { .. } => "refused",
        Happening::Configuration { .. } => "configuration",
        Happening::Started { .. } => "started",
        Happening::Paused { .. } => "paused",
        Happening::Stopped { .. } => "stopped",
        Happening::Began { .. } => "began",
        Happening::Ended { .. } => "ended",
    }
}

fn words(news: &News) -> String {
    match &news.what {
        Happening::Arrived { event, caught_up, routing, matched, destinations } => {
            let mark = if *caught_up { " (caught up)" } else { "" };
            format!("{}{mark} → {}", brief(event), whither(routing, matched, destinations))
        }
        Happening::CameAgain { event } => format!("{} came again", brief(event)),
        Happening::Delivered { sent, attempt } => {
            let nth = if *attempt > 1 { format!(" ({} attempt)", ordinal(*attempt)) } else { String::new() };
            format!("{}  {} after it came{nth}", name(sent), lasted(news.at.since(sent.event.received_at)))
        }
        Happening::Failed { .. } => failure(news),
        Happening::Folded { sent, count } => {
            format!("{}  {} with this message", name(sent), counted(*count, "more event"))
        }
        Happening::GivenUp { sent, reason, words } => format!("{}  {}", name(sent), why(reason, words)),
        Happening::Discarded { sent } => format!("{}  by a person", name(sent)),
        Happening::Moved { sent, to, reason } => {
            let to = if to.is_empty() { String::new() } else { format!(" to {}", cut(to, OTHER)) };
            format!("{}{to}  {}", name(sent), cut(reason, OTHER))
        }
        _ => words_of_bugle(&news.what),
    }
}

/// The same of what is about no event.
fn words_of_bugle(what: &Happening) -> String {
    match what {
        Happening::Refused { source, reason, count, sender } => {
            let source = if source.is_empty() { "no such source".to_owned() } else { cut(source, OTHER) };
            let from =
                if sender.is_empty() { String::new() } else { format!(" from {}", cut(sender, OTHER)) };
            format!("{source}  {} ×{count}{from}", cut(reason, OTHER))
        }
        Happening::Configuration { how, lines } => {
            let verdict = if how == "refused" { "refused" } else { "in force" };
            let first = lines.first().map(|line| format!(": {}", cut(line, TITLE))).unwrap_or_default();
            let more = lines.len().saturating_sub(1);
            let more = if more > 0 { format!(" (and {more} more)") } else { String::new() };
            format!("{verdict}{first}{more}")
        }
        Happening::Started { version, cut_off_at } => {
            let cut_off = cut_off_at.map(|at| format!("; it was cut off after {}", time(at)));
            format!("bugle {}{}", cut(version, OTHER), cut_off.unwrap_or_default())
        }
        Happening::Paused { since } => format!(
            "bugle was not at work after {}: the machine slept, its clock was set, or the store could not be written",
            time(*since)
        ),
        Happening::Stopped { version } => format!("bugle {}", cut(version, OTHER)),
        Happening::Began { destination, spell: _, until, words } => {
            let until = until.map(|until| format!("; until {}", time(until))).unwrap_or_default();
            format!("{}{until}", why(destination, words))
        }
        Happening::Ended { destination, spell, since } => {
            let spell = cut(spell, OTHER).replace('_', " ");
            format!("{}  {spell} since {}", cut(destination, OTHER), time(*since))
        }
        _ => String::new(),
    }
}

fn brief(event: &About) -> String {
    let About { source, trigger, severity, app, .. } = event;
    let title = title(trigger, &event.title);
    let app = if app.is_empty() { String::new() } else { format!(" {}", cut(app, OTHER)) };
    let [source, trigger, severity] = [source, trigger, severity].map(|text| cut(text, OTHER));
    format!("{source} {trigger} {severity}{app}: {}", cut(&title, TITLE))
}

/// Who is to hear of an event, or why nobody is.
fn whither(routing: &str, matched: &[String], destinations: &[String]) -> String {
    match (destinations, matched.first()) {
        ([], Some(rule)) if routing == "dropped" => format!("nobody: \"{}\" drops it", cut(rule, OTHER)),
        ([], _) => "nobody: no rule matched".to_owned(),
        (all, _) => all.iter().map(|name| cut(name, OTHER)).collect::<Vec<_>>().join(", "),
    }
}

fn name(sent: &Sent) -> String {
    cut(&sent.destination, OTHER)
}

/// A reason with what was said, if anything was.
fn why(reason: &str, words: &str) -> String {
    let words = cut(words, TITLE);
    let colon = if words.is_empty() { "" } else { ": " };
    format!("{}{colon}{words}", cut(reason, OTHER))
}

fn failure(news: &News) -> String {
    let Happening::Failed { sent, attempt, outcome, reason, status, words, again_at } = &news.what else {
        return String::new();
    };
    let status = status.map(|status| format!("{status} ")).unwrap_or_default();
    let again = again_at.map(|at| format!("; again in {}", lasted(at.since(news.at)))).unwrap_or_default();
    let (outcome, reason) = (cut(outcome, OTHER), cut(reason, OTHER));
    let attempt = ordinal(*attempt);
    format!("{}  {attempt} attempt {outcome} ({reason}) {status}{}{again}", name(sent), cut(words, TITLE))
}

fn ordinal(number: u64) -> String {
    let ending = match (number % 100, number % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

/// The fields of `--json`. They are listed in `docs/OPERATIONS.md`, which a test compares.
pub(super) fn as_json(news: &News) -> Value {
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| {
        fields.insert(name.to_owned(), value);
    };
    put("at", json!(news.at.to_string()));
    put("what", json!(word(&news.what)));
    if let Some(event) = news.what.event() {
        put("id", json!(event.id.to_string()));
        put("received_at", json!(event.received_at.to_string()));
        put("source", json!(event.source));
        put("trigger", json!(event.trigger));
        put("severity", json!(event.severity));
        put("app", json!(event.app));
        put("title", json!(event.title));
    }
    if let Some(sent) = news.what.sent() {
        put("destination", json!(sent.destination));
        put("delivery", json!(sent.delivery));
    }
    for (name, value) in particulars(news) {
        put(name, value);
    }
    Value::Object(fields)
}

/// What only one kind of line has.
fn particulars(news: &News) -> Vec<(&'static str, Value)> {
    let moment = |at: &Option<Moment>| json!(at.map(|at| at.to_string()));
    match &news.what {
        Happening::Arrived { event: _, caught_up, routing, matched, destinations } => {
            vec![
                ("caught_up", json!(caught_up)),
                ("routing", json!(routing)),
                ("matched", json!(matched)),
                ("destinations", json!(destinations)),
            ]
        }
        Happening::CameAgain { event: _ } | Happening::Discarded { sent: _ } => Vec::new(),
        Happening::Delivered { sent, attempt } => {
            let after = news.at.since(sent.event.received_at).as_millis();
            vec![("attempt", json!(attempt)), ("after_ms", json!(u64::try_from(after).unwrap_or(u64::MAX)))]
        }
        Happening::Failed { sent: _, attempt, outcome, reason, status, words, again_at } => vec![
            ("attempt", json!(attempt)),
            ("outcome", json!(outcome)),
            ("reason", json!(reason)),
            ("status", json!(status)),
            ("words", json!(words)),
            ("again_at", moment(again_at)),
        ],
        Happening::Folded { sent: _, count } => vec![("count", json!(count))],
        Happening::GivenUp { sent: _, reason, words } => {
            vec![("reason", json!(reason)), ("words", json!(words))]
        }
        Happening::Moved { sent: _, to, reason } => vec![("to", json!(to)), ("reason", json!(reason))],
        Happening::Refused { source, reason, count, sender } => vec![
            ("source", json!(source)),
            ("reason", json!(reason)),
            ("count", json!(count)),
            ("sender", json!(sender)),
        ],
        Happening::Configuration { how, lines } => vec![("how", json!(how)), ("lines", json!(lines))],
        Happening::Started { version, cut_off_at } => {
            vec![("version", json!(version)), ("cut_off_at", moment(cut_off_at))]
        }
        Happening::Paused { since } => vec![("since", json!(since.to_string()))],
        Happening::Stopped { version } => vec![("version", json!(version))],
        Happening::Began { destination, spell, until, words } => vec![
            ("destination", json!(destination)),
            ("spell", json!(spell)),
            ("until", moment(until)),
            ("words", json!(words)),
        ],
        Happening::Ended { destination, spell, since } => vec![
            ("destination", json!(destination)),
            ("spell", json!(spell)),
            ("since", json!(since.to_string())),
        ],
    }
}
