//! When to try again. Pure: the dice are an argument.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};

use crate::delivery::Wait;
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

/// No platform is waited for any longer.
pub(super) const LONGEST_WAIT: Duration = Duration::from_hours(24);

/// However often a platform asks to wait without a word of how long, it is asked again after this.
const LONGEST_GUESS: Duration = Duration::from_hours(1);

/// What is added to a wait at most, so that those who were told the same do not come back together.
const JITTER: Duration = Duration::from_secs(10);

/// How long to wait for a platform that asks to: never shorter than it says, and never longer than a day. Where it does not
/// say, `nth` counts how often that has been so in a row, from one.
pub(super) fn after_wait(wait: Wait, nth: u32, dice: f64) -> Duration {
    let span = match wait {
        Wait::Told(span) => span,
        Wait::Untold(first) => {
            let doubled = first.saturating_mul(2_u32.saturating_pow(nth.saturating_sub(1)));
            doubled.min(LONGEST_GUESS.max(first))
        }
    };
    let jitter = (span / 20).min(JITTER).mul_f64(dice.clamp(0.0, 1.0));
    span.saturating_add(jitter).min(LONGEST_WAIT)
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

    #[test]
    fn a_wait_without_a_word_of_how_long_doubles_up_to_an_hour() {
        let waits = |first: u64, nth: [u32; 5]| {
            nth.map(|nth| after_wait(Wait::Untold(Duration::from_secs(first)), nth, 0.0).as_secs())
        };
        assert_eq!(waits(1, [1, 2, 3, 4, 5]), [1, 2, 4, 8, 16], "Slack");
        assert_eq!(waits(10, [1, 2, 3, 10, u32::MAX]), [10, 20, 40, 3_600, 3_600], "Teams");
        assert_eq!(waits(600, [0, 1, 2, 3, 4]), [600, 600, 1_200, 2_400, 3_600], "Discord's edge");
        assert_eq!(waits(100_000, [1, 2, 3, 4, 5]), [86_400; 5], "never longer than a day");
    }

    proptest! {
        #[test]
        fn a_wait_is_never_shorter_than_told_and_never_absurd(
            told_ms in 0_u64.., nth: u32, dice in 0.0_f64..=1.0,
        ) {
            let told = Duration::from_millis(told_ms);
            let wait = after_wait(Wait::Told(told), nth, dice);
            prop_assert!(wait >= told.min(LONGEST_WAIT) && wait <= LONGEST_WAIT);
            prop_assert!(wait <= told.saturating_add(JITTER), "a little more, not much");
            let guess = after_wait(Wait::Untold(told), nth, dice);
            prop_assert!(guess >= told.min(LONGEST_WAIT) && guess <= LONGEST_WAIT);
        }

        #[test]
        fn a_pause_stays_within_its_bounds(failures in 0_u32.., dice in 0.0_f64..=1.0) {
            let pause = after_failure(&RETRY, failures, dice);
            prop_assert!(pause >= RETRY.first / 10 && pause <= RETRY.most);
        }
    }
}
