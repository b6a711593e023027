//! What bugle writes down of itself, and what it then can tell: when it ran, whom it refused, which rules were in force.

use nix::sys::signal::Signal;
use reqwest::Method;
use serde_json::{Value, json};

use crate::bugle::{Place, TOKEN, answer, bugsnag, fixtures};

const TO_SLACK: &str = "[[rules]]\nname = \"everything\"\nsend_to = \"slack\"\n";

/// What `bugle why` says, as JSON, and its exit code.
fn why(place: &Place, words: &[&str]) -> (Value, i32) {
    let output = place.command(&[&["why", "--json"], words].concat()).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let json = serde_json::from_str(&said)
        .unwrap_or_else(|error| panic!("{error}: {said}\n{}", String::from_utf8_lossy(&output.stderr)));
    (json, output.status.code().unwrap())
}

#[tokio::test]
async fn a_kill_and_a_stop_are_told_apart_and_so_is_a_bugle_that_runs() {
    let place = Place::with("", TO_SLACK);
    let absences = |place: &Place| {
        let (json, code) = why(place, &["--since", "1h", "nothing"]);
        assert_eq!((&json["found"], code), (&json!(false), 1));
        (json["serving"].clone(), json["absences"].as_array().unwrap().clone())
    };
    let bugle = place.serve();
    assert_eq!(absences(&place), (json!(true), Vec::new()));
    bugle.kill().await;
    let (serving, now) = absences(&place);
    assert_eq!((serving, now.len()), (json!(false), 1));
    assert_eq!((&now[0]["until"], &now[0]["how"]), (&Value::Null, &json!("killed")));

    let mut bugle = place.serve();
    let (serving, now) = absences(&place);
    assert_eq!((serving, now.len()), (json!(true), 1));
    assert!(now[0]["until"].is_string(), "{now:?}");
    bugle.signal(Signal::SIGTERM);
    assert!(bugle.end().await.success());
    let (_, now) = absences(&place);
    assert_eq!(now.len(), 2);
    assert_eq!((&now[1]["until"], &now[1]["how"]), (&Value::Null, &json!("stopped")));
}

#[tokio::test]
async fn refusals_are_kept_by_source_and_reason_and_nothing_of_what_was_sent() {
    let place = Place::with("", TO_SLACK);
    let mut bugle = place.serve();
    let wrong = "a-token-that-is-wrong-0123456789";
    let refused = async |method: Method, path: String, body: &str, status: u16| {
        let request = bugle.request(method, &path).body(body.to_owned());
        assert_eq!(answer(request).await.0, status, "{path}");
    };
    for _ in 0..300 {
        refused(Method::POST, format!("/hooks/backend/{wrong}"), "a body of somebody", 401).await;
    }
    refused(Method::POST, format!("/hooks/{wrong}/x"), "{}", 404).await;
    refused(Method::GET, format!("/hooks/backend/{TOKEN}"), "", 405).await;
    refused(Method::POST, format!("/hooks/backend/{TOKEN}"), "a body of somebody", 400).await;
    place.until("SELECT sum(count) FROM refusals", "303").await;
    let (json, _) = why(&place, &["--since", "1h", "nothing"]);
    let mut found: Vec<(String, String, u64)> = json["refusals"]
        .as_array()
        .unwrap()
        .iter()
        .map(|refusal| {
            assert_eq!(refusal["sender"], "127.0.0.1");
            let text = |name: &str| refusal[name].as_str().unwrap().to_owned();
            (text("source"), text("reason"), refusal["count"].as_u64().unwrap())
        })
        .collect();
    found.sort();
    let row = |source: &str, reason: &str, count| (source.to_owned(), reason.to_owned(), count);
    assert_eq!(
        found,
        [
            row("", "unknown_source", 1),
            row("backend", "method_not_allowed", 1),
            row("backend", "not_json", 1),
            row("backend", "unauthorized", 300),
        ]
    );
    assert!(place.ask::<i64>("SELECT count(*) FROM refusals") <= 8, "they are counted, not listed");

    // What comes in the last second before a stop is written down, too.
    refused(Method::POST, format!("/hooks/backend/{wrong}"), "a body of somebody", 401).await;
    bugle.signal(Signal::SIGTERM);
    assert!(bugle.end().await.success());
    assert_eq!(place.ask::<i64>("SELECT sum(count) FROM refusals"), 304);
    for file in ["bugle.db", "bugle.db-wal"] {
        let bytes = std::fs::read(place.path(file)).unwrap_or_default();
        for secret in [wrong, TOKEN, "a body of somebody"] {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} is in {file}");
        }
    }
}

