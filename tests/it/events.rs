//! `bugle events`: what has come, narrowed down, with a server on the store and without one; and what is said of its fields.

use std::collections::BTreeSet;

use bugle::pretend::{Answer, Behaviour};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::bugle::{Bugle, Place, bugsnag};

const RULES: &str = "[[rules]]\nname = \"noise\"\nwhen.app = \"noise\"\nsend_to = []\n\
    [[rules]]\nname = \"r\"\nwhen.severity = \"error\"\nsend_to = [\"slack\", \"discord\"]\n";

/// What the binary writes, which must go well.
fn well(place: &Place, arguments: &[&str]) -> String {
    let done = place.command(arguments).output().unwrap();
    assert!(done.status.success(), "{arguments:?}: {done:?}");
    String::from_utf8(done.stdout).unwrap()
}

fn listed(place: &Place, arguments: &[&str]) -> Value {
    serde_json::from_str(&well(place, &[&["events", "--json"], arguments].concat())).unwrap()
}

/// The titles of what is listed, in their order.
fn titles(place: &Place, arguments: &[&str]) -> Vec<String> {
    let events = listed(place, arguments)["events"].clone();
    events.as_array().unwrap().iter().map(|event| event["title"].as_str().unwrap().to_owned()).collect()
}

/// A server that has got an event of each fate.
async fn of_each_fate(place: &Place) -> Bugle {
    place.slack.script([Behaviour::Normal, Behaviour::Answer(Answer::text(400, "user_not_found"))]);
    let bugle = place.serve();
    let post = async |id: &str, extra: Value| bugle.accept("backend", bugsnag(id, extra)).await;
    let titled = |title: &str| json!({"error": {"exceptionClass": title}});
    for _ in 0..2 {
        post("one", json!({"error": {"exceptionClass": "Alpha"}, "project": {"name": "Shop\u{1b}[2J API"}}))
            .await;
    }
    place.until("SELECT count(*) FROM deliveries WHERE state = 'delivered'", "2").await;
    post("two", titled("Beta")).await;
    place.until("SELECT count(*) FROM deliveries WHERE state = 'dead'", "1").await;
    place.until("SELECT count(*) FROM deliveries WHERE state = 'delivered'", "3").await;
    post("three", json!({"error": {"exceptionClass": "Gamma"}, "project": {"name": "noise"}})).await;
    post("four", json!({"error": {"exceptionClass": "Delta", "severity": "info"}})).await;
    bugle
}

#[tokio::test]
async fn what_has_come_is_listed_with_what_became_of_it_whether_bugle_serves_or_not() {
    let place = Place::with("", RULES);
    let mut bugle = of_each_fate(&place).await;
    for served in [true, false] {
        if !served {
            bugle.signal(Signal::SIGTERM);
            assert!(bugle.end().await.success());
        }
        let table = well(&place, &["events"]);
        let rows: Vec<&str> = table.lines().collect();
        assert_eq!(rows.len(), 5, "{table}");
        for (row, words) in [
            (0, &["ID ", "RECEIVED", "SOURCE", "TRIGGER", "SEVERITY", "APP", "TITLE", "BECAME"][..]),
            (1, &["backend", "firstException", "info", "Shop API", "Delta", "no rule matched"]),
            (2, &["Gamma", "dropped by \"noise\""]),
            (3, &["Beta", "1 of 2 delivered, 1 given up"]),
            (4, &["error", "Shop[2J API", "Alpha", "delivered (2)"]),
        ] {
            assert!(words.iter().all(|word| rows[row].contains(word)), "{words:?}: {table}");
        }
        assert!(!table.contains(|letter: char| letter.is_control() && letter != '\n'), "{table:?}");
        let short = well(&place, &["events", "--limit", "2"]);
        assert!(short.ends_with("… and more: say --limit 20, or narrow it down.\n"), "{short}");
        let nothing = well(&place, &["events", "nothing of it"]);
        assert!(nothing.starts_with("There are no such events. `bugle why --since 2h`"), "{nothing}");
        let events = listed(&place, &[])["events"].clone();
        let became: Vec<_> = events.as_array().unwrap().iter().map(|event| &event["became"]).collect();
        assert_eq!(became, ["unmatched", "dropped", "partly", "delivered"]);
        assert_eq!((&events[3]["duplicates"], &events[3]["delivered"]), (&json!(1), &json!(2)));
        assert_eq!((&events[2]["dead"], &events[2]["matched"]), (&json!(1), &json!(["r"])));
    }
}

