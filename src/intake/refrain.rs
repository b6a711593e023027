//! Not to say the same a thousand times: the first refusal of a kind is told at once, more of it with their number.
//!
//! Only refused webhooks come this way, so that the lock costs those that are accepted nothing.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// For how long more of the same is only counted.
pub(super) const SPAN: Duration = Duration::from_secs(30);

/// What has been told, by its kind. There must be few kinds: none is ever made of what a caller sends.
#[derive(Debug)]
pub(super) struct Refrain<K>(Mutex<HashMap<K, Told>>);

#[derive(Debug, Clone, Copy)]
struct Told {
    /// When it was told last, on a steady clock.
    at: Duration,
    /// How many came since.
    more: u64,
}

/// More of a kind that was told before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct More<K> {
    pub(super) kind: K,
    pub(super) count: u64,
    /// How long ago it was told last.
    pub(super) within: Duration,
}

impl<K> Default for Refrain<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Clone + Eq + Hash> Refrain<K> {
    /// One of a `kind` happens: whether it is to be told at once.
    pub(super) fn happens(&self, kind: K, now: Duration) -> bool {
        let mut all = self.lock();
        if let Some(told) = all.get_mut(&kind) {
            told.more += 1;
            return false;
        }
        all.insert(kind, Told { at: now, more: 0 });
        true
    }

    /// What is to be told now. A kind of which there was nothing new for a while is told at once the next time.
    pub(super) fn due(&self, now: Duration) -> Vec<More<K>> {
        self.take(now, SPAN)
    }

    /// All that has not been told, at the end.
    pub(super) fn rest(&self, now: Duration) -> Vec<More<K>> {
        self.take(now, Duration::ZERO)
    }

    fn take(&self, now: Duration, span: Duration) -> Vec<More<K>> {
        let mut due = Vec::new();
        self.lock().retain(|kind, told| {
            let within = now.saturating_sub(told.at);
            if within < span {
                return true;
            }
            let count = told.more;
            *told = Told { at: now, more: 0 };
            if count > 0 {
                due.push(More { kind: kind.clone(), count, within });
            }
            count > 0
        });
        due
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, Told>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_is_told_at_once_and_more_of_it_by_their_number() {
        let refrain = Refrain::default();
        let second = Duration::from_secs;
        assert!(refrain.happens("a", second(1)));
        for _ in 0..1_203 {
            assert!(!refrain.happens("a", second(2)));
        }
        assert!(refrain.happens("b", second(3)), "another kind");
        assert_eq!(refrain.due(second(30)), []);
        let more = More { kind: "a", count: 1_203, within: second(30) };
        assert_eq!(refrain.due(second(31)), [more]);
        assert!(!refrain.happens("a", second(32)), "it goes on");
        assert!(refrain.due(second(60)).is_empty());
        assert_eq!(refrain.due(second(61)), [More { kind: "a", count: 1, within: second(30) }]);
        assert!(refrain.due(second(91)).is_empty());
        assert!(refrain.happens("a", second(92)), "it had ended");
        assert!(!refrain.happens("a", second(93)));
        assert_eq!(refrain.rest(second(94)), [More { kind: "a", count: 1, within: second(2) }]);
    }

    proptest! {
        #[test]
        fn every_one_is_told_once_or_counted_once(steps in prop::collection::vec((0..3_u8, 0..40_u64), 0..200)) {
            let refrain = Refrain::default();
            let (mut now, mut told) = (Duration::ZERO, 0);
            for (kind, pause) in &steps {
                now += Duration::from_secs(*pause);
                told += refrain.due(now).iter().map(|more| more.count).sum::<u64>();
                told += u64::from(refrain.happens(*kind, now));
            }
            told += refrain.rest(now).iter().map(|more| more.count).sum::<u64>();
            prop_assert_eq!(told, steps.len() as u64);
        }
    }
}
