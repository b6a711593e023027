//! All open connections of a listener: how many there may be, and which one goes when another comes.
//!
//! A request takes milliseconds, so a connection on which none is in hand is of no use to its caller for long. Whoever
//! opens many and asks for nothing therefore costs others nothing: the one that has been idle for longest makes room.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use tokio::sync::watch;
use tokio::time::Instant;

/// How long a connection may be open without a request in hand: longer than the server itself allows for a first
/// request and between two (five seconds each), so that this ends what the server does not see. That is a second request
/// that comes letter by letter, an answer that is not fetched, a refused body without end.
pub(super) const IDLE: Duration = Duration::from_secs(10);

/// For how many milliseconds it is no wonder that nothing was asked for yet.
const NEW_FOR: u64 = 1_000;

/// The connections of one listener. Cloning it gives another handle on the same.
#[derive(Debug, Clone)]
pub(super) struct Connections(Arc<Exchange>);

#[derive(Debug)]
struct Exchange {
    most: usize,
    open: Mutex<Open>,
    count: watch::Sender<usize>,
    origin: Instant,
    displaced: AtomicU64,
}

#[derive(Debug, Default)]
struct Open {
    last: u64,
    connections: HashMap<u64, Arc<Connection>>,
}

/// What is known of one connection. Requests on it, the wire it runs on and the list of all share it.
#[derive(Debug)]
pub(super) struct Connection {
    number: u64,
    /// Whether there was no room for it: every other one was in use.
    pub(super) is_one_too_many: bool,
    is_in_hand: AtomicBool,
    /// Whether anything was ever asked for on it.
    is_used: AtomicBool,
    /// Since when nothing has been asked for on it, in milliseconds from the origin.
    idle_since: AtomicU64,
    is_cut: AtomicBool,
    /// Wakes the task that serves it.
    pub(super) waker: AtomicWaker,
    exchange: Connections,
}

impl Connections {
    /// Room for `most` connections.
    pub(super) fn new(most: usize) -> Self {
        Self(Arc::new(Exchange {
            most,
            open: Mutex::default(),
            count: watch::Sender::new(0),
            origin: Instant::now(),
            displaced: AtomicU64::new(0),
        }))
    }

    /// How many are let in beyond that, to be told that there is no room.
    pub(super) fn reserve(most: usize) -> usize {
        (most / 8).clamp(8, 128)
    }

    /// How many are open, from now on.
    pub(super) fn count(&self) -> watch::Receiver<usize> {
        self.0.count.subscribe()
    }

    /// How many had to make room since this was last asked.
    pub(super) fn take_displaced(&self) -> u64 {
        self.0.displaced.swap(0, Ordering::Relaxed)
    }

    /// Takes note of a new connection. If there are too many, that one ends which has been idle for longest.
    pub(super) fn admit(&self) -> Arc<Connection> {
        let mut open = self.open();
        let is_full = open.connections.len() >= self.0.most;
        let is_one_too_many = is_full && !self.displace(&mut open);
        open.last += 1;
        let connection = Arc::new(Connection {
            number: open.last,
            is_one_too_many,
            is_in_hand: AtomicBool::new(false),
            is_used: AtomicBool::new(false),
            idle_since: AtomicU64::new(self.now()),
            is_cut: AtomicBool::new(false),
            waker: AtomicWaker::new(),
            exchange: self.clone(),
        });
        drop(open.connections.insert(connection.number, Arc::clone(&connection)));
        drop(open);
        self.0.count.send_modify(|count| *count += 1);
        connection
    }

