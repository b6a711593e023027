//! The names that a template can use, each with what it stands for and where in an event it is read: the one table for
//! the context, for the check at load, and for the documentation.

mod gathering;

use serde_json::Value as Json;

use crate::event::{Breadcrumb, Cause, Event, Frame};
use crate::flood::Told;

pub(super) use gathering::{ERROR as ERROR_OF_SEVERAL, NOTICE as NOTICE_OF_SEVERAL};

/// How many elements of a list a template sees.
pub(super) const ELEMENTS: usize = 100;

/// A name within a group.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
}

/// What a name stands for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// Text.
    Text(fn(&Event) -> &str),
    /// A number, where the tracker sends one; else text.
    Number(fn(&Event) -> &str),
    /// True, false or empty.
    Flag(fn(&Event) -> &str),
    /// Text that is the message's own and not the event's.
    Told,
    /// Text of an element, which is read along with its list.
    Element,
    /// Names of their own.
    Group(&'static [Field]),
    /// Elements, each with these names.
    List(&'static [Field], fn(&Event) -> Vec<Json>),
    /// Elements of an element.
    Inner(&'static [Field]),
    /// The event's own element of the body, in which any path may lead anywhere.
    Raw,
}

/// The names at the top of the template that is asked for as `name`.
pub(super) fn root(name: &str) -> &'static [Field] {
    if Told::read(name).is_some() { gathering::FIELDS } else { FIELDS }
}

/// Every name, at the top and in groups.
pub(super) const FIELDS: &[Field] = &[
    text("trigger", |e| &e.trigger),
    text("reason", |e| &e.reason),
    text("severity", |e| e.severity.as_str()),
    text("title", |e| &e.title),
    text("text", |e| &e.text),
    text("status", |e| &e.status),
    number("rate", |e| &e.rate),
    text("url", |e| &e.url),
    group("source", SOURCE),
    group("event", EVENT),
    group("app", APP),
    group("error", ERROR),
    group("state", STATE),
    group("user", USER),
    group("actor", ACTOR),
    group("device", DEVICE),
    group("release", RELEASE),
    group("comment", &[text("text", |e| if e.trigger == "comment" { &e.text } else { "" })]),
    told("id"),
    told("instead_of"),
    told("now"),
    told("tone"),
    told("test"),
    told("caught_up"),
    Field { name: "raw", kind: Kind::Raw },
];

const SOURCE: &[Field] = &[text("name", |e| e.source.as_str()), text("type", |e| e.product)];

const EVENT: &[Field] = &[text("id", |e| &e.id), text("at", |e| &e.at)];

const APP: &[Field] = &[
    text("name", |e| &e.app.name),
    text("url", |e| &e.app.url),
    text("stage", |e| &e.app.stage),
    text("version", |e| &e.app.version),
    text("build", |e| &e.app.build),
];

const ERROR: &[Field] = &[
    text("id", |e| &e.error.id),
    text("class", |e| &e.error.class),
    text("message", |e| &e.text),
    text("context", |e| &e.error.context),
    Field { name: "handled", kind: Kind::Flag(|e| &e.error.handled) },
    number("occurrences", |e| &e.error.occurrences),
    number("users", |e| &e.error.users),
    text("first_seen", |e| &e.error.first_seen),
    text("request_url", |e| &e.error.request_url),
    Field { name: "stack", kind: Kind::List(FRAME, |e| elements(&e.error.stack, frame)) },
    Field { name: "causes", kind: Kind::List(CAUSE, |e| elements(&e.error.causes, cause)) },
    Field { name: "breadcrumbs", kind: Kind::List(BREADCRUMB, |e| elements(&e.error.breadcrumbs, crumb)) },
    group(
        "linked_issue",
        &[text("id", |e| &e.error.linked_issue.id), text("url", |e| &e.error.linked_issue.url)],
    ),
];

const STATE: &[Field] = &[text("change", |e| &e.state.change), text("snooze", |e| &e.state.snooze)];

const USER: &[Field] =
    &[text("id", |e| &e.user.id), text("name", |e| &e.user.name), text("email", |e| &e.user.email)];

const ACTOR: &[Field] = &[text("name", |e| &e.actor.name), text("email", |e| &e.actor.email)];

const DEVICE: &[Field] = &[
    text("name", |e| &e.device.name),
    text("os", |e| &e.device.os),
    text("os_version", |e| &e.device.os_version),
    text("language", |e| &e.device.language),
];

const RELEASE: &[Field] = &[
    text("version", |e| &e.release.version),
    text("by", |e| &e.release.by),
    text("at", |e| &e.release.at),
    text("commit", |e| &e.release.commit),
    text("diff_url", |e| &e.release.diff_url),
];

pub(super) const FRAME: &[Field] = &[
    element("file"),
    element("line"),
    element("column"),
    element("method"),
    element("own"),
    Field { name: "code", kind: Kind::Inner(&[element("line"), element("text")]) },
];

const CAUSE: &[Field] = &[element("class"), element("message")];

const BREADCRUMB: &[Field] = &[element("name"), element("kind"), element("at")];

const fn text(name: &'static str, read: fn(&Event) -> &str) -> Field {
    Field { name, kind: Kind::Text(read) }
}

const fn number(name: &'static str, read: fn(&Event) -> &str) -> Field {
    Field { name, kind: Kind::Number(read) }
}

const fn group(name: &'static str, fields: &'static [Field]) -> Field {
    Field { name, kind: Kind::Group(fields) }
}

const fn told(name: &'static str) -> Field {
    Field { name, kind: Kind::Told }
}

const fn element(name: &'static str) -> Field {
    Field { name, kind: Kind::Element }
}

fn elements<T>(list: &[T], element: fn(&T) -> Json) -> Vec<Json> {
    list.iter().take(ELEMENTS).map(element).collect()
}

fn frame(frame: &Frame) -> Json {
    let code = frame.code.iter().take(ELEMENTS);
    let code: Vec<Json> =
        code.map(|(line, text)| serde_json::json!({ "line": as_number(line), "text": text })).collect();
    serde_json::json!({
        "file": frame.file,
        "line": as_number(&frame.line),
        "column": as_number(&frame.column),
        "method": frame.method,
        "own": frame.own.map_or_else(|| Json::String(String::new()), Json::Bool),
        "code": code,
    })
}

fn cause(cause: &Cause) -> Json {
    serde_json::json!({ "class": cause.class, "message": cause.message })
}

fn crumb(crumb: &Breadcrumb) -> Json {
    serde_json::json!({ "name": crumb.name, "kind": crumb.kind, "at": crumb.at })
}

/// A whole number as a number, so that zero counts as nothing in `#if`; anything else as the text it is.
pub(super) fn as_number(text: &str) -> Json {
    match text.parse::<i64>() {
        Ok(number) if number.to_string() == text => Json::from(number),
        _ => Json::String(text.to_owned()),
    }
}

/// Every name that templates know, as it is written in them: `app.name`, `error.stack`, and for the names of a list's
/// elements `error.stack.file`. After `raw` any path may follow.
pub fn field_names() -> Vec<String> {
    names_in(FIELDS)
}

/// Every name that `digest` and `more` know: `count`, and for the names of a list's elements `errors.app.name`.
pub fn gathering_names() -> Vec<String> {
    names_in(gathering::FIELDS)
}

/// Every name below these.
pub(super) fn names_in(fields: &[Field]) -> Vec<String> {
    let mut names = Vec::new();
    collect(fields, "", &mut names);
    names
}

fn collect(fields: &[Field], before: &str, names: &mut Vec<String>) {
    for Field { name, kind } in fields {
        let name = if before.is_empty() { (*name).to_owned() } else { format!("{before}.{name}") };
        match kind {
            Kind::Group(fields) => collect(fields, &name, names),
            Kind::List(fields, _) | Kind::Inner(fields) => {
                names.push(name.clone());
                collect(fields, &name, names);
            }
            _ => names.push(name),
        }
    }
}

/// The field of `name`, its steps separated by dots; not within lists.
pub(super) fn find(name: &str) -> Option<Kind> {
    let mut fields = FIELDS;
    let mut steps = name.split('.').peekable();
    while let Some(step) = steps.next() {
        let field = fields.iter().find(|field| field.name == step)?;
        match field.kind {
            kind if steps.peek().is_none() => return Some(kind),
            Kind::Group(inner) => fields = inner,
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_listed_as_they_are_written() {
        let names = field_names();
        for name in
            ["trigger", "app.name", "error.linked_issue.url", "error.stack", "error.stack.code.text", "raw"]
        {
            assert!(names.iter().any(|known| known == name), "{name}");
        }
        let mut sorted = names.clone();
        sorted.sort();
        sorted.dedup();
        assert_eq!(sorted.len(), names.len());
        assert!(matches!(find("error.linked_issue.url"), Some(Kind::Text(_))));
        assert!(matches!(find("error.stack"), Some(Kind::List(..))));
        assert!(find("error.stack.file").is_none() && find("app.nam").is_none() && find("").is_none());
    }

    #[test]
    fn an_element_has_the_names_that_the_table_says() {
        let keys = |json: &Json| json.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        let names = |fields: &[Field]| {
            let mut names: Vec<_> = fields.iter().map(|field| field.name.to_owned()).collect();
            names.sort();
            names
        };
        let with_code = Frame { code: vec![("1".into(), "x".into())], ..Frame::default() };
        let json = frame(&with_code);
        assert_eq!(keys(&json), names(FRAME));
        let Kind::Inner(line) = FRAME.last().unwrap().kind else { panic!("code is a list") };
        assert_eq!(keys(&json["code"][0]), names(line));
        assert_eq!(keys(&cause(&Cause::default())), names(CAUSE));
        assert_eq!(keys(&crumb(&Breadcrumb::default())), names(BREADCRUMB));
    }

    #[test]
    fn only_whole_numbers_are_numbers() {
        assert_eq!(as_number("12"), Json::from(12));
        assert_eq!(as_number("0"), Json::from(0));
        for text in ["", "012", "1.5", "+1", "1e3", "12345678901234567890123"] {
            assert_eq!(as_number(text), Json::from(text));
        }
    }
}
