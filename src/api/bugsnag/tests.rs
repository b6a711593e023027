//! Every fixture in the webhook's shape; and whatever else an API may tell, survived.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::json;
use serde_json::value::RawValue;

use super::*;
use crate::event::{Event, UNREADABLE};
use crate::name::SourceName;
use crate::source::plain_tracker;

/// 2025-03-04, from 11 to 12 o'clock.
fn wanted(states: &[ErrorState]) -> Wanted<'_> {
    let (since, until) = (Moment(1_741_086_000_000), Moment(1_741_089_600_000));
    let triggers = &["firstException", "reopened"];
    Wanted { subject: "6da5188c8ba92e02e82a52e4", since, until, triggers, states }
}

fn state(error: &str, status: &str) -> ErrorState {
    ErrorState { error_id: error.to_owned(), status: status.to_owned(), at: Moment(1_741_080_000_000) }
}

fn project() -> Map<String, Value> {
    let answer = json!({
        "id": "6da5188c8ba92e02e82a52e4", "name": "Harbor Checkout", "api_key": "a-key-of-the-project",
        "html_url": "https://app.bugsnag.com/larkspur-labs/harbor-checkout",
    });
    element::project("6da5188c8ba92e02e82a52e4", answer.as_object().unwrap())
}

fn event(element: &str) -> Event {
    let element: Box<RawValue> = serde_json::from_str(element).unwrap();
    let tracker = plain_tracker("bugsnag").unwrap();
    tracker.read(&SourceName::new("backend").unwrap(), &element, None).unwrap()
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn from_fixture(name: &str) -> Found {
    let fixture = fs::read(fixtures().join("apis/bugsnag").join(name)).unwrap();
    let fixture: Value = serde_json::from_slice(&fixture).unwrap();
    let error = &fixture["error"];
    let states = [state(error["id"].as_str().unwrap(), "fixed")];
    let states = if fixture["trigger"] == "reopened" { states.as_slice() } else { &[] };
    let listing = told(&project(), std::slice::from_ref(error), wanted(states));
    let [found] = listing.found.as_slice() else { panic!("{name}: {:?}", listing.found) };
    match fixture.get("event") {
        None => found.clone(),
        Some(event) => {
            let told = serde_json::from_str(&found.element).unwrap();
            let element = element::filled(told, event.as_object().unwrap()).unwrap();
            Found { element: element.to_string(), ..found.clone() }
        }
    }
}

#[test]
fn every_fixture_becomes_an_element_of_the_webhook() {
    for file in fs::read_dir(fixtures().join("apis/bugsnag")).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        let found = from_fixture(&name);
        let element: Value = serde_json::from_str(&found.element).unwrap();
        let stem = name.strip_suffix(".json").unwrap();
        insta::assert_json_snapshot!(
            stem,
            json!({
                "element": element, "at": found.at.to_string(), "known_by": format!("{:?}", found.known_by),
            })
        );
        assert!(!found.element.contains("a-key-of-the-project"));
        let event = event(&found.element);
        assert_eq!(event.trigger, element["trigger"]["type"].as_str().unwrap());
    }
}

#[test]
fn a_full_event_is_read_as_its_webhook_is() {
    let webhook = event(&fs::read_to_string(fixtures().join("bugsnag/first_exception.json")).unwrap());
    let told = event(&from_fixture("error_with_full_event.json").element);
    assert!(told.identity.is_some());
    assert_eq!(told.identity, webhook.identity);
    assert_eq!(
        (&told.error.id, &told.error.class, &told.text),
        (&webhook.error.id, &webhook.error.class, &webhook.text)
    );
    assert_eq!(
        (&told.app.name, &told.app.stage, &told.severity),
        (&webhook.app.name, &webhook.app.stage, &webhook.severity)
    );
    assert_eq!(told.error.request_url, webhook.error.request_url);
    assert_eq!(told.url, webhook.url.replace("&i=wh&m=nw", ""));
    let frame = &told.error.stack[0];
    assert_eq!((frame.line.as_str(), frame.own, frame.code.len()), ("88", Some(true), 2));
    assert_eq!(told.error.causes.len(), 1);
    assert_eq!((told.user.email.as_str(), told.app.build.as_str()), ("mara@harbor.example", "420"));
}

