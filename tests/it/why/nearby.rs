//! What is nearly what was asked for is never taken for it, and says what it is.

use std::time::Duration;

use bugle::pretend::{Answer, Behaviour};
use serde_json::{Value, json};

use super::story::{Story, bugsnag};

const RULES: &str = "[[rules]]\nname = \"all\"\nwhen.source = \"backend\"\nsend_to = \"oncall\"\n";

async fn begin() -> Story {
    Story::begin_with("2026-11-16T09:00:00Z", "notices_to = \"team\"\n", RULES).await
}

fn asked(story: &Story, words: &[&str]) -> (Value, u8) {
    let (said, code) = story.command(words, true);
    (serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}")), code)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_never_came_is_not_answered_with_another_of_its_error() {
    let story = begin().await;
    let here = bugsnag("firstException", "Shop", "Cart::Lost", "error", 1);
    let id = story.accept("backend", &here).await;
    let url = here["error"]["url"].as_str().unwrap().to_owned();
    let (found, code) = asked(&story, &[&url]);
    assert_eq!((code, &found["event"]["id"]), (0, &json!(id)));

    let other = url.replace("000001&", "000002&");
    assert_ne!(other, url);
    let (found, code) = asked(&story, &[&other]);
    assert_eq!((code, &found["found"]), (1, &json!(false)));
    let note = found["notes"][0].as_str().unwrap();
    assert!(note.contains("is not here") && note.contains(&format!("#{id}")), "{note}");
    // The error's own page is the error's.
    let (found, code) = asked(&story, &[url.split('?').next().unwrap()]);
    assert_eq!((code, &found["event"]["id"]), (0, &json!(id)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_narrows_a_question_down_holds_for_ids_too() {
    let story = begin().await;
    let id = story.accept("backend", &bugsnag("firstException", "Shop", "Cart::Lost", "error", 1)).await;
    story.pass(Duration::from_mins(10)).await;
    for words in [
        vec![id.as_str(), "--source", "mobile"],
        vec![id.as_str(), "--app", "Web*"],
        vec![id.as_str(), "--since", "5m"],
        vec!["dd914413bcdd4c26a8000001", "--since", "5m"],
        vec!["Cart::Lost", "--source", "mobile"],
    ] {
        let (found, code) = asked(&story, &words);
        assert_eq!(code, 1, "{words:?}: {found:#}");
    }
    let (found, _) = asked(&story, &[&id, "--source", "mobile"]);
    assert!(found["notes"][0].as_str().unwrap().contains("through backend"), "{found:#}");
    for words in
        [vec![id.as_str(), "--source", "backend"], vec![id.as_str(), "--app", "shop"], vec!["cart::lost"]]
    {
        assert_eq!(asked(&story, &words).1, 0, "{words:?}");
    }
    let marked = format!("backend · dd914413bcdd4c26a8000001 · #{id}");
    assert_eq!(asked(&story, &[&marked]).0["event"]["id"], json!(id));
    let (found, code) = asked(&story, &["#zzzz"]);
    assert_eq!((code, found["notes"][0].as_str().unwrap()), (1, "There never was a #zzzz in this store."));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_that_looks_like_a_short_id_is_asked_for_as_both() {
    let story = begin().await;
    let first = story.accept("backend", &bugsnag("firstException", "Shop", "Cart::Lost", "error", 1)).await;
    let named = story.accept("backend", &bugsnag("firstException", "Shop", &first, "error", 2)).await;
    let (found, _) = asked(&story, &[&first]);
    assert_eq!((&found["event"]["id"], &found["others"]), (&json!(first), &json!([named])));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_again_is_told_when_it_was_and_how_long_after_it_came() {
    let mut story = begin().await;
    let refused = || {
        Behaviour::Answer(Answer::json(
            400,
            &json!({ "code": 50_006, "message": "Cannot send an empty message" }),
        ))
    };
    // In full, and in its simplest form.
    story.oncall.script([refused(), refused()]);
    let id = story.accept("backend", &bugsnag("firstException", "Shop", "Cart::Lost", "error", 1)).await;
    story.pass(Duration::from_mins(2)).await;
    let (found, _) = asked(&story, &[&id]);
    let answer = found["answer"].as_str().unwrap();
    assert!(answer.starts_with("oncall: not told: given up") && !answer.contains(". oncall"), "{answer}");
    // bugle has told of the dead letter itself, and no rule was asked.
    let (own, code) = asked(&story, &["--source", "bugle", "--since", "1h"]);
    assert_eq!((code, &own["rules"], &own["event"]["source"]), (0, &Value::Null, &json!("bugle")), "{own:#}");
    let (said, _) = story.command(&["--source", "bugle", "--since", "1h"], false);
    assert!(said.contains("bugle says this of itself") && !said.contains("no rule matched"), "{said}");

    story.redrive(&id).await;
    story.pass(Duration::from_mins(1)).await;
    let (found, _) = asked(&story, &[&id]);
    let answer = found["answer"].as_str().unwrap();
    assert!(answer.starts_with("oncall: told ") && answer.contains("2 min"), "{answer}");
    assert!(answer.contains("sent again by a person"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_that_ends_before_it_begins_and_nothing_at_all_are_refused() {
    let story = begin().await;
    for (words, said) in [
        (vec!["x", "--since", "2d", "--until", "3d"], "ends before it begins"),
        (vec!["x", "--since", "2030-01-01"], "ends before it begins"),
        (vec![" "], "nothing to look for"),
    ] {
        let refused = story.refused(&words);
        assert!(refused.contains(said), "{words:?}: {refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tracker_that_withholds_events_is_told_of_where_one_is_missing() {
    let story = begin().await;
    let mut words = Vec::new();
    for (number, trigger) in [(1, "projectSamplingStarted"), (2, "projectApproachingRateLimit")] {
        let mut body = bugsnag(trigger, "Shop", "", "warning", number);
        body.as_object_mut().unwrap().remove("error");
        words.push((story.accept("backend", &body).await, trigger));
        story.pass(Duration::from_mins(1)).await;
    }
    let (found, code) = asked(&story, &["Cart::Lost"]);
    assert_eq!(code, 1);
    let withheld = found["withheld"].as_array().unwrap();
    let told: Vec<_> = withheld.iter().rev().map(|one| (one["id"].clone(), one["trigger"].clone())).collect();
    assert_eq!(told, words.iter().map(|(id, trigger)| (json!(id), json!(trigger))).collect::<Vec<_>>());
    let (said, _) = story.command(&["Cart::Lost"], false);
    assert!(said.contains("it sends only a sample of its events") && said.contains("of Shop"), "{said}");
    // What lies outside of the time that is asked for is no reason.
    let (found, _) = asked(&story, &["Cart::Lost", "--since", "30s"]);
    assert_eq!(found["withheld"], json!([]));
}
