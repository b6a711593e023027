//! A story in play: the ground, the relay over its lives, the trackers that keep posting, and what has gone wrong.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use bugle::pretend::Pretend;
use fastrand::Rng;
use nix::sys::signal::Signal;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::ground::{Ground, ROOMS};
use crate::ledger::{Answer, Ledger, Posted};
use crate::relay::{Door, Relay};
use crate::story::Disk;
use crate::tracker::{Way, Webhook};

/// Longer than anything here takes, on a machine that has much else to do.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// How long a stop may take: promised to whoever runs it.
const STOP: Duration = Duration::from_secs(10);

/// A story in play.
#[derive(Debug)]
pub(crate) struct Stage {
    // Whoever uses a place goes before it.
    pub(crate) relay: Option<Relay>,
    /// Where the store lies, if that is a file system of its own.
    pub(crate) disk: Option<Disk>,
    pub(crate) ground: Ground,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) dice: Rng,
    /// How large events may be, about.
    pub(crate) padding: usize,
    /// How many different errors there are; nothing: each event is of its own.
    pub(crate) errors: Option<u32>,
    /// How many faults this story has.
    pub(crate) rounds: u32,
    /// What the story itself found wrong.
    pub(crate) complaints: Vec<String>,
    /// What the judge must say of a fault that was planted.
    pub(crate) planted: Option<&'static str>,
    /// The longest stop so far.
    pub(crate) longest_stop: Duration,
    door: Door,
    last_mark: Arc<AtomicU32>,
}

/// Trackers at work.
#[derive(Debug)]
pub(crate) struct Load(JoinSet<()>);

impl Load {
    /// Waits until every request has ended.
    pub(crate) async fn ends(mut self) {
        while let Some(ended) = self.0.join_next().await {
            ended.unwrap();
        }
    }
}

impl Stage {
    pub(crate) fn new(seed: u64, rounds: u32) -> Self {
        Self {
            relay: None,
            disk: None,
            ground: Ground::new(),
            ledger: Arc::default(),
            dice: Rng::with_seed(seed),
            padding: 15_000,
            errors: None,
            rounds,
            complaints: Vec::new(),
            planted: None,
            longest_stop: Duration::ZERO,
            door: watch::Sender::new(None),
            last_mark: Arc::default(),
        }
    }

    pub(crate) fn complain(&mut self, words: impl Into<String>) {
        self.complaints.push(words.into());
    }

    /// A random span below `most`.
    pub(crate) fn moment(&mut self, most_ms: u64) -> Duration {
        Duration::from_micros(self.dice.u64(..=most_ms * 1_000))
    }

    /// How long a trouble with the store lasts: shorter or longer than a tracker is kept waiting.
    pub(crate) fn trouble(&mut self) -> Duration {
        if self.dice.u32(..3) == 0 { Duration::from_secs(3) + self.moment(2_000) } else { self.moment(1_500) }
    }

    /// Starts the relay and does not wait for anything.
    pub(crate) fn begin(&mut self) {
        self.door.send_replace(None);
        self.relay = Some(Relay::start(self.ground.path(), &self.door));
    }

