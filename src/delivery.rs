//! A message owed to a destination: its attempts, how each ended, and what follows. Pure: no I/O, no clock.

use std::time::Duration;

use crate::clock::Moment;
use crate::event::EventId;
use crate::name::DestinationName;

/// The number of a delivery in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId(pub i64);

/// One message owed to one destination, claimed for an attempt.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Its number.
    pub id: DeliveryId,
    /// The event it tells of.
    pub event_id: EventId,
    /// Where it goes.
    pub destination: DestinationName,
    /// Whether it goes ahead of everything that waits.
    pub urgent: bool,
    /// Whom the rules mention: `here`, `channel`, or names from the configuration.
    pub mentions: Vec<String>,
    /// When the event was accepted.
    pub accepted_at: Moment,
    /// Passing failures so far.
    pub failures: u32,
    /// Unclear results so far.
    pub unclear: u32,
    /// The template that the rule asks for.
    pub template: Option<String>,
    /// Whether the platform has refused the message in full, so that it goes in its simplest form.
    pub simplest: bool,
    /// The destination that it was first meant for, if it has moved here from there.
    pub instead_of: Option<DestinationName>,
}

/// What an attempt leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settlement {
    /// The platform has the message.
    Delivered,
    /// It is tried again.
    Again {
        /// Not before this moment.
        at: Moment,
        /// Passing failures by then.
        failures: u32,
        /// Unclear results by then.
        unclear: u32,
    },
    /// It is tried once more at once, in its simplest form; nothing is counted.
    Simpler,
    /// It is given up: a dead letter, with its reason.
    Dead(Reason),
}

/// An unclear result is repeated at most this often: each time the message may already be there.
pub const REPEATS: u32 = 5;

/// A delivery is not given up before it has failed this often, however old it is.
const TRIES: u32 = 3;

impl Delivery {
    /// What follows from `verdict`, given `now`. A further attempt comes `pause` later; once the delivery is older
    /// than `give_up_after`, no further one is made.
    pub fn follow(
        &self,
        verdict: &Verdict,
        now: Moment,
        pause: Duration,
        give_up_after: Duration,
    ) -> Settlement {
        let deadline = self.accepted_at.plus(give_up_after);
        let (failures, unclear) = (self.failures, self.unclear);
        let again = |failures, unclear| {
            // What could not be tried before (bugle was down, its destination was gone) is tried a few times all the same.
            if now >= deadline && failures + unclear >= TRIES {
                Settlement::Dead(Reason::GaveUp)
            } else {
                let last = if now < deadline { deadline } else { Moment(i64::MAX) };
                Settlement::Again { at: now.plus(pause).min(last), failures, unclear }
            }
        };
        match verdict.outcome {
            Outcome::Delivered => Settlement::Delivered,
            // The destination as a whole waits; in its queue nothing changes places. One that is gone may be mended.
            Outcome::Wait(_) | Outcome::WaitEverywhere(_) | Outcome::Gone => {
                Settlement::Again { at: now, failures, unclear }
            }
            Outcome::Passing => again(failures + 1, unclear),
            Outcome::Unclear if unclear >= REPEATS => Settlement::Dead(Reason::UnclearTooOften),
            Outcome::Unclear => again(failures, unclear + 1),
            // The form may be at fault, not what it says. A simpler one than the simplest there is not.
            Outcome::Refused if !self.simplest && verdict.reason.is_about_form() => Settlement::Simpler,
            Outcome::Refused => Settlement::Dead(verdict.reason),
        }
    }

    /// Whether an earlier attempt may have reached the platform all the same.
    pub fn may_be_a_repeat(&self) -> bool {
        self.unclear > 0
    }
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The platform has the message.
    Delivered,
    /// The platform asks to wait; it took nothing. Uses up no attempt, and the whole destination waits.
    Wait(Duration),
    /// The platform asks its sender to wait at all of its destinations.
    WaitEverywhere(Duration),
    /// It failed and may succeed later.
    Passing,
    /// It may or may not have been posted.
    Unclear,
    /// The platform will never take this message.
    Refused,
    /// The destination itself is no more.
    Gone,
}

