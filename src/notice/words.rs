//! What a notice says: what is wrong, what follows from it, what to do.

mod tracker;

use bytesize::ByteSize;

use super::{Bulletin, Fullness, Item, NAMED, Notice, Topic};
use crate::clock::Moment;
use crate::delivery::Reason;
use crate::event::{EventId, Severity};
use crate::name::{DestinationName, SourceName};
use crate::source::{Fact, Own};
use crate::text::{Place, as_it_is, one_line, with_separators};

/// Characters of what a platform said.
const WORDS: usize = 300;

/// Characters of what is shown of a refused configuration.
const DETAIL: usize = 1_800;

/// Problems of a refused configuration that are shown in full.
const PROBLEMS: usize = 5;

/// Before any platform's form a character is a character.
const CHARACTERS: Place = Place { write: as_it_is, count: |_| 1 };

/// What is said, before it is an event.
#[derive(Debug, Default)]
struct Said {
    title: String,
    text: String,
    advice: String,
    facts: Vec<Fact>,
    detail: String,
}

/// The event for `bulletin`.
pub(super) fn own(bulletin: &Bulletin, topic: &Topic, again: bool, waiting: Option<u64>, now: Moment) -> Own {
    let said = match bulletin.only() {
        Some(item) => one(item, again, waiting),
        None => several(bulletin, topic, again),
    };
    let Said { title, text, advice, facts, detail } = said;
    let at = bulletin.items.values().map(|item| item.since).min().unwrap_or(now);
    let severity = severity(topic, bulletin);
    Own {
        trigger: topic.trigger,
        severity,
        key: topic.key(),
        title,
        text,
        advice,
        facts,
        detail,
        at: at.to_string(),
    }
}

fn severity(topic: &Topic, bulletin: &Bulletin) -> Severity {
    let on_disk = |item: &Item| matches!(item.notice, Notice::StoreNearlyFull(Fullness::Disk { .. }));
    match topic.trigger {
        "destinationGone" | "deadLetter" | "webhooksRejected" => Severity::Error,
        // Without anybody who asks instead nothing comes.
        "hookGone" if bulletin.items.values().any(nobody_asks) => Severity::Error,
        "storeNearlyFull" if bulletin.items.values().any(on_disk) => Severity::Error,
        "caughtUp" if !bulletin.items.values().any(was_missed) => Severity::Info,
        "divertingEnded" => Severity::Info,
        _ => Severity::Warning,
    }
}

fn was_missed(item: &Item) -> bool {
    matches!(item.notice, Notice::CaughtUp { missed, is_cut, .. } if missed > 0 || is_cut)
}

fn nobody_asks(item: &Item) -> bool {
    matches!(item.notice, Notice::HookGone { is_caught_up: false, .. })
}

fn one(item: &Item, again: bool, waiting: Option<u64>) -> Said {
    match &item.notice {
        Notice::DestinationGone { destination, words, fallback } => {
            gone(destination, words, fallback.as_ref(), waiting)
        }
        Notice::DeadLetters { destination, reason, words, example, .. } => {
            dead(destination.as_ref(), *reason, words, *example, item.count, again)
        }
        Notice::ReloadRefused { problems } => refused(problems, item.count, again),
        Notice::WebhooksRejected { source, reason, count } => rejected(source, reason, *count),
        Notice::StoreNearlyFull(fullness) => nearly_full(*fullness),
        Notice::CatchUpFailing { source, words } => tracker::failing(source, words),
        notice @ Notice::CaughtUp { source, .. } => tracker::caught_up(source, item.count, notice),
        Notice::SourceSilent { source, since, usual } => tracker::silent(source, *since, *usual),
        Notice::HookGone { source, app, event, is_caught_up } => hook_gone(source, app, event, *is_caught_up),
        Notice::DivertingBegan { from, gone, .. } => diverting(from, *gone),
        Notice::DivertingEnded { from, .. } => Said {
            title: format!("\"{from}\" works again"),
            text: "What is meant for it goes there again, and does not come here any more.".to_owned(),
            ..Said::default()
        },
    }
}

