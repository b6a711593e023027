//! How many webhooks of a source were turned away in a row: a few may be anybody's mistake, many are a door that is shut.

use std::sync::atomic::{AtomicU64, Ordering};

/// From how many on people should know, and again at ten times as many, and so on.
const WORTH_TELLING: u64 = 10;

/// Counts without a lock: on the way of every webhook there is one look.
#[derive(Debug, Default)]
pub(super) struct Streak(AtomicU64);

impl Streak {
    /// One more was turned away: how many in a row that makes, if people should know.
    pub(super) fn goes_on(&self) -> Option<u64> {
        let count = self.0.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        let exponent = count.checked_ilog(WORTH_TELLING).filter(|exponent| *exponent > 0)?;
        (WORTH_TELLING.checked_pow(exponent) == Some(count)).then_some(count)
    }

    /// One was accepted: whether that ends a streak that people were told of.
    pub(super) fn ends(&self) -> bool {
        // Nothing is written on the everyday way.
        self.0.load(Ordering::Relaxed) > 0 && self.0.swap(0, Ordering::Relaxed) >= WORTH_TELLING
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_in_a_row_are_worth_telling_and_then_ten_times_as_many() {
        let streak = Streak::default();
        let told: Vec<u64> = (0..12_345).filter_map(|_| streak.goes_on()).collect();
        assert_eq!(told, [10, 100, 1_000, 10_000]);
    }

    #[test]
    fn one_that_is_accepted_ends_it() {
        let streak = Streak::default();
        assert!(!streak.ends());
        assert!((0..9).all(|_| streak.goes_on().is_none()));
        assert!(!streak.ends(), "nobody was told of nine");
        assert!((0..9).all(|_| streak.goes_on().is_none()));
        assert_eq!(streak.goes_on(), Some(10));
        assert!(streak.ends() && !streak.ends());
    }
}
