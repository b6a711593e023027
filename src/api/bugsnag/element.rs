//! The API's errors and events in the shape of the webhook.
//!
//! The API writes `snake_case` in full reports and `camelCase` in short ones; the webhook writes the latter, and calls some
//! things otherwise. What the webhook does not have is left out, a project's key above all.

use serde_json::{Map, Value, json};

use crate::api::json::scalar;

/// What is copied of an error, as the API calls it and as the webhook does.
const OF_ERROR: [(&str, &str); 8] = [
    ("id", "errorId"),
    ("error_class", "exceptionClass"),
    ("message", "message"),
    ("context", "context"),
    ("severity", "severity"),
    ("status", "status"),
    ("events", "occurrences"),
    ("users", "users"),
];

/// What is copied of an event; the first name that is there counts.
const OF_EVENT: [(&[&str], &str); 11] = [
    (&["id"], "id"),
    (&["received_at", "receivedAt"], "receivedAt"),
    (&["context"], "context"),
    (&["severity"], "severity"),
    (&["unhandled"], "unhandled"),
    (&["user"], "user"),
    (&["app"], "app"),
    (&["device"], "device"),
    (&["exceptions"], "exceptions"),
    (&["breadcrumbs"], "breadcrumbs"),
    (&["meta_data", "metaData", "metadata"], "metaData"),
];

/// Below these everything is the app's own and stays as it is: lines of source, whatever somebody recorded.
const OWN: [&str; 3] = ["code", "metaData", "metadata"];

/// The project, as the webhook tells of it.
pub(super) fn project(id: &str, answer: &Map<String, Value>) -> Map<String, Value> {
    let mut project = Map::new();
    project.insert("id".to_owned(), id.into());
    copy(answer, "name", &mut project, "name");
    if let Some(url) = answer.get("html_url").and_then(address) {
        project.insert("url".to_owned(), String::from(url).into());
    }
    project
}

/// What an error alone tells of an event that nobody has looked at yet.
pub(super) fn of_error(project: &Map<String, Value>, error: &Map<String, Value>, trigger: &str) -> Value {
    let mut told = Map::new();
    for (from, to) in OF_ERROR {
        copy(error, from, &mut told, to);
    }
    let first_seen = ["first_seen_unfiltered", "first_seen"];
    let last_seen = ["last_seen_unfiltered", "last_seen"];
    take(error, &first_seen, &mut told, "firstReceived");
    let received = if trigger == "reopened" { &last_seen } else { &first_seen };
    take(error, received, &mut told, "receivedAt");
    if let Some([stage]) = error.get("release_stages").and_then(Value::as_array).map(Vec::as_slice) {
        told.insert("releaseStage".to_owned(), stage.clone());
    }
    let id = error.get("id").and_then(scalar);
    if let Some(url) = project.get("url").and_then(Value::as_str).zip(id.as_deref()).and_then(link) {
        told.insert("url".to_owned(), url.into());
    }
    let linked = error.get("linked_issues").and_then(Value::as_array).into_iter().flatten();
    let linked: Vec<_> = linked.filter(|issue| issue.get("url").and_then(address).is_some()).collect();
    if !linked.is_empty() {
        told.insert("linkedIssues".to_owned(), json!(linked));
    }
    let created = error.get("created_issue").filter(|issue| issue.get("url").and_then(address).is_some());
    if let Some(created) = created {
        told.insert("createdIssue".to_owned(), created.clone());
    }
    json!({"project": project, "trigger": {"type": trigger}, "error": told})
}

/// `told` with what an event tells besides; nothing if the event has no id.
pub(super) fn filled(mut told: Map<String, Value>, event: &Map<String, Value>) -> Option<Value> {
    let id = event.get("id").and_then(scalar)?;
    let error = told.get_mut("error")?.as_object_mut()?;
    for (from, to) in OF_EVENT {
        take(event, from, error, to);
    }
    for name in ["user", "app", "device", "exceptions", "breadcrumbs"] {
        if let Some(value) = error.get_mut(name) {
            *value = camel(value.take(), 0);
        }
    }
    if let Some(url) =
        event.get("request").and_then(|request| request.get("url")).filter(|url| url.is_string())
    {
        error.insert("requestUrl".to_owned(), url.clone());
    }
    let first = error.get("exceptions").and_then(|all| all.get(0)).and_then(Value::as_object).cloned();
    for (from, to) in [("errorClass", "exceptionClass"), ("message", "message")] {
        if let Some(first) = &first {
            copy(first, from, error, to);
        }
    }
    if let Some(mut url) = error.get("url").and_then(address) {
        url.query_pairs_mut().append_pair("event_id", &id);
        error.insert("url".to_owned(), url.as_str().into());
    }
    Some(Value::Object(told))
}

/// An error's address in the dashboard.
fn link((project, error): (&str, &str)) -> Option<String> {
    let mut url = url::Url::parse(project).ok()?;
    url.path_segments_mut().ok()?.pop_if_empty().extend(["errors", error]);
    Some(url.into())
}

fn address(value: &Value) -> Option<url::Url> {
    let url = url::Url::parse(value.as_str()?).ok()?;
    (matches!(url.scheme(), "http" | "https") && url.has_host()).then_some(url)
}

fn copy(from: &Map<String, Value>, name: &str, to: &mut Map<String, Value>, new: &str) {
    take(from, &[name], to, new);
}

/// The first of `names` that has something in it.
fn take(from: &Map<String, Value>, names: &[&str], to: &mut Map<String, Value>, new: &str) {
    let is_something = |value: &&Value| !value.is_null() && value.as_str() != Some("");
    if let Some(value) = names.iter().find_map(|name| from.get(*name).filter(is_something)) {
        to.insert(new.to_owned(), value.clone());
    }
}

/// Deeper than an exception's frames nothing is renamed.
const DEPTH: usize = 8;

/// The same with its keys in camelCase.
fn camel(value: Value, depth: usize) -> Value {
    match value {
        Value::Array(all) if depth < DEPTH => all.into_iter().map(|value| camel(value, depth + 1)).collect(),
        Value::Object(fields) if depth < DEPTH => {
            let fields = fields.into_iter().map(|(key, value)| {
                let key = camel_word(&key);
                let is_own = OWN.contains(&key.as_str());
                (key, if is_own { value } else { camel(value, depth + 1) })
            });
            Value::Object(fields.collect())
        }
        other => other,
    }
}

/// `line_number` as `lineNumber`.
fn camel_word(key: &str) -> String {
    let mut parts = key.split('_');
    let mut word = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let mut letters = part.chars();
        word.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        word.push_str(letters.as_str());
    }
    word
}
