//! The configuration changes under load: paces, time limits, fallbacks, mistakes. Nobody notices.

use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::time::sleep;

use crate::ledger::Answer;
use crate::stage::Stage;
use crate::tracker::Way;

pub(crate) async fn under_load(stage: &mut Stage) {
    stage.start().await;
    for _ in 0..stage.rounds {
        let load = stage.load(4, 3, Duration::from_millis(200), &[Way::Whole, Way::Slowly]);
        for _ in 0..stage.dice.u32(1..=3) {
            sleep(stage.moment(400)).await;
            change(stage);
            if stage.dice.bool()
                && let Some(relay) = &stage.relay
            {
                relay.signal(Signal::SIGHUP);
            }
        }
        load.ends().await;
    }
    for posted in stage.ledger.all().into_iter().filter(|posted| posted.answer != Answer::Accepted) {
        stage.complain(format!("a reload cost {:?}: {:?}", posted.events, posted.answer));
    }
}

fn change(stage: &mut Stage) {
    let dice = &mut stage.dice;
    let knobs = &mut stage.ground.knobs;
    match dice.u32(..6) {
        0 => knobs.rates[1] = ["3/s", "2/s", "150/min"][dice.usize(..3)],
        1 => knobs.rates[2] = ["2/s", "1/s", "100/min"][dice.usize(..3)],
        2 => knobs.rates[0] = ["1/s", "55/min"][dice.usize(..2)],
        3 => knobs.timeout = Duration::from_millis(dice.u64(2_000..5_000)),
        4 => knobs.fallback_after = dice.bool().then(|| Duration::from_mins(dice.u64(1..9))),
        // One that is refused, or mended again.
        _ if knobs.more.is_empty() => {
            "[[rules]]\nname = \"nobody\"\nsend_to = \"nobody\"".clone_into(&mut knobs.more);
        }
        _ => knobs.more.clear(),
    }
    stage.ground.configure();
}
