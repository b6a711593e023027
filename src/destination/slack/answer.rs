//! Slack's answers: one word of plain text, or JSON with an `error`.

use std::time::Duration;

use serde_json::Value;

use crate::delivery::Outcome::{self, Gone, Refused};
use crate::delivery::{Reason, Verdict};
use crate::destination::Reply;
use crate::destination::reply::{Class, Row, bounded, refusal};

/// The wait when a 429 does not tell one: the published pace.
const WAIT: Duration = Duration::from_secs(1);

/// The words that Slack is known to refuse with. Which status goes with which is not documented throughout, so the
/// word decides; a word not listed is judged by its status.
const REFUSALS: &[Row] = &[
    Row::code("invalid_payload", Refused, Reason::InvalidPayload),
    Row::code("no_text", Refused, Reason::InvalidPayload),
    Row::code("invalid_blocks", Refused, Reason::InvalidPayload),
    Row::code("invalid_blocks_format", Refused, Reason::InvalidPayload),
    Row::code("invalid_attachments", Refused, Reason::InvalidPayload),
    Row::code("missing_text_or_fallback_or_attachments", Refused, Reason::InvalidPayload),
    Row::code("msg_too_long", Refused, Reason::TooLong),
    Row::code("msg_blocks_too_long", Refused, Reason::TooLong),
    Row::code("too_many_attachments", Refused, Reason::TooLong),
    Row::code("user_not_found", Refused, Reason::Misconfigured),
    Row::code("invalid_token", Gone, Reason::WebhookGone),
    Row::code("action_prohibited", Gone, Reason::Misconfigured),
    Row::code("posting_to_general_channel_denied", Gone, Reason::Misconfigured),
    Row::code("team_disabled", Gone, Reason::WebhookGone),
    Row::code("no_team", Gone, Reason::WebhookGone),
    Row::code("no_service", Gone, Reason::WebhookGone),
    Row::code("no_service_id", Gone, Reason::WebhookGone),
    Row::code("no_active_hooks", Gone, Reason::WebhookGone),
    Row::code("channel_not_found", Gone, Reason::ChannelGone),
    Row::code("channel_is_archived", Gone, Reason::ChannelGone),
    Row::status(401, Gone, Reason::WebhookGone),
    Row::status(403, Gone, Reason::WebhookGone),
    Row::status(404, Gone, Reason::WebhookGone),
    Row::status(410, Gone, Reason::WebhookGone),
    Row::status(413, Refused, Reason::TooLong),
];

/// What an answer means.
pub(super) fn judge(reply: &Reply) -> Verdict {
    let word = word(reply);
    let (outcome, reason) = match reply.class() {
        Class::Taken if reply.status == 200 && word == "ok" => (Outcome::Delivered, Reason::Ok),
        Class::Taken => (Outcome::Unclear, Reason::UnreadableAnswer),
        Class::TooMany => (Outcome::Wait(wait(reply)), Reason::RateLimited),
        Class::Refusal => refusal(REFUSALS, reply.status, &word),
        Class::Settled(outcome, reason) => (outcome, reason),
    };
    reply.verdict(outcome, reason, &word)
}

fn word(reply: &Reply) -> String {
    let json = serde_json::from_str::<Value>(&reply.body).ok();
    let error = json.as_ref().and_then(|json| json.get("error")).and_then(Value::as_str);
    error.unwrap_or(&reply.body).trim().to_owned()
}

fn wait(reply: &Reply) -> Duration {
    let in_body = || {
        let json = serde_json::from_str::<Value>(&reply.body).ok()?;
        bounded(json.get("retry_after")?.as_f64()?)
    };
    reply.retry_after().or_else(in_body).unwrap_or(WAIT)
}
