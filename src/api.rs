//! The trackers' own APIs: what bugle asks them, beside what they tell by webhooks.
//!
//! An [`Api`] says whom to ask and how bugle proves who it is; a [`Session`] asks. What comes back is put into the shape of the
//! product's webhook, so that it takes the way of any event from there on. Nothing here is stored or decided.

mod advice;
mod bugfender;
mod bugsnag;
mod caller;
mod client;
mod json;
mod pages;
mod session;
mod time;
mod token;

use std::fmt;
use std::time::Duration;

use crate::clock::Moment;
use crate::event::digest;
use crate::name::SourceName;
use crate::secret::Secret;

pub use advice::{Purpose, advice};
pub use session::{HookLook, Session, SessionError};
pub use token::is_sendable;

/// What happened longer ago is never asked for: this is how long it is remembered at least what has come.
pub const REACH: Duration = Duration::from_hours(7 * 24);

/// A tracker's API, as a source is configured with it.
#[derive(Debug, Clone)]
pub struct Api {
    /// The source whose tracker it is.
    pub source: SourceName,
    /// The address that all paths begin with, without a slash at its end: the vendor's, or an installation's own.
    pub base: String,
    /// A certificate authority that is trusted beside the system's, in PEM: for installations that sign for themselves.
    pub authority: Option<String>,
    /// The product, and how bugle proves who it is.
    pub access: Access,
    /// The address of the source's own webhook, its token in it; nothing: it is not known where trackers reach bugle.
    pub webhook: Option<Secret>,
    /// How often it is asked for what no webhook has brought; nothing: never.
    pub catch_up: Option<CatchUp>,
}

/// The product, and how bugle proves who it is.
#[derive(Debug, Clone)]
pub enum Access {
    /// Bugsnag's Data Access API.
    Bugsnag {
        /// A personal auth token.
        token: Secret,
        /// The ids of the projects.
        projects: Vec<String>,
    },
    /// Bugfender's API.
    Bugfender {
        /// How a bearer token is come by.
        credentials: Credentials,
        /// The applications.
        apps: Vec<App>,
    },
}

/// How a bearer token is come by.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// It is given.
    Token(Secret),
    /// It is asked for, by OAuth's client credentials, and asked for again before it ends.
    Client {
        /// The client's id.
        id: Secret,
        /// Its secret.
        secret: Secret,
    },
}

/// An application at Bugfender, which has two names there: webhooks and subscriptions call it by a number, the API by a short text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct App {
    /// The number at the end of its address in the dashboard; without it nothing can be subscribed.
    pub number: Option<u64>,
    /// What the API calls it in its paths; without it, the number is used there.
    pub id: Option<String>,
    /// What people call it, where the API does not say.
    pub name: Option<String>,
}

impl App {
    /// What stands in the API's paths, and names it in the store.
    pub fn key(&self) -> String {
        match (&self.id, self.number) {
            (Some(id), _) => id.clone(),
            (None, Some(number)) => number.to_string(),
            (None, None) => String::new(),
        }
    }
}

impl fmt::Display for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name.clone().unwrap_or_else(|| self.key()))
    }
}

/// How often a tracker is asked for what no webhook has brought, and for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatchUp {
    /// The time between two times of asking.
    pub every: Duration,
    /// In the tracker's own words; of those in [`Api::can_catch_up`].
    pub triggers: Vec<&'static str>,
}

