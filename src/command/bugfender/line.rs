//! What is said of one webhook.

use std::io::{self, Write};

use serde_json::{Value, json};

use crate::api::{Api, ApiError, App, SessionError};
use crate::clock::Moment;
use crate::command::listing::{cut, time};
use crate::order::HookKey;
use crate::outbox::HookRecord;
use crate::report::Report;
use crate::subscription::{advice, apps, means};

/// Characters of a name and of what is said.
const NAME: usize = 60;
const WORDS: usize = 600;

/// How it stands with a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::command) enum State {
    /// It was subscribed just now.
    Subscribed,
    /// It is there.
    There,
    /// It calls an address that is not the one of now.
    Outdated,
    /// It is gone.
    Gone,
    /// Bugfender does not tell.
    Untold,
    /// bugle has not subscribed it.
    NotSubscribed,
    /// There may be one that bugle does not know.
    MayBe,
    /// It was undone just now.
    Undone,
    /// Nobody knows.
    Failed,
}

impl State {
    /// The word for programs.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Subscribed => "subscribed",
            Self::There => "there",
            Self::Outdated => "outdated",
            Self::Gone => "gone",
            Self::Untold => "untold",
            Self::NotSubscribed => "not_subscribed",
            Self::MayBe => "may_be",
            Self::Undone => "undone",
            Self::Failed => "failed",
        }
    }
}

/// What is said of one webhook, or of an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::command) struct Line {
    pub(in crate::command) source: String,
    pub(in crate::command) app: String,
    /// Its number and its id, as far as they are known.
    pub(super) number: Option<u64>,
    pub(super) id: Option<String>,
    pub(in crate::command) event: String,
    pub(in crate::command) hook: String,
    pub(in crate::command) state: State,
    /// When it was subscribed.
    pub(in crate::command) since: Option<Moment>,
    /// Whether there is nothing to look after.
    pub(in crate::command) is_well: bool,
    pub(in crate::command) words: String,
}

impl Line {
    /// Nothing is known yet of `event` of `app`.
    pub(super) fn about(api: &Api, app: &App, event: &str) -> Self {
        Self {
            source: api.source.to_string(),
            app: app.to_string(),
            number: app.number,
            id: app.id.clone(),
            event: event.to_owned(),
            hook: String::new(),
            state: State::Failed,
            since: None,
            is_well: false,
            words: String::new(),
        }
    }

    /// The tracker cannot be asked at all.
    pub(super) fn unasked(api: &Api, error: &SessionError) -> Self {
        let nothing = App { name: Some(String::new()), ..App::default() };
        let words = format!("cannot be asked: {}; see `sources.{}.api`", Report(error), api.source);
        Self::about(api, &nothing, "").unwell(State::Failed, words)
    }

    /// The same of what is remembered as `key`.
    pub(super) fn of(api: &Api, key: &HookKey) -> Self {
        let app = apps(api).iter().find(|app| means(&key.subject, app)).cloned();
        let app = app.unwrap_or_else(|| named(&key.subject));
        Self { hook: key.hook.clone(), ..Self::about(api, &app, &key.event) }
    }

    /// The same, which has been remembered before.
    pub(super) fn known(self, hook: &HookRecord) -> Self {
        Self { hook: hook.key.hook.clone(), since: Some(hook.made_at), ..self }
    }

    /// It is well.
    pub(super) fn well(self, state: State, words: impl Into<String>) -> Self {
        Self { state, is_well: true, words: words.into(), ..self }
    }

    /// It is not well.
    pub(super) fn unwell(self, state: State, words: impl Into<String>) -> Self {
        Self { state, is_well: false, words: words.into(), ..self }
    }

    /// Bugfender did not do what it was asked, or did not tell.
    pub(super) fn failed(self, api: &Api, app: Option<&App>, error: &ApiError) -> Self {
        self.unwell(State::Failed, format!("{error}: {}", advice(api, app, error)))
    }

    /// With something more to say, that somebody has to look after unless it `is_well`.
    pub(super) fn and(self, words: &str, is_well: bool) -> Self {
        Self { words: format!("{}; {words}", self.words), is_well: self.is_well && is_well, ..self }
    }

    /// Which webhook it is, in a line of text.
    pub(in crate::command) fn name(&self) -> String {
        let event = if self.event.is_empty() { String::new() } else { format!(" {}", self.event) };
        let app = if self.app.is_empty() { String::new() } else { format!(": {}", self.app) };
        cut(&format!("{}{app}{event}", self.source), NAME)
    }

    /// Writes it for people.
    pub(super) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let since = match (self.since, self.state) {
            (Some(since), State::There | State::Untold | State::Outdated | State::Gone) => {
                format!(" (subscribed at {})", time(since))
            }
            _ => String::new(),
        };
        writeln!(out, "{}: {}{since}", self.name(), cut(&self.words, WORDS))
    }

    pub(super) fn as_json(&self) -> Value {
        json!({
            "source": self.source,
            "app": self.app,
            "number": self.number,
            "id": self.id,
            "event": self.event,
            "hook": self.hook,
            "state": self.state.as_str(),
            "since": self.since.map(|since| since.to_string()),
            "ok": self.is_well,
            "words": cut(&self.words, WORDS),
        })
    }
}

/// The application that is remembered as `subject` and has left the configuration.
pub(super) fn named(subject: &str) -> App {
    match subject.parse() {
        Ok(number) => App { number: Some(number), ..App::default() },
        Err(_) => App { id: Some(subject.to_owned()), ..App::default() },
    }
}
