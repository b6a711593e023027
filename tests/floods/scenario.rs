//! A bad deploy, as a tracker tells of it: thousands of events of some dozen errors within a minute, with one thing among
//! them that somebody must know at once. The same events each time.

use std::time::Duration;

use fastrand::Rng;
use serde_json::{Value, json};

/// What happens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deploy {
    /// Events in all.
    pub(crate) events: u32,
    /// Different errors that the deploy brings.
    pub(crate) errors: u32,
    /// Within which time.
    pub(crate) span: Duration,
}

/// A webhook that the tracker calls.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// When, after the deploy.
    pub(crate) at: Duration,
    /// What tells it from all others, wherever it is found.
    pub(crate) mark: String,
    /// Whether it is the one that somebody must know at once.
    pub(crate) is_urgent: bool,
    /// What is posted.
    pub(crate) body: Value,
}

/// 5,000 events of 60 errors in a minute.
pub(crate) const BAD_DEPLOY: Deploy = Deploy { events: 5_000, errors: 60, span: Duration::from_mins(1) };

/// The error of the one that is urgent, which rules look for.
pub(crate) const URGENT_CLASS: &str = "PaymentsDown";

/// Projects of the tracker, each an application.
const PROJECTS: [&str; 3] = ["Shop API", "Checkout", "Shop for iOS"];

const CLASSES: [(&str, &str); 6] = [
    ("NoMethodError", "undefined method `total' for nil"),
    ("Timeout::Error", "execution expired after 5000 ms"),
    ("TypeError", "Cannot read properties of undefined (reading 'items')"),
    ("ActiveRecord::StatementInvalid", "column carts.currency does not exist"),
    ("JSON::ParserError", "unexpected token at '<html>'"),
    ("NSInvalidArgumentException", "unrecognized selector sent to instance"),
];

/// What one event is, before it has its place among the others.
enum Kind {
    /// The `nth` of the error of this number.
    Occurrence {
        error: u32,
        nth: u32,
    },
    Urgent,
    Spiking,
    Comment,
}

impl Deploy {
    /// All calls, in the order of their time.
    pub(crate) fn calls(&self) -> Vec<Call> {
        let mut dice = Rng::with_seed(2_301);
        let mut planned = vec![
            (self.span.mul_f64(0.12), Kind::Spiking),
            (self.span.mul_f64(0.5), Kind::Urgent),
            (self.span.mul_f64(0.55), Kind::Comment),
        ];
        for (error, count) in (0..).zip(self.counts()) {
            // The frequent ones show themselves first.
            let begins = self.span.mul_f64(0.7 * f64::from(error) / f64::from(self.errors));
            let mut times: Vec<Duration> =
                (1..count).map(|_| begins + self.span.saturating_sub(begins).mul_f64(dice.f64())).collect();
            times.push(begins);
            times.sort_unstable();
            planned.extend((0..).zip(times).map(|(nth, at)| (at, Kind::Occurrence { error, nth })));
        }
        planned.sort_by_key(|(at, _)| *at);
        (1..).zip(planned).map(|(number, (at, kind))| call(number, at, &kind)).collect()
    }

    /// How many events each error has: a few are most of them.
    fn counts(&self) -> Vec<u32> {
        let weights: Vec<u32> = (1..=self.errors).map(|error| 100_000 / error).collect();
        let (whole, others) = (weights.iter().sum::<u32>(), self.events - self.errors - 3);
        let share = |weight: u32| u64::from(others) * u64::from(weight) / u64::from(whole);
        let mut counts: Vec<u32> =
            weights.into_iter().map(|weight| 1 + u32::try_from(share(weight)).unwrap()).collect();
        counts[0] += self.events - 3 - counts.iter().sum::<u32>();
        counts
    }
}

fn call(number: u32, at: Duration, kind: &Kind) -> Call {
    let mark = format!("x{number:06}z");
    let body = match kind {
        Kind::Occurrence { error, nth } => occurrence(&mark, *error, *nth, number),
        Kind::Urgent => {
            let mut body = occurrence(&mark, 1_000, 0, number);
            body["error"]["exceptionClass"] = json!(URGENT_CLASS);
            body["error"]["message"] = json!(format!("no payment has gone through for a minute ({mark})"));
            body
        }
        Kind::Spiking => {
            let mut body = occurrence(&mark, 0, 0, number);
            body["trigger"] =
                json!({ "type": "projectSpiking", "message": "Project spiking", "rate": 4_800 });
            body
        }
        Kind::Comment => {
            let mut body = occurrence(&mark, 0, 0, number);
            body["trigger"] = json!({ "type": "comment", "message": "Comment added" });
            body["comment"] = json!({ "id": format!("comment-{mark}"), "message": "That is the deploy of 2.3.1. Rolling back." });
            body["user"] = json!({ "id": "u1", "name": "Ada Example", "email": "ada@example.org" });
            body
        }
    };
    Call { at, mark, is_urgent: matches!(kind, Kind::Urgent), body }
}

/// The `nth` event of the error of that number; `number` is the event's own among all.
pub(crate) fn occurrence(mark: &str, error: u32, nth: u32, number: u32) -> Value {
    let trigger = match nth {
        0 => "firstException",
        9 | 99 | 999 => "powerTen",
        _ => "exception",
    };
    let severity = match error {
        error if error % 7 == 3 => "warning",
        error if error % 11 == 5 => "info",
        _ => "error",
    };
    let (class, message) = CLASSES[error as usize % CLASSES.len()];
    let project = PROJECTS[error as usize % PROJECTS.len()];
    let slug = project.to_lowercase().replace(' ', "-");
    let stage = if error % 10 == 9 { "staging" } else { "production" };
    let version = if number.is_multiple_of(12) { "2.3.0" } else { "2.3.1" };
    json!({
        "account": { "id": "acc", "name": "Larkspur", "url": "https://app.bugsnag.com/account/larkspur" },
        "project": { "id": slug, "name": project, "url": format!("https://app.bugsnag.com/larkspur/{slug}") },
        "trigger": { "type": trigger, "message": "What the tracker says of it" },
        "error": {
            "id": mark, "errorId": format!("error-{error:04}"), "exceptionClass": class,
            "message": format!("{message} (cause {error})"), "context": format!("orders/step_{}", error % 9),
            "severity": severity, "unhandled": severity == "error", "status": "open", "occurrences": nth + 1,
            "app": { "releaseStage": stage, "version": version },
            "url": format!("https://app.bugsnag.com/larkspur/{slug}/errors/error-{error:04}?event_id={mark}"),
            "stackTrace": [{ "file": "app/models/cart.rb", "lineNumber": 40 + error, "method": "total", "inProject": true }],
        },
    })
}
