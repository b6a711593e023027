//! The file and its log over the years: neither grows without end, and nobody waits while they shrink.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::outbox::checkpoints;

/// Longer than anything here takes; only a failing test waits for it.
const PATIENCE: Duration = Duration::from_mins(2);

#[tokio::test(flavor = "multi_thread")]
async fn the_log_begins_anew_although_somebody_reads_at_every_moment() {
    let story = Story::begin().await;
    let path = story.folder.path().join("bugle.db");
    let log = schema::beside(&path, "-wal");
    let log_bytes = || std::fs::metadata(&log).unwrap().len();
    let bound = checkpoints::PAGES_AT_MOST.unsigned_abs() * 4_096;
    let is_over = Arc::new(AtomicBool::new(false));
    let readers = {
        let (path, is_over) = (path.clone(), Arc::clone(&is_over));
        // Each looks from a moment of its own, and lets go only when the next has begun.
        let begin = move || {
            let reader = schema::reader(&path).unwrap();
            reader.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema").unwrap();
            reader
        };
        thread::spawn(move || {
            let mut reader = begin();
            while !is_over.load(Ordering::Relaxed) {
                let next = begin();
                drop(std::mem::replace(&mut reader, next));
            }
        })
    };
    let (mut number, mut was_beyond) = (0, false);
    let begun = Instant::now();
    while !was_beyond || log_bytes() > bound {
        let mut event = event(&format!("event {number}"));
        if !was_beyond {
            event.raw = format!(r#"{{"trigger":{{}},"pad":"{}"}}"#, "x".repeat(4_000_000));
        }
        story.accept(event, false).await;
        was_beyond |= log_bytes() > bound;
        number += 1;
        assert!(begun.elapsed() < PATIENCE, "the log has {} bytes", log_bytes());
    }
    is_over.store(true, Ordering::Relaxed);
    readers.join().unwrap();
    assert_eq!(story.query::<i64>("SELECT count(*) FROM events"), number);
}

/// A store with `count` old events that were delivered, in the plainest form.
async fn with_history(count: i64) -> Story {
    let story = Story::begin().await;
    story.accept(event("first"), false).await;
    let claim = story.claim().await.unwrap();
    story.settle(&claim, Outcome::Delivered, Settlement::Delivered).await;
    let file = Connection::open(story.folder.path().join("bugle.db")).unwrap();
    file
        .execute_batch(&format!(
            "BEGIN;
             WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {count})
             INSERT INTO events (received_at, source, product, trigger, severity, app, title, error_id, tracker_id, rule_set,
                                 matched, routing, raw)
             SELECT e.received_at + n, e.source, e.product, e.trigger, e.severity, e.app, e.title, e.error_id, n, e.rule_set,
                    e.matched, e.routing, hex(randomblob(1000)) FROM n, events e WHERE e.id = 1;
             INSERT INTO deliveries (event, destination, urgent, mentions, accepted_at, state, due_at, settled_at)
             SELECT id, 'team', 0, '[]', received_at, 'delivered', 0, received_at FROM events WHERE id > 1;
             INSERT INTO attempts (delivery, pace_group, started_at, ended_at, outcome, reason)
             SELECT id, 'pace', accepted_at, accepted_at, 'delivered', 'ok' FROM deliveries WHERE id > 1;
             INSERT OR IGNORE INTO identities (digest, event, seen_at)
             SELECT randomblob(32), id, received_at FROM events;
             COMMIT;"
        ))
        .unwrap();
    story
}

const DAY: Duration = Duration::from_hours(24);
const KEEP: Keep =
    Keep { history: DAY.saturating_mul(30), dead_letters: DAY.saturating_mul(90), max_size: u64::MAX };

#[tokio::test]
async fn long_history_goes_in_steps_and_the_file_shrinks_with_it() {
    let story = with_history(12_000).await;
    let file = story.folder.path().join("bugle.db");
    story.clock.advance(DAY * 31);
    story.accept(event("new"), false).await;
    let mut steps = 0;
    let mut last = 12_002;
    while story.outbox.prune(KEEP).await.unwrap().more {
        let left = story.query::<i64>("SELECT count(*) FROM events");
        assert!(last - left <= 5_000, "{} events in a step", last - left);
        (last, steps) = (left, steps + 1);
    }
    assert!(steps > 3, "{steps} steps");
    assert_eq!(story.query::<String>("SELECT group_concat(tracker_id) FROM events"), "new");
    for table in ["deliveries", "attempts", "identities"] {
        let left = story.query::<i64>(&format!("SELECT count(*) FROM {table}"));
        assert!(left <= 1, "{left} {table}");
    }
    assert_eq!(story.query::<String>("PRAGMA integrity_check"), "ok");
    story.query::<i64>("PRAGMA wal_checkpoint(TRUNCATE)");
    assert!(std::fs::metadata(&file).unwrap().len() < 4 << 20, "the file has shrunk");
}

