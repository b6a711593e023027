//! More of the same: counted while a window is open, and told at its end.

use super::ground::{Ground, everything};
use super::{Flood, MINUTE, Product, SECOND, clock, titles};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_is_told_at_once_and_more_of_it_in_ever_longer_windows_until_it_is_silent() {
    let mut flood = Flood::begin_alone("", "").await;
    flood.accept("firstException", 1).await;
    flood.until_shown("slack", 1, SECOND, SECOND / 4).await;
    let mut begun = flood.now();
    flood.pass(MINUTE, MINUTE).await;
    flood.accept_many(57, "exception", 1).await;
    // Ten minutes, then twenty, forty, and an hour from there on.
    for (number, minutes) in [(2, 10), (3, 20), (4, 40), (5, 60), (6, 60)] {
        let all = flood.until_shown("slack", number, (minutes + 1) * MINUTE, 10 * SECOND).await;
        let last = all.last().unwrap();
        assert_eq!(
            (last.told_as.as_str(), last.said),
            ("more", if number == 2 { 57 } else { 3 }),
            "{last:#?}"
        );
        assert!(last.pings.is_empty());
        let span = last.at.saturating_sub(std::mem::replace(&mut begun, last.at));
        assert!(span.abs_diff(minutes * MINUTE) <= MINUTE, "{span:?}");
        if number < 6 {
            flood.accept_many(3, "exception", 1).await;
        }
    }
    // After an hour of silence it is news again, at once.
    flood.pass(61 * MINUTE, MINUTE).await;
    assert_eq!(flood.shown("slack").len(), 6);
    flood.accept("exception", 1).await;
    flood.until_shown("slack", 7, 2 * SECOND, SECOND / 4).await;
    flood.accept("exception", 1).await;
    let all = flood.until_shown("slack", 8, 11 * MINUTE, 10 * SECOND).await;
    assert_eq!(all[7].told_as, "more", "the window is a short one again");
    flood.judge();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_never_collapsed_goes_out_at_once_while_a_window_is_open() {
    let mut flood = Flood::begin_alone("", "").await;
    let mut count = 0;
    for trigger in [
        "exception",
        "firstException",
        "powerTen",
        "reopened",
        "comment",
        "errorStateManualChange",
        "errorEventFrequency",
    ] {
        flood.accept(trigger, 1).await;
        count += 1;
        let all = flood.until_shown("slack", count, 3 * SECOND, SECOND / 2).await;
        assert_eq!(all[count - 1].told_as, "", "{trigger}");
    }
    flood.accept("exception", 1).await;
    flood.pass(MINUTE, 5 * SECOND).await;
    assert_eq!(flood.shown("slack").len(), count);
    flood.pass(15 * MINUTE, 10 * SECOND).await;
    flood.judge();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn windows_that_end_together_make_one_message() {
    let mut flood = Flood::begin_alone("", "").await;
    for error in 0..5 {
        flood.accept("firstException", error).await;
        flood.pass(20 * SECOND, SECOND).await;
    }
    for error in 0..5 {
        flood.accept_many(4, "exception", error).await;
    }
    flood.pass(15 * MINUTE, 10 * SECOND).await;
    let all = flood.shown("slack");
    let more: Vec<_> = all.iter().filter(|shown| shown.told_as == "more").collect();
    assert_eq!(more.len(), 1, "{:#?}", titles(&all));
    assert_eq!(more[0].said, 20);
    flood.judge();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_urgent_is_never_counted_under_a_message_that_was_not() {
    let rules = format!(
        "[[rules]]\nname = \"two\"\nwhen.raw.error.app.version = \"9.9.9\"\nsend_to = \"slack\"\nurgent = true\nmention = [\"ann\"]\n{}",
        everything(&["slack"], "")
    );
    let clock = clock();
    let ground = Ground::with(&clock, [("slack", Product::Slack, "")]);
    let mut flood = Flood::begin_on(ground, clock, "", &rules).await;
    let urgent = |flood: &Flood| {
        let (mark, mut body) = Flood::event("exception", 1, flood.accepted.len());
        body["error"]["app"]["version"] = "9.9.9".into();
        (mark, body)
    };
    flood.accept("exception", 1).await;
    flood.until_shown("slack", 1, 2 * SECOND, SECOND / 2).await;
    let one = urgent(&flood);
    flood.accept_all([one]).await;
    let all = flood.until_shown("slack", 2, 2 * SECOND, SECOND / 2).await;
    assert!(!all[1].pings.is_empty() && all[1].told_as.is_empty());
    // From here on its window is an urgent one, and holds both.
    let another = urgent(&flood);
    flood.accept_all([another]).await;
    flood.accept("exception", 1).await;
    flood.pass(MINUTE, 5 * SECOND).await;
    assert_eq!(flood.shown("slack").len(), 2);
    flood.pass(15 * MINUTE, 10 * SECOND).await;
    let all = flood.shown("slack");
    assert!(all[2].told_as == "more" && all[2].pings.is_empty(), "{all:#?}");
    flood.judge();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_both_switched_off_every_event_is_a_message() {
    let mut flood = Flood::begin_alone("collapse = \"off\"\ndigest_over = \"off\"", "").await;
    flood.accept_many(40, "exception", 1).await;
    flood.pass(45 * SECOND, SECOND / 2).await;
    assert_eq!(flood.shown("slack").len(), 40);
    flood.judge();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_that_switches_windows_off_tells_at_once_what_they_hold() {
    let mut flood = Flood::begin_alone("", "").await;
    flood.accept("firstException", 1).await;
    flood.until_shown("slack", 1, SECOND, SECOND / 4).await;
    flood.accept_many(12, "exception", 1).await;
    flood.pass(5 * SECOND, SECOND).await;
    assert_eq!(flood.shown("slack").len(), 1);
    flood.reload("collapse = \"off\"", &everything(&["slack"], "")).await;
    flood.pass(MINUTE, SECOND).await;
    assert_eq!(flood.ask("SELECT count(*) FROM deliveries WHERE state = 'waiting'"), 0);
    flood.judge();
}
