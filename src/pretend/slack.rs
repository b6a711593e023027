//! Slack's incoming webhooks: what they take, their one-word answers, and what pings.
//!
//! Lengths are counted in UTF-16 units of the string as sent, the larger of the counts that Slack may mean:
//! <https://docs.slack.dev/reference/block-kit/blocks/>.

mod block;

use serde_json::Value;

use super::shape::{Checked, Fault, Place};
use super::{Answer, Request, Webhook};

use block::Blocks;

/// Attachments in a message.
const ATTACHMENTS: usize = 100;

/// What Slack says about a request.
pub(super) fn judge(webhook: &Webhook, request: &Request) -> Answer {
    match check(webhook, request) {
        Ok(()) => Answer::text(200, "ok"),
        Err(Refusal(status, word, why)) => Answer::text(status, word).because(why),
    }
}

/// A status, Slack's word, and what it does not tell.
struct Refusal(u16, &'static str, String);

fn check(webhook: &Webhook, request: &Request) -> Result<(), Refusal> {
    if request.path != webhook.path {
        let (ours, theirs) = (webhook.path.rsplit_once('/'), request.path.rsplit_once('/'));
        let only_the_secret_differs = ours.map(|(room, _)| room) == theirs.map(|(room, _)| room);
        return Err(if only_the_secret_differs {
            Refusal(403, "invalid_token", "the last part of the path is wrong".to_owned())
        } else {
            Refusal(404, "no_service", "no webhook has this path".to_owned())
        });
    }
    if request.method != "POST" {
        return Err(Refusal(405, "method_not_allowed", format!("{} instead of POST", request.method)));
    }
    if !request.says_json() {
        return Err(Refusal(400, "invalid_payload", "the content type is not JSON".to_owned()));
    }
    let Some(body) = request.json().filter(Value::is_object) else {
        return Err(Refusal(400, "invalid_payload", "the body is not a JSON object".to_owned()));
    };
    message(&Place::root(&body))
}

fn message(body: &Place<'_>) -> Result<(), Refusal> {
    let refuse = |word| move |fault: Fault| Refusal(400, word, fault.to_string());
    let mut blocks = Blocks::default();
    let mut is_empty = true;
    if let Some(text) = body.at("text") {
        is_empty = text.text().map_err(refuse("invalid_payload"))?.trim().is_empty();
    }
    if let Some(list) = body.at("blocks") {
        list.list(0..=usize::MAX).map_err(refuse("invalid_blocks_format"))?;
        is_empty &= blocks.check(&list).map_err(refuse("invalid_blocks"))? == 0;
    }
    if let Some(list) = body.at("attachments") {
        let attachments = list.list(0..=usize::MAX).map_err(refuse("invalid_attachments"))?;
        list.list(0..=ATTACHMENTS).map_err(refuse("too_many_attachments"))?;
        is_empty &= attachments.is_empty();
        for attachment in &attachments {
            if !says_something(attachment).map_err(refuse("invalid_attachments"))? {
                let why = attachment.fault("has nothing to show").to_string();
                return Err(Refusal(400, "missing_text_or_fallback_or_attachments", why));
            }
            if let Some(list) = attachment.at("blocks") {
                blocks.check(&list).map_err(refuse("invalid_attachments"))?;
            }
        }
    }
    if is_empty {
        return Err(Refusal(400, "no_text", "the message has nothing to show".to_owned()));
    }
    blocks.length().map_err(refuse("msg_blocks_too_long"))
}

fn says_something(attachment: &Place<'_>) -> Checked<bool> {
    attachment.object()?;
    for key in ["color", "fallback", "text", "pretext", "title", "title_link", "footer"] {
        if let Some(text) = attachment.at(key) {
            text.text()?;
        }
    }
    let shown = ["text", "pretext", "title", "fallback", "image_url"];
    let has_text = shown.iter().any(|key| {
        attachment.at(key).and_then(|text| text.value.as_str()).is_some_and(|text| !text.trim().is_empty())
    });
    let has_parts = ["blocks", "fields"].iter().any(|key| {
        attachment.at(key).and_then(|list| list.value.as_array()).is_some_and(|list| !list.is_empty())
    });
    Ok(has_text || has_parts)
}

/// Whom the message would ping: control sequences in all mrkdwn, and the elements of rich text made for it.
pub(super) fn pings(body: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let names_act = body.get("link_names").is_some_and(|flag| flag == &Value::Bool(true))
        || body.get("parse").is_some_and(|parse| parse == "full");
    let guess = if names_act { Guess::Bare } else { Guess::Nothing };
    let texts = |value: &Value, keys: &[&str], found: &mut Vec<String>| {
        for text in keys.iter().filter_map(|key| value.get(key)?.as_str()) {
            mrkdwn(text, guess, found);
        }
    };
    texts(body, &["text"], &mut found);
    for attachment in body.get("attachments").and_then(Value::as_array).into_iter().flatten() {
        texts(attachment, &["text", "pretext", "title"], &mut found);
        for field in attachment.get("fields").and_then(Value::as_array).into_iter().flatten() {
            texts(field, &["title", "value"], &mut found);
        }
    }
    walk(body, &mut found);
    found
}

/// Whether bare names act in a text, as in `@here`.
#[derive(Debug, Clone, Copy)]
enum Guess {
    Nothing,
    Bare,
}

/// Block Kit's own elements, wherever they stand.
fn walk(value: &Value, found: &mut Vec<String>) {
    let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default();
    match text("type") {
        // Slack looks for names in a text object unless told that it is verbatim, and does not say for which.
        "mrkdwn" if value.get("verbatim") == Some(&Value::Bool(true)) => {
            mrkdwn(text("text"), Guess::Nothing, found);
        }
        "mrkdwn" | "markdown" => mrkdwn(text("text"), Guess::Bare, found),
        "user" => found.push(format!("<@{}>", text("user_id"))),
        "usergroup" => found.push(format!("<!subteam^{}>", text("usergroup_id"))),
        "broadcast" => found.push(format!("<!{}>", text("range"))),
        _ => {}
    }
    match value {
        Value::Array(list) => list.iter().for_each(|value| walk(value, found)),
        Value::Object(members) => members.values().for_each(|value| walk(value, found)),
        _ => {}
    }
}

fn mrkdwn(text: &str, guess: Guess, found: &mut Vec<String>) {
    for part in text.split('<').skip(1) {
        let Some((sequence, _)) = part.split_once('>') else { continue };
        let sequence = sequence.split('|').next().unwrap_or_default();
        let acts = ["!here", "!channel", "!group", "!everyone"].contains(&sequence)
            || ["!subteam^", "@U", "@W"].iter().any(|start| sequence.starts_with(start));
        if acts {
            found.push(format!("<{sequence}>"));
        }
    }
    if matches!(guess, Guess::Bare) {
        let names = ["@here", "@channel", "@everyone", "@group"];
        found.extend(names.iter().filter(|name| text.contains(*name)).map(|&name| name.to_owned()));
    }
}

#[cfg(test)]
mod tests;
