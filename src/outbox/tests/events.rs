//! Listing what has come: whatever it is narrowed down by, it is what a look at every row would find.

use std::cmp::Reverse;

use super::*;
use crate::outbox::diary::FORGET;
use crate::rule::Choice;
use crate::source::OWN;

const SOURCES: [&str; 3] = ["backend", "mobile", OWN];
const APPS: [&str; 4] = ["Shop API", "checkout", "", "Größe"];
const TRIGGERS: [&str; 3] = ["firstException", "crash", "exception"];
const SEVERITIES: [&str; 4] = ["info", "warning", "error", "odd"];
const ROUTINGS: [(&str, &str); 4] =
    [("routed", r#"["r"]"#), ("dropped", r#"["noise"]"#), ("unmatched", "[]"), ("routed", "[]")];
/// What an event that is routed is owed.
const OWED: [&[&str]; 9] = [
    &["delivered"],
    &["folded"],
    &["waiting"],
    &["dead"],
    &["discarded"],
    &["delivered", "waiting"],
    &["moved", "delivered"],
    &["moved", "dead"],
    &["delivered", "folded"],
];
const EVENTS: usize = 400;

/// An element of `list` that follows from a number, in another order for each `salt`.
fn pick<T: Copy>(list: &[T], number: usize, salt: usize) -> T {
    list[(number * 7_919 + number / 5 * salt) % (salt * 97) % list.len()]
}

/// A store with events of every kind, several of them at each moment; `rules` are those in force.
async fn store(rules: &RuleSet) -> (Story, Records) {
    let story = Story::begin().await;
    let kept = story.outbox.keep_rules(rules).await.unwrap();
    let path = story.folder.path().join("bugle.db");
    let file = Connection::open(&path).unwrap();
    for number in 0..EVENTS {
        let (routing, matched) = pick(&ROUTINGS, number, 3);
        let source = pick(&SOURCES, number, 5);
        let at = i64::try_from(number / 3 * 1_000).unwrap();
        file.execute(
            "INSERT INTO events (received_at, source, product, trigger, severity, app, title, words, error_id, tracker_id,
                                 rule_set, matched, routing, raw)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, '{}')",
            rusqlite::params![
                at,
                source,
                if source == OWN { OWN } else { "bugsnag" },
                pick(&TRIGGERS, number, 11),
                pick(&SEVERITIES, number, 13),
                pick(&APPS, number, 17),
                pick(&["Payments::GatewayTimeout", "Überlauf", "NoMethodError"], number, 19),
                pick(&["no answer from the gateway", ""], number, 23),
                pick(&["5f3a", "77aa", ""], number, 29),
                format!("tracker-{number}"),
                kept.0,
                matched,
                routing
            ],
        )
        .unwrap();
        let id = file.last_insert_rowid();
        let owed = if routing == "routed" { pick(&OWED, number, 31) } else { &[] };
        for state in owed {
            let to = (*state == "moved").then_some(1);
            file.execute(
                "INSERT INTO deliveries (event, destination, urgent, mentions, accepted_at, state, due_at, moved_to)
                 VALUES (?1, 'team', 0, '[]', ?2, ?3, 0, ?4)",
                rusqlite::params![id, at, state, to],
            )
            .unwrap();
        }
        if number % 7 == 0 {
            file.execute("INSERT INTO duplicates (event, received_at) VALUES (?1, ?2), (?1, ?2)", [id, at])
                .unwrap();
        }
    }
    let records = Records::open(&path).unwrap().unwrap();
    (story, records)
}

fn choice(field: &str, written: &str) -> Choice {
    Choice::parse(field, &[written]).unwrap()
}

