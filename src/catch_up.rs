//! Asks trackers for what no webhook has brought, and takes it in.
//!
//! One task for each source that is to catch up. It asks at once when it begins, which covers the time in which bugle was
//! not at work, and then again and again. What it finds goes the way of any event from there on. Nothing depends on it but
//! what it brings: the front door neither waits for it nor knows of it.
//!
//! From where the next time begins is written down after what was found is on disk. So an end in between costs a second
//! look at the same time, and what is found twice is told by what is known already.

mod asking;
mod silence;
mod subject;
mod window;

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::api::{self, Api, ApiError, CatchUp, Purpose, Session};
use crate::clock::{Clock, Moment};
use crate::herald::Notices;
use crate::intake::Intake;
use crate::metrics::{Asking, Metrics};
use crate::notice::{Matter, Notice};
use crate::outbox::{NotAsked, Outbox, RunId, StoreError};

pub use silence::{Silence, judge, watch};

use asking::{Answer, Obstacle};
use subject::Subject;
use window::{Presence, SETTLE};

/// After the store could not be asked or written, the pause before all of it is tried again: that costs requests, too. It
/// doubles each time …
const STORE_PAUSE: Duration = Duration::from_mins(1);

/// … up to this.
const LONGEST_STORE_PAUSE: Duration = Duration::from_hours(1);

/// At the start nothing is asked yet, and it is tried more often.
const STORE_AT_START: Duration = Duration::from_secs(10);

/// However long it has failed, it is tried again after this, or after the usual time if that is longer.
const LONGEST: Duration = Duration::from_hours(6);

/// What may pass by itself is told to people when it has lasted this long.
const PATIENCE: Duration = Duration::from_hours(1);

/// What is added to a pause at most, as a part of it: so that many who began together do not ask together for ever.
const JITTER: f64 = 0.1;

/// Who asks for one source.
#[derive(Debug)]
pub struct Asker {
    /// The way to the tracker.
    pub session: Arc<Session>,
    /// Whom to ask about what.
    pub api: Api,
    /// What is known here, and how far was asked.
    pub outbox: Outbox,
    /// Where all that is found goes.
    pub intake: Arc<Intake>,
    /// Whom to tell.
    pub notices: Notices,
    /// What is counted.
    pub metrics: Metrics,
    /// The time.
    pub clock: Clock,
    /// The run that begins with this; nothing: bugle has been at work before without it.
    pub run: Option<RunId>,
    /// When this began.
    pub begun: Moment,
}

impl Asker {
    /// Asks as often as `how` says until told to stop. What is in hand then is dropped: it is asked for again.
    pub async fn run(self, how: CatchUp, stop: CancellationToken) {
        tokio::select! {
            () = self.work(&how) => {}
            () = stop.cancelled() => {}
        }
    }

    async fn work(&self, how: &CatchUp) {
        let begun = self.clock.steady();
        let (presence, mut subjects) = loop {
            match self.begin().await {
                Ok(begun) => break begun,
                Err(_) => self.clock.sleep(STORE_AT_START).await,
            }
        };
        // Whoever asked before may have left something to be told.
        let mut was_unwell = true;
        loop {
            for index in 0..subjects.len() {
                let others = subject::others(&subjects, index);
                let Some(subject) = subjects.get_mut(index) else { continue };
                if subject.due <= self.clock.steady() {
                    self.ask(subject, how, presence, &others).await;
                    // The last minute before the start has not been asked for yet.
                    let is_first = self.clock.steady().saturating_sub(begun) < SETTLE;
                    if subject.is_well() && is_first {
                        subject.due = subject.due.min(begun.saturating_add(SETTLE));
                    }
                }
            }
            let is_unwell = !subjects.iter().all(Subject::is_well);
            if was_unwell && !is_unwell {
                self.notices.is_over(Matter::CatchUpFailing(self.api.source.clone()));
            }
            was_unwell = is_unwell;
            let next = subjects.iter().map(|subject| subject.due).min().unwrap_or(Duration::MAX);
            self.clock.sleep(next.saturating_sub(self.clock.steady())).await;
        }
    }

    /// When bugle was at work before this run, and since when it asks now; and whom it asks about.
    async fn begin(&self) -> Result<(Presence, Vec<Subject>), StoreError> {
        let source = &self.api.source;
        for (name, before) in self.api.renamed() {
            self.outbox.rename_subject(source, &before, &name).await?;
        }
        let before = match self.run {
            Some(run) => self.outbox.at_work_before(run).await?,
            None => None,
        };
        let records = self.outbox.catch_ups(source).await?;
        let subjects = self.api.subjects().into_iter().map(|name| {
            let record = records.iter().find(|record| record.subject == name);
            Subject::begin(name, record, self.run.is_some())
        });
        Ok((Presence { before, begun: self.begun }, subjects.collect()))
    }