#[tokio::test]
async fn a_reload_and_a_refused_one_are_kept_with_what_they_changed() {
    let place = Place::with("", TO_SLACK);
    let bugle = place.serve();
    let before = bugle.accept("backend", bugsnag("one", json!({}))).await;
    place.configure(
        "",
        "[[rules]]\nname = \"everything\"\nwhen.severity = \">= wrong\"\nsend_to = \"slack\"\n",
    );
    bugle.signal(Signal::SIGHUP);
    place.until("SELECT count(*) FROM configurations WHERE how = 'refused'", "1").await;
    place.configure("", "[[rules]]\nname = \"everything\"\nsend_to = \"discord\"\n");
    bugle.signal(Signal::SIGHUP);
    place.until("SELECT count(*) FROM configurations WHERE how = 'reload'", "1").await;
    let after = bugle.accept("backend", bugsnag("two", json!({}))).await;

    let (json, _) = why(&place, &["--since", "1h", "nothing"]);
    let how: Vec<&str> =
        json["configurations"].as_array().unwrap().iter().map(|one| one["how"].as_str().unwrap()).collect();
    assert_eq!(how, ["start", "refused", "reload"]);
    assert!(json["configurations"][1]["lines"][0].as_str().unwrap().contains("wrong"), "{json:#}");

    // Each is explained by the rules of its own time.
    let (json, code) = why(&place, &[&before[0]]);
    assert_eq!((code, &json["rules"]["findings"][0]["send_to"]), (0, &json!(["slack"])));
    assert_eq!(json["rules"]["today"]["send_to"], json!(["discord"]));
    let (json, _) = why(&place, &[&after[0]]);
    assert_eq!(json["rules"]["findings"][0]["send_to"], json!(["discord"]));
    assert_eq!(json["rules"]["in_force"]["how"], "reload");
    assert_eq!(json["rules"]["changes"], json!([r#"the rule "everything": send_to was slack, is discord"#]));
    assert_eq!(json["rules"]["today"], Value::Null);
}

/// Rules that between them look at most fields, and that stop, except, and drop.
const MANY: &str = r#"
[[rules]]
name = "loud"
when.severity = ">= warning"
when.stage = ["production", ""]
unless.trigger = ["comment", "release"]
send_to = ["slack", "discord"]

[[rules]]
name = "payments"
when.error_class = "*Timeout*"
when.app = "/shop/i"
send_to = "teams"

[[rules]]
name = "many"
when.occurrences = ">= 1000"
send_to = "discord"
mention = "here"
urgent = true
stop = true

[[rules]]
name = "not comments"
when.trigger = ["comment", "feedback"]
send_to = []

[[rules]]
name = "raw"
when.raw.project.name = "*"
unless.url = ""
send_to = "slack"
"#;

#[tokio::test]
async fn what_is_explained_of_every_kind_of_event_is_what_was_decided_when_it_came() {
    let place = Place::with("", MANY);
    let bugle = place.serve();
    let mut explained = 0;
    let mut findings = std::collections::BTreeSet::new();
    for (source, name, body) in fixtures() {
        let (status, receipt) = bugle.post(source, body).await;
        assert_eq!(status, 200, "{name}");
        for id in receipt["ids"].as_array().unwrap() {
            let (json, code) = why(&place, &[id.as_str().unwrap()]);
            assert_eq!((code, &json["rules"]["agrees"]), (0, &json!(true)), "{name}: {json:#}");
            let all = json["rules"]["findings"].as_array().unwrap();
            let matched: Vec<&Value> = all.iter().filter(|one| one["finding"] == "matched").collect();
            let names: Vec<&Value> = matched.iter().map(|one| &one["rule"]).collect();
            assert_eq!(json!(names), json["rules"]["matched"], "{name}");
            let mut owed: Vec<String> = matched
                .iter()
                .flat_map(|one| one["send_to"].as_array().unwrap())
                .map(|name| name.as_str().unwrap().to_owned())
                .collect();
            owed.sort();
            owed.dedup();
            let mut deliveries: Vec<&str> = json["deliveries"]
                .as_array()
                .unwrap()
                .iter()
                .map(|one| one["destination"].as_str().unwrap())
                .collect();
            deliveries.sort_unstable();
            assert_eq!(deliveries, owed, "{name}");
            findings.extend(all.iter().map(|one| one["finding"].as_str().unwrap().to_owned()));
            explained += 1;
        }
    }
    assert!(explained > 30, "{explained}");
    assert_eq!(findings.into_iter().collect::<Vec<_>>(), ["excepts", "matched", "misses", "not_asked"]);
}