impl Outcome {
    /// The label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Wait(_) | Self::WaitEverywhere(_) => "wait",
            Self::Passing => "passing",
            Self::Unclear => "unclear",
            Self::Refused => "refused",
            Self::Gone => "gone",
        }
    }
}

/// Why, from a closed list: a label for metrics and listings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The platform took it.
    Ok,
    /// Too many requests.
    RateLimited,
    /// The platform's edge has shut us out for a while.
    Banned,
    /// The platform answered with a redirect, which is not followed.
    Redirected,
    /// The platform's own failure.
    ServerError,
    /// No connection could be made.
    Connect,
    /// No answer in time.
    Timeout,
    /// The connection broke before the answer.
    Broken,
    /// The answer could not be understood.
    UnreadableAnswer,
    /// An attempt was under way when the process ended.
    Interrupted,
    /// The platform calls the body malformed.
    InvalidPayload,
    /// The platform calls the message too long.
    TooLong,
    /// The platform's content filter stopped it.
    Blocked,
    /// The destination's settings on the platform do not allow it: a thread, a channel, a permission.
    Misconfigured,
    /// The webhook is not known, switched off, or its secret is wrong.
    WebhookGone,
    /// The channel is not there any more.
    ChannelGone,
    /// Refused with an answer that is not in the tables.
    OtherRefusal,
    /// It kept failing for longer than `give_up_after`.
    GaveUp,
    /// Too many unclear results.
    UnclearTooOften,
    /// Its destination was gone, or no longer configured, for as long as history is kept.
    Stranded,
    /// Its destination was gone: it has moved to the fallback.
    Gone,
    /// Its destination had been failing for too long: it has moved to the fallback.
    Failing,
    /// Its destination was gone or failing, and the fallback hears of the event anyway.
    Covered,
    /// A person has moved it to another destination.
    MovedByHand,
    /// A person has had it sent again after it was given up.
    Redriven,
    /// A defect of ours.
    Internal,
}

impl Reason {
    /// Those that an attempt or a dead letter can have.
    const ALL: [Self; 21] = [
        Self::Ok,
        Self::RateLimited,
        Self::Banned,
        Self::Redirected,
        Self::ServerError,
        Self::Connect,
        Self::Timeout,
        Self::Broken,
        Self::UnreadableAnswer,
        Self::Interrupted,
        Self::InvalidPayload,
        Self::TooLong,
        Self::Blocked,
        Self::Misconfigured,
        Self::WebhookGone,
        Self::ChannelGone,
        Self::OtherRefusal,
        Self::GaveUp,
        Self::UnclearTooOften,
        Self::Stranded,
        Self::Internal,
    ];

    /// The label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::RateLimited => "rate_limited",
            Self::Banned => "banned",
            Self::Redirected => "redirected",
            Self::ServerError => "server_error",
            Self::Connect => "connect",
            Self::Timeout => "timeout",
            Self::Broken => "broken",
            Self::UnreadableAnswer => "unreadable_answer",
            Self::Interrupted => "interrupted",
            Self::InvalidPayload => "invalid_payload",
            Self::TooLong => "too_long",
            Self::Blocked => "blocked",
            Self::Misconfigured => "misconfigured",
            Self::WebhookGone => "webhook_gone",
            Self::ChannelGone => "channel_gone",
            Self::OtherRefusal => "other_refusal",
            Self::GaveUp => "gave_up",
            Self::UnclearTooOften => "unclear",
            Self::Stranded => "stranded",
            Self::Gone => "gone",
            Self::Failing => "failing",
            Self::Covered => "covered",
            Self::MovedByHand => "moved_by_hand",
            Self::Redriven => "redriven",
            Self::Internal => "internal",
        }
    }

    /// The reason with this label, as it is stored.
    pub fn read(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == label)
    }

    /// Whether a refusal for this reason is one of the message's form, which another form may escape.
    fn is_about_form(self) -> bool {
        matches!(self, Self::InvalidPayload | Self::TooLong)
    }
}

