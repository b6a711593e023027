//! `bugle doctor`: what is as it should be, what is not, and that looking changes nothing and posts nothing.

mod address;
mod chats;
mod trackers;
mod transcript;

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;

use bugle::pretend::{Answer, Behaviour};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::bugle::{Bugle, Place, TOKEN, bugsnag, wait_shown};

const TO_SLACK: &str = "[[rules]]\nname = \"everything\"\nsend_to = \"slack\"\n";

/// A port on which nothing listens at this moment.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A place with nothing in it to complain of, but for what nobody can tell: every file is its owner's, and both listeners
/// have a port of their own. Gives the public one's.
fn tidy_place(rules: &str) -> (Place, u16) {
    let place = Place::with("", rules);
    let (port, admin) = (free_port(), free_port());
    edit(&place, "listen = \"127.0.0.1:0\"", &format!("listen = \"127.0.0.1:{port}\""));
    edit(&place, "listen = \"127.0.0.1:0\"", &format!("listen = \"127.0.0.1:{admin}\""));
    // A rate above the platform's own is warned of.
    let config = fs::read_to_string(place.path("config.toml")).unwrap();
    place.write("config.toml", &config.replace("rate = \"50/s\"\n", ""));
    // Two sources with one token would be worth a word.
    edit(
        &place,
        "type = \"bugfender\"\ntokens = [{ file = \"token\" }]",
        "type = \"bugfender\"\ntokens = [{ file = \"mobile.token\" }]",
    );
    place.write("mobile.token", "another-token-for-tests-0123456789");
    for file in ["config.toml", "token", "mobile.token", "slack.url", "teams.url", "discord.url"] {
        fs::set_permissions(place.path(file), Permissions::from_mode(0o600)).unwrap();
    }
    (place, port)
}

/// Changes the first `old` in the configuration.
fn edit(place: &Place, old: &str, new: &str) {
    let config = fs::read_to_string(place.path("config.toml")).unwrap();
    assert!(config.contains(old), "{old}");
    place.write("config.toml", &config.replacen(old, new, 1));
}

/// What the doctor says, as JSON, and its exit code. No part of any secret is in it.
fn ask(place: &Place, arguments: &[&str]) -> (i32, Value) {
    let arguments = [&["doctor", "--json"], arguments].concat();
    let output = place.command(&arguments).output().unwrap();
    let said =
        [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat();
    for chat in place.chats() {
        let url = chat.url();
        assert!(!said.contains(url.rsplit(['/', '=']).next().unwrap()), "{said}");
    }
    assert!(!said.contains(TOKEN), "{said}");
    let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{said}"));
    (output.status.code().unwrap(), report)
}

/// All that is said about something, in a part: verdict, words and help.
fn about<'r>(report: &'r Value, part: &str, about: &str) -> Vec<(&'r str, &'r str, &'r str)> {
    let all = report["checks"].as_array().unwrap().iter();
    all.filter(|check| check["check"] == part && check["about"] == about)
        .map(|check| {
            let text = |key: &str| check[key].as_str().unwrap_or_default();
            (text("verdict"), text("words"), text("help"))
        })
        .collect()
}

/// Panics unless just this is said of something: a verdict, and parts of its words and its help.
fn says(report: &Value, part: &str, of: &str, verdict: &str, words: &str, help: &str) {
    let found = about(report, part, of);
    let fits = |(a, b, c): &(&str, &str, &str)| *a == verdict && b.contains(words) && c.contains(help);
    assert!(found.iter().any(fits), "{part}, {of}: {found:?} is not {verdict}, {words}, {help}");
    assert!(verdict == "ok" || found.iter().all(|(verdict, _, help)| *verdict == "ok" || !help.is_empty()));
}

/// The verdicts that are not "ok", each with its part and what it is about.
fn complaints(report: &Value) -> Vec<String> {
    let all = report["checks"].as_array().unwrap().iter();
    let bad = all.filter(|check| check["verdict"] != "ok" && check["verdict"] != "unknown");
    bad.map(|check| format!("{} {}: {}", check["check"], check["about"], check["words"])).collect()
}

/// Everything in the folder, to the byte.
fn everything(place: &Place) -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(place.folder.path()).unwrap().map(|entry| entry.unwrap());
    files.map(|file| (file.file_name().into_string().unwrap(), fs::read(file.path()).unwrap())).collect()
}

async fn stop(mut bugle: Bugle) {
    bugle.signal(Signal::SIGTERM);
    assert!(bugle.end().await.success());
}

