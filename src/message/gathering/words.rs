//! The words of a message that stands for several events: how many of what, which error, when. Each is one line, and short
//! enough that no count behind it is lost.

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use crate::clock::Moment;
use crate::event::{Event, Severity, UNREADABLE};
use crate::flood::{Gathering, Kindred, is_spike};
use crate::text::{Place, as_it_is, one_line, with_separators};

/// Before any platform's form a character is a character.
const CHARACTERS: Place = Place { write: as_it_is, count: |_| 1 };

/// What names an error, and the application behind it.
const TITLE: usize = 80;
const APP: usize = 30;

/// A stage, a version, a person, or a word of severity that only the tracker knows.
const WORD: usize = 24;

/// What is kept of a comment or of feedback.
const QUOTE: usize = 200;

/// Severities that only the tracker knows and that are counted one by one; and applications that are named.
const UNKNOWN: usize = 2;
const APPS: usize = 3;

/// A stage, as far as there is room for it in a line.
pub(super) fn stage(event: &Event) -> String {
    short(&event.app.stage, WORD)
}

/// "1 event", "1,204 events".
pub fn counted(count: u64, thing: &str) -> String {
    format!("{} {thing}{}", number(count), plural(count))
}

fn plural(count: u64) -> &'static str {
    if count == 1 { "" } else { "s" }
}

/// With its thousands apart.
pub(super) fn number(count: u64) -> String {
    usize::try_from(count).map_or_else(|_| count.to_string(), with_separators)
}

/// "4,412 events: 3,100 errors, 1,200 warnings, 110 infos, 2 notices", "12 events, all errors". The severities are those of errors
/// that have happened; comments, releases and the like are notices.
pub fn counts(gathering: &Gathering) -> String {
    let (mut parts, mut named, mut others) = (Vec::new(), 0, 0_u64);
    for (word, count) in &gathering.severities {
        match Severity::read(word) {
            Some(Severity::Other(word)) if named < UNKNOWN => {
                parts.push((*count, short(&word, WORD), ""));
                named += 1;
            }
            Some(Severity::Other(_)) | None => others = others.saturating_add(*count),
            Some(known) => parts.push((*count, known.as_str().to_owned(), plural(*count))),
        }
    }
    let happened = gathering.severities.iter().fold(0_u64, |sum, (_, count)| sum.saturating_add(*count));
    let notices = gathering.count.saturating_sub(happened);
    for (count, thing) in [(others, "other"), (notices, "notice")] {
        if count > 0 {
            parts.push((count, thing.to_owned(), plural(count)));
        }
    }
    let events = counted(gathering.count, "event");
    match parts.as_slice() {
        [] => events,
        [_] if gathering.count == 1 => events,
        [(_, word, plural)] => format!("{events}, all {word}{plural}"),
        several => {
            let several =
                several.iter().map(|(count, word, plural)| format!("{} {word}{plural}", number(*count)));
            format!("{events}: {}", several.collect::<Vec<_>>().join(", "))
        }
    }
}

/// How many different errors there are.
pub fn different(gathering: &Gathering) -> u64 {
    u64::try_from(gathering.errors.len()).unwrap_or(u64::MAX).saturating_add(gathering.more_errors)
}

/// The applications of what is named: "Shop API, Shop Web and 2 more".
pub fn apps(gathering: &Gathering) -> String {
    let mut apps: Vec<String> = Vec::new();
    for event in gathering.errors.iter().map(|kindred| &kindred.event).chain(&gathering.notices) {
        let app = short(&event.app.name, APP);
        if !app.is_empty() && !apps.contains(&app) {
            apps.push(app);
        }
    }
    let more = apps.len().saturating_sub(APPS);
    apps.truncate(APPS);
    match more {
        0 => apps.join(", "),
        more => format!("{} and {} more", apps.join(", "), with_separators(more)),
    }
}

/// "14:03 to 14:07", or "14:03"; with the date where that is not the day of `now`.
pub fn span(first: Moment, last: Moment, now: Moment, zone: &TimeZone) -> String {
    let (Some(first), Some(last), Some(now)) = (zoned(first, zone), zoned(last, zone), zoned(now, zone))
    else {
        return String::new();
    };
    let (from, to) = (time(&first, &now), time(&last, &now));
    if from == to {
        return from;
    }
    format!("{from} to {}", if first.date() == last.date() { time(&last, &last) } else { to })
}

/// The time of day, behind the date where that is another than `now` has.
fn time(at: &Zoned, now: &Zoned) -> String {
    let form = if at.date() == now.date() {
        "%H:%M"
    } else if at.year() == now.year() {
        "%-d %b, %H:%M"
    } else {
        "%-d %b %Y, %H:%M"
    };
    at.strftime(form).to_string()
}

fn zoned(at: Moment, zone: &TimeZone) -> Option<Zoned> {
    Timestamp::from_millisecond(at.0).ok().map(|at| at.to_zoned(zone.clone()))
}

