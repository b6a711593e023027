//! A long story with bursts, failures, foldings, kills and orders: in the end each thing that the store knows of was told once.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;

use super::*;
use crate::events::{are_documented, keys};

/// What was told, and how often: for programs, without what is long.
fn counted(told: &[Value]) -> BTreeMap<String, u64> {
    let mut all = BTreeMap::new();
    for line in told {
        let what = line["what"].as_str().unwrap();
        let key = match what {
            "arrived" => format!("{what} {} {}", line["id"], line["destinations"]),
            "delivered" | "failed" => format!("{what} {} {}", line["delivery"], line["attempt"]),
            "folded" => format!("{what} {} {}", line["delivery"], line["count"]),
            "moved" | "discarded" | "given_up" => format!("{what} {}", line["delivery"]),
            "configuration" => format!("{what} {}", line["how"]),
            _ => what.to_owned(),
        };
        let count = if what == "refused" { line["count"].as_u64().unwrap() } else { 1 };
        *all.entry(key).or_default() += count;
    }
    all
}

/// The same, as the store has it.
const IN_THE_STORE: &str = "
    SELECT 'arrived \"' || id || '\" ' || (SELECT json_group_array(destination ORDER BY id) FROM deliveries d
        WHERE d.event = events.id AND d.instead_of IS NULL
        AND d.accepted_at = events.received_at), 1 FROM events
    UNION ALL SELECT 'duplicate', count(*) FROM duplicates
    UNION ALL SELECT iif(outcome = 'delivered', 'delivered ', 'failed ') || delivery || ' '
        || row_number() OVER (PARTITION BY delivery ORDER BY id), 1 FROM attempts WHERE ended_at IS NOT NULL
    UNION ALL SELECT 'folded ' || folded_into || ' ' || count(*), 1 FROM deliveries WHERE state = 'folded' GROUP BY folded_into
    UNION ALL SELECT 'given_up ' || id, 1 FROM deliveries
        WHERE state IN ('dead', 'discarded') OR state = 'moved' AND reason = 'redriven'
    UNION ALL SELECT 'discarded ' || id, 1 FROM deliveries WHERE state = 'discarded'
    UNION ALL SELECT 'moved ' || id, 1 FROM deliveries WHERE state = 'moved'
    UNION ALL SELECT 'configuration \"' || how || '\"', count(*) FROM configurations GROUP BY how
    UNION ALL SELECT 'started', count(*) FROM runs
    UNION ALL SELECT 'stopped', count(stopped_at) FROM runs
    UNION ALL SELECT 'began', count(*) FROM spells
    UNION ALL SELECT 'ended', count(until) FROM spells WHERE kind <> 'asked_to_wait'
    UNION ALL SELECT 'refused', coalesce(sum(count), 0) FROM refusals";

fn in_the_store(place: &Place) -> BTreeMap<String, u64> {
    let store = Connection::open(place.path("bugle.db")).unwrap();
    store.busy_timeout(PATIENCE).unwrap();
    let mut statement = store.prepare(IN_THE_STORE).unwrap();
    let rows =
        statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?.unsigned_abs())));
    let short_id = |key: String| match key.strip_prefix("arrived \"").and_then(|rest| rest.split_once('"')) {
        Some((id, rest)) => format!("arrived \"{}\"{rest}", bugle::event::EventId(id.parse().unwrap())),
        None => key,
    };
    let rows = rows.unwrap().map(Result::unwrap).filter(|(_, count)| *count > 0);
    rows.map(|(key, count)| (short_id(key), count)).collect()
}

/// Events of a few errors, many at once.
async fn burst(bugle: &Bugle, name: &str, count: usize) {
    for some in (0..count).collect::<Vec<_>>().chunks(50) {
        let posts = some.iter().map(|number| {
            let trigger = json!({"trigger": {"type": "exception"}, "error": {"errorId": format!("group {}", number % 3)}});
            bugle.accept("backend", bugsnag(&format!("{name}-{number}"), trigger))
        });
        futures_util::future::join_all(posts).await;
    }
}

/// A place where bursts are folded, whatever is gone falls back, and little has to be waited for.
fn place() -> Place {
    let rules = "[[rules]]\nname = \"u\"\nwhen.app = \"urgent\"\nurgent = true\nsend_to = \"slack\"\n\
                 [[rules]]\nname = \"r\"\nsend_to = [\"slack\", \"discord\"]\n";
    let place = Place::with("", rules);
    edit(&place, CALM, FOLDED);
    edit(&place, "50/s", "500/s");
    edit(
        &place,
        "[destinations.slack]",
        "[destinations.slack]\nfallback = \"teams\"\nfallback_after = \"1s\"",
    );
    place
}

const CALM: &str = "collapse = \"off\"\ndigest_over = \"off\"";
const FOLDED: &str = "collapse = \"1s\"\ndigest_over = 5";

