//! Asking about one application or project: from the window to what is written down at the end.

use std::time::Duration;

use super::Asker;
use super::window::{Covered, OVERLAP, Presence, SETTLE, Window};
use crate::api::{ApiError, Found, KnownBy, Listing, Wanted};
use crate::clock::Moment;
use crate::event::{Event, Identity, UNREADABLE};
use crate::outbox::{Asked, CatchUpRecord, FoundRecord, Known, Sought, StoreError};

/// What came of it.
#[derive(Debug)]
pub(super) struct Answer {
    /// What was new; nothing: nothing was.
    pub(super) found: Option<FoundRecord>,
    /// Whether the tracker has more to tell than was read, which it had not lately.
    pub(super) is_cut: bool,
    /// How much of it could not be read, and was left out.
    pub(super) unread: usize,
}

/// Why nothing came of it.
#[derive(Debug)]
pub(super) enum Obstacle {
    /// The tracker does not tell; and from when on it was asked.
    Api(ApiError, Moment),
    /// The store cannot be asked or written now, or the source is about to go.
    Store,
}

impl From<StoreError> for Obstacle {
    fn from(_: StoreError) -> Self {
        Self::Store
    }
}

/// So many of what is new are asked about once more, one by one, for all that the tracker has of them: the oldest, since
/// those become messages of their own before the rest is told in a digest.
const DETAILS: usize = 20;

/// So long all of that may take: what is new waits for it.
const DETAILS_TIME: Duration = Duration::from_secs(20);

/// So many are read before others have their turn.
const AT_ONCE: usize = 100;

/// That a tracker has more to tell than is read is said once in so long a time.
const CUT_TOLD: Duration = Duration::from_hours(24);

/// Something that happened, as the tracker tells it and as it is read here.
struct Heard {
    found: Found,
    event: Event,
}

/// All that was heard, as far as it is to be told of.
struct Sifted {
    /// What is not here yet.
    new: Vec<Heard>,
    /// What an earlier time of asking has taken in, which ended before that was noted.
    unnoted: Vec<Heard>,
}

