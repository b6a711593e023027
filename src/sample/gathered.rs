//! What a message tells that stands for several: a storm after a release, more of the same, and nothing at all.

use std::time::Duration;

use crate::clock::Moment;
use crate::event::{Event, Severity};
use crate::flood::{Gathering, Kindred, Told};
use crate::name::SourceName;

const ORGANISATION: &str = "https://app.bugsnag.com/juniper-finch";

/// Gatherings of every kind, to try templates with: a digest and an urgent one, one of people's words alone, more of one
/// error and of several, and of each kind one of which nothing is known. The last event came at the moment `now`.
pub fn gatherings(now: Moment) -> Vec<Gathering> {
    let Ok(source) = SourceName::new("backend") else { return Vec::new() };
    let errors: Vec<Kindred> = ERRORS.iter().map(|row| kindred(&source, row, now)).collect();
    let first = |count: usize| errors.iter().take(count).cloned().collect::<Vec<_>>();
    let blank = Event::blank(source.clone(), "bugsnag", "{}");
    vec![
        storm(&source, &errors, now),
        Gathering { urgent: true, ..of(Told::Digest, first(2), 0, now) },
        Gathering { count: 10, ..words_alone(&source, now) },
        Gathering { notices: vec![blank.clone()], ..nothing(Told::Digest, now) },
        nothing(Told::Digest, now),
        of(Told::More, first(1), 0, now),
        of(Told::More, first(10), 14, now),
        Gathering { errors: vec![one(blank, &[], 1, now)], ..nothing(Told::More, now) },
        nothing(Told::More, now),
    ]
}

