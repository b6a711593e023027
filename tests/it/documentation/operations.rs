//! What `docs/OPERATIONS.md` promises: every question to the store is one that the store answers.

use bugle::pretend::{Answer, Behaviour};
use nix::sys::signal::Signal;
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use serde_json::json;

use super::{blocks, read};
use crate::bugle::{Place, bugsnag, wait_shown};

/// The statements of the page.
fn statements() -> Vec<String> {
    let statements = blocks(&read("docs/OPERATIONS.md"), "sql");
    assert!(statements.len() >= 7, "{}", statements.len());
    statements
}

/// The rows that `sql` gives, each as one text.
fn rows(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(sql).unwrap_or_else(|error| panic!("{sql}\n{error}"));
    let columns = statement.column_count();
    let row = |row: &rusqlite::Row<'_>| {
        let cells = (0..columns).map(|column| match row.get_ref_unwrap(column) {
            ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
            other => format!("{other:?}"),
        });
        Ok(cells.collect::<Vec<_>>().join(" "))
    };
    statement.query_map([], row).unwrap().collect::<Result<_, _>>().unwrap()
}

/// The only statement with `words` in it, about the destination and the title of this test's event.
fn statement(words: &str) -> String {
    let mut found = statements();
    found.retain(|statement| statement.contains(words));
    let [statement] = &found[..] else { panic!("{words}: {found:#?}") };
    statement.replace("'team'", "'slack'")
}

#[tokio::test]
async fn every_question_to_the_store_is_answered_and_a_dead_letter_can_be_sent_again() {
    let place = Place::with("", "[[rules]]\nname = \"everything\"\nsend_to = \"slack\"\n");
    place.slack.script([Behaviour::Answer(Answer::text(400, "user_not_found"))]);
    let mut bugle = place.serve();
    let ids = bugle.accept("backend", bugsnag("one", json!({}))).await;
    place.until("SELECT state FROM deliveries", "dead").await;
    let store = Connection::open(place.path("bugle.db")).unwrap();
    let ask = |sql: &str| rows(&store, sql).join("\n");
    for sql in statements() {
        ask(&sql);
    }

    let by_id = ask(&statement("RECURSIVE").replace("2222", &ids[0]));
    assert!(by_id.contains("Timeout") && by_id.contains("everything") && by_id.contains("routed"), "{by_id}");
    assert!(ask(&statement("LIKE")).contains("Timeout"), "by a word of the title");
    let attempts = ask(&statement("LEFT JOIN attempts"));
    assert!(
        attempts.contains("dead") && attempts.contains("refused") && attempts.contains("400"),
        "{attempts}"
    );
    let dead = ask(&statement("d.settled_at DESC"));
    assert!(dead.contains("misconfigured") && dead.contains("Timeout"), "{dead}");
    assert_eq!(ask(&statement("AS waiting")), "");
    assert!(ask(&statement("FROM destinations")).contains("slack"));
    assert!(ask(&statement("pragma_page_count")).contains("Integer(1)"));

    bugle.signal(Signal::SIGTERM);
    assert!(bugle.end().await.success());
    let redriven = place.command(&["dead-letters", "redrive", &ids[0]]).output().unwrap();
    assert!(redriven.status.success(), "{redriven:?}");
    assert!(ask(&statement("AS waiting")).contains("Integer(1)"));
    let _bugle = place.serve();
    wait_shown(&place.slack, 1).await;
    place.until("SELECT group_concat(state, ' ' ORDER BY id) FROM deliveries", "moved delivered").await;
}

#[test]
fn the_reasons_that_the_page_explains_are_those_that_there_are() {
    let page = read("docs/OPERATIONS.md");
    let code = read("src/delivery.rs");
    let chapter = page.split("### There are dead letters").nth(1).unwrap().split("\n### ").next().unwrap();
    let words = regex::Regex::new("`([a-z]+(?:_[a-z]+)*)`").unwrap();
    let rows =
        chapter.lines().filter(|line| line.starts_with("| `")).map(|row| row.split('|').nth(1).unwrap());
    let explained: Vec<_> =
        rows.flat_map(|cell| words.captures_iter(cell).map(|found| found[1].to_owned())).collect();
    assert!(explained.len() >= 9, "{explained:?}");
    for reason in explained {
        assert!(code.contains(&format!("=> \"{reason}\",")), "there is no reason `{reason}`");
    }
    let refusals = page.split("### Webhooks are refused").nth(1).unwrap().split("\n### ").next().unwrap();
    let code = read("src/intake/reply.rs");
    let codes = regex::Regex::new(r#"StatusCode::[A-Z_]+, "([a-z_]+)""#).unwrap();
    let codes: Vec<_> = codes.captures_iter(&code).map(|found| found[1].to_owned()).collect();
    assert!(codes.len() > 10);
    for reason in codes {
        assert!(refusals.contains(&format!("`{reason}`")), "`{reason}` is not explained");
    }
}

#[test]
fn every_alert_leads_to_what_to_do() {
    let (page, alerts) = (read("docs/OPERATIONS.md"), read("docs/alerts.yml"));
    let names: Vec<_> = alerts.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(names.len() > 10, "{names:?}");
    let row =
        |name: &str| page.lines().any(|line| line.starts_with("| `") && line.contains(&format!("`{name}`")));
    for name in &names {
        assert!(row(name), "{name} is not in the table of alerts");
    }
    let written = regex::Regex::new("`(Bugle[A-Za-z]+)`").unwrap();
    for found in written.captures_iter(&page) {
        assert!(names.contains(&&found[1]), "there is no alert {}", &found[1]);
    }
}

#[test]
fn every_notice_is_explained() {
    let (page, code) = (read("docs/OPERATIONS.md"), read("src/notice.rs"));
    let trigger = regex::Regex::new(r#"Self::\w+ ?(?:\{[^}]*\}|\(_\)) => \("(\w+)""#).unwrap();
    let triggers: Vec<_> = trigger.captures_iter(&code).map(|found| found[1].to_owned()).collect();
    assert!(triggers.len() >= 6, "{triggers:?}");
    for trigger in triggers {
        let row = page.lines().any(|line| line.starts_with("| `") && line.contains(&format!("`{trigger}`")));
        assert!(row, "{trigger} is not in the table of notices");
    }
}