#[test]
fn before_the_first_start_nothing_is_broken_and_nothing_is_made() {
    let (place, _) = tidy_place(TO_SLACK);
    let before = everything(&place);
    let (code, report) = ask(&place, &[]);
    assert_eq!((code, &report["verdict"]), (0, &json!("warning")), "{report:#}");
    says(&report, "configuration", "config.toml", "ok", "in order", "");
    says(&report, "secrets", "sources.backend.tokens[0]", "ok", "in token", "");
    says(
        &report,
        "secrets",
        "sources.backend.tokens[1]",
        "ok",
        "the variable SECOND_TOKEN, which is set",
        "",
    );
    says(&report, "store", "bugle.db", "warning", "there is none yet", "bugle serve");
    says(&report, "public_address", "server.public_url", "unknown", "not set", "set `server.public_url`");
    says(
        &report,
        "sources",
        "mobile",
        "warning",
        "nothing has ever come",
        "/hooks/mobile/<token> into Bugfender",
    );
    for name in ["slack", "teams", "discord"] {
        says(
            &report,
            "destinations",
            name,
            "unknown",
            "nothing was ever sent",
            &format!("bugle send-test {name}"),
        );
    }
    assert_eq!(everything(&place), before);
    assert!(place.chats().iter().all(|chat| chat.count() == 0), "nobody was asked who might show it");
}

#[tokio::test]
async fn a_relay_that_works_is_found_to_work() {
    let (place, port) = tidy_place(TO_SLACK);
    edit(&place, "[server]\n", &format!("[server]\npublic_url = \"http://127.0.0.1:{port}/\"\n"));
    let bugle = place.serve();
    bugle.accept("backend", bugsnag("one", json!({}))).await;
    wait_shown(&place.slack, 1).await;
    place.until("SELECT state FROM deliveries", "delivered").await;
    let (code, report) = ask(&place, &[]);
    assert_eq!(code, 0, "{report:#}");
    says(&report, "store", "bugle.db", "ok", "it can be read", "");
    says(&report, "store", "served", "ok", "a bugle serves from it", "");
    says(&report, "store", "room", "ok", "of 2.0 GiB used", "");
    says(&report, "store", "dead letters", "ok", "none", "");
    says(&report, "server", "alive", "ok", "answers", "");
    says(&report, "server", "ready", "ok", "couriers are at work", "");
    says(&report, "server", "configuration in force", "ok", "the one that is written", "");
    says(&report, "public_address", "server.public_url", "ok", "bugle answers", "");
    says(&report, "public_address", "metrics", "ok", "not shown", "");
    says(&report, "public_address", "TLS", "warning", "without TLS", "https://");
    says(&report, "sources", "backend", "ok", "the last event came at 2", "");
    says(&report, "destinations", "slack", "ok", "the last message was taken at 2", "");
    says(&report, "destinations", "slack", "ok", "nothing waits", "");
    assert_eq!(complaints(&report).len(), 2, "TLS, and a source that was never called: {report:#}");
    assert_eq!(place.slack.count(), 1);

    // A change that needs a restart is refused, and what was in force stays in force.
    edit(&place, "[store]\n", "[store]\nkeep = \"3d\"\n");
    bugle.says("needs a restart", 1).await;
    let (code, report) = ask(&place, &[]);
    assert_eq!(code, 0);
    says(&report, "server", "configuration in force", "warning", "another configuration", "restart");
    says(&report, "server", "configuration in force", "warning", "was refused: ", "restart");
    stop(bugle).await;
}

#[tokio::test]
async fn whoever_looks_leaves_no_trace_and_is_in_nobodys_way() {
    let (place, _) = tidy_place(TO_SLACK);
    let bugle = place.serve();
    bugle.accept("backend", bugsnag("one", json!({}))).await;
    place.until("SELECT state FROM deliveries", "delivered").await;
    stop(bugle).await;
    let before = everything(&place);
    assert!(!before.contains_key("bugle.db-wal"));
    let (code, report) = ask(&place, &[]);
    assert_eq!(code, 0, "{report:#}");
    says(&report, "store", "served", "warning", "nothing is sent until one does", "bugle serve");
    says(&report, "sources", "backend", "ok", "the last event came at 2", "");
    assert_eq!(everything(&place), before);

    // After a kill the newest is in the log alone.
    place.slack.always(Behaviour::Answer(Answer::text(503, "")));
    let bugle = place.serve();
    bugle.accept("backend", bugsnag("two", json!({}))).await;
    bugle.kill().await;
    let (_, report) = ask(&place, &[]);
    says(&report, "store", "served", "warning", "no bugle serves", "");
    assert!(
        about(&report, "destinations", "slack").iter().any(|(_, words, _)| words.contains("1 message waits"))
    );
    let store = fs::read(place.path("bugle.db")).unwrap();
    assert_eq!(before["bugle.db"], store, "what is in the log stays there");
}

