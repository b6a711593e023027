//! The pace of a destination, shared by all that share its limit, and the hold that a platform asks for.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use crate::clock::{Clock, Moment};
use crate::destination::Pace;

type Limiter = RateLimiter<NotKeyed, InMemoryState, Clock, NoOpMiddleware<Nanos>>;

/// Lets messages through at a pace. Where a burst is allowed, the last part of it is kept for what is urgent.
#[derive(Debug)]
pub struct Throttle {
    all: Limiter,
    /// Without the part of the burst that is kept.
    not_urgent: Option<Limiter>,
    /// Keeps the messages of a burst apart.
    spacing: Option<Limiter>,
    clock: Clock,
    period: Duration,
    burst: u32,
    span: Duration,
}

/// The part of a burst that is kept for urgent messages.
const KEPT: u32 = 2;

/// Even in a burst no more than three a second: Teams' triggers take four, whatever the longer limits allow, and messages do
/// not arrive as evenly as they are sent.
const SPACING: Duration = Duration::from_millis(350);

impl Throttle {
    /// A throttle for `pace`, which no span exceeds: what the burst lets through at once, the refill does not.
    pub fn new(pace: Pace, clock: Clock) -> Self {
        let count = pace.count.max(1);
        let burst = if pace.burst < count { pace.burst.max(1) } else { 1 };
        let refills = if burst > 1 { count - burst } else { count };
        let period = (pace.per / refills).max(Duration::from_nanos(1));
        let limiter = |period, burst| {
            let quota = Quota::with_period(period).unwrap_or(Quota::per_second(NonZeroU32::MIN));
            let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
            RateLimiter::direct_with_clock(quota.allow_burst(burst), clock.clone())
        };
        Self {
            all: limiter(period, burst),
            not_urgent: (burst > KEPT).then(|| limiter(period, burst - KEPT)),
            spacing: (burst > 1).then(|| limiter(SPACING, 1)),
            period,
            burst,
            span: pace.per,
            clock,
        }
    }

    /// How far back attempts matter for [`Throttle::prime`].
    pub fn memory(&self) -> Duration {
        self.span
    }

    /// Takes into account what was sent before this process began, so that a restart cannot hurry.
    pub fn prime(&self, attempts: &[Moment], now: Moment) {
        // The same reckoning as the limiter's own: each attempt moves the moment at which the burst is whole again.
        let past = attempts.iter().filter(|at| **at <= now);
        let whole_at = past.fold(Moment(0), |whole, at| whole.max(*at).plus(self.period));
        let mut owed = whole_at.since(now);
        for _ in 0..self.burst {
            if owed.is_zero() {
                break;
            }
            owed = owed.saturating_sub(self.period);
            // Refused once nothing is left, which is what is wanted.
            self.all.check().ok();
            self.not_urgent.as_ref().map(Limiter::check);
        }
    }

    /// Takes a turn, or says how long to wait before asking again.
    pub fn turn(&self, urgent: bool) -> Result<(), Duration> {
        // The narrower ones first: a turn that they grant and `all` then refuses costs a moment, never the limit.
        let not_urgent = self.not_urgent.as_ref().filter(|_| !urgent);
        for limiter in self.spacing.iter().chain(not_urgent).chain([&self.all]) {
            limiter
                .check()
                .map_err(|not_until| not_until.wait_time_from(Nanos::from(self.clock.steady())))?;
        }
        Ok(())
    }
}

/// For how long a destination is to be left alone, by a clock that nobody can set: since its platform asked for it, which
/// nobody can change, and by our own judgement, which a person can. Cloning it gives another handle on the same hold.
#[derive(Debug, Clone)]
pub struct Hold {
    clock: Clock,
    /// What its platform asked for, in milliseconds of the clock's steady time.
    until: Arc<AtomicU64>,
    /// What we think is best, likewise.
    rests_until: Arc<AtomicU64>,
    /// How often in a row a platform has asked to wait without a word of how long.
    untold: Arc<AtomicU32>,
}

impl Hold {
    /// Nothing is held yet.
    pub fn new(clock: Clock) -> Self {
        Self { clock, until: Arc::default(), rests_until: Arc::default(), untold: Arc::default() }
    }

    /// Holds for `span` from now, or longer if it is held longer already.
    pub fn extend(&self, span: Duration) {
        self.until.fetch_max(millis(self.clock.steady().saturating_add(span)), Ordering::SeqCst);
    }

    /// Leaves it alone for `span` from now, by our own judgement, or longer if it is left alone longer already.
    pub fn rest(&self, span: Duration) {
        self.rests_until.fetch_max(millis(self.clock.steady().saturating_add(span)), Ordering::SeqCst);
    }

    /// It is to be tried at once, if its platform did not ask otherwise.
    pub fn end_rest(&self) {
        self.rests_until.store(0, Ordering::SeqCst);
    }

    /// Counts one more request to wait without a word of how long, and says how many those are in a row. One that comes while
    /// its platform has the destination wait already was on its way when the one before came.
    pub(super) fn count_untold(&self) -> u32 {
        let more = u32::from(self.left_until(&self.until).is_none());
        let count = self.untold.load(Ordering::SeqCst).saturating_add(more).max(1);
        self.untold.store(count, Ordering::SeqCst);
        count
    }

    /// There have been `count` such requests in a row, at another destination of the same platform.
    pub(super) fn share_untold(&self, count: u32) {
        self.untold.fetch_max(count, Ordering::SeqCst);
    }

