//! Bugfender's webhook: an array of crashes, issues and feedback, in a newer and an older format.
//!
//! Names are those of Bugfender's help article on webhooks. The older format does not say what an element is; the
//! address it is posted to does, by `?type=`. Severity does not exist there: the source's options map it.

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use serde_json::value::RawValue;

use crate::event::{App, Device, ErrorFacts, Event, Identity, Person, Severity, digest};
use crate::name::SourceName;
use crate::source::Tracker;
use crate::source::lenient::{Entries, Object, Text, first, object, web_address};

/// Bugfender's options.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Options {
    /// How bad each type is.
    #[serde(default)]
    severity: SeverityMap,
}

/// How bad a crash, an issue, feedback is.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SeverityMap {
    #[serde(deserialize_with = "known_severity")]
    crash: Severity,
    #[serde(deserialize_with = "known_severity")]
    issue: Severity,
    #[serde(deserialize_with = "known_severity")]
    feedback: Severity,
}

impl Default for SeverityMap {
    fn default() -> Self {
        Self { crash: Severity::Error, issue: Severity::Warning, feedback: Severity::Info }
    }
}

fn known_severity<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Severity, D::Error> {
    let word = String::deserialize(deserializer)?;
    match Severity::read(&word) {
        Some(severity) if severity.rank().is_some() => Ok(severity),
        _ => Err(D::Error::unknown_variant(&word, &["info", "warning", "error"])),
    }
}

const TRIGGERS: [&str; 3] = ["crash", "issue", "feedback"];

object! {
    /// One element of the array; the older format has `session_id` and `app.key` besides, which are not read.
    Element {
        "id" => id: Text,
        "uid" => uid: Text,
        "title" => title: Text,
        "text" => text: Text,
        "type" => kind: Text,
        "status" => status: Text,
        "created_at" => created_at: Text,
        "self" => url: Text,
        "app" => app: Object<AppPart>,
        "session" => session: Object<Session>,
        "device" => device: Object<DevicePart>,
    }
}
object! { AppPart { "id" => id: Text, "name" => name: Text } }
object! {
    Session { "app_version" => version: Object<Version>, "os_version" => os_version: Text, "language" => language: Text }
}
object! { Version { "version" => version: Text, "build" => build: Text } }
object! { DevicePart { "name" => name: Text, "language" => language: Text, "user_data" => user_data: Entries } }

impl Tracker for Options {
    fn product(&self) -> &'static str {
        "bugfender"
    }

    fn triggers(&self) -> &'static [&'static str] {
        &TRIGGERS
    }

    fn read(&self, source: &SourceName, element: &RawValue, kind: Option<&str>) -> Option<Event> {
        let parsed: Object<Element> = serde_json::from_str(element.get()).ok()?;
        let Element { id, uid, title, text, .. } = &parsed.fields;
        let readable = parsed.given && !first([id, uid, title, text]).is_empty();
        readable.then(|| self.event(source, &parsed, element.get(), kind))
    }
}

impl Options {
    fn event(&self, source: &SourceName, element: &Element, raw: &str, kind: Option<&str>) -> Event {
        let Element { app, session, device, .. } = element;
        let trigger = [element.kind.0.as_str(), kind.unwrap_or_default(), "issue"]
            .into_iter()
            .map(str::trim)
            .find(|kind| !kind.is_empty())
            .unwrap_or_default();
        // Whoever typed it into an address may have begun with a capital.
        let trigger =
            TRIGGERS.into_iter().find(|known| known.eq_ignore_ascii_case(trigger)).unwrap_or(trigger);
        let (app_name, title) = (first([&app.name]), first([&element.title]));
        let id = first([&element.id, &element.uid]);
        Event {
            trigger: trigger.to_owned(),
            severity: self.severity(trigger),
            identity: Identity::of(&[source.as_str(), &first([&app.id, &app.name]), trigger, &id]),
            id,
            error: ErrorFacts { id: group(&app_name, trigger, &title), ..ErrorFacts::default() },
            app: App {
                name: app_name,
                version: first([&session.version.version]),
                build: first([&session.version.build]),
                ..App::default()
            },
            title,
            text: first([&element.text]),
            at: first([&element.created_at]),
            status: match element.status.0.as_str() {
                "0" => "open".to_owned(),
                status => status.to_owned(),
            },
            url: web_address(first([&element.url])),
            user: person(&device.user_data),
            device: Device {
                name: first([&device.name]),
                os: String::new(),
                os_version: first([&session.os_version]),
                language: first([&device.language, &session.language]),
            },
            ..Event::blank(source.clone(), "bugfender", raw)
        }
    }

    fn severity(&self, trigger: &str) -> Severity {
        match trigger {
            "crash" => self.severity.crash.clone(),
            "issue" => self.severity.issue.clone(),
            // A type that we do not know is no crash; feedback is the mildest.
            _ => self.severity.feedback.clone(),
        }
    }
}

/// The group: the same app, type and title is the same error. Without a title nothing says so.
fn group(app: &str, trigger: &str, title: &str) -> String {
    if title.is_empty() {
        return String::new();
    }
    digest(&[app, trigger, title])
        .iter()
        .take(8)
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// The affected person, where the app's own key-value pairs name one.
fn person(user_data: &Entries) -> Person {
    let find = |keys: &[&str]| {
        let entry = user_data.0.iter().find(|(key, value)| {
            !value.is_empty() && keys.contains(&key.to_ascii_lowercase().replace(['_', '-'], "").as_str())
        });
        entry.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    Person {
        id: find(&["id", "userid", "uid"]),
        name: find(&["name", "username", "fullname"]),
        email: find(&["email", "useremail", "mail"]),
    }
}
