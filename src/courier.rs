//! One courier for each destination: it takes what is due from the outbox to the platform, one message at a time.
//!
//! Nothing is kept in memory that the store does not know, but how long to leave a failing destination alone. A
//! courier that is dropped at any line loses nothing: what it had claimed counts as unclear at the next start.

mod aftermath;
mod backoff;
mod compose;
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
use crate::delivery::{Outcome, REPEATS, Reason, Verdict};
use crate::destination::{Client, Destination, Retry};
use crate::flood::Told;
use crate::herald::Notices;
use crate::metrics::Metrics;
use crate::name::DestinationName;
use crate::outbox::{Claim, Diverted, Next, Outbox, Pick, Room, StoreError, Turn, What};
use crate::template::TemplateSet;

pub use letter::{Letter, Roundup};
pub use throttle::{Hold, Throttle};

use diversion::Diversion;
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
    room: Room,
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
        let Destination { name, pace_group, flood, .. } = &destination;
        let room = Room { name: name.clone(), pace_group: pace_group.clone(), flood: *flood };
        Self { office, destination, room, throttle, hold, trouble, diversion, wake, resumed_at, is_suspended }
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
        let Some(turn) = self.wait_turn(stop).await? else { return Ok(Step::Stopped) };
        let Some(claim) = self.claim(turn).await? else { return Ok(Step::Idle) };
        let claim = Arc::new(claim);
        let started = self.office.clock.now();
        let Some(composed) = self.compose(&claim, stop).await? else { return Ok(Step::Stopped) };
        let verdict = match composed.body {
            Some(body) => match self.office.client.post(&self.destination, body).await {
                Ok(reply) => self.destination.platform.judge(&reply),
                Err(verdict) => verdict,
            },
            None => Verdict::new(Outcome::Refused, Reason::Internal, "the message could not be composed"),
        };
        let outcome = verdict.outcome;
        self.settle(&claim, verdict, composed.named, started).await?;
        Ok(Step::Settled(outcome))
    }

    /// Waits until something is due, no hold is in force and the pace has a turn; nothing, if it is told to stop. What would
    /// have to wait here and is to go elsewhere goes now; so only what shows whether the destination works again is tried.
    async fn wait_turn(&mut self, stop: &CancellationToken) -> Result<Option<Turn>, StoreError> {
        let wake = Arc::clone(&self.wake);
        loop {
            // What arrives between looking and waiting is not missed: `notify_one` keeps a permit for whoever waits next.
            let woken = wake.notified();
            let now = self.office.clock.now();
            let mut pause = match self.look().await? {
                Some(Next::Due(turn)) => match self.throttle.turn(turn.urgent) {
                    Ok(()) => return Ok((!stop.is_cancelled()).then_some(turn)),
                    Err(wait) => wait,
                },
                Some(Next::Covered) => {
                    self.office.outbox.collapse(&self.room.name).await?;
                    continue;
                }
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
                () = stop.cancelled() => return Ok(None),
            }
        }
    }

    /// Looks for work, and at what people have decided since the last look. Nothing while the destination is held, or
    /// suspended.
    async fn look(&mut self) -> Result<Option<Next>, StoreError> {
        let (room, outbox) = (&self.room, &self.office.outbox);
        let mut look = outbox.look(room, self.hold.left().is_some()).await?;
        if look.resumed_at != self.resumed_at {
            self.resumed_at = look.resumed_at;
            self.hold.end_rest();
            look = outbox.look(room, self.hold.left().is_some()).await?;
        }
        let was_suspended = std::mem::replace(&mut self.is_suspended, look.suspended_since.is_some());
        match look.suspended_since {
            Some(since) if !was_suspended => happening::suspended(since),
            None if was_suspended => happening::resumed(self.hold.left()),
            _ => {}
        }
        Ok(look.next)
    }

    /// Takes what the turn is for. Whether a destination works again is tried with single messages: what has been gathered
    /// stays together for good.
    async fn claim(&self, turn: Turn) -> Result<Option<Claim>, StoreError> {
        let (room, outbox) = (&self.room, &self.office.outbox);
        let is_down = self.trouble.is_down();
        let pick = match turn.what {
            What::Many(told) if !is_down || told == Told::More => {
                let Some(leader) = outbox.gather(room, told, turn.urgent).await? else { return Ok(None) };
                Pick::This(leader)
            }
            What::One(delivery) if !is_down => Pick::This(delivery),
            What::One(_) | What::Many(_) => Pick::LeastTried,
        };
        outbox.claim(room, pick).await
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
}

/// When an attempt that was found open is repeated, by its destination's `retry` and the count of unclear results; nothing
/// after the last.
pub fn repeat_interrupted(retry: &Retry, now: Moment, unclear: u32) -> Option<Moment> {
    let pause = || backoff::after_unclear(retry, unclear, fastrand::f64());
    (unclear <= REPEATS).then(|| now.plus(pause()))
}
