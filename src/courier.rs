//! One courier for each destination: it takes what is due from the outbox to the platform, one message at a time.
//!
//! Nothing is kept in memory that the store does not know, but how long to leave a failing destination alone. A
//! courier that is dropped at any line loses nothing: what it had claimed counts as unclear at the next start.

mod backoff;
mod diversion;
mod happening;
mod letter;
mod throttle;
mod trouble;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::clock::{Clock, Moment};
use crate::config::People;
use crate::delivery::{Outcome, REPEATS, Reason, Settlement, Verdict, Wait};
use crate::destination::{Client, Destination, Retry};
use crate::herald::Notices;
use crate::message::Mention;
use crate::metrics::Metrics;
use crate::name::DestinationName;
use crate::outbox::{Claim, Diverted, Next, Outbox, StoreError};
use crate::template::{Telling, TemplateSet};

pub use letter::Letter;
pub use throttle::{Hold, Throttle};

use diversion::{Change, Diversion};
use happening::Settled;
use trouble::Trouble;

/// A courier looks for work at least this often, in case a wake-up was lost or the clock was set.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// A destination that is gone is tried again this rarely: platforms restrict senders that go on.
const GONE: Duration = Duration::from_hours(1);

/// After the store could not be asked, the pause before it is asked again.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// The pause after some of a queue has moved: more follows soon, but not at once, since whoever brings events waits for
/// the same store.
const NEXT_CHUNK: Duration = Duration::from_millis(5);

/// What every courier shares.
#[derive(Debug, Clone)]
pub struct Office {
    /// The durable line.
    pub outbox: Outbox,
    /// The way out.
    pub client: Client,
    /// What a reload of the configuration may change while couriers are at work.
    pub live: Arc<ArcSwap<Live>>,
    /// What is counted.
    pub metrics: Metrics,
    /// Where to say that something is wrong.
    pub notices: Notices,
    /// The time.
    pub clock: Clock,
}

/// What holds for all couriers until the configuration is read again.
#[derive(Debug, Clone)]
pub struct Live {
    /// Whom rules can mention.
    pub people: People,
    /// What messages say.
    pub templates: TemplateSet,
    /// The holds of all destinations: a platform may ask its sender to wait at every one of its own.
    pub holds: Vec<Held>,
}

/// A destination's hold, for all who may have to extend it.
#[derive(Debug, Clone)]
pub struct Held {
    /// Whose it is.
    pub destination: DestinationName,
    /// That destination's platform.
    pub product: &'static str,
    /// The hold.
    pub hold: Hold,
}

/// The task that empties the outbox for one destination.
#[derive(Debug)]
pub struct Courier {
    office: Office,
    destination: Destination,
    throttle: Arc<Throttle>,
    hold: Hold,
    trouble: Trouble,
    diversion: Diversion,
    wake: Arc<Notify>,
    /// When a person last said to try at once, as far as this courier has heard.
    resumed_at: Option<Moment>,
    is_suspended: bool,
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
    /// A courier for `destination`, which is left alone for as long as `hold` says.
    pub fn new(office: Office, destination: Destination, throttle: Arc<Throttle>, hold: Hold) -> Self {
        let wake = office.outbox.wake(&destination.name);
        let diversion = Diversion::new(destination.fallback.clone());
        let trouble = Trouble::default();
        let (resumed_at, is_suspended) = (None, false);
        Self { office, destination, throttle, hold, trouble, diversion, wake, resumed_at, is_suspended }
    }

    /// Works until told to stop. An attempt in hand is finished first.
    pub async fn run(mut self, stop: CancellationToken) {
        let span = tracing::info_span!("deliver", destination = %self.destination.name);
        async {
            let mut is_begun = false;
            loop {
                let came_to = if is_begun { self.step(&stop).await } else { self.begin(&stop).await };
                match came_to {
                    Ok(Step::Stopped) => return,
                    Ok(Step::Settled(_) | Step::Idle) => is_begun = true,
                    // What was just posted cannot be written down: to go on would post it again and again.
                    Err(error @ (StoreError::Refused | StoreError::Stopped)) => {
                        tracing::error!(%error, "the courier stops");
                        return;
                    }
                    // Nobody but a person can mend it, and has been told; the other couriers may get on.
                    Err(StoreError::Damaged) => return stop.cancelled().await,
                    Err(error @ StoreError::Unavailable) => {
                        tracing::error!(%error, "deliveries wait for the store");
                        tokio::select! {
                            () = self.office.clock.sleep(STORE_PAUSE) => {}
                            () = stop.cancelled() => return,
                        }
                    }
                }
            }
        }
        .instrument(span)
        .await;
    }

