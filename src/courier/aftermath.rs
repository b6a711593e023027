//! What follows from an attempt: for the delivery, for those that its message tells of, and for the destination.

use std::time::Duration;

use super::diversion::Change;
use super::happening::{self, Settled};
use super::{Courier, GONE, backoff};
use crate::clock::Moment;
use crate::delivery::{Outcome, Reason, Settlement, Verdict, Wait};
use crate::destination::Retry;
use crate::flood::ErrorKey;
use crate::name::DestinationName;
use crate::outbox::{Claim, Ending, StoreError};

impl Courier {
    /// Writes down what came of an attempt, and leaves the destination alone for as long as that demands.
    pub(super) async fn settle(
        &mut self,
        claim: &Claim,
        verdict: Verdict,
        named: Vec<ErrorKey>,
        started: Moment,
    ) -> Result<(), StoreError> {
        let now = self.office.clock.now();
        let dice = fastrand::f64();
        let change = self.diversion.follow(&verdict, now);
        // What can go elsewhere is not given up.
        let give_up_after = match self.diversion.way(now) {
            Some(_) => Duration::MAX,
            None => self.destination.retry.give_up_after,
        };
        let pause = pause(&self.destination.retry, claim, &verdict, dice);
        let settlement = claim.delivery.follow(&verdict, now, pause, give_up_after);
        let was_down = self.trouble.is_down();
        let held = self.leave_alone(claim, &verdict, pause, dice);
        let down = self.trouble.is_down();
        let notice = happening::settled(Settled {
            metrics: &self.office.metrics,
            destination: &self.destination,
            claim,
            verdict: &verdict,
            settlement,
            took: now.since(started),
            rests: self.hold.left().unwrap_or_default().max(until(settlement, now)),
            down,
            newly_gone: change == Some(Change::Gone),
        });
        if let Some(Change::Works { since, went_to }) = change {
            let went_to = went_to.filter(|to| self.is_there(to));
            happening::works_again(&self.office.notices, &self.destination, since, went_to);
        }
        let held = held.into_iter().map(|(name, span)| (name, now.plus(span))).collect();
        let overdue = down.then(|| now.minus(give_up_after));
        let words = verdict.words.clone();
        let rests_until = self.hold.rest_left().map(|left| now.plus(left));
        let ending = Ending { verdict, settlement, holds: held, rests_until, overdue, named };
        let given_up = self.office.outbox.settle(&self.room, claim, ending).await?;
        let notices = &self.office.notices;
        if let Some(notice) = notice {
            notices.tell(notice);
        }
        happening::given_up(notices, &self.destination, Reason::GaveUp, words.clone(), given_up.of_others);
        let leads = claim.delivery.told.is_some() && is_final(settlement);
        for leader in leads.then_some(claim.delivery.id).into_iter().chain(given_up.leaders) {
            let folded = self.office.outbox.fold(leader).await?;
            if let Settlement::Dead(reason) = settlement {
                happening::given_up(notices, &self.destination, reason, words.clone(), folded.dead_of_others);
            }
        }
        if was_down && !down && self.trouble.may_let_go(now, &self.destination.retry) {
            // It was the destination's trouble, not theirs: what has failed meanwhile does not wait for a moment of its own.
            self.office.outbox.let_go(&self.destination.name).await?;
        }
        Ok(())
    }

    /// Whether there is such a destination; what was one may have left the configuration.
    fn is_there(&self, destination: &DestinationName) -> bool {
        self.office.live.load().holds.iter().any(|held| held.destination == *destination)
    }

    /// Leaves the destination alone for as long as `verdict` demands; what a platform has asked for is returned.
    fn leave_alone(
        &mut self,
        claim: &Claim,
        verdict: &Verdict,
        pause: Duration,
        dice: f64,
    ) -> Vec<(DestinationName, Duration)> {
        let own = |span: Duration| vec![(self.destination.name.clone(), span)];
        let live = self.office.live.load();
        let product = self.destination.platform.product();
        let holds = match verdict.outcome {
            Outcome::Wait(wait) => own(self.wait(wait, dice).0),
            Outcome::WaitEverywhere(wait) => {
                let (wait, untold) = self.wait(wait, dice);
                let same = live.holds.iter().filter(|held| held.product == product);
                same.inspect(|held| held.hold.share_untold(untold))
                    .map(|held| (held.destination.clone(), wait))
                    .collect()
            }
            // Whoever shuts us out asks for it.
            Outcome::Gone if verdict.reason == Reason::Banned => own(GONE),
            Outcome::Gone => {
                self.hold.rest(GONE);
                Vec::new()
            }
            Outcome::Delivered | Outcome::Refused => {
                self.trouble.is_over();
                self.hold.forget_untold();
                verdict.rest.map(own).unwrap_or_default()
            }
            Outcome::Passing | Outcome::Unclear => {
                let failures = claim.delivery.failures + claim.delivery.unclear + 1;
                let retry = self.destination.retry;
                let held = if self.diversion.way(self.office.clock.now()).is_some() {
                    Some(self.trouble.after_probe(&retry, dice))
                } else {
                    self.trouble.after_failure(claim.delivery.id, failures, pause, &retry, dice)
                };
                // After a restart one probe tells how things stand.
                if let Some(span) = held {
                    self.hold.rest(span);
                }
                Vec::new()
            }
        };
        for (name, span) in &holds {
            if *name == self.destination.name {
                // Its own, whatever the name may stand for since: the address may have been changed meanwhile.
                self.hold.extend(*span);
            } else {
                live.holds
                    .iter()
                    .filter(|held| held.destination == *name)
                    .for_each(|held| held.hold.extend(*span));
            }
        }
        holds
    }

    /// How long to wait for a platform that asks to, and how often in a row it has not said how long.
    fn wait(&self, wait: Wait, dice: f64) -> (Duration, u32) {
        let nth = match wait {
            Wait::Untold(_) => self.hold.count_untold(),
            Wait::Told(_) => {
                self.hold.forget_untold();
                0
            }
        };
        (backoff::after_wait(wait, nth, dice), nth)
    }
}

fn pause(retry: &Retry, claim: &Claim, verdict: &Verdict, dice: f64) -> Duration {
    match verdict.outcome {
        Outcome::Unclear => backoff::after_unclear(retry, claim.delivery.unclear + 1, dice),
        _ => backoff::after_failure(retry, claim.delivery.failures + 1, dice),
    }
}

/// Whether nothing more is tried.
fn is_final(settlement: Settlement) -> bool {
    matches!(settlement, Settlement::Delivered | Settlement::Dead(_))
}

/// How long it is until a delivery is tried again.
fn until(settlement: Settlement, now: Moment) -> Duration {
    match settlement {
        Settlement::Again { at, .. } => at.since(now),
        Settlement::Delivered | Settlement::Simpler | Settlement::Dead(_) => Duration::ZERO,
    }
}