/// Whether the event on `line` is meant, said as simply as can be.
fn is_meant(line: &EventLine, filter: &EventFilter, words: &str, has_default: bool) -> bool {
    let text =
        [&line.title, &line.words, &line.app, &line.source, &line.trigger].map(|text| text.to_lowercase());
    let has = |word: &str| {
        text.iter().any(|text| text.contains(&word.to_lowercase()))
            || line.error_id == word
            || line.tracker_id == word
    };
    let (routing, matched) = (line.fate.routing.as_str(), &line.fate.matched);
    filter.since.is_none_or(|since| line.received_at >= since)
        && filter.until.is_none_or(|until| line.received_at < until)
        && filter.source.chooses(&line.source)
        && (line.product != OWN || filter.source.names(OWN))
        && filter.app.chooses(&line.app)
        && filter.trigger.chooses(&line.trigger)
        && filter.severity.chooses(&line.severity)
        && words.split_whitespace().all(has)
        && (!filter.unmatched
            || routing == "unmatched"
            || has_default && routing == "routed" && matched.is_empty())
        && (!filter.unsent || line.fate.heard() == 0)
}

/// Filters of every kind, alone and together, with the words of each.
fn filters() -> Vec<(EventFilter, &'static str)> {
    let plain = EventFilter::default;
    let mut some = vec![(plain(), "")];
    for (unmatched, unsent) in [(true, false), (false, true), (true, true)] {
        some.push((EventFilter { unmatched, unsent, ..plain() }, ""));
    }
    some.push((EventFilter { source: choice("source", "bugle"), ..plain() }, ""));
    some.push((EventFilter { source: choice("source", "*"), ..plain() }, ""));
    some.push((EventFilter { app: choice("app", ""), ..plain() }, ""));
    some.push((EventFilter { app: choice("app", "größe"), unsent: true, ..plain() }, ""));
    some.push((EventFilter { severity: choice("severity", ">= warning"), ..plain() }, ""));
    some.push((EventFilter { trigger: choice("trigger", "*exception"), unsent: true, ..plain() }, ""));
    for words in ["gateway", "ÜBERLAUF", "5f3a", "5f3", "tracker-17", "gateway timeout mobile", "none of it"]
    {
        some.push((EventFilter { words: Words::new(&[words]).unwrap(), ..plain() }, words));
        some.push((EventFilter { words: Words::new(&[words]).unwrap(), unsent: true, ..plain() }, words));
    }
    let span = EventFilter { since: Some(Moment(20_000)), until: Some(Moment(90_000)), ..plain() };
    some.push((EventFilter { unsent: true, ..span.clone() }, ""));
    some.push((EventFilter { unmatched: true, ..span.clone() }, ""));
    some.push((span, ""));
    some
}

#[tokio::test]
async fn every_listing_is_what_a_look_at_each_row_would_find() {
    for default in [None, Some(team())] {
        let has_default = default.is_some();
        let (_story, records) = store(&RuleSet::new(Vec::new(), default).unwrap()).await;
        let own = EventFilter {
            source: Choice::parse("source", &["*", "bugle"]).unwrap(),
            ..EventFilter::default()
        };
        let (all, more) = records.events(&own, EVENTS + 1).unwrap();
        assert_eq!((all.len(), more), (EVENTS, false));
        assert!(all.is_sorted_by_key(|line| Reverse((line.received_at, line.id.0))));
        let mut found = 0;
        for (filter, words) in filters() {
            let expected: Vec<&EventLine> =
                all.iter().filter(|line| is_meant(line, &filter, words, has_default)).collect();
            let (lines, more) = records.events(&filter, EVENTS).unwrap();
            assert_eq!(lines.iter().collect::<Vec<_>>(), expected, "{filter:?}");
            assert!(!more);
            found += usize::from(!expected.is_empty() && expected.len() < all.len());
            for limit in [0, 1, expected.len().saturating_sub(1), expected.len()] {
                let (lines, more) = records.events(&filter, limit).unwrap();
                assert_eq!(lines.iter().collect::<Vec<_>>(), expected[..limit.min(expected.len())]);
                assert_eq!(more, limit < expected.len(), "{filter:?}, {limit}");
            }
        }
        assert!(found > 15, "only {found} of the filters tell events apart");
    }
}

