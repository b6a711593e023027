//! Every built-in template with any event: what each platform gets is a message that it takes, nobody is mentioned, and
//! what the event says is shown as it was said, or visibly cut.

use std::sync::LazyLock;

use jiff::tz::TimeZone;
use proptest::prelude::*;
use unicode_segmentation::UnicodeSegmentation as _;

use super::any::{any_line, any_url};
use super::check::visible as shown_in;
use super::{PRODUCTS, check, messages, plain, visible};
use crate::clock::Moment;
use crate::delivery::Reason;
use crate::event::{Cause, Event, EventId, Frame, LinkedIssue, Severity};
use crate::name::{DestinationName, SourceName};
use crate::notice::{self, Bulletin, Notice};
use crate::sample;
use crate::template::{Telling, TemplateSet};
use crate::text::one_line;

static BUILT_IN: LazyLock<TemplateSet> = LazyLock::new(|| TemplateSet::built_in(TimeZone::UTC));

const TELLING: Telling<'static> =
    Telling { id: EventId(27_000), repeat: false, instead_of: None, now: Moment(1_741_082_400_000) };

/// The triggers that have a template, and what has none.
const TRIGGERS: [&str; 16] = [
    "firstException",
    "exception",
    "errorEventFrequency",
    "powerTen",
    "reopened",
    "errorStateManualChange",
    "projectSpiking",
    "comment",
    "release",
    "projectSamplingStarted",
    "projectApproachingRateLimit",
    "crash",
    "issue",
    "feedback",
    "unreadable",
    "somethingNew",
];

prop_compose! {
    fn any_event()(
        trigger in prop_oneof![8 => prop::sample::select(&TRIGGERS[..]).prop_map(str::to_owned), 1 => any_line()],
        product in prop::sample::select(&["bugsnag", "bugfender"][..]),
        (reason, title, text, app, stage, version) in
            (any_line(), any_line(), any_line(), any_line(), any_line(), any_line()),
        (class, context, occurrences, first_seen, person, device) in
            (any_line(), any_line(), any_line(), any_line(), any_line(), any_line()),
        (url, issue, diff) in (any_url(), any_url(), any_url()),
        change in prop_oneof![prop::sample::select(&["fixed", "snoozed", ""][..]).prop_map(str::to_owned), any_line()],
        severity in prop_oneof![Just(Severity::Error), any_line().prop_map(Severity::Other)],
        frames in prop::collection::vec((any_line(), any_line(), any::<Option<bool>>()), 0..6),
        test in any::<bool>(),
    ) -> Event {
        let mut event = Event::blank(SourceName::new("backend").unwrap(), product, "{}");
        (event.trigger, event.reason, event.title, event.text) = (trigger, reason, title, text);
        (event.app.name, event.app.stage, event.app.version) = (app, stage, version.clone());
        (event.error.class, event.error.context) = (class, context);
        (event.error.occurrences, event.error.users) = (occurrences.clone(), occurrences);
        (event.error.first_seen, event.at) = (first_seen.clone(), first_seen);
        (event.url, event.release.diff_url) = (url, diff);
        event.error.linked_issue = LinkedIssue { id: version.clone(), url: issue };
        (event.release.version, event.release.by, event.release.commit) = (version.clone(), person.clone(), version);
        event.error.causes = vec![Cause { class: person.clone(), message: device.clone() }];
        (event.actor.name, event.id) = (person, device.clone());
        (event.device.name, event.device.os, event.state.snooze) = (device.clone(), device.clone(), device);
        (event.state.change, event.severity, event.test) = (change, severity, test);
        event.error.stack = frames
            .into_iter()
            .map(|(file, method, own)| Frame { file, method, own, ..Frame::default() })
            .collect();
        event
    }
}

/// Whether `said` is shown: all of it, or its beginning, and the sign that it was cut. Blank space is not compared.
fn is_shown(said: &str, visible: &str, alone: bool) -> bool {
    let words = |text: &str| one_line(&text.replace('\u{200B}', ""));
    let (said, visible) = (words(said), words(visible));
    // What stands in a line behind something long may be cut away with it.
    let most = if alone { 4 } else { 0 };
    // Nor does a cut ever keep a part of what is one sign, however many characters it has.
    let mut taken = 0;
    let kept = said.graphemes(true).take_while(|sign| {
        taken += sign.chars().count();
        taken <= most
    });
    let beginning: String = kept.collect();
    visible.contains(&said) || (visible.contains(beginning.trim_end()) && visible.contains('…'))
}

