//! All of it at once: kills, locks, reloads and broken connections, one upon the other.

use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::time::sleep;

use crate::stage::Stage;
use crate::story::network;
use crate::tracker::Way;

const WAYS: &[Way] = &[Way::Whole, Way::Whole, Way::Whole, Way::Slowly, Way::Deaf, Way::Cut, Way::Torn];

pub(crate) async fn of_everything(stage: &mut Stage) {
    stage.ground.knobs.timeout = Duration::from_millis(500);
    stage.ground.configure();
    for _ in 0..stage.rounds {
        if stage.relay.is_none() {
            stage.start().await;
        }
        let room = stage.dice.usize(..stage.ground.chats.len());
        let script = [network::broken(&mut stage.dice), network::broken(&mut stage.dice)];
        stage.ground.chats[room].script(script);
        let load = stage.load(4, 2, Duration::from_millis(150), WAYS);
        sleep(stage.moment(300)).await;
        let other = stage.ground.look().unwrap();
        let is_locked = stage.dice.bool();
        if is_locked {
            other.execute_batch("BEGIN IMMEDIATE").unwrap();
        }
        sleep(stage.moment(200)).await;
        match (stage.dice.u32(..4), &stage.relay) {
            (0 | 1, _) => stage.kill().await,
            (2, Some(relay)) => relay.signal(Signal::SIGHUP),
            (_, _) => {}
        }
        if stage.relay.is_none() && stage.dice.bool() {
            stage.begin();
            sleep(stage.moment(300)).await;
        }
        drop(other);
        if stage.relay.is_some() && !stage.is_ready().await {
            stage.start().await;
        }
        load.ends().await;
    }
}
