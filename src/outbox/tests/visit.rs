//! Looking into a store beside whoever comes and goes.

use super::*;

/// The file of a store that nobody serves from, with an event in it.
async fn at_rest() -> (tempfile::TempDir, PathBuf) {
    let story = Story::begin().await;
    story.accept(event("one"), false).await;
    let Story { folder, outbox, closing, .. } = story;
    drop(outbox);
    tokio::task::spawn_blocking(move || closing.wait()).await.unwrap();
    let path = folder.path().join("bugle.db");
    (folder, path)
}

/// Changes something, down to the file itself.
fn change(path: &Path, number: i64) {
    let file = Connection::open(path).unwrap();
    file.execute("INSERT OR REPLACE INTO beats (id, at) VALUES (1, ?1)", [number]).unwrap();
    let busy: i64 = file.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).unwrap();
    assert_eq!(busy, 0);
}

#[tokio::test]
async fn a_question_is_asked_again_of_who_begins_to_serve_meanwhile() {
    let (_folder, path) = at_rest().await;
    let mut served = None;
    let mut asked = Vec::new();
    let answer = Records::look(&path, |records| {
        asked.push(records.is_served());
        if served.is_none() {
            // Whoever looks is in nobody's way.
            served = Some(open(&path).unwrap());
            change(&path, 1);
        }
        Ok::<_, OpenError>(records.newest_event().unwrap())
    });
    assert_eq!(answer.unwrap().unwrap(), Some(Moment(1_000_000)));
    assert_eq!(asked, [false, true]);
}

#[tokio::test]
async fn who_changes_a_store_all_the_time_without_serving_is_told_of() {
    let (_folder, path) = at_rest().await;
    let mut number = 0;
    let answer = Records::look(&path, |_| {
        number += 1;
        change(&path, number);
        Ok::<_, OpenError>(())
    });
    assert!(matches!(answer, Err(OpenError::Restless(_))), "{answer:?}");
}

#[tokio::test]
async fn who_looks_for_long_learns_that_it_is_overtaken() {
    let (_folder, path) = at_rest().await;
    let records = Records::open(&path).unwrap().unwrap();
    assert!(!records.is_overtaken() && !records.is_served());
    let served = open(&path).unwrap();
    assert!(records.is_overtaken());
    let records = Records::open(&path).unwrap().unwrap();
    assert!(!records.is_overtaken() && records.is_served());
    drop(served.0);
    tokio::task::spawn_blocking(move || served.1.wait()).await.unwrap();
    assert!(!records.is_overtaken(), "what is open goes on being true");
}

#[tokio::test]
async fn a_command_that_has_the_store_for_a_moment_is_not_taken_for_a_server() {
    let (_folder, path) = at_rest().await;
    let command = || Outbox::open_at_once(&path, Clock::system(), Metrics::new(Clock::system())).unwrap();
    let (outbox, closing) = command();
    let asked = thread::spawn({
        let path = path.clone();
        move || is_served(&path)
    });
    drop(outbox);
    tokio::task::spawn_blocking(move || closing.wait()).await.unwrap();
    assert!(!asked.join().unwrap());
    // A server that comes after it is one.
    let served = open(&path).unwrap();
    assert!(is_served(&path));
    drop(served.0);
    tokio::task::spawn_blocking(move || served.1.wait()).await.unwrap();
    assert!(!is_served(&path));
}

#[tokio::test]
async fn who_asks_whether_somebody_serves_is_not_taken_for_a_server() {
    let (_folder, path) = at_rest().await;
    let lock = std::fs::File::open(path.with_extension("db.lock")).unwrap();
    lock.lock_shared().unwrap();
    assert!(!is_served(&path));
    let asking = thread::spawn(move || {
        thread::sleep(Duration::from_millis(100));
        drop(lock);
    });
    let opened = Outbox::open_at_once(&path, Clock::system(), Metrics::new(Clock::system()));
    assert!(opened.is_ok(), "{:?}", opened.err());
    asking.join().unwrap();
}
