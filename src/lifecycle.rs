//! Starting and stopping tasks: first gently, then for good.
//!
//! A soft stop asks every task to finish what it has in hand; a hard stop drops what is left. A task that ends
//! although nobody asked it to brings the rest down with it: a relay that only half works is worse than one that
//! stops and is started again.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// All tasks of the process. Cloning it gives another handle on the same tasks.
#[derive(Debug, Clone, Default)]
pub struct Lifecycle {
    soft: CancellationToken,
    hard: CancellationToken,
    tasks: TaskTracker,
    failed: Arc<AtomicBool>,
}

impl Lifecycle {
    /// Is cancelled when tasks should finish what they have in hand.
    pub fn soft(&self) -> CancellationToken {
        self.soft.clone()
    }

    /// Starts a task, which is dropped at a hard stop.
    pub fn spawn(&self, name: String, task: impl Future<Output = ()> + Send + 'static) {
        let Self { soft, hard, failed, .. } = self.clone();
        let watched = async move {
            // Ends the process gently whichever way the task ends: returned, panicked or dropped.
            let ended = Ended { name, soft, failed };
            tokio::select! {
                () = task => {}
                () = hard.cancelled() => {}
            }
            drop(ended);
        };
        drop(self.tasks.spawn(watched));
    }

    /// Asks every task to finish.
    pub fn stop_softly(&self) {
        self.soft.cancel();
    }

    /// Waits until every task has ended, for at most `patience`; then drops those that have not.
    pub async fn wait(&self, patience: Duration) {
        self.tasks.close();
        if tokio::time::timeout(patience, self.tasks.wait()).await.is_err() {
            tracing::warn!("not everything ended in time; attempts in hand are repeated at the next start");
            self.hard.cancel();
            self.tasks.wait().await;
        }
    }

    /// Drops everything that still runs.
    pub fn stop_hard(&self) {
        self.hard.cancel();
    }

    /// Whether a task ended that nobody had asked to.
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::SeqCst)
    }
}

struct Ended {
    name: String,
    soft: CancellationToken,
    failed: Arc<AtomicBool>,
}

impl Drop for Ended {
    fn drop(&mut self) {
        if !self.soft.is_cancelled() {
            tracing::error!(task = self.name, "a task ended although nobody asked it to; stopping");
            self.failed.store(true, Ordering::SeqCst);
            self.soft.cancel();
        }
    }
}

/// The signals that tell a process to stop. From the moment this exists none of them is missed.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    /// Listens from now on.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next SIGTERM or SIGINT. SIGHUP is the word for reading the configuration again, which needs a
    /// restart; that is said, and nothing is interrupted.
    pub async fn told_to_stop(&mut self) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hang_up.recv() => tracing::warn!("a change of the configuration needs a restart"),
            }
        }
    }
}