/// Which error or thing an event is about, and in which application.
pub fn which(event: &Event) -> String {
    let Event { app, trigger, release, actor, .. } = event;
    let app = short(&app.name, APP);
    let title = [&event.title, &event.reason, trigger].into_iter().find(|text| !text.trim().is_empty());
    let title = short(title.map_or("Event", String::as_str), TITLE);
    let title = if app.is_empty() { title } else { format!("{title} in {app}") };
    let project = if app.is_empty() { "A project".to_owned() } else { app.clone() };
    let which = match trigger.as_str() {
        UNREADABLE => format!("Something came through {} that bugle cannot read", event.source),
        trigger if is_spike(event.product, trigger) => format!("{project} is spiking"),
        "projectSamplingStarted" | "projectApproachingRateLimit" => project,
        "release" if !release.version.trim().is_empty() => {
            format!("{app} {}", short(&release.version, WORD)).trim_start().to_owned()
        }
        "comment" => format!("{} commented on {title}", or(short(&actor.name, WORD), "Somebody")),
        "feedback" => format!("Feedback: {title}"),
        _ => title,
    };
    if event.test { format!("Test: {which}") } else { which }
}

/// What is special about what happened to an error: "new", "milestone, 1,000 in all".
pub fn special(kindred: &Kindred) -> String {
    let Kindred { event, triggers, .. } = kindred;
    let milestone = match in_all(event) {
        Some(all) => format!("milestone, {} in all", number(all)),
        None => "milestone".to_owned(),
    };
    let spiking = match event.rate.parse() {
        Ok(rate) => format!("spike of {}", counted(rate, "event")),
        // Its name says so.
        Err(_) if is_spike(event.product, &event.trigger) => String::new(),
        Err(_) => "spiking".to_owned(),
    };
    let words = [
        ("firstException", "new"),
        ("reopened", "reopened"),
        ("powerTen", &milestone),
        ("errorEventFrequency", "frequent"),
        ("projectSpiking", &spiking),
    ];
    let has = |trigger: &str| triggers.iter().any(|known| known == trigger);
    let words = words.into_iter().filter(|(trigger, word)| has(trigger) && !word.is_empty());
    words.map(|(_, word)| word).collect::<Vec<_>>().join(" · ")
}

/// The tracker's own count of an error's events, if it gives one.
pub fn in_all(event: &Event) -> Option<u64> {
    // A spike may carry the error that makes most of it.
    let is_of_error = !is_spike(event.product, &event.trigger);
    event.error.occurrences.parse().ok().filter(|_| is_of_error)
}

/// "last on 2.3.1 at 14:07; 1,000 events in all", as far as it is known.
pub fn latest(kindred: &Kindred, now: Moment, zone: &TimeZone) -> String {
    let version = short(&kindred.event.app.version, WORD);
    let on = if version.is_empty() { String::new() } else { format!(" on {version}") };
    let at = span(kindred.last_at, kindred.last_at, now, zone);
    let at = if at.is_empty() { at } else { format!(" at {at}") };
    let last = if on.is_empty() && at.is_empty() { String::new() } else { format!("last{on}{at}") };
    let all = in_all(&kindred.event).map(|all| format!("{} in all", counted(all, "event")));
    [Some(last), all].into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ")
}

/// What became of it, for what tells of no error happening; behind [`which`].
pub fn news(event: &Event) -> String {
    let stage = stage(event);
    let by = |name: &str| match short(name, WORD) {
        name if name.is_empty() => name,
        name => format!(" by {name}"),
    };
    match event.trigger.as_str() {
        "release" if stage.is_empty() => format!("was released{}", by(&event.release.by)),
        "release" => format!("was released{} · {stage}", by(&event.release.by)),
        "errorStateManualChange" => {
            let snooze = short(&event.state.snooze, WORD);
            let change = match event.state.change.as_str() {
                "fixed" => "was marked as fixed",
                "reopened" => "was reopened",
                "snoozed" => &format!("was snoozed {snooze}"),
                "ignored" => "is ignored from now on",
                "snoozeCancelled" => "is no longer snoozed",
                "unignored" => "is no longer ignored",
                _ => "has changed",
            };
            format!("{}{}", change.trim_end(), by(&event.actor.name))
        }
        "projectSamplingStarted" => {
            "sends more than its plan allows: Bugsnag itself now withholds events, and reports only a part of them"
                .to_owned()
        }
        "projectApproachingRateLimit" => {
            "is close to its event limit: beyond it Bugsnag itself withholds events".to_owned()
        }
        _ => String::new(),
    }
}

/// What a person wrote, or what an event says that has no error; behind [`which`] and [`news`].
pub fn quote(event: &Event) -> String {
    match event.trigger.as_str() {
        "release"
        | "errorStateManualChange"
        | "projectSamplingStarted"
        | "projectApproachingRateLimit"
        | UNREADABLE => String::new(),
        _ => short(&event.text, QUOTE),
    }
}

/// `text` in one line, without its end where it has more than `most` characters.
fn short(text: &str, most: usize) -> String {
    CHARACTERS.end(&one_line(text), most)
}

fn or(text: String, other: &str) -> String {
    if text.is_empty() { other.to_owned() } else { text }
}
