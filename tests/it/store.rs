//! The store's file: copied and looked through while it is in use, and what is said when it is damaged.

mod damage;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicBool, Ordering};

use bugle::pretend::{Answer, Behaviour};
use nix::sys::signal::Signal;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::bugle::{Place, bugsnag, visible, wait_shown};

const TO_SLACK: &str = "[[rules]]\nname = \"r\"\nsend_to = \"slack\"\n";

/// Runs bugle with `arguments` and `--json`: its exit code and what it wrote.
fn run(place: &Place, arguments: &[&str]) -> (Option<i32>, Value) {
    let output = place.command(arguments).arg("--json").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.code(), serde_json::from_str(&text).unwrap_or(Value::Null))
}

/// The same without `--json`: what it wrote to both.
fn words(place: &Place, arguments: &[&str]) -> (Option<i32>, String) {
    let output = place.command(arguments).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_under_load_has_all_that_was_accepted_before_it_and_delivers_what_waits() {
    let place = Place::with("", TO_SLACK);
    place.slack.always(Behaviour::Answer(Answer::text(503, "down")));
    let bugle = place.serve();
    for number in 0..100 {
        bugle.accept("backend", bugsnag(&format!("before-{number}"), json!({}))).await;
    }
    let is_over = AtomicBool::new(false);
    let load = async {
        let mut count = 0;
        while !is_over.load(Ordering::Relaxed) {
            bugle.accept("backend", bugsnag(&format!("during-{count}"), json!({}))).await;
            count += 1;
        }
        count
    };
    let backup = async {
        let mut command = place.command(&["backup", "copy.db", "--json"]);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        is_over.store(true, Ordering::Relaxed);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let (_, copied) = tokio::join!(load, backup);
    let file = place.path("copy.db");
    let copy = Connection::open(&file).unwrap();
    let count = |sql: &str| copy.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count("SELECT count(*) FROM events WHERE tracker_id LIKE 'before-%'"), 100);
    let events = count("SELECT count(*) FROM events");
    assert_eq!(copied["events"].as_i64(), Some(events));
    assert_eq!(copied["waiting"].as_i64(), Some(events), "nothing could be delivered");
    assert_eq!(copied["bytes"].as_u64(), Some(fs::metadata(&file).unwrap().len()));
    drop(copy);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(run(&place, &["check-store", "copy.db"]).0, Some(0));

    let elsewhere = Place::with("", TO_SLACK);
    fs::copy(&file, elsewhere.path("bugle.db")).unwrap();
    let _bugle = elsewhere.serve();
    let events = usize::try_from(events).unwrap();
    let texts: Vec<_> = wait_shown(&elsewhere.slack, events)
        .await
        .iter()
        .map(|r| visible(r.json.as_ref().unwrap()))
        .collect();
    for number in 0..100 {
        assert!(texts.iter().any(|text| text.contains(&format!("message of before-{number}\n"))), "{number}");
    }
}

#[tokio::test]
async fn a_backup_overwrites_nothing_and_leaves_nothing_behind() {
    let place = Place::new();
    let (code, said) = words(&place, &["backup", "copy.db"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("bugle.db is not there"), "{said}");
    let mut bugle = place.serve();
    bugle.accept("backend", bugsnag("one", json!({}))).await;
    bugle.signal(Signal::SIGTERM);
    bugle.end().await;
    place.write("copy.db", "mine");
    let (code, said) = words(&place, &["backup", "copy.db"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("copy.db is there already"), "{said}");
    assert_eq!(fs::read_to_string(place.path("copy.db")).unwrap(), "mine");
    let (code, said) = words(&place, &["backup", "no/such/folder/copy.db"]);
    assert_eq!((code, said.contains("cannot write no/such/folder/copy.db")), (Some(1), true), "{said}");
    // Of the configuration only the store matters.
    place.write("config.toml", "[store]\nurl = \"sqlite:bugle.db\"\n[sources.x]\ntype = \"nonsense\"\n");
    let (code, said) = words(&place, &["backup", "second.db"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("second.db: ") && said.contains("1 events"), "{said}");
    let names = fs::read_dir(place.folder.path()).unwrap();
    let left: Vec<_> = names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("backup") || name.starts_with("second.db-"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_store_in_use_is_looked_through_and_what_is_not_so_is_told() {
    let place = Place::with("", TO_SLACK);
    let bugle = place.serve();
    bugle.accept("backend", bugsnag("one", json!({}))).await;
    bugle.accept("backend", bugsnag("two", json!({}))).await;
    place.until("SELECT count(*) FROM deliveries WHERE state = 'delivered'", "2").await;
    let (code, said) = words(&place, &["check-store"]);
    assert_eq!(code, Some(0), "{said}");
    for part in ["bugle.db is in order", "events: 2; deliveries: 2 delivered", "the one of this bugle"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let (code, found) = run(&place, &["check-store"]);
    assert_eq!(
        (code, found["ok"].as_bool(), found["deliveries"]["delivered"].as_u64()),
        (Some(0), Some(true), Some(2))
    );

    for (change, what) in [
        ("UPDATE deliveries SET settled_at = NULL WHERE id = 1", "deliveries that wait and are settled"),
        ("UPDATE deliveries SET state = 'dead', reason = NULL WHERE id = 1", "dead letters without a reason"),
        ("UPDATE deliveries SET state = 'moved', moved_to = 2 WHERE id = 1", "not of the same event"),
        ("UPDATE deliveries SET state = 'moved', moved_to = 1 WHERE id = 1", "never arrive anywhere"),
        (
            "INSERT INTO attempts (delivery, pace_group, started_at) VALUES (1, 'p', 1), (1, 'p', 2)",
            "two attempts under way",
        ),
        ("UPDATE attempts SET outcome = NULL WHERE id = 1", "ended with nothing"),
        ("UPDATE sqlite_sequence SET seq = 1 WHERE name = 'events'", "used again"),
        (
            "PRAGMA foreign_keys = OFF; DELETE FROM events WHERE id = 1",
            "row 1 of deliveries belongs to a row of events that is not there",
        ),
        (
            "INSERT INTO refinery_schema_history VALUES (99, 'future', '2030-01-01T00:00:00Z', '1')",
            "was made by a newer bugle",
        ),
    ] {
        let copy = format!("copy-{}.db", change.len());
        assert_eq!(words(&place, &["backup", &copy]).0, Some(0));
        Connection::open(place.path(&copy)).unwrap().execute_batch(change).unwrap();
        let (code, said) = words(&place, &["check-store", &copy]);
        assert_eq!(code, Some(1), "{change}: {said}");
        assert!(said.contains(what), "{change}: {said}");
        let (code, found) = run(&place, &["check-store", &copy]);
        assert_eq!((code, found["ok"].as_bool()), (Some(1), Some(false)), "{change}");
        fs::remove_file(place.path(&copy)).unwrap();
    }
}

#[test]
fn stores_of_earlier_versions_are_in_order_and_said_to_be_older() {
    let place = Place::new();
    for version in 1..=6 {
        let file = format!("{}/tests/fixtures/store/v{version}.db", env!("CARGO_MANIFEST_DIR"));
        fs::copy(&file, place.path("old.db")).unwrap();
        let (code, said) = words(&place, &["check-store", "old.db"]);
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains(&format!("version {version} of the tables, older than this bugle")), "{said}");
    }
}