/// Title, application, severity, what happened, how many, and the tracker's own count.
type Row = (&'static str, &'static str, &'static str, &'static [&'static str], u64, &'static str);

const ERRORS: [Row; 10] = [
    ("Payments::GatewayTimeout", "Shop API", "error", &["exception", "powerTen"], 1_204, "10000"),
    (
        "ActiveRecord::ConnectionTimeoutError",
        "Shop API",
        "error",
        &["firstException", "exception"],
        912,
        "912",
    ),
    ("TypeError", "Shop Web", "error", &["reopened"], 431, "12877"),
    ("Project spiking", "Shop API", "error", &["projectSpiking"], 3, ""),
    ("Redis::CannotConnectError", "Shop Worker", "error", &["exception"], 301, "4410"),
    ("Crash in CheckoutActivity", "Shop for Android", "error", &["crash"], 88, ""),
    ("Checkout::StockMismatch", "Shop API", "warning", &["errorEventFrequency", "exception"], 760, "2480"),
    ("Net::OpenTimeout", "Shop Worker", "warning", &["exception"], 412, "9031"),
    ("SlowQuery", "Shop API", "warning", &["exception"], 28, "28"),
    ("CacheMiss", "Shop Web", "info", &["exception"], 1, "1"),
];

/// All of it, and all that can come besides errors.
fn storm(source: &SourceName, errors: &[Kindred], now: Moment) -> Gathering {
    let counts = severities(&[("error", 3_100), ("warning", 1_200), ("info", 112)]);
    let mut notices = others(source);
    notices.extend(words_alone(source, now).notices.into_iter().take(2));
    let told = of(Told::Digest, errors.to_vec(), 38, now);
    let (happened, more_notices) = (4_412, 4);
    let count = happened + more_notices + notices.len() as u64;
    Gathering { count, severities: counts, notices, more_notices, ..told }
}

fn of(told: Told, errors: Vec<Kindred>, more_errors: u64, now: Moment) -> Gathering {
    let count = errors.iter().map(|kindred| kindred.count).sum();
    let mut counts: Vec<(String, u64)> = Vec::new();
    for Kindred { severity, count, .. } in &errors {
        match counts.iter_mut().find(|(word, _)| word == severity) {
            Some((_, sum)) => *sum += count,
            None => counts.push((severity.clone(), *count)),
        }
    }
    let first_at = errors.iter().map(|kindred| kindred.first_at).min().unwrap_or(now);
    Gathering { count, severities: counts, first_at, errors, more_errors, ..nothing(told, now) }
}

fn nothing(told: Told, now: Moment) -> Gathering {
    Gathering {
        told,
        urgent: false,
        count: 1,
        caught_up: 0,
        severities: Vec::new(),
        first_at: now,
        last_at: now,
        errors: Vec::new(),
        more_errors: 0,
        notices: Vec::new(),
        more_notices: 0,
    }
}

fn severities(counts: &[(&str, u64)]) -> Vec<(String, u64)> {
    counts.iter().map(|(word, count)| ((*word).to_owned(), *count)).collect()
}

fn kindred(source: &SourceName, row: &Row, now: Moment) -> Kindred {
    let (title, app, severity, triggers, count, all) = *row;
    let trigger = triggers.last().copied().unwrap_or_default();
    let product = if trigger == "crash" { "bugfender" } else { "bugsnag" };
    let mut event = event(source, product, trigger, app);
    title.clone_into(&mut event.title);
    event.severity = Severity::read(severity).unwrap_or(Severity::Info);
    all.clone_into(&mut event.error.occurrences);
    event.rate = if trigger == "projectSpiking" { "1260".to_owned() } else { String::new() };
    event.url = format!("{ORGANISATION}/{}/errors/66f1c{count:04}", slug(app));
    one(event, triggers, count, now)
}

fn one(event: Event, triggers: &[&str], count: u64, now: Moment) -> Kindred {
    let first_at = now.minus(Duration::from_secs(if count == 1 { 0 } else { 240 + count / 4 }));
    Kindred {
        severity: event.severity.to_string(),
        triggers: triggers.iter().map(|&trigger| trigger.to_owned()).collect(),
        event,
        count,
        first_at,
        last_at: now,
    }
}

fn event(source: &SourceName, product: &'static str, trigger: &str, app: &str) -> Event {
    let mut event = Event::blank(source.clone(), product, "{}");
    trigger.clone_into(&mut event.trigger);
    app.clone_into(&mut event.app.name);
    event.url = format!("{ORGANISATION}/{}", slug(app));
    if product == "bugsnag" {
        event.app.stage = "production".into();
        event.app.version = "5.2.0".into();
    }
    event
}

fn slug(app: &str) -> String {
    app.to_lowercase().replace(' ', "-")
}

/// A release, a change of state, and the notices in which Bugsnag says that it withholds events.
fn others(source: &SourceName) -> Vec<Event> {
    let mut release = event(source, "bugsnag", "release", "Shop API");
    (release.release.version, release.release.by) = ("5.2.0".to_owned(), "Noor Haddad".to_owned());
    let mut change = event(source, "bugsnag", "errorStateManualChange", "Shop Web");
    (change.title, change.actor.name) = ("RangeError".to_owned(), "Noor Haddad".to_owned());
    change.state.change = "fixed".into();
    let limits = ["projectApproachingRateLimit", "projectSamplingStarted"].map(|trigger| {
        let mut event = event(source, "bugsnag", trigger, "Shop API");
        event.severity = Severity::Warning;
        event
    });
    [vec![release, change], limits.to_vec()].concat()
}

/// What people say, without any error: a comment, and feedback.
fn words_alone(source: &SourceName, now: Moment) -> Gathering {
    let said = [
        "The payment provider confirms an outage in its EU region. Rolling back would not help.",
        "I pressed Pay three times and was told nothing. Was I charged?",
    ];
    let notices = (0..10).map(|number| {
        let is_comment = number % 2 == 0;
        let (product, trigger) = if is_comment { ("bugsnag", "comment") } else { ("bugfender", "feedback") };
        let mut event =
            event(source, product, trigger, if is_comment { "Shop API" } else { "Shop for Android" });
        event.title = if is_comment { "Payments::GatewayTimeout" } else { "Paid twice?" }.into();
        event.actor.name = if is_comment { "Noor Haddad" } else { "" }.into();
        event.text = said.get(number % 2).copied().unwrap_or_default().into();
        event
    });
    Gathering { notices: notices.collect(), ..nothing(Told::Digest, now) }
}
