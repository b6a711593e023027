//! Bugsnag's webhook: one object a call, eleven triggers, shapes that have changed over the years.
//!
//! Names are those of <https://docs.bugsnag.com/product/integrations/data-forwarding/webhook/>; where recordings of
//! real calls differ from that page, both are read. Nothing is required: a release has no error, a spike may have none.

use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::event::{
    App, Breadcrumb, Cause, Device, ErrorFacts, Event, Frame, Identity, LinkedIssue, Person, Release,
    Severity, StateChange,
};
use crate::name::SourceName;
use crate::source::Tracker;
use crate::source::lenient::{Entries, Many, Object, Text, first, object, web_address};

/// Bugsnag has no options of its own.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Options {}

/// Bugsnag's triggers: seven from the beginning, four added since.
const TRIGGERS: [&str; 11] = [
    "firstException",
    "powerTen",
    "exception",
    "reopened",
    "projectSpiking",
    "comment",
    "errorStateManualChange",
    "errorEventFrequency",
    "release",
    "projectSamplingStarted",
    "projectApproachingRateLimit",
];

/// A state can be changed twice in the same way, so a change is only the same if it comes again within this time, to
/// the byte.
const SAME_CHANGE_WITHIN: Duration = Duration::from_mins(1);

object! {
    /// The whole body.
    Body {
        "account" => account: Object<Account>,
        "project" => project: Object<Project>,
        "trigger" => trigger: Object<Trigger>,
        "error" => error: Object<ErrorPart>,
        "release" => release: Object<ReleasePart>,
        "comment" => comment: Object<Comment>,
        "user" => user: Object<User>,
    }
}
object! { Account { "id" => _id: Text } }
object! { Project { "id" => id: Text, "name" => name: Text, "url" => url: Text } }
object! {
    Trigger {
        "type" => kind: Text,
        "message" => message: Text,
        "rate" => rate: Text,
        "stateChange" => state_change: Text,
        "snoozeRule" => snooze: Object<SnoozeRule>,
    }
}
object! {
    /// The documentation calls the kind `type`; calls that were recorded have `ruleType`, or none.
    SnoozeRule { "type" => kind: Text, "ruleType" => rule_kind: Text, "ruleValue" => value: Text }
}
object! { Comment { "id" => id: Text, "message" => message: Text } }
object! { User { "id" => id: Text, "name" => name: Text, "email" => email: Text } }
object! {
    ErrorPart {
        "id" => id: Text,
        "errorId" => error_id: Text,
        "exceptionClass" => class: Text,
        "message" => message: Text,
        "context" => context: Text,
        "severity" => severity: Text,
        "status" => status: Text,
        "unhandled" => unhandled: Text,
        "occurrences" => occurrences: Text,
        "users" => users: Text,
        "firstReceived" => first_received: Text,
        "receivedAt" => received_at: Text,
        "requestUrl" => request_url: Text,
        "url" => url: Text,
        "userId" => user_id: Text,
        "user" => user: Object<User>,
        "appVersion" => app_version: Text,
        "releaseStage" => release_stage: Text,
        "app" => app: Object<AppPart>,
        "device" => device: Object<DevicePart>,
        "exceptions" => exceptions: Many<Object<Exception>>,
        "stackTrace" => stack_trace: Many<Object<FramePart>>,
        "stacktrace" => stacktrace: Many<Object<FramePart>>,
        "breadcrumbs" => breadcrumbs: Many<Object<BreadcrumbPart>>,
        "createdIssue" => created_issue: Many<Object<Issue>>,
        "linkedIssues" => linked_issues: Many<Object<Issue>>,
    }
}
object! {
    AppPart {
        "version" => version: Text,
        "versionCode" => version_code: Text,
        "bundleVersion" => bundle_version: Text,
        "releaseStage" => release_stage: Text,
    }
}
object! {
    DevicePart {
        "manufacturer" => manufacturer: Text,
        "model" => model: Text,
        "osName" => os_name: Text,
        "osVersion" => os_version: Text,
        "locale" => locale: Text,
    }
}
object! {
    Exception {
        "errorClass" => class: Text,
        "message" => message: Text,
        "stacktrace" => stacktrace: Many<Object<FramePart>>,
    }
}
object! {
    FramePart {
        "file" => file: Text,
        "lineNumber" => line: Text,
        "columnNumber" => column: Text,
        "method" => method: Text,
        "inProject" => in_project: Text,
        "code" => code: Entries,
    }
}
object! { BreadcrumbPart { "name" => name: Text, "type" => kind: Text, "timestamp" => timestamp: Text } }
object! { Issue { "id" => id: Text, "key" => key: Text, "number" => number: Text, "url" => url: Text } }
object! {
    ReleasePart {
        "id" => id: Text,
        "version" => version: Text,
        "versionCode" => version_code: Text,
        "bundleVersion" => bundle_version: Text,
        "releaseStage" => stage: Text,
        "url" => url: Text,
        "releaseTime" => time: Text,
        "releasedBy" => by: Text,
        "sourceControl" => source_control: Object<SourceControl>,
    }
}
object! { SourceControl { "revision" => revision: Text, "diffUrl" => diff_url: Text } }