fn gone(
    name: &DestinationName,
    words: &str,
    fallback: Option<&DestinationName>,
    waiting: Option<u64>,
) -> Said {
    let meanwhile = match fallback {
        Some(fallback) => format!("its messages go to \"{fallback}\" meanwhile"),
        None => waits(waiting),
    };
    Said {
        title: format!("The destination \"{name}\" is gone"),
        text: format!(
            "Its webhook does not take messages any more{}. Nothing is lost: {meanwhile}, and the webhook is tried \
             once an hour.",
            said_by_platform(words),
        ),
        advice: format!(
            "Make a new webhook in the chat and put its address where destinations.{name}.url is taken from. What \
             waits is sent as soon as that works."
        ),
        ..Said::default()
    }
}

fn dead(
    destination: Option<&DestinationName>,
    reason: Reason,
    words: &str,
    example: Option<EventId>,
    count: u64,
    again: bool,
) -> Said {
    let whom = destination.map(|name| format!(" to \"{name}\"")).unwrap_or_default();
    let label = if count == 1 { "Event" } else { "One of them" };
    let mut facts = vec![fact("Reason", reason.as_str())];
    facts.extend(example.map(|id| fact(label, format!("#{id}"))));
    Said {
        title: format!("{}{whom} could not be delivered", messages(count, again)),
        text: format!("{}{}. {}", because(reason), said_by_platform(words), kept(count)),
        advice: after_dead(reason).to_owned(),
        facts,
        ..Said::default()
    }
}

fn rejected(source: &SourceName, reason: &str, count: u64) -> Said {
    Said {
        title: format!("Webhooks to \"{source}\" are turned away"),
        text: format!(
            "At least {} in a row. What is turned away does not come again: the trackers call once.",
            number(count)
        ),
        advice: after_rejection(source, reason),
        facts: vec![fact("The last because of", reason)],
        ..Said::default()
    }
}

fn hook_gone(source: &SourceName, app: &str, event: &str, is_caught_up: bool) -> Said {
    Said {
        title: format!("A webhook to \"{source}\" is gone at its tracker"),
        text: format!(
            "The one for {event} of {} has been deleted, or was switched off since calls had failed for long. {}",
            short(app),
            without_hooks(is_caught_up)
        ),
        advice: SUBSCRIBE.to_owned(),
        ..Said::default()
    }
}

const SUBSCRIBE: &str = "\"bugle bugfender subscribe\" makes it again.";

fn without_hooks(is_caught_up: bool) -> &'static str {
    if is_caught_up {
        "What happens is asked for all the same, and comes later than it did."
    } else {
        "Nothing of this kind comes by itself: what happens now is not told."
    }
}

fn diverting(from: &DestinationName, gone: bool) -> Said {
    let (why, end) = if gone {
        (
            "Its webhook is gone",
            format!("A new address where destinations.{from}.url is taken from ends this."),
        )
    } else {
        (
            "It has been failing for too long",
            "This ends by itself as soon as it takes messages again.".to_owned(),
        )
    };
    Said {
        title: format!("Messages for \"{from}\" come here from now on"),
        text: format!(
            "{why}. Until it works again this is where its messages come; each says for whom it was meant."
        ),
        advice: end,
        ..Said::default()
    }
}

