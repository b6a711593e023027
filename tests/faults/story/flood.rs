//! More comes than anybody can read: it is counted, gathered and folded, and killed at any moment of that.

use std::time::Duration;

use tokio::time::sleep;

use crate::stage::Stage;
use crate::sums::judge_sums;
use crate::tracker::Way;

const WAYS: &[Way] = &[Way::Whole, Way::Whole, Way::Whole, Way::Slowly, Way::Deaf];

pub(crate) async fn with_kills(stage: &mut Stage) {
    stage.ground.knobs.flood = "collapse = \"300ms\"\ndigest_over = 3";
    stage.ground.configure();
    (stage.padding, stage.errors) = (400, Some(7));
    for _ in 0..stage.rounds {
        stage.start().await;
        check_sums(stage);
        let load = stage.load(6, 5, Duration::from_millis(60), WAYS);
        if stage.dice.u32(..3) == 0 {
            sleep(stage.moment(900)).await;
        } else {
            // Close to when a chat was asked: while it is fixed who is told of, or while they are settled after it.
            let count = stage.dice.usize(1..=8);
            stage.after_requests(count, Duration::from_secs(1)).await;
            sleep(stage.moment(12)).await;
        }
        stage.kill().await;
        check_sums(stage);
        load.ends().await;
        pause_is_over(stage);
    }
}

/// Right after a kill, and after each start, every sum holds.
fn check_sums(stage: &mut Stage) {
    match stage.ground.look().map(|store| judge_sums(&store)) {
        Ok(wrong) => wrong.into_iter().for_each(|words| stage.complain(words)),
        Err(error) => stage.complain(format!("the store cannot be read: {error}")),
    }
}

/// As if the pause after the last digest were over, so that there are several in a story.
fn pause_is_over(stage: &mut Stage) {
    let sql =
        "UPDATE destinations SET digest_at = digest_at - 60000, urgent_digest_at = urgent_digest_at - 60000";
    if let Err(error) = stage.ground.look().and_then(|store| store.execute_batch(sql)) {
        stage.complain(format!("the store cannot be written: {error}"));
    }
}
