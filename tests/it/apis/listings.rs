//! What the APIs tell, page by page, while it changes, and while they answer as nobody expects.

use std::time::Duration;

use bugle::api::{Access, Api, ApiError, ErrorState, Found, KnownBy, Listing, Session, Wanted};
use bugle::clock::Moment;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use super::bugfender::{self, Bugfender};
use super::bugsnag::{Bugsnag, PROJECT, error};
use super::client::{BOTH, SINCE, UNTIL, crash, list, patiently, session, wanted};
use super::server::{Server, Told};

pub(super) fn ids(listing: &Listing) -> Vec<String> {
    let elements = listing.found.iter().map(|found| serde_json::from_str::<Value>(&found.element).unwrap());
    elements.map(|element| element["id"].as_str().unwrap().to_owned()).collect()
}

pub(super) fn crashes(numbers: impl Iterator<Item = usize>) -> Vec<(u64, Value)> {
    numbers.map(|number| (1, crash(number))).collect()
}

#[tokio::test]
async fn every_page_is_read_and_the_oldest_comes_first() {
    for count in [0, 1, 99, 100, 101, 250] {
        let pretend = Bugfender::start();
        pretend.with(|known| known.singles = crashes(0..count));
        let (session, clock) = session(&pretend.api());
        let listing = list(&session, &clock).await.unwrap();
        let expected: Vec<_> = (0..count).map(|number| format!("crash-{number:04}")).collect();
        assert_eq!((ids(&listing), listing.is_cut), (expected, false));
        let pages = pretend.server.lines().iter().filter(|line| line.ends_with("/issues")).count();
        assert_eq!(pages, count.div_ceil(100).max(1) + 1, "and one for what is closed");
    }
}

#[tokio::test]
async fn what_moves_between_pages_is_found_all_the_same() {
    // What comes while pages are read pushes the last of a page to the next; what goes pulls the first of the next back.
    for (before, after) in [(0..200, 0..210), (10..210, 0..210), (0..210, 0..205), (0..210, 105..210)] {
        let pretend = Bugfender::start();
        pretend.with(|known| {
            known.singles = crashes(before.clone());
            known.moves = Some((1, crashes(after.clone())));
        });
        let (session, clock) = session(&pretend.api());
        let listing = list(&session, &clock).await.unwrap();
        let found = ids(&listing);
        for number in after {
            assert!(found.contains(&format!("crash-{number:04}")), "{number} of {before:?}");
        }
        let mut once = found.clone();
        once.dedup();
        assert_eq!(once, found, "nothing is there twice");
    }
}

#[tokio::test]
async fn what_is_closed_while_it_is_read_is_found() {
    let pretend = Bugfender::start();
    pretend.with(|known| {
        known.singles = crashes(0..3);
        known.moves = Some((1, vec![(1, crash(0)), (4, crash(1)), (4, crash(2))]));
    });
    let (session, clock) = session(&pretend.api());
    assert_eq!(list(&session, &clock).await.unwrap().found.len(), 3);
}

#[tokio::test]
async fn pages_without_end_are_read_up_to_a_bound() {
    let mut number = 0_usize;
    let server = Server::start(move |asked| {
        if asked.path == "/auth/token" {
            return Told::json(200, &json!({"access_token": "t", "expires_in": 3600}));
        }
        let items: Vec<_> =
            (0..100).map(|i| json!({"id": number + i, "title": "t", "type": "crash"})).collect();
        number += 100;
        Told::json(200, &json!({"issues": items, "data": items, "pagination": {"has_next_page": true}}))
    });
    let api = Api { base: server.base(), ..Bugfender::start().api() };
    let (session, clock) = session(&api);
    let listing = list(&session, &clock).await.unwrap();
    assert!(listing.is_cut);
    assert_eq!(listing.found.len(), 5_000);
    assert_eq!(session.requests(), 202, "two hundred pages, a token and the application");
}

#[tokio::test]
async fn a_page_that_is_always_the_same_is_read_a_few_times() {
    let pretend = Bugfender::start();
    let page = json!({"issues": [crash(1), crash(2)], "total_pages": 1_000_000, "data": []});
    let (session, clock) = session(&pretend.api());
    pretend.server.always("/api/", Told::json(200, &page));
    assert_eq!(list(&session, &clock).await.unwrap().found.len(), 2);
    assert!(session.requests() < 20);
}

