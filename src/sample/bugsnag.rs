//! Bugsnag's eleven triggers, in the shapes of recorded webhooks.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::clock::Moment;

use super::fresh_id;

/// The triggers, in the order in which the story goes; the forms of a state change after it.
pub(super) const TRIGGERS: [&str; 14] = [
    "release",
    "firstException",
    "exception",
    "powerTen",
    "errorEventFrequency",
    "projectSpiking",
    "projectApproachingRateLimit",
    "projectSamplingStarted",
    "comment",
    "errorStateManualChange",
    "errorStateManualChange:snoozed",
    "errorStateManualChange:ignored",
    "errorStateManualChange:reopened",
    "reopened",
];

const ORGANISATION: &str = "https://app.bugsnag.com/juniper-finch";
const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);

/// A webhook for one of [`TRIGGERS`].
pub(super) fn sample(trigger: &str, now: Moment) -> Option<Value> {
    let (kind, change) = trigger.split_once(':').unwrap_or((trigger, "fixed"));
    let (mark, message) = occasion(kind, change)?;
    let project = if kind == "reopened" { &WEB } else { &API };
    let mut body = Map::new();
    body.insert("account".to_owned(), account(mark));
    body.insert("project".to_owned(), project.envelope(mark));
    body.insert("trigger".to_owned(), json!({ "type": kind, "message": message }));
    let mut put = |key: &str, value: Value| drop(body.insert(key.to_owned(), value));
    match kind {
        "release" => put("release", release(mark, now)),
        "projectSpiking" => {
            put("trigger", json!({ "type": kind, "message": message, "rate": 1260 }));
            // A spike may carry the error that makes most of it; its occurrence tells one spike from the next.
            put("error", payment(mark, now, "open", 2480));
        }
        "projectApproachingRateLimit" | "projectSamplingStarted" => {}
        "reopened" => put("error", basket(mark, now)),
        "comment" => {
            put("user", colleague());
            put(
                "comment",
                json!({
                    "id": fresh_id(24),
                    "message": "The payment provider confirms an outage in its EU region. \
                                Rolling back to 5.1.4 would not help; raising the time-out to 8 s instead.",
                }),
            );
            put("error", payment(mark, now, "open", 117));
        }
        "errorStateManualChange" => {
            put("trigger", state_change(message, change));
            put("user", colleague());
            let status = if change == "reopened" { "open" } else { change };
            put("error", payment(mark, now, status, 2480));
        }
        _ => {
            let occurrences = match kind {
                "firstException" => 1,
                "errorEventFrequency" => 10,
                "powerTen" => 100,
                _ => 38,
            };
            put("error", payment(mark, now, "open", occurrences));
        }
    }
    Some(Value::Object(body))
}

/// The mark that the dashboard's addresses carry, and Bugsnag's sentence.
fn occasion(kind: &str, change: &str) -> Option<(&'static str, &'static str)> {
    Some(match (kind, change) {
        ("release", _) => ("nr", "New release"),
        ("firstException", _) => ("nw", "New unhandled error"),
        ("exception", _) => ("oc", "Every time an error occurs"),
        ("powerTen", _) => ("fq", "100th event"),
        ("errorEventFrequency", _) => ("ef", "10 events in 1h"),
        ("projectSpiking", _) => ("sp", "Project spiking"),
        ("projectApproachingRateLimit", _) => ("al", "Project is close to being rate limited"),
        ("projectSamplingStarted", _) => ("rl", "Project is being rate limited"),
        ("comment", _) => ("cm", "Comment added"),
        ("errorStateManualChange", "fixed") => ("fx", "Error marked as fixed by Noor Haddad"),
        ("errorStateManualChange", "snoozed") => ("sn", "Error snoozed for 6 hours by Noor Haddad"),
        ("errorStateManualChange", "ignored") => ("ig", "Error ignored by Noor Haddad"),
        ("errorStateManualChange", "reopened") => ("rm", "Fixed error reopened by Noor Haddad"),
        ("reopened", _) => ("ra", "Fixed error re-occurred"),
        _ => return None,
    })
}

struct Project {
    id: &'static str,
    name: &'static str,
    slug: &'static str,
}

const API: Project = Project { id: "66f1c2a94be07d0013a5d201", name: "Shop API", slug: "shop-api" };
const WEB: Project = Project { id: "66f1c2e04be07d0013a5d2f7", name: "Shop Web", slug: "shop-web" };

impl Project {
    fn envelope(&self, mark: &str) -> Value {
        json!({ "id": self.id, "name": self.name, "url": format!("{ORGANISATION}/{}?i=wh&m={mark}", self.slug) })
    }

    /// The error's page at one occurrence.
    fn error_url(&self, error: &str, event: &str, mark: &str) -> String {
        format!("{ORGANISATION}/{}/errors/{error}?event_id={event}&i=wh&m={mark}", self.slug)
    }
}

fn account(mark: &str) -> Value {
    json!({
        "id": "66f1c1134be07d0013a5d0aa",
        "name": "Juniper & Finch",
        "url": format!("https://app.bugsnag.com/account/juniper-finch?i=wh&m={mark}"),
    })
}

fn colleague() -> Value {
    json!({ "id": "66f1c15b4be07d0013a5d0c4", "name": "Noor Haddad", "email": "noor@example.com" })
}

fn state_change(message: &str, change: &str) -> Value {
    let mut trigger = json!({ "type": "errorStateManualChange", "message": message, "stateChange": change });
    if let (Some(members), "snoozed") = (trigger.as_object_mut(), change) {
        members.insert("snoozeRule".to_owned(), json!({ "ruleType": "occurs_after", "ruleValue": 21600 }));
    }
    trigger
}

