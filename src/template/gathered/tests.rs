//! What a message says that stands for several, and by which template.

use jiff::tz::TimeZone;
use serde_json::Value as Json;

use super::super::schema::gathering_names;
use super::super::{TemplateFile, TemplateProblem};
use super::*;
use crate::event::{EventId, Severity};
use crate::message::{Block, Text};
use crate::name::SourceName;

/// 2026-09-21, 20:00 UTC.
const NOW: Moment = Moment(1_790_020_800_000);

const TELLING: Telling<'static> = Telling { id: EventId(27_000), repeat: false, instead_of: None, now: NOW };

fn at(hours: i64) -> Moment {
    Moment(NOW.0 + hours * 3_600_000)
}

fn event(trigger: &str) -> Event {
    let mut event = Event::blank(SourceName::new("backend").unwrap(), "bugsnag", "{}");
    event.trigger = trigger.into();
    event.severity = Severity::Error;
    event.title = "Boom".into();
    event.app.name = "Shop".into();
    event.app.version = "2.3.1".into();
    event.error.occurrences = "1000".into();
    event.url = "https://a.example/1".into();
    event
}

fn kindred(event: Event, triggers: &[&str], count: u64) -> Kindred {
    let triggers = triggers.iter().map(|&trigger| trigger.to_owned()).collect();
    Kindred { severity: "error".into(), event, triggers, count, first_at: at(-1), last_at: at(0) }
}

fn gathering(told: Told, errors: Vec<Kindred>) -> Gathering {
    Gathering {
        told,
        urgent: false,
        count: 57,
        caught_up: 0,
        severities: vec![("error".into(), 56), ("info".into(), 1)],
        first_at: at(-1),
        last_at: at(0),
        errors,
        more_errors: 0,
        notices: Vec::new(),
        more_notices: 0,
    }
}

fn set(files: &[(&str, &str)]) -> (TemplateSet, Vec<TemplateProblem>) {
    let file = |(name, text): &(&str, &str)| TemplateFile { name: (*name).into(), text: (*text).into() };
    TemplateSet::new(files.iter().map(file).collect(), TimeZone::UTC)
}

fn message(gathering: &Gathering) -> Message {
    let (message, shortfalls) = set(&[]).0.gathered(gathering, &TELLING);
    assert!(shortfalls.is_empty(), "{shortfalls:?}");
    message
}

/// What its blocks say, a line each.
fn lines(message: &Message) -> Vec<String> {
    let of = |block: &Block| match block {
        Block::Paragraph(text) => vec![text.to_string()],
        Block::List(list) => list.items.iter().map(Text::to_string).collect(),
        other => panic!("{other:?}"),
    };
    message.blocks.iter().flat_map(of).collect()
}

#[test]
fn more_of_one_error_is_its_title_and_one_line() {
    let mut one = event("exception");
    let said = |event: &Event, count| {
        let message = message(&gathering(Told::More, vec![kindred(event.clone(), &["exception"], count)]));
        assert_eq!((message.title.url(), message.tone), ("https://a.example/1", Tone::Error));
        assert_eq!(message.title.to_string(), "🔴 Boom in Shop");
        assert_eq!(message.footer.to_string(), "#3222");
        lines(&message).join("\n")
    };
    assert_eq!(said(&one, 57), "57 more notices, last on 2.3.1 at 20:00; 1,000 events in all");
    one.error.occurrences = "1".into();
    assert_eq!(said(&one, 1), "1 more notice, last on 2.3.1 at 20:00; 1 event in all");
    (one.app.version, one.error.occurrences) = (String::new(), "many".into());
    assert_eq!(said(&one, 1_204), "1,204 more notices, last at 20:00");
}

#[test]
fn more_of_several_errors_has_a_line_for_each() {
    let mut other = event("projectSpiking");
    other.error.occurrences = "9".into();
    let errors =
        vec![kindred(event("exception"), &["exception"], 40), kindred(other, &["projectSpiking"], 17)];
    let message = message(&Gathering { more_errors: 1, ..gathering(Told::More, errors) });
    assert_eq!(message.title.to_string(), "🔴 57 more notices of 3 errors");
    let expected = [
        "🔴 Boom in Shop: 40 more, last on 2.3.1 at 20:00; 1,000 events in all",
        "🔴 Shop is spiking: 17 more, last on 2.3.1 at 20:00",
        "and 1 more error",
    ];
    assert_eq!(lines(&message), expected);
}

