//! `bugle queue`, and what it tells of: suspended, resumed, moved, gone, asked to wait.

use bugle::pretend::{Answer, Behaviour};
use serde_json::{Value, json};

use super::{TO_SLACK, as_json, edit, fails, place, stop, well};
use crate::bugle::{Place, bugsnag, shown, visible, wait_shown};
use crate::metrics::exposition::Exposition;

/// What `bugle queue` says of a destination.
fn queue(place: &Place, name: &str) -> Value {
    let all = as_json(place, &["queue"]);
    all["destinations"].as_array().unwrap().iter().find(|queue| queue["destination"] == name).unwrap().clone()
}

/// Waits until `bugle queue` says that a destination is in `state`.
async fn until_state(place: &Place, name: &str, state: &str) -> Value {
    let begun = std::time::Instant::now();
    loop {
        let queue = queue(place, name);
        if queue["state"] == state {
            return queue;
        }
        assert!(begun.elapsed() < crate::bugle::PATIENCE, "{queue}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_suspended_destination_gets_nothing_over_restarts_and_reloads_until_it_is_resumed() {
    let place = place(TO_SLACK);
    let bugle = place.serve();
    bugle.accept("backend", bugsnag("one", json!({}))).await;
    wait_shown(&place.slack, 1).await;
    place.until("SELECT count(*) FROM deliveries WHERE state = 'delivered'", "1").await;
    let words = well(&place, &["suspend", "slack"]);
    assert!(words.contains("slack is suspended. 0 messages for it"), "{words}");
    bugle.accept("backend", bugsnag("two", json!({}))).await;
    bugle.says("suspended by a person", 1).await;
    assert!(well(&place, &["suspend", "slack"]).contains("suspended already. 1 message for it"));
    let suspended = ("bugle_destination_suspended", [("destination", "slack")]);
    Exposition::of(&bugle).await.shows(&[(suspended.0, &suspended.1, 1.0)]);
    edit(&place, "timeout = \"2s\"", "timeout = \"3s\"");
    bugle.says("the new configuration is in force", 1).await;
    bugle.says("suspended by a person", 2).await;
    stop(bugle).await;
    let bugle = place.serve();
    bugle.says("suspended by a person", 1).await;
    bugle.accept("backend", bugsnag("three", json!({}))).await;
    let queue = queue(&place, "slack");
    assert_eq!(
        (&queue["state"], &queue["waiting"], &queue["next_attempt_at"]),
        (&json!("suspended"), &json!(2), &Value::Null)
    );
    assert!(queue["since"].is_string() && queue["last_delivered_at"].is_string(), "{queue}");
    let table = well(&place, &["queue"]);
    assert!(table.contains("suspended since") && !table.contains("No bugle serves"), "{table}");
    assert_eq!(shown(&place.slack).len(), 1, "nothing was sent");
    let words = well(&place, &["resume", "slack"]);
    assert!(words.contains("slack is resumed. 2 messages for it"), "{words}");
    wait_shown(&place.slack, 3).await;
    Exposition::of(&bugle).await.shows(&[(suspended.0, &suspended.1, 0.0)]);
    until_state(&place, "slack", "idle").await;
}

/// Whether each key of `shown`, at any depth, is in the page.
fn is_documented(shown: &Value) {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/OPERATIONS.md")).unwrap();
    let chapter =
        page.split("## After a failure\n").nth(1).unwrap().split("\n## ").next().unwrap().to_owned();
    let mut left = vec![shown.clone()];
    let mut count = 0;
    while let Some(value) = left.pop() {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    assert!(chapter.contains(&format!("`{key}`")), "{key} is not in docs/OPERATIONS.md");
                    count += 1;
                    left.push(value);
                }
            }
            Value::Array(values) => left.extend(values),
            _ => {}
        }
    }
    assert!(count > 2, "{shown}");
}

#[tokio::test]
async fn every_field_of_what_programs_read_is_documented() {
    let place = place(TO_SLACK);
    let bugle = place.serve();
    let ids = super::dead_letters(&place, &bugle, &["one"]).await;
    is_documented(&as_json(&place, &["queue"]));
    is_documented(&as_json(&place, &["dead-letters", "list"]));
    is_documented(&as_json(&place, &["dead-letters", "show", &ids[0]]));
    is_documented(&as_json(&place, &["dead-letters", "redrive", "--all"]));
}

