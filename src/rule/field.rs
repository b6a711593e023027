//! The names of an event's fields, as they stand in rules, and how each is read.

use std::borrow::Cow;
use std::fmt;

use crate::event::Event;
use crate::source::lenient::{RawPath, RawPathError, find_raw};

/// A field of an event that a rule can look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    /// A field of the table in `docs/FIELDS.md`, by its place in [`Field::names`].
    Known(usize),
    /// A path into the raw element.
    Raw(RawPath),
}

/// Why a name is not a field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// There is no such field.
    #[error("there is no field `{0}`")]
    Unknown(String),
    /// The path leads to a credential of the sending app, which is never available.
    #[error("`{0}` is a credential of the sending app and never available")]
    Credential(String),
    /// What follows `raw` is no path.
    #[error("`raw` needs a path with a dot between each two steps, such as raw.error.metaData.customer.plan")]
    NoPath,
}

type Read = fn(&Event) -> Vec<&str>;

/// Every field but `raw.…`, with the values a rule looks at: any of them may match.
const KNOWN: &[(&str, Read)] = &[
    ("source", |e| vec![e.source.as_str()]),
    ("trigger", |e| vec![&e.trigger]),
    ("reason", |e| vec![&e.reason]),
    ("severity", |e| vec![e.severity.as_str()]),
    ("app", |e| vec![&e.app.name]),
    ("stage", |e| vec![&e.app.stage]),
    ("version", |e| vec![&e.app.version]),
    ("error_class", |e| vec![&e.error.class]),
    ("message", |e| vec![&e.text]),
    ("title", |e| vec![&e.title]),
    ("context", |e| vec![&e.error.context]),
    ("error_id", |e| vec![&e.error.id]),
    ("event_id", |e| vec![&e.id]),
    ("handled", |e| vec![&e.error.handled]),
    ("occurrences", |e| vec![&e.error.occurrences]),
    ("users", |e| vec![&e.error.users]),
    ("status", |e| vec![&e.status]),
    ("state_change", |e| vec![&e.state.change]),
    ("rate", |e| vec![&e.rate]),
    ("url", |e| vec![&e.url]),
    ("request_url", |e| vec![&e.error.request_url]),
    ("user", |e| vec![&e.user.id, &e.user.name, &e.user.email]),
    ("actor", |e| vec![&e.actor.name, &e.actor.email]),
    ("device", |e| vec![&e.device.name]),
    ("os_version", |e| vec![&e.device.os_version]),
    ("language", |e| vec![&e.device.language]),
    ("caught_up", |e| vec![if e.caught_up { "true" } else { "" }]),
];

impl Field {
    /// Understands a field's name as it stands in a rule.
    pub fn parse(name: &str) -> Result<Self, FieldError> {
        if let Some(place) = KNOWN.iter().position(|(known, _)| *known == name) {
            return Ok(Self::Known(place));
        }
        match name.strip_prefix("raw.") {
            Some(path) => RawPath::parse(path).map(Self::Raw).map_err(|error| match error {
                RawPathError::Step => FieldError::NoPath,
                RawPathError::Credential => FieldError::Credential(name.to_owned()),
            }),
            None if name == "raw" => Err(FieldError::NoPath),
            None => Err(FieldError::Unknown(name.to_owned())),
        }
    }

    /// The names of all fields but `raw.…`.
    pub fn names() -> impl Iterator<Item = &'static str> {
        KNOWN.iter().map(|(name, _)| *name)
    }

    /// Whether it is the severity, which has an order of its own.
    pub fn is_severity(&self) -> bool {
        self.is("severity")
    }

    /// Whether it is the field of this name.
    pub fn is(&self, name: &str) -> bool {
        matches!(self, Self::Known(place) if KNOWN.get(*place).is_some_and(|(known, _)| *known == name))
    }

    /// The values of the field that are given; one empty value if none is.
    pub(super) fn values<'a>(&self, event: &'a Event) -> Vec<Cow<'a, str>> {
        let mut values: Vec<Cow<'a, str>> = match self {
            Self::Known(place) => match KNOWN.get(*place) {
                Some((_, read)) => read(event).into_iter().map(Cow::Borrowed).collect(),
                None => Vec::new(),
            },
            Self::Raw(path) => find_raw(&event.raw, path).into_iter().map(Cow::Owned).collect(),
        };
        values.retain(|value| !value.is_empty());
        if values.is_empty() {
            values.push(Cow::Borrowed(""));
        }
        values
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(place) => f.write_str(KNOWN.get(*place).map_or("", |(name, _)| *name)),
            Self::Raw(path) => write!(f, "raw.{path}"),
        }
    }
}
