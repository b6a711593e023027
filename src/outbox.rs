//! The durable line: what was accepted, what is owed to whom, and what came of it.
//!
//! One SQLite file, one writer, few methods. A delivery is a row; a courier that looks for work looks only here, so
//! the way after a crash is the everyday way. Waking a courier carries no data and may be lost: it looks again anyway.
//! SQL stays inside this module.

mod accept;
mod attempt;
mod backup;
mod catch_up;
mod check;
mod checkpoints;
mod damage;
mod diary;
mod divert;
mod fold;
mod gather;
mod gathering;
mod glance;
mod history;
mod hooks;
mod interrupted;
mod known;
mod leader;
mod look;
mod orders;
mod own;
mod prune;
mod records;
mod schema;
mod spells;
mod spoken;
mod standing;
mod stored;
mod visit;
mod window;
mod writer;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use rusqlite::{Connection, Transaction};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::name::DestinationName;

pub use accept::{Accepted, Offer, RuleSetId};
pub use attempt::{Claim, Ending, GivenUp, Pick};
pub use backup::{BackupError, BackupStep, Copied, back_up};
pub use catch_up::{Asked, CatchUpRecord, FoundRecord, NotAsked};
pub use check::{Broken, Examined, examine};
pub use diary::{Refused, Reread, RunId};
pub use divert::Diverted;
pub use fold::Folded;
pub use glance::{Arrival, Glance, files};
pub use hooks::{HookRecord, HookSeen, HooksLock};
pub use interrupted::Interrupted;
pub use known::{Known, Sought};
pub use look::{Look, Next, Room, Turn, What};
pub use orders::OrderError;
pub use own::free_on_disk;
pub use prune::{Keep, Pruned};
pub use records::{
    About, Absence, AbsenceKind, AppRecord, ArrivalRecord, AttemptRecord, BurstRecord, ConfigurationRecord,
    DeadLetter, DeliveryRecord, EventFate, EventFilter, EventLine, EventRecord, Happening, MessageRecord,
    News, NextEvent, Presence, QueueRecord, Records, RefusalRecord, Repeats, RulesRecord, Sent, SpellRecord,
    StandingRecord, Trail, Watch, Way, WithheldRecord, Words, WordsError, identity,
};
pub use schema::OpenError;
pub use spells::Spell;
pub use spoken::SilenceRecord;
pub use standing::Standing;
pub use stored::StoredEvent;
pub use visit::is_served;

use damage::Damage;
use prune::Forgettable;
use schema::{Holder, Lock};
use writer::{Durability, Writer};

/// Why the store did not do what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It cannot be written or read now: the disk is full, or somebody else has locked it.
    #[error("the store is not available now")]
    Unavailable,
    /// It refused the change; the log has its reason.
    #[error("the store refused the change")]
    Refused,
    /// Its file is damaged where the change or the question led; the log says what to do.
    #[error("the store's file is damaged")]
    Damaged,
    /// It is being closed.
    #[error("the store is closed")]
    Stopped,
}

/// The durable queue and its history. Cloning it gives another handle on the same store.
#[derive(Debug, Clone)]
pub struct Outbox {
    writer: Writer,
    reader: Arc<Mutex<Connection>>,
    wakes: Arc<ArcSwap<Wakes>>,
    /// When it was last tried whether the store can be written, and whether it could.
    proof: Arc<Mutex<Option<(Instant, bool)>>>,
    path: Arc<PathBuf>,
    damage: Damage,
    forgettable: Arc<Mutex<Forgettable>>,
    metrics: Metrics,
    clock: Clock,
}

/// What is notified for each destination that there is.
type Wakes = HashMap<DestinationName, Arc<Notify>>;

/// What must be waited for when the store is closed: every [`Outbox`] dropped, then this joined.
#[derive(Debug)]
pub struct Closing {
    writer: thread::JoinHandle<()>,
    checkpoints: thread::JoinHandle<()>,
    _lock: Lock,
}

impl Closing {
    /// Waits until everything handed over is committed and the file is closed. Blocks.
    pub fn wait(self) {
        // A thread that panicked has said so; there is nothing left to wait for.
        drop(self.writer.join());
        self.checkpoints.thread().unpark();
        drop(self.checkpoints.join());
    }
}

/// For how long an answer to that holds.
const PROOF: Duration = Duration::from_secs(1);

impl Outbox {
    /// Opens the store at `path`, or makes it. Refuses if another process serves from it: not at once, since a command
    /// may have it for a moment.
    ///
    /// Blocks meanwhile, and while tables are brought up to date.
    pub fn open(path: &Path, clock: Clock, metrics: Metrics) -> Result<(Self, Closing), OpenError> {
        Self::open_with(schema::lock(path, schema::PATIENTLY, Holder::Server)?, path, clock, metrics)
    }