fn release(mark: &str, now: Moment) -> Value {
    let id = fresh_id(24);
    let groups = format!("{ORGANISATION}/{}/release_groups", API.slug);
    json!({
        "id": id,
        "version": "5.2.0",
        "releaseStage": "production",
        "url": format!("{groups}/66f2a0174be07d0013a60b11/releases/{id}?i=wh&m={mark}"),
        "releaseTime": now.to_string(),
        "releasedBy": "Noor Haddad",
        "sourceControl": {
            "provider": "github",
            "revision": "b41d09e",
            "revisionUrl": "https://github.com/juniper-finch-example/shop-api/tree/b41d09e",
            "diffUrl": "https://github.com/juniper-finch-example/shop-api/compare/77e3c5a...b41d09e",
        },
    })
}

/// The error of the story: payments of the shop's API time out.
fn payment(mark: &str, now: Moment, status: &str, occurrences: u32) -> Value {
    let (error, event) = ("66f2a3c04be07d0013a61e58", format!("{}0000", fresh_id(20)));
    let age = if occurrences == 1 { Duration::ZERO } else { MINUTE * occurrences };
    json!({
        "id": event,
        "errorId": error,
        "exceptionClass": "Payments::GatewayTimeout",
        "message": "no answer from pay.example.net within 3000 ms (POST /v1/charges, attempt 2 of 2)",
        "context": "checkout#create",
        "appVersion": "5.2.0",
        "releaseStage": "production",
        "occurrences": occurrences,
        "firstReceived": now.minus(age).to_string(),
        "receivedAt": now.to_string(),
        "requestUrl": "https://api.shop.example.com/v2/checkout",
        "userId": "40217",
        "url": API.error_url(error, &event, mark),
        "severity": "error",
        "status": status,
        "unhandled": true,
        "app": { "version": "5.2.0", "releaseStage": "production", "type": "rails", "duration": 184_202 },
        "device": {
            "hostname": "api-3.shop.example.com",
            "osName": "linux",
            "osVersion": "6.12.0",
            "time": now.minus(Duration::from_millis(180)).to_string(),
        },
        "user": { "id": "40217", "name": "Mila Sørensen", "email": "mila@example.org" },
        "metaData": {
            "order": { "id": 771_930, "total": "84.50", "currency": "EUR", "items": 3 },
            "customer": { "plan": "enterprise" },
            "request": { "httpMethod": "POST", "clientIp": "203.0.113.57" },
        },
        "stackTrace": payment_stack(),
        "breadcrumbs": [
            crumb("Charge requested", "request", now.minus(Duration::from_millis(6300))),
            crumb("Charge retried", "request", now.minus(Duration::from_millis(3200))),
        ],
    })
}

fn payment_stack() -> Value {
    json!([
        {
            "file": "app/services/payments/gateway.rb",
            "lineNumber": "64",
            "method": "charge",
            "inProject": true,
            "code": {
                "62": "  def charge(order, within: TIMEOUT)",
                "63": "    answer = client.post(\"/v1/charges\", order.to_charge, timeout: within)",
                "64": "    raise GatewayTimeout, describe(answer) if answer.timed_out?",
                "65": "    Charge.from(answer)",
                "66": "  end",
            },
        },
        {
            "file": "app/services/checkout.rb",
            "lineNumber": "31",
            "method": "pay",
            "inProject": true,
            "code": { "31": "    @charge = gateway.charge(order)" },
        },
        { "file": "app/controllers/checkout_controller.rb", "lineNumber": "18", "method": "create", "inProject": true },
        {
            "file": "gems/actionpack-8.0.2/lib/abstract_controller/base.rb",
            "lineNumber": "226",
            "method": "process_action",
            "inProject": false,
        },
    ])
}

/// An older error of the web front end, which a fix did not hold down.
fn basket(mark: &str, now: Moment) -> Value {
    let (error, event) = ("66e9177b4be07d0013a2f9c6", format!("{}0000", fresh_id(20)));
    json!({
        "id": event,
        "errorId": error,
        "exceptionClass": "TypeError",
        "message": "Cannot read properties of undefined (reading 'quantity')",
        "context": "/basket",
        "releaseStage": "production",
        "occurrences": 214,
        "firstReceived": now.minus(DAY * 9).to_string(),
        "receivedAt": now.to_string(),
        "requestUrl": "https://shop.example.com/basket?ref=newsletter",
        "userId": "198.51.100.23",
        "url": WEB.error_url(error, &event, mark),
        "severity": "warning",
        "status": "open",
        "unhandled": false,
        "app": { "releaseStage": "production", "type": "browser", "duration": 9120 },
        "device": {
            "osName": "Android 15",
            "browserName": "Chrome",
            "browserVersion": "141.0.7390",
            "locale": "nl-NL",
            "time": now.minus(Duration::from_millis(400)).to_string(),
        },
        "user": { "id": "198.51.100.23" },
        "metaData": {},
        "stackTrace": [{
            "file": "src/basket/lines.tsx",
            "lineNumber": "41",
            "columnNumber": "27",
            "method": "total",
            "inProject": true,
            "code": { "41": "  return lines.reduce((sum, line) => sum + line.item.quantity, 0)" },
        }],
        "breadcrumbs": [crumb("UI click", "user", now.minus(Duration::from_millis(900)))],
    })
}

fn crumb(name: &str, kind: &str, at: Moment) -> Value {
    json!({ "name": name, "timestamp": at.to_string(), "type": kind, "metaData": {} })
}
