//! A bad deploy in each chat, and the same with everything urgent.

use std::time::Duration;

use super::ground::{everything, one_is_urgent};
use super::judge::{Shown, delay};
use super::scenario::BAD_DEPLOY;
use super::{Flood, MINUTE, SECOND, titles};

const ROOMS: [&str; 3] = ["slack", "teams", "discord"];

fn within(all: &[Shown], begun: Duration, span: Duration) -> usize {
    all.iter().filter(|shown| shown.at < begun + span).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_deploy_is_a_handful_of_messages_that_tell_everything() {
    let mut flood = Flood::begin(&one_is_urgent(&ROOMS)).await;
    let begun = flood.now();
    let calls = BAD_DEPLOY.calls();
    flood.play(&calls).await;
    flood.pass(4 * MINUTE, 2 * SECOND).await;
    flood.pass(25 * MINUTE, 10 * SECOND).await;
    let urgent = calls.iter().find(|call| call.is_urgent).unwrap();
    for room in ROOMS {
        let all = flood.shown(room);
        let early = within(&all, begun, 5 * MINUTE);
        assert!(early <= 12, "{room}: {early} in five minutes: {:#?}", titles(&all));
        let delay = delay(&all, &urgent.mark, flood.accepted[&urgent.mark]).unwrap();
        assert!(delay <= 3 * SECOND, "{room}: the urgent one came after {delay:?}");
        let pinged: Vec<&Shown> = all.iter().filter(|shown| !shown.pings.is_empty()).collect();
        assert_eq!(pinged.len(), 1, "{room}: only the urgent one mentions anybody");
        assert!(pinged[0].text.contains(&urgent.mark));
    }
    flood.judge();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_in_the_middle_of_it_changes_nothing_of_that() {
    let mut flood = Flood::begin(&one_is_urgent(&ROOMS)).await;
    let begun = flood.now();
    let calls = BAD_DEPLOY.calls();
    let (before, after) = calls.split_at(calls.len() / 2);
    flood.play(before).await;
    let mut flood = flood.restart().await;
    flood.play(after).await;
    let mut flood = flood.restart().await;
    flood.pass(4 * MINUTE, 2 * SECOND).await;
    flood = flood.restart().await;
    flood.pass(25 * MINUTE, 10 * SECOND).await;
    for room in ROOMS {
        let all = flood.shown(room);
        let early = within(&all, begun, 5 * MINUTE);
        assert!(early <= 12, "{room}: {early} in five minutes: {:#?}", titles(&all));
    }
    flood.judge();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_everything_urgent_there_are_at_most_ten_messages_and_six_mentions() {
    let rules = everything(&ROOMS, "urgent = true\nmention = [\"ann\"]");
    let mut flood = Flood::begin(&rules).await;
    flood.play(&BAD_DEPLOY.calls()).await;
    flood.pass(4 * MINUTE, 2 * SECOND).await;
    flood.pass(25 * MINUTE, 10 * SECOND).await;
    for room in ROOMS {
        let all = flood.shown(room);
        assert!(all.len() <= 10, "{room}: {:#?}", titles(&all));
        let mentions = all.iter().filter(|shown| !shown.pings.is_empty()).count();
        assert!((1..=6).contains(&mentions), "{room}: {mentions} mentions");
    }
    flood.judge();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_a_project_spikes_its_errors_are_gathered_sooner() {
    let mut flood = Flood::begin_alone("", "").await;
    // Four wait, which is no queue that anybody would gather.
    for error in 0..4 {
        flood.accept("firstException", error).await;
    }
    flood.pass(10 * SECOND, SECOND / 2).await;
    assert_eq!(flood.shown("slack").len(), 4);
    flood.accept("projectSpiking", 0).await;
    flood.pass(10 * SECOND, SECOND / 2).await;
    let before = flood.shown("slack").len();
    let events: Vec<_> =
        (0..6).map(|number| Flood::event("firstException", 30 + 3 * number, 100 + number as usize)).collect();
    flood.accept_all(events).await;
    flood.pass(10 * SECOND, SECOND / 2).await;
    let all = flood.shown("slack");
    assert!(all.len() < before + 6, "{:#?}", titles(&all));
    assert!(all.iter().any(|shown| shown.told_as == "digest"), "{:#?}", titles(&all));
    flood.pass(15 * MINUTE, 10 * SECOND).await;
    flood.judge();
}