    /// Asks about `subject`, and says when to ask again. Of the `others` it is known what was said of them.
    async fn ask(&self, subject: &mut Subject, how: &CatchUp, presence: Presence, others: &[String]) {
        let before = self.session.requests();
        let answer = self.ask_about(&subject.name, &how.triggers, presence).await;
        let requests = self.session.requests().saturating_sub(before);
        let pause = match answer {
            Ok(answer) => self.went_well(subject, how, &answer, others),
            Err(Obstacle::Store) => self.not_kept(subject),
            Err(Obstacle::Api(error, begins)) => {
                let (words, is_told) = self.went_wrong(subject, &error, others);
                // If the store cannot be written, the next time will do.
                let not_asked = NotAsked { begins, requests, words, is_told };
                let noted = self.outbox.note_not_asked(&self.api.source, &subject.name, not_asked);
                noted.await.unwrap_or_default();
                backoff(how.every, subject.failures, &error)
            }
        };
        subject.due = self.clock.steady().saturating_add(jittered(pause, fastrand::f64()));
    }

    fn went_well(
        &self,
        subject: &mut Subject,
        how: &CatchUp,
        answer: &Answer,
        others: &[String],
    ) -> Duration {
        let source = &self.api.source;
        self.metrics.asked(source, Asking::DONE);
        // Of several that failed for one reason, the last says that it is over.
        if subject.words.as_ref().is_some_and(|words| !others.contains(words)) || subject.unkept > 0 {
            tracing::info!(%source, subject = subject.name, "the tracker can be asked again");
        }
        subject.recover();
        let &Answer { found, is_cut, unread } = answer;
        if subject.is_news(unread) {
            let subject = &subject.name;
            tracing::warn!(%source, subject, unread, "some of what the tracker lists could not be read: it is left out");
        }
        if let Some(found) = found {
            let (count, missed, since) = (found.count, found.missed, found.since);
            tracing::info!(
                %source,
                subject = subject.name,
                count,
                missed,
                since = %since,
                "caught up with events that no webhook had brought"
            );
            self.notices.tell(Notice::CaughtUp { source: source.clone(), count, missed, since, is_cut });
        } else if is_cut {
            let since = self.clock.now();
            self.notices.tell(Notice::CaughtUp {
                source: source.clone(),
                count: 0,
                missed: 0,
                since,
                is_cut,
            });
        }
        how.every
    }

    /// Says once that what was found could not be kept; how long to wait.
    fn not_kept(&self, subject: &mut Subject) -> Duration {
        if subject.unkept == 0 {
            let (source, subject) = (&self.api.source, &subject.name);
            tracing::warn!(%source, subject, "what the tracker tells cannot be kept in the store: it is asked again later");
        }
        subject.unkept = subject.unkept.saturating_add(1);
        doubled(STORE_PAUSE, subject.unkept, LONGEST_STORE_PAUSE)
    }

    /// Says so once, and tells people if it will not pass by itself. In which words, and whether people know.
    fn went_wrong(&self, subject: &mut Subject, error: &ApiError, others: &[String]) -> (String, bool) {
        let source = &self.api.source;
        self.metrics.asked(source, Asking::failed(error));
        let advice = api::advice(&self.api, Purpose::Asking(&subject.name), error);
        let words = format!("{error}; {advice}");
        let since = *subject.failing_since.get_or_insert(self.clock.now());
        subject.failures = subject.failures.saturating_add(1);
        // What is wrong with all of them is said of one.
        let is_said = subject.words.as_ref() == Some(&words) || others.contains(&words);
        if !is_said {
            tracing::warn!(%source, subject = subject.name, error = words, "the tracker could not be asked");
        }
        let lasts = self.clock.now().since(since);
        if !subject.is_told && (!error.may_pass() || lasts >= PATIENCE) {
            subject.is_told = true;
            self.notices.tell(Notice::CatchUpFailing { source: source.clone(), words: words.clone() });
        }
        subject.words = Some(words.clone());
        (words, subject.is_told)
    }
}

/// The pause after the `failures`-th failure in a row, of which `error` is the last.
fn backoff(every: Duration, failures: u32, error: &ApiError) -> Duration {
    let pause = doubled(every, failures, LONGEST.max(every));
    match error {
        ApiError::Wait(least) => pause.max(*least),
        _ => pause,
    }
}

/// `pause`, doubled after each but the first of so many failures, up to the `longest`.
fn doubled(pause: Duration, failures: u32, longest: Duration) -> Duration {
    pause.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1))).min(longest)
}

/// A little more than `pause`; `dice` is from 0 to 1.
fn jittered(pause: Duration, dice: f64) -> Duration {
    pause.saturating_add(pause.mul_f64(JITTER * dice.clamp(0.0, 1.0)))
}

#[cfg(test)]
mod tests;