#[tokio::test]
async fn a_listing_is_narrowed_down_as_rules_are_written() {
    let place = Place::with("", RULES);
    let _bugle = of_each_fate(&place).await;
    for (arguments, expected) in [
        (&["--unmatched"][..], &["Delta"][..]),
        (&["--unsent"], &["Delta", "Gamma"]),
        (&["--unsent", "--app", "shop*"], &["Delta"]),
        (&["--app", "noise", "--app", "/api$/i"], &["Delta", "Gamma", "Beta", "Alpha"]),
        (&["--severity", ">= warning"], &["Gamma", "Beta", "Alpha"]),
        (&["--trigger", "*exception", "--source", "BACK*", "message of two"], &["Beta"]),
        (&["MESSAGE", "of", "two"], &["Beta"]),
        (&["group-two"], &["Beta"]),
        (&["group-tw"], &[]),
        (&["--source", "mobile"], &[]),
        (&["--source", "bugle"], &[]),
        (&["--since", "1h", "--limit", "1"], &["Delta"]),
        (&["--until", "1h"], &[]),
    ] {
        assert_eq!(titles(&place, arguments), expected, "{arguments:?}");
    }
    for wrong in [&["--severity", ">= terrible"][..], &["--app", "/(/"], &["--since", "yesterday"]] {
        let refused = place.command(&[&["events"], wrong].concat()).output().unwrap();
        assert_eq!(refused.status.code(), Some(2), "{wrong:?}: {refused:?}");
    }
    let nowhere = Place::with("", RULES);
    let missing = nowhere.command(&["events", "--json"]).output().unwrap();
    assert_eq!((missing.status.code(), missing.stdout.len()), (Some(1), 0));
    assert!(
        String::from_utf8_lossy(&missing.stderr).contains("there is no store at bugle.db"),
        "{missing:?}"
    );
}

#[tokio::test]
async fn a_word_that_nothing_has_is_hinted_at_and_an_event_without_a_title_is_called_something() {
    let place = Place::with("", RULES);
    let bugle = place.serve();
    bugle.accept("backend", "{\"nothing\": \"of an event\"}").await;
    let table = well(&place, &["events"]);
    assert!(table.contains("(unreadable webhook)"), "{table}");
    for (arguments, hint) in [
        (&["--source", "bakend"][..], "There is no source `bakend`, did you mean `backend`? (known: "),
        (&["--severity", "nonsense"], "There is no severity `nonsense` (known: info, warning, error)"),
        (&["--source", "back*", "--source", "bugle"], ""),
        (&["--severity", "error"], ""),
    ] {
        let done = place.command(&[&["events"], arguments].concat()).output().unwrap();
        assert!(done.status.success(), "{arguments:?}: {done:?}");
        let aside = String::from_utf8(done.stderr).unwrap();
        assert!(aside.contains(hint) && aside.is_empty() == hint.is_empty(), "{arguments:?}: {aside}");
    }
}

#[test]
fn problems_with_the_configuration_end_their_line_and_leave_the_output_empty() {
    let place = Place::new();
    std::fs::write(place.path("bugle.toml"), "[store]\nurl = 7\n").unwrap();
    let path = place.path("bugle.toml");
    for command in ["events", "queue", "tail", "serve"] {
        let arguments = [command, "--json", "--config", path.to_str().unwrap()];
        let done = place.command(&arguments).output().unwrap();
        assert_eq!((done.status.code(), done.stdout.len()), (Some(78), 0), "{command}: {done:?}");
        assert!(done.stderr.ends_with(b"\n") && !done.stderr.ends_with(b"\n\n"), "{command}: {done:?}");
    }
}

#[test]
fn whoever_closes_the_pipe_has_seen_enough() {
    let place = Place::new();
    place.write("config.toml", "[store]\nurl = 7\n");
    let checked = place.command(&["check"]).output().unwrap();
    assert_eq!(checked.status.code(), Some(78), "{checked:?}");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let checked = place.command(&["check"]).stdout(writer).status().unwrap();
    assert_eq!(checked.code(), Some(0));
}

/// Every key of `shown`, at any depth.
pub(crate) fn keys(shown: &Value) -> BTreeSet<String> {
    match shown {
        Value::Object(map) => {
            map.iter().flat_map(|(key, value)| [key.clone()].into_iter().chain(keys(value))).collect()
        }
        Value::Array(values) => values.iter().flat_map(keys).collect(),
        _ => BTreeSet::new(),
    }
}

/// Checks that each of `keys` is explained beside the commands.
pub(crate) fn are_documented(keys: &BTreeSet<String>) {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/OPERATIONS.md")).unwrap();
    let chapter = page.split("\n## See what happens\n").nth(1).unwrap().split("\n## ").next().unwrap();
    for key in keys {
        assert!(chapter.contains(&format!("`{key}`")), "{key} is not in docs/OPERATIONS.md");
    }
}

#[tokio::test]
async fn every_field_is_documented() {
    let place = Place::with("", RULES);
    let _bugle = of_each_fate(&place).await;
    let keys = keys(&listed(&place, &[]));
    assert!(keys.len() > 20, "{keys:?}");
    are_documented(&keys);
}
