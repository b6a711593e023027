//! What is counted: every happening by the name that `docs/METRICS.md` has for it.
//!
//! A method is called where the happening is logged or committed, so that log and number say the same. What the store
//! knows better, such as how much waits, is not counted along but asked when somebody looks ([`Stock`]). Labels come
//! from closed sets: names in the configuration, and words of our own. Nothing that a tracker or a caller sends ever
//! becomes one.

mod label;
mod meter;
mod stock;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::registry::Registry;

use crate::api::ApiError;
use crate::clock::{Clock, Moment};
use crate::delivery::{Outcome, Reason};
use crate::name::{DestinationName, SourceName};

pub use stock::{Queue, Stock};

use label::{
    ATTEMPTS, AskingLabel, Attempt, DEATHS, MOVES, OfDestination, OfDestinationBy, OfSource, Rejection,
    ReloadLabel,
};
use meter::Meters;

/// What became of an event that was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It had come before.
    Duplicate,
    /// A rule has sent it to somebody.
    Routed,
    /// No rule matched it, whether or not there is a default destination.
    Unmatched,
    /// A rule matched it and sends it to nobody.
    Dropped,
}

/// What came of reading the configuration again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reloaded {
    /// It is in force.
    Applied,
    /// It has a problem, or needs a restart; the one before stays.
    Refused,
    /// It says what the one before said.
    Unchanged,
}

/// What came of asking a tracker about an application or a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asking(&'static str);

impl Asking {
    /// It has told all that it was asked.
    pub const DONE: Self = Self("done");

    const ALL: [&'static str; 8] =
        ["done", "unauthorized", "forbidden", "unknown", "bad_request", "wait", "down", "unexpected"];

    /// It has not, for this reason.
    pub fn failed(error: &ApiError) -> Self {
        Self(match error {
            ApiError::Unauthorized => "unauthorized",
            ApiError::Forbidden => "forbidden",
            ApiError::Unknown(_) => "unknown",
            ApiError::BadRequest(_) => "bad_request",
            ApiError::Wait(_) => "wait",
            ApiError::Down(_) => "down",
            ApiError::Unexpected(_) => "unexpected",
        })
    }
}

impl Reloaded {
    const ALL: [Self; 3] = [Self::Applied, Self::Refused, Self::Unchanged];

    fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Refused => "refused",
            Self::Unchanged => "unchanged",
        }
    }
}

/// All numbers of one relay. Cloning it gives another handle on the same.
#[derive(Debug, Clone)]
pub struct Metrics(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Registry,
    meters: Meters,
    clock: Clock,
    hash: Mutex<String>,
}

impl Metrics {
    /// Numbers that begin now, at nothing.
    pub fn new(clock: Clock) -> Self {
        let mut registry = Registry::default();
        let meters = Meters::register(&mut registry, clock.now());
        for result in Reloaded::ALL {
            drop(meters.reloads.get_or_create(&ReloadLabel { result: result.as_str() }));
        }
        Self(Arc::new(Inner { registry, meters, clock, hash: Mutex::default() }))
    }

    /// Begins to count for `sources`, each of which may refuse webhooks for any of `reasons`: at 0, so that a first
    /// happening is a rise. Those known before stay what they are.
    pub fn know_sources<'a>(
        &self,
        sources: impl IntoIterator<Item = &'a SourceName>,
        reasons: &[&'static str],
    ) {
        let meters = &self.0.meters;
        drop(meters.received.get_or_create(&OfSource { source: None }));
        for reason in NO_SOURCE {
            drop(meters.rejected.get_or_create(&Rejection { source: None, reason }));
        }
        for source in sources {
            self.know_tracker(source);
            let of_source = OfSource { source: Some(source.clone()) };
            for counter in [
                &meters.received,
                &meters.accepted,
                &meters.duplicates,
                &meters.routed,
                &meters.unmatched,
                &meters.dropped,
                &meters.unreadable,
                &meters.caught_up,
                &meters.api_requests,
            ] {
                drop(counter.get_or_create(&of_source));
            }
            for reason in reasons {
                drop(meters.rejected.get_or_create(&Rejection { source: Some(source.clone()), reason }));
            }
        }
    }

    fn know_tracker(&self, source: &SourceName) {
        let meters = &self.0.meters;
        for result in Asking::ALL {
            drop(meters.askings.get_or_create(&AskingLabel { source: source.clone(), result }));
        }
    }

    /// `source`'s tracker was asked about an application or a project.
    pub fn asked(&self, source: &SourceName, Asking(result): Asking) {
        self.0.meters.askings.get_or_create(&AskingLabel { source: source.clone(), result }).inc();
    }

