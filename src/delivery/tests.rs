//! What follows from each outcome, told case by case, and what must always hold.

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
        told: None,
        error: None,
        tells_again: false,
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
    assert_eq!(follow(&fresh, Outcome::Wait(Wait::Told(Duration::from_secs(9))), 10), again(10, 0, 0));
    assert_eq!(follow(&fresh, Outcome::Passing, 10), again(1_010, 1, 0));
    assert_eq!(follow(&fresh, Outcome::Unclear, 10), again(1_010, 0, 1));
    assert_eq!(follow(&fresh, Outcome::Refused, 10), Settlement::Dead(Reason::ServerError));
    assert_eq!(follow(&fresh, Outcome::Gone, 90_000), again(90_000, 0, 0));
}

#[test]
fn an_unclear_result_is_repeated_five_times() {
    assert!(matches!(follow(&delivery(0, 4), Outcome::Unclear, 10), Settlement::Again { unclear: 5, .. }));
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
    assert_eq!(
        follow(&delivery(9, 0), Outcome::Wait(Wait::Untold(Duration::from_secs(1))), 99_000),
        again(99_000, 9)
    );
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
        Outcome::Wait(Wait::Told(Duration::ZERO)),
        Outcome::WaitEverywhere(Wait::Untold(Duration::MAX)),
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
