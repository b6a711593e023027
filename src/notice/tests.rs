//! What notices say, and that what they count is so.

use super::*;

const NOW: Moment = Moment(1_790_000_000_000);

fn room(name: &str) -> DestinationName {
    DestinationName::new(name).unwrap()
}

fn dead(destination: &str, reason: Reason, count: u64) -> Notice {
    let (words, example) = ("503 try later.".to_owned(), Some(EventId(27_000)));
    Notice::DeadLetters { destination: Some(room(destination)), reason, words, example, count }
}

fn gone(destination: &str, fallback: Option<&str>) -> Notice {
    let words = "404 no_service\nsecond line".to_owned();
    Notice::DestinationGone { destination: room(destination), words, fallback: fallback.map(room) }
}

fn told(notices: impl IntoIterator<Item = Notice>, again: bool) -> Own {
    let mut bulletin = Bulletin::default();
    let mut topic = None;
    for notice in notices {
        topic = Some(notice.topic());
        bulletin.add(notice, NOW);
    }
    bulletin.tell(&topic.unwrap(), again, Some(1_204), NOW)
}

#[test]
fn a_gone_destination_is_named_with_what_waits_for_it() {
    let own = told([gone("oncall", None)], false);
    assert_eq!((own.trigger, own.severity), ("destinationGone", Severity::Error));
    assert_eq!(own.title, "The destination \"oncall\" is gone");
    assert!(own.text.contains("404 no_service second line. Nothing is lost"), "{}", own.text);
    assert!(own.text.contains("1,204 messages wait for it"), "{}", own.text);
    assert!(own.advice.contains("destinations.oncall.url"), "{}", own.advice);
    let own = told([gone("oncall", Some("team"))], false);
    assert!(own.text.contains("its messages go to \"team\" meanwhile"), "{}", own.text);
}

#[test]
fn one_dead_letter_is_told_with_its_event_and_many_with_their_number() {
    let own = told([dead("team", Reason::Blocked, 1)], false);
    assert_eq!(own.title, "A message to \"team\" could not be delivered");
    assert!(own.text.contains("the last answer was: 503 try later. It is kept"), "{}", own.text);
    assert_eq!(own.facts[1].value, "#3222");
    let own = told([dead("team", Reason::Blocked, 1)], true);
    assert_eq!(own.title, "One more message to \"team\" could not be delivered");
    let own = told([dead("team", Reason::UnclearTooOften, 1)], false);
    assert!(own.text.contains("neither the first attempt nor any of five repeats"), "{}", own.text);
    assert_eq!(crate::delivery::REPEATS, 5);
    let own = told([dead("team", Reason::GaveUp, 500), dead("team", Reason::GaveUp, 704)], false);
    assert_eq!(own.title, "1,204 messages to \"team\" could not be delivered");
    let own = told([dead("team", Reason::GaveUp, 500), dead("oncall", Reason::Blocked, 704)], true);
    assert_eq!(own.title, "1,204 more messages could not be delivered");
    let facts: Vec<_> = own.facts.iter().map(|fact| (fact.label.as_str(), fact.value.as_str())).collect();
    assert_eq!(facts, [("oncall", "704 · blocked"), ("team", "500 · gave_up")]);
}

#[test]
fn more_than_can_be_named_are_counted() {
    let names: Vec<String> = (0..20).map(|number| format!("room-{number:02}")).collect();
    let own = told(names.iter().map(|name| dead(name, Reason::GaveUp, 10)), false);
    assert_eq!(own.title, "200 messages could not be delivered");
    assert_eq!(own.facts.len(), NAMED + 1, "no platform shows more than ten");
    assert_eq!(own.facts[NAMED].value, "120");
    let own = told(names.iter().map(|name| gone(name, None)), true);
    assert_eq!(own.title, "20 more destinations are gone");
}

