//! Messages that stand for several events, whatever these say: each platform gets what it takes, nobody is mentioned, and no
//! count is lost.

use std::sync::LazyLock;

use jiff::tz::TimeZone;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::any::{any_line, any_url};
use super::check::compatible;
use super::check::simplest as simple;
use super::check::visible;
use super::{PRODUCTS, check, messages, plain, with_options};
use crate::clock::Moment;
use crate::event::{Event, EventId, Severity};
use crate::flood::{Gathering, Kindred, NAMED, NOTICES, Told};
use crate::message::gathering::plain_gathering;
use crate::message::{Message, Text};
use crate::name::SourceName;
use crate::sample;
use crate::template::{Telling, TemplateSet};
use crate::text::one_line;

static BUILT_IN: LazyLock<TemplateSet> = LazyLock::new(|| TemplateSet::built_in(TimeZone::UTC));

const TELLING: Telling<'static> =
    Telling { id: EventId(27_000), repeat: true, instead_of: Some("oncall"), now: Moment(1_741_082_400_000) };

/// Longer ago than today, so that times are as long as they can be.
const FIRST: Moment = Moment(1_640_000_000_000);

/// What besides errors a digest tells of.
const TRIGGERS: [&str; 9] = [
    "comment",
    "feedback",
    "release",
    "errorStateManualChange",
    "projectSamplingStarted",
    "projectApproachingRateLimit",
    "unreadable",
    "somethingNew",
    "exception",
];

/// An event that says `text` wherever it says anything.
fn event(trigger: &str, text: &str, url: &str) -> Event {
    let mut event = Event::blank(SourceName::new("backend").unwrap(), "bugsnag", "{}");
    trigger.clone_into(&mut event.trigger);
    event.severity = Severity::Other(text.to_owned());
    url.clone_into(&mut event.url);
    for field in [
        &mut event.reason,
        &mut event.title,
        &mut event.text,
        &mut event.app.name,
        &mut event.app.stage,
        &mut event.app.version,
        &mut event.actor.name,
        &mut event.release.version,
        &mut event.release.by,
        &mut event.state.snooze,
    ] {
        text.clone_into(field);
    }
    event.state.change = "snoozed".to_owned();
    event.error.occurrences = u64::MAX.to_string();
    event
}

fn kindred(number: usize, text: &str, url: &str) -> Kindred {
    let every =
        ["firstException", "exception", "reopened", "powerTen", "errorEventFrequency", "projectSpiking"];
    Kindred {
        event: event("exception", text, url),
        severity: text.to_owned(),
        triggers: every.map(str::to_owned).to_vec(),
        count: count(number),
        first_at: FIRST,
        last_at: Moment(FIRST.0 + 86_400_000),
    }
}

/// A count that stands nowhere else.
fn count(number: usize) -> u64 {
    8_765_430 + u64::try_from(number).unwrap()
}

/// Everything that one message can have to tell, with `text` wherever it tells anything.
fn full(told: Told, text: &str, url: &str, errors: usize, notices: usize) -> Gathering {
    let event = |number: usize| event(TRIGGERS[number % TRIGGERS.len()], text, url);
    Gathering {
        told,
        urgent: true,
        count: u64::MAX,
        caught_up: 0,
        severities: vec![("error".to_owned(), 7_654_321), (text.to_owned(), 3), ("info".to_owned(), 2)],
        first_at: FIRST,
        last_at: Moment(FIRST.0 + 86_400_000),
        errors: (0..errors).map(|number| kindred(number, text, url)).collect(),
        more_errors: 5_432_100,
        notices: (0..notices).map(event).collect(),
        more_notices: 4_321_000,
    }
}

