//! What comes late, or in between, or by another clock: told all the same, and once.

use std::time::{Duration, Instant};

use serde_json::json;

use super::CAUGHT_UP;
use super::story::{EVERY, MINUTE, MOBILE, Story, single, webhook};
use crate::apis::bugsnag::{PROJECT, error};
use crate::apis::server::Told;
use crate::bugle::PATIENCE;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_tracker_tells_late_or_by_a_clock_that_is_behind_is_found() {
    let story = Story::begin(MOBILE).await;
    story.until("SELECT count(*) = 1 FROM catch_ups").await;
    story.pass_by(Duration::from_hours(2)).await;
    let since = story.clock.now().plus(MINUTE);
    let late = single(1, "crash", "Late", &story.ago(Duration::from_mins(40)));
    story.bugfender.with(|known| known.singles = vec![late]);
    story.pass(18 * MINUTE).await;
    story.is_asked("mobile", since).await;
    assert_eq!(story.ask::<i64>(CAUGHT_UP), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happened_while_a_clock_was_ahead_is_found_once_it_is_right() {
    let mut story = Story::begin(MOBILE).await;
    story.until("SELECT count(*) = 1 FROM catch_ups").await;
    story.pass_by(Duration::from_hours(30)).await;
    story.stop().await;
    // It may have been asked at this very moment.
    story.pass_by(MINUTE).await;
    // It was asked by a clock that was a day ahead.
    let ahead = story.clock.now().plus(Duration::from_hours(24)).0;
    story.write(&format!("UPDATE catch_ups SET up_to = {ahead}"));
    let happened = single(1, "crash", "Meanwhile", &story.ago(Duration::from_hours(20)));
    let before = single(2, "crash", "Before anybody was there", &story.ago(Duration::from_hours(40)));
    story.bugfender.with(|known| known.singles = vec![happened, before]);
    let begun = story.clock.now();
    story.start().await;
    story.is_asked("mobile", begun).await;
    assert_eq!(
        story.ask::<String>("SELECT group_concat(title) FROM events WHERE caught_up = 1"),
        "Meanwhile"
    );
    let up_to = format!("SELECT up_to < {} FROM catch_ups WHERE source = 'mobile'", begun.0);
    assert!(story.ask::<bool>(&up_to));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_that_comes_while_more_is_asked_of_the_same_is_not_told_again() {
    let story = Story::begin(EVERY).await;
    story.asks_again().await;
    let at = story.clock.now().to_string();
    story.bugsnag.with(|known| known.errors = vec![error("new-1", &at, &at, "open")]);
    story.bugsnag.server.always("/events", Told::text(404, "{}"));
    story.bugsnag.server.slow_down("/events", Duration::from_millis(700));
    let begun = Instant::now();
    while !story.bugsnag.server.asked().iter().any(|asked| asked.path.ends_with("/events")) {
        assert!(begun.elapsed() < PATIENCE, "nothing more is asked of it");
        story.clock.advance(Duration::from_secs(1));
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let first = json!({
        "trigger": {"type": "firstException"}, "project": {"id": PROJECT, "name": "Harbor Checkout"},
        "error": {"id": "event-of-new-1", "errorId": "new-1", "exceptionClass": "TypeError"},
    });
    assert_eq!(story.accept("backend", &first).await["new"], 1);
    story.is_asked("backend", story.clock.now()).await;
    let all = "SELECT count(*) FROM events WHERE source = 'backend' AND error_id = 'new-1'";
    assert_eq!((story.ask::<i64>(all), story.ask::<i64>(CAUGHT_UP)), (1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_fixed_by_hand_that_opens_again_is_told_and_one_opened_by_hand_is_not() {
    let story = Story::begin(EVERY).await;
    let long_ago = story.ago(Duration::from_hours(1_000));
    let fixed = ["fixed", "opened"].map(|id| error(id, &long_ago, &long_ago, "fixed"));
    story.bugsnag.with(|known| known.errors = fixed.to_vec());
    story.asks_again().await;
    let by_hand = |id: &str, state: &str| {
        json!({
            "trigger": {"type": "errorStateManualChange", "stateChange": state},
            "project": {"id": PROJECT, "name": "Harbor Checkout"},
            "error": {"id": format!("event-of-{id}-{state}"), "errorId": id, "exceptionClass": "TypeError"},
        })
    };
    story.accept("backend", &by_hand("fixed", "fixed")).await;
    story.accept("backend", &by_hand("opened", "reopened")).await;
    let at = story.clock.now().to_string();
    let open = ["fixed", "opened"].map(|id| error(id, &long_ago, &at, "open"));
    story.bugsnag.with(|known| known.errors = open.to_vec());
    story.asks_again().await;
    story.asks_again().await;
    let told = "SELECT group_concat(error_id || ' ' || trigger) FROM events WHERE caught_up = 1";
    assert_eq!(story.ask::<String>(told), "fixed reopened");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_webhook_has_ever_brought_is_no_warning() {
    let story = Story::begin(EVERY).await;
    story.asks_again().await;
    let at = story.clock.now().to_string();
    let known = single(1, "crash", "Valve", &at);
    story.accept("mobile", &json!([webhook(&known.1)])).await;
    let words = single(2, "feedback", "A word", &at);
    story.bugfender.with(|api| api.singles = vec![known, words]);
    story.asks_again().await;
    assert_eq!(
        story.ask::<String>("SELECT found || '/' || missed FROM catch_ups WHERE source = 'mobile'"),
        "1/0"
    );
    let again = single(3, "crash", "Another", &story.clock.now().to_string());
    story.bugfender.with(|api| api.singles.push(again));
    story.asks_again().await;
    assert_eq!(
        story.ask::<String>("SELECT found || '/' || missed FROM catch_ups WHERE source = 'mobile'"),
        "1/1"
    );
}