#[tokio::test]
async fn each_destinations_trouble_is_told() {
    let (place, _) =
        tidy_place("[[rules]]\nname = \"everything\"\nsend_to = [\"slack\", \"discord\", \"teams\"]\n");
    place
        .discord
        .always(Behaviour::Answer(Answer::text(404, "{\"code\": 10015, \"message\": \"Unknown Webhook\"}")));
    place.slack.script([Behaviour::Answer(Answer::text(400, "user_not_found"))]);
    let bugle = place.serve();
    assert!(place.command(&["suspend", "teams"]).output().unwrap().status.success());
    bugle.accept("backend", bugsnag("one", json!({}))).await;
    place.until("SELECT count(*) FROM destinations WHERE gone_since IS NOT NULL", "1").await;
    place.until("SELECT count(*) FROM deliveries WHERE state = 'dead'", "1").await;
    let (code, report) = ask(&place, &[]);
    assert_eq!((code, &report["verdict"]), (1, &json!("broken")), "{report:#}");
    says(&report, "destinations", "discord", "broken", "its webhook is gone since", "bugle resume discord");
    says(
        &report,
        "destinations",
        "discord",
        "broken",
        "gone, answered 404: 10015 Unknown Webhook",
        "send-test",
    );
    says(&report, "destinations", "teams", "warning", "suspended since", "bugle resume teams");
    says(&report, "destinations", "slack", "warning", "refused, answered 400: user_not_found", "send-test");
    says(
        &report,
        "store",
        "dead letters",
        "warning",
        "1 dead letter, the latest at 2",
        "bugle dead-letters list",
    );
    stop(bugle).await;
    edit(
        &place,
        "[destinations.teams]\ntype = \"teams\"\nurl = { file = \"teams.url\" }",
        "[destinations.office]\ntype = \"teams\"\nurl = { file = \"teams.url\" }",
    );
    edit(&place, ", \"teams\"]", "]");
    let (_, report) = ask(&place, &[]);
    says(&report, "destinations", "teams", "warning", "1 message waits", "bugle move teams OTHER");
}

#[tokio::test]
async fn what_others_can_read_is_told_with_what_to_do() {
    let (place, _) = tidy_place(TO_SLACK);
    stop(place.serve()).await;
    assert_eq!(about(&ask(&place, &[]).1, "store", "bugle.db").len(), 1);
    for file in ["bugle.db", "slack.url", "config.toml"] {
        fs::set_permissions(place.path(file), Permissions::from_mode(0o640)).unwrap();
    }
    let (code, report) = ask(&place, &[]);
    assert_eq!(code, 0, "{report:#}");
    says(&report, "store", "bugle.db", "warning", "its mode is 0640", "`chmod 600 bugle.db`");
    says(
        &report,
        "secrets",
        "destinations.slack.url",
        "warning",
        "its mode is 0640",
        "`chmod 600 slack.url`",
    );
    assert!(!report.to_string().contains("chmod 600 config.toml"), "there is no secret in it");
    edit(&place, "url = { file = \"slack.url\" }", &format!("url = \"{}\"", place.slack.url()));
    edit(&place, "{ env = \"SECOND_TOKEN\" }", "\"hunter2\", { file = \"mobile.token\" }");
    let (code, report) = ask(&place, &[]);
    assert_eq!(code, 0, "{report:#}");
    says(
        &report,
        "secrets",
        "destinations.slack.url",
        "warning",
        "in the configuration itself",
        "chmod 600 config.toml",
    );
    says(
        &report,
        "secrets",
        "sources.backend.tokens[1]",
        "warning",
        "fewer than 16 characters",
        "a random one",
    );
    says(
        &report,
        "secrets",
        "sources.mobile.tokens[0]",
        "warning",
        "the same token as sources.backend.tokens[2]",
        "openssl",
    );
    says(&report, "configuration", "config.toml", "warning", "3 warnings", "bugle check");
    assert!(!report.to_string().contains("hunter2"));
}

#[tokio::test]
async fn a_configuration_with_problems_is_shown_and_the_rest_is_looked_at() {
    let (place, _) = tidy_place(TO_SLACK);
    let bugle = place.serve();
    edit(&place, "type = \"teams\"", "type = \"fax\"");
    fs::remove_file(place.path("slack.url")).unwrap();
    let (code, report) = ask(&place, &[]);
    assert_eq!((code, &report["verdict"]), (78, &json!("broken")), "{report:#}");
    says(
        &report,
        "configuration",
        "destinations.teams.type",
        "broken",
        "there is no type `fax`",
        "bugle check",
    );
    says(&report, "configuration", "destinations.slack.url.file", "broken", "cannot be read", "bugle check");
    says(&report, "store", "served", "ok", "a bugle serves", "");
    says(&report, "server", "ready", "ok", "", "");
    says(&report, "destinations", "discord", "ok", "nothing waits", "");
    let output = place.command(&["doctor"]).output().unwrap();
    let words = String::from_utf8(output.stdout).unwrap();
    let shown = String::from_utf8(place.command(&["check"]).output().unwrap().stdout).unwrap();
    let first = shown.split("\n\n").next().unwrap();
    assert!(first.contains("config.toml:") && words.contains(first), "{words}");
    stop(bugle).await;

    place.write("config.toml", "[server\n");
    assert_eq!(ask(&place, &[]).0, 78);
    fs::remove_file(place.path("config.toml")).unwrap();
    let (code, report) = ask(&place, &[]);
    assert_eq!(code, 78);
    says(&report, "configuration", "file", "broken", "there is no configuration", "");
}