impl Asker {
    /// Asks for what has happened to `subject`, takes in what is new, and writes down how far that was.
    pub(super) async fn ask_about(
        &self,
        subject: &str,
        triggers: &[&'static str],
        presence: Presence,
    ) -> Result<Answer, Obstacle> {
        let source = &self.api.source;
        let before = self.session.requests();
        let (record, states) = self.outbox.asked_before(source, subject).await?;
        let window = Window::at(self.clock.now(), record.as_ref().map(covered), presence);
        if window.is_cut {
            let since = window.since.to_string();
            tracing::warn!(%source, subject, since, "what happened before lies too far back to be asked for");
        }
        let Window { begins, since, until, .. } = window;
        let asked = self.session.list(Wanted { subject, since, until, triggers, states: &states }).await;
        let Listing { found, states, is_cut, unread, remark } =
            asked.map_err(|error| Obstacle::Api(error, window.begins))?;
        let remark = remark.unwrap_or_default();
        let listed = found.len();
        let (heard, unreadable) = self.read(found).await?;
        let noted_at = record.as_ref().and_then(|record| record.done_at);
        let Sifted { new, mut unnoted } = self.sift(heard, noted_at).await?;
        let new = self.complete(subject, new).await;
        // A webhook may have come meanwhile.
        let Sifted { new, unnoted: more } = self.sift(new, noted_at).await?;
        unnoted.extend(more);
        let found = self.take_in(new, unnoted, window).await?;
        let requests = self.session.requests().saturating_sub(before);
        let asked = Asked { begins, up_to: until, requests, states, is_cut, remark, found };
        self.outbox.note_asked(source, subject, asked).await?;
        let told_at = record.and_then(|record| record.cut_at);
        let is_cut = is_cut && told_at.is_none_or(|told_at| self.clock.now().since(told_at) > CUT_TOLD);
        if is_cut {
            tracing::warn!(%source, subject, listed, "the tracker has more to tell than is read of it");
        }
        Ok(Answer { found, is_cut, unread: unread.saturating_add(unreadable) })
    }

    /// Reads what was found as if webhooks had brought it. What cannot be read is left out, and counted.
    async fn read(&self, all: Vec<Found>) -> Result<(Vec<Heard>, usize), Obstacle> {
        let mut heard = Vec::with_capacity(all.len());
        let mut unreadable = 0_usize;
        for (number, found) in all.into_iter().enumerate() {
            if number.is_multiple_of(AT_ONCE) {
                tokio::task::yield_now().await;
            }
            match self.read_one(&found)? {
                Some(event) => heard.push(Heard { found, event }),
                None => unreadable += 1,
            }
        }
        Ok((heard, unreadable))
    }

    fn read_one(&self, found: &Found) -> Result<Option<Event>, Obstacle> {
        let events = self.intake.read(&self.api.source, &[&found.element]).ok_or(Obstacle::Store)?;
        Ok(events.into_iter().find(|event| event.trigger != UNREADABLE))
    }

    /// Leaves out what a webhook has brought, or an earlier time of asking that was noted at `noted_at` or before.
    async fn sift(&self, heard: Vec<Heard>, noted_at: Option<Moment>) -> Result<Sifted, Obstacle> {
        let sought = heard.iter().map(sought).collect();
        let known = self.outbox.are_here(&self.api.source, sought).await?;
        let (mut new, mut unnoted) = (Vec::new(), Vec::new());
        for (heard, known) in heard.into_iter().zip(known) {
            match known {
                None => new.push(heard),
                Some(Known { at, caught_up: true }) if noted_at.is_none_or(|noted_at| noted_at < at) => {
                    unnoted.push(heard);
                }
                Some(_) => {}
            }
        }
        Ok(Sifted { new, unnoted })
    }

    /// Asks for all there is of the first of them, for as long as there is time. Where that fails, what is there will do.
    async fn complete(&self, subject: &str, mut heard: Vec<Heard>) -> Vec<Heard> {
        let completing = async {
            for one in heard.iter_mut().take(DETAILS) {
                let fuller = match self.session.complete(subject, &one.found).await {
                    Ok(Some(fuller)) => fuller,
                    Ok(None) => continue,
                    Err(error) => {
                        let source = &self.api.source;
                        tracing::debug!(%source, subject, %error, "the tracker tells no more of what is new");
                        break;
                    }
                };
                if let Ok(Some(event)) = self.read_one(&fuller) {
                    *one = Heard { found: fuller, event };
                }
            }
        };
        tokio::select! {
            () = completing => {}
            () = self.clock.sleep(DETAILS_TIME) => {}
        }
        heard
    }

    /// Takes in what is `new`, and says what of all was not told of before.
    async fn take_in(
        &self,
        new: Vec<Heard>,
        unnoted: Vec<Heard>,
        window: Window,
    ) -> Result<Option<FoundRecord>, Obstacle> {
        let events: Vec<Event> = new.iter().map(|heard| identified(heard, window.until)).collect();
        let accepted = if events.is_empty() { Vec::new() } else { self.intake.take_in(events).await? };
        // Those that are urgent have come first: which of them were new cannot be told, but how many were.
        let count = accepted.iter().filter(|accepted| !accepted.duplicate).count() + unnoted.len();
        if count == 0 {
            return Ok(None);
        }
        let all: Vec<&Heard> = new.iter().chain(&unnoted).collect();
        let missed = self.missed(&all, window).await?.min(count);
        let since = all.iter().map(|heard| heard.found.at).min().unwrap_or(window.since);
        let (count, missed) = (count as u64, missed as u64);
        Ok(Some(FoundRecord { count, missed, at: self.clock.now(), since }))
    }

    /// How many of them a webhook should have brought: one that is known to tell of such things, while bugle was at work.
    async fn missed(&self, all: &[&Heard], window: Window) -> Result<usize, Obstacle> {
        let absences = self.outbox.absences(window.since.minus(OVERLAP)).await?;
        let mut missed: Vec<&str> = Vec::new();
        for heard in all {
            let was_away = absences.iter().any(|absence| may_lie_in(heard, *absence));
            // Of what does not say when it happened nobody knows whether bugle was at work then.
            let has_time = heard.found.at < window.until;
            if !was_away && has_time && !heard.found.is_again {
                missed.push(&heard.event.trigger);
            }
        }
        missed.sort_unstable();
        let mut count = 0;
        for same in missed.chunk_by(|one, other| one == other) {
            let is_brought = match same.first() {
                Some(trigger) => self.outbox.is_brought(&self.api.source, trigger).await?,
                None => false,
            };
            count += if is_brought { same.len() } else { 0 };
        }
        Ok(count)
    }
}

fn covered(record: &CatchUpRecord) -> Covered {
    Covered { begins: record.begins, up_to: record.up_to }
}

/// The event with something that tells a second arrival: an end may come after it is stored and before that is noted. One that
/// stands for a group is another one each time that more of it has happened before `until`.
fn identified(Heard { found, event }: &Heard, until: Moment) -> Event {
    let is_group = found.known_by == KnownBy::Error && event.product == "bugfender" && found.at < until;
    let identity = event.identity.filter(|_| !is_group).or_else(|| {
        let at = found.at.to_string();
        let what = [&event.error.id, &event.id, &event.title].into_iter().find(|text| !text.is_empty());
        let what = what.map(String::as_str).unwrap_or_default();
        Identity::of(&["caught up", event.source.as_str(), &event.trigger, what, &at])
    });
    Event { identity, ..event.clone() }
}

/// What happens to an error once only, and at a moment that is known.
const FIRST: &str = "firstException";

/// How it can be told whether it is here already.
fn sought(Heard { found, event }: &Heard) -> Sought {
    let trigger = event.trigger.clone();
    match found.known_by {
        KnownBy::Id => Sought::Id { trigger, id: event.id.clone() },
        KnownBy::Error => {
            // The tracker's clock may be a little ahead of ours.
            let since = (trigger != FIRST).then(|| found.at.minus(SETTLE));
            Sought::Error { trigger, error_id: event.error.id.clone(), since }
        }
    }
}

/// Whether it may have happened in a time in which bugle was not at work, or so shortly before or after that its webhook met
/// nobody.
fn may_lie_in(
    Heard { found: Found { at, known_by, .. }, event }: &Heard,
    (from, to): (Moment, Moment),
) -> bool {
    let ended_later = *at <= to.plus(SETTLE);
    // Of another error it may only be known that it was not before then.
    let is_exact = *known_by == KnownBy::Id || event.trigger == FIRST;
    ended_later && (!is_exact || *at >= from.minus(SETTLE))
}