    /// The platform has answered otherwise.
    pub(super) fn forget_untold(&self) {
        self.untold.store(0, Ordering::SeqCst);
    }

    /// How much of it is left.
    pub fn left(&self) -> Option<Duration> {
        self.left_until(&self.until).max(self.rest_left())
    }

    /// How much is left of what we think is best.
    pub fn rest_left(&self) -> Option<Duration> {
        self.left_until(&self.rests_until)
    }

    fn left_until(&self, until: &AtomicU64) -> Option<Duration> {
        let until = Duration::from_millis(until.load(Ordering::SeqCst));
        until.checked_sub(self.clock.steady()).filter(|left| !left.is_zero())
    }
}

/// Rounded up: no hold is shorter than asked for.
fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_micros().div_ceil(1_000)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DISCORD: Pace = Pace { count: 30, per: Duration::from_mins(1), burst: 5 };
    const TEAMS: Pace = Pace { count: 25, per: Duration::from_mins(5), burst: 5 };
    const SLACK: Pace = Pace { count: 1, per: Duration::from_secs(1), burst: 1 };

    /// How many turns there are within `span`, asked for without pause.
    fn turns(throttle: &Throttle, urgent: bool, span: Duration) -> u32 {
        let (mut passed, mut count) = (Duration::ZERO, 0);
        loop {
            let wait = match throttle.turn(urgent) {
                Ok(()) => {
                    count += 1;
                    continue;
                }
                Err(wait) => wait.max(Duration::from_millis(1)),
            };
            passed += wait;
            if passed >= span {
                return count;
            }
            throttle.clock.advance(wait);
        }
    }

    fn fresh(pace: Pace) -> Throttle {
        Throttle::new(pace, Clock::by_hand(Moment(0)))
    }

    #[test]
    fn no_span_has_more_than_its_count_burst_included() {
        for (pace, urgent, expected) in [
            (DISCORD, true, 30),
            (TEAMS, true, 25),
            (SLACK, true, 1),
            (DISCORD, false, 28),
            (TEAMS, false, 23),
        ] {
            let throttle = fresh(pace);
            let count = turns(&throttle, urgent, pace.per);
            assert!(count <= pace.count && count + 1 >= expected, "{pace:?}: {count}");
            assert!(turns(&throttle, urgent, pace.per) <= pace.count, "{pace:?}");
        }
    }

    #[test]
    fn a_part_of_the_burst_is_kept_for_what_is_urgent() {
        let throttle = fresh(DISCORD);
        let at_once = Duration::from_secs(1);
        assert_eq!(turns(&throttle, false, at_once), 3);
        assert_eq!(turns(&throttle, true, at_once), 2);
    }

    #[test]
    fn a_burst_is_no_more_than_three_a_second() {
        assert_eq!(turns(&fresh(TEAMS), true, Duration::from_secs(1)), 3);
        assert_eq!(turns(&fresh(SLACK), true, Duration::from_secs(3)), 3);
    }

    #[test]
    fn a_restart_does_not_hurry() {
        let now = Moment(1_000_000);
        let primed = |ages_ms: &[i64]| {
            let throttle = fresh(DISCORD);
            let attempts: Vec<_> = ages_ms.iter().map(|age| Moment(now.0 - age)).collect();
            throttle.prime(&attempts, now);
            turns(&throttle, true, Duration::from_millis(1_500))
        };
        assert_eq!(primed(&[]), 5);
        assert_eq!(primed(&[50_000, 49_000]), 5);
        assert_eq!(primed(&[30, 20, 10]), 2);
        assert_eq!(primed(&[50, 40, 30, 20, 10]), 0);
    }

    #[test]
    fn requests_to_wait_without_a_word_of_how_long_are_counted_in_a_row() {
        let clock = Clock::by_hand(Moment(0));
        let hold = Hold::new(clock.clone());
        assert_eq!(hold.count_untold(), 1);
        hold.extend(Duration::from_secs(5));
        assert_eq!(hold.count_untold(), 1, "it was on its way already");
        clock.advance(Duration::from_secs(5));
        assert_eq!(hold.count_untold(), 2);
        hold.share_untold(1);
        assert_eq!(hold.count_untold(), 3);
        hold.forget_untold();
        assert_eq!(hold.count_untold(), 1);
    }

    #[test]
    fn a_hold_only_grows_and_passes() {
        let clock = Clock::by_hand(Moment(0));
        let hold = Hold::new(clock.clone());
        assert_eq!(hold.left(), None);
        hold.extend(Duration::from_secs(5));
        hold.extend(Duration::from_secs(3));
        clock.advance(Duration::from_secs(4));
        assert_eq!(hold.left(), Some(Duration::from_secs(1)));
        clock.advance(Duration::from_secs(1));
        assert_eq!(hold.left(), None);
    }

    #[test]
    fn a_person_can_end_a_rest_and_not_what_a_platform_asked_for() {
        let clock = Clock::by_hand(Moment(0));
        let hold = Hold::new(clock);
        hold.rest(Duration::from_hours(1));
        hold.extend(Duration::from_secs(5));
        assert_eq!((hold.left(), hold.rest_left()), (Some(Duration::from_hours(1)), hold.left()));
        hold.end_rest();
        assert_eq!((hold.left(), hold.rest_left()), (Some(Duration::from_secs(5)), None));
    }
}
