//! SIGTERM under load, as a supervisor stops it: nobody who has been heard is cut off, nothing is doubled.

use std::time::{Duration, Instant};

use bugle::pretend::Behaviour;
use tokio::time::sleep;

use crate::ledger::Answer;
use crate::stage::Stage;
use crate::tracker::Way;

/// What has been sent in full so long before the stop has been accepted, and is answered.
const HEARD: Duration = Duration::from_millis(50);

pub(crate) async fn under_load(stage: &mut Stage) {
    stage.ground.knobs.timeout = Duration::from_secs(10);
    stage.ground.configure();
    for _ in 0..stage.rounds {
        stage.start().await;
        let begun = Instant::now();
        for chat in &stage.ground.chats {
            // Within the eight seconds that an attempt in hand is given.
            let longest = if stage.dice.u32(..8) == 0 { 6_500 } else { 1_500 };
            let late = Duration::from_millis(stage.dice.u64(..longest));
            chat.script([Behaviour::Late(late), Behaviour::Normal, Behaviour::Late(late)]);
        }
        let load = stage.load(6, 4, Duration::from_millis(200), &[Way::Whole, Way::Whole, Way::Slowly]);
        sleep(stage.moment(700)).await;
        let told = Instant::now();
        stage.stop().await;
        load.ends().await;
        let heard = |sent: Instant| sent > begun && sent + HEARD < told;
        let cut_off = stage.ledger.all().into_iter();
        let cut_off =
            cut_off.filter(|posted| posted.answer == Answer::None && posted.sent.is_some_and(heard));
        for posted in cut_off.collect::<Vec<_>>() {
            stage.complain(format!("a stop cut off {:?}", posted.events));
        }
    }
}