#[tokio::test]
async fn what_became_of_an_event_is_counted_and_said_in_a_word() {
    let (_story, records) = store(&RuleSet::empty()).await;
    let (all, _) = records.events(&EventFilter::default(), EVENTS).unwrap();
    let mut words: Vec<&str> = all.iter().map(|line| line.fate.word()).collect();
    words.sort_unstable();
    words.dedup();
    assert_eq!(
        words,
        ["dead", "delivered", "discarded", "dropped", "folded", "partly", "unmatched", "waiting"]
    );
    for EventLine { id, duplicates, fate, .. } in all {
        assert_eq!(duplicates, if (id.0 - 1) % 7 == 0 { 2 } else { 0 });
        if fate.routing == "routed" {
            let owed = pick(&OWED, usize::try_from(id.0).unwrap() - 1, 31);
            assert_eq!(fate.owed(), owed.iter().filter(|state| **state != "moved").count() as u64);
            assert_eq!(fate.word() == "partly", owed == ["delivered", "waiting"], "{owed:?}");
        }
    }
}

#[tokio::test]
async fn applications_are_listed_once_each_with_their_last_event() {
    let (story, records) = store(&RuleSet::empty()).await;
    let apps = records.heard_of(|_, _| true).unwrap();
    assert_eq!(apps.len(), 12, "{apps:?}");
    assert!(apps.is_sorted_by_key(|app| (app.source.clone(), app.app.clone())));
    for AppRecord { source, app, last_at, gaps, .. } in &apps {
        let of_it = format!("FROM events WHERE source = '{source}' AND app = '{app}'");
        assert_eq!(story.query::<i64>(&format!("SELECT max(received_at) {of_it}")), last_at.0);
        let count = usize::try_from(story.query::<i64>(&format!("SELECT count(*) {of_it}"))).unwrap();
        assert_eq!(gaps.len(), (count - 1).min(100));
        let span = format!("SELECT max(received_at) - min(received_at) {of_it}");
        assert!(count > 101 || gaps.iter().sum::<i64>() == story.query::<i64>(&span));
        assert!(gaps.is_sorted());
    }
    let of_one = records.heard_of(|source, _| source == "mobile").unwrap();
    assert_eq!(of_one, apps[8..], "{of_one:?}");
}

/// What SQLite does for each statement that is prepared in [`Records::events`], in its own words.
fn plan(connection: &Connection, sql: &str) -> String {
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let parameters = vec![1; statement.parameter_count()];
    let rows = statement.query_map(rusqlite::params_from_iter(parameters), |row| row.get::<_, String>(3));
    rows.unwrap().collect::<Result<Vec<_>, _>>().unwrap().join("\n")
}

#[tokio::test]
async fn no_listing_reads_through_a_table() {
    let story = Story::begin().await;
    let file = Connection::open(story.folder.path().join("bugle.db")).unwrap();
    let mut looked_at = 0;
    let forgotten = FORGET.into_iter().map(str::to_owned).zip([
        "USING PRIMARY KEY (span<?)",
        "SEARCH runs USING INTEGER PRIMARY KEY (rowid<?)",
        "USING COVERING INDEX configurations_by_time (at<?",
        "USING COVERING INDEX spells_over (until>? AND until<?)",
    ]);
    for (sql, expected) in records::statements().into_iter().chain(forgotten) {
        let plan = plan(&file, &sql);
        assert!(plan.contains(expected), "{sql}\n{plan}");
        for step in plan.lines() {
            let is_scan =
                step.starts_with("SCAN") && !step.contains("INDEX") && !step.contains("SCAN unheard");
            assert!(!is_scan, "{sql}\n{plan}");
            assert!(step.contains("COVERING") || !step.contains("events_by_time"), "{sql}\n{plan}");
        }
        looked_at += 1;
    }
    assert!(looked_at >= 4);
}
