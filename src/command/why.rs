//! `bugle why`: the way of an event from its arrival to where it stands, with the reason for each step; and if there is no
//! such event, what did happen.

mod asked;
mod decision;
mod fate;
mod question;
mod silence;
mod what;

use std::io::Write;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::cli::Why;
use crate::clock::Moment;
use crate::command::listing::{cut, inert, lasted, time, title};
use crate::command::{Setting, nothing_yet, refuse};
use crate::event::EventId;
use crate::outbox::{EventLine, QueueRecord, Records, Trail};

use decision::Decision;
use fate::Fate;
use question::{LOOK, Question};
use silence::Silence;

/// So many other events that may have been meant are named.
const OTHERS: usize = 10;

/// Writes to `out` what is known of the event that is `asked` for. Gives the exit code: 0 if there is one, else 1.
pub fn run(out: &mut dyn Write, setting: Setting<'_>, asked: &Why) -> Result<u8> {
    let care = match setting.care() {
        Ok(care) => care,
        Err(problems) => return Ok(refuse(&problems)?),
    };
    let names: Vec<String> = care.destinations.iter().map(ToString::to_string).collect();
    let now = setting.clock.now();
    let question = Question::of(asked, now)?;
    let found = Records::look(&care.store.path, |records| {
        let found = question.find(records)?;
        let answer = if let Some((id, others)) = found.ids.split_first() {
            let trail = records.trail(*id, now)?.context("the event has just been forgotten")?;
            let queues = records.queues(&names)?;
            let others = lines(records, others)?;
            let asked = Asked { trail, queues, is_served: records.is_served(), others, now };
            (if setting.json { inert(&format!("{:#}", asked.as_json())) } else { asked.words() }, 0)
        } else {
            let silence = Silence::look(records, &question, found.notes, now)?;
            (if setting.json { inert(&format!("{:#}", silence.as_json())) } else { silence.words() }, 1)
        };
        Ok::<_, anyhow::Error>(answer)
    })?;
    let (shown, code) = found.with_context(|| nothing_yet(&care.store.path))?;
    writeln!(out, "{}", shown.trim_end())?;
    Ok(code)
}

/// The first of `others` as they stand in a listing, and how many there are.
fn lines(records: &Records, others: &[EventId]) -> Result<(Vec<EventLine>, usize)> {
    let shown = others.iter().take(OTHERS).map(|id| records.line(*id));
    let shown: Vec<Option<EventLine>> = shown.collect::<rusqlite::Result<_>>()?;
    Ok((shown.into_iter().flatten().collect(), others.len()))
}

/// An event that was found, and all that there is to say of it.
struct Asked {
    trail: Trail,
    queues: Vec<QueueRecord>,
    is_served: bool,
    /// Other events that may have been meant, as many as are shown, and how many there are.
    others: (Vec<EventLine>, usize),
    now: Moment,
}

