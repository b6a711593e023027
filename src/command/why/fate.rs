//! What became of an event at one destination, and what held it back on the way.

use serde_json::{Value, json};

use super::after;
use crate::clock::Moment;
use crate::command::dead_letters::{attempt_as_json, delivery_as_json, in_a_line, standing};
use crate::command::listing::{counted, cut, time, time_or_none};
use crate::command::queue::why_it_waits;
use crate::outbox::{
    AttemptRecord, DeliveryRecord, EventRecord, MessageRecord, QueueRecord, Spell, SpellRecord, Way,
};

/// One delivery of an event.
pub(super) struct Fate<'t> {
    pub(super) event: &'t EventRecord,
    pub(super) delivery: &'t DeliveryRecord,
    pub(super) way: &'t Way,
    /// How its destination stands now.
    pub(super) queue: Option<&'t QueueRecord>,
    pub(super) is_served: bool,
    /// Whether bugle speaks of itself.
    pub(super) is_own: bool,
    pub(super) now: Moment,
}

/// Of the times in which its destination was left alone, so many are shown: the last ones.
const SPELLS: usize = 10;

/// So many attempts are shown: the first ones and the last.
const ATTEMPTS: usize = 12;

impl Fate<'_> {
    /// Whether another delivery has taken its place.
    pub(super) fn has_a_successor(&self) -> bool {
        let moved_to = self.delivery.moved_to;
        moved_to.is_some() && self.event.deliveries.iter().any(|other| Some(other.id) == moved_to)
    }

    /// Where it stands, after the name of the destination.
    pub(super) fn answer(&self) -> String {
        self.standing() + &self.place()
    }

    fn standing(&self) -> String {
        let Self { event, delivery, way, .. } = self;
        let told = |settled_at: Option<Moment>| match settled_at {
            Some(at) => format!("told {}, {}", time(at), after(event.received_at, at)),
            None => "told".to_owned(),
        };
        match (delivery.state.as_str(), &way.message) {
            ("waiting", _) => self.why_it_waits(),
            ("delivered", Some(message)) if message.events > 1 => {
                format!("{}, by {} that carries its id", told(delivery.settled_at), in_words(message))
            }
            ("delivered", _) => told(delivery.settled_at),
            ("folded", Some(message)) => {
                let counted = if message.told_as == "more" { "counted, not posted by itself; " } else { "" };
                // It was told when the message was posted; that it shares its fate is written down a moment later.
                let told = told(message.settled_at.or(delivery.settled_at));
                format!("{counted}{told}, in {}, #{}", in_words(message), message.event)
            }
            ("moved", _) => self.moved(),
            ("dead", _) => {
                let reason = delivery.reason.as_deref().unwrap_or_default();
                let words =
                    delivery.words.as_deref().map(|words| cut(words, 200)).filter(|words| !words.is_empty());
                let words = words.map(|words| format!(": {words}")).unwrap_or_default();
                format!(
                    "not told: given up {}, since {} ({reason}){words}",
                    time_or_none(delivery.settled_at),
                    why_given_up(reason)
                )
            }
            _ => standing(delivery, &event.deliveries),
        }
    }

    fn moved(&self) -> String {
        let Self { event, delivery, .. } = self;
        let at = time_or_none(delivery.settled_at);
        let to = event.deliveries.iter().find(|other| Some(other.id) == delivery.moved_to);
        let to = to.map_or("another destination", |to| to.destination.as_str());
        match delivery.reason.as_deref().unwrap_or_default() {
            "redriven" => format!("a person sent it again {at}, to {to}"),
            "covered" => format!("not told {at}, since {to} hears of it anyway"),
            "gone" => format!("moved {at} to {to}, since its webhook was gone"),
            "failing" => format!("moved {at} to {to}, since it did nothing but fail"),
            "moved_by_hand" => format!("a person moved it {at} to {to}"),
            reason => format!("moved {at} to {to} ({reason})"),
        }
    }

    /// In whose place it stands, and by whose doing.
    fn place(&self) -> String {
        let Self { event, delivery, .. } = self;
        let before = event.deliveries.iter().filter(|other| other.moved_to == Some(delivery.id));
        let is_redriven = before.clone().any(|other| other.reason.as_deref() == Some("redriven"));
        let instead = delivery.instead_of.as_deref().map(|name| format!(", in place of {}", cut(name, 64)));
        let again = if is_redriven { ", sent again by a person" } else { "" };
        format!("{}{again}", instead.unwrap_or_default())
    }

    fn why_it_waits(&self) -> String {
        let Self { delivery, way, .. } = self;
        let unserved = if self.is_served { "" } else { "; and no bugle serves from this store just now" };
        let queue = self.queue.map(|queue| why_it_waits(queue, self.now));
        let queue = queue.unwrap_or_else(|| "its destination is not known any more".to_owned());
        if let Some(until) = delivery.held_until {
            return format!(
                "only counted until {}, then told with all that came meanwhile{unserved}",
                time(until)
            );
        }
        if let (Some(_), Some(message)) = (delivery.folded_into, &way.message) {
            return format!(
                "to be told in {}, #{}, which waits ({queue}){unserved}",
                in_words(message),
                message.event
            );
        }
        let again = delivery.attempts.last().and_then(|attempt| attempt.again_at).filter(|at| *at > self.now);
        // The destination as a whole may wait for something, too: that is what counts then.
        let again = again.filter(|_| !queue.contains("next try") && !queue.contains("until"));
        let again = again.map(|at| format!("; tried again not before {}", time(at))).unwrap_or_default();
        format!("not told yet ({queue}){again}{unserved}")
    }

    /// The way in lines, the first with the destination's name.
    pub(super) fn words(&self) -> Vec<String> {
        let Self { delivery, way, .. } = self;
        let rule = match &delivery.rule {
            Some(rule) => format!("by the rule {:?}", cut(rule, 200)),
            None if self.is_own => "for whom bugle speaks of itself".to_owned(),
            None if delivery.instead_of.is_some() => "no rule matched".to_owned(),
            None => "the default destination".to_owned(),
        };
        let template = delivery.template.as_deref().map(|name| format!(", template {}", cut(name, 100)));
        let urgent = if delivery.urgent { ", urgent" } else { "" };
        let mut lines = vec![format!(
            "{:<11} {rule}{}{urgent}",
            cut(&delivery.destination, 64),
            template.unwrap_or_default()
        )];
        if let Some(instead_of) = &delivery.instead_of {
            lines.push(format!("  instead of {}", cut(instead_of, 64)));
        }
        lines.extend(self.held().into_iter().map(|held| format!("  {held}")));
        let attempts = match &way.message {
            Some(message) if delivery.folded_into.is_some() => {
                lines.extend(tells_of(message));
                [delivery.attempts.as_slice(), &message.attempts].concat()
            }
            Some(message) => {
                lines.extend(tells_of(message));
                delivery.attempts.clone()
            }
            None => delivery.attempts.clone(),
        };
        lines.extend(tries(&attempts));
        lines.push(format!("  → {}", self.answer()));
        if delivery.state == "dead" {
            let elsewhere = if self.queue.is_some_and(|queue| queue.configured) { "" } else { " --to OTHER" };
            lines.push(format!(
                "  To send it again: `bugle dead-letters redrive {}{elsewhere}`",
                self.event.id
            ));
        }
        lines
    }

    /// What held it back.
    fn held(&self) -> Vec<String> {
        let Self { delivery, way, .. } = self;
        let mut held = Vec::new();
        if let Some((event, at)) = way.after {
            held.push(format!(
                "collapsed: #{event} of {} had told of the same error, so more of it was only counted for a while",
                time(at)
            ));
        }
        if let Some(message) = way.message.as_ref().filter(|message| message.told_as == "digest") {
            held.push(if message.events == 1 {
                "digest: it was posted in the form of a digest, since there was a burst".to_owned()
            } else {
                format!(
                    "digest: more waited for {} than could be posted soon, so {} became one message",
                    delivery.destination,
                    counted(message.events, "event")
                )
            });
        }
        let left_out = way.spells.len().saturating_sub(SPELLS);
        if left_out > 0 {
            held.push(format!("… and {left_out} times before these"));
        }
        held.extend(way.spells.iter().skip(left_out).map(|spell| spell_words(spell, self.now)));
        // Where something else held it, the pace was the least of it.
        if way.ahead > 0 && way.spells.is_empty() {
            held.push(format!("pace: {} at other messages came before it", counted(way.ahead, "attempt")));
        }
        held
    }

    pub(super) fn as_json(&self) -> Value {
        let Self { delivery, way, .. } = self;
        let mut shown = delivery_as_json(delivery);
        let spells: Vec<Value> = way
            .spells
            .iter()
            .map(|SpellRecord { spell, since, until, words }| {
                json!({
                    "kind": spell.as_str(),
                    "since": since.to_string(),
                    "until": until.map(|until| until.to_string()),
                    "words": words,
                })
            })
            .collect();
        let message = way.message.as_ref().map(|message| {
            json!({
                "id": message.event.to_string(),
                "told_as": message.told_as,
                "state": message.state,
                "settled_at": message.settled_at.map(|at| at.to_string()),
                "events": message.events,
                "some": message.some.iter().map(|(event, _)| event.to_string()).collect::<Vec<_>>(),
                "attempts": message.attempts.iter().map(attempt_as_json).collect::<Vec<_>>(),
            })
        });
        if let Some(shown) = shown.as_object_mut() {
            shown.insert("answer".to_owned(), json!(self.answer()));
            shown.insert("held_back".to_owned(), json!(spells));
            shown.insert("ahead".to_owned(), json!(way.ahead));
            shown.insert("message".to_owned(), json!(message));
            let after = way.after.map(|(event, at)| json!({ "id": event.to_string(), "at": at.to_string() }));
            shown.insert("collapsed_after".to_owned(), json!(after));
        }
        shown
    }
}