#[tokio::test]
async fn a_store_that_cannot_be_used_is_told_for_what_it_is() {
    let (place, _) = tidy_place(TO_SLACK);
    stop(place.serve()).await;
    let change = |sql: &str| {
        let store = rusqlite::Connection::open(place.path("bugle.db")).unwrap();
        store.execute_batch(sql).unwrap();
    };
    change("INSERT INTO refinery_schema_history VALUES (99, 'future', '2030-01-01T00:00:00Z', '1')");
    let (code, report) = ask(&place, &[]);
    assert_eq!(code, 1, "{report:#}");
    says(&report, "store", "bugle.db", "broken", "a newer bugle (version 99", "use that bugle");
    says(&report, "sources", "backend", "unknown", "does not tell", "store");
    change("DELETE FROM refinery_schema_history WHERE version > 2");
    let (code, report) = ask(&place, &[]);
    assert_eq!(code, 0, "{report:#}");
    says(&report, "store", "bugle.db", "warning", "an older bugle (version 2", "back it up");
    let store = fs::read(place.path("bugle.db")).unwrap();
    assert!(
        ask(&place, &[]).0 == 0 && fs::read(place.path("bugle.db")).unwrap() == store,
        "it is not brought up to date"
    );

    place.write("bugle.db", &"no database at all ".repeat(500));
    let (code, report) = ask(&place, &[]);
    assert_eq!(code, 1, "{report:#}");
    says(&report, "store", "bugle.db", "broken", "is no SQLite database", "have `store.url` name");
    edit(&place, "sqlite:bugle.db", "sqlite:no/such/folder/bugle.db");
    let (code, report) = ask(&place, &[]);
    assert_eq!(code, 1, "{report:#}");
    says(&report, "store", "no/such/folder", "broken", "is not there", "make it");
}

#[tokio::test]
async fn an_event_of_the_future_shows_a_wrong_clock() {
    let (place, _) = tidy_place(TO_SLACK);
    let bugle = place.serve();
    bugle.accept("backend", bugsnag("one", json!({}))).await;
    stop(bugle).await;
    assert!(about(&ask(&place, &[]).1, "clock", "newest event").is_empty());
    let store = rusqlite::Connection::open(place.path("bugle.db")).unwrap();
    store.execute_batch("UPDATE events SET received_at = 4000000000000").unwrap();
    drop(store);
    let (_, report) = ask(&place, &[]);
    says(&report, "clock", "newest event", "warning", "2096-10-02", "NTP");
}

#[tokio::test]
async fn what_was_refused_is_told_until_something_comes() {
    let (place, _) = tidy_place(TO_SLACK);
    let bugle = place.serve();
    bugle.accept("backend", bugsnag("one", json!({}))).await;
    stop(bugle).await;
    let store = rusqlite::Connection::open(place.path("bugle.db")).unwrap();
    let refused = |source: &str, reason: &str, back_ms: i64| {
        let sql = "INSERT INTO refusals (source, reason, first_at, last_at, count, sender, span)
                   SELECT ?1, ?2, at, at, 3, '192.0.2.7', at FROM (SELECT max(received_at) - ?3 AS at FROM events)";
        store.execute(sql, rusqlite::params![source, reason, back_ms]).unwrap();
    };
    refused("backend", "not_json", 1_000);
    refused("mobile", "unauthorized", 1_000);
    refused("", "unknown_source", 1_000);
    refused("", "too_many_connections", 48 * 3_600_000);
    let (code, report) = ask(&place, &[]);
    assert_eq!(code, 0, "{report:#}");
    assert_eq!(about(&report, "sources", "backend").len(), 1, "something has come since");
    says(
        &report,
        "sources",
        "mobile",
        "warning",
        "3 webhooks refused within a day: unauthorized",
        "Webhooks are refused",
    );
    says(&report, "sources", "mobile", "warning", "from 192.0.2.7", "");
    says(&report, "sources", "no source", "warning", "unknown_source", "look in the tracker");
    assert!(!report.to_string().contains("too_many_connections"), "that was long ago");
    store.execute("UPDATE refusals SET last_at = last_at + 1001 WHERE source = 'backend'", []).unwrap();
    drop(store);
    says(&ask(&place, &[]).1, "sources", "backend", "warning", "not_json", "");
}
