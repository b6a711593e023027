//! Whether what waits for a destination is to go to its fallback. Pure.
//!
//! It is while the destination is gone, and once it has been failing for as long as the configuration allows, until it
//! works again. A platform that asks to wait has not failed: while it does, nothing begins.

use crate::clock::Moment;
use crate::delivery::{Outcome, Reason, Shown, Verdict};
use crate::destination::Fallback;
use crate::name::DestinationName;
use crate::outbox::Standing;

/// How a destination fares, as its answers tell, and where its deliveries go meanwhile.
#[derive(Debug)]
pub(super) struct Diversion {
    fallback: Option<Fallback>,
    gone_since: Option<Moment>,
    failing_since: Option<Moment>,
    /// Since when it had been so at an address that it has no more, until it works at the new one.
    mended: Option<Moment>,
    asked_to_wait: bool,
    /// Something has moved since it is gone or fails.
    begun: bool,
    /// Where to, last; until it works again.
    went_to: Option<DestinationName>,
}

/// What an answer changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// The webhook is gone, as it was not before.
    Gone,
    /// It works, as it had not.
    Works {
        /// Since when, as far as that is known.
        since: Option<Moment>,
        /// Where its deliveries went meanwhile, if they did.
        went_to: Option<DestinationName>,
    },
}

impl Diversion {
    /// For a destination of which nothing is known yet.
    pub(super) fn new(fallback: Option<Fallback>) -> Self {
        Self {
            fallback,
            gone_since: None,
            failing_since: None,
            mended: None,
            asked_to_wait: false,
            begun: false,
            went_to: None,
        }
    }

    /// Takes up what the courier before has left.
    pub(super) fn take_up(&mut self, standing: &Standing, now: Moment) {
        self.gone_since = standing.gone_since;
        self.failing_since = standing.failing_since;
        self.mended = standing.mended;
        self.begun = standing.diverting_since.is_some();
        self.went_to.clone_from(&standing.diverted_to);
        // What is stored of holds, a platform has asked for; or the destination is gone, which counts anyway.
        self.asked_to_wait = !self.begun && standing.hold_until.is_some_and(|until| until > now);
    }

    /// What follows from an answer.
    pub(super) fn follow(&mut self, verdict: &Verdict, now: Moment) -> Option<Change> {
        let was_gone = self.gone_since.is_some();
        let since = self.gone_since.or(self.failing_since.filter(|_| self.begun)).or(self.mended);
        let shows = verdict.shows();
        match shows {
            Some(Shown::Works) => self.failing_since = None,
            Some(Shown::Fails) => self.failing_since = Some(self.failing_since.unwrap_or(now).min(now)),
            None => {}
        }
        match verdict.outcome {
            Outcome::Gone => self.gone_since = self.gone_since.or(Some(now)),
            Outcome::Delivered => self.gone_since = None,
            _ => {}
        }
        // Once it has begun it goes on: nothing has been taken since.
        let waits = matches!(verdict.outcome, Outcome::Wait(_) | Outcome::WaitEverywhere(_));
        self.asked_to_wait = waits && !self.begun;
        if self.gone_since.is_some() {
            return (!was_gone).then_some(Change::Gone);
        }
        if shows != Some(Shown::Works) {
            return None;
        }
        self.mended = None;
        self.begun = false;
        let went_to = self.went_to.take();
        (since.is_some() || went_to.is_some()).then_some(Change::Works { since, went_to })
    }

    /// Where deliveries go now, and why, if not to the destination itself.
    pub(super) fn way(&self, now: Moment) -> Option<(&DestinationName, Reason)> {
        let fallback = self.fallback.as_ref()?;
        let why = match self.gone_since {
            Some(_) => Reason::Gone,
            None if self.has_failed_for_long(fallback, now) => Reason::Failing,
            None => return None,
        };
        Some((&fallback.to, why))
    }

    /// When deliveries are to take another way, if they do not yet and nothing changes until then.
    pub(super) fn begins_at(&self, now: Moment) -> Option<Moment> {
        let since = self.failing_since.filter(|_| !self.asked_to_wait && self.way(now).is_none())?;
        Some(since.plus(self.fallback.as_ref()?.after))
    }

