//! Bugsnag's Data Access API: errors that happened first, or again after they had been dealt with.
//!
//! What is not certain, all of it in this file and in [`element`]:
//!
//! * `first_seen` is the first occurrence that fits the filters, and asking since a moment is a filter; so
//!   `first_seen_unfiltered` counts, which recordings of 2017 have beside it. How far back that reaches is not said.
//! * The API knows no history of an error's state. An error counts as reopened when it is open and was listed as fixed or
//!   snoozed before; somebody who opened it by hand looks the same.
//! * `last_seen` is the last event, not the one that opened an error again. One that was seen within the last minute may have
//!   been opened then, while its webhook is under way: it waits for the next time, and is told of then however busy it is.
//! * How many requests a minute are allowed is not published: recordings say ten. A full report of each event costs one request
//!   more, and whether `full_reports` and the order are honoured everywhere is not known: what comes is checked against the
//!   time that was asked for.

mod element;
mod reading;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value};

use super::caller::{Caller, Patience};
use super::client::{Answer, Call};
use super::json::scalar;
use super::time::moment;
use super::{ApiError, ErrorState, Found, KnownBy, Listing, Wanted};
use crate::clock::Moment;

use reading::Reading;

/// What goes with every request: the version of the API, whose default changes.
const HEADERS: &[(&str, &str)] = &[("X-Version", "2")];

/// The states that an error can come back from by itself.
const DEALT_WITH: [&str; 2] = ["fixed", "snoozed"];

/// The state of an error that nobody has dealt with.
const OPEN: &str = "open";

/// bugle's own word for an error that is open again and whose webhook may be under way: the next time it is told of.
const REOPENING: &str = "reopening";

/// So many pages of a hundred errors are read of what happened, and of what has each of these states.
const PAGES: usize = 20;
const STATE_PAGES: usize = 5;

/// A longer id is none.
const ID: usize = 200;

/// An event this far from when its error was first seen is another event.
const NEAR: Duration = Duration::from_mins(2);

/// The projects that are asked about, as far as something is known of them.
#[derive(Debug, Default)]
pub(super) struct Bugsnag {
    projects: Mutex<HashMap<String, Map<String, Value>>>,
}

impl Bugsnag {
    pub(super) async fn list(
        &self,
        caller: &Caller,
        patience: &mut Patience,
        wanted: Wanted<'_>,
    ) -> Result<Listing, ApiError> {
        let project = self.project(caller, patience, wanted.subject).await?;
        let mut reading = Reading::new(caller, patience, wanted);
        let is_cut = reading.read("event.since", &wanted.since.to_string(), PAGES).await?;
        if wanted.triggers.contains(&"reopened") {
            for status in DEALT_WITH {
                // Those that were seen last will do.
                reading.read("error.status", status, STATE_PAGES).await?;
            }
        }
        Ok(Listing { is_cut, ..told(&project, &reading.into_errors(), wanted) })
    }

