//! Every fixture, read; and everything that is no fixture, survived.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::event::UNREADABLE;
use crate::secret::Secret;

fn source(product: &str) -> Source {
    let options = serde_json::json!({});
    Source {
        name: SourceName::new("backend").unwrap(),
        tracker: tracker(product, options).unwrap().unwrap(),
        tokens: vec![Token::new(&Secret::new("token"))],
        allow_from: Vec::new(),
    }
}

fn parse(product: &str, body: &[u8], kind: Option<&str>) -> Result<Vec<Event>, BodyError> {
    let source = source(product);
    let offered = Offered { in_path: Some("token"), in_header: None };
    source.verify(None, offered).unwrap().parse(body, kind)
}

fn one(product: &str, body: &str) -> Event {
    let mut events = parse(product, body.as_bytes(), None).unwrap();
    assert_eq!(events.len(), 1);
    events.remove(0)
}

#[test]
fn every_fixture_is_read_in_full() {
    for product in PRODUCTS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(product);
        for file in fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            let body = fs::read(&path).unwrap();
            let mut events = parse(product, &body, None).unwrap();
            for event in &mut events {
                assert!(serde_json::from_str::<serde_json::Value>(&event.raw).is_ok());
                event.raw = String::new();
                if event.trigger == "errorStateManualChange" {
                    assert!(event.identity.is_some_and(|identity| identity.within.is_some()));
                }
            }
            let stem = path.file_stem().unwrap().to_str().unwrap();
            insta::assert_debug_snapshot!(format!("{product}__{stem}"), events);
        }
    }
}

