//! Tells what bugle has to say of itself: at most once of a kind in an hour, and never lost on the way.
//!
//! Whoever notices something hands it to [`Notices`], which neither waits nor fails. The [`Herald`] gathers it, and
//! when it may be told makes an event of it that is stored and delivered like any other. What happens while a kind may
//! not be told is told when its hour is over, in one message, unless it is over by itself before that.

mod restraint;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, Moment};
use crate::delivery::Reason;
use crate::destination::Destination;
use crate::event::{EventId, Identity, digest};
use crate::name::DestinationName;
use crate::notice::{self, Matter, Notice, Topic};
use crate::outbox::{Offer, Outbox, StoreError};
use crate::rule::{Routing, RuleSet};
use crate::source::{OWN, Own};

use restraint::{QUIET, Restraint};

/// How many notices may wait for the herald. Those that find no room stand in the log only.
const QUEUE: usize = 256;

/// The herald looks at the clock at least this often, in case it was set.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// After the store could not be asked, the pause before it is asked again.
const STORE_PAUSE: Duration = Duration::from_secs(5);

/// The way to the herald. Cloning it gives another handle on the same way.
#[derive(Debug, Clone)]
pub struct Notices {
    queue: Sender<Heard>,
    /// Where notices go, as the configuration has it.
    addressee: Arc<ArcSwapOption<DestinationName>>,
    clock: Clock,
}

/// What the herald is told.
#[derive(Debug)]
enum Heard {
    /// This has happened at that moment.
    Notice(Notice, Moment),
    /// This is over: what was not told yet need not be told.
    Over(Matter),
}

impl Notices {
    /// Hands `notice` over. Never waits, never fails.
    pub fn tell(&self, notice: Notice) {
        let heard = Heard::Notice(notice, self.clock.now());
        if let Err(TrySendError::Full(Heard::Notice(notice, _))) = self.queue.try_send(heard) {
            let (trigger, count) = (notice.topic().trigger(), notice.count());
            tracing::warn!(trigger, count, "too much to tell at once: of this nobody is told");
        }
    }

    /// Hands over that `count` deliveries were given up since nobody has mended their destination.
    pub fn tell_of_stranded(&self, count: u64) {
        if count > 0 {
            let (destination, example, words) = (None, None, String::new());
            self.tell(Notice::DeadLetters { destination, reason: Reason::Stranded, words, example, count });
        }
    }

    /// How much waits for the herald.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }

    /// Sends notices to `destination` from now on; to nobody, and into the log only, without one.
    pub fn send_to(&self, destination: Option<DestinationName>) {
        self.addressee.store(destination.map(Arc::new));
    }

    /// Says that `matter` is in order again.
    pub fn is_over(&self, matter: Matter) {
        // Without room for it something is told that is over by then.
        drop(self.queue.try_send(Heard::Over(matter)));
    }
}

/// The task that tells.
#[derive(Debug)]
pub struct Herald {
    outbox: Outbox,
    clock: Clock,
    arriving: Receiver<Heard>,
    notices: Notices,
    restraint: Restraint,
}

impl Herald {
    /// A herald that stores what it tells in `outbox`.
    pub fn new(outbox: Outbox, clock: Clock) -> Self {
        let (queue, arriving) = mpsc::channel(QUEUE);
        let notices = Notices { queue, addressee: Arc::default(), clock: clock.clone() };
        Self { outbox, clock, arriving, notices, restraint: Restraint::default() }
    }

    /// The way to this herald.
    pub fn notices(&self) -> Notices {
        self.notices.clone()
    }

    /// Gathers what the process before, which ended before `begun`, has told nobody of: dead letters, and which of
    /// `destinations` are gone.
    pub async fn recover(&mut self, begun: Moment, destinations: &[Destination]) {
        self.recover_dead_letters(begun).await;
        for destination in destinations {
            self.recover_gone(destination).await;
        }
    }

    /// Those since people were last told of any; if they never were, those of the last hour.
    async fn recover_dead_letters(&mut self, begun: Moment) {
        let topic = Topic::dead_letters();
        self.know(&topic).await;
        // A moment further ahead comes from a clock that has been set back since.
        let told_at = self.told_at(&topic).await.filter(|told_at| *told_at <= begun);
        let since = told_at.unwrap_or_else(|| begun.minus(QUIET));
        for (destination, reason, count) in self.outbox.dead_since(since).await.unwrap_or_default() {
            let (words, example) = (String::new(), None);
            let notice = Notice::DeadLetters { destination, reason, words, example, count };
            self.restraint.hear(notice, begun);
        }
    }