#[test]
fn a_refused_configuration_is_shown_as_the_check_shows_it_and_bounded() {
    let problems = |count: usize| Notice::ReloadRefused {
        problems: (0..count).map(|number| format!("error: {number}\n --> {}\n", "x".repeat(300))).collect(),
    };
    let own = told([problems(1)], false);
    assert!(own.text.starts_with("bugle goes on as it was. Nothing is lost,"), "{}", own.text);
    assert!(own.text.ends_with("of the change is in force, for the reason below."), "{}", own.text);
    assert!(own.detail.starts_with("error: 0\n --> xxx"), "{}", own.detail);
    let own = told([problems(1), problems(40)], true);
    assert!(own.text.contains("for the 40 reasons below"), "{}", own.text);
    assert!(own.text.ends_with("It was refused 2 times more; this is the last."), "{}", own.text);
    assert!(own.detail.chars().count() <= 1_800, "{}", own.detail.len());
    assert!(own.detail.contains("… and 35 more"), "{}", own.detail);
}

fn hook(app: &str, is_caught_up: bool) -> Notice {
    let source = SourceName::new("mobile").unwrap();
    Notice::HookGone { source, app: app.to_owned(), event: "new_crash".to_owned(), is_caught_up }
}

#[test]
fn webhooks_that_are_gone_together_are_told_together_and_are_the_worse_if_nobody_asks() {
    let own = told([hook("Shop", true), hook("Till", true)], false);
    assert_eq!(
        (own.title.as_str(), own.severity),
        ("2 webhooks are gone at their tracker", Severity::Warning)
    );
    assert_eq!(own.facts.len(), 2);
    assert!(own.facts.iter().all(|fact| fact.label == "mobile" && fact.value.starts_with("new_crash · ")));
    let own = told([hook("Shop", true), hook("Till", false)], false);
    assert!(own.severity == Severity::Error && own.text.contains("is not told"), "{own:?}");
}

#[test]
fn every_other_kind_says_what_is_wrong_what_follows_and_what_to_do() {
    let (from, to) = (room("oncall"), room("team"));
    let rejected = |reason| Notice::WebhooksRejected {
        source: SourceName::new("backend").unwrap(),
        reason,
        count: 1_000,
    };
    let allowed = Fullness::Allowed { used: 3 << 30, max_size: 2 << 30 };
    for (notice, expected) in [
        (rejected("unauthorized"), "At least 1,000 in a row|sources.backend.tokens"),
        (rejected("forbidden"), "sources.backend.allow_from"),
        (rejected("too_large"), "server.max_body"),
        (rejected("not_json"), "The log has each"),
        (Notice::StoreNearlyFull(allowed), "3.0 GiB|2.0 GiB|store.max_size"),
        (Notice::StoreNearlyFull(Fullness::Disk { free: 5 << 20 }), "5.0 MiB|503"),
        (
            Notice::DivertingBegan { from: from.clone(), to: to.clone(), gone: false },
            "\"oncall\" come here|failing for too long. Until|by itself",
        ),
        (Notice::DivertingEnded { from, to }, "\"oncall\" works again"),
        (
            hook("Shop", false),
            "\"mobile\" is gone|new_crash of Shop|what happens now is not told|bugfender subscribe",
        ),
        (hook("Shop", true), "comes later than it did|makes it again"),
    ] {
        let own = told([notice], false);
        let all = format!("{} {} {}", own.title, own.text, own.advice);
        for part in expected.split('|') {
            assert!(all.contains(part), "{all}");
        }
        assert!(!own.text.is_empty() && !all.contains("  "), "{all}");
    }
}

#[test]
fn a_diversion_is_told_to_where_it_leads_and_all_else_where_the_configuration_says() {
    let began = Notice::DivertingBegan { from: room("oncall"), to: room("team"), gone: true };
    assert_eq!(began.topic().addressee(), Some(&room("team")));
    assert_eq!(began.topic().key(), "divertingBegan oncall team");
    assert_eq!(gone("oncall", None).topic().addressee(), None);
    assert_eq!(gone("oncall", None).topic(), gone("team", None).topic(), "at most one of a kind");
}

#[test]
fn a_room_that_is_gone_is_not_told_so() {
    let useful = |fallback, at: &str| {
        let mut bulletin = Bulletin::default();
        bulletin.add(gone("oncall", fallback), NOW);
        !bulletin.useful_at(&room(at)).is_empty()
    };
    assert!(useful(None, "team") && !useful(None, "oncall"));
    assert!(useful(Some("managers"), "team"));
    assert!(useful(Some("team"), "oncall"), "it moves to the fallback, and is read there");
    assert!(!useful(Some("team"), "team"), "the fallback is told of the diversion");
}
