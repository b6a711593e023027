//! Whom the door has turned away, until somebody writes it down: a count for each source and reason, so that no flood of
//! requests costs more than a lock and an addition.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::clock::Moment;
use crate::name::SourceName;
use crate::outbox::Refused;

/// Refusals that nobody has written down yet. There are few kinds: none is ever made of what a caller sends.
#[derive(Debug, Default)]
pub(super) struct Ledger(Mutex<BTreeMap<(Option<SourceName>, &'static str), Refused>>);

impl Ledger {
    /// One more for `reason`, at the door of `source` if there is such a one.
    pub(super) fn add(
        &self,
        source: Option<SourceName>,
        reason: &'static str,
        sender: Option<IpAddr>,
        now: Moment,
    ) {
        let new = Refused { source: source.clone(), reason, first_at: now, last_at: now, count: 1, sender };
        self.lock().entry((source, reason)).and_modify(|known| known.join(&new)).or_insert(new);
    }

    /// Takes all that there is.
    pub(super) fn take(&self) -> Vec<Refused> {
        std::mem::take(&mut *self.lock()).into_values().collect()
    }

    /// Puts back what could not be written down.
    pub(super) fn put_back(&self, all: Vec<Refused>) {
        let mut lock = self.lock();
        for earlier in all {
            let kind = (earlier.source.clone(), earlier.reason);
            let joined = match lock.remove(&kind) {
                Some(later) => {
                    let mut joined = earlier;
                    joined.join(&later);
                    joined
                }
                None => earlier,
            };
            lock.insert(kind, joined);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(Option<SourceName>, &'static str), Refused>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Refused {
    /// Adds `later` ones of the same kind.
    fn join(&mut self, later: &Self) {
        self.last_at = later.last_at;
        self.count += later.count;
        self.sender = later.sender.or(self.sender);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_counted_by_source_and_reason_and_none_is_lost_when_they_are_put_back() {
        let ledger = Ledger::default();
        let source = SourceName::new("backend").ok();
        let sender = "192.0.2.1".parse().ok();
        ledger.add(source.clone(), "unauthorized", sender, Moment(1));
        ledger.add(source.clone(), "unauthorized", None, Moment(2));
        ledger.add(None, "unknown_source", None, Moment(3));
        let taken = ledger.take();
        assert_eq!(taken.len(), 2);
        assert!(ledger.take().is_empty());
        ledger.add(source.clone(), "unauthorized", None, Moment(9));
        ledger.put_back(taken);
        let all = ledger.take();
        let expected = Refused {
            source,
            reason: "unauthorized",
            first_at: Moment(1),
            last_at: Moment(9),
            count: 3,
            sender,
        };
        assert_eq!(all.last(), Some(&expected));
        assert_eq!(all.len(), 2);
    }
}
