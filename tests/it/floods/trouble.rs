//! A destination that fails, is gone or is suspended while a flood comes in.

use bugle::pretend::{Answer, Behaviour, Pretend};

use super::ground::{Ground, everything};
use super::scenario::{BAD_DEPLOY, Deploy};
use super::{Flood, MINUTE, Product, SECOND, clock, titles};

/// A fifth of the bad deploy, as often.
const FIFTH: Deploy =
    Deploy { events: BAD_DEPLOY.events / 5, errors: 30, span: BAD_DEPLOY.span.checked_div(5).unwrap() };

fn chat<'a>(flood: &'a Flood, room: &str) -> &'a Pretend {
    &flood.room(room).chat
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_destination_that_fails_owes_is_told_at_its_fallback_once() {
    let clock = clock();
    let rooms = [
        ("slack", Product::Slack, "fallback = \"discord\"\nfallback_after = \"1m\""),
        ("discord", Product::Discord, ""),
    ];
    let ground = Ground::with(&clock, rooms);
    let mut flood = Flood::begin_on(ground, clock, "", &everything(&["slack"], "")).await;
    let calls = FIFTH.calls();
    let (before, after) = calls.split_at(calls.len() / 2);
    flood.play(before).await;
    chat(&flood, "slack").always(Behaviour::Answer(Answer::text(503, "down")));
    flood.play(after).await;
    flood.pass(30 * MINUTE, 2 * SECOND).await;
    let (there, here) = (flood.shown("slack"), flood.shown("discord"));
    let told: u64 = there.iter().chain(&here).map(|shown| shown.said).sum();
    // And one of our own, which says why all that comes to this room.
    assert_eq!(told, u64::from(FIFTH.events) + 1, "{:#?} {:#?}", titles(&there), titles(&here));
    let not_once = "SELECT count(*) FROM events e WHERE 1 <> (
                        SELECT count(*) FROM deliveries d WHERE d.event = e.id AND d.state IN ('delivered', 'folded'))";
    assert_eq!(flood.ask(not_once), 0);
    assert!(here.iter().any(|shown| shown.told_as == "digest"), "{:#?}", titles(&here));
    assert!(here.len() <= 6, "{:#?}", titles(&here));
    assert_eq!(flood.ask("SELECT count(*) FROM deliveries WHERE state IN ('waiting', 'dead')"), 0);
    assert_eq!(super::judge_sums(&flood.store), [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_a_webhook_that_is_gone_is_a_digest_when_it_is_back() {
    let mut flood = Flood::begin_alone("", "").await;
    chat(&flood, "slack").always(Behaviour::Answer(Answer::text(404, "no_service")));
    flood.play(&FIFTH.calls()).await;
    flood.pass(10 * MINUTE, 5 * SECOND).await;
    let asked = chat(&flood, "slack").count();
    assert!(asked <= 2, "{asked} requests to one that is gone");
    chat(&flood, "slack").recover();
    flood.pass(90 * MINUTE, 20 * SECOND).await;
    let all = flood.shown("slack");
    assert!(all.len() <= 6, "{:#?}", titles(&all));
    assert_eq!(all.iter().map(|shown| shown.said).sum::<u64>(), u64::from(FIFTH.events));
    assert_eq!(flood.ask("SELECT count(*) FROM deliveries WHERE state NOT IN ('delivered', 'folded')"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspended_destination_keeps_a_flood_until_it_is_resumed() {
    let mut flood = Flood::begin_alone("", "").await;
    let calls = FIFTH.calls();
    let (before, after) = calls.split_at(calls.len() / 2);
    flood.play(before).await;
    let now = flood.clock.now().0;
    let suspend = format!("UPDATE destinations SET suspended_since = {now} WHERE name = 'slack'");
    flood.store.execute(&suspend, []).unwrap();
    flood.play(after).await;
    let shown = flood.shown("slack").len();
    flood.pass(20 * MINUTE, 5 * SECOND).await;
    assert!(flood.shown("slack").len() <= shown, "nothing is told while it is suspended");
    let resume = "UPDATE destinations SET suspended_since = NULL WHERE name = 'slack'";
    flood.store.execute(resume, []).unwrap();
    flood.pass(30 * MINUTE, 10 * SECOND).await;
    flood.judge();
}