#[test]
fn a_digest_says_what_is_special_in_plain_words() {
    let line = |triggers: &[&str], rate: &str| {
        let event = Event { rate: rate.into(), ..event(triggers[0]) };
        lines(&message(&gathering(Told::Digest, vec![kindred(event, triggers, 1)]))).join("\n")
    };
    let expected = [
        (&["exception"][..], "", "🔴 Boom in Shop · 19:00 to 20:00 · 1 event"),
        (&["firstException", "exception"], "", "🔴 Boom in Shop · new · 19:00 to 20:00 · 1 event"),
        (
            &["reopened", "powerTen"],
            "",
            "🔴 Boom in Shop · reopened · milestone, 1,000 in all · 19:00 to 20:00 · 1 event",
        ),
        (&["errorEventFrequency"], "", "🔴 Boom in Shop · frequent · 19:00 to 20:00 · 1 event"),
        (
            &["projectSpiking"],
            "1260",
            "🔴 Shop is spiking · spike of 1,260 events · 19:00 to 20:00 · 1 event",
        ),
        (&["projectSpiking"], "", "🔴 Shop is spiking · 19:00 to 20:00 · 1 event"),
    ];
    for (triggers, rate, expected) in expected {
        assert_eq!(line(triggers, rate), expected);
    }
}

#[test]
fn a_digest_says_how_many_of_what_where_and_since_when() {
    let mut told = gathering(Told::Digest, vec![kindred(event("exception"), &[], 56)]);
    told.urgent = true;
    told.more_errors = 38;
    let message = message(&told);
    assert_eq!(message.title.to_string(), "🔴 Urgent: 57 events: 56 errors, 1 info");
    assert_eq!(message.subtitle.to_string(), "39 different errors · Shop · 19:00 to 20:00");
    assert_eq!(lines(&message).last().unwrap(), "and 38 more errors");

    let app = |name: &str| {
        let mut event = event("exception");
        event.app.name = name.into();
        kindred(event, &[], 1)
    };
    told.errors = ["a", "b", "a", "", "c", "d", "e"].map(app).to_vec();
    told.severities = ["error", "fatal", "odd", "x", "", "info"].map(|word| (word.to_owned(), 2)).to_vec();
    (told.urgent, told.first_at) = (false, at(-24 * 365));
    let message = self::message(&told);
    assert_eq!(
        message.title.to_string(),
        "🔴 57 events: 2 errors, 2 fatal, 2 odd, 2 infos, 4 others, 45 notices"
    );
    let expected = "45 different errors · a, b, c and 2 more · 21 Sep 2025, 20:00 to 20:00";
    assert_eq!(message.subtitle.to_string(), expected);
}

#[test]
fn times_have_their_date_where_it_is_not_today() {
    let madrid = TimeZone::get("Europe/Madrid").unwrap();
    let span = |first: i64, last: i64| span(at(first), at(last), NOW, &madrid);
    assert_eq!(span(0, 0), "22:00");
    assert_eq!(span(-22, 0), "00:00 to 22:00");
    assert_eq!(span(-23, 0), "20 Sep, 23:00 to 22:00");
    assert_eq!(span(-24, -23), "20 Sep, 22:00 to 23:00");
    assert_eq!(span(-48, -24), "19 Sep, 22:00 to 20 Sep, 22:00");
    assert_eq!(super::span(Moment(i64::MAX), NOW, NOW, &madrid), "");
}

