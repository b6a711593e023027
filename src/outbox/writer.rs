//! The one writer: a thread that owns the writing connection and commits what has queued in groups.
//!
//! A flush costs the same for one change as for two hundred, so whatever has arrived while the last commit was under
//! way goes into the next one together. Each caller hears only after the commit. If the store cannot be written (the
//! disk is full, somebody else has locked it) the group is tried again until it can be, or until its callers have
//! waited as long as they want to.

use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use crate::metrics::Metrics;
use crate::outbox::StoreError;
use crate::outbox::damage::Damage;

/// At most this many changes share a commit, so that a caller in a crowd does not wait for all of it.
const GROUP: usize = 256;

/// How many changes may wait for the writer before callers have to wait to hand theirs over.
const QUEUE: usize = 4_096;

/// The pause before a store that could not be written is tried again.
const PAUSE: Duration = Duration::from_millis(100);

/// Whether a change must be on disk, flushed, before its caller hears of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Durability {
    /// With the operating system: it survives a kill of the process, which is all that some marks need.
    Handed,
    /// On disk: it survives a power failure.
    Flushed,
}

/// The way to the writer.
#[derive(Debug, Clone)]
pub(super) struct Writer {
    queue: mpsc::Sender<Box<dyn Job>>,
}

/// A change that waits for its commit.
trait Job: Send {
    /// Makes the change inside the group's transaction. It may be asked again if the group could not be committed.
    fn apply(&mut self, transaction: &Transaction<'_>) -> rusqlite::Result<()>;
    /// Tells the caller how it went.
    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
    /// Whether its caller has waited as long as it wants to. One that has only gone away still has its change made:
    /// what it brought does not come again.
    fn is_overdue(&self) -> bool;
    fn durability(&self) -> Durability;
}

struct Change<F, T, C> {
    apply: F,
    committed: C,
    result: Option<T>,
    caller: oneshot::Sender<Result<T, StoreError>>,
    until: Option<Instant>,
    durability: Durability,
}

impl<F, T, C> Job for Change<F, T, C>
where
    F: FnMut(&Transaction<'_>) -> rusqlite::Result<T> + Send,
    T: Send,
    C: FnOnce(&T) + Send,
{
    fn apply(&mut self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        self.result = Some((self.apply)(transaction)?);
        Ok(())
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        let Self { committed: then, result, caller, .. } = *self;
        let answer = committed.and_then(|()| result.ok_or(StoreError::Stopped));
        if let Ok(result) = &answer {
            then(result);
        }
        // A caller that has gone away needs no answer.
        drop(caller.send(answer));
    }

    fn is_overdue(&self) -> bool {
        // A mark for somebody who is no longer there would only mislead.
        let is_moot = self.durability == Durability::Handed && self.caller.is_closed();
        is_moot || self.until.is_some_and(|until| Instant::now() >= until)
    }

    fn durability(&self) -> Durability {
        self.durability
    }
}

impl Writer {
    /// Starts the writer's thread. It ends once every [`Writer`] is dropped and all that has queued is done.
    pub(super) fn start(
        connection: Connection,
        metrics: Metrics,
        damage: Damage,
    ) -> std::io::Result<(Self, thread::JoinHandle<()>)> {
        let (queue, arriving) = mpsc::channel(QUEUE);
        let thread = thread::Builder::new().name("outbox-writer".into()).spawn(move || {
            Loop { connection, arriving, metrics, damage, in_trouble: false, durability: None }.run();
        })?;
        Ok((Self { queue }, thread))
    }

    /// Makes a change and waits for its commit, for as long as it takes.
    pub(super) async fn write<T, F>(&self, durability: Durability, change: F) -> Result<T, StoreError>
    where
        F: FnMut(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
        T: Send + 'static,
    {
        self.submit(durability, None, change, |_| {}).await
    }

    /// Makes a change and waits for its commit. If it cannot be begun within `patience`, it is not made at all; if
    /// the disk does not answer after that, nobody can tell. `committed` is called once it is made, whether or not
    /// the caller is still there.
    pub(super) async fn write_within<T, F, C>(
        &self,
        patience: Duration,
        change: F,
        committed: C,
    ) -> Result<T, StoreError>
    where
        F: FnMut(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
        T: Send + 'static,
        C: FnOnce(&T) + Send + 'static,
    {
        let answer = self.submit(Durability::Flushed, Some(Instant::now() + patience), change, committed);
        tokio::time::timeout(patience + PAUSE * 5, answer).await.unwrap_or(Err(StoreError::Unavailable))
    }

    /// Returns once the writer's thread has ended, as it must not while anyone needs it.
    pub(super) async fn ended(&self) {
        self.queue.closed().await;
    }

    async fn submit<T, F, C>(
        &self,
        durability: Durability,
        until: Option<Instant>,
        change: F,
        committed: C,
    ) -> Result<T, StoreError>
    where
        F: FnMut(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
        T: Send + 'static,
        C: FnOnce(&T) + Send + 'static,
    {
        let (caller, answer) = oneshot::channel();
        let job = Change { apply: change, committed, result: None, caller, until, durability };
        self.queue.send(Box::new(job)).await.or(Err(StoreError::Stopped))?;
        answer.await.unwrap_or(Err(StoreError::Unavailable))
    }
}

struct Loop {
    connection: Connection,
    arriving: mpsc::Receiver<Box<dyn Job>>,
    metrics: Metrics,
    damage: Damage,
    in_trouble: bool,
    durability: Option<Durability>,
}

impl Loop {
    fn run(mut self) {
        let mut group = Vec::new();
        while let Some(job) = self.arriving.blocking_recv() {
            group.push(job);
            self.fill(&mut group);
            self.commit(group.split_off(0));
        }
    }

    fn fill(&mut self, group: &mut Vec<Box<dyn Job>>) {
        while group.len() < GROUP
            && let Ok(job) = self.arriving.try_recv()
        {
            group.push(job);
        }
    }

    /// Commits `group`, as one if it can be, and answers each of its callers.
    fn commit(&mut self, mut group: Vec<Box<dyn Job>>) {
        loop {
            let (overdue, wanted): (Vec<_>, Vec<_>) = group.into_iter().partition(|job| job.is_overdue());
            for job in overdue {
                job.answer(Err(StoreError::Unavailable));
            }
            group = wanted;
            if group.is_empty() {
                return;
            }
            match self.attempt(&mut group) {
                Ok(()) => {
                    return group.into_iter().for_each(|job| job.answer(Ok(())));
                }
                Err(error) if may_pass(&error) => {
                    self.trouble(&error);
                    thread::sleep(PAUSE);
                    self.fill(&mut group);
                }
                Err(error) if group.len() == 1 && self.damage.shows_in(&error) => {
                    return group.into_iter().for_each(|job| job.answer(Err(StoreError::Damaged)));
                }
                Err(error) if group.len() == 1 => {
                    self.metrics.store_refused();
                    tracing::error!(%error, "the store refused a change");
                    return group.into_iter().for_each(|job| job.answer(Err(StoreError::Refused)));
                }
                // One of them is at fault; alone, each gets its own answer.
                Err(_) => return group.into_iter().for_each(|job| self.commit(vec![job])),
            }
        }
    }

    fn attempt(&mut self, group: &mut [Box<dyn Job>]) -> rusqlite::Result<()> {
        self.demand(group.iter().map(|job| job.durability()).max().unwrap_or(Durability::Flushed))?;
        let (before, begun) = (self.connection.total_changes(), Instant::now());
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        group.iter_mut().try_for_each(|job| job.apply(&transaction))?;
        transaction.commit()?;
        // A commit of nothing touches no disk, and so says nothing about it.
        if self.connection.total_changes() > before {
            if self.durability == Some(Durability::Flushed) {
                self.metrics.committed(group.len(), begun.elapsed());
            }
            self.out_of_trouble();
        }
        Ok(())
    }

    fn demand(&mut self, durability: Durability) -> rusqlite::Result<()> {
        if self.durability != Some(durability) {
            let synchronous = match durability {
                Durability::Handed => "NORMAL",
                Durability::Flushed => "FULL",
            };
            self.connection.pragma_update(None, "synchronous", synchronous)?;
            self.durability = Some(durability);
        }
        Ok(())
    }

    fn trouble(&mut self, error: &rusqlite::Error) {
        if !self.in_trouble {
            self.in_trouble = true;
            self.metrics.store_in_trouble(true);
            tracing::error!(%error, "the store cannot be written; trying again until it can");
        }
    }

    fn out_of_trouble(&mut self) {
        if self.in_trouble {
            self.in_trouble = false;
            self.metrics.store_in_trouble(self.damage.is_found());
            tracing::warn!("the store can be written again");
        }
    }
}

/// Whether an error lies in the surroundings, which may change, and not in what was asked.
fn may_pass(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
                | ErrorCode::PermissionDenied
                | ErrorCode::OutOfMemory
                | ErrorCode::FileLockingProtocolFailed
        )
    )
}
