//! When to try again. Pure: the dice are an argument.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};

use crate::destination::Retry;

/// The pause after the `failures`-th passing failure in a row: exponential with full jitter, so that what failed
/// together does not come back together. On average it is the step itself, never more than `retry.most`.
///
/// `dice` is a random number from 0 to 1.
pub(super) fn after_failure(retry: &Retry, failures: u32, dice: f64) -> Duration {
    let step = step(retry, failures);
    // Never quite nothing: a failure needs a moment to pass.
    let shortest = retry.first.min(step) / 10;
    step.mul_f64(2.0 * dice.clamp(0.0, 1.0)).clamp(shortest, retry.most.max(shortest))
}

/// The pause before an unclear result is repeated for the `repeat`-th time: ever more slowly, as each may double a
/// message that is there already.
pub(super) fn after_unclear(retry: &Retry, repeat: u32, dice: f64) -> Duration {
    after_failure(retry, repeat.saturating_mul(2).saturating_sub(1), dice)
}

fn step(retry: &Retry, failures: u32) -> Duration {
    let nth = usize::try_from(failures.saturating_sub(1).min(64)).unwrap_or(64);
    ExponentialBuilder::new()
        .with_min_delay(retry.first)
        .with_max_delay(retry.most)
        .without_max_times()
        .build()
        .nth(nth)
        .unwrap_or(retry.most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RETRY: Retry = Retry {
        first: Duration::from_secs(1),
        most: Duration::from_mins(10),
        give_up_after: Duration::from_hours(72),
    };

    #[test]
    fn steps_double_up_to_the_longest() {
        let seconds = |failures| after_failure(&RETRY, failures, 0.5).as_secs();
        assert_eq!([1, 2, 3, 4, 10, 11, 1_000_000].map(seconds), [1, 2, 4, 8, 512, 600, 600]);
    }

    #[test]
    fn repeats_come_ever_more_slowly() {
        let seconds = |repeat| after_unclear(&RETRY, repeat, 0.5).as_secs();
        assert_eq!([1, 2, 3, 4, 5].map(seconds), [1, 4, 16, 64, 256]);
    }

    proptest! {
        #[test]
        fn a_pause_stays_within_its_bounds(failures in 0_u32.., dice in 0.0_f64..=1.0) {
            let pause = after_failure(&RETRY, failures, dice);
            prop_assert!(pause >= RETRY.first / 10 && pause <= RETRY.most);
        }
    }
}
