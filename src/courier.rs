//! One courier for each destination: it takes what is due from the outbox to the platform, one message at a time.
//!
//! Nothing is kept in memory that the store does not know, but how long to leave a failing destination alone. A
//! courier that is dropped at any line loses nothing: what it had claimed counts as unclear at the next start.

mod backoff;
mod letter;
mod throttle;
mod trouble;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::clock::{Clock, Moment};
use crate::config::People;
use crate::delivery::{Outcome, REPEATS, Reason, Settlement, Verdict};
use crate::destination::{Client, Destination, Retry};
use crate::message::Mention;
use crate::name::DestinationName;
use crate::outbox::{Claim, Next, Outbox, Standing, StoreError};
use crate::template::{Telling, TemplateSet};

pub use letter::Letter;
pub use throttle::{Hold, Throttle};
use trouble::Trouble;

/// A courier looks for work at least this often, in case a wake-up was lost or the clock was set.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// A destination that is gone is tried again this rarely: platforms restrict senders that go on.
const GONE: Duration = Duration::from_hours(1);

/// No platform's wait is taken for longer than this.
const LONGEST_HOLD: Duration = Duration::from_hours(24);

/// After the store could not be asked, the pause before it is asked again.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// What every courier shares.
#[derive(Debug, Clone)]
pub struct Office {
    /// The durable line.
    pub outbox: Outbox,
    /// The way out.
    pub client: Client,
    /// Whom rules can mention.
    pub people: Arc<People>,
    /// What messages say.
    pub templates: TemplateSet,
    /// The time.
    pub clock: Clock,
}

/// The task that empties the outbox for one destination.
#[derive(Debug)]
pub struct Courier {
    office: Office,
    destination: Destination,
    throttle: Arc<Throttle>,
    hold: Hold,
    /// The holds of all destinations of the same platform, this one's among them.
    platform: Vec<(DestinationName, Hold)>,
    trouble: Trouble,
    wake: Arc<Notify>,
}

/// What one step of a courier came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// An attempt was made and settled.
    Settled(Outcome),
    /// There was nothing to do after all.
    Idle,
    /// It was told to stop.
    Stopped,
}

impl Courier {
    /// A courier for `destination`, which stood as `standing` says when the process before ended.
    pub fn new(
        office: Office,
        destination: Destination,
        throttle: Arc<Throttle>,
        hold: Hold,
        platform: Vec<(DestinationName, Hold)>,
        standing: &Standing,
    ) -> Self {
        if let Some(until) = standing.hold_until {
            // No hold is longer; one that seems to be comes from a clock that has been set back since.
            hold.extend(until.since(office.clock.now()).min(LONGEST_HOLD));
        }
        let wake = office.outbox.wake(&destination.name);
        if let Some(since) = standing.gone_since {
            tracing::warn!(
                destination = %destination.name,
                %since,
                "its webhook is gone: deliveries wait, and it is tried once an hour, until its address is mended"
            );
        }
        Self { office, destination, throttle, hold, platform, trouble: Trouble::default(), wake }
    }

    /// Works until told to stop. An attempt in hand is finished first.
    pub async fn run(mut self, stop: CancellationToken) {
        let span = tracing::info_span!("deliver", destination = %self.destination.name);
        async {
            loop {
                match self.step(&stop).await {
                    Ok(Step::Stopped) => return,
                    Ok(Step::Settled(_) | Step::Idle) => {}
                    // What was just posted cannot be written down: to go on would post it again and again.
                    Err(error @ (StoreError::Refused | StoreError::Stopped)) => {
                        tracing::error!(%error, "the courier stops");
                        return;
                    }
                    Err(error @ StoreError::Unavailable) => {
                        tracing::error!(%error, "deliveries wait for the store");
                        tokio::select! {
                            () = tokio::time::sleep(STORE_PAUSE) => {}
                            () = stop.cancelled() => return,
                        }
                    }
                }
            }
        }
        .instrument(span)
        .await;
    }

