//! Discord's answers: the message itself, or JSON with a numeric `code`, a `message`, and waits in several forms.

use std::time::Duration;

use serde_json::Value;

use super::compose::is_id;
use crate::delivery::Outcome::{self, Gone, Refused};
use crate::delivery::{Reason, Verdict, Wait};
use crate::destination::reply::{Class, Row, bounded, harmless, known, refusal};
use crate::destination::{Probed, Reply};

/// A 429 that names no wait comes from the edge, which has shut our address out: for this long at least.
const BANNED: Duration = Duration::from_mins(10);

/// As a number of seconds, an integer in a body above this is taken for milliseconds: only version 6 tells integers.
const INTEGER_SECONDS: f64 = 600.0;

/// An answer of this length may have been cut at our reading limit.
const LONG: usize = 60_000;

/// The codes that Discord refuses with, then what a status says by itself.
const REFUSALS: &[Row] = &[
    Row::code("50006", Refused, Reason::InvalidPayload),
    Row::code("50035", Refused, Reason::InvalidPayload),
    Row::code("50109", Refused, Reason::InvalidPayload),
    Row::both(400, "0", Refused, Reason::InvalidPayload),
    Row::code("220001", Refused, Reason::Misconfigured),
    Row::code("220002", Refused, Reason::Misconfigured),
    Row::code("220003", Refused, Reason::Misconfigured),
    Row::code("220004", Refused, Reason::Misconfigured),
    Row::code("40067", Refused, Reason::Misconfigured),
    Row::code("200000", Refused, Reason::Blocked),
    Row::code("240000", Refused, Reason::Blocked),
    Row::code("160005", Refused, Reason::Misconfigured),
    Row::code("50083", Refused, Reason::Misconfigured),
    Row::code("50027", Gone, Reason::WebhookGone),
    Row::code("50013", Gone, Reason::Misconfigured),
    Row::code("50001", Gone, Reason::Misconfigured),
    Row::code("40004", Gone, Reason::Misconfigured),
    Row::code("40333", Gone, Reason::Banned),
    Row::code("10015", Gone, Reason::WebhookGone),
    Row::code("10003", Gone, Reason::ChannelGone),
    Row::code("10008", Refused, Reason::OtherRefusal),
    Row::code("40005", Refused, Reason::TooLong),
    Row::status(401, Gone, Reason::WebhookGone),
    Row::status(403, Gone, Reason::Misconfigured),
    Row::status(404, Gone, Reason::WebhookGone),
    Row::status(410, Gone, Reason::WebhookGone),
    Row::status(413, Refused, Reason::TooLong),
];

/// What an answer means.
pub(super) fn judge(reply: &Reply) -> Verdict {
    let body: Option<Value> = serde_json::from_str(&reply.body).ok();
    let code = body.as_ref().and_then(|body| body.get("code")).map(Value::to_string).unwrap_or_default();
    let message_id =
        body.as_ref().and_then(|body| body.get("id")).and_then(Value::as_str).filter(|id| !id.is_empty());
    let (outcome, reason) = match reply.class() {
        Class::Taken if reply.status == 204 || message_id.is_some() || is_cut_message(reply) => {
            (Outcome::Delivered, Reason::Ok)
        }
        // An error is one whatever its status.
        Class::Taken => {
            known(REFUSALS, reply.status, &code).unwrap_or((Outcome::Unclear, Reason::UnreadableAnswer))
        }
        Class::TooMany => wait(reply, body.as_ref()),
        Class::Refusal => match refusal(REFUSALS, reply.status, &code) {
            (Refused, Reason::InvalidPayload | Reason::OtherRefusal) if complains_of_length(&reply.body) => {
                (Refused, Reason::TooLong)
            }
            verdict => verdict,
        },
        Class::Settled(outcome, reason) => (outcome, reason),
    };
    if outcome == Outcome::Delivered {
        let message_id = message_id.map(str::to_owned);
        return Verdict { message_id, rest: rest(reply), ..reply.verdict(outcome, reason, "posted") };
    }
    reply.verdict(outcome, reason, &words(reply, body.as_ref(), &code))
}

/// What is told of a webhook. The answer repeats its token and its address: nothing but its name and the number of its
/// channel is taken from it.
pub(super) fn judge_probe(reply: &Reply) -> Probed {
    let verdict = judge(reply);
    if verdict.outcome != Outcome::Delivered {
        return Probed::Not(verdict);
    }
    let webhook: Option<Value> = serde_json::from_str(&reply.body).ok();
    let text = |name: &str| webhook.as_ref().and_then(|webhook| webhook.get(name)).and_then(Value::as_str);
    let Some(channel) = text("channel_id").filter(|id| is_id(id)) else {
        return Probed::Not(reply.verdict(Outcome::Unclear, Reason::UnreadableAnswer, ""));
    };
    let name = harmless(text("name").unwrap_or_default());
    Probed::There(format!("the webhook \"{name}\" of channel {channel}"))
}

