//! Bugfender's API, as far as its public traces tell: single issues, groups of crashes and feedback, subscriptions.
//!
//! What is not certain, all of it in this file:
//!
//! * The single objects of [`SINGLES`] are known from an add-on of a third party, which says that the address is documented no
//!   longer, needs `version=-1` and a beginning, and calls open 1 and closed 4. Where it is gone, groups are taken instead.
//! * In which order a list comes is nowhere said: of one that is longer than is read, what is left out may be the newest.
//! * The groups of [`GROUPS`] are known from the vendor's own tool for assistants, which shows the envelope (`data`,
//!   `pagination`) and that a group has a `hash`, but no other field: when one was seen, and what it is called, is read by the
//!   names of [`FIRST`], [`LAST`], [`TITLES`] and [`TEXTS`].
//! * Whether the webhook `new_crash` tells of every crash or of the first of a group is nowhere said. A group counts here when
//!   it was seen in the time that is asked about, each time anew.
//! * What an application is called is asked of the address that the vendor's tool asks for its key; that it tells a `name` there is
//!   likely, and not shown.
//! * Where the vendor describes how to unsubscribe, the address is cut off: [`HOOK`] is what its beginning suggests. That one can
//!   look at a subscription there is a guess; an API that does not know the question leaves it [untold](HookLook::Untold).

mod element;
mod reading;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use super::caller::{Caller, Patience, refusal};
use super::client::{Body, Call, Method, PAGE};
use super::json::scalar;
use super::{ApiError, App, HookLook, Listing, Wanted};
use crate::secret::Secret;

use reading::Reading;

/// `{base}/api/app/{app}/…`: single objects, and groups of them.
const SINGLES: &[&str] = &["issues"];
const GROUPS: &[&str] = &["issues-aggregation", "summary"];

/// `{base}/api/hook/subscribe/` and `{base}/api/hook/{hook}/`; the last slash is in the vendor's prose, not in its sample.
const HOOK: [&str; 2] = ["api", "hook"];

/// What `issue_status` is of the single objects.
const STATUSES: [(&str, &str); 2] = [("1", "open"), ("4", "closed")];

/// What `issue_type` is of the groups.
const TYPES: [(&str, &str); 3] = [("0", "issue"), ("1", "crash"), ("2", "feedback")];

/// Where an object or a group may say when it was seen first, and last.
const FIRST: [&str; 6] =
    ["created_at", "createdAt", "first_seen", "first_seen_at", "first_occurrence", "date"];
const LAST: [&str; 6] = ["last_seen", "last_seen_at", "last_occurrence", "updated_at", "timestamp", "time"];

/// Where it may be named, and explained.
const TITLES: [&str; 4] = ["title", "issue_title", "name", "summary"];
const TEXTS: [&str; 5] = ["text", "issue_markdown", "body", "content", "description"];

/// Where its id may be, and its address in the dashboard.
const IDS: [&str; 4] = ["id", "uid", "issue_id", "hash"];
const LINKS: [&str; 4] = ["self", "url", "html_url", "link"];

/// Of so short a time is asked where only the answer itself matters.
const MOMENT: Duration = Duration::from_mins(1);

/// What is unknown where a list is not found.
const APPLICATION: &str = "application";

const PAGE_SIZE: usize = 100;

/// Of each list no more pages than this are read at a time, and a listing brings no more than so many things.
const PAGES: usize = 50;
const ITEMS: usize = 5_000;

/// What is said where there are no groups.
const NO_GROUPS: &str = "the tracker knows no address for groups of crashes and feedback: what it tells one by one is here; with `triggers = [\"issue\"]` they are not asked for";

/// The applications that are asked about.
#[derive(Debug)]
pub(super) struct Bugfender {
    apps: Vec<App>,
    /// Those that were looked up, with what the API calls them.
    known: Mutex<HashMap<String, App>>,
    /// Set once single objects were not to be had and groups were.
    has_no_singles: AtomicBool,
}

/// One of an application's lists.
#[derive(Debug, Clone, Copy)]
struct List<'a> {
    path: &'static [&'static str],
    name: &'static str,
    /// What all that is in it is, unless it says so itself.
    kind: &'static str,
    /// Whether an item is one thing that happened, or several.
    are_groups: bool,
    filter: (&'static str, &'static str),
    app: &'a App,
}

impl<'a> List<'a> {
    fn singles(app: &'a App, status: &'static str) -> Self {
        let filter = ("issue_status", status);
        Self { path: SINGLES, name: "issues", kind: "issue", are_groups: false, filter, app }
    }

    fn groups(app: &'a App, kind: &'static str) -> Self {
        let code = TYPES.into_iter().find(|(_, word)| *word == kind).map_or("", |(code, _)| code);
        Self { path: GROUPS, name: "data", kind, are_groups: true, filter: ("issue_type", code), app }
    }
}

impl Bugfender {
    pub(super) fn new(apps: Vec<App>) -> Self {
        Self { apps, known: Mutex::default(), has_no_singles: AtomicBool::new(false) }
    }