    /// One delivery's way from the outbox to the platform and back.
    pub async fn step(&mut self, stop: &CancellationToken) -> Result<Step, StoreError> {
        let Office { outbox, client, .. } = self.office.clone();
        if !self.wait_turn(stop).await? {
            return Ok(Step::Stopped);
        }
        let Some(claim) = outbox.claim(&self.destination.name, &self.destination.pace_group).await? else {
            return Ok(Step::Idle);
        };
        let claim = Arc::new(claim);
        let started = self.office.clock.now();
        let verdict = match self.compose(&claim).await {
            Some(body) => match client.post(&self.destination, body).await {
                Ok(reply) => self.destination.platform.judge(&reply),
                Err(verdict) => verdict,
            },
            None => Verdict::new(Outcome::Refused, Reason::Internal, "the message could not be composed"),
        };
        let outcome = verdict.outcome;
        self.settle(&claim, verdict, started).await?;
        Ok(Step::Settled(outcome))
    }

    /// Waits until something is due, no hold is in force and the pace has a turn; whether to go on.
    async fn wait_turn(&self, stop: &CancellationToken) -> Result<bool, StoreError> {
        loop {
            // What arrives between looking and waiting is not missed: `notify_one` keeps a permit for whoever waits next.
            let woken = self.wake.notified();
            let now = self.office.clock.now();
            let pause = match self.hold.left() {
                Some(left) => left,
                None => match self.office.outbox.next(&self.destination.name).await? {
                    Next::Due { urgent } => match self.throttle.turn(urgent) {
                        Ok(()) => return Ok(!stop.is_cancelled()),
                        Err(wait) => wait,
                    },
                    Next::At(at) => at.since(now),
                    Next::Nothing => LOOK_AGAIN,
                },
            };
            tokio::select! {
                () = woken => {}
                () = tokio::time::sleep(pause.clamp(Duration::from_millis(1), LOOK_AGAIN)) => {}
                () = stop.cancelled() => return Ok(false),
            }
        }
    }

    /// The request's body, made away from the threads that wait: a large event takes a while to read again. A defect
    /// of ours in it buries one delivery, not the courier.
    async fn compose(&self, claim: &Arc<Claim>) -> Option<Vec<u8>> {
        let (claim, mentions) = (Arc::clone(claim), self.mentions(claim));
        let (platform, templates) = (Arc::clone(&self.destination.platform), self.office.templates.clone());
        let now = self.office.clock.now();
        let composing = tokio::task::spawn_blocking(move || {
            let delivery = &claim.delivery;
            let letter = Letter {
                event: &claim.stored.read(),
                template: delivery.template.as_deref(),
                telling: Telling { id: delivery.event_id, repeat: delivery.may_be_a_repeat(), now },
                mentions: &mentions,
            };
            let body = if delivery.simplest {
                letter.simplest(&templates, &*platform)
            } else {
                letter.body(&templates, &*platform)
            };
            serde_json::to_vec(&body)
        });
        // A panic in it has been printed; it is an error here.
        composing.await.ok()?.ok()
    }

    /// Whom the rules mention. A name that has left the configuration since mentions nobody.
    fn mentions(&self, claim: &Claim) -> Vec<Mention> {
        claim.delivery.mentions.iter().filter_map(|name| self.office.people.find(name)).collect()
    }

    /// Writes down what came of an attempt, and leaves the destination alone for as long as that demands.
    async fn settle(&mut self, claim: &Claim, verdict: Verdict, started: Moment) -> Result<(), StoreError> {
        let now = self.office.clock.now();
        let dice = fastrand::f64();
        let Retry { give_up_after, .. } = self.destination.retry;
        let pause = pause(&self.destination.retry, claim, &verdict, dice);
        let settlement = claim.delivery.follow(&verdict, now, pause, give_up_after);
        let held = self.leave_alone(claim, &verdict, pause, dice);
        let rests = self.hold.left().unwrap_or_default().max(until(settlement, now));
        log(claim, &verdict, settlement, now.since(started), rests, self.trouble.is_down());
        let held = held.into_iter().map(|(name, span)| (name, now.plus(span))).collect();
        let overdue = self.trouble.is_down().then(|| now.minus(give_up_after));
        self.office.outbox.settle(claim, verdict, settlement, held, overdue).await
    }