#[tokio::test]
async fn what_is_owed_again_by_the_time_it_would_go_stays() {
    let story = with_history(1_000).await;
    story.clock.advance(DAY * 31);
    // One step has found all of them.
    assert!(story.outbox.prune(KEEP).await.unwrap().more);
    let file = Connection::open(story.folder.path().join("bugle.db")).unwrap();
    let again = "UPDATE deliveries SET state = 'waiting', settled_at = NULL WHERE id = (SELECT max(id) FROM deliveries)";
    assert_eq!(file.execute(again, []).unwrap(), 1);
    while story.outbox.prune(KEEP).await.unwrap().more {}
    assert_eq!(story.query::<String>("SELECT group_concat(state) FROM deliveries"), "waiting");
    assert_eq!(story.query::<i64>("SELECT count(*) FROM events"), 1);
}

#[tokio::test]
async fn only_so_much_goes_early_as_the_store_is_too_large() {
    let story = with_history(4_000).await;
    story.clock.advance(DAY);
    let used = story.outbox.prune(KEEP).await.unwrap().used;
    let keep = Keep { max_size: used / 2, ..KEEP };
    while story.outbox.prune(keep).await.unwrap().more {}
    let left = story.query::<i64>("SELECT count(*) FROM events");
    assert!((1_000..3_000).contains(&left), "{left} of 4,001 events");
    let used = story.outbox.prune(keep).await.unwrap().used;
    assert!(used <= keep.max_size, "{used}");
}

#[tokio::test]
async fn dead_letters_are_found_by_their_index() {
    let story = Story::begin().await;
    let file = Connection::open(story.folder.path().join("bugle.db")).unwrap();
    let plan = |sql: &str| {
        let mut statement = file.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let lines = statement.query_map([], |row| row.get::<_, String>(3)).unwrap();
        lines.collect::<Result<Vec<_>, _>>().unwrap().join("; ")
    };
    for (sql, index) in [
        ("SELECT destination, count(*) FROM deliveries WHERE state = 'dead' GROUP BY destination", "COVERING INDEX deliveries_dead"),
        ("SELECT sum(count) FROM tallies WHERE destination = 'x' AND state = 'waiting'", "PRIMARY KEY (destination=? AND state=?)"),
        ("SELECT count(*) FROM deliveries INDEXED BY deliveries_waiting WHERE destination = 'x' AND state = 'waiting'
          AND held IN (0, 1, 2) AND urgent = 1", "COVERING INDEX deliveries_waiting (destination=? AND held=? AND urgent=?)"),
        ("SELECT destination, sum(held) FROM windows WHERE held > 0 GROUP BY destination", "INDEX windows_holding"),
        ("SELECT coalesce(sum(held), 0), min(ends_at) FROM windows INDEXED BY windows_holding WHERE destination = 'x' AND held > 0",
         "INDEX windows_holding (destination=?)"),
        ("DELETE FROM windows WHERE (destination, error_key) IN (
          SELECT destination, error_key FROM windows WHERE held = 0 AND ends_at <= 5 ORDER BY ends_at LIMIT 5)",
         "INDEX windows_over (ends_at<?)"),
        ("SELECT id FROM deliveries WHERE state = 'dead' AND destination = 'x' AND settled_at > 5", "INDEX deliveries_dead"),
        ("SELECT id FROM events e WHERE received_at < 5 AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.event = e.id
          AND (d.state = 'waiting' OR (d.state = 'dead' AND d.settled_at >= 5))) ORDER BY received_at, id LIMIT 5",
         "INDEX events_by_time (received_at<?); CORRELATED SCALAR SUBQUERY 1; SEARCH d USING INDEX deliveries_by_event"),
        ("SELECT id, accepted_at FROM deliveries WHERE destination = 'x' AND state = 'waiting' AND held = 0 AND urgent = 1
          ORDER BY id LIMIT 5", "INDEX deliveries_waiting (destination=? AND held=? AND urgent=?)"),
        ("DELETE FROM identities WHERE digest IN (SELECT digest FROM identities WHERE seen_at < 5 ORDER BY seen_at LIMIT 5)",
         "INDEX identities_by_time (seen_at<?)"),
    ] {
        let plan = plan(sql);
        assert!(plan.contains(index), "{sql}\n{plan}");
        assert!(!plan.contains("TEMP B-TREE"), "{sql}\n{plan}");
    }
}

#[tokio::test]
async fn a_copy_is_of_one_moment_whatever_is_committed_meanwhile() {
    let story = Story::begin().await;
    let path = story.folder.path().join("bugle.db");
    let other = Connection::open(&path).unwrap();
    other.busy_timeout(PATIENCE).unwrap();
    other.execute_batch("CREATE TABLE pad (pad); INSERT INTO pad VALUES (zeroblob(40000000))").unwrap();
    let (mut steps, mut largest) = (0, 0);
    let copied = back_up(&path, &story.folder.path().join("copy.db"), |step| {
        if let BackupStep::Copying { done, .. } = step {
            assert!(done > largest, "it has begun anew");
            (steps, largest) = (steps + 1, done);
            other.execute("INSERT INTO pad VALUES (1)", []).unwrap();
        }
    });
    assert!(copied.is_ok() && steps > 2, "{copied:?}, {steps}");
    let copy = Connection::open(story.folder.path().join("copy.db")).unwrap();
    let rows: i64 = copy.query_row("SELECT count(*) FROM pad", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 1, "nothing that came later is in it");
}