/// Has every platform take the message, in full and in its simplest form; what people see of the full one.
fn shown_everywhere(message: &Message) -> Vec<(&'static str, String)> {
    let mut shown = Vec::new();
    for product in PRODUCTS {
        let body = plain(product).compose(message, &[]);
        assert_eq!(check(product, &body), Vec::<String>::new(), "{product}");
        shown.push((product, one_line(&visible(product, &body).replace('\u{200B}', ""))));
        let simplest = plain(product).compose_simplest(message, &[]);
        assert_eq!(simple::check(product, &simplest), Vec::<String>::new(), "{product}");
        let id = simple::visible(product, &simplest);
        assert!(id.contains("#3222"), "{product}: {id}");
    }
    let server = with_options("slack", json!({ "blocks": false })).unwrap();
    let (pings, seen) = compatible::check(&server.compose(message, &[]));
    assert!(pings.is_empty());
    shown.push(("slack without blocks", one_line(&seen.text.replace('\u{200B}', ""))));
    compatible::check_simplest(&server.compose_simplest(message, &[]));
    shown
}

/// Both by its template and in the plain form.
fn hold(gathering: &Gathering) {
    let (message, shortfalls) = BUILT_IN.gathered(gathering, &TELLING);
    assert!(shortfalls.is_empty(), "{shortfalls:?}");
    let mut in_words = plain_gathering(gathering, TELLING.now, &TimeZone::UTC);
    in_words.footer = Text::plain("#3222 · instead of oncall · may be a repeat");
    for message in [message, in_words] {
        for (product, shown) in shown_everywhere(&message) {
            for said in ["#3222 · instead of oncall · may be a repeat", &title_count(gathering)] {
                assert!(shown.contains(said), "{product}: {said} is not in {shown}");
            }
            if gathering.errors.len() + gathering.notices.len() == 0 {
                continue;
            }
            counts_are_kept(gathering, product, &shown);
        }
    }
}

fn title_count(gathering: &Gathering) -> String {
    match (gathering.told, gathering.errors.len(), gathering.more_errors) {
        (Told::More, 1, 0) => with_separators(gathering.errors[0].count),
        _ => with_separators(gathering.count),
    }
}

fn with_separators(count: u64) -> String {
    crate::text::with_separators(usize::try_from(count).unwrap())
}

/// Each error's own count is shown, or that the error is left out.
fn counts_are_kept(gathering: &Gathering, product: &str, shown: &str) {
    let lost = gathering.errors.iter().filter(|error| !shown.contains(&with_separators(error.count))).count();
    assert_eq!(lost, 0, "{product}: counts are lost in {shown}");
    for (more, thing) in [(gathering.more_errors, "error"), (gathering.more_notices, "notice")] {
        let is_told = more > 0 && (gathering.told == Told::Digest || thing == "error");
        let words = format!("and {} more {thing}s", with_separators(more));
        assert!(!is_told || more == 1 || shown.contains(&words), "{product}: {words} is not in {shown}");
    }
}

#[test]
fn hostile_text_stays_text_in_what_stands_for_several() {
    let url = "https://app.bugsnag.com/juniper-finch/shop-api/errors/66f0a1b2?event_id=66f0a1b2&i=wh&m=nw";
    for text in messages::HOSTILE {
        for (told, errors, notices) in [
            (Told::Digest, NAMED, NOTICES),
            (Told::Digest, 0, NOTICES),
            (Told::Digest, 1, 0),
            (Told::More, NAMED, 0),
        ] {
            hold(&full(told, text, url, errors, notices));
        }
        hold(&Gathering { more_errors: 0, ..full(Told::More, text, url, 1, 0) });
    }
}

#[test]
fn no_count_is_lost_behind_huge_texts() {
    for piece in ["x", "**", "Ein *Fehler* & <b> 👩‍👩‍👧 ", "\n> q", "\u{202E}مرحبا ", "\\\"{"]
    {
        let text = piece.repeat(1_000);
        for url in ["", &format!("https://example.com/{}?{}", "p".repeat(300), "q".repeat(3_000))] {
            hold(&full(Told::Digest, &text, url, NAMED, NOTICES));
            hold(&full(Told::Digest, &text, url, 0, NOTICES));
            hold(&full(Told::More, &text, url, NAMED, 0));
            hold(&Gathering { more_errors: 0, ..full(Told::More, &text, url, 1, 0) });
        }
    }
}