impl Tracker for Options {
    fn product(&self) -> &'static str {
        "bugsnag"
    }

    fn triggers(&self) -> &'static [&'static str] {
        &TRIGGERS
    }

    fn read(&self, source: &SourceName, element: &RawValue, _kind: Option<&str>) -> Option<Event> {
        let body: Object<Body> = serde_json::from_str(element.get()).ok()?;
        let readable = body.given
            && (body.trigger.given
                || body.error.given
                || body.release.given
                || body.project.given
                || body.account.given);
        readable.then(|| event(source, &body, element.get()))
    }
}

fn event(source: &SourceName, body: &Body, raw: &str) -> Event {
    let Body { project, trigger, error, release, comment, user, .. } = body;
    let class = class(error);
    let mut event = Event {
        trigger: first([&trigger.kind]),
        reason: first([&trigger.message]),
        severity: severity(&trigger.kind.0, &error.severity.0),
        app: App {
            name: first([&project.name]),
            url: web_address(first([&project.url])),
            stage: first([&error.app.release_stage, &error.release_stage, &release.stage]),
            version: first([&error.app.version, &error.app_version, &release.version]),
            build: first([
                &error.app.version_code,
                &error.app.bundle_version,
                &release.version_code,
                &release.bundle_version,
            ]),
        },
        title: if class.is_empty() { first([&trigger.message]) } else { class.clone() },
        text: text(body),
        id: first([&error.id, &comment.id, &release.id]),
        at: first([&error.received_at, &release.time]),
        status: first([&error.status]),
        state: StateChange { change: first([&trigger.state_change]), snooze: snooze(&trigger.snooze) },
        rate: first([&trigger.rate]),
        url: [&error.url, &release.url, &project.url]
            .map(|url| web_address(first([url])))
            .into_iter()
            .find(|url| !url.is_empty())
            .unwrap_or_default(),
        error: error_facts(error, class),
        user: Person {
            id: first([&error.user.id, &error.user_id]),
            name: first([&error.user.name]),
            email: first([&error.user.email]),
        },
        actor: person(user),
        device: device(&error.device),
        release: released(release),
        ..Event::blank(source.clone(), "bugsnag", raw)
    };
    event.test = is_test_ping(&event);
    event.identity = identity(&event, body);
    event
}

fn severity(trigger: &str, word: &str) -> Severity {
    Severity::read(word.trim()).unwrap_or(match trigger {
        "projectSpiking" => Severity::Error,
        "projectSamplingStarted" | "projectApproachingRateLimit" => Severity::Warning,
        _ => Severity::Info,
    })
}

fn class(error: &ErrorPart) -> String {
    first(std::iter::once(&error.class).chain(error.exceptions.0.first().map(|e| &e.class)))
}

fn text(body: &Body) -> String {
    if body.trigger.kind.0 == "comment" && !body.comment.message.0.is_empty() {
        return first([&body.comment.message]);
    }
    let error = &body.error;
    first(std::iter::once(&error.message).chain(error.exceptions.0.first().map(|e| &e.message)))
}

/// What makes a second arrival the same: the event's id, but of a comment or a release its own.
fn identity(event: &Event, body: &Body) -> Option<Identity> {
    if event.test {
        return None;
    }
    let id = match event.trigger.as_str() {
        "errorStateManualChange" => {
            return Some(Identity::of_body(&event.source, &event.raw, SAME_CHANGE_WITHIN));
        }
        "comment" => first([&body.comment.id]),
        "release" => first([&body.release.id]),
        _ => first([&body.error.id]),
    };
    Identity::of(&[event.source.as_str(), &event.trigger, &id])
}

