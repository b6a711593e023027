//! A glance at a store: what it tells, that it costs next to nothing, and that it leaves nothing behind.

use rusqlite::params;

use super::*;
use crate::outbox::glance::{LAST_ATTEMPT, last_arrival};
use crate::outbox::{Arrival, Glance, files};

fn file_of(story: &Story) -> PathBuf {
    story.folder.path().join("bugle.db")
}

fn ask<T>(path: &Path, question: impl Fn(&Records) -> rusqlite::Result<T>) -> T {
    let answer = Records::look(path, |records| Ok::<_, OpenError>(question(records).unwrap()));
    answer.unwrap().expect("there is a store")
}

#[tokio::test]
async fn the_last_arrival_is_that_of_its_source_whichever_application_it_is_of() {
    let story = Story::begin().await;
    let last = |source: &str| ask(&file_of(&story), |records| records.last_arrival(source));
    assert_eq!(last("backend"), Arrival::Never);
    for (id, at, app) in [("one", 5_000, "b"), ("two", 9_000, ""), ("three", 7_000, "a")] {
        story.accept(event(id), false).await;
        let file = Connection::open(story.folder.path().join("bugle.db")).unwrap();
        file.busy_timeout(Duration::from_secs(5)).unwrap();
        let set = "UPDATE events SET received_at = ?1, app = ?2 WHERE id = (SELECT max(id) FROM events)";
        file.execute(set, params![at, app]).unwrap();
    }
    let source = event("one").source.to_string();
    assert_eq!(last(&source), Arrival::At(Moment(9_000)));
    assert_eq!(last("another"), Arrival::Never);
    let newest = ask(&file_of(&story), Records::newest_event);
    assert_eq!(newest, Some(Moment(9_000)));
    let file = Connection::open(story.folder.path().join("bugle.db")).unwrap();
    file.execute_batch("PRAGMA foreign_keys = off; DELETE FROM events").unwrap();
    assert_eq!(last(&source), Arrival::Forgotten);
}

#[tokio::test]
async fn what_the_tracker_was_asked_for_came_through_no_door() {
    let story = Story::begin().await;
    let last = |source: &str| ask(&file_of(&story), |records| records.last_arrival(source));
    let source = event("one").source.to_string();
    let came = story.clock.now();
    let asked_for = |id| Event { caught_up: true, ..event(id) };
    story.accept(asked_for("one"), false).await;
    assert_eq!(last(&source), Arrival::Never);
    story.accept(event("two"), false).await;
    story.clock.advance(Duration::from_secs(9));
    story.accept(asked_for("three"), false).await;
    assert_eq!(last(&source), Arrival::At(came));
}

#[tokio::test]
async fn the_last_attempt_is_that_of_the_destination_among_all_that_share_its_pace() {
    let story = Story::begin().await;
    let last = |name: &str| ask(&file_of(&story), |records| records.last_attempt(name, "pace"));
    assert_eq!(last("team"), None);
    story.accept(event("one"), false).await;
    let claim = story.claim().await.unwrap();
    assert_eq!(last("team"), None, "it is under way");
    story.settle(&claim, Outcome::Passing, Settlement::Dead(Reason::GaveUp)).await;
    assert_eq!(last("team").unwrap().outcome.as_deref(), Some("passing"));
    assert_eq!(last("other"), None);
}

#[tokio::test]
async fn who_serves_is_told_and_who_looks_leaves_nothing_behind() {
    let story = Story::begin().await;
    story.accept(event("one"), false).await;
    assert!(Glance::at(&file_of(&story)).unwrap().unwrap().is_served);
    let Story { folder, outbox, closing, .. } = story;
    drop(outbox);
    tokio::task::spawn_blocking(move || closing.wait()).await.unwrap();
    // A name in which SQLite would find something else than a name.
    let path = folder.path().join("a?b#c %41.db");
    std::fs::rename(folder.path().join("bugle.db"), &path).unwrap();
    let glance = Glance::at(&path).unwrap().unwrap();
    assert!(!glance.is_served && glance.version == glance.newest && glance.used > 0);
    assert!(glance.is_of_now());
    assert_eq!(ask(&path, Records::newest_event), Some(Moment(1_000_000)));
    assert_eq!(files(&path), [path]);
    assert!(Glance::at(&folder.path().join("none.db")).unwrap().is_none());
}

#[tokio::test]
async fn nothing_that_is_asked_reads_all_events() {
    let story = Story::begin().await;
    let file = Connection::open(story.folder.path().join("bugle.db")).unwrap();
    for sql in [last_arrival().as_str(), LAST_ATTEMPT] {
        let mut statement = file.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let count = statement.parameter_count();
        let parameters = rusqlite::params_from_iter(std::iter::repeat_n("x", count));
        let lines = statement.query_map(parameters, |row| row.get::<_, String>(3)).unwrap();
        let plan = lines.collect::<Result<Vec<_>, _>>().unwrap().join("; ");
        let reads_all =
            |step: &str| step == "SCAN a" || step.starts_with("SCAN a ") || step.starts_with("SCAN events");
        assert!(!plan.split("; ").any(reads_all) && !plan.contains("TEMP B-TREE"), "{sql}\n{plan}");
    }
}