#[tokio::test]
async fn what_is_decided_while_no_server_runs_holds_from_its_start() {
    let place = place(TO_SLACK);
    stop(place.serve()).await;
    assert_eq!(as_json(&place, &["suspend", "slack"])["by"], "command");
    assert!(well(&place, &["queue"]).starts_with("No bugle serves from this store"));
    let bugle = place.serve();
    bugle.says("suspended by a person", 1).await;
    bugle.accept("backend", bugsnag("one", json!({}))).await;
    stop(bugle).await;
    assert_eq!(place.ask::<i64>("SELECT count(*) FROM attempts"), 0);
    assert_eq!(as_json(&place, &["resume", "slack"])["waiting"], 1);
    let _bugle = place.serve();
    wait_shown(&place.slack, 1).await;
}

#[tokio::test]
async fn a_gone_destination_is_tried_at_once_when_it_is_resumed_and_rests_over_a_restart() {
    let place = place(TO_SLACK);
    place.slack.always(Behaviour::Answer(Answer::text(404, "no_service")));
    let bugle = place.serve();
    bugle.accept("backend", bugsnag("one", json!({}))).await;
    let queue = until_state(&place, "slack", "gone").await;
    assert!(queue["words"].as_str().unwrap().contains("no_service"), "{queue}");
    assert!(queue["next_attempt_at"].as_str() > queue["since"].as_str(), "{queue}");
    assert!(well(&place, &["queue"]).contains("its webhook is gone since"));
    stop(bugle).await;
    let bugle = place.serve();
    bugle.accept("backend", bugsnag("two", json!({}))).await;
    assert_eq!(place.slack.count(), 1, "once an hour");
    well(&place, &["resume", "slack"]);
    place.until("SELECT count(*) FROM attempts WHERE ended_at IS NOT NULL", "2").await;
    let rested = "SELECT rests_until > 1000 * (unixepoch() + 3500) FROM destinations WHERE name = 'slack'";
    place.until(rested, "1").await;
    place.slack.always(Behaviour::Normal);
    well(&place, &["resume", "slack"]);
    wait_shown(&place.slack, 2).await;
    drop(bugle);
}

#[tokio::test]
async fn a_destination_that_fails_is_tried_at_once_and_one_that_was_asked_to_wait_is_not() {
    let place = place(TO_SLACK);
    edit(&place, "first = \"100ms\", most = \"1s\"", "first = \"10m\", most = \"10m\"");
    place.slack.always(Behaviour::Answer(Answer::text(503, "down")));
    let bugle = place.serve();
    bugle.accept("backend", bugsnag("one", json!({}))).await;
    let queue = until_state(&place, "slack", "failing").await;
    assert!(queue["next_attempt_at"].as_str() > queue["since"].as_str(), "{queue}");
    place.slack.always(Behaviour::Answer(Answer::text(429, "").with("retry-after", "1000")));
    well(&place, &["resume", "slack"]);
    let queue = until_state(&place, "slack", "asked_to_wait").await;
    assert_eq!(queue["reason"], "rate_limited");
    place.slack.always(Behaviour::Normal);
    let words = well(&place, &["resume", "slack"]);
    assert!(
        words.contains("its platform has asked to wait until") && words.contains("rate_limited"),
        "{words}"
    );
    assert!(as_json(&place, &["resume", "slack"])["held_until"].is_string());
    stop(bugle).await;
    assert_eq!(place.slack.count(), 2);
}

#[tokio::test]
async fn what_waits_moves_to_another_destination_and_says_whose_place_it_takes() {
    for served in [true, false] {
        let place = place(TO_SLACK);
        let bugle = place.serve();
        well(&place, &["suspend", "slack"]);
        for id in ["one", "two", "three"] {
            bugle.accept("backend", bugsnag(id, json!({}))).await;
        }
        let bugle = if served {
            Some(bugle)
        } else {
            stop(bugle).await;
            None
        };
        let words = well(&place, &["move", "slack", "discord"]);
        assert!(words.contains("3 messages from slack: moved to discord."), "{words}");
        assert_eq!(as_json(&place, &["move", "slack", "discord"])["sent"], 0);
        let bugle = bugle.unwrap_or_else(|| place.serve());
        let messages = wait_shown(&place.discord, 3).await;
        assert!(visible(messages[0].json.as_ref().unwrap()).contains("instead of slack"));
        place
            .until(
                "SELECT group_concat(DISTINCT reason) FROM deliveries WHERE state = 'moved'",
                "moved_by_hand",
            )
            .await;
        if served {
            let moved =
                ("bugle_deliveries_moved_total", [("destination", "slack"), ("reason", "moved_by_hand")]);
            Exposition::of(&bugle).await.shows(&[(moved.0, &moved.1, 3.0)]);
        }
        assert_eq!(
            place.ask::<Option<i64>>("SELECT diverting_since FROM destinations WHERE name = 'slack'"),
            None
        );
    }
}