    /// Takes up the destination as the courier before has left it.
    async fn begin(&mut self, stop: &CancellationToken) -> Result<Step, StoreError> {
        if stop.is_cancelled() {
            return Ok(Step::Stopped);
        }
        let Destination { name, address, .. } = &self.destination;
        let standing = self.office.outbox.standing(name, address.fingerprint()).await?;
        let now = self.office.clock.now();
        if let Some(until) = standing.hold_until {
            // No hold is longer; one that seems to be comes from a clock that has been set back since.
            self.hold.extend(until.since(now).min(backoff::LONGEST_WAIT));
        }
        if let Some(until) = standing.rests_until {
            self.hold.rest(until.since(now).min(GONE));
        }
        self.resumed_at = standing.resumed_at;
        self.share_ban(now).await?;
        if let Some(since) = standing.gone_since {
            happening::found_gone(&self.destination, since);
        } else if let (Some(since), Some(fallback)) = (standing.diverting_since, &self.destination.fallback) {
            happening::found_diverted(&fallback.to, since);
        }
        self.diversion.take_up(&standing, now);
        Ok(Step::Idle)
    }

    /// A platform that has shut us out need not be asked at a new address, or at a destination that is new, whether it has.
    async fn share_ban(&self, now: Moment) -> Result<(), StoreError> {
        let shut_out = self.office.outbox.shut_out().await?;
        let live = self.office.live.load();
        let product = self.destination.platform.product();
        let is_same = |name: &DestinationName| {
            live.holds.iter().any(|held| held.destination == *name && held.product == product)
        };
        let until = shut_out.iter().filter(|(name, _)| is_same(name)).map(|(_, until)| *until).max();
        if let Some(until) = until.filter(|until| *until > now) {
            self.hold.extend(until.since(now).min(backoff::LONGEST_WAIT));
            happening::found_shut_out(until);
        }
        Ok(())
    }

