//! What the store keeps for who asks trackers.

use super::*;
use crate::api::ErrorState;
use crate::outbox::catch_up::{Asked, FoundRecord, NotAsked};
use crate::outbox::known::{Known, Sought};

const HOUR: Duration = Duration::from_hours(1);

fn backend() -> SourceName {
    SourceName::new("backend").unwrap()
}

fn event(source: &str, trigger: &str, error: &str, id: &str) -> Event {
    let mut event = Event::blank(SourceName::new(source).unwrap(), "bugsnag", "{}");
    (event.trigger, event.error.id, event.id) = (trigger.into(), error.into(), id.into());
    event
}

fn state(error: &str, status: &str, at: Moment) -> ErrorState {
    ErrorState { error_id: error.into(), status: status.into(), at }
}

/// A change by hand to another state, as Bugsnag tells of it.
fn by_hand(error: &str, raw: &str) -> Event {
    let mut event = Event::blank(backend(), "bugsnag", raw);
    (event.trigger, event.error.id, event.id) = ("errorStateManualChange".into(), error.into(), error.into());
    event
}

#[tokio::test]
async fn what_is_here_is_told_by_its_id_or_by_its_error_from_a_moment_on() {
    let story = Story::begin().await;
    let came = story.clock.now();
    story.accept(event("backend", "firstException", "e1", "i1"), false).await;
    story.accept(by_hand("e2", r#"{"trigger": {"stateChange": "reopened"}}"#), false).await;
    story.accept(by_hand("e3", r#"{"trigger": {"stateChange": "fixed"}}"#), false).await;
    story.accept(by_hand("e4", "no JSON"), false).await;
    story.accept(by_hand("e5", r#"{"trigger": "reopened"}"#), false).await;
    let mut caught_up = event("backend", "reopened", "e6", "");
    caught_up.caught_up = true;
    story.accept(caught_up, false).await;
    let id = |trigger: &str, id: &str| Sought::Id { trigger: trigger.into(), id: id.into() };
    let error = |trigger: &str, error: &str, since| {
        let (trigger, error_id) = (trigger.into(), error.into());
        Sought::Error { trigger, error_id, since }
    };
    let later = Some(came.plus(Duration::from_millis(1)));
    let by_webhook = Some(Known { at: came, caught_up: false });
    let came = Some(came);
    let cases = [
        (id("firstException", "i1"), by_webhook),
        (id("reopened", "i1"), None),
        (id("firstException", "i2"), None),
        (id("firstException", ""), None),
        (error("firstException", "e1", came), by_webhook),
        (error("firstException", "e1", later), None),
        (error("firstException", "e1", None), by_webhook),
        (error("reopened", "e1", came), None),
        (error("firstException", "", None), None),
        // A colleague has opened it again.
        (error("reopened", "e2", came), by_webhook),
        (error("reopened", "e2", later), None),
        (error("firstException", "e2", came), None),
        // A colleague has brought it into another state, or nobody knows into which.
        (error("reopened", "e3", came), None),
        (error("reopened", "e4", came), None),
        (error("reopened", "e5", came), None),
        (error("reopened", "e6", came), by_webhook.map(|known| Known { caught_up: true, ..known })),
    ];
    let (sought, expected): (Vec<_>, Vec<_>) = cases.into_iter().unzip();
    assert_eq!(story.outbox.are_here(&backend(), sought.clone()).await.unwrap(), expected);
    let mobile = SourceName::new("mobile").unwrap();
    let elsewhere = story.outbox.are_here(&mobile, sought).await.unwrap();
    assert!(elsewhere.iter().all(Option::is_none), "it came by another door");
}

#[tokio::test]
async fn webhooks_bring_what_one_has_brought_and_not_what_was_only_caught_up() {
    let story = Story::begin().await;
    let mut caught_up = event("backend", "reopened", "e1", "");
    caught_up.caught_up = true;
    story.accept(caught_up, false).await;
    story.accept(event("backend", "firstException", "e1", "i1"), false).await;
    for (source, trigger, is_brought) in [
        ("backend", "firstException", true),
        ("backend", "reopened", false),
        ("mobile", "firstException", false),
    ] {
        let source = SourceName::new(source).unwrap();
        assert_eq!(
            story.outbox.is_brought(&source, trigger).await.unwrap(),
            is_brought,
            "{source} {trigger}"
        );
    }
}

fn asked(begun: Moment, up_to: Moment) -> Asked {
    Asked {
        begins: begun,
        up_to,
        requests: 4,
        states: Vec::new(),
        is_cut: false,
        remark: String::new(),
        found: None,
    }
}

fn not_asked(requests: u64, words: &str, is_told: bool) -> NotAsked {
    NotAsked { begins: Moment(100), requests, words: words.to_owned(), is_told }
}

#[tokio::test]
async fn a_failure_leaves_how_far_was_asked_and_what_was_found_as_it_was() {
    let story = Story::begin().await;
    let (source, begun) = (backend(), story.clock.now());
    assert_eq!(story.outbox.asked_before(&source, "p").await.unwrap(), (None, Vec::new()));
    let found = FoundRecord { count: 7, missed: 2, at: begun, since: Moment(5) };
    let states = vec![state("a", "fixed", begun), state("b", "snoozed", begun), state("c", "open", begun)];
    let asked = Asked { states, found: Some(found), is_cut: true, ..asked(Moment(100), Moment(900)) };
    story.outbox.note_asked(&source, "p", asked.clone()).await.unwrap();
    story.clock.advance(HOUR);
    story.outbox.note_not_asked(&source, "p", not_asked(1, "down", false)).await.unwrap();
    story.clock.advance(HOUR);
    story.outbox.note_not_asked(&source, "p", not_asked(2, "401", true)).await.unwrap();
    let story = story.restart().await;
    let (record, states) = story.outbox.asked_before(&source, "p").await.unwrap();
    assert_eq!(states, [state("a", "fixed", begun), state("b", "snoozed", begun)]);
    let record = record.unwrap();
    assert_eq!((record.begins, record.up_to, record.done_at), (Moment(100), Some(Moment(900)), Some(begun)));
    assert_eq!((record.failing_since, record.cut_at), (Some(begun.plus(HOUR)), Some(begun)));
    assert_eq!((record.asked_at, record.requests, record.words.as_str()), (begun.plus(HOUR * 2), 2, "401"));
    assert_eq!((record.told_at, record.found), (Some(begun.plus(HOUR * 2)), Some(found)));

    // What has opened again need not be remembered; of another subject nothing is said.
    let opened = Asked { states: vec![state("a", "open", begun)], found: None, is_cut: false, ..asked };
    story.outbox.note_asked(&source, "p", opened).await.unwrap();
    let (record, states) = story.outbox.asked_before(&source, "p").await.unwrap();
    assert_eq!(states, [state("b", "snoozed", begun)]);
    let record = record.unwrap();
    assert_eq!((record.failing_since, record.told_at, record.words.as_str()), (None, None, ""));
    assert_eq!((record.found, record.cut_at), (Some(found), Some(begun)));
    assert_eq!(story.outbox.asked_before(&source, "q").await.unwrap(), (None, Vec::new()));
}

#[tokio::test]
async fn what_a_webhook_should_have_brought_is_remembered_for_a_day_whatever_is_found_meanwhile() {
    let story = Story::begin().await;
    let found = |count, missed| {
        let found = FoundRecord { count, missed, at: story.clock.now(), since: Moment(5) };
        Asked { found: Some(found), ..asked(Moment(1), Moment(2)) }
    };
    // Hours later, what is found, what of it a webhook should have brought, and what is remembered.
    for (hours, count, missed, remembered) in
        [(0, 3, 0, (3, 0)), (1, 12, 12, (12, 12)), (1, 1, 0, (12, 12)), (1, 2, 1, (2, 1)), (25, 4, 0, (4, 0))]
    {
        story.clock.advance(HOUR * hours);
        story.outbox.note_asked(&backend(), "p", found(count, missed)).await.unwrap();
        let record = story.outbox.asked_before(&backend(), "p").await.unwrap().0.unwrap();
        let found = record.found.unwrap();
        assert_eq!((found.count, found.missed), remembered, "{hours} {count} {missed}");
    }
}

#[tokio::test]
async fn a_subject_that_is_called_otherwise_goes_on_where_it_was() {
    let story = Story::begin().await;
    let at = story.clock.now();
    let known = Asked { states: vec![state("a", "fixed", at)], ..asked(Moment(1), Moment(900)) };
    story.outbox.note_asked(&backend(), "1234", known).await.unwrap();
    story.outbox.rename_subject(&backend(), "1234", "5X3c").await.unwrap();
    let (record, states) = story.outbox.asked_before(&backend(), "5X3c").await.unwrap();
    assert_eq!((record.unwrap().up_to, states), (Some(Moment(900)), vec![state("a", "fixed", at)]));
    assert_eq!(story.outbox.asked_before(&backend(), "1234").await.unwrap(), (None, Vec::new()));
    // One that is there already stays as it is.
    story.outbox.note_asked(&backend(), "1234", asked(Moment(1), Moment(5))).await.unwrap();
    story.outbox.rename_subject(&backend(), "1234", "5X3c").await.unwrap();
    let (record, _) = story.outbox.asked_before(&backend(), "5X3c").await.unwrap();
    assert_eq!(record.unwrap().up_to, Some(Moment(900)));
}

#[tokio::test]
async fn bugle_was_not_at_work_between_two_runs_and_nobody_knows_before_the_first() {
    let story = Story::begin().await;
    let first = story.outbox.begin_run("1", story.rules).await.unwrap();
    assert_eq!(story.outbox.at_work_before(first).await.unwrap(), None);
    story.clock.advance(HOUR);
    let first = story.outbox.beat(first, Vec::new()).await.unwrap();
    story.outbox.end_run(first, Vec::new()).await.unwrap();
    let gone = story.clock.now();
    story.clock.advance(HOUR);
    let (second, back) = (story.outbox.begin_run("1", story.rules).await.unwrap(), story.clock.now());
    assert_eq!(story.outbox.at_work_before(second).await.unwrap(), Some(gone));
    assert!(story.outbox.absences(gone).await.unwrap().contains(&(gone, back)));
    assert_eq!(story.outbox.absences(back).await.unwrap(), []);
}

#[tokio::test]
async fn a_source_has_spoken_when_webhooks_came_whichever_application_they_were_about() {
    let story = Story::begin().await;
    let mut hours = std::collections::BTreeMap::new();
    for number in 0..2_100_u32 {
        // A flood of more than a thousand in an hour, and then some for six weeks.
        let pause = if number < 1_100 { Duration::from_secs(2) } else { Duration::from_mins(61) };
        story.clock.advance(pause);
        let mut said = event("backend", "exception", "e", "");
        said.app.name = ["", "Shop", "Web"][number as usize % 3].into();
        said.caught_up = number % 7 == 0;
        if !said.caught_up {
            let now = story.clock.now();
            hours.insert(now.0.div_euclid(3_600_000), now);
        }
        story.accept(said, false).await;
        if number % 100 == 0 {
            story.accept(event("mobile", "crash", "", ""), false).await;
        }
    }
    let last = *hours.values().next_back().unwrap();
    let expected: Vec<_> = hours.into_values().rev().filter(|at| last.since(*at) <= HOUR * 24 * 28).collect();
    assert!((500..700).contains(&expected.len()), "{}", expected.len());
    assert_eq!(story.outbox.spoken(&backend()).await.unwrap(), expected);
    assert_eq!(story.outbox.spoken(&SourceName::new("nobody").unwrap()).await.unwrap(), []);
}

#[tokio::test]
async fn what_nobody_asks_about_any_more_is_forgotten_after_a_season() {
    let story = Story::begin().await;
    let asked = Asked { states: vec![state("a", "fixed", story.clock.now())], ..asked(Moment(1), Moment(1)) };
    story.outbox.note_asked(&backend(), "old", asked.clone()).await.unwrap();
    story.clock.advance(HOUR * 24 * 60);
    story.outbox.note_asked(&backend(), "new", asked).await.unwrap();
    story.clock.advance(HOUR * 24 * 31);
    let keep = Keep { history: HOUR, dead_letters: HOUR, max_size: u64::MAX };
    story.outbox.prune(keep).await.unwrap();
    let left = "SELECT group_concat(subject) FROM (SELECT subject FROM catch_ups UNION ALL SELECT subject FROM error_states)";
    assert_eq!(story.query::<String>(left), "new,new");
}
