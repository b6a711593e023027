//! What is said of a tracker that does not tell: once, across restarts too, and never nothing.

use std::time::Duration;

use serde_json::json;

use super::story::{MOBILE, Story, single, webhook};
use crate::apis::bugfender::SECRET;
use crate::apis::server::Told;

const FAILING: &str = "SELECT count(*) = 1 FROM catch_ups WHERE failing_since IS NOT NULL";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fails_for_long_is_told_once_however_often_bugle_begins_again() {
    let mut story = Story::begin(MOBILE).await;
    story.until("SELECT count(*) = 1 FROM catch_ups WHERE up_to IS NOT NULL").await;
    story.bugfender.server.always("/api/app", Told::text(503, "down"));
    story.pass(Duration::from_mins(20)).await;
    story.until(FAILING).await;
    // Nobody runs for as long as it takes to lose patience.
    for _ in 0..6 {
        story.stop().await;
        let asked = story.bugfender.server.asked().len();
        story.start().await;
        story.pass(Duration::from_mins(12)).await;
        assert!(story.bugfender.server.asked().len() > asked);
    }
    story.is_told().await;
    let notices = Story::told(&story.notices);
    assert_eq!(notices.len(), 1, "{notices:#?}");
    assert!(notices[0].contains("The tracker of \"mobile\" cannot be asked"), "{notices:#?}");
    let since = story.ask::<i64>("SELECT failing_since FROM catch_ups");
    assert!(since < story.clock.now().minus(Duration::from_hours(1)).0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_noted_and_not_told_by_the_end_is_told_at_the_next_start() {
    let mut story = Story::begin(MOBILE).await;
    story.until("SELECT count(*) = 1 FROM catch_ups").await;
    story.accept("mobile", &json!([webhook(&single(0, "crash", "Valve", "").1)])).await;
    // The first is told at once, what follows within the hour is gathered.
    for number in 1..3 {
        let missed = single(number, "crash", &format!("Missed {number}"), &story.clock.now().to_string());
        story.bugfender.with(|known| known.singles = vec![missed]);
        let caught_up = format!("SELECT count(*) = {number} FROM events WHERE caught_up = 1");
        story.pass(Duration::from_mins(18)).await;
        story.until(&caught_up).await;
        story.until("SELECT count(*) = 1 FROM catch_ups WHERE done_at >= found_at").await;
    }
    story.is_told().await;
    let told = Story::told(&story.notices);
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].contains("No webhook brought one event of \"mobile\""), "{told:#?}");
    story.stop().await;
    story.start().await;
    story.pass_by(Duration::from_hours(2)).await;
    story.is_told().await;
    assert_eq!(Story::told(&story.notices).len(), 2);
    // And that is all.
    story.stop().await;
    story.start().await;
    story.pass_by(Duration::from_hours(2)).await;
    story.is_told().await;
    assert_eq!(Story::told(&story.notices).len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_changes_the_secret_hears_nothing_more_of_the_wrong_one_and_is_not_told_of_it_later() {
    let story = Story::begin("").await;
    story.reload(MOBILE, "not the secret").await;
    story.until(FAILING).await;
    story.reload(MOBILE, "not the secret either").await;
    story.pass(Duration::from_mins(5)).await;
    story.reload(MOBILE, SECRET).await;
    story.until("SELECT count(*) = 1 FROM catch_ups WHERE failing_since IS NULL AND told_at IS NULL").await;
    story.pass_by(Duration::from_hours(3)).await;
    story.is_told().await;
    let notices = Story::told(&story.notices);
    assert_eq!(notices.len(), 1, "{notices:#?}");
}
