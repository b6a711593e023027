//! The API's objects and groups in the shape of the webhook's newer format. What is there stays as it is.

use serde_json::{Map, Value};

use super::{FIRST, IDS, LAST, LINKS, List, STATUSES, TEXTS, TITLES, TYPES};
use crate::api::json::scalar;
use crate::api::time::{moment, seconds};
use crate::api::{App, Found, KnownBy, Wanted};
use crate::clock::Moment;

/// Something found, and what it is a group of or belongs to.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) found: Found,
    pub(super) group: (String, String),
}

/// What tells one item of a list from another.
pub(super) fn key(item: &Value) -> String {
    let id = IDS.iter().find_map(|name| item.get(name).and_then(scalar));
    id.unwrap_or_else(|| item.to_string())
}

/// Whether there is anything in `item` that an event can be made of, and that tells it from what was told before: which it is,
/// or what it is and when.
pub(super) fn is_readable(item: &Value) -> bool {
    let Some(given) = item.as_object() else { return false };
    let is_told = |names: &[&str]| names.iter().any(|name| given.get(*name).and_then(scalar).is_some());
    let has_time = || FIRST.iter().chain(&LAST).any(|name| given.get(*name).and_then(moment).is_some());
    is_told(&IDS) || (is_told(&TITLES) || is_told(&TEXTS)) && has_time()
}

/// What is wanted of `item`.
pub(super) fn item(wanted: Wanted<'_>, list: List<'_>, item: &Value) -> Option<Item> {
    let given = item.as_object().filter(|_| is_readable(item))?;
    let seen = seen(wanted, list.are_groups, given);
    if seen.is_some_and(|Seen { at, .. }| at < wanted.since || wanted.until <= at) {
        return None;
    }
    let mut element = element(given, list.kind, list.app, seen.map(|seen| seen.at));
    if let Some(Seen { at, is_again: true }) = seen {
        // It is told of each time that it comes back, and each time is another event.
        element.insert("id".to_owned(), format!("{}@{}", key(item), seconds(at)).into());
    }
    let kind = element.get("type").and_then(scalar).unwrap_or_default();
    let is_known = TYPES.iter().any(|(_, word)| *word == kind);
    if is_known && !wanted.triggers.contains(&kind.as_str()) {
        return None;
    }
    let title = element.get("title").and_then(scalar).unwrap_or_default();
    // A group that never says when it was seen would be another one each time.
    let known_by = if list.are_groups && seen.is_some() { KnownBy::Error } else { KnownBy::Id };
    let at = seen.map_or(wanted.until, |seen| seen.at);
    let is_again = seen.is_some_and(|seen| seen.is_again);
    let found = Found { element: Value::Object(element).to_string(), at, known_by, is_again };
    Some(Item { found, group: (kind, title) })
}

/// When something was seen in the time that is asked about, and whether it is a group that was there before.
#[derive(Debug, Clone, Copy)]
struct Seen {
    at: Moment,
    is_again: bool,
}

/// When `given` was seen; nothing: it does not say.
fn seen(wanted: Wanted<'_>, are_groups: bool, given: &Map<String, Value>) -> Option<Seen> {
    let (first, again) = (read_moment(given, &FIRST), read_moment(given, &LAST));
    let at = match (first, again) {
        (Some(first), Some(again)) if are_groups && first < wanted.since => {
            // One that goes on was listed because it was seen in that time, too: nobody knows when.
            let at = if wanted.until <= again { wanted.since } else { again };
            return Some(Seen { at, is_again: true });
        }
        (first, again) => first.or(again)?,
    };
    Some(Seen { at, is_again: false })
}

/// `given`, completed; numbers become words where the webhook has words.
fn element(
    given: &Map<String, Value>,
    kind: &'static str,
    app: &App,
    seen: Option<Moment>,
) -> Map<String, Value> {
    let mut element = given.clone();
    let own = ["type", "issue_type"].iter().find_map(|name| given.get(*name).and_then(scalar));
    let own = own.map(|own| worded(&TYPES, own));
    element.insert("type".to_owned(), own.unwrap_or_else(|| kind.to_owned()).into());
    if let Some(status) = ["status", "issue_status"].iter().find_map(|name| given.get(*name).and_then(scalar))
    {
        element.insert("status".to_owned(), worded(&STATUSES, status).into());
    }
    let mut fill = |name: &str, from: &[&str]| {
        if element.get(name).and_then(scalar).is_none()
            && let Some(text) = from.iter().find_map(|name| given.get(*name).and_then(scalar))
        {
            element.insert(name.to_owned(), text.into());
        }
    };
    fill("id", &IDS);
    fill("title", &TITLES);
    fill("text", &TEXTS);
    fill("self", &LINKS);
    if let Some(seen) = seen.filter(|_| !element.get("created_at").is_some_and(Value::is_string)) {
        element.insert("created_at".to_owned(), seen.to_string().into());
    }
    let mut its_app = given.get("app").and_then(Value::as_object).cloned().unwrap_or_default();
    let mut complete = |name: &str, value: Option<Value>| {
        if its_app.get(name).and_then(scalar).is_none()
            && let Some(value) = value
        {
            its_app.insert(name.to_owned(), value);
        }
    };
    complete("id", app.number.map(Value::from));
    complete("name", app.name.clone().map(Value::from));
    element.insert("app".to_owned(), its_app.into());
    element
}

fn worded(words: &[(&str, &str)], own: String) -> String {
    words.iter().find(|(code, _)| *code == own).map_or(own, |(_, word)| (*word).to_owned())
}

fn read_moment(given: &Map<String, Value>, names: &[&str]) -> Option<Moment> {
    names.iter().find_map(|name| moment(given.get(*name)?))
}