    /// Waits until the relay is ready; whether it is, or has ended instead.
    pub(crate) async fn is_ready(&mut self) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if self.door.borrow().is_some() {
                return true;
            }
            if self.relay.as_mut().is_none_or(|relay| relay.has_ended().is_some()) {
                return false;
            }
            sleep(Duration::from_millis(2)).await;
        }
        false
    }

    /// Starts the relay and waits until it is ready, which it must become.
    pub(crate) async fn start(&mut self) {
        self.begin();
        if !self.is_ready().await {
            self.complain("bugle did not start");
        }
    }

    /// Kills the relay, wherever it is.
    pub(crate) async fn kill(&mut self) {
        if let Some(mut relay) = self.relay.take() {
            if let Some(status) = relay.has_ended() {
                self.complain(format!("bugle had ended before it was killed: {status}"));
            }
            relay.signal(Signal::SIGKILL);
            relay.ends(PATIENCE).await;
        }
        self.door.send_replace(None);
    }

    /// Stops the relay as a supervisor does, which must go well and in time.
    pub(crate) async fn stop(&mut self) {
        let Some(mut relay) = self.relay.take() else { return };
        let begun = Instant::now();
        relay.signal(Signal::SIGTERM);
        match relay.ends(PATIENCE).await {
            Some(status) if status.success() => {}
            Some(status) => self.complain(format!("a stop ended with {status}")),
            None => self.complain("a stop did not end"),
        }
        let took = begun.elapsed();
        self.longest_stop = self.longest_stop.max(took);
        if took >= STOP {
            self.complain(format!("a stop took {took:?}"));
        }
        self.door.send_replace(None);
    }

    /// Lets `trackers` post `each` webhooks, one after the other with pauses below `pause`, some of them twice.
    pub(crate) fn load(&mut self, trackers: u32, each: u32, pause: Duration, ways: &'static [Way]) -> Load {
        let mut load = JoinSet::new();
        for _ in 0..trackers {
            let (ledger, door) = (Arc::clone(&self.ledger), self.door.subscribe());
            let (mut dice, last) = (self.dice.fork(), Arc::clone(&self.last_mark));
            let (padding, errors) = (self.padding, self.errors);
            load.spawn(async move {
                for _ in 0..each {
                    sleep(pause.mul_f64(dice.f64())).await;
                    // Room for the events of one body.
                    let mut next = last.fetch_add(8, Ordering::Relaxed);
                    let webhook = Webhook::any(&mut dice, &mut next, padding, errors);
                    let times = if dice.u32(..8) == 0 { 2 } else { 1 };
                    for _ in 0..times {
                        ledger.note(post(&webhook, &door, ways[dice.usize(..ways.len())]).await);
                    }
                }
            });
        }
        Load(load)
    }

    /// Waits until all chats together have been asked `count` times more than now, or for `patience`.
    pub(crate) async fn after_requests(&self, count: usize, patience: Duration) {
        let (have, begun) = (self.requests(), Instant::now());
        while self.requests() < have + count && begun.elapsed() < patience {
            sleep(Duration::from_micros(500)).await;
        }
    }

    fn requests(&self) -> usize {
        self.ground.chats.iter().map(Pretend::count).sum()
    }

    /// Lets everything recover and waits until nothing waits any more.
    pub(crate) async fn settle(&mut self) {
        self.ground.chats.iter().for_each(Pretend::recover);
        if self.relay.is_none() {
            self.start().await;
        }
        let begun = Instant::now();
        loop {
            if let Some(status) = self.relay.as_mut().and_then(Relay::has_ended) {
                return self.complain(format!("bugle ended by itself: {status}"));
            }
            match self.waiting() {
                Ok(0) => return,
                Ok(waiting) if begun.elapsed() > PATIENCE * 2 => {
                    return self.complain(format!("{waiting} deliveries wait for ever"));
                }
                Err(error) if begun.elapsed() > PATIENCE * 2 => {
                    return self.complain(format!("the store cannot be read: {error}"));
                }
                Ok(_) | Err(_) => sleep(Duration::from_millis(50)).await,
            }
        }
    }

    fn waiting(&self) -> rusqlite::Result<u32> {
        // What an older store has waiting for a destination that is not there waits on.
        let rooms = ROOMS.map(|(name, _)| format!("'{name}'")).join(", ");
        let sql =
            format!("SELECT count(*) FROM deliveries WHERE state = 'waiting' AND destination IN ({rooms})");
        self.ground.look()?.query_row(&sql, [], |row| row.get(0))
    }

    /// Ends the story and keeps its folder.
    pub(crate) fn keep(mut self) -> PathBuf {
        self.relay = None;
        if self.disk.is_some() {
            // With its own file system the store would be gone.
            let copy = self.ground.path().join("copy-of-bugle.db");
            drop(std::fs::copy(self.ground.store(), copy));
        }
        self.disk = None;
        self.ground.keep()
    }
}

async fn post(webhook: &Webhook, door: &watch::Receiver<Option<std::net::SocketAddr>>, way: Way) -> Posted {
    let address = *door.borrow();
    match address {
        Some(address) => webhook.post(address, way).await,
        None => webhook.unsent(Answer::Nobody),
    }
}