#[test]
fn every_sample_and_what_says_nothing_is_told() {
    for gathering in sample::gatherings(Moment(1_790_000_000_000)) {
        hold(&gathering);
    }
    for told in [Told::Digest, Told::More] {
        hold(&full(told, "", "", 0, 0));
        hold(&full(told, "", "", NAMED, NOTICES));
        let severities = vec![(String::new(), 0), ("\u{200B}".to_owned(), 1)];
        hold(&Gathering { severities, ..full(told, "\u{3164}", "", 2, 2) });
    }
}

#[test]
fn the_plain_form_says_what_the_built_in_templates_say() {
    for gathering in sample::gatherings(Moment(1_790_000_000_000)) {
        let by_template = BUILT_IN.gathered(&gathering, &TELLING).0;
        let mut in_code = plain_gathering(&gathering, TELLING.now, &TimeZone::UTC);
        in_code.footer = by_template.footer.clone();
        assert_eq!(in_code, by_template);
    }
}

#[test]
fn the_line_for_phones_says_it_all() {
    let line = |product: &str, gathering: &Gathering| {
        let body = plain(product).compose(&BUILT_IN.gathered(gathering, &TELLING).0, &[]);
        let pointer = if product == "slack" { "/text" } else { "/attachments/0/content/fallbackText" };
        body.pointer(pointer).and_then(Value::as_str).unwrap().replace(['\u{200B}', '\\'], "")
    };
    let samples = sample::gatherings(Moment(1_790_000_000_000));
    let first = |told| samples.iter().find(|gathering| gathering.told == told).unwrap();
    for product in ["slack", "teams"] {
        let digest = line(product, first(Told::Digest));
        let said =
            "🔴 4,422 events: 3,100 errors, 1,200 warnings, 112 infos, 10 notices · 48 different errors";
        assert!(digest.starts_with(said), "{digest}");
        let more = line(product, first(Told::More));
        assert!(
            more.starts_with(
                "🔴 Payments::GatewayTimeout in Shop API · production: 1,204 more notices, last on 5.2.0 at"
            ),
            "{more}"
        );
        assert!(more.ends_with("; 10,000 events in all") && !more.contains('\n'), "{more}");
    }
}

#[test]
fn a_thread_that_it_opens_is_called_by_its_title() {
    let forum = with_options("discord", json!({ "thread_name": "{{app.name}}" })).unwrap();
    let gatherings = sample::gatherings(Moment(1_790_000_000_000));
    let message = BUILT_IN.gathered(&gatherings[0], &TELLING).0;
    let name = forum.compose(&message, &[])["thread_name"].clone();
    assert_eq!(name, "🔴 4,422 events: 3,100 errors, 1,200 warnings, 112 infos, 10 notices");
}

prop_compose! {
    fn any_gathering()(
        told in prop::sample::select(&[Told::Digest, Told::More][..]),
        urgent in any::<bool>(),
        texts in prop::collection::vec((any_line(), any_url()), 0..=NAMED),
        said in prop::collection::vec((any_line(), any_url(), 0..TRIGGERS.len()), 0..=NOTICES),
        severities in prop::collection::vec((any_line(), 0..10_000_u64), 0..8),
        (more_errors, more_notices) in (0..10_000_u64, 0..10_000_u64),
        (first, last) in (any::<i64>(), any::<i64>()),
    ) -> Gathering {
        let errors = texts.iter().enumerate().map(|(number, (text, url))| kindred(number, text, url));
        Gathering {
            urgent,
            severities,
            more_errors,
            more_notices,
            first_at: Moment(first),
            last_at: Moment(last),
            errors: errors.collect(),
            notices: said.iter().map(|(text, url, trigger)| event(TRIGGERS[*trigger], text, url)).collect(),
            ..full(told, "", "", 0, 0)
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_gathering_is_told_on_every_platform(gathering in any_gathering()) {
        hold(&gathering);
    }
}
