//! Every fixture in the webhook's shape; and whatever else an API may tell, survived.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::value::RawValue;

use super::element::{self, is_readable, item};
use super::reading::ends;
use super::*;
use crate::api::{Found, KnownBy};
use crate::clock::Moment;
use crate::event::{Event, UNREADABLE};
use crate::name::SourceName;
use crate::source::plain_tracker;

const TRIGGERS: &[&str] = &["crash", "issue", "feedback"];

/// 2025-03-04, from 11 to 12 o'clock.
fn wanted() -> Wanted<'static> {
    let (since, until) = (Moment(1_741_086_000_000), Moment(1_741_089_600_000));
    Wanted { subject: "48213", since, until, triggers: TRIGGERS, states: &[] }
}

fn app() -> App {
    App { number: Some(48_213), id: Some("Kq7Zr2mVbT".to_owned()), name: Some("Harbor Companion".to_owned()) }
}

fn list<'a>(kind: &'static str, are_groups: bool, app: &'a App) -> List<'a> {
    List { path: GROUPS, name: "data", kind, are_groups, filter: ("", ""), app }
}

fn event(found: &Found) -> Event {
    let element: Box<RawValue> = serde_json::from_str(&found.element).unwrap();
    let tracker = plain_tracker("bugfender").unwrap();
    tracker.read(&SourceName::new("mobile").unwrap(), &element, None).unwrap()
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn from_fixture(name: &str) -> Found {
    let fixture: Value =
        serde_json::from_slice(&fs::read(fixtures().join("apis/bugfender").join(name)).unwrap()).unwrap();
    let kind = TRIGGERS.iter().find(|kind| fixture["list"] == **kind).unwrap();
    let app = app();
    item(wanted(), list(kind, name.starts_with("group"), &app), &fixture["item"]).unwrap().found
}

#[test]
fn every_fixture_becomes_an_element_of_the_webhook() {
    for file in fs::read_dir(fixtures().join("apis/bugfender")).unwrap() {
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
        assert_ne!(event(&found).trigger, UNREADABLE);
    }
}

#[test]
fn a_crash_has_the_identity_that_its_webhook_has() {
    let webhook: Vec<Box<RawValue>> =
        serde_json::from_slice(&fs::read(fixtures().join("bugfender/crash.json")).unwrap()).unwrap();
    let source = SourceName::new("mobile").unwrap();
    let webhook = plain_tracker("bugfender").unwrap().read(&source, &webhook[0], None).unwrap();
    let told = event(&from_fixture("single_crash.json"));
    assert!(told.identity.is_some());
    assert_eq!((&told.identity, &told.error.id), (&webhook.identity, &webhook.error.id));
}

#[test]
fn what_is_outside_the_time_or_of_another_kind_is_not_wanted() {
    let app = app();
    let wanted = wanted();
    let is_wanted =
        |are_groups, given: &Value| item(wanted, list("issue", are_groups, &app), given).is_some();
    for (given, alone, grouped) in [
        (json!({"id": 1, "created_at": "2025-03-04T11:00:00Z"}), true, true),
        (json!({"id": 1, "created_at": "2025-03-04T10:59:59.999Z"}), false, false),
        (json!({"id": 1, "created_at": "2025-03-04T12:00:00Z"}), false, false),
        (json!({"id": 1, "created_at": "yesterday"}), true, true),
        (
            json!({"id": 1, "first_seen": "2024-01-01T00:00:00Z", "last_seen": "2025-03-04T11:30:00Z"}),
            false,
            true,
        ),
        (
            json!({"id": 1, "first_seen": "2024-01-01T00:00:00Z", "last_seen": "2025-03-04T12:30:00Z"}),
            false,
            true,
        ),
        (
            json!({"id": 1, "first_seen": "2024-01-01T00:00:00Z", "last_seen": "2025-03-04T10:30:00Z"}),
            false,
            false,
        ),
        (json!({"id": 1, "type": "crash"}), true, true),
        (json!({"id": 1, "type": "anr"}), true, true),
        (json!({"created_at": "2025-03-04T11:30:00Z"}), false, false),
        (json!({"title": "t", "created_at": "2025-03-04T11:30:00Z"}), true, true),
        // Neither which it is nor when it was: it would be another one each time.
        (json!({"title": "t"}), false, false),
        (json!([]), false, false),
    ] {
        assert_eq!((is_wanted(false, &given), is_wanted(true, &given)), (alone, grouped), "{given}");
    }
    let wanted = Wanted { triggers: &["issue"], ..wanted };
    let of_type =
        |kind: Value| item(wanted, list("issue", false, &app), &json!({"id": 1, "type": kind})).is_some();
    assert!(of_type(json!("issue")) && of_type(json!(0)) && of_type(Value::Null) && of_type(json!("anr")));
    assert!(!of_type(json!("crash")) && !of_type(json!(1)) && !of_type(json!("feedback")));
}

#[test]
fn a_group_that_does_not_say_when_it_was_seen_is_known_by_its_hash() {
    let app = app();
    let of = |given: &Value| item(wanted(), list("crash", true, &app), given).unwrap().found;
    let timeless = of(&json!({"hash": "h", "title": "t", "count": 1}));
    assert_eq!((timeless.known_by, event(&timeless).id.as_str()), (KnownBy::Id, "h"));
    let later = of(&json!({"hash": "h", "title": "t", "count": 2}));
    assert_eq!(event(&later).identity, event(&timeless).identity);
    let timely = of(&json!({"hash": "h", "title": "t", "last_seen": "2025-03-04T11:30:00Z"}));
    assert_eq!(timely.known_by, KnownBy::Error);
}

#[test]
fn pages_end_where_any_of_their_signs_says_so() {
    let cases = [
        (json!({"total_pages": 3, "item_count": 250}), 2, 100, (Some(250), false)),
        (json!({"total_pages": 3, "item_count": 250}), 3, 50, (Some(250), true)),
        (json!({"total_pages": 3, "item_count": 100}), 2, 100, (None, false)),
        (json!({"pagination": {"has_next_page": true, "total_items": 7}}), 1, 2, (Some(7), false)),
        (json!({"pagination": {"has_next_page": false}}), 1, 100, (None, true)),
        (json!({}), 1, 100, (None, false)),
        (json!({}), 2, 99, (None, true)),
        (json!({"total_pages": "many"}), 1, 100, (None, false)),
        (json!({"total_pages": 9}), 1, 0, (None, true)),
    ];
    for (page, number, count, expected) in cases {
        assert_eq!(ends(&page, number, count), expected, "{page} {number} {count}");
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let keys =
        "id|uid|hash|title|text|type|status|app|created_at|last_seen|issues|data|pagination|[a-z]{1,3}";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        "2025-03-04T11:[0-5][0-9]:00Z".prop_map(Into::into),
        ".*".prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 40, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::btree_map(keys, inner, 0..8)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_is_told_can_be_read_as_a_webhook_is(given in any_json(), are_groups: bool) {
        let app = app();
        ends(&given, 1, 1);
        element::key(&given);
        let item = item(wanted(), list("crash", are_groups, &app), &given);
        prop_assert!(item.is_none() || is_readable(&given));
        if let Some(item) = item {
            prop_assert!(item.found.known_by == KnownBy::Id || are_groups && item.found.at < wanted().until);
            let event = event(&item.found);
            prop_assert_ne!(event.trigger, UNREADABLE);
            prop_assert!(wanted().since <= item.found.at && item.found.at <= wanted().until);
        }
    }
}