#[tokio::test]
async fn groups_are_taken_for_what_is_not_told_one_by_one() {
    let pretend = Bugfender::start();
    let group =
        |hash: &str, title: &str| json!({"hash": hash, "title": title, "last_seen": "2025-03-04T10:30:00Z"});
    pretend.with(|known| {
        known.singles = vec![(1, crash(1)), (1, json!({"id": "i", "title": "an issue"}))];
        known.groups = vec![
            (0, group("issues", "an issue")),
            (1, group("same", "crash 1")),
            (1, group("other", "crash 2")),
            (2, group("words", "lovely")),
        ];
    });
    let (session, clock) = session(&pretend.api());
    let listing = list(&session, &clock).await.unwrap();
    assert_eq!(ids(&listing), ["crash-0001", "other", "words", "i"]);
    let known_by: Vec<_> = listing.found.iter().map(|found| found.known_by).collect();
    assert_eq!(known_by, [KnownBy::Id, KnownBy::Error, KnownBy::Error, KnownBy::Id]);

    pretend.with(|known| known.has_no_singles = true);
    let listing = list(&session, &clock).await.unwrap();
    let mut found = ids(&listing);
    found.sort();
    assert_eq!(found, ["issues", "other", "same", "words"], "without single objects all are groups");
    let before = pretend.server.lines().iter().filter(|line| line.ends_with("/issues")).count();
    list(&session, &clock).await.unwrap();
    let after = pretend.server.lines().iter().filter(|line| line.ends_with("/issues")).count();
    assert_eq!(after, before, "what is not there is not asked for again");
}

#[tokio::test]
async fn a_group_that_goes_on_is_told_of_each_time_it_is_asked_for() {
    let pretend = Bugfender::start();
    let group = |last: &str| json!({"hash": "h", "title": "t", "first_seen": "2025-03-01T00:00:00Z", "last_seen": last});
    let (session, clock) = session(&pretend.api());
    for (last, at) in [
        ("2025-03-04T10:30:00Z", Some(SINCE.plus(Duration::from_mins(30)))),
        ("2025-03-04T11:30:00Z", Some(SINCE)),
        ("2025-03-04T09:30:00Z", None),
    ] {
        pretend.with(|known| known.groups = vec![(1, group(last))]);
        let listing = list(&session, &clock).await.unwrap();
        let found = listing.found.first();
        assert_eq!(found.map(|found| found.at), at);
        let ids = ids(&listing);
        assert_eq!(ids.first().cloned(), at.map(|at| format!("h@{at}").replace(".000Z", "Z")));
    }
}

#[tokio::test]
async fn an_application_has_the_name_that_its_webhooks_give_it() {
    let pretend = Bugfender::start();
    pretend.with(|known| known.singles = crashes(0..1));
    let mut api = pretend.api();
    let Access::Bugfender { apps, .. } = &mut api.access else { panic!() };
    apps[0].name = Some("what we call it".to_owned());
    for (told, expected) in [
        (None, bugfender::NAME),
        (Some(Told::json(404, &json!({}))), "what we call it"),
        (Some(Told::text(200, "<html>")), "what we call it"),
        (Some(Told::json(200, &json!({"name": 7}))), "what we call it"),
    ] {
        let (session, clock) = session(&api);
        if let Some(told) = told {
            pretend.server.next("/api/app/48213", told);
        }
        let listing = list(&session, &clock).await.unwrap();
        let element: Value = serde_json::from_str(&listing.found[0].element).unwrap();
        assert_eq!(element["app"], json!({"id": bugfender::APP, "name": expected}));
        let requests = session.requests();
        list(&session, &clock).await.unwrap();
        assert_eq!(session.requests() - requests, 4, "it is asked for once");
    }
}

