//! A damaged store: refused in words at the start, and while bugle runs said once, with everything else going on.

use std::fs;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;
use reqwest::Method;
use rusqlite::Connection;
use serde_json::json;

use super::{TO_SLACK, words};
use crate::bugle::{Place, answer, bugsnag, wait_shown};

const PAGE: u64 = 4_096;

/// Does something to a store's file that was in order; it gets what was in it.
type Harm = fn(&Path, &[u8]);

/// A place with a store that some things have happened in, and that was closed as it should be.
async fn with_store() -> Place {
    let place = Place::with("", TO_SLACK);
    let mut bugle = place.serve();
    for number in 0..40 {
        let pad = json!({"error": {"context": "x".repeat(2_000)}});
        bugle.accept("backend", bugsnag(&format!("event-{number}"), pad)).await;
    }
    wait_shown(&place.slack, 40).await;
    place.until("SELECT count(*) FROM deliveries WHERE state = 'delivered'", "40").await;
    bugle.signal(Signal::SIGTERM);
    assert!(bugle.end().await.success());
    place
}

fn overwrite(file: &Path, at: u64, bytes: &[u8]) {
    let mut file = fs::OpenOptions::new().write(true).open(file).unwrap();
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(bytes).unwrap();
}

/// Fills the first page of the table or index `name` with nonsense.
fn spoil(place: &Place, name: &str) {
    let store = Connection::open(place.path("bugle.db")).unwrap();
    let root: i64 = store
        .query_row("SELECT rootpage FROM sqlite_schema WHERE name = ?1", [name], |row| row.get(0))
        .unwrap();
    drop(store);
    overwrite(&place.path("bugle.db"), (root.unsigned_abs() - 1) * PAGE, &[0xAA; 4_096]);
}

/// Tries to serve, which must fail by itself; what was written to standard error.
fn refused(mut command: Command) -> String {
    let output = command.env("RUST_LOG", "info").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    said
}

#[tokio::test]
async fn a_file_that_cannot_be_used_is_refused_with_what_to_do() {
    let good = with_store().await;
    let store = fs::read(good.path("bugle.db")).unwrap();
    let cases: [(&str, Harm, &str); 7] = [
        (
            "letters",
            |file, _| fs::write(file, "dear grandmother, ".repeat(500)).unwrap(),
            "is no SQLite database",
        ),
        ("a spoilt beginning", |file, _| overwrite(file, 0, &[0; 64]), "is no SQLite database"),
        ("truncated", |file, all| fs::write(file, &all[..all.len() / 2]).unwrap(), "is damaged"),
        ("cut within its first page", |file, all| fs::write(file, &all[..1_000]).unwrap(), "is damaged"),
        ("a spoilt list of tables", |file, _| overwrite(file, 100, &[0xAA; 3_000]), "is damaged"),
        (
            "a folder",
            |file, _| {
                fs::remove_file(file).unwrap();
                fs::create_dir(file).unwrap();
            },
            "is a folder",
        ),
        (
            "emptied, with its log left",
            |file, _| {
                fs::write(file, "").unwrap();
                fs::write(file.with_file_name("bugle.db-wal"), [1; 4_000]).unwrap();
            },
            "is empty, but the log beside it",
        ),
    ];
    for (name, harm, expected) in cases {
        let place = Place::with("", TO_SLACK);
        let file = place.path("bugle.db");
        fs::write(&file, &store).unwrap();
        harm(&file, &store);
        let said = refused(place.command(&["serve"]));
        assert!(said.contains(expected), "{name}: {said}");
        assert!(!said.contains("panicked"), "{name}: {said}");
        let (code, said) = words(&place, &["check-store"]);
        assert_eq!(code, Some(1), "{name}: {said}");
        assert!(said.contains("bugle.db is ") && !said.contains("in order\n"), "{name}: {said}");
        let (code, said) = words(&place, &["backup", "copy.db"]);
        assert_eq!(code, Some(1), "{name}: {said}");
        assert!(!place.path("copy.db").exists(), "{name}");
    }
}