/// The dashboard's test button sends the same ids each time it is pressed, with `m=te` in its links.
fn is_test_ping(event: &Event) -> bool {
    event.url.split(['?', '&']).skip(1).any(|pair| pair == "m=te")
        || event.url.contains("/errors/example/events/example")
}

/// The rule of a snooze in words. Calls that were recorded have seconds where the documentation says minutes.
fn snooze(rule: &SnoozeRule) -> String {
    let value = first([&rule.value]);
    if value.is_empty() {
        return String::new();
    }
    match first([&rule.kind, &rule.rule_kind]).as_str() {
        "occurrences" => format!("until {value} more events"),
        "occurrence_per_hour" => format!("until {value} events in an hour"),
        "occurs_after" => match value.parse::<u64>() {
            Ok(seconds) => format!("for {}", spoken(seconds)),
            Err(_) => format!("for {value}"),
        },
        "affected_users" => format!("until {value} more users are affected"),
        _ => format!("by a rule with the value {value}"),
    }
}

fn spoken(seconds: u64) -> String {
    let units = [(86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
    let (size, unit) = units
        .into_iter()
        .find(|(size, _)| seconds >= *size && seconds.is_multiple_of(*size))
        .unwrap_or((1, "second"));
    let count = seconds / size;
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

fn error_facts(error: &ErrorPart, class: String) -> ErrorFacts {
    ErrorFacts {
        id: first([&error.error_id]),
        class,
        context: first([&error.context]),
        handled: match error.unhandled.0.as_str() {
            "true" => "false".to_owned(),
            "false" => "true".to_owned(),
            _ => String::new(),
        },
        occurrences: first([&error.occurrences]),
        users: first([&error.users]),
        first_seen: first([&error.first_received]),
        request_url: first([&error.request_url]),
        stack: stack(error),
        causes: error
            .exceptions
            .0
            .iter()
            .skip(1)
            .map(|exception| Cause { class: first([&exception.class]), message: first([&exception.message]) })
            .collect(),
        breadcrumbs: error
            .breadcrumbs
            .0
            .iter()
            .map(|crumb| Breadcrumb {
                name: first([&crumb.name]),
                kind: first([&crumb.kind]),
                at: first([&crumb.timestamp]),
            })
            .collect(),
        linked_issue: linked_issue(error),
    }
}

/// Three places have held the stack so far; the newest that has frames counts.
fn stack(error: &ErrorPart) -> Vec<Frame> {
    let newest = error.exceptions.0.first().map(|exception| &exception.stacktrace);
    newest
        .into_iter()
        .chain([&error.stack_trace, &error.stacktrace])
        .find(|frames| !frames.0.is_empty())
        .map(|frames| frames.0.iter().map(|frame| read_frame(frame)).collect())
        .unwrap_or_default()
}

fn read_frame(frame: &FramePart) -> Frame {
    Frame {
        file: first([&frame.file]),
        line: first([&frame.line]),
        column: first([&frame.column]),
        method: first([&frame.method]),
        own: match frame.in_project.0.as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        },
        code: frame.code.0.clone(),
    }
}

/// `createdIssue: {}` means that there is none, so what counts is an address.
fn linked_issue(error: &ErrorPart) -> LinkedIssue {
    error
        .created_issue
        .0
        .iter()
        .chain(&error.linked_issues.0)
        .map(|issue| LinkedIssue {
            id: first([&issue.id, &issue.key, &issue.number]),
            url: web_address(first([&issue.url])),
        })
        .find(|issue| !issue.url.is_empty())
        .unwrap_or_default()
}

fn person(user: &User) -> Person {
    Person { id: first([&user.id]), name: first([&user.name]), email: first([&user.email]) }
}

fn device(device: &DevicePart) -> Device {
    let (maker, model) = (first([&device.manufacturer]), first([&device.model]));
    Device {
        name: format!("{maker} {model}").trim().to_owned(),
        os: first([&device.os_name]),
        os_version: first([&device.os_version]),
        language: first([&device.locale]),
    }
}

fn released(release: &ReleasePart) -> Release {
    Release {
        version: first([&release.version]),
        by: first([&release.by]),
        at: first([&release.time]),
        commit: first([&release.source_control.revision]),
        diff_url: web_address(first([&release.source_control.diff_url])),
    }
}
