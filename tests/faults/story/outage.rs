//! A chat is down for longer than a whole retry schedule; another answers whatever it likes.

use std::time::Duration;

use bugle::pretend::{Answer, Behaviour, Product};
use fastrand::Rng;
use serde_json::json;
use tokio::time::sleep;

use crate::ground::ROOMS;
use crate::stage::Stage;
use crate::tracker::Way;

/// Down for longer than `give_up_after`: what waited is given up, or has moved to the fallback.
pub(crate) async fn for_too_long(stage: &mut Stage) {
    stage.ground.knobs.give_up_after = Duration::from_secs(2);
    stage.ground.knobs.fallback_after = stage.dice.bool().then_some(Duration::from_millis(700));
    stage.ground.configure();
    stage.start().await;
    for _ in 0..stage.rounds {
        let first = stage.dice.usize(..ROOMS.len());
        let statuses = [503, 500, 408, 302];
        let down = Behaviour::Answer(Answer::text(statuses[stage.dice.usize(..4)], "down"));
        stage.ground.chats[first].always(down.clone());
        if stage.dice.bool() {
            stage.ground.chats[(first + 1) % ROOMS.len()].always(down);
        }
        let load = stage.load(4, 2, Duration::from_millis(400), &[Way::Whole]);
        sleep(Duration::from_millis(2_500) + stage.moment(2_000)).await;
        stage.ground.chats.iter().for_each(bugle::pretend::Pretend::recover);
        load.ends().await;
    }
}

/// Each chat answers with waits, refusals, failures, and now and then that it is gone; then its address is mended.
pub(crate) async fn of_all_kinds(stage: &mut Stage) {
    stage.start().await;
    for _ in 0..stage.rounds {
        for (room, (_, product)) in ROOMS.into_iter().enumerate() {
            let count = stage.dice.usize(..4);
            let script: Vec<_> = (0..count).map(|_| answer(product, &mut stage.dice)).collect();
            stage.ground.chats[room].script(script);
        }
        stage.load(4, 2, Duration::from_millis(300), &[Way::Whole]).ends().await;
        sleep(stage.moment(800)).await;
    }
    stage.ground.chats.iter().for_each(bugle::pretend::Pretend::recover);
    for ((name, _), chat) in ROOMS.iter().zip(&stage.ground.chats) {
        // The same room at another address, for whoever has been told that it is gone.
        stage.ground.write(&format!("{name}.url"), &chat.url().replace("127.0.0.1", "localhost"));
    }
}

/// Anything that `product` may answer.
fn answer(product: Product, dice: &mut Rng) -> Behaviour {
    let wait = f64::from(dice.u32(1..900)) / 1_000.0;
    let too_many = match product {
        Product::Discord => {
            Answer::json(429, &json!({"message": "slow down", "retry_after": wait, "global": dice.bool()}))
        }
        Product::Slack | Product::Teams => Answer::text(429, "rate_limited").with("Retry-After", "1"),
    };
    let (refused, gone) = match product {
        Product::Slack => (Answer::text(400, "invalid_blocks"), Answer::text(404, "no_service")),
        Product::Teams => (Answer::text(413, "too large"), Answer::text(404, "WorkflowNotFound")),
        Product::Discord => (
            Answer::json(400, &json!({"message": "Cannot send an empty message", "code": 50006})),
            Answer::json(404, &json!({"message": "Unknown Webhook", "code": 10015})),
        ),
    };
    Behaviour::Answer(match dice.u32(..12) {
        0..4 => too_many,
        4..8 => refused,
        8..11 => Answer::text(500, "internal error"),
        _ => gone,
    })
}