impl Asked {
    fn fates(&self) -> Vec<Fate<'_>> {
        let Trail { event, ways, .. } = &self.trail;
        let all = event.deliveries.iter().zip(ways);
        all.map(|(delivery, way)| {
            let queue = self.queues.iter().find(|queue| queue.destination == delivery.destination);
            Fate {
                event,
                delivery,
                way,
                queue,
                is_served: self.is_served,
                is_own: self.trail.stored.is_own(),
                now: self.now,
            }
        })
        .collect()
    }

    fn words(&self) -> String {
        let event = &self.trail.event;
        let (decision, fates) = (Decision::of(&self.trail), self.fates());
        let mut lines =
            vec![format!("#{}  {}", event.id, cut(&title(&event.trigger, &event.title), 200)), String::new()];
        lines.push(answer(&decision, &fates));
        lines.push(String::new());
        lines.extend(self.arrival(decision.url()));
        lines.extend(decision.words());
        for fate in &fates {
            lines.push(String::new());
            lines.extend(fate.words());
        }
        lines.extend(self.other_words());
        lines.join("\n")
    }

    fn arrival(&self, url: &str) -> Vec<String> {
        let Trail { event, again, tracker_id, caught_up, stored, .. } = &self.trail;
        let kind = [&event.trigger, &event.severity, &event.app];
        let kind: Vec<String> =
            kind.into_iter().filter(|word| !word.is_empty()).map(|word| cut(word, 64)).collect();
        let mut lines =
            vec![format!("came        {}, through {}", time(event.received_at), cut(&event.source, 64))];
        if *caught_up {
            let at = stored.read().at;
            let at = if at.is_empty() { String::new() } else { format!("; it happened at {}", cut(&at, 64)) };
            lines.push(format!("            by catch-up: no webhook had brought it{at}"));
        }
        lines.push(format!("            {}", kind.join(" · ")));
        if !tracker_id.is_empty() {
            lines.push(format!("            {} in the tracker", cut(tracker_id, 100)));
        }
        if !url.is_empty() {
            lines.push(format!("            {}", cut(url, 300)));
        }
        if let (Some(first), Some(last)) = (again.first_at, again.last_at) {
            let times = if again.count == 1 { "once".to_owned() } else { format!("{} times", again.count) };
            let last = if first == last { String::new() } else { format!(" to {}", time(last)) };
            lines.push(format!(
                "            came again {times}, {}{last}: a duplicate is not sent again",
                time(first)
            ));
        }
        lines
    }

    fn other_words(&self) -> Vec<String> {
        let (shown, count) = &self.others;
        if shown.is_empty() {
            return Vec::new();
        }
        let at_least =
            if *count + 1 >= usize::try_from(LOOK).unwrap_or(usize::MAX) { "at least " } else { "" };
        let mut lines = vec![String::new(), format!("There are {at_least}{count} more that may be meant:")];
        lines.extend(shown.iter().map(|line| {
            format!(
                "  #{}  {}  {}  {}",
                line.id,
                time(line.received_at),
                line.fate.word(),
                cut(&title(&line.trigger, &line.title), 80)
            )
        }));
        lines
    }

    /// The fields are listed in `docs/OPERATIONS.md`, which a test compares.
    fn as_json(&self) -> Value {
        let Trail { event, again, tracker_id, error_id, routing, caught_up, .. } = &self.trail;
        let (decision, fates) = (Decision::of(&self.trail), self.fates());
        let at = |moment: Option<Moment>| moment.map(|moment| moment.to_string());
        let (others, _) = &self.others;
        json!({
            "found": true,
            "answer": answer(&decision, &fates),
            "event": {
                "id": event.id.to_string(),
                "received_at": event.received_at.to_string(),
                "source": event.source,
                "trigger": event.trigger,
                "severity": event.severity,
                "app": event.app,
                "title": event.title,
                "tracker_id": tracker_id,
                "error_id": error_id,
                "url": decision.url(),
                "routing": routing,
                "caught_up": caught_up,
            },
            "duplicates": { "count": again.count, "first_at": at(again.first_at), "last_at": at(again.last_at) },
            "rules": decision.as_json(),
            "deliveries": fates.iter().map(Fate::as_json).collect::<Vec<_>>(),
            "others": others.iter().map(|line| line.id.to_string()).collect::<Vec<_>>(),
        })
    }
}

/// The answer in a sentence or two.
fn answer(decision: &Decision<'_>, fates: &[Fate<'_>]) -> String {
    if fates.is_empty() {
        return decision.why_nobody();
    }
    // What took another's place says so.
    let last = fates.iter().filter(|fate| !fate.has_a_successor());
    let each = last.map(|fate| format!("{}: {}.", fate.delivery.destination, fate.answer()));
    each.collect::<Vec<_>>().join(" ")
}

/// How long after `earlier` something was.
fn after(earlier: Moment, later: Moment) -> String {
    let span = later.since(earlier);
    if span.as_millis() < 1_000 { "at once".to_owned() } else { format!("{} after it came", lasted(span)) }
}