/// More than can be told in the words of one.
fn several(bulletin: &Bulletin, topic: &Topic, again: bool) -> Said {
    let more = if again { "more " } else { "" };
    let named = u64::try_from(bulletin.items.len()).unwrap_or(u64::MAX);
    let subjects = number(named.saturating_add(bulletin.others));
    let (title, text, advice) = match topic.trigger {
        "deadLetter" => (
            format!("{} could not be delivered", messages(bulletin.count(), again)),
            kept(bulletin.count()),
            "See what the platforms say, and whether the addresses still hold.".to_owned(),
        ),
        "destinationGone" => (
            format!("{subjects} {more}destinations are gone"),
            "Nothing is lost: what is for them waits, or goes to their fallbacks.".to_owned(),
            "Make new webhooks in the chats and put their addresses into the configuration.".to_owned(),
        ),
        "catchUpFailing" | "caughtUp" | "sourceSilent" => {
            return tracker::several(bulletin, topic, &subjects);
        }
        "hookGone" => (
            format!("{subjects} {more}webhooks are gone at their tracker"),
            without_hooks(!bulletin.items.values().any(nobody_asks)).to_owned(),
            "\"bugle bugfender subscribe\" makes them again.".to_owned(),
        ),
        // Any other topic has one matter only, which `one` tells.
        _ => (
            format!("Webhooks to {subjects} {more}sources are turned away"),
            "What is turned away does not come again: the trackers call once.".to_owned(),
            "The log has each with its reason.".to_owned(),
        ),
    };
    Said { title, text, advice, facts: listed(bulletin), detail: String::new() }
}

fn listed(bulletin: &Bulletin) -> Vec<Fact> {
    let mut facts: Vec<Fact> = bulletin.items.values().take(NAMED).map(in_a_list).collect();
    if bulletin.others > 0 {
        facts.push(fact("Others", number(bulletin.others)));
    }
    facts
}

fn in_a_list(item: &Item) -> Fact {
    match &item.notice {
        Notice::DestinationGone { destination, words, .. } => fact(destination.as_str(), short(words)),
        Notice::DeadLetters { destination, reason, .. } => {
            let name = destination.as_ref().map_or("destination not known", |name| name.as_str());
            fact(name, format!("{} · {}", number(item.count), reason.as_str()))
        }
        Notice::WebhooksRejected { source, reason, count } => {
            fact(source.as_str(), format!("at least {} · {reason}", number(*count)))
        }
        Notice::HookGone { source, app, event, .. } => {
            fact(source.as_str(), format!("{event} · {}", short(app)))
        }
        other => tracker::in_a_list(other, item.count),
    }
}

fn refused(problems: &[String], count: u64, again: bool) -> Said {
    let times = if again || count > 1 {
        let more = if again { " more" } else { "" };
        format!("It was refused {}{more}; this is the last.", times(count))
    } else {
        String::new()
    };
    let why = match problems.len() {
        0 => String::new(),
        1 => ", for the reason below".to_owned(),
        reasons => format!(", for the {reasons} reasons below"),
    };
    let shown = problems.iter().take(PROBLEMS).map(|problem| problem.trim_end());
    let mut detail = shown.collect::<Vec<_>>().join("\n\n");
    if problems.len() > PROBLEMS {
        detail = format!("{detail}\n\n… and {} more", problems.len() - PROBLEMS);
    }
    let text = format!(
        "bugle goes on as it was. Nothing is lost, and nothing of the change is in force{why}. {times}"
    );
    Said {
        title: "The changed configuration is not in force".to_owned(),
        text: text.trim_end().to_owned(),
        advice: "Mend it, and it is read again by itself; \"bugle check\" says the same.".to_owned(),
        facts: Vec::new(),
        detail: CHARACTERS.end(&detail, DETAIL),
    }
}

fn nearly_full(fullness: Fullness) -> Said {
    match fullness {
        Fullness::Allowed { used, max_size } => Said {
            title: "The store is full, and nothing in it can go".to_owned(),
            text: format!(
                "It holds {}, and store.max_size is {}. All history that may be forgotten is; what is left is still owed \
                 to somebody, or a dead letter. Nothing is refused or removed for this: the file grows.",
                size(used),
                size(max_size)
            ),
            advice: "See which destination does not take its messages, or raise store.max_size.".to_owned(),
            ..Said::default()
        },
        Fullness::Disk { free } => Said {
            title: "The disk that the store is on is nearly full".to_owned(),
            text: format!(
                "{} are left. When it is full no webhook can be accepted: the trackers are answered 503, and do not call again.",
                size(free)
            ),
            advice: "Make room there.".to_owned(),
            ..Said::default()
        },
    }
}

