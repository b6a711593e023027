//! What systemd is told, where it asks to be: that bugle is ready, reads its configuration again, stops, and is alive.
//!
//! Anywhere else all of this does nothing.

use sd_notify::NotifyState::{self, Ready, Reloading, Stopping, Watchdog};
use tokio_util::sync::CancellationToken;

/// It is ready, at first or again.
pub fn ready() {
    notify(&[Ready]);
}

/// It reads its configuration again; [`ready`] is to follow.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[Reloading, now]),
        Err(error) => tracing::debug!(%error, "there is no monotonic clock"),
    }
}

/// It stops.
pub fn stopping() {
    notify(&[Stopping]);
}

/// Says that it is alive as often as is asked for (`WatchdogSec=`), until told to stop; whether that was asked for at
/// all. It says so from among the tasks: where those hang, it falls silent.
pub async fn keep_alive(stop: CancellationToken) {
    let Some(limit) = sd_notify::watchdog_enabled() else { return stop.cancelled().await };
    loop {
        notify(&[Watchdog]);
        tokio::select! {
            () = tokio::time::sleep(limit / 3) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Nothing depends on it being heard.
fn notify(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "the service manager cannot be told");
    }
}