#[test]
fn whatever_is_no_error_has_a_line_of_its_own() {
    let line = |trigger: &str, change: fn(&mut Event)| {
        let mut event = Event { severity: Severity::Info, text: " so\nit  goes".into(), ..event(trigger) };
        change(&mut event);
        lines(&message(&Gathering { notices: vec![event], ..gathering(Told::Digest, Vec::new()) })).join("\n")
    };
    let noor = |event: &mut Event| event.actor.name = "Noor".into();
    assert_eq!(line("comment", noor), "🔵 Noor commented on Boom in Shop: “so it goes”");
    assert_eq!(line("comment", |_| {}), "🔵 Somebody commented on Boom in Shop: “so it goes”");
    assert_eq!(line("feedback", |_| {}), "🔵 Feedback: Boom in Shop: “so it goes”");
    assert_eq!(line("somethingNew", |event| event.test = true), "🔵 Test: Boom in Shop: “so it goes”");
    let release = |event: &mut Event| {
        (event.release.version, event.release.by) = ("5.2.0".into(), "Noor".into());
        event.app.stage = "staging".into();
    };
    assert_eq!(line("release", release), "🔵 Shop 5.2.0 was released by Noor · staging");
    let fixed = |event: &mut Event| event.state.change = "fixed".into();
    assert_eq!(line("errorStateManualChange", fixed), "🟢 Boom in Shop was marked as fixed");
    let snoozed = |event: &mut Event| {
        event.state.change = "snoozed".into();
        (event.state.snooze, event.actor.name) = ("for 6 hours".into(), "Noor".into());
    };
    assert_eq!(line("errorStateManualChange", snoozed), "⚪ Boom in Shop was snoozed for 6 hours by Noor");
    for trigger in ["projectSamplingStarted", "projectApproachingRateLimit"] {
        assert!(line(trigger, |_| {}).contains("Bugsnag itself"), "{trigger}");
    }
    let long = line("comment", |event| event.text = "x".repeat(1_000));
    assert!(long.ends_with(&format!("“{}…”", "x".repeat(199))), "{long}");
}

#[test]
fn a_template_of_ones_own_sees_every_name_and_no_others() {
    let all = Gathering {
        notices: vec![event("comment")],
        ..gathering(Told::Digest, vec![kindred(event("exception"), &["exception"], 2)])
    };
    let context = About::Several(&all).context(&TELLING, Uses::default(), (Form::Markdown, &TimeZone::UTC));
    for name in gathering_names() {
        let is_known = reach(&context, &name.split('.').collect::<Vec<_>>());
        assert!(is_known, "{name}");
    }
    let own = "# {{count}} {{#each errors}}{{app.name}} {{triggers}} {{error.class}}{{/each}}\n\n{{#each severities}}{{severity}}{{/each}}";
    let (own, problems) = set(&[("digest.hbs", own)]);
    assert_eq!(problems, []);
    assert_eq!(own.gathered(&all, &TELLING).0.title.to_string(), "57 Shop exception");

    let wrong = [
        ("digest.hbs", "# {{cuont}}", "there is no `cuont`", "did you mean `count`?"),
        ("more.hbs", "# {{raw.x}}", "there is no `raw.x`", ""),
        (
            "more.hbs",
            "# {{app.name}}",
            "there is no `app.name`",
            "it is known within `{{#each errors}} … {{/each}}`",
        ),
        (
            "digest.slack.json.hbs",
            "{\"a\": \"{{id}} {{error.class}}\"}",
            "there is no `error.class`",
            "`{{#each errors}}",
        ),
        ("digest.hbs", "{{#each errors}}{{counts}}{{/each}}", "there is no `counts`", "write `@root.counts`"),
        ("default.hbs", "# {{counts}}", "there is no `counts`", ""),
    ];
    for (file, text, expected, help) in wrong {
        let problem = set(&[(file, text)]).1.remove(0);
        assert_eq!((problem.file.as_str(), problem.message.as_str()), (file, expected));
        assert!(problem.help.unwrap_or_default().contains(help), "{file}: {text}");
    }
}

#[test]
fn a_text_of_megabytes_is_not_kept_whole_for_every_error() {
    let long = Event { text: "x".repeat(1_000_000), ..event("exception") };
    let all = gathering(Told::Digest, vec![kindred(long, &["exception"], 2)]);
    let (own, _) = set(&[("digest.hbs", "# x\n\n{{#each errors}}{{text}}{{error.message}}{{/each}}")]);
    let said = lines(&own.gathered(&all, &TELLING).0).join("");
    assert_eq!(said.matches("characters left out").count(), 2);
    assert!(said.chars().count() <= 2 * LONG_TEXT, "{}", said.len());
}