    /// One delivery's way from the outbox to the platform and back.
    pub async fn step(&mut self, stop: &CancellationToken) -> Result<Step, StoreError> {
        let Office { outbox, client, .. } = self.office.clone();
        if !self.wait_turn(stop).await? {
            return Ok(Step::Stopped);
        }
        let Destination { name, pace_group, .. } = &self.destination;
        let claim = if self.trouble.is_down() {
            outbox.claim_probe(name, pace_group).await?
        } else {
            outbox.claim(name, pace_group).await?
        };
        let Some(claim) = claim else { return Ok(Step::Idle) };
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

    /// Waits until something is due, no hold is in force and the pace has a turn; whether to go on. What would have to
    /// wait here and is to go elsewhere goes now; so only what shows whether the destination works again is tried.
    async fn wait_turn(&mut self, stop: &CancellationToken) -> Result<bool, StoreError> {
        let wake = Arc::clone(&self.wake);
        loop {
            // What arrives between looking and waiting is not missed: `notify_one` keeps a permit for whoever waits next.
            let woken = wake.notified();
            let now = self.office.clock.now();
            let mut pause = match self.look().await? {
                Some(Next::Due { urgent }) => match self.throttle.turn(urgent) {
                    Ok(()) => return Ok(!stop.is_cancelled()),
                    Err(wait) => wait,
                },
                Some(Next::At(at)) => at.since(now),
                Some(Next::Nothing) => LOOK_AGAIN,
                None => self.hold.left().unwrap_or_default(),
            };
            if self.is_suspended {
                pause = LOOK_AGAIN;
            } else {
                self.divert(stop).await?;
                pause = self.diversion.begins_at(now).map_or(pause, |at| pause.min(at.since(now)));
            }
            tokio::select! {
                () = woken => {}
                () = self.office.clock.sleep(pause.clamp(Duration::from_millis(1), LOOK_AGAIN)) => {}
                () = stop.cancelled() => return Ok(false),
            }
        }
    }

    /// Looks for work, and at what people have decided since the last look. Nothing while the destination is held, or
    /// suspended.
    async fn look(&mut self) -> Result<Option<Next>, StoreError> {
        let (name, outbox) = (&self.destination.name, &self.office.outbox);
        let mut look = outbox.look(name, self.hold.left().is_some()).await?;
        if look.resumed_at != self.resumed_at {
            self.resumed_at = look.resumed_at;
            self.hold.end_rest();
            look = outbox.look(name, self.hold.left().is_some()).await?;
        }
        let was_suspended = std::mem::replace(&mut self.is_suspended, look.suspended_since.is_some());
        match look.suspended_since {
            Some(since) if !was_suspended => happening::suspended(since),
            None if was_suspended => happening::resumed(self.hold.left()),
            _ => {}
        }
        Ok(look.next)
    }

    /// Moves all that waits to the fallback, if that is how things stand.
    async fn divert(&mut self, stop: &CancellationToken) -> Result<(), StoreError> {
        let now = self.office.clock.now();
        let Some((to, why)) = self.diversion.way(now).map(|(to, why)| (to.clone(), why)) else {
            return Ok(());
        };
        let mut all = Diverted::default();
        let ended = loop {
            if stop.is_cancelled() {
                break Ok(());
            }
            match self.office.outbox.divert(&self.destination.name, &to, why).await {
                Ok(some) if some.is_nothing() => break Ok(()),
                Ok(some) => {
                    all = all.and(some);
                    let is_first = self.diversion.begin(&to);
                    happening::moved(&self.office, &self.destination, (&to, why), some, is_first);
                }
                Err(error) => break Err(error),
            }
            tokio::select! {
                () = self.office.clock.sleep(NEXT_CHUNK) => {}
                () = stop.cancelled() => {}
            }
        };
        if !all.is_nothing() {
            happening::all_moved(&to, why, all);
        }
        ended
    }

    /// The request's body, made away from the threads that wait: a large event takes a while to read again. A defect
    /// of ours in it buries one delivery, not the courier.
    async fn compose(&self, claim: &Arc<Claim>) -> Option<Vec<u8>> {
        let (event_id, mentions) = (claim.delivery.event_id, self.mentions(claim));
        let claim = Arc::clone(claim);
        let platform = Arc::clone(&self.destination.platform);
        let templates = self.office.live.load().templates.clone();
        let now = self.office.clock.now();
        let composing = tokio::task::spawn_blocking(move || {
            let delivery = &claim.delivery;
            let letter = Letter {
                event: &claim.stored.read(),
                template: delivery.template.as_deref(),
                telling: Telling {
                    id: delivery.event_id,
                    repeat: delivery.may_be_a_repeat(),
                    instead_of: delivery.instead_of.as_ref().map(DestinationName::as_str),
                    now,
                },
                mentions: &mentions,
            };
            let written = if delivery.simplest {
                letter.write_simplest(&templates, &*platform)
            } else {
                letter.write(&templates, &*platform)
            };
            serde_json::to_vec(&written.body).map(|body| (body, written.shortfalls))
        });
        // A panic in it has been printed; it is an error here.
        let (body, shortfalls) = composing.await.ok()?.ok()?;
        for shortfall in &shortfalls {
            happening::template_fell_short(&self.office.metrics, &self.destination, event_id, shortfall);
        }
        Some(body)
    }

    /// Whom the rules mention. A name that has left the configuration since mentions nobody.
    fn mentions(&self, claim: &Claim) -> Vec<Mention> {
        let live = self.office.live.load();
        claim.delivery.mentions.iter().filter_map(|name| live.people.find(name)).collect()
    }

    /// Writes down what came of an attempt, and leaves the destination alone for as long as that demands.
    async fn settle(&mut self, claim: &Claim, verdict: Verdict, started: Moment) -> Result<(), StoreError> {
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
        let given_up =
            self.office.outbox.settle(claim, verdict, settlement, held, rests_until, overdue).await?;
        if let Some(notice) = notice {
            self.office.notices.tell(notice);
        }
        happening::given_up(&self.office.notices, &self.destination, words, given_up);
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

/// When an attempt that was found open is repeated, by its destination's `retry` and the count of unclear results; nothing
/// after the last.
pub fn repeat_interrupted(retry: &Retry, now: Moment, unclear: u32) -> Option<Moment> {
    let pause = || backoff::after_unclear(retry, unclear, fastrand::f64());
    (unclear <= REPEATS).then(|| now.plus(pause()))
}

/// How long it is until a delivery is tried again.
fn until(settlement: Settlement, now: Moment) -> Duration {
    match settlement {
        Settlement::Again { at, .. } => at.since(now),
        Settlement::Delivered | Settlement::Simpler | Settlement::Dead(_) => Duration::ZERO,
    }
}
