//! `bugle dead-letters list` and `show`: what was given up, and all that is known of it.

use std::io::{self, Write};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::cli::{Time, Which};
use crate::clock::Moment;
use crate::command::listing::{counted, cut, inert, table, time, time_or_none, title};
use crate::command::{Setting, nothing_yet, refuse};
use crate::event::EventId;
use crate::name::nearest;
use crate::order::Letters;
use crate::outbox::{AttemptRecord, DeadLetter, DeliveryRecord, EventRecord, Records};

/// The longest title and the longest words that a listing shows.
const TITLE: usize = 50;
const WORDS: usize = 60;

/// Which dead letters are meant.
pub fn letters(which: Which, now: Moment) -> Letters {
    let Which { ids, destination, reason, since, until } = which;
    let moment = |time: Time| time.moment(now);
    Letters { events: ids, destination, reason, since: since.map(moment), until: until.map(moment) }
}

/// Writes the dead letters that are meant to `out`, at most `limit`, the latest first. Gives the exit code.
pub fn list(out: &mut dyn Write, setting: Setting<'_>, which: Which, limit: u32) -> Result<u8> {
    let care = match setting.care() {
        Ok(care) => care,
        Err(problems) => return Ok(refuse(&problems)?),
    };
    let letters = letters(which, setting.clock.now());
    let found = Records::look(&care.store.path, |records| {
        if let Some(name) = &letters.destination {
            let mut known: Vec<String> = care.destinations.iter().map(ToString::to_string).collect();
            known.extend(records.destinations()?);
            expect(name.as_str(), &known)?;
        }
        Ok::<_, anyhow::Error>(records.dead_letters(&letters, limit)?)
    })?;
    if found.is_none() {
        writeln!(io::stderr(), "bugle: {}", nothing_yet(&care.store.path))?;
    }
    let (listed, total) = found.unwrap_or_default();
    if setting.json {
        let all: Vec<Value> = listed.iter().map(letter_as_json).collect();
        writeln!(out, "{}", inert(&format!("{:#}", json!({ "dead_letters": all, "total": total }))))?;
    } else {
        tell_list(out, &listed, total)?;
    }
    Ok(0)
}

/// Writes to `out` what is known of the event `id`. Gives the exit code.
pub fn show(
    out: &mut dyn Write,
    setting: Setting<'_>,
    id: EventId,
    destination: Option<&str>,
    raw: bool,
) -> Result<u8> {
    let care = match setting.care() {
        Ok(care) => care,
        Err(problems) => return Ok(refuse(&problems)?),
    };
    let found =
        Records::look(&care.store.path, |records| -> Result<_> { Ok(records.event(id, destination)?) })?;
    let Some(event) =
        found.with_context(|| format!("there is no event {id}: {}", nothing_yet(&care.store.path)))?
    else {
        bail!("there is no event {id} in the store (any more)");
    };
    if setting.json {
        writeln!(out, "{}", inert(&format!("{:#}", event_as_json(&event, raw))))?;
    } else {
        tell_event(out, &event, raw)?;
    }
    Ok(0)
}

fn expect(name: &str, known: &[String]) -> Result<()> {
    if known.iter().any(|known| known == name) {
        return Ok(());
    }
    let near = nearest(name, known.iter().map(String::as_str));
    let near = near.map(|near| format!(", did you mean {near:?}?")).unwrap_or_default();
    bail!("there is no destination {name:?}{near}, and nothing is kept for one")
}