impl Api {
    /// The triggers that can be asked for, in the tracker's own words.
    pub fn can_catch_up(product: &str) -> &'static [&'static str] {
        match product {
            "bugsnag" => &["firstException", "reopened"],
            "bugfender" => &["crash", "issue", "feedback"],
            _ => &[],
        }
    }

    /// The vendor's own address.
    pub fn vendor(product: &str) -> &'static str {
        match product {
            "bugsnag" => "https://api.bugsnag.com",
            _ => "https://dashboard.bugfender.com",
        }
    }

    /// The same, with the whole address of the webhook, where bugle is reached at `public_url`; until then its path is known.
    #[must_use]
    pub fn reached_at(mut self, public_url: Option<&str>) -> Self {
        let path = self.webhook.take();
        self.webhook =
            public_url.zip(path).map(|(host, path)| Secret::new(format!("{host}{}", path.expose())));
        self
    }

    /// A digest of all of it, secrets included: another one is another API.
    pub fn fingerprint(&self) -> [u8; 32] {
        let secrets = match &self.access {
            Access::Bugsnag { token, .. }
            | Access::Bugfender { credentials: Credentials::Token(token), .. } => [Some(token), None],
            Access::Bugfender { credentials: Credentials::Client { id, secret }, .. } => {
                [Some(id), Some(secret)]
            }
        };
        let secrets = secrets.map(|secret| secret.map(Secret::expose).unwrap_or_default());
        let webhook = self.webhook.as_ref().map(Secret::expose).unwrap_or_default();
        let [first, second] = secrets;
        // Of a secret nothing is shown, of all else everything.
        digest(&[&format!("{self:?}"), first, second, webhook])
    }

    /// What is called otherwise here than the store may know it: an application that has got an id was known by its number.
    pub fn renamed(&self) -> Vec<(String, String)> {
        let Access::Bugfender { apps, .. } = &self.access else { return Vec::new() };
        let renamed = |app: &App| Some((app.id.clone()?, app.number?.to_string()));
        apps.iter().filter_map(renamed).collect()
    }

    /// What is asked about one by one: applications or projects, as the store knows them.
    pub fn subjects(&self) -> Vec<String> {
        match &self.access {
            Access::Bugsnag { projects, .. } => projects.clone(),
            Access::Bugfender { apps, .. } => apps.iter().map(App::key).collect(),
        }
    }
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// One of [`Api::subjects`].
    pub subject: &'a str,
    /// What happened then or later …
    pub since: Moment,
    /// … and before this.
    pub until: Moment,
    /// Of these triggers.
    pub triggers: &'a [&'static str],
    /// In which state each error was when it was last seen that was not open then; where the tracker has states.
    pub states: &'a [ErrorState],
}

/// The state of an error, when it was last seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorState {
    /// The error's id in the tracker.
    pub error_id: String,
    /// fixed, snoozed, ignored, …; `open` is worth keeping only after another. One word is bugle's own, for an error that may
    /// have opened again just now.
    pub status: String,
    /// When that was seen.
    pub at: Moment,
}

/// What a tracker's API has told of a subject.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    /// What happened, the oldest first.
    pub found: Vec<Found>,
    /// The states of errors that are not open, or are open again.
    pub states: Vec<ErrorState>,
    /// Whether there is more than was read. Of Bugsnag the newest was read; in which order Bugfender lists is not known.
    pub is_cut: bool,
    /// How much of what was listed could not be read, and is left out.
    pub unread: usize,
    /// What could not be had besides, in words for people, which stay the same while that does; nothing: nothing is missing.
    pub remark: Option<String>,
}

/// One thing that happened, in the shape of the tracker's webhook.
#[derive(Debug, Clone)]
pub struct Found {
    /// One element of a webhook's body, as JSON.
    pub element: String,
    /// When it happened; of several that are told of as one, the first in the time that was asked for.
    pub at: Moment,
    /// How it is told that a webhook has brought it.
    pub known_by: KnownBy,
    /// Whether it is a group that was there before and has come back: no webhook may be meant to tell of that.
    pub is_again: bool,
}

/// How it is told that a webhook has brought something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KnownBy {
    /// By its own id: an event of the same trigger and id is the same.
    Id,
    /// By its error: an event of the same trigger and error that came at its time or later tells of it.
    Error,
}

/// Why a tracker's API has not told what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// 401, with a fresh token, too.
    #[error("the tracker does not know these credentials")]
    Unauthorized,
    /// 403.
    #[error("the credentials have no right to that")]
    Forbidden,
    /// 404: of the subject, or of the address.
    #[error("the tracker knows no such {0}")]
    Unknown(&'static str),
    /// 400.
    #[error("the tracker did not understand the request{}", said(.0))]
    BadRequest(String),
    /// 429: nothing more until the wait is over.
    #[error("the tracker asks to wait")]
    Wait(Duration),
    /// 5xx, no connection, no answer in time: may be over by itself.
    #[error("the tracker could not be asked: {0}")]
    Down(String),
    /// It answers in a way that is not the API's.
    #[error("the tracker answers in an unknown way: {0}")]
    Unexpected(String),
}

impl ApiError {
    /// Whether it may be over without anybody's doing.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Wait(_) | Self::Down(_))
    }

    /// Whether the credentials are wrong for it, until somebody mends that.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Unauthorized | Self::Forbidden)
    }
}

fn said(words: &str) -> String {
    if words.is_empty() { String::new() } else { format!(": {words}") }
}
