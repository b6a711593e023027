//! What bugle says of itself: an event like any other, written by us and read again by us.
//!
//! It is no product that a source could have. Its events are stored, delivered and rendered as a tracker's are, so they
//! are read from their raw element as those are, too.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::event::{ErrorFacts, Event, Severity};
use crate::name::SourceName;
use crate::source::Tracker;
use crate::source::lenient::{Object, Text, object};

/// The product of what bugle says of itself, and the source that it comes from.
pub const OWN: &str = "bugle";

/// The line that says whose words these are.
const REASON: &str = "bugle about itself";

/// Something that bugle has to say of itself, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Own {
    /// What it is about.
    pub trigger: &'static str,
    /// How bad it is.
    #[serde(serialize_with = "as_word")]
    pub severity: Severity,
    /// What it has in common with the next of its kind.
    pub key: String,
    /// One line that says it all.
    pub title: String,
    /// What has happened and what follows from it.
    pub text: String,
    /// What to do.
    pub advice: String,
    /// Particulars.
    pub facts: Vec<Fact>,
    /// What is to be shown as it is, line by line.
    pub detail: String,
    /// Since when, as RFC 3339.
    pub at: String,
}

/// One particular.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// What it is called.
    pub label: String,
    /// What it is.
    pub value: String,
}

fn as_word<S: serde::Serializer>(severity: &Severity, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(severity.as_str())
}

impl Own {
    /// The event that says it.
    pub fn event(&self) -> Event {
        let name = SourceName::own();
        let raw = serde_json::value::to_raw_value(self).ok();
        let read = raw.as_deref().and_then(|raw| Reader.read(&name, raw, None));
        read.unwrap_or_else(|| Event::unreadable(name, OWN, "{}"))
    }
}

object! {
    Element {
        "trigger" => trigger: Text,
        "severity" => severity: Text,
        "key" => key: Text,
        "title" => title: Text,
        "text" => text: Text,
        "at" => at: Text,
    }
}

/// Reads such an event again.
#[derive(Debug)]
pub(super) struct Reader;

impl Tracker for Reader {
    fn product(&self) -> &'static str {
        OWN
    }

    /// None that a rule could ask for: rules do not see these events.
    fn triggers(&self) -> &'static [&'static str] {
        &[]
    }

    fn read(&self, source: &SourceName, element: &RawValue, _kind: Option<&str>) -> Option<Event> {
        let parsed: Object<Element> = serde_json::from_str(element.get()).ok()?;
        let Element { trigger, severity, key, title, text, at } = parsed.fields;
        let readable = parsed.given && !title.0.is_empty();
        readable.then(|| Event {
            trigger: trigger.0,
            reason: REASON.to_owned(),
            severity: Severity::read(&severity.0).unwrap_or(Severity::Info),
            title: title.0,
            text: text.0,
            at: at.0,
            error: ErrorFacts { id: key.0, ..ErrorFacts::default() },
            ..Event::blank(source.clone(), OWN, element.get())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_reads_back() {
        let own = Own {
            trigger: "destinationGone",
            severity: Severity::Error,
            key: "destinationGone".into(),
            title: "The destination \"oncall\" is gone".into(),
            text: "Nothing is lost.".into(),
            advice: "Mend it.".into(),
            facts: vec![Fact { label: "Destination".into(), value: "oncall".into() }],
            detail: String::new(),
            at: "2026-09-21T14:13:20.000Z".into(),
        };
        let event = own.event();
        assert_eq!((event.source.as_str(), event.product), ("bugle", "bugle"));
        assert_eq!((event.trigger.as_str(), event.severity.clone()), ("destinationGone", Severity::Error));
        assert_eq!((event.title, event.text), (own.title, own.text));
        assert_eq!(event.at, "2026-09-21T14:13:20.000Z");
        let raw: serde_json::Value = serde_json::from_str(&event.raw).unwrap();
        assert_eq!(raw["facts"][0]["value"], "oncall");
        assert_eq!(raw["advice"], "Mend it.");
    }

    #[test]
    fn what_somebody_else_wrote_into_the_store_is_not_taken_for_it() {
        for raw in ["{}", "[]", "{\"title\":\"\"}", "{\"title\":{}}"] {
            let raw: &RawValue = serde_json::from_str(raw).unwrap();
            assert!(Reader.read(&SourceName::own(), raw, None).is_none(), "{raw}");
        }
    }
}