fn tell_list(out: &mut dyn Write, listed: &[DeadLetter], total: u64) -> io::Result<()> {
    if listed.is_empty() {
        return writeln!(out, "There are no such dead letters.");
    }
    let rows: Vec<[String; 6]> = listed
        .iter()
        .map(|letter| {
            [
                letter.event.to_string(),
                time(letter.given_up_at),
                letter.destination.clone(),
                letter.reason.clone(),
                cut(&title(&letter.trigger, &letter.title), TITLE),
                cut(&letter.words, WORDS),
            ]
        })
        .collect();
    table(out, ["ID", "GIVEN UP", "DESTINATION", "REASON", "TITLE", "ANSWER"], &rows)?;
    let shown = u64::try_from(listed.len()).unwrap_or(u64::MAX);
    match total.saturating_sub(shown) {
        0 => Ok(()),
        more => writeln!(out, "… and {more} more: say --limit {total} to see them."),
    }
}

fn tell_event(out: &mut dyn Write, event: &EventRecord, raw: bool) -> io::Result<()> {
    writeln!(out, "#{}  {}", event.id, cut(&title(&event.trigger, &event.title), 200))?;
    writeln!(out, "  received    {}, through {}", time(event.received_at), cut(&event.source, 64))?;
    writeln!(out, "  trigger     {} ({})", cut(&event.trigger, 64), cut(&event.severity, 64))?;
    if !event.app.is_empty() {
        writeln!(out, "  app         {}", cut(&event.app, 200))?;
    }
    if event.deliveries.is_empty() {
        writeln!(out, "\n  It is owed to nobody.")?;
    }
    for delivery in &event.deliveries {
        tell_delivery(out, delivery, &event.deliveries)?;
    }
    if raw {
        // What is no JSON is not shown as it is.
        let pretty = serde_json::from_str::<Value>(&event.raw).map(|raw| inert(&format!("{raw:#}")));
        writeln!(out, "\n{}", pretty.unwrap_or_else(|_| format!("{:?}", event.raw)))?;
    }
    Ok(())
}

fn tell_delivery(out: &mut dyn Write, delivery: &DeliveryRecord, all: &[DeliveryRecord]) -> io::Result<()> {
    writeln!(out, "\n{}: {}", delivery.destination, standing(delivery, all))?;
    let rule = delivery
        .rule
        .as_deref()
        .map_or_else(|| "none, the default destination".to_owned(), |rule| cut(rule, 200));
    writeln!(out, "  rule        {rule}")?;
    if let Some(template) = &delivery.template {
        writeln!(out, "  template    {}", cut(template, 200))?;
    }
    if let Some(instead_of) = &delivery.instead_of {
        writeln!(out, "  instead of  {}", cut(instead_of, 64))?;
    }
    if delivery.urgent {
        writeln!(out, "  urgent")?;
    }
    if let Some(told_as) = &delivery.told_as {
        writeln!(out, "  told as     {}, for several", cut(told_as, 64))?;
    }
    writeln!(out, "  {}", counted(delivery.attempts.len() as u64, "attempt"))?;
    for attempt in &delivery.attempts {
        writeln!(out, "    {}", in_a_line(attempt))?;
    }
    Ok(())
}

/// Where a delivery stands, in words.
pub(super) fn standing(delivery: &DeliveryRecord, all: &[DeliveryRecord]) -> String {
    let reason = delivery.reason.as_deref().unwrap_or("");
    let words = delivery.words.as_deref().map(|words| cut(words, 200)).filter(|words| !words.is_empty());
    let words = words.map(|words| format!(": {words}")).unwrap_or_default();
    let at = time_or_none(delivery.settled_at);
    let told_with = match (delivery.folded_into, delivery.told_with) {
        (Some(_), Some(event)) => format!(" with the message of #{event}"),
        (Some(_), None) => " with another message".to_owned(),
        (None, _) => String::new(),
    };
    match delivery.state.as_str() {
        "waiting" => {
            let held = delivery.held_until.map(|until| format!("; only counted until {}", time(until)));
            let told = if told_with.is_empty() { String::new() } else { format!("; told{told_with}") };
            format!("waiting since {}{}{told}", time(delivery.accepted_at), held.unwrap_or_default())
        }
        "folded" => format!("told {at}{told_with}"),
        "dead" => format!("given up {at}{told_with} ({reason}){words}"),
        "discarded" => format!("discarded {at}; it had been given up ({reason}){words}"),
        "moved" => {
            let successor = all.iter().find(|other| Some(other.id) == delivery.moved_to);
            match (reason, successor) {
                ("redriven", Some(to)) => format!("sent again {at}, to {}", to.destination),
                ("redriven", None) => format!("sent again {at}"),
                (_, Some(to)) => format!("moved {at} to {} ({reason})", to.destination),
                (_, None) => format!("moved {at} ({reason})"),
            }
        }
        state => format!("{state} {at}"),
    }
}

