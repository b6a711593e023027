//! The diary: while bugle runs it writes down now and then that it does, and at once whom it has turned away.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::intake::Intake;
use crate::lifecycle::Lifecycle;
use crate::outbox::{Outbox, RunId};

/// How soon a refusal is written down.
const LOOK: Duration = Duration::from_secs(1);

/// How often it is written down that bugle runs, if there is nothing else to write.
const BEAT: Duration = Duration::from_secs(10);

/// Keeps the diary until all others have ended; then writes down that bugle was told to stop, if it was.
pub(super) async fn keep(
    outbox: Outbox,
    intake: Arc<Intake>,
    mut run: RunId,
    clock: Clock,
    lifecycle: Lifecycle,
) {
    let end = lifecycle.late();
    let mut beaten = clock.steady();
    loop {
        tokio::select! {
            () = clock.sleep(LOOK) => {}
            () = end.cancelled() => break,
        }
        let refused = intake.take_refused();
        if refused.is_empty() && clock.steady().saturating_sub(beaten) < BEAT {
            continue;
        }
        match outbox.beat(run, refused.clone()).await {
            Ok(goes_on) => (run, beaten) = (goes_on, clock.steady()),
            Err(_) => intake.put_back_refused(refused),
        }
    }
    let refused = intake.take_refused();
    // A part that failed has brought the rest down: nobody has told it to stop.
    let ended = if lifecycle.has_failed() {
        outbox.beat(run, refused).await.map(drop)
    } else {
        outbox.end_run(run, refused).await
    };
    if let Err(error) = ended {
        tracing::warn!(%error, "the end of this run is not in the store's history");
    }
}
