//! Webhooks that bugle has subscribed by a tracker's API: what there is to subscribe, and whether it is still there.
//!
//! A tracker that was answered badly for long takes a subscription away and tells nobody. So each is looked at, hour by
//! hour, where the API tells of it; one that is gone is said once, in the log and as a notice, until it is there again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::api::{self, Access, Api, ApiError, App, HookLook, Purpose, Session};
use crate::clock::Clock;
use crate::event::digest;
use crate::herald::Notices;
use crate::notice::{Matter, Notice};
use crate::order::HookKey;
use crate::outbox::{HookRecord, HookSeen, Outbox, StoreError};
use crate::secret::Secret;

/// After a start the first look waits so long: there is enough to do.
pub const FIRST_LOOK: Duration = Duration::from_mins(1);

/// The time between two looks.
pub const EVERY: Duration = Duration::from_hours(1);

/// What can be subscribed: the tracker's word, and what stands in the address, so that its older format is told apart.
pub const EVENTS: [(&str, &str); 3] =
    [("new_crash", "crash"), ("new_issue_separate", "issue"), ("new_user_feedback", "feedback")];

/// The address that events of `kind` are to call; nothing if it is not known where trackers reach bugle.
pub fn target(api: &Api, kind: &str) -> Option<Secret> {
    let webhook = api.webhook.as_ref()?;
    Some(Secret::new(format!("{}?type={kind}", webhook.expose())))
}

/// What is kept of an address: enough to tell it from another.
pub fn mark(target: &Secret) -> [u8; 32] {
    digest(&["hook", target.expose()])
}

/// The applications of `api`; none if its product has no subscriptions.
pub fn apps(api: &Api) -> &[App] {
    match &api.access {
        Access::Bugfender { apps, .. } => apps,
        Access::Bugsnag { .. } => &[],
    }
}

/// Whether `subject` in the store means `app`: it may have been written by its number, and have got an id since.
pub fn means(subject: &str, app: &App) -> bool {
    subject == app.key() || app.number.is_some_and(|number| subject == number.to_string())
}

/// What people call the application that the store calls `subject`.
pub fn called(api: &Api, subject: &str) -> String {
    let app = apps(api).iter().find(|app| means(subject, app));
    app.map_or_else(|| subject.to_owned(), ToString::to_string)
}

/// What to do about `error`, which was the answer to a request about webhooks of `app`, or of none.
pub fn advice(api: &Api, app: Option<&App>, error: &ApiError) -> String {
    api::advice(api, Purpose::Hooks(app), error)
}

/// What a look at `hook` says: nothing, if it is not found where the newly made one was not found either.
pub fn believed(hook: &HookRecord, look: HookLook) -> HookLook {
    if look == HookLook::Missing && !hook.tells { HookLook::Untold } else { look }
}

/// Those of `hooks` that people miss: known to be gone, of an application that is configured, with none in their place.
pub fn missed<'h>(api: &Api, hooks: &'h [HookRecord]) -> Vec<&'h HookRecord> {
    let is_missed = |hook: &&HookRecord| hook.gone_at.is_some() && is_last(api, hook, hooks);
    hooks.iter().filter(is_missed).collect()
}

/// What people are told once `hook` is missed.
pub fn gone(api: &Api, hook: &HookRecord) -> Notice {
    Notice::HookGone {
        source: api.source.clone(),
        app: called(api, &hook.key.subject),
        event: hook.key.event.clone(),
        is_caught_up: api.catch_up.is_some(),
    }
}

/// Whether `hook` is the one that was made last for its kind of events, of an application that is configured.
fn is_last(api: &Api, hook: &HookRecord, hooks: &[HookRecord]) -> bool {
    let app = |hook: &HookRecord| apps(api).iter().position(|app| means(&hook.key.subject, app));
    let Some(its) = app(hook) else { return false };
    let is_for_the_same = |other: &&HookRecord| {
        !other.key.hook.is_empty() && other.key.event == hook.key.event && app(other) == Some(its)
    };
    hooks
        .iter()
        .filter(is_for_the_same)
        .max_by_key(|other| other.made_at)
        .is_some_and(|last| last.key == hook.key)
}

/// Looks at the subscriptions of `api`'s source until told to `stop`.
pub async fn watch(
    session: Arc<Session>,
    api: Api,
    outbox: Outbox,
    notices: Notices,
    clock: Clock,
    stop: CancellationToken,
) {
    let mut watcher = Watcher { session, api, outbox, notices, gone: BTreeSet::new(), trouble: None };
    let mut pause = FIRST_LOOK;
    loop {
        tokio::select! {
            () = clock.sleep(pause) => {}
            () = stop.cancelled() => return,
        }
        tokio::select! {
            wait = watcher.look() => pause = wait.max(EVERY),
            () = stop.cancelled() => return,
        }
    }
}

