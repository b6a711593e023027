//! What time it is, as an argument: the system's clock, or one that a test moves by hand.
//!
//! Everything stored and compared is a [`Moment`], milliseconds since 1970 in UTC, so that arithmetic is plain and a
//! moment means the same after a restart.

use std::fmt;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use governor::nanos::Nanos;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::Instant;

/// A point in time: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Moment(pub i64);

impl Moment {
    /// The moment that lies `duration` after this one.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }

    /// The moment that lies `duration` before this one.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(millis(duration)))
    }

    /// How long it is from `earlier` to this moment; nothing if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(timestamp) => write!(f, "{timestamp:.3}"),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Tells the time, and lets it pass. Cloning it gives another handle on the same clock.
#[derive(Debug, Clone, Default)]
pub struct Clock(Option<Arc<Hand>>);

/// A clock that stands still unless it is moved.
#[derive(Debug)]
struct Hand {
    start: Moment,
    passed: watch::Sender<Duration>,
}

/// What a clock's steady time is counted from.
static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self(None)
    }

    /// A clock that stands still until [`Clock::advance`] moves it.
    pub fn by_hand(start: Moment) -> Self {
        Self(Some(Arc::new(Hand { start, passed: watch::Sender::new(Duration::ZERO) })))
    }

    /// The present moment.
    pub fn now(&self) -> Moment {
        match &self.0 {
            Some(hand) => hand.start.plus(*hand.passed.borrow()),
            None => system_now(),
        }
    }

    /// The time that has passed since some moment of this process, by a clock that nobody can set: for spans that must
    /// not change when the wall clock does.
    pub fn steady(&self) -> Duration {
        match &self.0 {
            Some(hand) => *hand.passed.borrow(),
            None => ORIGIN.elapsed(),
        }
    }

    /// Waits until `span` has passed on this clock.
    pub async fn sleep(&self, span: Duration) {
        let Some(hand) = &self.0 else { return tokio::time::sleep(span).await };
        let mut passed = hand.passed.subscribe();
        let end = passed.borrow().saturating_add(span);
        // The sender lives as long as this clock, so that this only ends when it is time.
        drop(passed.wait_for(|passed| *passed >= end).await);
    }

    /// Moves a clock made by [`Clock::by_hand`] and wakes who has slept enough; the system's clock is not ours to move.
    pub fn advance(&self, by: Duration) {
        if let Some(hand) = &self.0 {
            hand.passed.send_modify(|passed| *passed = passed.saturating_add(by));
        }
    }
}

/// For rate limiters, which reckon in steady time.
impl governor::clock::Clock for Clock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::from(self.steady())
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the wall clock")]
fn system_now() -> Moment {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Moment(millis(since_1970))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_by_hand_moves_only_when_told() {
        let clock = Clock::by_hand(Moment(1_000));
        let other_handle = clock.clone();
        assert_eq!(clock.now(), Moment(1_000));
        clock.advance(Duration::from_secs(2));
        assert_eq!(other_handle.now(), Moment(3_000));
        assert_eq!(other_handle.steady(), Duration::from_secs(2));
    }

    #[tokio::test]
    async fn who_sleeps_by_hand_is_woken_when_it_is_time_and_not_before() {
        let clock = Clock::by_hand(Moment(0));
        let other_handle = clock.clone();
        let sleep = other_handle.sleep(Duration::from_secs(3));
        tokio::pin!(sleep);
        assert!(futures_util::poll!(&mut sleep).is_pending());
        clock.advance(Duration::from_secs(2));
        assert!(futures_util::poll!(&mut sleep).is_pending());
        clock.advance(Duration::from_secs(1));
        assert!(futures_util::poll!(&mut sleep).is_ready());
    }

    #[tokio::test(start_paused = true)]
    async fn the_systems_clock_lets_time_pass_by_itself() {
        let clock = Clock::system();
        let before = clock.steady();
        clock.sleep(Duration::from_mins(5)).await;
        assert!(clock.steady() >= before + Duration::from_mins(5));
    }

    #[test]
    fn a_moment_reads_as_rfc_3339() {
        assert_eq!(Moment(1_741_082_400_123).to_string(), "2025-03-04T10:00:00.123Z");
    }
}
