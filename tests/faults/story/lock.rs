//! Somebody else has locked the store: for a moment, or for longer than a tracker waits; sometimes while it starts.

use std::time::Duration;

use tokio::time::sleep;

use crate::stage::Stage;
use crate::tracker::Way;

pub(crate) async fn from_outside(stage: &mut Stage) {
    stage.start().await;
    for _ in 0..stage.rounds {
        let load = stage.load(4, 3, Duration::from_millis(300), &[Way::Whole]);
        sleep(stage.moment(300)).await;
        let is_start = stage.dice.u32(..4) == 0;
        if is_start {
            stage.stop().await;
        }
        let other = stage.ground.look().unwrap();
        other.execute_batch(if stage.dice.bool() { "BEGIN IMMEDIATE" } else { "BEGIN EXCLUSIVE" }).unwrap();
        if is_start {
            stage.begin();
        }
        sleep(stage.trouble()).await;
        drop(other);
        if !stage.is_ready().await {
            // It has waited for the lock as long as it does at a start; a supervisor would start it again.
            stage.start().await;
        }
        load.ends().await;
    }
}