    /// A request was sent to `source`'s tracker.
    pub fn requested(&self, source: &SourceName) {
        let of_source = OfSource { source: Some(source.clone()) };
        self.0.meters.api_requests.get_or_create(&of_source).inc();
    }

    /// Begins to count for `destinations`, at 0. Those known before stay what they are.
    pub fn know_destinations<'a>(&self, destinations: impl IntoIterator<Item = &'a DestinationName>) {
        destinations.into_iter().for_each(|destination| self.begin(destination));
    }

    fn begin(&self, destination: &DestinationName) {
        let meters = &self.0.meters;
        let of_destination = OfDestination { destination: destination.clone() };
        drop(meters.delivered.get_or_create(&of_destination));
        drop(meters.folded.get_or_create(&of_destination));
        drop(meters.discarded.get_or_create(&of_destination));
        drop(meters.template_failures.get_or_create(&of_destination));
        drop(meters.attempt_duration.get_or_create(&of_destination));
        drop(meters.delay.get_or_create(&of_destination));
        for (outcome, reason) in ATTEMPTS {
            let destination = destination.clone();
            drop(meters.attempts.get_or_create(&Attempt { destination, outcome, reason: reason.as_str() }));
        }
        for (family, reasons) in [(&meters.dead_letters, &DEATHS[..]), (&meters.moved, &MOVES[..])] {
            for reason in reasons {
                let destination = destination.clone();
                drop(family.get_or_create(&OfDestinationBy { destination, reason: reason.as_str() }));
            }
        }
    }

    /// A webhook was taken.
    pub fn webhook_taken(&self, source: &SourceName) {
        self.0.meters.received.get_or_create(&OfSource { source: Some(source.clone()) }).inc();
    }

    /// A webhook was refused, for one of the reasons that its answer names. Without a source: there is none of the name
    /// that the caller has given, which may be anything.
    pub fn webhook_rejected(&self, source: Option<&SourceName>, reason: &'static str) {
        let source = source.cloned();
        self.0.meters.received.get_or_create(&OfSource { source: source.clone() }).inc();
        self.0.meters.rejected.get_or_create(&Rejection { source, reason }).inc();
    }

    /// An event is on disk that no webhook had brought.
    pub fn event_caught_up(&self, source: &SourceName) {
        self.0.meters.caught_up.get_or_create(&OfSource { source: Some(source.clone()) }).inc();
    }

    /// An event is on disk.
    pub fn event_accepted(&self, source: &SourceName, fate: Fate, is_readable: bool) {
        let meters = &self.0.meters;
        let of_source = OfSource { source: Some(source.clone()) };
        if fate == Fate::Duplicate {
            meters.duplicates.get_or_create(&of_source).inc();
            return;
        }
        meters.accepted.get_or_create(&of_source).inc();
        if !is_readable {
            meters.unreadable.get_or_create(&of_source).inc();
        }
        match fate {
            Fate::Unmatched => meters.unmatched.get_or_create(&of_source).inc(),
            Fate::Dropped => meters.dropped.get_or_create(&of_source).inc(),
            Fate::Routed => meters.routed.get_or_create(&of_source).inc(),
            Fate::Duplicate => 0,
        };
    }

    /// An attempt at `destination` has ended, after it `took` so long.
    pub fn attempted(&self, destination: &DestinationName, outcome: Outcome, reason: Reason, took: Duration) {
        self.count_attempt(destination, outcome, reason);
        let of_destination = OfDestination { destination: destination.clone() };
        self.0.meters.attempt_duration.get_or_create(&of_destination).observe(took.as_secs_f64());
    }

    /// An attempt was found cut off by the end of the process before.
    pub fn interrupted(&self, destination: &DestinationName) {
        self.count_attempt(destination, Outcome::Unclear, Reason::Interrupted);
    }

    fn count_attempt(&self, destination: &DestinationName, outcome: Outcome, reason: Reason) {
        let destination = destination.clone();
        let labels = Attempt { destination, outcome: outcome.as_str(), reason: reason.as_str() };
        self.0.meters.attempts.get_or_create(&labels).inc();
    }

    /// `destination` has a message, of an event that was accepted at `accepted_at`.
    pub fn delivered(&self, destination: &DestinationName, accepted_at: Moment) {
        let Inner { meters, clock, .. } = &*self.0;
        let (now, of_destination) = (clock.now(), OfDestination { destination: destination.clone() });
        meters.delivered.get_or_create(&of_destination).inc();
        meters.delay.get_or_create(&of_destination).observe(now.since(accepted_at).as_secs_f64());
        meters.last_success.get_or_create(&of_destination).set(seconds(now));
    }

    /// Of so many further deliveries a message has told that `destination` has.
    pub fn folded(&self, destination: &DestinationName, count: u64) {
        let of_destination = OfDestination { destination: destination.clone() };
        self.0.meters.folded.get_or_create(&of_destination).inc_by(count);
    }

    /// So many deliveries to `destination` were given up.
    pub fn buried(&self, destination: &DestinationName, reason: Reason, count: u64) {
        let labels = OfDestinationBy { destination: destination.clone(), reason: reason.as_str() };
        self.0.meters.dead_letters.get_or_create(&labels).inc_by(count);
    }

    /// A person has discarded a dead letter of `destination`.
    pub fn discarded(&self, destination: &DestinationName) {
        self.0.meters.discarded.get_or_create(&OfDestination { destination: destination.clone() }).inc();
    }

    /// Of deliveries to `destination`, others took over the `moved` ones for the reason `why`; the `covered` ones others
    /// that were there anyway.
    pub fn diverted(&self, destination: &DestinationName, why: Reason, moved: usize, covered: usize) {
        for (reason, count) in [(why, moved), (Reason::Covered, covered)] {
            let labels = OfDestinationBy { destination: destination.clone(), reason: reason.as_str() };
            self.0.meters.moved.get_or_create(&labels).inc_by(count as u64);
        }
    }

    /// A template could not say what it should have, so that a plainer message went to `destination`.
    pub fn template_failed(&self, destination: &DestinationName) {
        let of_destination = OfDestination { destination: destination.clone() };
        self.0.meters.template_failures.get_or_create(&of_destination).inc();
    }

    /// Over this size of the store the oldest settled history goes.
    pub fn store_limit(&self, bytes: u64) {
        self.0.meters.store_limit.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// The store has flushed `changes` to the disk together.
    pub fn committed(&self, changes: usize, took: Duration) {
        self.0.meters.commit_duration.observe(took.as_secs_f64());
        self.0.meters.commit_changes.observe(f64::from(u32::try_from(changes).unwrap_or(u32::MAX)));
    }

    /// The store cannot be written from now on, or can be again.
    pub fn store_in_trouble(&self, is_in_trouble: bool) {
        self.0.meters.store_trouble.set(i64::from(is_in_trouble));
    }

    /// The store has refused a change.
    pub fn store_refused(&self) {
        self.0.meters.store_refusals.inc();
    }

    /// From now on the configuration with this digest is in force.
    pub fn configuration(&self, hash: &str) {
        hash.clone_into(&mut self.0.hash.lock().unwrap_or_else(PoisonError::into_inner));
        self.configuration_is_good();
    }

    /// The configuration was read again, at the start not included.
    pub fn reload(&self, result: Reloaded) {
        self.0.meters.reloads.get_or_create(&ReloadLabel { result: result.as_str() }).inc();
        match result {
            Reloaded::Applied | Reloaded::Unchanged => self.configuration_is_good(),
            Reloaded::Refused => {
                self.0.meters.reload_good.set(0);
            }
        }
    }

    fn configuration_is_good(&self) {
        self.0.meters.reload_good.set(1);
        self.0.meters.reload_time.set(seconds(self.0.clock.now()));
    }

    /// Everything, as `OpenMetrics` text: what was counted, for how long each configured destination is still held, and
    /// what the store knows, if it could be asked.
    pub fn text(
        &self,
        holds: &[(DestinationName, Duration)],
        stock: Option<&Stock>,
    ) -> Result<String, fmt::Error> {
        // What is so at this moment and may be otherwise, or not at all, at the next.
        let mut standing = Registry::default();
        let hash = self.0.hash.lock().unwrap_or_else(PoisonError::into_inner).clone();
        meter::register_configuration(&mut standing, hash);
        meter::register_holds(&mut standing, holds);
        if let Some(stock) = stock {
            let configured = holds.iter().map(|(name, _)| name).collect();
            stock.register(&mut standing, &configured, self.0.clock.now());
        }
        let mut text = String::with_capacity(16 << 10);
        encode_registry(&mut text, &self.0.registry)?;
        encode_registry(&mut text, &standing)?;
        encode_eof(&mut text)?;
        Ok(text)
    }
}

/// Whether attempts that end so are begun at 0.
#[cfg(test)]
pub(crate) fn is_known_end(outcome: Outcome, reason: Reason) -> bool {
    ATTEMPTS.contains(&(outcome.as_str(), reason))
}

/// The codes of the answers to who asks for a source that there is not, or cannot be asked which.
const NO_SOURCE: [&str; 2] = ["unknown_source", "too_many_connections"];

/// Seconds since 1970, as Prometheus has moments.
#[expect(clippy::cast_precision_loss, reason = "milliseconds of our century have far fewer than 53 bits")]
fn seconds(moment: Moment) -> f64 {
    moment.0 as f64 / 1_000.0
}

#[cfg(test)]
mod tests;