#[tokio::test]
async fn an_empty_file_is_a_new_store_and_a_spoilt_log_costs_what_only_it_had() {
    let place = with_store().await;
    fs::write(place.path("bugle.db-wal"), vec![0xAA; 100_000]).unwrap();
    fs::write(place.path("bugle.db-shm"), vec![0xAA; 32_768]).unwrap();
    let bugle = place.serve();
    bugle.accept("backend", bugsnag("one more", json!({}))).await;
    place.until("SELECT count(*) FROM events", "41").await;
    drop(bugle);

    let place = Place::with("", TO_SLACK);
    place.write("bugle.db", "");
    let bugle = place.serve();
    bugle.accept("backend", bugsnag("one", json!({}))).await;
    place.until("SELECT count(*) FROM events", "1").await;
}

#[tokio::test]
async fn a_store_of_another_user_is_refused_in_words() {
    let place = with_store().await;
    let mut command = place.command(&["serve"]);
    if fs::metadata(place.folder.path()).unwrap().uid() == 0 {
        // Nobody else may read it, but everything around it.
        fs::set_permissions(place.folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        for name in ["config.toml", "token", "slack.url", "teams.url", "discord.url"] {
            fs::set_permissions(place.path(name), fs::Permissions::from_mode(0o644)).unwrap();
        }
        command.uid(65_534);
    } else {
        fs::set_permissions(place.path("bugle.db"), fs::Permissions::from_mode(0o400)).unwrap();
    }
    let said = refused(command);
    assert!(said.contains("may bugle write there?"), "{said}");
}

#[tokio::test]
async fn damage_that_shows_while_bugle_runs_is_said_once_and_answered_with_503() {
    let place = with_store().await;
    spoil(&place, "identities");
    let mut bugle = place.serve();
    for number in 0..5 {
        let (status, refusal) = bugle.post("backend", bugsnag(&format!("new-{number}"), json!({}))).await;
        assert_eq!((status, refusal["error"].as_str()), (503, Some("store_unavailable")), "{refusal}");
    }
    let (status, refusal) = answer(bugle.request(Method::GET, "/readyz")).await;
    assert_eq!((status, refusal["message"].as_str()), (503, Some("the store's file is damaged")));
    let log = bugle.log();
    assert_eq!(log.matches("look at it with `bugle check-store`").count(), 1, "{log}");
    assert!(!log.contains("the store refused a change"), "{log}");
    let (_, metrics) = answer(bugle.admin_request(Method::GET, "/metrics")).await;
    assert!(metrics.as_str().unwrap().contains("bugle_store_trouble 1"), "{metrics}");
    let (code, said) = words(&place, &["check-store"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("bugle.db is damaged") && said.contains(".recover"), "{said}");
    let (code, said) = words(&place, &["backup", "copy.db"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("the copy is damaged, and so is the store"), "{said}");
    bugle.signal(Signal::SIGTERM);
    assert!(bugle.end().await.success(), "it stops as it should");
}

#[tokio::test]
async fn a_courier_that_meets_damage_posts_nothing_while_webhooks_are_still_taken() {
    let place = with_store().await;
    let before = place.slack.count();
    spoil(&place, "attempts_by_delivery");
    let mut bugle = place.serve();
    bugle.accept("backend", bugsnag("new", json!({}))).await;
    bugle.says("the store's file is damaged", 1).await;
    bugle.accept("backend", bugsnag("another", json!({}))).await;
    assert_eq!(place.slack.count(), before, "what could not be written down is not posted");
    assert_eq!(bugle.log().matches("the store's file is damaged").count(), 1);
    bugle.signal(Signal::SIGTERM);
    assert!(bugle.end().await.success());
    // What was accepted is there.
    assert_eq!(place.ask::<i64>("SELECT count(*) FROM events"), 42);
}