#[test]
fn any_object_is_an_event_and_any_array_as_many() {
    let count = |product, body: &str| {
        let events = parse(product, body.as_bytes(), None).unwrap();
        let unreadable = events.iter().filter(|event| event.trigger == UNREADABLE).count();
        (events.len(), unreadable)
    };
    assert_eq!(count("bugsnag", "{}"), (1, 1));
    assert_eq!(count("bugsnag", "[]"), (0, 0));
    assert_eq!(count("bugsnag", r#"[{"trigger":{}}, 7, null, [], {"error":"text"}]"#), (5, 4));
    assert_eq!(count("bugfender", r#"{"title":"alone"}"#), (1, 0));
    assert_eq!(count("bugfender", r#"[{"id":1},{"title":null,"text":""},"x"]"#), (3, 2));
    assert_eq!(count("bugfender", "\u{FEFF}[{\"uid\":\"a\"}]"), (1, 0));
}

#[test]
fn an_array_without_end_is_one_event() {
    let body = |count: usize| format!("[{}]", vec!["1"; count].join(","));
    assert_eq!(parse("bugfender", body(10_000).as_bytes(), None).unwrap().len(), 10_000);
    let events = parse("bugfender", body(10_001).as_bytes(), None).unwrap();
    assert_eq!((events.len(), events[0].raw.len()), (1, 20_003));
}

#[test]
fn what_is_no_webhook_is_refused_with_its_place() {
    let refused = |body: &[u8]| parse("bugsnag", body, None).unwrap_err().to_string();
    assert_eq!(refused(b"{\"a\":\n  tru}"), "the body is not JSON (line 2, column 6)");
    assert_eq!(refused(b""), "the body is not JSON (line 1, column 0)");
    assert_eq!(refused(b"{} {}"), "the body is not JSON (line 1, column 4)");
    assert_eq!(refused(b"\"text\""), "the body is a bare JSON value, not an object or an array");
    assert_eq!(refused(b"{\"a\":\"\xFF\"}"), "the body is not UTF-8");
}

#[test]
fn shapes_that_nobody_documents_cost_only_their_part() {
    let event = one(
        "bugsnag",
        r#"{"trigger":{"type":"exception","type":"firstException","message":7},"project":"none",
            "error":{"errorId":12,"id":34.5,"exceptionClass":["no"],"message":null,"unhandled":"true","app":[],
                     "severity":"fatal","status":{},"exceptions":{"errorClass":"One","stacktrace":{"file":"a.rb"}},
                     "url":"javascript:alert(1)","linkedIssues":{"key":"ENG-1","url":"https://issues.example/1"}}}"#,
    );
    assert_eq!(event.trigger, "firstException", "of a key that occurs twice the last counts");
    assert_eq!((event.reason.as_str(), event.id.as_str(), event.error.id.as_str()), ("7", "34.5", "12"));
    assert_eq!((event.error.class.as_str(), event.text.as_str()), ("One", ""));
    assert_eq!((event.severity.as_str(), event.error.handled.as_str()), ("fatal", "false"));
    assert_eq!((event.error.stack.len(), event.url.as_str()), (1, ""));
    assert_eq!(event.error.linked_issue.id, "ENG-1");
}

#[test]
fn nesting_without_end_costs_that_part_of_the_event() {
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let body = format!(
        r#"{{"trigger":{{"type":"exception"}},"error":{{"message":{deep},"metaData":{deep},"id":"e"}}}}"#
    );
    let event = one("bugsnag", &body);
    assert_eq!((event.trigger.as_str(), event.id.as_str(), event.text.as_str()), ("exception", "e", ""));
    assert_eq!(parse("bugfender", deep.as_bytes(), None).unwrap().len(), 1);
}

#[test]
fn half_a_character_costs_that_character() {
    let event = one("bugfender", r#"{"id":"1","title":"cut \ud83d here","text":"\udc00","\ud800":1}"#);
    assert_eq!(event.title, "cut \u{FFFD} here");
    assert_eq!(event.text, "\u{FFFD}");
}

#[test]
fn the_older_format_takes_its_kind_from_the_address() {
    let body = br#"[{"id":7,"title":"t","status":0}]"#;
    let trigger = |kind| parse("bugfender", body, kind).unwrap().remove(0).trigger;
    assert_eq!(trigger(None), "issue");
    assert_eq!(trigger(Some("crash")), "crash");
    assert_eq!(trigger(Some("Crash")), "crash");
    let says_so = br#"[{"id":7,"type":"feedback"}]"#;
    assert_eq!(parse("bugfender", says_so, Some("crash")).unwrap()[0].trigger, "feedback");
}

#[test]
fn an_identity_is_made_of_what_makes_the_event() {
    let bugsnag = |kind: &str, id: &str, comment: &str| {
        let body = format!(
            r#"{{"trigger":{{"type":"{kind}"}},"comment":{{"id":"{comment}"}},"error":{{"id":"{id}","url":"https://a.example/?m=nw"}}}}"#
        );
        one("bugsnag", &body).identity
    };
    assert_eq!(bugsnag("exception", "1", "x"), bugsnag("exception", "1", "y"));
    assert_ne!(bugsnag("exception", "1", ""), bugsnag("firstException", "1", ""));
    assert_ne!(bugsnag("comment", "1", "x"), bugsnag("comment", "1", "y"));
    assert_eq!(bugsnag("exception", "", ""), None);
    assert_eq!(bugsnag("comment", "1", ""), None);
    let test_ping =
        r#"{"trigger":{"type":"exception"},"error":{"id":"1","url":"http://a.example/x?i=wh&m=te"}}"#;
    assert!(one("bugsnag", test_ping).test);
    assert_eq!(one("bugsnag", test_ping).identity, None);
    let example = test_ping.replace("x?i=wh&m=te", "errors/example/events/example");
    assert!(one("bugsnag", &example).test);
    assert!(!one("bugsnag", &test_ping.replace("m=te", "m=ne")).test);
    assert!(!one("bugsnag", r#"{"trigger":{"type":"exception"}}"#).test);

    let bugfender = |app: &str, id: &str| {
        one("bugfender", &format!(r#"{{"app":{{"name":"{app}"}},"id":{id}}}"#)).identity
    };
    assert_eq!(bugfender("a", "1"), bugfender("a", r#""1""#));
    assert_ne!(bugfender("a", "1"), bugfender("b", "1"));
    assert_eq!(bugfender("a", "null"), None);
}

#[test]
fn severity_of_bugfender_is_configurable_and_checked() {
    let options = |json| {
        tracker("bugfender", json).unwrap().map(|_| ()).map_err(|error: serde_json::Error| error.to_string())
    };
    assert_eq!(options(serde_json::json!({"severity": {"crash": "warning"}})), Ok(()));
    let wrong = options(serde_json::json!({"severity": {"crash": "fatal"}})).unwrap_err();
    assert!(wrong.contains("unknown variant `fatal`, expected one of `info`, `warning`, `error`"), "{wrong}");
    assert!(options(serde_json::json!({"severity": {"crsh": "error"}})).is_err());
}

#[test]
fn who_may_call_is_asked_before_the_token() {
    let mut source = source("bugsnag");
    source.allow_from = vec!["192.0.2.0/24".parse().unwrap()];
    let right = Offered { in_path: None, in_header: Some("token") };
    let verify = |address: Option<&str>, offered| {
        source.verify(address.map(|address| address.parse().unwrap()), offered).map(|_| ())
    };
    assert_eq!(verify(Some("192.0.2.9"), right), Ok(()));
    assert_eq!(verify(Some("::ffff:192.0.2.9"), right), Ok(()));
    assert_eq!(verify(Some("192.0.3.9"), right), Err(RejectError::Forbidden));
    assert_eq!(verify(None, right), Err(RejectError::Forbidden));
    assert_eq!(verify(Some("192.0.2.9"), Offered::default()), Err(RejectError::Unauthorized));
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let keys = "trigger|error|type|message|id|exceptions|stacktrace|title|text|app|name|[a-z]{1,3}";
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        ".*".prop_map(Into::into),
    ];
    leaf.prop_recursive(5, 60, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::btree_map(keys, inner, 0..8)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_json_is_events_or_a_clear_no(value in any_json(), product in 0_usize..2) {
        let events = parse(PRODUCTS[product], value.to_string().as_bytes(), None);
        match value {
            serde_json::Value::Object(_) => prop_assert_eq!(events.unwrap().len(), 1),
            serde_json::Value::Array(elements) => prop_assert_eq!(events.unwrap().len(), elements.len()),
            _ => prop_assert!(matches!(events, Err(BodyError::Scalar))),
        }
    }

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        drop(parse("bugsnag", &bytes, None));
        drop(parse("bugfender", &bytes, Some("crash")));
    }
}