    /// Something has moved to `to`; whether it is the first since things are as they are.
    pub(super) fn begin(&mut self, to: &DestinationName) -> bool {
        let goes_on = std::mem::replace(&mut self.begun, true) && self.went_to.as_ref() == Some(to);
        self.went_to = Some(to.clone());
        !goes_on
    }

    fn has_failed_for_long(&self, fallback: &Fallback, now: Moment) -> bool {
        let for_long = |since| self.begun || now.since(since) >= fallback.after;
        !self.asked_to_wait && self.failing_since.is_some_and(for_long)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::delivery::Wait;

    const MINUTE: i64 = 60_000;

    fn other() -> DestinationName {
        DestinationName::new("other").unwrap()
    }

    fn diversion() -> Diversion {
        Diversion::new(Some(Fallback { to: other(), after: Duration::from_mins(15) }))
    }

    fn verdict(outcome: Outcome) -> Verdict {
        Verdict::new(outcome, Reason::ServerError, "")
    }

    fn works(minutes: i64, went_to: Option<&str>) -> Change {
        let went_to = went_to.map(|name| DestinationName::new(name).unwrap());
        Change::Works { since: Some(Moment(minutes * MINUTE)), went_to }
    }

    /// What each answer, so many minutes after the start, changes, and whether deliveries go elsewhere after it.
    fn story(diversion: &mut Diversion, answers: &[(i64, Outcome)]) -> Vec<(Option<Change>, Option<Reason>)> {
        let told = answers.iter().map(|(minutes, outcome)| {
            let now = Moment(minutes * MINUTE);
            let change = diversion.follow(&verdict(*outcome), now);
            (change, diversion.way(now).map(|(_, why)| why))
        });
        told.collect()
    }

    const WAIT: Outcome = Outcome::Wait(Wait::Told(Duration::from_secs(1)));

    #[test]
    fn it_begins_when_the_destination_is_gone_and_ends_with_the_first_message_that_it_takes() {
        let told = story(
            &mut diversion(),
            &[
                (1, Outcome::Gone),
                (2, Outcome::Gone),
                (3, Outcome::Passing),
                (4, WAIT),
                (5, Outcome::Delivered),
            ],
        );
        let gone = Some(Reason::Gone);
        assert_eq!(
            told,
            [
                (Some(Change::Gone), gone),
                (None, gone),
                (None, gone),
                (None, gone),
                (Some(works(1, None)), None)
            ]
        );
    }

    #[test]
    fn it_begins_when_nothing_but_failures_came_for_long_enough() {
        for works in [Outcome::Delivered, Outcome::Refused] {
            let mut diversion = diversion();
            let answers = [
                (0, Outcome::Passing),
                (14, works),
                (15, Outcome::Unclear),
                (29, Outcome::Passing),
                (30, Outcome::Passing),
            ];
            let told = story(&mut diversion, &answers);
            let failing = (None, Some(Reason::Failing));
            assert_eq!(told, [(None, None), (None, None), (None, None), (None, None), failing], "{works:?}");
            assert!(diversion.begin(&other()));
            assert_eq!(story(&mut diversion, &[(31, works)]), [(Some(self::works(15, Some("other"))), None)]);
            assert_eq!(story(&mut diversion, &[(32, works)]), [(None, None)]);
        }
    }

    #[test]
    fn a_platform_that_asks_to_wait_has_not_failed() {
        let mut diversion = diversion();
        let told = story(&mut diversion, &[(0, Outcome::Passing), (1, WAIT), (20, WAIT)]);
        assert_eq!(told, [(None, None), (None, None), (None, None)]);
        assert_eq!(diversion.begins_at(Moment(20 * MINUTE)), None);
        assert_eq!(diversion.way(Moment(60 * MINUTE)), None);
        let told = story(&mut diversion, &[(61, Outcome::Passing), (62, WAIT)]);
        assert_eq!(told, [(None, Some(Reason::Failing)), (None, None)], "nothing had moved yet");
        story(&mut diversion, &[(63, Outcome::Passing)]);
        assert!(diversion.begin(&other()) && !diversion.begin(&other()));
        let told = story(&mut diversion, &[(64, WAIT)]);
        assert_eq!(told, [(None, Some(Reason::Failing))], "what has begun goes on");
    }

    #[test]
    fn it_begins_by_itself_when_the_time_has_come() {
        let mut diversion = diversion();
        assert_eq!(diversion.begins_at(Moment(0)), None);
        story(&mut diversion, &[(5, Outcome::Unclear)]);
        let (begins, before) = (Moment(20 * MINUTE), Moment(20 * MINUTE - 1));
        for now in [Moment(5 * MINUTE), before] {
            assert_eq!((diversion.begins_at(now), diversion.way(now)), (Some(begins), None));
        }
        // Whether or not anything waits that could move: there is nothing ahead to wake up for.
        for now in [begins, Moment(90 * MINUTE)] {
            assert_eq!(diversion.begins_at(now), None);
            assert!(diversion.way(now).is_some());
        }
    }

    #[test]
    fn a_defect_of_ours_says_nothing_of_the_destination() {
        let mut diversion = diversion();
        story(&mut diversion, &[(0, Outcome::Passing)]);
        let defect = Verdict::new(Outcome::Refused, Reason::Internal, "");
        diversion.follow(&defect, Moment(MINUTE));
        assert!(diversion.way(Moment(15 * MINUTE)).is_some());
    }

    #[test]
    fn it_goes_on_where_the_process_before_has_left_it() {
        let now = Moment(60 * MINUTE);
        let standing = |hold_until, gone_since, failing_since, diverting_since: Option<Moment>| {
            let diverted_to = diverting_since.map(|_| other());
            Standing {
                hold_until,
                gone_since,
                failing_since,
                diverting_since,
                diverted_to,
                ..Standing::default()
            }
        };
        let (early, late, later) = (Some(Moment(0)), Some(Moment(50 * MINUTE)), Some(Moment(70 * MINUTE)));
        for (standing, expected) in [
            (standing(None, None, None, None), None),
            (standing(later, early, None, None), Some(Reason::Gone)),
            (standing(None, None, early, None), Some(Reason::Failing)),
            (standing(None, None, late, None), None),
            (standing(later, None, early, None), None),
            (standing(late, None, early, None), Some(Reason::Failing)),
            // What has begun goes on, whatever was asked for or configured since.
            (standing(later, None, early, early), Some(Reason::Failing)),
            (standing(None, None, late, late), Some(Reason::Failing)),
        ] {
            let mut diversion = diversion();
            diversion.take_up(&standing, now);
            assert_eq!(diversion.way(now).map(|(_, why)| why), expected, "{standing:?}");
            assert_eq!(diversion.begin(&other()), standing.diverting_since.is_none(), "{standing:?}");
            assert!(diversion.begin(&DestinationName::new("another").unwrap()), "it has to be told, too");
        }
    }

    #[test]
    fn that_it_works_again_is_no_news_where_nothing_has_moved() {
        let told = story(&mut diversion(), &[(0, Outcome::Passing), (20, Outcome::Delivered)]);
        assert_eq!(told, [(None, None), (None, None)]);
    }

    #[test]
    fn at_a_new_address_it_starts_afresh_and_it_is_known_that_it_was_gone() {
        let unknown = Change::Works { since: None, went_to: Some(other()) };
        for (mended, diverted_to, expected) in [
            (Some(Moment(0)), None, works(0, None)),
            (Some(Moment(0)), Some(other()), works(0, Some("other"))),
            // After another restart.
            (None, Some(other()), unknown),
        ] {
            let mut diversion = diversion();
            let standing = Standing { diverted_to, mended, ..Standing::default() };
            diversion.take_up(&standing, Moment(60 * MINUTE));
            let told = story(&mut diversion, &[(60, Outcome::Passing), (61, WAIT), (62, Outcome::Refused)]);
            assert_eq!(told, [(None, None), (None, None), (Some(expected), None)], "{standing:?}");
            assert_eq!(story(&mut diversion, &[(63, Outcome::Delivered)]), [(None, None)], "once");
        }
    }

    #[test]
    fn without_a_fallback_nothing_goes_elsewhere_but_being_gone_is_told() {
        let mut alone = Diversion::new(None);
        let told = story(&mut alone, &[(0, Outcome::Passing), (60, Outcome::Delivered), (61, Outcome::Gone)]);
        assert_eq!(told, [(None, None), (None, None), (Some(Change::Gone), None)]);
        let told = story(&mut alone, &[(62, Outcome::Delivered)]);
        assert_eq!(told, [(Some(works(61, None)), None)]);
        assert_eq!(alone.begins_at(Moment(0)), None);
    }
}
