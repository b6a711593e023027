//! Slack's answers: one word of plain text, or JSON with an `error`.

use std::time::Duration;

use serde_json::Value;

use crate::delivery::Outcome::{self, Gone, Refused};
use crate::delivery::{Reason, Verdict, Wait};
use crate::destination::reply::{Class, Row, bounded, refusal};
use crate::destination::{Probed, Reply};

/// The first wait when a 429 does not tell one: the published pace.
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

/// What the answer to an empty message means: a webhook that is there refuses it as empty, one that is not for being none.
pub(super) fn judge_probe(reply: &Reply) -> Probed {
    let verdict = judge(reply);
    match (verdict.outcome, verdict.reason) {
        (Refused, Reason::InvalidPayload) => Probed::There(String::new()),
        (Outcome::Delivered, _) => Probed::Taken,
        _ => Probed::Not(verdict),
    }
}

/// What Mattermost refuses with, by its `id`, and what both servers do by status.
const COMPATIBLE_REFUSALS: &[Row] = &[
    Row::code("web.incoming_webhook.parse.app_error", Refused, Reason::InvalidPayload),
    Row::code("web.incoming_webhook.text.app_error", Refused, Reason::InvalidPayload),
    Row::code("web.incoming_webhook.split_props_length.app_error", Refused, Reason::TooLong),
    Row::code("web.incoming_webhook.invalid.app_error", Gone, Reason::WebhookGone),
    Row::code("web.incoming_webhook.user.app_error", Gone, Reason::Misconfigured),
    Row::code("web.incoming_webhook.channel.app_error", Gone, Reason::ChannelGone),
    Row::code("web.incoming_webhook.channel_locked.app_error", Gone, Reason::Misconfigured),
    Row::code("web.incoming_webhook.permissions.app_error", Gone, Reason::Misconfigured),
    Row::status(401, Gone, Reason::WebhookGone),
    Row::status(403, Gone, Reason::WebhookGone),
    Row::status(404, Gone, Reason::WebhookGone),
    Row::status(410, Gone, Reason::WebhookGone),
    Row::status(413, Refused, Reason::TooLong),
    Row::code("Invalid integration id or token provided.", Gone, Reason::WebhookGone),
    // Their words for a body that they do not take are not documented: the simplest form is worth a try.
    Row::status(400, Refused, Reason::InvalidPayload),
    Row::status(422, Refused, Reason::InvalidPayload),
];

/// What an answer means that comes from a server which takes Slack's webhooks: Mattermost says `ok`, Rocket.Chat tells
/// in JSON whether it has succeeded, and both explain a refusal in JSON of their own.
pub(super) fn judge_compatible(reply: &Reply) -> Verdict {
    let json = serde_json::from_str::<Value>(&reply.body).unwrap_or_default();
    let text = |name: &str| json.get(name).and_then(Value::as_str);
    let words = text("error").or_else(|| text("message")).unwrap_or(&reply.body).trim();
    let success = json.get("success").and_then(Value::as_bool);
    let (outcome, reason) = match (reply.class(), success) {
        (Class::Taken, Some(true)) => (Outcome::Delivered, Reason::Ok),
        (Class::Taken, Some(false)) => (Refused, Reason::OtherRefusal),
        (Class::Taken, None) if reply.status == 200 && words == "ok" => (Outcome::Delivered, Reason::Ok),
        (Class::Taken, None) => (Outcome::Unclear, Reason::UnreadableAnswer),
        (Class::TooMany, _) => (Outcome::Wait(wait(reply)), Reason::RateLimited),
        (Class::Refusal, _) => refusal(COMPATIBLE_REFUSALS, reply.status, text("id").unwrap_or(words)),
        (Class::Settled(outcome, reason), _) => (outcome, reason),
    };
    reply.verdict(outcome, reason, words)
}

fn word(reply: &Reply) -> String {
    let json = serde_json::from_str::<Value>(&reply.body).ok();
    let error = json.as_ref().and_then(|json| json.get("error")).and_then(Value::as_str);
    error.unwrap_or(&reply.body).trim().to_owned()
}

fn wait(reply: &Reply) -> Wait {
    let in_body = || {
        let json = serde_json::from_str::<Value>(&reply.body).ok()?;
        bounded(json.get("retry_after")?.as_f64()?)
    };
    reply.retry_after().or_else(in_body).map_or(Wait::Untold(WAIT), Wait::Told)
}
