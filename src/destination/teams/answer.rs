//! A workflow's answers: an empty 202, or JSON `{"error": {"code", "message"}}`.

use std::time::Duration;

use serde_json::Value;

use crate::delivery::Outcome::{self, Gone, Passing, Refused};
use crate::delivery::{Reason, Verdict, Wait};
use crate::destination::Reply;
use crate::destination::reply::{Class, Row, known, refusal};

/// The first wait when a 429 does not tell one.
const WAIT: Duration = Duration::from_secs(10);

/// The codes that workflows are known to refuse with, then what a status says by itself.
const REFUSALS: &[Row] = &[
    Row::code("WorkflowTriggerIsNotEnabled", Gone, Reason::WebhookGone),
    Row::code("TriggerInputSchemaMismatch", Refused, Reason::Misconfigured),
    Row::code("InvalidRequestContent", Refused, Reason::InvalidPayload),
    Row::code("DirectApiAuthorizationRequired", Gone, Reason::Misconfigured),
    Row::code("DirectApiRequestHasMoreThanOneAuthorization", Gone, Reason::Misconfigured),
    Row::code("WorkflowNotFound", Gone, Reason::WebhookGone),
    Row::code("RequestEntityTooLarge", Refused, Reason::TooLong),
    Row::status(401, Gone, Reason::Misconfigured),
    Row::status(403, Gone, Reason::Misconfigured),
    Row::status(404, Gone, Reason::WebhookGone),
    Row::status(410, Gone, Reason::WebhookGone),
    Row::status(413, Refused, Reason::TooLong),
];

/// Codes of Microsoft's own failures, for an answer that hides one behind a 2xx.
const FAILURES: &[Row] = &[
    Row::code("NoResponse", Passing, Reason::ServerError),
    Row::code("GatewayTimeout", Passing, Reason::ServerError),
    Row::code("ServiceUnavailable", Passing, Reason::ServerError),
    Row::code("InternalServerError", Passing, Reason::ServerError),
];

/// What an answer means. A 2xx says that the workflow has started; nothing more can be known.
pub(super) fn judge(reply: &Reply) -> Verdict {
    let error = Error::read(&reply.body);
    let (outcome, reason) = match reply.class() {
        Class::Taken => taken(reply, error.as_ref()),
        Class::TooMany => (Outcome::Wait(wait(reply)), Reason::RateLimited),
        Class::Refusal => refusal(REFUSALS, reply.status, error.as_ref().map_or("", |error| &error.code)),
        Class::Settled(outcome, reason) => (outcome, reason),
    };
    let words = error.map_or_else(|| reply.body.clone(), |error| format!("{} {}", error.code, error.message));
    reply.verdict(outcome, reason, &words)
}

/// A success may say in its body that it is none: as an error's JSON, or, from a connector, in a sentence.
fn taken(reply: &Reply, error: Option<&Error>) -> (Outcome, Reason) {
    if let Some(error) = error {
        let told =
            known(REFUSALS, reply.status, &error.code).or_else(|| known(FAILURES, reply.status, &error.code));
        return told.unwrap_or((Outcome::Unclear, Reason::UnreadableAnswer));
    }
    match inner_status(&reply.body) {
        // What stands between us and Microsoft may answer with a page of its own: nobody has seen the message then.
        None if reply.is_page() => (Outcome::Unclear, Reason::UnreadableAnswer),
        None => (Outcome::Delivered, Reason::Ok),
        Some(429) => (Outcome::Wait(wait(reply)), Reason::RateLimited),
        Some(408 | 500..=599) => (Passing, Reason::ServerError),
        Some(status) => refusal(REFUSALS, status, ""),
    }
}

fn wait(reply: &Reply) -> Wait {
    reply.retry_after().map_or(Wait::Untold(WAIT), Wait::Told)
}

/// The status in `… endpoint returned HTTP error 429 with ContextId …`.
fn inner_status(body: &str) -> Option<u16> {
    let (_, rest) = body.split_once("HTTP error ")?;
    rest.get(..3)?.parse().ok()
}

struct Error {
    code: String,
    message: String,
}

impl Error {
    fn read(body: &str) -> Option<Self> {
        let body: Value = serde_json::from_str(body).ok()?;
        let error = body.get("error")?;
        let text = |name| error.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        Some(Self { code: text("code"), message: text("message") })
    }
}
