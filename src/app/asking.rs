//! Whoever asks trackers: one task for each source that is to catch up, begun and ended as the configuration says; and one
//! that notices sources that have fallen silent.
//!
//! An API that stays as it is is not disturbed. One that changes in anything, a secret included, is asked afresh at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::api::{Api, Session, SessionError};
use crate::catch_up::{self, Asker};
use crate::clock::Moment;
use crate::courier::Office;
use crate::intake::Intake;
use crate::lifecycle::Lifecycle;
use crate::name::SourceName;
use crate::notice::Notice;
use crate::outbox::RunId;
use crate::report::Report;
use crate::subscription;

/// What all of them work with.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) office: Office,
    pub(super) intake: Arc<Intake>,
    pub(super) run: RunId,
    pub(super) begun: Moment,
    pub(super) lifecycle: Lifecycle,
}

/// All who ask.
#[derive(Debug)]
pub(super) struct Asking {
    desk: Desk,
    posts: BTreeMap<SourceName, Post>,
}

/// An API that is asked.
#[derive(Debug)]
struct Post {
    fingerprint: [u8; 32],
    dismissed: CancellationToken,
}

impl Asking {
    /// Asks `apis` from now on.
    pub(super) fn begin(desk: Desk, apis: &[Api]) -> Self {
        let mut asking = Self { desk, posts: BTreeMap::new() };
        asking.watch_silence();
        asking.engage_all(apis, true);
        asking
    }

    fn watch_silence(&self) {
        let Desk { office: Office { outbox, notices, clock, .. }, intake, begun, lifecycle, .. } = &self.desk;
        let (outbox, intake, notices) = (outbox.clone(), Arc::clone(intake), notices.clone());
        let watching = catch_up::watch(outbox, intake, notices, (clock.clone(), *begun), lifecycle.soft());
        lifecycle.spawn("silence".to_owned(), watching);
    }

    /// Asks `apis` and no others from now on.
    pub(super) fn set(&mut self, apis: &[Api]) {
        self.engage_all(apis, false);
    }

    /// Asks `apis` and no others from now on: from where the run before ended, if this one begins with them.
    fn engage_all(&mut self, apis: &[Api], is_start: bool) {
        let mut earlier = std::mem::take(&mut self.posts);
        for api in apis {
            let fingerprint = api.fingerprint();
            let post = match earlier.remove(&api.source) {
                Some(post) if post.fingerprint == fingerprint => post,
                before => {
                    if let Some(before) = before {
                        before.dismissed.cancel();
                    }
                    let dismissed = self.desk.lifecycle.soft().child_token();
                    self.engage(api, is_start, &dismissed);
                    Post { fingerprint, dismissed }
                }
            };
            self.posts.insert(api.source.clone(), post);
        }
        for post in earlier.into_values() {
            post.dismissed.cancel();
        }
    }

    fn engage(&self, api: &Api, is_start: bool, dismissed: &CancellationToken) {
        let Desk { office: Office { outbox, notices, clock, .. }, lifecycle, .. } = &self.desk;
        let source = &api.source;
        let session = match session(api, &self.desk.office) {
            Ok(session) => Arc::new(session),
            Err(error) => {
                let words = Report(&error).to_string();
                tracing::error!(%source, error = words, "the tracker cannot be asked");
                return notices.tell(Notice::CatchUpFailing { source: source.clone(), words });
            }
        };
        if !subscription::apps(api).is_empty() {
            let (session, outbox, notices) = (Arc::clone(&session), outbox.clone(), notices.clone());
            let stop = dismissed.clone();
            let watching = subscription::watch(session, api.clone(), outbox, notices, clock.clone(), stop);
            lifecycle.spawn_until(dismissed.clone(), format!("subscriptions {source}"), watching);
        }
        if let Some(how) = api.catch_up.clone() {
            let asking = self.asker(session, api, is_start).run(how, dismissed.clone());
            lifecycle.spawn_until(dismissed.clone(), format!("catch-up {source}"), asking);
        }
    }

    /// What happened before it was configured is nobody's to ask for: only what begins with the run goes on where that before
    /// it ended.
    fn asker(&self, session: Arc<Session>, api: &Api, is_start: bool) -> Asker {
        let Desk { office, intake, run, begun, .. } = &self.desk;
        let Office { outbox, metrics, notices, clock, .. } = office.clone();
        let (intake, api) = (Arc::clone(intake), api.clone());
        let (run, begun) = if is_start { (Some(*run), *begun) } else { (None, clock.now()) };
        Asker { session, api, outbox, intake, notices, metrics, clock, run, begun }
    }
}

/// A session whose requests are counted.
fn session(api: &Api, Office { metrics, clock, .. }: &Office) -> Result<Session, SessionError> {
    let (metrics, source) = (metrics.clone(), api.source.clone());
    Ok(Session::new(api, clock.clone())?.telling_each(move || metrics.requested(&source)))
}