fn hold(event: &Event) {
    let ask = (event.source == SourceName::own()).then_some(notice::TEMPLATE);
    let message = BUILT_IN.render(ask, event, &TELLING);
    assert_eq!(message, BUILT_IN.render(ask, event, &TELLING), "the same input gives the same message");
    for product in PRODUCTS {
        for repeat in [false, true] {
            let message = BUILT_IN.render(ask, event, &Telling { repeat, ..TELLING });
            let body = plain(product).compose(&message, &[]);
            assert_eq!(check(product, &body), Vec::<String>::new(), "{product}");
            let visible = shown_in(product, &body);
            assert!(visible.contains("#3222"), "{product}: the id stays: {visible}");
            assert_eq!(visible.contains("may be a repeat"), repeat, "{product}");
        }
    }
    let shown = ["firstException", "exception", "powerTen", "reopened", "errorEventFrequency"];
    if shown.contains(&event.trigger.as_str()) && !event.test && event.product == "bugsnag" {
        for product in PRODUCTS {
            let visible = visible(product, &message);
            for (said, alone) in [
                (&event.title, true),
                (&event.text, true),
                (&event.app.version, false),
                (&event.app.name, false),
                (&event.error.context, false),
            ] {
                assert!(is_shown(said, &visible, alone), "{product}: {said:?} is not shown");
            }
        }
    }
}

#[test]
fn hostile_text_stays_text_in_every_template() {
    for trigger in TRIGGERS {
        for text in messages::HOSTILE {
            for test in [false, true] {
                let mut event = Event::blank(SourceName::new("backend").unwrap(), "bugsnag", "{}");
                (event.trigger, event.test) = (trigger.to_owned(), test);
                for field in [
                    &mut event.reason,
                    &mut event.title,
                    &mut event.text,
                    &mut event.app.name,
                    &mut event.app.stage,
                    &mut event.app.version,
                    &mut event.error.class,
                    &mut event.error.context,
                    &mut event.actor.name,
                    &mut event.release.version,
                    &mut event.release.by,
                    &mut event.device.name,
                    &mut event.error.request_url,
                ] {
                    (*text).clone_into(field);
                }
                event.error.stack = vec![Frame { file: (*text).to_owned(), ..Frame::default() }];
                hold(&event);
            }
        }
    }
}

#[test]
fn a_megabyte_is_cut_visibly_in_every_template() {
    for trigger in TRIGGERS {
        let mut event = Event::blank(SourceName::new("backend").unwrap(), "bugsnag", "{}");
        event.trigger = trigger.to_owned();
        event.title = "Ein *Fehler* & <b> 👩‍👩‍👧 ".repeat(30_000);
        event.text = "> quoted **bold** `code` 😀\n".repeat(40_000);
        event.error.stack = vec![Frame { file: "path/".repeat(10_000), ..Frame::default() }; 200];
        hold(&event);
    }
}

/// What bugle says of itself, with `text` wherever it says what somebody else has said.
fn own(text: &str) -> Vec<Event> {
    let (from, to) = (DestinationName::new("oncall").unwrap(), DestinationName::new("team").unwrap());
    let words = text.to_owned();
    let notices = [
        Notice::DestinationGone { destination: from.clone(), words: words.clone(), fallback: None },
        Notice::DeadLetters {
            destination: None,
            reason: Reason::Blocked,
            words: words.clone(),
            example: None,
            count: u64::MAX,
        },
        Notice::ReloadRefused { problems: vec![words; 9] },
        Notice::DivertingBegan { from, to, gone: true },
    ];
    let tell = |notice: Notice| {
        let (mut bulletin, topic) = (Bulletin::default(), notice.topic());
        bulletin.add(notice.clone(), Moment(0));
        bulletin.add(notice, Moment(0));
        bulletin.tell(&topic, true, None, Moment(0)).event()
    };
    notices.into_iter().map(tell).collect()
}

#[test]
fn a_notice_is_taken_whatever_a_platform_or_a_configuration_says() {
    let long = "x *y* <!channel> `z` ".repeat(50_000);
    for text in messages::HOSTILE.iter().copied().chain([long.as_str(), ""]) {
        own(text).iter().for_each(hold);
    }
    sample::notices(Moment(0)).iter().for_each(hold);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_notice_is_told_on_every_platform(text in any_line(), which in 0..4_usize) {
        hold(&own(&text)[which]);
    }

    #[test]
    fn any_event_is_told_on_every_platform(event in any_event()) {
        hold(&event);
    }
}