#[tokio::test]
async fn what_is_not_found_is_said_to_be_what_it_is() {
    let pretend = Bugfender::start();
    let mut api = pretend.api();
    let Access::Bugfender { apps, .. } = &mut api.access else { panic!() };
    apps[0].number = Some(7);
    let (other, clock) = session(&api);
    let asked = patiently(&clock, other.list(wanted("7", &["crash"]))).await;
    assert_eq!(asked.unwrap_err(), ApiError::Unknown("application"));
    let (session, clock) = session(&pretend.api());
    let asked = patiently(&clock, session.list(wanted("8", &["crash"]))).await;
    assert_eq!(asked.unwrap_err(), ApiError::Unknown("application"), "nothing else is asked about");
    pretend.with(|known| known.singles = crashes(0..3));
    pretend.server.always("/summary", Told::json(404, &json!({})));
    let listing = list(&session, &clock).await.unwrap();
    let remark = listing.remark.unwrap();
    assert!(
        remark.contains("no address for groups") && remark.contains("triggers = [\"issue\"]"),
        "{remark}"
    );
    assert_eq!(listing.found.len(), 3, "what is told one by one is worth having alone");
    let asked = pretend.server.lines().iter().filter(|line| line.contains("/48213/issues-agg")).count();
    assert_eq!(asked, 1, "of the other kinds nothing else is to be had");
    let subject = bugfender::APP.to_string();
    let listing = patiently(&clock, session.list(wanted(&subject, &["issue"]))).await.unwrap();
    assert_eq!(listing.remark, None, "issues need no groups");
}