/// Who looks at the subscriptions of one source.
struct Watcher {
    session: Arc<Session>,
    api: Api,
    outbox: Outbox,
    notices: Notices,
    /// What is missed.
    gone: BTreeSet<Matter>,
    /// Why not all could be looked at the last time, unless it passes by itself.
    trouble: Option<ApiError>,
}

impl Watcher {
    /// Looks at each once. Gives how long the tracker asks to wait.
    async fn look(&mut self) -> Duration {
        let Ok(hooks) = self.outbox.hooks(self.api.source.as_str()).await else { return Duration::ZERO };
        self.forget_what_is_over(&hooks);
        let is_ours = |hook: &&HookRecord| {
            !hook.key.hook.is_empty() && apps(&self.api).iter().any(|app| means(&hook.key.subject, app))
        };
        let ours: Vec<&HookRecord> = hooks.iter().filter(is_ours).collect();
        let mut trouble = None;
        for hook in &ours {
            match self.session.look_at_hook(&hook.key.hook).await {
                Ok(seen) => {
                    if self.note(hook, seen, is_last(&self.api, hook, &hooks)).await.is_err() {
                        return Duration::ZERO;
                    }
                }
                Err(error) if error.may_pass() || error == ApiError::Unauthorized => {
                    trouble = Some(error);
                    break;
                }
                // What is said of one says nothing of the others.
                Err(error) => trouble = trouble.or(Some(error)),
            }
        }
        match trouble {
            Some(error) => self.complain(error),
            None if !ours.is_empty() => self.is_well(),
            None => Duration::ZERO,
        }
    }

    /// Writes down what was `seen`, and says it unless another has taken its place.
    async fn note(&mut self, hook: &HookRecord, seen: HookLook, is_last: bool) -> Result<(), StoreError> {
        let HookKey { source, subject, event, hook: id } = &hook.key;
        let seen = match believed(hook, seen) {
            HookLook::There => HookSeen::There,
            HookLook::Missing => HookSeen::Gone,
            HookLook::Untold => HookSeen::Untold,
        };
        // What is written down and not told yet is told after the next start.
        self.outbox.note_hook(hook.key.clone(), seen).await?;
        let notice = gone(&self.api, hook);
        match seen {
            HookSeen::There => {
                if hook.gone_at.is_some() {
                    tracing::info!(%source, app = subject, event, hook = id, "a subscribed webhook is there again");
                }
                if is_last && self.gone.remove(&notice.matter()) {
                    self.notices.is_over(notice.matter());
                }
            }
            HookSeen::Gone if is_last => {
                self.gone.insert(notice.matter());
                if hook.gone_at.is_none() {
                    tracing::warn!(
                        %source, app = subject, event, hook = id,
                        "a subscribed webhook is gone at its tracker; `bugle bugfender subscribe` makes it again"
                    );
                    self.notices.tell(notice);
                }
            }
            HookSeen::Gone | HookSeen::Untold => {}
        }
        Ok(())
    }

    /// What was missed, and has been made again or given up since.
    fn forget_what_is_over(&mut self, hooks: &[HookRecord]) {
        let gone: BTreeSet<Matter> =
            missed(&self.api, hooks).into_iter().map(|hook| gone(&self.api, hook).matter()).collect();
        for matter in self.gone.difference(&gone) {
            self.notices.is_over(matter.clone());
        }
        self.gone = gone;
    }

    /// Says once that the tracker does not tell. Gives how long it asks to wait.
    fn complain(&mut self, error: ApiError) -> Duration {
        if let ApiError::Wait(wait) = error {
            return wait;
        }
        if error.may_pass() || self.trouble.as_ref() == Some(&error) {
            return Duration::ZERO;
        }
        let (source, advice) = (&self.api.source, advice(&self.api, None, &error));
        tracing::warn!(%source, %error, advice, "subscribed webhooks cannot be looked at");
        // Who catches up says so, too.
        if self.api.catch_up.is_none() {
            let words = format!("{error}: {advice}");
            self.notices.tell(Notice::CatchUpFailing { source: source.clone(), words });
        }
        self.trouble = Some(error);
        Duration::ZERO
    }

    fn is_well(&mut self) -> Duration {
        if self.trouble.take().is_some() && self.api.catch_up.is_none() {
            self.notices.is_over(Matter::CatchUpFailing(self.api.source.clone()));
        }
        Duration::ZERO
    }
}