#[test]
fn an_error_is_new_by_its_first_occurrence_whatever_the_filter_counts() {
    let error = |first: &str, unfiltered: Option<&str>| {
        let mut error = json!({"id": "e", "status": "open", "first_seen": first});
        if let Some(unfiltered) = unfiltered {
            error["first_seen_unfiltered"] = unfiltered.into();
        }
        told(&project(), &[error], wanted(&[])).found.len()
    };
    assert_eq!(error("2025-03-04T11:00:00.000Z", Some("2024-01-01T00:00:00.000Z")), 0);
    assert_eq!(error("2025-03-04T11:00:00.000Z", Some("2025-03-04T11:00:00.000Z")), 1);
    assert_eq!(error("2025-03-04T11:59:59.999Z", None), 1);
    assert_eq!(error("2025-03-04T12:00:00.000Z", None), 0);
    assert_eq!(error("at some time", None), 0);
}

#[test]
fn an_id_that_is_a_number_is_one_and_what_has_none_is_counted() {
    let huge = "e".repeat(1_000_000);
    let ids = [json!(""), json!(null), json!(5), json!(huge), json!("e"), json!([5])];
    let error = |id| json!({"id": id, "status": "fixed", "first_seen": "2025-03-04T11:00:00.000Z"});
    let mut errors: Vec<_> = ids.into_iter().map(error).collect();
    errors.push(json!("an error"));
    let listing = told(&project(), &errors, wanted(&[]));
    let ids: Vec<_> = listing.found.iter().map(|found| event(&found.element).error.id).collect();
    assert_eq!((ids, listing.unread), (vec!["5".to_owned(), "e".to_owned()], 5));
    assert_eq!(listing.states[0].error_id, "5");
    assert!(event(&listing.found[0].element).url.ends_with("/errors/5"));
}

#[test]
fn an_error_is_open_again_once_it_was_known_to_be_dealt_with() {
    let cases: &[(&str, Option<&str>, bool, Option<&str>)] = &[
        ("open", None, false, None),
        ("open", Some("fixed"), true, Some("open")),
        ("open", Some("snoozed"), true, Some("open")),
        ("open", Some("ignored"), false, Some("open")),
        ("open", Some("open"), false, None),
        ("fixed", None, false, Some("fixed")),
        ("fixed", Some("fixed"), false, Some("fixed")),
        ("ignored", Some("open"), false, Some("ignored")),
        ("", Some("fixed"), false, None),
    ];
    for (status, before, is_reopened, after) in cases {
        let error = json!({"id": "e", "status": status, "last_seen": "2025-03-04T11:20:00.000Z"});
        let states: Vec<_> = before.iter().map(|before| state("e", before)).collect();
        let listing = told(&project(), &[error], wanted(&states));
        let triggers: Vec<_> = listing.found.iter().map(|found| event(&found.element).trigger).collect();
        assert_eq!(
            triggers,
            if *is_reopened { vec!["reopened"] } else { vec![] },
            "{status} after {before:?}"
        );
        let known: Vec<_> = listing.states.iter().map(|state| state.status.as_str()).collect();
        assert_eq!(known.first().copied(), *after, "{status} after {before:?}");
        assert!(listing.found.iter().all(|found| found.at == Moment(1_741_080_000_000)));
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let keys = "id|status|first_seen|last_seen|error_class|message|release_stages|linked_issues|url|exceptions|app|user|code|[a-z_]{1,4}";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        "2025-03-04T11:[0-5][0-9]:00Z|open|fixed|https://a.example/b".prop_map(Into::into),
        ".*".prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 40, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::btree_map(keys, inner, 0..10)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_is_told_can_be_read_as_a_webhook_is(
        given in prop::collection::vec(any_json(), 0..4),
        happened in any_json(),
        id in "[a-f0-9]{0,8}",
    ) {
        let mut given = given;
        for error in given.iter_mut().filter_map(Value::as_object_mut) {
            error.insert("id".to_owned(), id.clone().into());
            error.insert("first_seen".to_owned(), "2025-03-04T11:30:00Z".into());
        }
        let states = [state(&id, "fixed")];
        let project = element::project("p", &happened.as_object().cloned().unwrap_or_default());
        let listing = told(&project, &given, wanted(&states));
        prop_assert_eq!(listing.found.is_empty(), id.is_empty() || !given.iter().any(Value::is_object));
        for found in listing.found {
            prop_assert_ne!(event(&found.element).trigger, UNREADABLE);
            let element = serde_json::from_str(&found.element).unwrap();
            let event_told = happened.as_object().and_then(|event| element::filled(element, event));
            if let Some(element) = event_told {
                prop_assert_ne!(event(&element.to_string()).trigger, UNREADABLE);
            }
        }
    }
}