    /// The event itself, where there is one that fits.
    pub(super) async fn complete(
        &self,
        caller: &Caller,
        patience: &mut Patience,
        subject: &str,
        found: &Found,
    ) -> Result<Option<Found>, ApiError> {
        let Ok(Value::Object(told)) = serde_json::from_str(&found.element) else { return Ok(None) };
        let error_id = told.get("error").and_then(|error| error.get("errorId")).and_then(scalar);
        let Some(error_id) = error_id else { return Ok(None) };
        let trigger = told.get("trigger").and_then(|trigger| trigger.get("type")).and_then(Value::as_str);
        let is_first = trigger == Some("firstException");
        let mut url = caller.url(&["projects", subject, "errors", &error_id, "events"]);
        {
            let mut query = url.query_pairs_mut();
            query.extend_pairs([
                ("sort", "timestamp"),
                ("direction", "asc"),
                ("per_page", "1"),
                ("full_reports", "true"),
            ]);
            if !is_first {
                filter(&mut query, "event.since", &found.at.to_string());
            }
        }
        let answer = match caller.ask(&Call::get(url, HEADERS), patience, "error").await {
            Ok(answer) => answer,
            Err(ApiError::Unknown(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        let events = list_of(&answer, "events")?;
        let Some(event) = events.first().and_then(Value::as_object) else { return Ok(None) };
        let received = ["received_at", "receivedAt"].iter().find_map(|name| moment(event.get(*name)?));
        let Some(received) = received else { return Ok(None) };
        let is_near = received.since(found.at) <= NEAR && found.at.since(received) <= NEAR;
        let is_it = if is_first { is_near } else { found.at.minus(NEAR) <= received };
        let fuller = is_it.then(|| element::filled(told, event)).flatten();
        Ok(fuller.map(|element| Found { element: element.to_string(), ..found.clone() }))
    }

    /// Whether there is such a project for these credentials.
    pub(super) async fn look(
        &self,
        caller: &Caller,
        patience: &mut Patience,
        subject: &str,
    ) -> Result<(), ApiError> {
        asked_project(caller, patience, subject).await.map(drop)
    }

    /// What the webhook tells of a project, asked for once.
    async fn project(
        &self,
        caller: &Caller,
        patience: &mut Patience,
        subject: &str,
    ) -> Result<Map<String, Value>, ApiError> {
        let known = |projects: &Mutex<HashMap<_, _>>| {
            projects.lock().unwrap_or_else(PoisonError::into_inner).get(subject).cloned()
        };
        if let Some(project) = known(&self.projects) {
            return Ok(project);
        }
        let project = asked_project(caller, patience, subject).await?;
        let mut projects = self.projects.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(projects.entry(subject.to_owned()).or_insert(project).clone())
    }
}

async fn asked_project(
    caller: &Caller,
    patience: &mut Patience,
    subject: &str,
) -> Result<Map<String, Value>, ApiError> {
    let call = Call::get(caller.url(&["projects", subject]), HEADERS);
    let answer = caller.ask(&call, patience, "project").await?.json("a project in JSON")?;
    let Some(answer) = answer.as_object() else {
        return Err(ApiError::Unexpected("an object was expected of its project address".to_owned()));
    };
    Ok(element::project(subject, answer))
}

/// What `errors` tell of what is wanted.
fn told(project: &Map<String, Value>, errors: &[Value], wanted: Wanted<'_>) -> Listing {
    let (mut listing, mut has_untold) = (Listing::default(), false);
    for error in errors {
        let Some((error, id)) = error.as_object().and_then(|error| Some((error, id(error)?))) else {
            listing.unread += 1;
            continue;
        };
        let first = first_seen(error);
        has_untold |= first.is_none();
        let first = first.filter(|at| wanted.since <= *at && *at < wanted.until);
        if let Some(at) = first.filter(|_| wanted.triggers.contains(&"firstException")) {
            listing.found.push(found(project, error, "firstException", at));
        }
        let before = wanted.states.iter().rfind(|state| state.error_id == id);
        let before = before.filter(|before| before.status != OPEN);
        let (mut status, mut at) = (text(error, "status"), wanted.until);
        if status == OPEN
            && let Some(before) = before.filter(|before| may_come_back(&before.status))
            && wanted.triggers.contains(&"reopened")
        {
            let is_settled = last_seen(error).is_none_or(|last| last < wanted.until);
            if is_settled || before.status == REOPENING {
                listing.found.push(found(project, error, "reopened", before.at));
            } else {
                (status, at) = (REOPENING, before.at);
            }
        }
        // That an error is open is worth telling only after another state.
        if !status.is_empty() && (status != OPEN || before.is_some()) {
            listing.states.push(ErrorState { error_id: id, status: status.to_owned(), at });
        }
    }
    if has_untold && wanted.triggers.contains(&"firstException") {
        listing.remark =
            Some("some errors do not say when they were seen first: none of them counts as new".to_owned());
    }
    listing
}

/// Whether an error that was in this state may come back from it by itself.
fn may_come_back(status: &str) -> bool {
    status == REOPENING || DEALT_WITH.contains(&status)
}

/// Adds a filter to a question.
fn filter(query: &mut url::form_urlencoded::Serializer<'_, url::UrlQuery<'_>>, name: &str, value: &str) {
    query.append_pair(&format!("filters[{name}][][type]"), "eq");
    query.append_pair(&format!("filters[{name}][][value]"), value);
}

fn list_of(answer: &Answer, what: &str) -> Result<Vec<Value>, ApiError> {
    match answer.json("a list in JSON")? {
        Value::Array(all) => Ok(all),
        _ => Err(ApiError::Unexpected(format!("a list of {what} was expected"))),
    }
}

fn found(project: &Map<String, Value>, error: &Map<String, Value>, trigger: &str, at: Moment) -> Found {
    let element = element::of_error(project, error, trigger);
    Found { element: element.to_string(), at, known_by: KnownBy::Error, is_again: false }
}

fn id(error: &Map<String, Value>) -> Option<String> {
    scalar(error.get("id")?).filter(|id| id.len() <= ID)
}

fn text<'a>(object: &'a Map<String, Value>, name: &str) -> &'a str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn first_seen(error: &Map<String, Value>) -> Option<Moment> {
    ["first_seen_unfiltered", "first_seen"].iter().find_map(|name| moment(error.get(*name)?))
}

fn last_seen(error: &Map<String, Value>) -> Option<Moment> {
    moment(error.get("last_seen")?)
}

#[cfg(test)]
mod tests;
