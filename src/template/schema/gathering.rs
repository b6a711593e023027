//! The names of the templates `digest` and `more`, which tell of several events: another root than that of one event.

use super::{
    ACTOR, APP, DEVICE, ERROR as ERROR_FACTS, EVENT, Field, Kind, RELEASE, SOURCE, STATE, USER, element,
    group, number, text, told,
};

/// Every name, at the top and in lists.
pub(in crate::template) const FIELDS: &[Field] = &[
    told("count"),
    told("counts"),
    told("urgent"),
    list("severities", &[element("severity"), element("count")]),
    told("different"),
    told("apps"),
    told("span"),
    told("first_at"),
    told("last_at"),
    list("errors", ERROR),
    told("more_errors"),
    list("notices", NOTICE),
    told("more_notices"),
    told("id"),
    told("instead_of"),
    told("now"),
    told("tone"),
];

/// An element of a list: its own names, and those that an event has.
macro_rules! entry {
    ($($own:expr),* $(,)?) => {
        &[
            $($own,)*
            told("which"),
            told("tone"),
            told("test"),
            text("trigger", |e| &e.trigger),
            text("reason", |e| &e.reason),
            text("title", |e| &e.title),
            text("text", |e| &e.text),
            text("status", |e| &e.status),
            number("rate", |e| &e.rate),
            text("url", |e| &e.url),
            group("source", SOURCE),
            group("event", EVENT),
            group("app", APP),
            group("error", ERROR_FACTS),
            group("state", STATE),
            group("user", USER),
            group("actor", ACTOR),
            group("device", DEVICE),
            group("release", RELEASE),
        ]
    };
}

/// An element of `errors`.
pub(in crate::template) const ERROR: &[Field] = entry![
    told("severity"),
    told("count"),
    told("triggers"),
    told("special"),
    told("latest"),
    told("span"),
    told("first_at"),
    told("last_at"),
];

/// An element of `notices`.
pub(in crate::template) const NOTICE: &[Field] =
    entry![text("severity", |e| e.severity.as_str()), told("news"), told("quote")];

const fn list(name: &'static str, elements: &'static [Field]) -> Field {
    Field { name, kind: Kind::Inner(elements) }
}