    pub(super) async fn list(
        &self,
        caller: &Caller,
        patience: &mut Patience,
        wanted: Wanted<'_>,
    ) -> Result<Listing, ApiError> {
        let app = &self.app(caller, patience, wanted.subject).await?;
        let mut reading = Reading::new(caller, patience, wanted, app);
        let mut found = Vec::new();
        let mut has_singles = false;
        if !self.has_no_singles.load(Ordering::Relaxed) {
            match reading.singles().await {
                Ok(singles) => (has_singles, found) = (true, singles),
                // Neither the application nor the address may be known; groups will tell which.
                Err(ApiError::Unknown(APPLICATION)) => {}
                Err(ApiError::Unexpected(_)) if reading.met_page => {}
                Err(error) => return Err(error),
            }
        }
        // A page for people may stand there for a moment only.
        let is_sure = !has_singles && !reading.met_page;
        let told: HashSet<_> = found.iter().map(|single| single.group.clone()).collect();
        for kind in wanted.triggers.iter().filter(|kind| !(has_singles && **kind == "issue")) {
            match reading.groups(kind).await {
                // Crashes that are there one by one need no group.
                Ok(groups) => found.extend(groups.into_iter().filter(|group| !told.contains(&group.group))),
                // What is there one by one is worth having alone.
                Err(ApiError::Unknown(APPLICATION)) if has_singles => {
                    reading.remark(NO_GROUPS);
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        self.has_no_singles.fetch_or(is_sure, Ordering::Relaxed);
        Ok(reading.listing(found))
    }

    /// The application with the name that its webhooks give it, so that what they tell of is recognised. That is looked up until
    /// there is one; what the configuration says counts where the API does not tell.
    async fn app(&self, caller: &Caller, patience: &mut Patience, subject: &str) -> Result<App, ApiError> {
        let known = |known: &Mutex<HashMap<_, App>>| {
            known.lock().unwrap_or_else(PoisonError::into_inner).get(subject).cloned()
        };
        if let Some(app) = known(&self.known) {
            return Ok(app);
        }
        let configured = self.apps.iter().find(|app| app.key() == subject);
        let mut app = configured.cloned().ok_or(ApiError::Unknown(APPLICATION))?;
        let call = Call::get(caller.url(&["api", "app", subject]), &[]);
        // An API that does not know the question is no reason not to ask the next.
        let answer = caller.ask_any(&call, patience).await?;
        let told = match answer.status {
            200..300 => answer.json("an application in JSON").unwrap_or_default(),
            401 => return Err(ApiError::Unauthorized),
            _ => Value::Null,
        };
        app.name = told
            .get("name")
            .and_then(Value::as_str)
            .filter(|name| !name.trim().is_empty())
            .map(str::to_owned)
            .or(app.name);
        app.number = app.number.or_else(|| told.get("id").and_then(Value::as_u64));
        if app.name.is_some() {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.entry(subject.to_owned()).or_insert_with(|| app.clone());
        }
        Ok(app)
    }

    /// Whether there is such an application for these credentials: it is asked for itself and, where that tells nothing, for the
    /// newest that is in its lists.
    pub(super) async fn look(
        &self,
        caller: &Caller,
        patience: &mut Patience,
        subject: &str,
    ) -> Result<(), ApiError> {
        let app = self.apps.iter().find(|app| app.key() == subject).ok_or(ApiError::Unknown(APPLICATION))?;
        let call = Call::get(caller.url(&["api", "app", subject]), &[]);
        let answer = caller.ask_any(&call, patience).await?;
        match answer.status {
            200..300 if answer.json("an application").is_ok_and(|told| told.is_object()) => return Ok(()),
            401 => return Err(ApiError::Unauthorized),
            _ => {}
        }
        let until = caller.clock().now();
        let wanted = Wanted { subject, since: until.minus(MOMENT), until, triggers: &[], states: &[] };
        let mut reading = Reading::new(caller, patience, wanted, app);
        match reading.look(List::singles(app, "1")).await {
            Err(ApiError::Unknown(APPLICATION)) => reading.look(List::groups(app, "crash")).await,
            Err(ApiError::Unexpected(_)) if reading.met_page => {
                reading.look(List::groups(app, "crash")).await
            }
            told => told,
        }
    }

    pub(super) async fn subscribe(
        &self,
        caller: &Caller,
        patience: &mut Patience,
        (app, event, target): (&App, &str, &Secret),
    ) -> Result<String, ApiError> {
        let number = app.number.ok_or(ApiError::Unknown("application: its number is needed"))?;
        let body = json!({"target_url": target.expose(), "event": event, "app_id": number});
        let call = hook_call(caller, Method::POST, "subscribe", Body::Json(body));
        let answer = caller.ask(&call, patience, "address for subscriptions").await?;
        let answer = answer.json("a subscription in JSON")?;
        let id = answer.get("id").and_then(scalar);
        id.ok_or_else(|| ApiError::Unexpected("the `id` of the new subscription was expected".to_owned()))
    }

    pub(super) async fn unsubscribe(
        &self,
        caller: &Caller,
        patience: &mut Patience,
        hook: &str,
    ) -> Result<bool, ApiError> {
        let call = hook_call(caller, Method::DELETE, hook, Body::None);
        match caller.ask(&call, patience, "hook").await {
            // Whatever that came from, it has undone nothing.
            Ok(answer) if answer.is_page() => Err(ApiError::Unexpected(PAGE.to_owned())),
            Ok(_) => Ok(true),
            Err(ApiError::Unknown(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn look_at_hook(
        &self,
        caller: &Caller,
        patience: &mut Patience,
        hook: &str,
    ) -> Result<HookLook, ApiError> {
        let call = hook_call(caller, Method::GET, hook, Body::None);
        let answer = caller.ask_any(&call, patience).await?;
        match answer.status {
            // A dashboard may have a page for every address.
            200..300 if answer.is_page() => Ok(HookLook::Untold),
            200..300 => Ok(HookLook::There),
            400 | 405 | 501 => Ok(HookLook::Untold),
            _ => match refusal(&answer, "hook") {
                ApiError::Unknown(_) => Ok(HookLook::Missing),
                error => Err(error),
            },
        }
    }
}

fn hook_call(caller: &Caller, method: Method, last: &str, body: Body) -> Call {
    let [api, hook] = HOOK;
    Call { method, url: caller.url(&[api, hook, last, ""]), body, headers: &[] }
}

#[cfg(test)]
mod tests;
