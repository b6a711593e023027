//! The ten questions of `docs/WHY.md`, which this writes.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use bugle::outbox::examine;
use bugle::pretend::{Answer, Behaviour};
use regex::Regex;
use serde_json::Value;

use super::history::{self, EVENTS};
use super::story::{Story, bugsnag, crash};

const MINUTE: Duration = Duration::from_mins(1);

const RULES: &str = r#"[[rules]]
name = "payments wake the on-call"
when.error_class = "Payments::*"
when.severity = "error"
send_to = ["oncall", "team"]
mention = "here"
urgent = true
stop = true

[[rules]]
name = "phones"
when.source = "mobile"
send_to = "phones"

[[rules]]
name = "stock"
when.error_class = "Stock::*"
send_to = "oncall"
stop = true

[[rules]]
name = "all else"
when.severity = ">= warning"
send_to = "team"
"#;

/// A question, the command that answers it, and what must be in the answer.
struct Question {
    title: &'static str,
    asked: &'static str,
    command: Vec<String>,
    code: u8,
    expected: Vec<&'static str>,
}

fn ask(
    title: &'static str,
    asked: &'static str,
    command: &[&str],
    code: u8,
    expected: &[&'static str],
) -> Question {
    let command = command.iter().map(|word| (*word).to_owned()).collect();
    Question { title, asked, command, code, expected: expected.to_vec() }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_questions_are_answered_by_one_command_each() {
    let mut story = Story::begin("2026-11-16T09:00:00Z", RULES).await;
    history::fill(&story);
    let questions = happen(&mut story).await;
    let examined = examine(&story.path()).unwrap();
    assert!(examined.is_in_order(), "{examined:?}");
    assert!(examined.events.unwrap() > EVENTS.unsigned_abs());

    let mut unknown = BTreeSet::new();
    let mut page = include_str!("page.md").replace("{RULES}", RULES.trim_end());
    for Question { title, asked, command, code, expected } in &questions {
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        let (said, found) = story.command(&words, false);
        for expected in expected {
            assert!(said.contains(expected), "{title}: no {expected:?} in\n{said}");
        }
        assert_eq!(found, *code, "{title}\n{said}");
        let (json, _) = story.command(&words, true);
        let json: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["found"], *code == 0, "{title}");
        undocumented(&json, &mut unknown);
        let command = command
            .iter()
            .map(|word| if word.contains([' ', '*', '&', '#']) { format!("'{word}'") } else { word.clone() });
        let command = command.collect::<Vec<_>>().join(" ");
        write!(page, "\n## {title}\n\n{asked}\n\n```console\n$ bugle why {command}\n{said}```\n").unwrap();
    }
    page += include_str!("fields.md");
    assert!(unknown.is_empty(), "these fields are not documented: {unknown:?}");
    story.stop().await;
    expect_document("docs/WHY.md", &page);
}

/// What people ask about happens. Each of the questions is about one of it.
async fn happen(story: &mut Story) -> Vec<Question> {
    let first = [
        a_duplicate(story).await,
        a_rule_that_just_missed(story).await,
        one_of_many_of_the_same(story).await,
        one_in_a_digest(story).await,
        a_dead_letter(story).await,
        a_destination_that_is_gone(story).await,
        a_wrong_token(story).await,
    ];
    let silent = ask(
        "An app that went silent",
        "Why is there nothing of the iOS app?",
        &["--app", "Shop iOS", "--since", "1d"],
        1,
        &["Shop iOS (mobile): the last event came 2026-11-14", "it is silent for far longer"],
    );
    let reload = a_reload_that_changed_the_routing(story).await;
    let down = while_bugle_was_down(story).await;
    first.into_iter().chain([silent, reload, down]).collect()
}

async fn a_duplicate(story: &Story) -> Question {
    let timeout = bugsnag("firstException", "Shop API", "Checkout::Timeout", "error", 1);
    story.accept("backend", &timeout).await;
    story.pass(MINUTE / 2).await;
    story.accept("backend", &timeout).await;
    story.pass(MINUTE).await;
    let address = timeout["error"]["url"].as_str().unwrap_or_default();
    ask(
        "A duplicate",
        "Bugsnag's page says that it called twice. The channel has one message.",
        &[address],
        0,
        &["came again once", "a duplicate is not sent again", "team: told 2026-11-16 09:0"],
    )
}

async fn a_rule_that_just_missed(story: &Story) -> Question {
    story
        .accept("backend", &bugsnag("firstException", "Shop API", "Payments::CardDeclined", "warning", 2))
        .await;
    story.pass(MINUTE).await;
    ask(
        "A rule that just missed",
        "A payment failed, and nobody on call was told.",
        &["Payments::CardDeclined"],
        0,
        &["severity is \"warning\"; asked for is \"error\"", "all else: matched → team"],
    )
}

async fn one_of_many_of_the_same(story: &Story) -> Question {
    for number in 3..8 {
        story.accept("backend", &bugsnag("exception", "Shop Web", "Basket::Empty", "error", number)).await;
        story.pass(MINUTE / 4).await;
    }
    story.pass(MINUTE * 11).await;
    ask(
        "One of many of the same",
        "This one is in Bugsnag, where its id comes from, and not in the channel.",
        &["dd914413bcdd4c26a8000005"],
        0,
        &["collapsed: #", "in a line about 4 more events, #"],
    )
}

async fn one_in_a_digest(story: &Story) -> Question {
    for number in 10..40 {
        let class = format!("Search::Shard{:02}", number - 9);
        story.accept("backend", &bugsnag("firstException", "Shop API", &class, "error", number)).await;
        if number == 10 {
            story.is_done().await;
        }
    }
    // The first went at once; for the rest the pace has to let one more pass.
    story.clock.advance(Duration::from_secs(2));
    story.pass(MINUTE * 2).await;
    ask(
        "One in a digest",
        "Thirty errors at once. Was this one of them told?",
        &["Search::Shard17"],
        0,
        &["in a digest of", "digest: more waited for team"],
    )
}

async fn a_dead_letter(story: &Story) -> Question {
    story.pass(MINUTE * 20).await;
    story.team.script([Behaviour::Answer(Answer::text(400, "user_not_found"))]);
    story.accept("backend", &bugsnag("firstException", "Shop Web", "Report::Broken", "error", 50)).await;
    story.pass(MINUTE).await;
    ask(
        "A dead letter",
        "This error is nowhere in the channel.",
        &["Report::Broken"],
        0,
        &["team: not told: given up 2026-11-16", "user_not_found", "bugle dead-letters redrive"],
    )
}

async fn a_destination_that_is_gone(story: &Story) -> Question {
    story.phones.always(Behaviour::Answer(Answer::text(404, "no_service")));
    story.accept("mobile", &crash("Shop Android", "NullPointerException", 60)).await;
    story.pass(MINUTE * 5).await;
    ask(
        "A destination that is gone",
        "The Android app crashes, and the phones' channel is quiet.",
        &["NullPointerException"],
        0,
        &["phones: not told yet (its webhook is gone since", "no_service"],
    )
}

async fn a_wrong_token(story: &Story) -> Question {
    for _ in 0..3 {
        let body = crash("Shop Android", "SIGABRT", 70);
        assert_eq!(story.post("mobile", "the-token-of-last-year-0123456789", &body).await.0, 401);
        story.pass(MINUTE).await;
    }
    ask(
        "A wrong token",
        "Bugfender says that it has called for this crash, and bugle has nothing of it.",
        &["SIGABRT", "--source", "mobile", "--since", "30m"],
        1,
        &["refused at mobile: 3 requests, unauthorized"],
    )
}

async fn a_reload_that_changed_the_routing(story: &Story) -> Question {
    story.reload(&RULES.replace("send_to = \"oncall\"\nstop", "send_to = \"managers\"\nstop")).await;
    story.accept("backend", &bugsnag("firstException", "Shop API", "Stock::Mismatch", "error", 80)).await;
    story.pass(MINUTE).await;
    ask(
        "A reload that changed the routing",
        "Errors of the stock used to go to the people on call. This one did not.",
        &["Stock::Mismatch"],
        0,
        &[
            "a reload brought them, and changed",
            "the rule \"stock\": send_to was oncall, is managers",
            "managers: told",
        ],
    )
}

async fn while_bugle_was_down(story: &mut Story) -> Question {
    story.stop().await;
    story.pass(MINUTE * 20).await;
    story.start().await;
    story.pass(MINUTE * 2).await;
    ask(
        "An event that came while bugle was down",
        "Bugsnag has this error of a quarter of an hour ago.",
        &["Login::Refused", "--since", "30m"],
        1,
        &["bugle did not run from", "it had been told to stop"],
    )
}

/// The fields in `json` that the pages do not name.
fn undocumented(json: &Value, unknown: &mut BTreeSet<String>) {
    let pages = [include_str!("fields.md"), include_str!("../../../docs/OPERATIONS.md")];
    match json {
        Value::Object(fields) => {
            for (name, value) in fields {
                if !pages.iter().any(|page| page.contains(&format!("`{name}`"))) {
                    unknown.insert(name.clone());
                }
                undocumented(value, unknown);
            }
        }
        Value::Array(all) => all.iter().for_each(|value| undocumented(value, unknown)),
        _ => {}
    }
}

/// The page at `path` must say just that, but for a few seconds: when a courier wakes depends on the machine.
fn expect_document(path: &str, expected: &str) {
    let times = Regex::new(
        r"at once|\b\d+ attempts? at|\b\d+ events?\b|\d+\.\d s after it came|\d\d:\d\d:\d\dZ|\b\d+(\.\d)? (s|min|h|d)\b( \d+ (s|min|h)\b)?",
    )
    .unwrap();
    let but_times = |page: &str| times.replace_all(page, "TIME").into_owned();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let found = fs::read_to_string(&path).unwrap_or_default();
    if but_times(&found) != but_times(expected) {
        let produced = Path::new(env!("CARGO_TARGET_TMPDIR")).join(path.file_name().unwrap());
        fs::write(&produced, expected).unwrap();
        panic!("{} is not what was produced: that is {}", path.display(), produced.display());
    }
}
