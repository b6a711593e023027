//! Never lost: killed, locked out, started again.

use std::fs;
use std::path::Path;
use std::time::Duration;

use bugle::pretend::{Answer, Behaviour, Pretend};
use serde_json::json;

use crate::bugle::{Place, bugsnag, shown, visible, wait_shown};

#[tokio::test]
async fn killed_between_acceptance_and_delivery_each_message_arrives_once() {
    let place = Place::new();
    for chat in place.chats() {
        chat.always(Behaviour::Answer(Answer::text(503, "down")));
    }
    let bugle = place.serve();
    for id in ["one", "two", "three"] {
        bugle.accept("backend", bugsnag(id, json!({}))).await;
    }
    bugle.kill().await;
    place.chats().into_iter().for_each(Pretend::recover);
    let bugle = place.serve();
    for chat in place.chats() {
        wait_shown(chat, 3).await;
    }
    place.until("SELECT count(*) FROM deliveries WHERE state = 'delivered'", "9").await;
    for chat in place.chats() {
        let texts: Vec<_> =
            shown(chat).iter().map(|received| visible(received.json.as_ref().unwrap())).collect();
        for id in ["one", "two", "three"] {
            let times = texts.iter().filter(|text| text.contains(&format!("message of {id}"))).count();
            assert_eq!(times, 1, "{id} on {}", chat.product());
        }
    }
    drop(bugle);
}

#[tokio::test]
async fn an_attempt_cut_off_by_a_kill_is_repeated_and_says_so() {
    let place = Place::with("", "[[rules]]\nname = \"r\"\nsend_to = \"slack\"\n");
    place.slack.script([Behaviour::Hang]);
    let bugle = place.serve();
    bugle.accept("backend", bugsnag("one", json!({}))).await;
    place.slack.wait_for(1, Duration::from_secs(20)).await.unwrap();
    bugle.kill().await;
    let _bugle = place.serve();
    let messages = wait_shown(&place.slack, 1).await;
    assert!(visible(messages[0].json.as_ref().unwrap()).contains("may be a repeat"));
    let attempts = "SELECT group_concat(outcome || ':' || reason) FROM attempts";
    place.until(attempts, "unclear:interrupted,delivered:ok").await;
}

#[tokio::test]
async fn killed_between_the_refusal_and_the_simplest_form_it_goes_on_in_the_simplest_form() {
    let place = Place::with("", "[[rules]]\nname = \"r\"\nsend_to = \"slack\"\n");
    let config = fs::read_to_string(place.path("config.toml")).unwrap();
    // At this pace the second try is three seconds away: time enough to be killed in.
    place.write("config.toml", &config.replace("rate = \"50/s\"", "rate = \"20/min\""));
    place.slack.script([Behaviour::Answer(Answer::text(400, "invalid_blocks"))]);
    let bugle = place.serve();
    bugle.accept("backend", bugsnag("one", json!({}))).await;
    place.until("SELECT state || simplest FROM deliveries", "waiting1").await;
    bugle.kill().await;
    assert_eq!(place.slack.count(), 1, "killed before the second try");
    let _bugle = place.serve();
    let messages = wait_shown(&place.slack, 1).await;
    let seen = visible(messages[0].json.as_ref().unwrap());
    assert!(seen.contains("shortened: the full message was refused"), "{seen}");
    assert!(!seen.contains("may be a repeat"), "{seen}");
    let attempts = "SELECT group_concat(outcome || ':' || words) FROM attempts";
    place.until(attempts, "refused:invalid_blocks,delivered:ok").await;
}

#[tokio::test]
async fn a_store_of_the_first_version_is_served_on() {
    let place = Place::new();
    let config = fs::read_to_string(place.path("config.toml")).unwrap();
    // However old the file is by now, nothing in it is too old to be kept.
    place.write("config.toml", &config.replace("bugle.db\"", "bugle.db\"\nkeep = \"36500d\""));
    fs::copy(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/store/v1.db"),
        place.path("bugle.db"),
    )
    .unwrap();
    let bugle = place.serve();
    for chat in [&place.slack, &place.discord] {
        let messages = wait_shown(chat, 2).await;
        for (message, part) in messages.iter().zip(["Payments::GatewayTimeout", "Paying takes forever"]) {
            assert!(visible(message.json.as_ref().unwrap()).contains(part), "{part} on {}", chat.product());
            assert_eq!(message.pings.len(), 1, "{}", chat.product());
        }
    }
    place.until("SELECT count(*) FROM deliveries WHERE state = 'delivered'", "4").await;
    let raw: String = place.ask("SELECT raw FROM events WHERE product = 'bugsnag'");
    let (_, receipt) = bugle.post("backend", raw).await;
    assert_eq!(receipt["duplicates"].as_i64(), Some(1), "it still knows what it has accepted: {receipt}");
}