/// What the reason of a dead letter means.
fn why_given_up(reason: &str) -> &'static str {
    match reason {
        "gave_up" => "it had failed for as long as `give_up_after` says",
        "unclear_too_often" => "nobody can tell whether it arrived, and it was repeated as often as may be",
        "stranded" => "nobody has mended or resumed its destination for as long as history is kept",
        "misconfigured" => {
            "the platform refuses it for something that is wrong with the destination or its webhook"
        }
        "malformed" | "too_long" => "the platform does not take it, not even in its simplest form",
        "internal" => "bugle itself failed at it, which is a defect: please report it",
        _ => "the platform will not take it",
    }
}

/// A message of several.
fn in_words(message: &MessageRecord) -> String {
    match message.told_as.as_str() {
        "more" => format!("a line about {}", counted(message.events, "more event")),
        _ => format!("a digest of {}", counted(message.events, "event")),
    }
}

/// The events that a message tells of beside its own.
fn tells_of(message: &MessageRecord) -> Vec<String> {
    if message.some.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![format!(
        "  #{} tells of {}; the first of the others:",
        message.event,
        counted(message.events, "event")
    )];
    lines.extend(message.some.iter().map(|(event, title)| format!("    #{event}  {}", cut(title, 80))));
    lines
}

fn tries(attempts: &[AttemptRecord]) -> Vec<String> {
    let left_out = attempts.len().saturating_sub(ATTEMPTS);
    let begin = if left_out > 0 { ATTEMPTS / 2 } else { attempts.len() };
    let mut lines: Vec<String> =
        attempts.iter().take(begin).map(|attempt| format!("  {}", in_a_line(attempt))).collect();
    if left_out > 0 {
        lines.push(format!("  … {left_out} more attempts …"));
        let rest = attempts.iter().skip(begin + left_out);
        lines.extend(rest.map(|attempt| format!("  {}", in_a_line(attempt))));
    }
    lines
}

fn spell_words(SpellRecord { spell, since, until, words }: &SpellRecord, now: Moment) -> String {
    let until = match until {
        Some(until) if *until <= now => format!("until {}", time(*until)),
        Some(until) => format!("until {}, which is still to come", time(*until)),
        None => "until now".to_owned(),
    };
    let words = cut(words, 200);
    let said = if words.is_empty() { String::new() } else { format!(" ({words})") };
    let since = time(*since);
    match spell {
        Spell::AskedToWait => format!("held: its platform asked to wait from {since} {until}{said}"),
        Spell::Diverting => format!("diverted: its messages went to {words} from {since} {until}"),
        Spell::Failing => format!("failing: it did nothing but fail from {since} {until}{said}"),
        Spell::Gone => format!("gone: its webhook was gone from {since} {until}{said}"),
        Spell::Suspended => format!("suspended: a person had it wait from {since} {until}"),
    }
}