/// What a platform's answer, or its absence, means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// How the attempt ended.
    pub outcome: Outcome,
    /// Why.
    pub reason: Reason,
    /// The HTTP status, where there was an answer.
    pub status: Option<u16>,
    /// The platform's own words, or ours where it said none; short, without the destination's address.
    pub words: String,
    /// The message's id on the platform, where it tells one.
    pub message_id: Option<String>,
    /// Although delivered: how long the platform asks this destination to rest.
    pub rest: Option<Duration>,
}

impl Verdict {
    /// A verdict with the platform's words.
    pub fn new(outcome: Outcome, reason: Reason, words: impl Into<String>) -> Self {
        Self { outcome, reason, status: None, words: words.into(), message_id: None, rest: None }
    }

    /// What it says of the destination, whatever it says of the message. Nothing if the platform asks to wait, or was
    /// never asked; that a destination is gone is more than failing.
    pub fn shows(&self) -> Option<Shown> {
        match self.outcome {
            Outcome::Passing | Outcome::Unclear => Some(Shown::Fails),
            Outcome::Refused if self.reason == Reason::Internal => None,
            Outcome::Delivered | Outcome::Refused => Some(Shown::Works),
            Outcome::Wait(_) | Outcome::WaitEverywhere(_) | Outcome::Gone => None,
        }
    }
}

