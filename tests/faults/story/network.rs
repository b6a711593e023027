//! Connections that break, hang, drip and lie, on the chats' side and on the trackers'.

use std::time::Duration;

use bugle::pretend::{Answer, Behaviour};
use fastrand::Rng;
use tokio::time::sleep;

use crate::stage::Stage;
use crate::tracker::Way;

const WAYS: &[Way] = &[Way::Whole, Way::Slowly, Way::Deaf, Way::Cut, Way::Torn];

pub(crate) async fn on_both_sides(stage: &mut Stage) {
    stage.ground.knobs.timeout = Duration::from_millis(400);
    stage.ground.configure();
    stage.start().await;
    for _ in 0..stage.rounds {
        for chat in &stage.ground.chats {
            let count = stage.dice.usize(1..=3);
            chat.script((0..count).map(|_| broken(&mut stage.dice)));
        }
        let load = stage.load(4, 2, Duration::from_millis(150), WAYS);
        load.ends().await;
        sleep(stage.moment(500)).await;
    }
}

/// Any of the ways in which a chat fails to answer.
pub(crate) fn broken(dice: &mut Rng) -> Behaviour {
    let taken = Answer::text(200, "ok");
    match dice.u32(..9) {
        0 => Behaviour::Close,
        1 => Behaviour::Reset,
        2 => Behaviour::Hang,
        3 => Behaviour::Half(taken),
        4 => Behaviour::Drip(taken, Duration::from_millis(dice.u64(1..20))),
        5 => Behaviour::Flood(taken, dice.usize(..4_000_000)),
        6 => Behaviour::Late(Duration::from_millis(dice.u64(200..700))),
        7 => Behaviour::Answer(Answer::text(200, "<html>Sign in to the hotel's network</html>")),
        _ => Behaviour::Answer(Answer::text(502, "bad gateway")),
    }
}