/// What is told of a store with a delivery that a window holds and another that one's message is to tell of, changed by `sql`.
async fn told(sql: &str) -> Vec<String> {
    let story = Story::begin().await;
    for id in ["a", "b", "c"] {
        story.accept(event(id), false).await;
    }
    let path = story.folder.path().join("bugle.db");
    let file = Connection::open(&path).unwrap();
    let window = "INSERT INTO windows (destination, error_key, urgent, opened_at, ends_at) VALUES ('team', x'01', 0, 1, 9);
         UPDATE deliveries SET error_key = x'01', collapsible = 1, held = 1 WHERE id = 3;
         UPDATE deliveries SET told_as = 'digest' WHERE id = 1;
         UPDATE deliveries SET held = 2, folded_into = 1 WHERE id = 2;";
    file.execute_batch(window).unwrap();
    file.execute_batch(sql).unwrap();
    let broken = examine(&path).unwrap().broken;
    broken
        .into_iter()
        .map(|broken| format!("{} {} {}", broken.what, broken.count, broken.first))
        .collect::<Vec<_>>()
}

#[tokio::test]
async fn what_is_wrong_with_what_floods_leave_is_found() {
    let settle = "UPDATE deliveries SET settled_at = 9, reason = 'gone', state = ";
    let not_there = "deliveries that wait for a message of several that is not there 1 2";
    for (change, expected) in [
        (String::new(), &[][..]),
        (format!("{settle} 'delivered' WHERE id = 1; {settle} 'folded' WHERE id = 2"), &[]),
        (
            format!("{settle} 'dead' WHERE id = 1; {settle} 'folded' WHERE id = 2"),
            &["deliveries told with a message that was not delivered 1 2"],
        ),
        (
            format!("{settle} 'folded' WHERE id = 2"),
            &["deliveries told with a message that was not delivered 1 2"],
        ),
        ("UPDATE deliveries SET folded_into = 99 WHERE id = 2".into(), &[not_there]),
        ("UPDATE deliveries SET folded_into = NULL WHERE id = 2".into(), &[not_there]),
        ("UPDATE deliveries SET told_as = NULL WHERE id = 1".into(), &[not_there]),
        (
            "DELETE FROM windows".into(),
            &["deliveries that wait for the end of a window that is not there 1 3"],
        ),
        (
            "UPDATE windows SET held = 2".into(),
            &["windows that hold another number of deliveries than they count 1 0"],
        ),
        ("UPDATE tallies SET count = 2".into(), &["tallies of what waits that are not what waits 1 1"]),
        ("UPDATE tallies SET count = 4".into(), &["tallies of what waits that are not what waits 1 1"]),
        ("DELETE FROM tallies".into(), &["tallies of what waits that are not what waits 1 1"]),
        (
            "INSERT INTO tallies VALUES ('old', 'waiting', 1)".into(),
            &["tallies of what waits that are not what waits 1 0"],
        ),
        ("INSERT INTO tallies VALUES ('old', 'dead', 5)".into(), &[]),
        (
            format!("{settle} 'dead' WHERE id = 1; UPDATE tallies SET count = 0 WHERE state = 'dead'"),
            &["tallies of deliveries that are smaller than what is there 1 1"],
        ),
        ("UPDATE arrivals SET count = 4".into(), &[]),
        (
            "UPDATE arrivals SET count = 2".into(),
            &["tallies of events that are smaller than what is there 1 1"],
        ),
    ] {
        assert_eq!(told(&change).await, expected, "{change}");
    }
}

#[tokio::test]
async fn windows_that_are_over_and_old_spikes_are_forgotten_but_not_what_is_held() {
    let story = Story::begin().await;
    story.accept(event("a"), false).await;
    let now = story.clock.now().0;
    let file = Connection::open(story.folder.path().join("bugle.db")).unwrap();
    file.execute_batch(&format!(
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 500)
         INSERT INTO windows (destination, error_key, urgent, opened_at, ends_at) SELECT 'team', 'over' || n, 0, 1, {now} FROM n;
         INSERT INTO windows (destination, error_key, urgent, opened_at, ends_at)
         VALUES ('team', x'01', 0, 1, {now}), ('team', 'open', 0, 1, {now} + 1);
         UPDATE deliveries SET error_key = x'01', held = 1;
         INSERT INTO spikes VALUES ('backend', 'old', {now} - 86400001), ('backend', 'new', {now} - 86400000);"
    ))
    .unwrap();
    while story.outbox.prune(KEEP).await.unwrap().more {}
    assert_eq!(
        story.query::<String>("SELECT group_concat(hex(error_key), ' ' ORDER BY error_key) FROM windows"),
        "6F70656E 01"
    );
    assert_eq!(story.query::<String>("SELECT group_concat(app) FROM spikes"), "new");
}
