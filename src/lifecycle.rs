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
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// All tasks of the process. Cloning it gives another handle on the same tasks.
#[derive(Debug, Clone, Default)]
pub struct Lifecycle {
    soft: CancellationToken,
    hard: CancellationToken,
    tasks: TaskTracker,
    /// Is cancelled when all of `tasks` have ended.
    late: CancellationToken,
    too_late: CancellationToken,
    last_tasks: TaskTracker,
    failed: Arc<AtomicBool>,
}

/// How long those may take that finish after all others.
const LAST: Duration = Duration::from_millis(500);

impl Lifecycle {
    /// Is cancelled when tasks should finish what they have in hand.
    pub fn soft(&self) -> CancellationToken {
        self.soft.clone()
    }

    /// Starts a task that works until the soft stop, and is dropped at a hard stop.
    pub fn spawn(&self, name: String, task: impl Future<Output = ()> + Send + 'static) {
        self.spawn_until(self.soft(), name, task);
    }

    /// Is cancelled when every task has ended but those started with [`Lifecycle::spawn_last`].
    pub fn late(&self) -> CancellationToken {
        self.late.clone()
    }

    /// Starts a task that serves the others and works until [`Lifecycle::late`]. A hard stop of the others leaves it the
    /// time to finish.
    pub fn spawn_last(&self, name: String, task: impl Future<Output = ()> + Send + 'static) {
        drop(self.last_tasks.spawn(self.watched(self.late(), self.too_late.clone(), name, task)));
    }

    /// Starts a task that works until `asked` is cancelled, a token made of [`Lifecycle::soft`], and is dropped at a
    /// hard stop.
    pub fn spawn_until(
        &self,
        asked: CancellationToken,
        name: String,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        drop(self.tasks.spawn(self.watched(asked, self.hard.clone(), name, task)));
    }

    fn watched(
        &self,
        asked: CancellationToken,
        dropped: CancellationToken,
        name: String,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> impl Future<Output = ()> + Send + 'static {
        let (soft, failed) = (self.soft(), Arc::clone(&self.failed));
        async move {
            // Ends the process gently whichever way the task ends: returned, panicked or dropped.
            let ended = Ended { name, asked, soft, failed };
            tokio::select! {
                () = task => {}
                () = dropped.cancelled() => {}
            }
            drop(ended);
        }
    }

    /// Asks every task to finish.
    pub fn stop_softly(&self) {
        self.soft.cancel();
    }

    /// Waits until every task has ended, for at most `patience`; then drops those that have not. Those that serve the others
    /// end after them.
    pub async fn wait(&self, patience: Duration) {
        self.tasks.close();
        if tokio::time::timeout(patience, self.tasks.wait()).await.is_err() {
            tracing::warn!("not everything ended in time; attempts in hand are repeated at the next start");
            self.hard.cancel();
            self.tasks.wait().await;
        }
        // Nobody has more to say to them.
        self.late.cancel();
        self.last_tasks.close();
        if tokio::time::timeout(LAST, self.last_tasks.wait()).await.is_err() {
            self.too_late.cancel();
            self.last_tasks.wait().await;
        }
    }

    /// Drops everything that still runs, but for what has to be last.
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
    asked: CancellationToken,
    soft: CancellationToken,
    failed: Arc<AtomicBool>,
}

impl Drop for Ended {
    fn drop(&mut self) {
        if !self.asked.is_cancelled() {
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
    hung_up: Arc<Notify>,
}

impl Signals {
    /// Listens from now on.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            hung_up: Arc::default(),
        })
    }

    /// Is notified of each SIGHUP that comes while [`Signals::told_to_stop`] waits.
    pub fn hung_up(&self) -> Arc<Notify> {
        Arc::clone(&self.hung_up)
    }

    /// Waits for the next SIGTERM or SIGINT.
    pub async fn told_to_stop(&mut self) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hang_up.recv() => self.hung_up.notify_one(),
            }
        }
    }
}
