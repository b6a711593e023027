//! Which time is asked for. Pure.

use std::time::Duration;

use crate::api::REACH;
use crate::clock::Moment;

/// What happened so shortly ago is left for the next time: its webhook may be under way.
pub(super) const SETTLE: Duration = Duration::from_mins(1);

/// So much of what was asked for before is asked for again: a tracker may tell of something late, and its clock may not be
/// ours. What is further behind than that is not found.
pub(super) const OVERLAP: Duration = Duration::from_hours(1);

/// When bugle was at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Presence {
    /// Last, before this run; nothing: it never was, or did not ask then.
    pub(super) before: Option<Moment>,
    /// From when on it asks now.
    pub(super) begun: Moment,
}

/// What has been asked for before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Covered {
    /// What happened before was never to be asked for.
    pub(super) begins: Moment,
    /// All that happened between then and this was; nothing: it never was.
    pub(super) up_to: Option<Moment>,
}

/// A span of time that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    /// What happened before is never to be asked for.
    pub(super) begins: Moment,
    /// From when on …
    pub(super) since: Moment,
    /// … until when.
    pub(super) until: Moment,
    /// Whether there is more before it that ought to be asked for, but lies too far back.
    pub(super) is_cut: bool,
}

impl Window {
    /// What is to be asked for now: from the end of what is `covered` on, or from when bugle was at work last, or from when it
    /// began to ask.
    ///
    /// A moment ahead of its time comes from a clock that has been set back since. What happened until then may have been left
    /// out, and nobody knows from when on: so all is asked for again that is within reach.
    pub(super) fn at(now: Moment, covered: Option<Covered>, Presence { before, begun }: Presence) -> Self {
        let (until, earliest) = (now.minus(SETTLE), now.minus(REACH));
        let begins = match covered {
            Some(covered) => covered.begins,
            None => before.map_or(begun, |before| if before > now { before } else { before.minus(OVERLAP) }),
        };
        let begins = if begins > now { earliest } else { begins };
        let from = match covered.and_then(|covered| covered.up_to) {
            Some(up_to) if up_to > until => begins.max(earliest),
            Some(up_to) => up_to.minus(OVERLAP).max(begins).min(up_to),
            None => begins,
        };
        let since = from.max(earliest).min(until);
        Self { begins, since, until, is_cut: from < earliest }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);
    const DAY: Duration = Duration::from_hours(24);
    const START: Moment = Moment(1_790_000_000_000);

    #[test]
    fn it_begins_where_the_last_one_ended_or_where_bugle_was_last_at_work() {
        let ago = |minutes| START.minus(MINUTE * minutes);
        let presence = |before| Presence { before, begun: ago(1) };
        let covered = |begins, up_to| Some(Covered { begins, up_to });
        let ahead = START.plus(DAY);
        let reach = START.minus(REACH);
        // What was asked for, when bugle was at work before, from when on it is asked.
        let cases = [
            (covered(ago(9_000), Some(ago(16))), Some(ago(90)), ago(76)),
            (covered(ago(9_000), Some(ago(600))), None, ago(660)),
            (None, Some(ago(90)), ago(150)),
            (None, None, ago(1)),
            // What happened before it was there is nothing that it has missed.
            (covered(ago(30), Some(ago(16))), None, ago(30)),
            (covered(ago(30), None), None, ago(30)),
            // A clock that was set back.
            (covered(ago(9_000), Some(ahead)), Some(ago(90)), ago(9_000)),
            (covered(ago(90_000), Some(ahead)), Some(ago(90)), reach),
            (covered(ahead, Some(ahead)), None, reach),
            (covered(ago(5), Some(ago(16))), None, ago(16)),
            (None, Some(ahead), reach),
        ];
        for (covered, before, since) in cases {
            let window = Window::at(START, covered, presence(before));
            assert_eq!((window.since, window.until), (since, ago(1)), "{covered:?} {before:?}");
            assert!(!window.is_cut, "{covered:?} {before:?}");
        }
        let window = Window::at(START, covered(ago(90_000), Some(START.minus(DAY * 8))), presence(None));
        assert_eq!((window.since, window.until, window.is_cut), (reach, ago(1), true));
    }

    /// What a clock shows, over time: how long until it is asked again, and by how much it is set then, in seconds.
    fn steps() -> impl Strategy<Value = Vec<(u64, i64)>> {
        let pause = prop_oneof![5 => 60..4_000_u64, 1 => 4_000..6 * 86_400_u64];
        let set = prop_oneof![6 => Just(0), 1 => -3_000..3_000_i64, 1 => -200_000..200_000_i64];
        prop::collection::vec((pause, set), 1..30)
    }

    fn shifted(at: Moment, seconds: i64) -> Moment {
        Moment(at.0 + seconds * 1_000)
    }

    proptest! {
        #[test]
        fn nothing_is_left_out_whichever_way_the_clock_is_set_once_it_is_right_again(steps in steps()) {
            // The tracker's clock is right; ours is ahead of it by `off` seconds.
            let presence = Presence { before: Some(START), begun: START };
            let (mut now, mut off, mut covered) = (START, 0_i64, None);
            // Spans by the tracker's clock that were asked for, each as far as it could be told of.
            let (mut asked, mut is_cut) = (Vec::new(), false);
            for (pause, set) in steps.into_iter().map(Some).chain([None]).map(|step| step.unwrap_or((60, i64::MIN))) {
                let set = if set == i64::MIN { -off } else { set };
                // One that was far ahead is set back so far that it shows.
                let (pause, set) = match off {
                    3_000.. if (-60..0).contains(&set) => (60, 0),
                    3_000.. if set < 0 => (60, set),
                    _ => (pause, set),
                };
                now = now.plus(Duration::from_secs(pause));
                off += set;
                let window = Window::at(shifted(now, off), covered, presence);
                prop_assert!(window.since <= window.until);
                is_cut |= window.is_cut;
                asked.push((window.since, window.until.min(now)));
                covered = Some(Covered { begins: window.begins, up_to: Some(window.until) });
            }
            prop_assume!(!is_cut);
            let mut at = START.max(now.minus(REACH));
            while at < now.minus(SETTLE) {
                prop_assert!(asked.iter().any(|(since, until)| *since <= at && at < *until), "{at} {asked:?}");
                at = at.plus(MINUTE);
            }
        }

        #[test]
        fn windows_leave_no_gap_but_where_they_say_so(
            pauses in prop::collection::vec(0..15 * 86_400_u64, 1..30),
            before in prop::option::of(0..10 * 86_400_u64),
        ) {
            let presence = Presence { before: before.map(|s| START.minus(Duration::from_secs(s))), begun: START };
            let (mut now, mut known) = (START, None);
            let mut covered = presence.before.unwrap_or(START.minus(SETTLE));
            for pause in pauses {
                let window = Window::at(now, known, presence);
                prop_assert!(window.since <= window.until);
                prop_assert!(window.is_cut || window.since <= covered, "{window:?} {covered:?}");
                prop_assert!(window.since >= window.begins.min(START.minus(SETTLE)));
                prop_assert!(now.since(window.since) <= REACH);
                known = Some(Covered { begins: window.begins, up_to: Some(window.until) });
                covered = window.until.max(covered);
                now = now.plus(Duration::from_secs(pause));
            }
        }
    }
}