#[tokio::test]
async fn duplicates_are_known_after_a_kill() {
    let place = Place::with("", "[[rules]]\nname = \"r\"\nsend_to = \"slack\"\n");
    let bugle = place.serve();
    let first = bugle.accept("backend", bugsnag("one", json!({}))).await;
    place.until("SELECT count(*) FROM deliveries WHERE state = 'delivered'", "1").await;
    bugle.kill().await;
    let bugle = place.serve();
    let (_, receipt) = bugle.post("backend", bugsnag("one", json!({}))).await;
    assert_eq!(
        (receipt["duplicates"].as_i64(), receipt["ids"][0].as_str()),
        (Some(1), Some(first[0].as_str()))
    );
    assert_eq!(place.ask::<i64>("SELECT count(*) FROM deliveries"), 1);
    assert_eq!(shown(&place.slack).len(), 1);
}

#[tokio::test]
async fn a_locked_store_answers_503_and_intake_recovers_by_itself() {
    let place = Place::with("", "[[rules]]\nname = \"r\"\nsend_to = \"slack\"\n");
    let bugle = place.serve();
    let mut other = rusqlite::Connection::open(place.path("bugle.db")).unwrap();
    let lock = other.transaction_with_behavior(rusqlite::TransactionBehavior::Exclusive).unwrap();
    let (status, refusal) = bugle.post("backend", bugsnag("one", json!({}))).await;
    assert_eq!((status, refusal["error"].as_str()), (503, Some("store_unavailable")));
    assert!(bugle.log().contains("the store cannot be written"));
    drop(lock);
    assert_eq!(bugle.post("backend", bugsnag("one", json!({}))).await.0, 200);
    let messages = wait_shown(&place.slack, 1).await;
    assert_eq!(messages.len(), 1);
    assert!(bugle.log().contains("the store can be written again"));
}

#[tokio::test]
async fn many_at_once_are_all_accepted_and_all_delivered_once() {
    let place = Place::with("", "[[rules]]\nname = \"r\"\nsend_to = \"discord\"\n");
    let bugle = place.serve();
    let posts = (0..60).map(|number| bugle.accept("backend", bugsnag(&format!("event-{number}"), json!({}))));
    let ids = futures_util::future::join_all(posts).await;
    let mut unique: Vec<_> = ids.into_iter().flatten().collect();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), 60);
    place.until("SELECT count(*) FROM deliveries WHERE state = 'delivered'", "60").await;
    let all: String = shown(&place.discord).iter().map(|r| visible(r.json.as_ref().unwrap())).collect();
    for number in 0..60 {
        assert_eq!(all.matches(&format!("message of event-{number}\n")).count(), 1, "event-{number}");
    }
}

#[tokio::test]
async fn what_cannot_be_written_down_is_not_posted_again_and_again() {
    let place = Place::with("", "[[rules]]\nname = \"r\"\nsend_to = \"slack\"\n");
    let mut bugle = place.serve();
    let other = rusqlite::Connection::open(place.path("bugle.db")).unwrap();
    let refuse = "CREATE TRIGGER refuse BEFORE UPDATE ON attempts BEGIN SELECT RAISE(ABORT, 'damaged'); END";
    other.execute_batch(refuse).unwrap();
    bugle.accept("backend", bugsnag("one", json!({}))).await;
    assert_eq!(bugle.end().await.code(), Some(1), "{}", bugle.log());
    assert_eq!(place.slack.count(), 1, "posted once, then stopped");
    other.execute_batch("DROP TRIGGER refuse").unwrap();
    let _again = place.serve();
    let messages = wait_shown(&place.slack, 2).await;
    assert!(visible(messages[1].json.as_ref().unwrap()).contains("may be a repeat"));
    place.until("SELECT count(*) FROM deliveries WHERE state = 'delivered'", "1").await;
}