#[tokio::test]
async fn what_waits_for_a_destination_that_has_left_can_be_seen_and_moved() {
    let place = place(TO_SLACK);
    let bugle = place.serve();
    well(&place, &["suspend", "slack"]);
    bugle.accept("backend", bugsnag("one", json!({}))).await;
    stop(bugle).await;
    edit(&place, "[destinations.slack]", "[destinations.other]");
    edit(&place, "send_to = \"slack\"", "send_to = \"other\"");
    let _bugle = place.serve();
    let queue = queue(&place, "slack");
    assert_eq!((&queue["state"], &queue["configured"]), (&json!("not_configured"), &json!(false)));
    fails(&place, &["move", "other", "slack"], "there is no destination \"slack\"");
    well(&place, &["move", "slack", "other"]);
    wait_shown(&place.slack, 1).await;
    well(&place, &["resume", "slack"]);
}

#[tokio::test]
async fn what_is_only_counted_is_told_of_with_its_end() {
    let place = place(TO_SLACK);
    edit(&place, "collapse = \"off\"", "collapse = \"30m\"");
    let bugle = place.serve();
    let mut ids = Vec::new();
    for id in ["one", "two", "three"] {
        let trigger = json!({"trigger": {"type": "exception"}, "error": {"errorId": "the same"}});
        ids.extend(bugle.accept("backend", bugsnag(id, trigger)).await);
        place.until("SELECT count(*) FROM windows", "1").await;
    }
    let counting = until_state(&place, "slack", "counting").await;
    let count = |key: &str| counting[key].as_u64().unwrap();
    assert_eq!((count("waiting"), count("held"), count("gathered"), count("digests")), (2, 2, 0, 0));
    assert!(counting["oldest_at"].is_string() && counting["held_until"].is_string(), "{counting}");
    assert_eq!(counting["next_attempt_at"], counting["held_until"]);
    assert!(well(&place, &["queue"]).contains("only counted, the first until"));
    let told = as_json(&place, &["dead-letters", "show", &ids[2]]);
    assert_eq!(told["deliveries"][0]["held_until"], counting["held_until"]);
    assert!(well(&place, &["dead-letters", "show", &ids[2]]).contains("; only counted until 20"));
    let slack = ("destination", "slack");
    Exposition::of(&bugle).await.shows(&[
        ("bugle_deliveries_held", &[slack], 2.0),
        ("bugle_deliveries_queued", &[slack], 2.0),
        ("bugle_deliveries_oldest_age_seconds", &[slack], 0.0),
        ("bugle_deliveries_owed", &[slack], 3.0),
    ]);
    edit(&place, "collapse = \"30m\"", "collapse = \"off\"");
    wait_shown(&place.slack, 2).await;
    until_state(&place, "slack", "idle").await;
    place.until("SELECT count(*) FROM deliveries WHERE state = 'folded'", "1").await;
    let told = as_json(&place, &["dead-letters", "show", &ids[2]]);
    assert_eq!(told["deliveries"][0]["told_with"], ids[1], "{told}");
    let words = well(&place, &["dead-letters", "show", &ids[2]]);
    assert!(words.contains(&format!("with the message of #{}", ids[1])), "{words}");
    assert!(well(&place, &["dead-letters", "show", &ids[1]]).contains("told as     more, for several"));
    let shown = Exposition::of(&bugle).await;
    shown.shows(&[
        ("bugle_deliveries_folded_total", &[slack], 1.0),
        ("bugle_deliveries_settled", &[slack, ("state", "folded")], 1.0),
        ("bugle_deliveries_settled", &[slack, ("state", "delivered")], 2.0),
        ("bugle_deliveries_held", &[slack], 0.0),
    ]);
    assert_eq!(well(&place, &["check-store"]).lines().next().unwrap().rsplit(' ').next(), Some("order"));
}
