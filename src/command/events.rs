//! `bugle events`: what has come, the latest first, and what became of it.

use std::io::{self, Write};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::cli::{Events, Of};
use crate::clock::Moment;
use crate::command::listing::{cut, inert, table, time, title};
use crate::command::{Setting, hint, nothing_yet, refuse};
use crate::outbox::{EventFate, EventFilter, EventLine, Records, Words};
use crate::rule::{Choice, ChoiceError};

/// The longest title that the table shows, and the longest other text.
const TITLE: usize = 50;
const OTHER: usize = 24;

/// Writes what is asked for to `out`. Gives the exit code.
pub fn run(out: &mut dyn Write, setting: Setting<'_>, asked: &Events) -> Result<u8> {
    let care = match setting.care() {
        Ok(care) => care,
        Err(problems) => return Ok(refuse(&problems)?),
    };
    let filter = filter(asked, setting.clock.now())?;
    let limit = usize::try_from(asked.limit).unwrap_or(usize::MAX);
    let found: Option<_> =
        Records::look(&care.store.path, |records| -> Result<_> { Ok(records.events(&filter, limit)?) })?;
    let (listed, more) = found.with_context(|| nothing_yet(&care.store.path))?;
    if listed.is_empty() {
        hint::of_words(&filter.source, &filter.severity, &care.sources)?;
    }
    if setting.json {
        let all: Vec<Value> = listed.iter().map(as_json).collect();
        writeln!(out, "{}", inert(&format!("{:#}", json!({ "events": all, "more": more }))))?;
    } else {
        tell(out, &listed, more, asked.limit)?;
    }
    Ok(0)
}

fn filter(asked: &Events, now: Moment) -> Result<EventFilter> {
    let Events { words, since, until, of, unmatched, unsent, caught_up, limit: _ } = asked;
    let [source, app, trigger, severity] = choices(of)?;
    Ok(EventFilter {
        since: since.map(|since| since.moment(now)),
        until: until.map(|until| until.moment(now)),
        source,
        app,
        trigger,
        severity,
        words: Words::new(words)?,
        unmatched: *unmatched,
        unsent: *unsent,
        caught_up: *caught_up,
    })
}

/// The sources, applications, triggers and severities that are meant.
pub(super) fn choices(of: &Of) -> Result<[Choice; 4], ChoiceError> {
    Ok([
        Choice::parse("source", &of.source)?,
        Choice::parse("app", &of.app)?,
        Choice::parse("trigger", &of.trigger)?,
        Choice::parse("severity", &of.severity)?,
    ])
}

fn tell(out: &mut dyn Write, listed: &[EventLine], more: bool, limit: u32) -> io::Result<()> {
    if listed.is_empty() {
        return writeln!(
            out,
            "There are no such events. `bugle why --since 2h` says what did happen: who was turned away, and when bugle did \
             not run."
        );
    }
    let rows: Vec<[String; 8]> = listed
        .iter()
        .map(|event| {
            [
                event.id.to_string(),
                time(event.received_at),
                cut(&event.source, OTHER),
                cut(&event.trigger, OTHER),
                cut(&event.severity, OTHER),
                cut(&event.app, OTHER),
                cut(&title(&event.trigger, &event.title), TITLE),
                if event.caught_up {
                    format!("{}; caught up", became(&event.fate))
                } else {
                    became(&event.fate)
                },
            ]
        })
        .collect();
    table(out, ["ID", "RECEIVED", "SOURCE", "TRIGGER", "SEVERITY", "APP", "TITLE", "BECAME"], &rows)?;
    if more {
        let further = limit.saturating_mul(10);
        writeln!(out, "… and more: say --limit {further}, or narrow it down.")?;
    }
    Ok(())
}

/// What became of an event, in words.
fn became(fate: &EventFate) -> String {
    let parts = [
        (fate.delivered, "delivered"),
        (fate.folded, "told with others"),
        (fate.waiting, "waiting"),
        (fate.dead, "given up"),
        (fate.discarded, "discarded"),
    ];
    let parts: Vec<(u64, &str)> = parts.into_iter().filter(|(count, _)| *count > 0).collect();
    let words = match (&parts[..], fate.owed()) {
        ([], _) => match (fate.routing.as_str(), fate.matched.first()) {
            ("dropped", Some(rule)) => format!("dropped by \"{}\"", cut(rule, TITLE)),
            ("unmatched", _) => return "no rule matched".to_owned(),
            (routing, _) => cut(routing, OTHER),
        },
        ([(1, word)], _) => (*word).to_owned(),
        ([(count, word)], _) => format!("{word} ({count})"),
        ([(first, word), others @ ..], owed) => {
            let others = others.iter().map(|(count, word)| format!(", {count} {word}"));
            format!("{first} of {owed} {word}{}", others.collect::<Vec<_>>().concat())
        }
    };
    // Whoever hears of everything else has heard of it.
    let by_default = fate.routing == "routed" && fate.matched.is_empty();
    if by_default { format!("{words}; no rule matched") } else { words }
}

/// The fields of `--json`. They are listed in `docs/OPERATIONS.md`, which a test compares.
fn as_json(event: &EventLine) -> Value {
    let fate = &event.fate;
    json!({
        "id": event.id.to_string(),
        "received_at": event.received_at.to_string(),
        "source": event.source,
        "product": event.product,
        "trigger": event.trigger,
        "severity": event.severity,
        "app": event.app,
        "title": event.title,
        "words": event.words,
        "error_id": event.error_id,
        "tracker_id": event.tracker_id,
        "caught_up": event.caught_up,
        "duplicates": event.duplicates,
        "became": fate.word(),
        "routing": fate.routing,
        "matched": fate.matched,
        "delivered": fate.delivered,
        "folded": fate.folded,
        "waiting": fate.waiting,
        "dead": fate.dead,
        "discarded": fate.discarded,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_became_of_an_event_is_said_in_few_words() {
        let matched = vec!["noise\u{1b}[2J".to_owned()];
        let fate = |routing: &str, counts: [u64; 5]| {
            let [delivered, folded, waiting, dead, discarded] = counts;
            let (routing, matched) = (routing.to_owned(), matched.clone());
            EventFate { routing, matched, delivered, folded, waiting, dead, discarded }
        };
        for (counts, expected) in [
            ([1, 0, 0, 0, 0], "delivered"),
            ([2, 0, 0, 0, 0], "delivered (2)"),
            ([1, 0, 1, 0, 0], "1 of 2 delivered, 1 waiting"),
            ([1, 2, 0, 3, 0], "1 of 6 delivered, 2 told with others, 3 given up"),
            ([0, 0, 3, 0, 0], "waiting (3)"),
            ([0, 0, 0, 1, 1], "1 of 2 given up, 1 discarded"),
        ] {
            assert_eq!(became(&fate("routed", counts)), expected);
        }
        assert_eq!(became(&fate("dropped", [0; 5])), "dropped by \"noise[2J\"");
        assert_eq!(became(&fate("unmatched", [0; 5])), "no rule matched");
        let by_default = EventFate { matched: Vec::new(), ..fate("routed", [1, 0, 0, 0, 0]) };
        assert_eq!(became(&by_default), "delivered; no rule matched");
    }
}