fn edit(place: &Place, from: &str, to: &str) {
    let config = std::fs::read_to_string(place.path("config.toml")).unwrap();
    assert!(config.contains(from), "{from}");
    place.write("config.toml", &config.replace(from, to));
}

fn order(place: &Place, arguments: &[&str]) {
    let done = place.command(arguments).output().unwrap();
    assert!(done.status.success(), "{done:?}");
}

/// All that can happen: with three servers, of which the first is killed.
async fn everything_happens(place: &Place, bugle: Bugle) {
    place.slack.script([
        failure(503, "down"),
        failure(400, "user_not_found"),
        Behaviour::Normal,
        failure(500, ""),
    ]);
    burst(&bugle, "first", 200).await;
    bugle.accept("backend", bugsnag("twice", json!({}))).await;
    bugle.accept("backend", bugsnag("twice", json!({}))).await;
    for _ in 0..3 {
        bugle.request(reqwest::Method::POST, "/hooks/mobile/wrong").send().await.unwrap();
    }
    place.until("SELECT coalesce(sum(count), 0) FROM refusals", "3").await;
    bugle.kill().await;

    place.discord.always(failure(400, "no"));
    let bugle = place.serve();
    burst(&bugle, "second", 150).await;
    place.until("SELECT count(*) > 0 FROM deliveries WHERE state = 'dead'", "1").await;
    place.slack.always(failure(404, "no_service"));
    burst(&bugle, "third", 30).await;
    bugle.accept("backend", bugsnag("last", json!({"project": {"name": "urgent"}}))).await;
    place.until("SELECT count(*) > 0 FROM deliveries WHERE state = 'moved'", "1").await;
    stop(bugle).await;

    let letter = "SELECT id FROM events WHERE id = (SELECT max(event) FROM deliveries WHERE state = 'dead')";
    order(place, &["dead-letters", "discard", &bugle::event::EventId(place.ask(letter)).to_string()]);
    order(place, &["dead-letters", "redrive", "--all"]);
    order(place, &["resume", "slack"]);
    place.slack.always(Behaviour::Normal);
    place.discord.always(Behaviour::Normal);
    edit(place, FOLDED, CALM);
    let bugle = place.serve();
    place.until("SELECT count(*) FROM deliveries WHERE state = 'waiting'", "0").await;
    stop(bugle).await;
}

#[tokio::test]
async fn whatever_happens_is_told_once() {
    let place = place();
    let bugle = place.serve();
    let mut tail = Tail::of(&place, &["--last", "1000", "--json"]);
    tail.says(&["started"]).await;
    everything_happens(&place, bugle).await;

    let expected = in_the_store(&place);
    for kind in
        ["arrived", "delivered", "failed", "folded", "given_up", "moved", "discarded", "began", "refused"]
    {
        assert!(expected.keys().any(|key| key.starts_with(kind)), "the story has no {kind}");
    }
    until_told(&tail, &expected).await;
    assert!(tail.end(Signal::SIGINT).await.success());
    assert_eq!(counted(&tail.told()), expected, "nothing is told twice");
    is_told_in_order(&tail.told());
    let mut keys: BTreeSet<String> = tail.told().iter().flat_map(keys).collect();
    assert!(keys.len() > 25, "{keys:?}");
    keys.extend(tail.told().iter().map(|line| line["what"].as_str().unwrap().to_owned()));
    are_documented(&keys);

    // Of what was given up and then sent again, or discarded, the store knows that alone.
    let mut past = expected.clone();
    past.retain(|key, _| {
        let later = |how: &str| expected.contains_key(&key.replace("given_up", how));
        !key.starts_with("given_up") || !later("moved") && !later("discarded")
    });
    until_told(&Tail::of(&place, &["--last", "100000", "--json"]), &past).await;
}

/// Waits until just that was told.
async fn until_told(tail: &Tail, expected: &BTreeMap<String, u64>) {
    let begun = Instant::now();
    while counted(&tail.told()) != *expected {
        let differs = differences(&counted(&tail.told()), expected);
        assert!(begun.elapsed() < PATIENCE, "told, but not in the store, or the other way: {differs:#?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What is not the same in both: with how often it was told, and how often the store knows of it.
fn differences(told: &BTreeMap<String, u64>, known: &BTreeMap<String, u64>) -> Vec<(String, u64, u64)> {
    let count = |all: &BTreeMap<String, u64>, key: &String| all.get(key).copied().unwrap_or_default();
    let keys = told.keys().chain(known.keys());
    let both = keys.map(|key| (key.clone(), count(told, key), count(known, key)));
    both.filter(|(_, told, known)| told != known).collect()
}

/// Nothing is told of an event before it has arrived.
fn is_told_in_order(told: &[Value]) {
    let mut arrived = BTreeSet::new();
    for line in told {
        let Some(id) = line["id"].as_str() else { continue };
        if line["what"] == "arrived" {
            arrived.insert(id);
        }
        assert!(arrived.contains(id), "{line}");
    }
}