fn because(reason: Reason) -> &'static str {
    match reason {
        Reason::GaveUp => "It kept failing for as long as give_up_after allows",
        Reason::UnclearTooOften => {
            "Nobody knows whether it arrived: neither the first attempt nor any of five repeats had a clear answer"
        }
        Reason::Stranded => "Nobody has mended the destination for as long as history is kept",
        Reason::Internal => "This is a mistake of bugle's own",
        _ => "The platform refuses it",
    }
}

fn after_dead(reason: Reason) -> &'static str {
    match reason {
        Reason::GaveUp | Reason::Stranded => {
            "See whether the destination's address still holds, and what its platform says."
        }
        Reason::UnclearTooOften => {
            "Look into the chat whether it is there, and at the way to the platform: a proxy, a time limit."
        }
        Reason::Internal => "Please report it, with what the log says.",
        Reason::Misconfigured => {
            "The destination's settings on the platform do not allow it: a thread, a channel, a permission."
        }
        Reason::Blocked => "A filter on the platform has stopped it: see what that is set to.",
        Reason::InvalidPayload | Reason::TooLong => {
            "No message of bugle's should be refused for this: please report it, with what the platform said."
        }
        _ => "What the platform said is all that is known of why.",
    }
}

fn kept(count: u64) -> String {
    let what = if count == 1 {
        "It is kept as a dead letter, with its event"
    } else {
        "They are kept as dead letters, with their events"
    };
    format!("{what} and every attempt.")
}

fn after_rejection(source: &SourceName, reason: &str) -> String {
    match reason {
        "unauthorized" => format!(
            "Compare the address that the tracker calls with sources.{source}.tokens. If it is not the tracker, somebody \
             else is knocking."
        ),
        "forbidden" => format!(
            "Compare the sender's address in the log with sources.{source}.allow_from and server.trusted_proxies."
        ),
        "too_large" => "If the tracker does send that much, raise server.max_body.".to_owned(),
        _ => "The log has each with its reason. What calls there does not call as a tracker does.".to_owned(),
    }
}

/// The platform's words, to stand before the end of a sentence.
fn said_by_platform(words: &str) -> String {
    let words = short(words);
    if words.is_empty() {
        String::new()
    } else {
        format!("; the last answer was: {}", words.trim_end_matches('.'))
    }
}

fn short(words: &str) -> String {
    CHARACTERS.end(&one_line(words), WORDS)
}

fn waits(waiting: Option<u64>) -> String {
    match waiting {
        Some(0) => "what comes for it from now on waits in the store".to_owned(),
        Some(1) => "one message waits for it in the store".to_owned(),
        Some(waiting) => format!("{} messages wait for it in the store", number(waiting)),
        None => "what is for it waits in the store".to_owned(),
    }
}

fn messages(count: u64, again: bool) -> String {
    match (count, again) {
        (1, false) => "A message".to_owned(),
        (1, true) => "One more message".to_owned(),
        (count, false) => format!("{} messages", number(count)),
        (count, true) => format!("{} more messages", number(count)),
    }
}

fn times(count: u64) -> String {
    if count == 1 { "once".to_owned() } else { format!("{} times", number(count)) }
}

fn size(bytes: u64) -> String {
    ByteSize(bytes).display().iec().to_string()
}

fn number(number: u64) -> String {
    with_separators(usize::try_from(number).unwrap_or(usize::MAX))
}

fn fact(label: impl Into<String>, value: impl Into<String>) -> Fact {
    Fact { label: label.into(), value: value.into() }
}
