//! Is it the message or the room? What a row of failures says about a destination. Pure.

use std::time::Duration;

use crate::clock::Moment;
use crate::courier::backoff;
use crate::delivery::DeliveryId;
use crate::destination::Retry;

/// After so many failures of one delivery the next one is tried.
const PATIENCE: u32 = 3;

/// What has failed since something last succeeded.
///
/// At first a failure holds the destination, so that order is kept. If one delivery has failed three times, the next
/// is tried: should that succeed, the first was the trouble and waits by itself; should it fail, the destination is
/// down, and one probe a step is made, whichever delivery is due.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    suspect: Option<DeliveryId>,
    failed_probes: u32,
    let_go_at: Option<Moment>,
}

impl Trouble {
    /// Something was taken: the destination works.
    pub(super) fn is_over(&mut self) {
        (self.suspect, self.failed_probes) = (None, 0);
    }

    /// Whether what has failed while the destination was down is to be tried at once, now that it works. At most once in
    /// the longest pause: of several messages that always fail, each success of another would bring them all back.
    pub(super) fn may_let_go(&mut self, now: Moment, retry: &Retry) -> bool {
        if self.let_go_at.is_some_and(|before| now >= before && now.since(before) < retry.most) {
            return false;
        }
        self.let_go_at = Some(now);
        true
    }

    /// `delivery` has failed, for the `failures`-th time, and waits for `pause` itself: how long the whole
    /// destination is held.
    pub(super) fn after_failure(
        &mut self,
        delivery: DeliveryId,
        failures: u32,
        pause: Duration,
        retry: &Retry,
        dice: f64,
    ) -> Option<Duration> {
        match self.suspect {
            Some(suspect) if suspect != delivery => {
                self.failed_probes += 1;
                Some(backoff::after_failure(retry, PATIENCE + self.failed_probes, dice))
            }
            // It is alone in the queue, or its turn has come again while the destination is down.
            Some(_) => (self.failed_probes > 0).then_some(pause),
            None if failures >= PATIENCE => {
                self.suspect = Some(delivery);
                None
            }
            None => Some(pause),
        }
    }

    /// A delivery was tried to see whether the destination works again, and failed; the others go elsewhere meanwhile.
    /// How long it is until the next is tried.
    pub(super) fn after_probe(&mut self, retry: &Retry, dice: f64) -> Duration {
        self.failed_probes += 1;
        backoff::after_failure(retry, PATIENCE + self.failed_probes, dice)
    }

    /// Whether more than one delivery has failed in a row.
    pub(super) fn is_down(&self) -> bool {
        self.failed_probes > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RETRY: Retry = Retry {
        first: Duration::from_secs(1),
        most: Duration::from_mins(10),
        give_up_after: Duration::from_hours(72),
    };
    const PAUSE: Duration = Duration::from_secs(7);

    fn fail(trouble: &mut Trouble, delivery: i64, failures: u32) -> Option<u64> {
        let hold = trouble.after_failure(DeliveryId(delivery), failures, PAUSE, &RETRY, 0.5);
        hold.map(|hold| hold.as_secs())
    }

    #[test]
    fn poison_steps_aside_after_its_third_failure() {
        let mut trouble = Trouble::default();
        assert_eq!([fail(&mut trouble, 1, 1), fail(&mut trouble, 1, 2)], [Some(7), Some(7)]);
        assert_eq!(fail(&mut trouble, 1, 3), None, "the next one is tried at once");
        trouble.is_over();
        assert_eq!(fail(&mut trouble, 1, 4), None, "poison does not hold the room again");
    }

    #[test]
    fn a_destination_that_is_down_is_probed_once_a_step() {
        let mut trouble = Trouble::default();
        for failures in 1..=3 {
            fail(&mut trouble, 1, failures);
        }
        assert!(!trouble.is_down());
        assert_eq!(fail(&mut trouble, 2, 1), Some(8));
        assert!(trouble.is_down());
        assert_eq!(fail(&mut trouble, 3, 1), Some(16));
        assert_eq!(fail(&mut trouble, 1, 4), Some(7), "its own turn is a probe, too");
        trouble.is_over();
        assert_eq!(fail(&mut trouble, 2, 2), Some(7));
    }

    #[test]
    fn a_destination_whose_deliveries_go_elsewhere_is_probed_ever_more_rarely() {
        let mut trouble = Trouble::default();
        let mut probe = || trouble.after_probe(&RETRY, 0.5).as_secs();
        assert_eq!([probe(), probe(), probe()], [8, 16, 32]);
    }

    #[test]
    fn what_has_failed_is_let_go_once_in_the_longest_pause() {
        let mut trouble = Trouble::default();
        let mut at = |minutes: i64| {
            trouble.is_over();
            trouble.may_let_go(Moment(minutes * 60_000), &RETRY)
        };
        assert_eq!([at(100), at(101), at(109), at(110), at(111)], [true, false, false, true, false]);
        assert!(at(3), "a clock that was set back holds nothing up");
    }
}
