//! What is read page by page while it changes: things come, go and move to another page between two requests.
//!
//! A list that changed while it was read is read again from its beginning, and what all passes brought counts. What a listing
//! may cost is bounded, whatever a tracker answers.

use std::collections::HashSet;

/// A list is read no more often than this.
pub(super) const PASSES: usize = 3;

/// A listing keeps no more than this of what it reads, as it came over the wire.
const BYTES: usize = 32 << 20;

/// What a listing may still keep. Each of its lists gets a part, so that none is left unread because of another.
#[derive(Debug)]
pub(super) struct Budget {
    bytes: usize,
    lists: usize,
}

/// What one list may still cost.
#[derive(Debug)]
pub(super) struct Share {
    pages: usize,
    left: usize,
    bytes: usize,
    /// Whether there was not enough of it.
    pub(super) is_spent: bool,
}

impl Budget {
    /// Enough for so many `lists` together.
    pub(super) fn of(lists: usize) -> Self {
        Self { bytes: BYTES, lists }
    }

    /// What the next list may cost: so many `pages` each time that it is read, and its part of what may be kept.
    pub(super) fn share(&mut self, pages: usize) -> Share {
        let bytes = self.bytes / self.lists.max(1);
        self.lists = self.lists.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
        Share { pages, left: pages, bytes, is_spent: false }
    }

    /// Takes back what a list did not need for those after it. Whether there is more of that list than was read.
    pub(super) fn take_back(&mut self, share: &Share) -> bool {
        self.bytes = self.bytes.saturating_add(share.bytes);
        share.is_spent
    }
}

impl Share {
    /// Begins with the first page.
    pub(super) fn begin(&mut self) {
        self.left = self.pages;
    }

    /// Takes one page; false: there is none left.
    pub(super) fn turn_page(&mut self) -> bool {
        let is_left = self.left > 0 && self.bytes > 0;
        self.left = self.left.saturating_sub(1);
        self.is_spent |= !is_left;
        is_left
    }

    /// Takes what was on a page of `size` bytes of whose items so many were `fresh`, of `all`: what is known is not kept again.
    pub(super) fn read(&mut self, size: usize, (fresh, all): (usize, usize)) {
        let kept = size.checked_div(all).map_or(size, |each| each.saturating_mul(fresh));
        self.bytes = self.bytes.saturating_sub(kept);
    }
}

/// What several passes over a list have brought, each thing once.
#[derive(Debug)]
pub(super) struct Pool<T> {
    known: HashSet<String>,
    /// In the order in which they came.
    pub(super) items: Vec<T>,
}

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self { known: HashSet::new(), items: Vec::new() }
    }
}

/// One reading of a list, from its first page to its last.
#[derive(Debug, Default)]
pub(super) struct Pass {
    seen: HashSet<String>,
    total: Option<u64>,
    has_changed: bool,
}

impl Pass {
    /// Takes a page: its items with what tells them apart, the total that the tracker gives, whether it is the last. Whether
    /// there may be another.
    pub(super) fn take<T>(
        &mut self,
        pool: &mut Pool<T>,
        items: Vec<(String, T)>,
        (total, is_last): (Option<u64>, bool),
    ) -> bool {
        self.has_changed |= self.total.is_some() && total.is_some() && self.total != total;
        self.total = self.total.or(total);
        let (count, mut fresh) = (items.len(), 0_usize);
        for (key, item) in items {
            fresh += usize::from(self.seen.insert(key.clone()));
            if pool.known.insert(key) {
                pool.items.push(item);
            }
        }
        // What was on an earlier page has moved, and something may have moved the other way.
        self.has_changed |= fresh < count;
        !is_last && fresh > 0
    }

    /// Whether the list stayed as it was, so that everything in it was seen.
    pub(super) fn is_settled(&self) -> bool {
        !self.has_changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(items: &[u32]) -> Vec<(String, u32)> {
        items.iter().map(|item| (item.to_string(), *item)).collect()
    }

    #[test]
    fn what_comes_twice_is_there_once_and_asks_for_another_pass() {
        let (mut pool, mut pass) = (Pool::default(), Pass::default());
        assert!(pass.take(&mut pool, page(&[1, 2]), (Some(4), false)));
        assert!(pass.take(&mut pool, page(&[2, 3]), (Some(4), false)));
        assert!(!pass.is_settled());
        let mut pass = Pass::default();
        assert!(pass.take(&mut pool, page(&[9, 1]), (None, false)));
        assert!(!pass.take(&mut pool, page(&[2, 3]), (None, true)));
        assert!(pass.is_settled());
        assert_eq!(pool.items, [1, 2, 3, 9]);
    }

    #[test]
    fn a_total_that_changes_asks_for_another_pass_and_a_page_of_known_things_ends_one() {
        let (mut pool, mut pass) = (Pool::default(), Pass::default());
        assert!(pass.take(&mut pool, page(&[1]), (Some(2), false)));
        assert!(pass.take(&mut pool, page(&[2]), (Some(3), false)));
        assert!(!pass.is_settled());
        assert!(!pass.take(&mut pool, page(&[1, 2]), (Some(3), false)));
        assert!(!pass.take(&mut pool, page(&[]), (Some(3), false)));
    }

    #[test]
    fn a_share_is_spent_by_the_pages_of_one_reading_and_by_what_is_kept_of_all() {
        let mut budget = Budget::of(2);
        let mut share = budget.share(2);
        for _ in 0..3 {
            share.begin();
            assert!(share.turn_page() && share.turn_page() && !share.is_spent);
            share.read(1_000, (0, 100));
        }
        assert!(!share.turn_page() && share.is_spent);
        let mut share = budget.share(9);
        assert!(share.turn_page());
        share.read(BYTES / 2, (50, 100));
        assert!(share.turn_page());
        share.read(BYTES / 2, (100, 100));
        assert!(!share.turn_page() && share.is_spent);
    }

    #[test]
    fn no_list_takes_what_is_anothers_and_what_one_leaves_is_for_those_after_it() {
        let mut budget = Budget::of(4);
        let mut first = budget.share(9);
        first.read(usize::MAX, (1, 1));
        assert!(!first.turn_page() && budget.take_back(&first));
        let second = budget.share(9);
        assert_eq!(second.bytes, BYTES / 4);
        assert!(!budget.take_back(&second));
        assert_eq!(budget.share(9).bytes, BYTES * 3 / 8);
    }
}