#[tokio::test]
async fn answers_of_other_shapes_are_errors_in_words() {
    let odd = [
        json!(null),
        json!(7),
        json!("issues"),
        json!([]),
        json!([{"id": 1}]),
        json!({}),
        json!({"issues": null}),
        json!({"issues": {"0": {}}}),
        json!({"issues": [{}]}),
        json!({"issues": [1, null, []]}),
        json!({"issues": [{"no": "id"}], "total_pages": -1}),
        json!({"data": [{"id": 1}]}),
    ];
    let pretend = Bugfender::start();
    let (session, clock) = session(&pretend.api());
    for answer in odd {
        pretend.server.next("/issues", Told::json(200, &answer));
        let error = list(&session, &clock).await.unwrap_err();
        assert!(matches!(error, ApiError::Unexpected(_)), "{answer}: {error}");
    }
    pretend
        .server
        .next("/issues", Told::text(200, r#"{"issues":[{"id":"a","title":"cut \ud83d"},{"x":1}]}"#));
    assert_eq!(ids(&list(&session, &clock).await.unwrap()), ["a"], "what can be read is");
    let page = json!({"issues": [{"id": 1, "type": "crash"}, {"x": 1}, {"x": 2}, null, 7, {"title": "t"}, {"x": 1}]});
    pretend.server.next("/issues", Told::json(200, &page));
    let listing = list(&session, &clock).await.unwrap();
    assert_eq!((listing.found.len(), listing.unread), (1, 5), "what cannot be is counted, each once");
    let pretend = Bugsnag::start();
    let (session, clock) = self::session(&pretend.api());
    for answer in [json!({}), json!(null), json!("x"), json!([{"no": "id"}]), json!([1])] {
        pretend.server.next("/errors", Told::json(200, &answer));
        let error = patiently(&clock, session.list(wanted(PROJECT, BOTH))).await.unwrap_err();
        assert!(matches!(error, ApiError::Unexpected(_)), "{answer}: {error}");
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let keys = "issues|data|pagination|total_pages|item_count|id|hash|title|type|status|first_seen|created_at|[a-z]{1,3}";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<u32>().prop_map(Into::into),
        "2025-03-04T10:[0-5][0-9]:00Z|open|fixed".prop_map(Into::into),
        ".*".prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::btree_map(keys, inner, 0..8)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

#[test]
fn whatever_is_answered_is_a_listing_or_an_error() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (bugfender, bugsnag) = (Bugfender::start(), Bugsnag::start());
    let ((mobile, clock), (backend, other_clock)) = (session(&bugfender.api()), session(&bugsnag.api()));
    let config = ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() };
    let lists = (any_json(), any_json()).prop_map(|(list, other)| {
        // One in the shape that is expected is looked at more closely than one that is not.
        json!({"issues": list.as_array().cloned().unwrap_or_default(), "data": [list, other], "pagination": other})
    });
    let answers =
        prop_oneof![any_json(), lists, prop::collection::vec(any_json(), 0..4).prop_map(Into::into)];
    TestRunner::new(config)
        .run(&answers, |answer| {
            bugfender.server.always("/api/", Told::json(200, &answer));
            bugsnag.server.always("/projects", Told::json(200, &answer));
            let listing = runtime.block_on(list(&mobile, &clock));
            prop_assert!(matches!(listing, Ok(_) | Err(ApiError::Unexpected(_))), "{:?}", listing);
            let listing = runtime.block_on(patiently(&other_clock, backend.list(wanted(PROJECT, BOTH))));
            prop_assert!(matches!(listing, Ok(_) | Err(ApiError::Unexpected(_))), "{:?}", listing);
            Ok(())
        })
        .unwrap();
}

pub(super) async fn list_bugsnag(session: &Session, states: &[ErrorState]) -> Listing {
    session.list(Wanted { states, ..wanted(PROJECT, BOTH) }).await.unwrap()
}

pub(super) const FIRST: &str = "2025-03-04T10:20:00.000Z";
pub(super) const LAST: &str = "2025-03-04T10:40:00.000Z";
pub(super) const LONG_AGO: &str = "2024-11-20T07:00:00.000Z";

#[tokio::test]
async fn new_errors_and_those_that_came_back_are_told_of() {
    let pretend = Bugsnag::start();
    pretend.with(|known| {
        known.errors = vec![
            error("aa01", FIRST, LAST, "open"),
            error("aa02", LONG_AGO, LAST, "open"),
            error("aa03", LONG_AGO, LAST, "open"),
            error("aa04", LONG_AGO, LONG_AGO, "fixed"),
            error("aa05", LONG_AGO, LONG_AGO, "snoozed"),
            error("aa06", LONG_AGO, LONG_AGO, "ignored"),
            error("aa07", LONG_AGO, LONG_AGO, "open"),
        ];
    });
    let (session, _) = session(&pretend.api());
    let states = [ErrorState { error_id: "aa03".to_owned(), status: "fixed".to_owned(), at: Moment(5) }];
    let listing = list_bugsnag(&session, &states).await;
    let told = listing.found.iter().map(|found| {
        let element: Value = serde_json::from_str(&found.element).unwrap();
        let text = |part: &Value| part.as_str().unwrap().to_owned();
        (text(&element["error"]["errorId"]), text(&element["trigger"]["type"]), found.at)
    });
    let first = SINCE.plus(Duration::from_mins(20));
    let expected = [("aa03", "reopened", Moment(5)), ("aa01", "firstException", first)]
        .map(|(id, trigger, at)| (id.to_owned(), trigger.to_owned(), at));
    assert_eq!(told.collect::<Vec<_>>(), expected);
    let mut states: Vec<_> =
        listing.states.iter().map(|state| (state.error_id.as_str(), state.status.as_str())).collect();
    states.sort_unstable();
    assert_eq!(states, [("aa03", "open"), ("aa04", "fixed"), ("aa05", "snoozed")]);
    assert!(listing.states.iter().all(|state| state.at == UNTIL) && !listing.is_cut);
    assert_eq!(session.requests(), 4, "the project, what happened, what is fixed, what is snoozed");
    list_bugsnag(&session, &[]).await;
    assert_eq!(session.requests(), 7, "the project is known");
    let only_first = wanted(PROJECT, &["firstException"]);
    assert_eq!(session.list(only_first).await.unwrap().found.len(), 1);
    assert_eq!(session.requests(), 8, "states are asked for only when they are wanted");
}

#[tokio::test]
async fn links_lead_through_all_pages_but_never_to_another_host() {
    let pretend = Bugsnag::start();
    pretend.with(|known| {
        known.page = 10;
        known.errors = (0..45).map(|number| error(&format!("bb{number:02}"), FIRST, LAST, "open")).collect();
    });
    let (session, _) = session(&pretend.api());
    let listing = list_bugsnag(&session, &[]).await;
    assert_eq!((listing.found.len(), listing.is_cut), (45, false));
    let asked = pretend.server.asked();
    let pages: Vec<_> =
        asked.iter().filter(|asked| asked.parameter("filters[event.since][][value]").is_some()).collect();
    assert_eq!(pages.len(), 5);
    assert!(asked.iter().all(|asked| asked.header("x-version") == "2"));
    // A tracker behind a proxy may know itself by another address.
    pretend.with(|known| known.links_to = "http://internal.example:8080");
    let listing = list_bugsnag(&session, &[]).await;
    assert_eq!((listing.found.len(), listing.is_cut), (45, false));
    pretend.with(|known| known.links_to = "https://elsewhere.example/other");
    let error = session.list(wanted(PROJECT, BOTH)).await.unwrap_err();
    assert_eq!(error, ApiError::Unexpected("its next page is on another host".to_owned()));
    for (link, words) in
        [("<>; rel=next", "is the same page again"), ("<http://[>; rel=next", "has no address")]
    {
        let page = json!([super::bugsnag::error("bb00", FIRST, LAST, "open")]);
        pretend.server.next("/errors", Told::json(200, &page).with("Link", link));
        let error = session.list(wanted(PROJECT, BOTH)).await.unwrap_err();
        assert_eq!(error, ApiError::Unexpected(format!("its next page {words}")), "nothing is lost silently");
    }
    pretend.with(|known| {
        known.links_to = "";
        known.page = 1;
    });
    let listing = list_bugsnag(&session, &[]).await;
    assert_eq!((listing.found.len(), listing.is_cut), (20, true), "a first listing may be long");
}

/// An event as a full report tells of it.
fn event(id: &str, error: &str, at: &str) -> Value {
    json!({
        "id": id, "error_id": error, "received_at": at, "is_full_report": true, "severity": "error", "context": "/review",
        "unhandled": true, "app": {"release_stage": "production", "version": "4.2.0"},
        "exceptions": [{"error_class": "TypeError", "message": "sku", "stacktrace": [{"file": "a.ts", "line_number": 7}]}],
    })
}

/// A new error, `cc01`, with its first event and a later one; another without its first; one that came back, `cc03`.
fn with_events() -> Bugsnag {
    let pretend = Bugsnag::start();
    pretend.with(|known| {
        known.errors = vec![
            error("cc01", FIRST, LAST, "open"),
            error("cc02", FIRST, LAST, "open"),
            error("cc03", LONG_AGO, LAST, "open"),
        ];
        known.events = vec![
            event("e-later", "cc01", LAST),
            event("e-first", "cc01", "2025-03-04T10:20:00.400Z"),
            event("e-other", "cc02", "2025-03-04T10:35:00.000Z"),
            event("e-before", "cc03", LONG_AGO),
            event("e-again", "cc03", LAST),
        ];
    });
    pretend
}

/// What is told of `error` alone.
async fn told_of(session: &Session, error: &str) -> Found {
    let state = ErrorState { error_id: "cc03".to_owned(), status: "fixed".to_owned(), at: SINCE };
    let listing = list_bugsnag(session, &[state]).await;
    listing.found.into_iter().find(|found| found.element.contains(error)).unwrap()
}

/// The error in what is told of `error` once its event was looked for; nothing: there is none that fits.
async fn completed(session: &Session, error: &str) -> Option<Value> {
    let found = told_of(session, error).await;
    let complete = session.complete(PROJECT, &found).await.unwrap()?;
    assert_eq!((complete.at, complete.known_by), (found.at, found.known_by));
    Some(serde_json::from_str::<Value>(&complete.element).unwrap()["error"].clone())
}

#[tokio::test]
async fn an_event_is_taken_where_it_fits_its_error() {
    let pretend = with_events();
    let (session, _) = session(&pretend.api());
    let first = completed(&session, "cc01").await.unwrap();
    assert_eq!((&first["id"], &first["errorId"]), (&json!("e-first"), &json!("cc01")));
    assert_eq!(first["exceptions"][0]["stacktrace"][0]["lineNumber"], json!(7));
    assert_eq!(first["app"], json!({"releaseStage": "production", "version": "4.2.0"}));
    assert_eq!(completed(&session, "cc02").await, None, "what is left of its events is not the first");
    let again = completed(&session, "cc03").await.unwrap();
    assert_eq!(again["id"], json!("e-again"), "what brought it back, not what was before");
}

#[tokio::test]
async fn an_event_that_is_told_of_in_short_or_not_at_all_costs_no_more_than_itself() {
    let pretend = with_events();
    pretend.with(|known| known.has_no_full_reports = true);
    let (session, _) = session(&pretend.api());
    let short = completed(&session, "cc01").await.unwrap();
    assert_eq!((&short["id"], &short["app"]), (&json!("e-first"), &json!({"releaseStage": "production"})));
    let found = told_of(&session, "cc01").await;
    pretend.server.next("/events", Told::json(200, &json!({"not": "a list"})));
    assert!(matches!(session.complete(PROJECT, &found).await, Err(ApiError::Unexpected(_))));
    pretend.with(|known| known.errors.clear());
    assert!(session.complete(PROJECT, &found).await.unwrap().is_none(), "it is gone meanwhile");
}

#[tokio::test]
async fn a_listing_of_a_project_that_nobody_knows_says_so() {
    let pretend = Bugsnag::start();
    let (session, _) = session(&pretend.api());
    let error = session.list(wanted("000000000000000000000000", BOTH)).await.unwrap_err();
    assert_eq!(error, ApiError::Unknown("project"));
}