/// What an answer, or its absence, shows of a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// It answers as it should: it takes messages, or looks at them and refuses.
    Works,
    /// It does not.
    Fails,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn delivery(failures: u32, unclear: u32) -> Delivery {
        Delivery {
            id: DeliveryId(1),
            event_id: EventId(1),
            destination: DestinationName::new("team").unwrap(),
            urgent: false,
            mentions: Vec::new(),
            accepted_at: Moment(0),
            failures,
            unclear,
            template: None,
            simplest: false,
            instead_of: None,
        }
    }

    fn follow(delivery: &Delivery, outcome: Outcome, now: i64) -> Settlement {
        let verdict = Verdict::new(outcome, Reason::ServerError, "");
        delivery.follow(&verdict, Moment(now), Duration::from_secs(1), Duration::from_mins(1))
    }

    #[test]
    fn each_outcome_leads_on() {
        let fresh = delivery(0, 0);
        let again = |at, failures, unclear| Settlement::Again { at: Moment(at), failures, unclear };
        assert_eq!(follow(&fresh, Outcome::Delivered, 10), Settlement::Delivered);
        assert_eq!(follow(&fresh, Outcome::Wait(Duration::from_secs(9)), 10), again(10, 0, 0));
        assert_eq!(follow(&fresh, Outcome::Passing, 10), again(1_010, 1, 0));
        assert_eq!(follow(&fresh, Outcome::Unclear, 10), again(1_010, 0, 1));
        assert_eq!(follow(&fresh, Outcome::Refused, 10), Settlement::Dead(Reason::ServerError));
        assert_eq!(follow(&fresh, Outcome::Gone, 90_000), again(90_000, 0, 0));
    }

    #[test]
    fn an_unclear_result_is_repeated_five_times() {
        assert!(matches!(
            follow(&delivery(0, 4), Outcome::Unclear, 10),
            Settlement::Again { unclear: 5, .. }
        ));
        assert_eq!(follow(&delivery(0, 5), Outcome::Unclear, 10), Settlement::Dead(Reason::UnclearTooOften));
    }

    #[test]
    fn the_last_attempt_comes_at_the_deadline_and_none_after() {
        let at_deadline = Settlement::Again { at: Moment(60_000), failures: 1, unclear: 0 };
        assert_eq!(follow(&delivery(0, 0), Outcome::Passing, 59_500), at_deadline);
        assert_eq!(follow(&delivery(9, 0), Outcome::Passing, 60_000), Settlement::Dead(Reason::GaveUp));
    }

    #[test]
    fn what_could_not_be_tried_in_time_is_tried_all_the_same() {
        let again = |at, failures| Settlement::Again { at: Moment(at), failures, unclear: 0 };
        assert_eq!(follow(&delivery(0, 0), Outcome::Passing, 90_000), again(91_000, 1));
        assert_eq!(follow(&delivery(1, 0), Outcome::Passing, 91_000), again(92_000, 2));
        assert_eq!(follow(&delivery(2, 0), Outcome::Passing, 92_000), Settlement::Dead(Reason::GaveUp));
        assert_eq!(follow(&delivery(9, 0), Outcome::Wait(Duration::from_secs(1)), 99_000), again(99_000, 9));
    }

    #[test]
    fn a_form_that_is_refused_gets_one_more_try_in_the_simplest_however_old_it_is() {
        let late = Moment(200_000);
        for (reason, about_form) in [
            (Reason::InvalidPayload, true),
            (Reason::TooLong, true),
            (Reason::Blocked, false),
            (Reason::Internal, false),
        ] {
            let refused = Verdict::new(Outcome::Refused, reason, "words");
            let follow = |delivery: &Delivery| {
                delivery.follow(&refused, late, Duration::from_secs(1), Duration::from_mins(1))
            };
            let full = delivery(9, 2);
            let expected = if about_form { Settlement::Simpler } else { Settlement::Dead(reason) };
            assert_eq!(follow(&full), expected, "{reason:?}");
            assert_eq!(follow(&Delivery { simplest: true, ..full }), Settlement::Dead(reason), "{reason:?}");
        }
    }

    /// What the store makes of `delivery` by `settlement`; nothing once it has ended.
    fn next(delivery: Delivery, settlement: Settlement) -> Option<Delivery> {
        match settlement {
            Settlement::Again { failures, unclear, .. } => Some(Delivery { failures, unclear, ..delivery }),
            Settlement::Simpler => Some(Delivery { simplest: true, ..delivery }),
            Settlement::Delivered | Settlement::Dead(_) => None,
        }
    }

    fn any_verdict() -> impl Strategy<Value = Verdict> {
        let outcomes = vec![
            Outcome::Delivered,
            Outcome::Wait(Duration::ZERO),
            Outcome::WaitEverywhere(Duration::MAX),
            Outcome::Passing,
            Outcome::Unclear,
            Outcome::Refused,
            Outcome::Gone,
        ];
        let reasons = vec![Reason::InvalidPayload, Reason::TooLong, Reason::Blocked, Reason::ServerError];
        (prop::sample::select(outcomes), prop::sample::select(reasons))
            .prop_map(|(outcome, reason)| Verdict::new(outcome, reason, ""))
    }

    proptest! {
        #[test]
        fn every_delivery_has_a_next_step_or_an_end(
            failures in 0_u32..1_000, unclear in 0_u32..10, simplest: bool, now in 0_i64..200_000,
            verdict in any_verdict(),
        ) {
            let delivery = Delivery { simplest, ..delivery(failures, unclear) };
            let (second, minute) = (Duration::from_secs(1), Duration::from_mins(1));
            match delivery.follow(&verdict, Moment(now), second, minute) {
                Settlement::Again { at, .. } => prop_assert!(at >= Moment(now)),
                Settlement::Simpler => {
                    prop_assert!(!simplest && verdict.outcome == Outcome::Refused);
                }
                Settlement::Delivered => prop_assert_eq!(verdict.outcome, Outcome::Delivered),
                Settlement::Dead(_) => {}
            }
        }

        #[test]
        fn whatever_happens_a_message_is_refused_at_most_twice(
            verdicts in prop::collection::vec(any_verdict(), 0..60),
        ) {
            let (mut refusals, mut simpler) = (0, 0);
            let mut delivery = Some(delivery(0, 0));
            for (second, verdict) in (0_i64..).zip(verdicts) {
                let Some(waiting) = delivery else { break };
                refusals += u32::from(verdict.outcome == Outcome::Refused);
                let now = Moment(second * 1_000);
                let settlement = waiting.follow(&verdict, now, Duration::from_secs(1), Duration::from_mins(1));
                simpler += u32::from(settlement == Settlement::Simpler);
                delivery = next(waiting, settlement);
            }
            prop_assert!(simpler <= 1 && refusals <= 2);
            prop_assert!(refusals < 2 || delivery.is_none(), "the second refusal is the end");
        }
    }
}