    /// Opens the store as [`Outbox::open`] does, for a command that has it for a moment.
    pub fn open_for_command(
        path: &Path,
        clock: Clock,
        metrics: Metrics,
    ) -> Result<(Self, Closing), OpenError> {
        Self::open_with(schema::lock(path, schema::PATIENTLY, Holder::Command)?, path, clock, metrics)
    }

    /// The same, but refuses at once.
    pub fn open_at_once(path: &Path, clock: Clock, metrics: Metrics) -> Result<(Self, Closing), OpenError> {
        Self::open_with(schema::lock(path, schema::AT_ONCE, Holder::Command)?, path, clock, metrics)
    }

    /// Which store it is, among all on this machine.
    pub fn identity(&self) -> Option<String> {
        identity(&self.path)
    }

    fn open_with(
        lock: Lock,
        path: &Path,
        clock: Clock,
        metrics: Metrics,
    ) -> Result<(Self, Closing), OpenError> {
        let connection = schema::open(path)?;
        let reader = schema::open_reader(path)?;
        let checkpoints = schema::open_for_checkpoints(path)?;
        let damage = Damage::none(metrics.clone());
        let io = |cause| OpenError::Io { path: path.to_owned(), cause };
        let (writer, writing) = Writer::start(connection, metrics.clone(), damage.clone()).map_err(io)?;
        let reader = Arc::new(Mutex::new(reader));
        let still_open = Arc::downgrade(&reader);
        let checkpoints = thread::Builder::new()
            .name("outbox-checkpoints".into())
            .spawn(move || checkpoints::run(&checkpoints, &still_open))
            .map_err(io)?;
        let outbox = Self {
            writer,
            reader,
            wakes: Arc::default(),
            proof: Arc::default(),
            path: Arc::new(path.to_owned()),
            damage,
            forgettable: Arc::default(),
            metrics,
            clock,
        };
        Ok((outbox, Closing { writer: writing, checkpoints, _lock: lock }))
    }

    /// Says which destinations there are from now on. What waits for another stays where it is.
    pub fn know(&self, destinations: impl IntoIterator<Item = DestinationName>) {
        let wakes = destinations.into_iter().map(|name| {
            let wake = self.wake(&name);
            (name, wake)
        });
        self.wakes.store(Arc::new(wakes.collect()));
    }

    /// What is notified when something may be due at `destination`. Register, look, then wait.
    pub fn wake(&self, destination: &DestinationName) -> Arc<Notify> {
        self.wakes.load().get(destination).cloned().unwrap_or_default()
    }

    /// Whether a part of the file has shown itself damaged since it was opened.
    pub fn is_damaged(&self) -> bool {
        self.damage.is_found()
    }

    /// Whether the store can be written: tried with a row of its own, at most once a second, since anyone may ask.
    pub async fn is_writable(&self) -> bool {
        if self.damage.is_found() {
            return false;
        }
        let last = *self.proof.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, proved)) = last
            && at.elapsed() < PROOF
        {
            return proved;
        }
        let now = self.clock.now();
        let write = move |transaction: &Transaction<'_>| {
            transaction.execute("INSERT OR REPLACE INTO beats (id, at) VALUES (1, ?1)", [now.0])
        };
        let proved = self.writer.write_within(PROOF, write, |_| {}).await.is_ok();
        *self.proof.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), proved));
        proved
    }

    /// Returns if the writer fails and nothing can be stored any more.
    pub async fn failed(&self) {
        self.writer.ended().await;
    }

    /// Reads beside the writer.
    async fn read<T, F>(&self, query: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let reader = Arc::clone(&self.reader);
        let answer = tokio::task::spawn_blocking(move || {
            // A reader that panicked has left nothing half-done behind.
            let connection = reader.lock().unwrap_or_else(PoisonError::into_inner);
            query(&connection)
        });
        self.answer(answer).await
    }

    /// The same with a connection of its own, for what takes a while: no courier waits for it.
    async fn read_aside<T, F>(&self, query: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let path = Arc::clone(&self.path);
        let answer = tokio::task::spawn_blocking(move || query(&schema::reader(&path)?));
        self.answer(answer).await
    }

    async fn answer<T>(&self, answer: JoinHandle<rusqlite::Result<T>>) -> Result<T, StoreError> {
        match answer.await {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(error)) if self.damage.shows_in(&error) => Err(StoreError::Damaged),
            Ok(Err(error)) => {
                tracing::error!(%error, "the store cannot be read");
                Err(StoreError::Unavailable)
            }
            Err(_) => Err(StoreError::Stopped),
        }
    }
}

#[cfg(test)]
mod tests;