    /// Whether the webhook is gone, and nothing was told of any that is since then.
    async fn recover_gone(&mut self, Destination { name, address, fallback, .. }: &Destination) {
        let Ok(Some((since, words))) = self.outbox.gone(name, address.fingerprint()).await else { return };
        let fallback = fallback.as_ref().map(|fallback| fallback.to.clone());
        let notice = Notice::DestinationGone { destination: name.clone(), words, fallback };
        self.recall(notice, since).await;
    }

    /// Hears of `notice`, which the process before had noted at `since`, unless people were told of its topic since then.
    pub async fn recall(&mut self, notice: Notice, since: Moment) {
        let topic = notice.topic();
        if self.told_at(&topic).await.is_none_or(|told_at| told_at < since) {
            self.know(&topic).await;
            self.restraint.hear(notice, since);
        }
    }

    /// Works until told to stop. What was heard by then and may be told is stored first.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            let pause = match self.look().await {
                Ok(()) => self.restraint.pause(self.clock.now()).min(LOOK_AGAIN),
                Err(_) => STORE_PAUSE,
            };
            tokio::select! {
                heard = self.arriving.recv() => if let Some(heard) = heard { self.hear(heard).await },
                () = self.clock.sleep(pause) => {}
                () = stop.cancelled() => break,
            }
        }
        if let Err(error) = self.look().await {
            tracing::warn!(%error, "what was to be said of bugle itself stands in the log only");
        }
    }

    /// Hears whatever waits, and tells what may be told.
    async fn look(&mut self) -> Result<(), StoreError> {
        while let Ok(heard) = self.arriving.try_recv() {
            self.hear(heard).await;
        }
        for topic in self.restraint.due(self.clock.now()) {
            self.tell(&topic).await?;
        }
        Ok(())
    }

    async fn hear(&mut self, heard: Heard) {
        match heard {
            Heard::Notice(notice, at) => {
                self.know(&notice.topic()).await;
                self.restraint.hear(notice, at);
            }
            Heard::Over(matter) => self.restraint.forget(&matter),
        }
    }

    /// Learns from the store when `topic` was last told, so that a restart does not tell it again.
    async fn know(&mut self, topic: &Topic) {
        if !self.restraint.knows(topic) {
            let told_at = self.told_at(topic).await;
            self.restraint.remember(topic, told_at, self.clock.now());
        }
    }

    /// When `topic` was last told. If the store does not answer now, it is told once too often.
    async fn told_at(&self, topic: &Topic) -> Option<Moment> {
        self.outbox.last_seen(identity(topic)).await.ok().flatten()
    }

    async fn tell(&mut self, topic: &Topic) -> Result<(), StoreError> {
        let now = self.clock.now();
        let (bulletin, again) = self.restraint.bulletin(topic);
        let Some(to) = self.addressee(topic) else {
            tracing::debug!(trigger = topic.trigger(), "`notices_to` is not set: told in the log only");
            self.restraint.drop_gathered(topic);
            return Ok(());
        };
        let bulletin = bulletin.useful_at(&to);
        if bulletin.is_empty() {
            self.restraint.drop_gathered(topic);
            return Ok(());
        }
        let waiting = match bulletin.only_destination() {
            Some(destination) => self.outbox.waiting(destination).await.ok(),
            None => None,
        };
        let own = bulletin.tell(topic, again, waiting, now);
        let id = self.store(&own, topic, &to).await?;
        self.restraint.told(topic, now);
        tracing::info!(
            trigger = topic.trigger(),
            event.id = %id,
            destination = %to,
            count = bulletin.count(),
            "telling people that bugle is unwell"
        );
        Ok(())
    }

    /// To whom `topic` is told: whoever stands in for another is, whether or not anybody wants the rest.
    fn addressee(&self, topic: &Topic) -> Option<DestinationName> {
        let configured = || self.notices.addressee.load().as_deref().cloned();
        topic.addressee().cloned().or_else(configured)
    }

    /// Puts `own` behind the durable line, owed to `to` alone.
    async fn store(&self, own: &Own, topic: &Topic, to: &DestinationName) -> Result<EventId, StoreError> {
        let rules = self.outbox.keep_rules(&RuleSet::empty()).await?;
        let mut event = own.event();
        // Nothing counts as a second arrival; that it is kept says when this was told last.
        event.identity = Some(Identity { digest: identity(topic), within: Some(Duration::ZERO) });
        let routing = Routing { matched: Vec::new(), routes: vec![notice::route(&event, to)] };
        let accepted = self.outbox.accept(rules, vec![Offer { event, routing }], ()).await?;
        accepted.first().map(|accepted| accepted.id).ok_or(StoreError::Stopped)
    }
}

fn identity(topic: &Topic) -> [u8; 32] {
    digest(&[OWN, &topic.key()])
}

#[cfg(test)]
mod tests;
