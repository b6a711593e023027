//! `kill -9`, at any moment.

use std::fs;
use std::path::Path;
use std::time::Duration;

use bugle::pretend::Behaviour;
use tokio::time::sleep;

use crate::stage::Stage;
use crate::tracker::Way;

const WAYS: &[Way] = &[Way::Whole, Way::Whole, Way::Whole, Way::Slowly, Way::Deaf];

/// While it starts, accepts, posts, waits for an answer, or does nothing.
pub(crate) async fn at_random(stage: &mut Stage) {
    for _ in 0..stage.rounds {
        for chat in &stage.ground.chats {
            let late = Duration::from_millis(stage.dice.u64(..400));
            let script = [Behaviour::Late(late), Behaviour::Normal, Behaviour::Late(late)];
            chat.script(script.into_iter().skip(stage.dice.usize(..=3)));
        }
        stage.begin();
        if stage.dice.u32(..6) == 0 {
            sleep(stage.moment(80)).await;
            stage.kill().await;
            continue;
        }
        if !stage.is_ready().await {
            return stage.complain("bugle did not start");
        }
        let load = stage.load(4, 2, Duration::from_millis(150), WAYS);
        if stage.dice.u32(..3) == 0 {
            sleep(stage.moment(900)).await;
        } else {
            // Close to the moment at which a chat has been asked: before its answer, or before that is written down.
            let count = stage.dice.usize(1..=6);
            stage.after_requests(count, Duration::from_secs(1)).await;
            sleep(stage.moment(6)).await;
        }
        stage.kill().await;
        load.ends().await;
    }
}

/// While an older store is brought up to date.
pub(crate) async fn while_it_upgrades(stage: &mut Stage) {
    stage.ground.knobs.keep = "36500d";
    stage.ground.configure();
    let version = if stage.dice.bool() { "v1.db" } else { "v2.db" };
    let stored = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/store").join(version);
    fs::copy(stored, stage.ground.store()).unwrap();
    for _ in 0..stage.rounds {
        stage.begin();
        sleep(stage.moment(60)).await;
        stage.kill().await;
    }
    stage.start().await;
    stage.load(2, 2, Duration::from_millis(50), WAYS).ends().await;
}

/// While what is old is forgotten, which begins shortly after each start.
pub(crate) async fn while_it_forgets(stage: &mut Stage) {
    stage.ground.knobs.keep = "500ms";
    stage.ground.configure();
    for _ in 0..stage.rounds {
        stage.start().await;
        let load = stage.load(4, 2, Duration::from_millis(60), WAYS);
        sleep(Duration::from_millis(95) + stage.moment(40)).await;
        if stage.dice.bool() {
            load.ends().await;
            sleep(stage.moment(500)).await;
            stage.kill().await;
        } else {
            stage.kill().await;
            load.ends().await;
        }
    }
}