/// Discord answers with the message as it was saved, which our reading limit may cut: then its id is lost, no more.
fn is_cut_message(reply: &Reply) -> bool {
    reply.status == 200 && reply.body.len() >= LONG && reply.body.starts_with('{')
}

/// Form errors name the limit, in the codes of today's versions or in the sentence of version 6.
fn complains_of_length(body: &str) -> bool {
    ["BASE_TYPE_MAX_LENGTH", "MAX_EMBED_SIZE_EXCEEDED", "or fewer in length"]
        .iter()
        .any(|sign| body.contains(sign))
}

/// When the bucket is empty, waiting is better than being refused.
fn rest(reply: &Reply) -> Option<Duration> {
    (reply.header("x-ratelimit-remaining") == Some("0"))
        .then(|| bounded(reply.seconds("x-ratelimit-reset-after")?))?
}

fn wait(reply: &Reply, body: Option<&Value>) -> (Outcome, Reason) {
    let Some(wait) = told_wait(reply, body).map(Wait::Told) else {
        return (Outcome::WaitEverywhere(Wait::Untold(BANNED)), Reason::Banned);
    };
    if is_from_the_edge(reply) {
        return (Outcome::WaitEverywhere(wait), Reason::Banned);
    }
    let global = body.and_then(|body| body.get("global")).and_then(Value::as_bool).unwrap_or(false)
        || reply.header("x-ratelimit-global").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let outcome = if global { Outcome::WaitEverywhere(wait) } else { Outcome::Wait(wait) };
    (outcome, Reason::RateLimited)
}

/// What the edge says when it has shut our address out, whether or not it says for how long: a word of its own, or the
/// sentence that comes without any of the headers of a bucket.
fn is_from_the_edge(reply: &Reply) -> bool {
    reply.body.trim().starts_with("error code: 1015")
        || reply.body.contains("blocked from accessing our API")
            && reply.header("x-ratelimit-scope").is_none()
}

/// The body's wait is the most precise, `Retry-After` is rounded up. `X-RateLimit-Reset-After` is in seconds in every
/// version, so it decides where the others are in milliseconds, and stands in where they are missing.
fn told_wait(reply: &Reply, body: Option<&Value>) -> Option<Duration> {
    let reset = reply.seconds("x-ratelimit-reset-after");
    let in_body = body.and_then(|body| body.get("retry_after"));
    let told =
        in_body.and_then(Value::as_f64).filter(|wait| *wait >= 0.0).or_else(|| reply.seconds("retry-after"));
    match told {
        Some(told) if is_milliseconds(told, in_body, reset) => bounded(reset.unwrap_or(told / 1_000.0)),
        Some(told) => bounded(told),
        None => reply.retry_after().or_else(|| bounded(reset?)),
    }
}

/// A header without a body is the edge's, which tells seconds, unless the bucket's own wait says otherwise.
fn is_milliseconds(told: f64, in_body: Option<&Value>, reset: Option<f64>) -> bool {
    match reset {
        _ if in_body.is_some_and(|told| !told.is_u64()) => false,
        Some(reset) => told > 10.0 && (told - reset * 1_000.0).abs() <= 5.0 + reset * 50.0,
        None => in_body.is_some() && told > INTEGER_SECONDS,
    }
}

/// The code, the message, and where in the body the first mistake is.
fn words(reply: &Reply, body: Option<&Value>, code: &str) -> String {
    let Some(body) = body else { return reply.body.clone() };
    let Some(message) = body.get("message").and_then(Value::as_str) else { return reply.body.clone() };
    let place = body.get("errors").and_then(|errors| first_mistake(errors, "", 0)).unwrap_or_default();
    [code, message, &place].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// `embeds.0.title: Must be 256 or fewer in length.`
fn first_mistake(errors: &Value, path: &str, depth: usize) -> Option<String> {
    if let Some(message) = errors.pointer("/_errors/0/message").and_then(Value::as_str) {
        return Some(format!("({path}: {message})"));
    }
    let inner = errors.as_object().filter(|_| depth < 10)?;
    inner.iter().find_map(|(key, errors)| {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        first_mistake(errors, &path, depth + 1)
    })
}