    fn displace(&self, open: &mut Open) -> bool {
        let idle = open.connections.values().filter(|one| !one.is_in_hand.load(Ordering::Relaxed));
        let rank = |one: &&Arc<Connection>| {
            let since = one.idle_since.load(Ordering::Relaxed);
            let is_useless =
                !one.is_used.load(Ordering::Relaxed) && self.now().saturating_sub(since) > NEW_FOR;
            // First whoever has never asked for anything: a proxy keeps its connections for the next webhook.
            (!is_useless, since)
        };
        let Some(number) = idle.min_by_key(rank).map(|one| one.number) else { return false };
        // Out of the list at once: the next one to come displaces another.
        if let Some(connection) = open.connections.remove(&number) {
            connection.cut();
        }
        self.0.displaced.fetch_add(1, Ordering::Relaxed);
        true
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.0.origin.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Connection {
    /// A request on it is in hand until what this returns is dropped.
    pub(super) fn take_in_hand(self: &Arc<Self>) -> InHand {
        self.is_in_hand.store(true, Ordering::Relaxed);
        self.is_used.store(true, Ordering::Relaxed);
        InHand(Arc::clone(self))
    }

    /// For how long it may still go on as it does; nothing: it is to end.
    pub(super) fn left(&self) -> Option<Duration> {
        if self.is_cut.load(Ordering::Acquire) {
            return None;
        }
        if self.is_in_hand.load(Ordering::Relaxed) {
            return Some(IDLE);
        }
        let idle = self.exchange.now().saturating_sub(self.idle_since.load(Ordering::Relaxed));
        IDLE.checked_sub(Duration::from_millis(idle)).filter(|left| !left.is_zero())
    }

    /// Whether it was told to end.
    pub(super) fn is_cut(&self) -> bool {
        self.is_cut.load(Ordering::Acquire)
    }

    /// Ends it.
    pub(super) fn cut(&self) {
        self.is_cut.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// It has ended.
    pub(super) fn leave(&self) {
        drop(self.exchange.open().connections.remove(&self.number));
        self.exchange.0.count.send_modify(|count| *count -= 1);
    }
}

/// A request is in hand.
#[derive(Debug)]
pub(super) struct InHand(Arc<Connection>);

impl Drop for InHand {
    fn drop(&mut self) {
        self.0.idle_since.store(self.0.exchange.now(), Ordering::Relaxed);
        self.0.is_in_hand.store(false, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_one_that_was_idle_for_longest_makes_room() {
        let connections = Connections::new(3);
        let first = connections.admit();
        advance(Duration::from_millis(5)).await;
        let second = connections.admit();
        let third = connections.admit();
        let in_hand = third.take_in_hand();
        advance(Duration::from_millis(5)).await;
        drop(first.take_in_hand());
        let fourth = connections.admit();
        let cut = [&first, &second, &third, &fourth].map(|connection| connection.is_cut());
        assert_eq!(cut, [false, true, false, false], "the first had a request since");
        assert_eq!(connections.take_displaced(), 1);
        assert_eq!(connections.take_displaced(), 0);
        drop(in_hand);
    }

    #[tokio::test(start_paused = true)]
    async fn one_on_which_nothing_was_ever_asked_for_goes_before_one_that_was_used() {
        let connections = Connections::new(2);
        let used = connections.admit();
        drop(used.take_in_hand());
        let silent = connections.admit();
        advance(Duration::from_millis(NEW_FOR + 1)).await;
        let young = connections.admit();
        assert!(silent.is_cut() && !used.is_cut());
        drop(connections.admit());
        assert!(used.is_cut() && !young.is_cut(), "the young one may be about to ask");
    }

    #[tokio::test(start_paused = true)]
    async fn one_in_use_is_never_displaced_and_the_new_one_is_one_too_many() {
        let connections = Connections::new(2);
        let both = [connections.admit(), connections.admit()];
        let in_hand = both.each_ref().map(Connection::take_in_hand);
        let one_more = connections.admit();
        assert!(one_more.is_one_too_many && both.iter().all(|connection| !connection.is_cut()));
        one_more.leave();
        drop(in_hand);
        assert!(!connections.admit().is_one_too_many);
        assert_eq!(*connections.count().borrow(), 3, "the one displaced has not ended yet");
    }

    #[tokio::test(start_paused = true)]
    async fn idle_for_too_long_it_ends_but_not_while_a_request_is_in_hand() {
        let connection = Connections::new(2).admit();
        advance(IDLE / 2).await;
        assert_eq!(connection.left(), Some(IDLE / 2));
        let in_hand = connection.take_in_hand();
        advance(IDLE * 3).await;
        assert_eq!(connection.left(), Some(IDLE));
        drop(in_hand);
        advance(Duration::from_millis(9_999)).await;
        assert_eq!(connection.left(), Some(Duration::from_millis(1)));
        advance(Duration::from_millis(1)).await;
        assert_eq!(connection.left(), None);
    }
}