/// Whether the path leads to something; in a list, to something in its first element, if it has one.
fn reach(value: &Json, steps: &[&str]) -> bool {
    match (value, steps) {
        (value, []) => !value.is_null(),
        (Json::Array(elements), steps) => elements.first().is_none_or(|first| reach(first, steps)),
        (value, [step, rest @ ..]) => value.get(*step).is_some_and(|value| reach(value, rest)),
    }
}

#[test]
fn a_template_that_fails_leaves_the_plain_form_and_says_so() {
    let all = gathering(Told::Digest, vec![kindred(event("exception"), &[], 2)]);
    let (failing, problems) = set(&[("digest.hbs", "# {{date first_at errors.0.title}}")]);
    assert_eq!(problems, []);
    let mut other = all.clone();
    other.errors[0].event.title = "%!".into();
    let (message, shortfalls) = failing.gathered(&other, &TELLING);
    assert_eq!(shortfalls.len(), 1);
    assert_eq!(shortfalls[0].template.as_deref(), Some("digest"));
    let lines = lines(&message);
    assert!(lines[0].starts_with("🔴 %! in Shop"), "{lines:?}");
    assert!(lines[1].starts_with("the template `digest` failed: "), "{lines:?}");
    assert_eq!(message.footer.to_string(), "#3222");

    let problems = failing.try_with(&[event("exception")], &[other, gathering(Told::More, Vec::new())]);
    assert_eq!((problems.len(), problems[0].file.as_str()), (1, "digest.hbs"));
    assert!(problems[0].message.starts_with("it fails for a sample of 1 errors"), "{}", problems[0].message);
    assert_eq!(failing.try_with(&[event("exception")], std::slice::from_ref(&all)), []);

    let (broken, problems) = set(&[("digest.hbs", "# {{nothing}}")]);
    assert_eq!(problems.len(), 1);
    let (message, shortfalls) = broken.gathered(&all, &TELLING);
    assert_eq!(shortfalls[0].words, "there is no template that can be used");
    assert_eq!(message.title.to_string(), "🔴 57 events: 56 errors, 1 info");
}

#[test]
fn what_has_no_title_of_its_own_has_the_plain_one_and_the_footer_says_the_id_once() {
    let all = gathering(Told::Digest, Vec::new());
    let telling = Telling { repeat: true, instead_of: Some("oncall"), ..TELLING };
    let (own, _) = set(&[("digest.hbs", "{{count}}\n\n*by bugle · {{id}}*")]);
    let message = own.gathered(&all, &telling).0;
    assert_eq!(message.title.to_string(), "🔴 57 events: 56 errors, 1 info");
    assert_eq!(message.footer.to_string(), "by bugle · #3222 · instead of oncall · may be a repeat");
}

#[test]
fn no_rule_and_no_trigger_asks_for_it() {
    let (set, _) =
        set(&[("default.hbs", "# default"), ("more.slack.json.hbs", "{\"text\": \"{{id}} {{count}}\"}")]);
    for name in ["digest", "more"] {
        assert!(!set.names().contains(name), "{name}");
        assert_eq!(set.render(None, &event(name), &TELLING).title.to_string(), "default");
        assert!(set.native("slack", Some(name), &event(name), &TELLING).is_none());
    }
    let all = gathering(Told::More, Vec::new());
    let native = set.native_gathered("slack", &all, &TELLING).unwrap().unwrap();
    assert_eq!(native.body.as_object().unwrap().len(), 1);
    assert!(set.native_gathered("teams", &all, &TELLING).is_none());
    assert!(set.native_gathered("slack", &gathering(Told::Digest, Vec::new()), &TELLING).is_none());
}

#[test]
fn the_footer_says_how_many_no_webhook_had_brought() {
    let set = TemplateSet::built_in(TimeZone::UTC);
    for (caught_up, footer) in [(0, "#3222"), (12, "#3222 · 12 caught up"), (57, "#3222 · caught up")] {
        let gathering = Gathering { caught_up, ..gathering(Told::Digest, Vec::new()) };
        assert_eq!(set.gathered(&gathering, &TELLING).0.footer.to_string(), footer);
    }
}