pub(super) fn in_a_line(attempt: &AttemptRecord) -> String {
    let begun = time(attempt.started_at);
    let Some(outcome) = &attempt.outcome else { return format!("{begun}  under way") };
    let status = attempt.status.map(|status| format!("{status} ")).unwrap_or_default();
    let words = cut(attempt.words.as_deref().unwrap_or_default(), 200);
    let reason = attempt.reason.as_deref().unwrap_or_default();
    let again = attempt.again_at.map(|at| format!("; again not before {}", time(at))).unwrap_or_default();
    format!("{begun}  {outcome} ({reason})  {status}{words}").trim_end().to_owned() + &again
}

/// The fields of `--json`, here and below. They are listed in `docs/OPERATIONS.md`, which a test compares.
fn letter_as_json(letter: &DeadLetter) -> Value {
    json!({
        "id": letter.event.to_string(),
        "delivery": letter.delivery,
        "destination": letter.destination,
        "given_up_at": letter.given_up_at.to_string(),
        "accepted_at": letter.accepted_at.to_string(),
        "reason": letter.reason,
        "words": letter.words,
        "attempts": letter.attempts,
        "source": letter.source,
        "trigger": letter.trigger,
        "title": letter.title,
    })
}

pub(super) fn event_as_json(event: &EventRecord, raw: bool) -> Value {
    let mut shown = json!({
        "id": event.id.to_string(),
        "received_at": event.received_at.to_string(),
        "source": event.source,
        "trigger": event.trigger,
        "severity": event.severity,
        "app": event.app,
        "title": event.title,
        "deliveries": event.deliveries.iter().map(delivery_as_json).collect::<Vec<_>>(),
    });
    if let (true, Some(shown)) = (raw, shown.as_object_mut()) {
        let raw = serde_json::from_str(&event.raw).unwrap_or_else(|_| Value::String(event.raw.clone()));
        shown.insert("raw".to_owned(), raw);
    }
    shown
}

pub(super) fn delivery_as_json(delivery: &DeliveryRecord) -> Value {
    json!({
        "delivery": delivery.id,
        "destination": delivery.destination,
        "state": delivery.state,
        "reason": delivery.reason,
        "words": delivery.words,
        "accepted_at": delivery.accepted_at.to_string(),
        "settled_at": delivery.settled_at.map(|at| at.to_string()),
        "rule": delivery.rule,
        "template": delivery.template,
        "urgent": delivery.urgent,
        "moved_to": delivery.moved_to,
        "instead_of": delivery.instead_of,
        "told_as": delivery.told_as,
        "folded_into": delivery.folded_into,
        "told_with": delivery.told_with.map(|event| event.to_string()),
        "held_until": delivery.held_until.map(|until| until.to_string()),
        "attempts": delivery.attempts.iter().map(attempt_as_json).collect::<Vec<_>>(),
    })
}

pub(super) fn attempt_as_json(attempt: &AttemptRecord) -> Value {
    json!({
        "started_at": attempt.started_at.to_string(),
        "ended_at": attempt.ended_at.map(|at| at.to_string()),
        "outcome": attempt.outcome,
        "reason": attempt.reason,
        "status": attempt.status,
        "words": attempt.words,
        "again_at": attempt.again_at.map(|at| at.to_string()),
    })
}