    /// Sets the holds that `verdict` demands; those that a restart must keep are returned.
    fn leave_alone(
        &mut self,
        claim: &Claim,
        verdict: &Verdict,
        pause: Duration,
        dice: f64,
    ) -> Vec<(DestinationName, Duration)> {
        let own = |span: Duration| vec![(self.destination.name.clone(), span)];
        let holds = match verdict.outcome {
            Outcome::Wait(wait) => own(wait),
            Outcome::WaitEverywhere(wait) => {
                self.platform.iter().map(|(name, _)| (name.clone(), wait)).collect()
            }
            Outcome::Gone => own(GONE),
            Outcome::Delivered | Outcome::Refused => {
                self.trouble.is_over();
                verdict.rest.map(own).unwrap_or_default()
            }
            Outcome::Passing | Outcome::Unclear => {
                let failures = claim.delivery.failures + claim.delivery.unclear + 1;
                let retry = self.destination.retry;
                // Not for the store: after a restart one probe tells how things stand.
                if let Some(span) =
                    self.trouble.after_failure(claim.delivery.id, failures, pause, &retry, dice)
                {
                    self.hold.extend(span);
                }
                Vec::new()
            }
        };
        for (name, span) in &holds {
            self.platform.iter().filter(|(known, _)| known == name).for_each(|(_, hold)| hold.extend(*span));
        }
        holds
    }
}

fn pause(retry: &Retry, claim: &Claim, verdict: &Verdict, dice: f64) -> Duration {
    match verdict.outcome {
        Outcome::Unclear => backoff::after_unclear(retry, claim.delivery.unclear + 1, dice),
        _ => backoff::after_failure(retry, claim.delivery.failures + 1, dice),
    }
}

/// When an attempt that was found open is repeated, by the count of unclear results; nothing after the last.
pub fn repeat_interrupted(now: Moment, unclear: u32) -> Option<Moment> {
    let pause = || backoff::after_unclear(&Retry::default(), unclear, fastrand::f64());
    (unclear <= REPEATS).then(|| now.plus(pause()))
}

/// How long it is until a delivery is tried again.
fn until(settlement: Settlement, now: Moment) -> Duration {
    match settlement {
        Settlement::Again { at, .. } => at.since(now),
        Settlement::Delivered | Settlement::Simpler | Settlement::Dead(_) => Duration::ZERO,
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// One line for what came of an attempt, with everything needed to find it again and nothing secret.
fn log(
    claim: &Claim,
    verdict: &Verdict,
    settlement: Settlement,
    took: Duration,
    rests: Duration,
    down: bool,
) {
    macro_rules! line {
        ($level:ident, $message:literal) => {
            tracing::$level!(
                delivery.id = claim.delivery.id.0,
                event.id = %claim.delivery.event_id,
                outcome = verdict.outcome.as_str(),
                reason = verdict.reason.as_str(),
                status = verdict.status,
                words = %verdict.words,
                failures = claim.delivery.failures,
                unclear = claim.delivery.unclear,
                duration_ms = millis(took),
                next_in_ms = millis(rests),
                $message
            )
        };
    }
    match (settlement, verdict.outcome) {
        (Settlement::Delivered, _) => line!(info, "delivered"),
        (Settlement::Simpler, _) => {
            line!(warn, "the platform refuses the message; once more in its simplest form");
        }
        (Settlement::Dead(_), _) => line!(error, "given up: this delivery is a dead letter now"),
        (_, Outcome::Gone) => line!(error, "the webhook is gone: deliveries wait for a mended address"),
        (_, Outcome::Wait(_) | Outcome::WaitEverywhere(_)) => line!(warn, "the platform asks to wait"),
        _ if down => line!(warn, "the destination is down; trying on, ever more slowly"),
        _ => line!(warn, "not delivered yet; trying again"),
    }
}
