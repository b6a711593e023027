//! What time it is, as an argument: the system's clock, or one that a test moves by hand.
//!
//! Everything stored and compared is a [`Moment`], milliseconds since 1970 in UTC, so that arithmetic is plain and a
//! moment means the same after a restart.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

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

/// Tells the time. Cloning it gives another handle on the same clock.
#[derive(Debug, Clone, Default)]
pub struct Clock(Option<Arc<AtomicI64>>);

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self(None)
    }

    /// A clock that stands still until [`Clock::advance`] moves it.
    pub fn by_hand(start: Moment) -> Self {
        Self(Some(Arc::new(AtomicI64::new(start.0))))
    }

    /// The present moment.
    pub fn now(&self) -> Moment {
        match &self.0 {
            Some(hand) => Moment(hand.load(Ordering::SeqCst)),
            None => system_now(),
        }
    }

    /// Moves a clock made by [`Clock::by_hand`]; the system's clock is not ours to move.
    pub fn advance(&self, by: Duration) {
        if let Some(hand) = &self.0 {
            hand.fetch_add(millis(by), Ordering::SeqCst);
        }
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
    }

    #[test]
    fn a_moment_reads_as_rfc_3339() {
        assert_eq!(Moment(1_741_082_400_123).to_string(), "2025-03-04T10:00:00.123Z");
    }
}
