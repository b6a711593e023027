//! A Microsoft Teams workflow's webhook: the envelope, the Adaptive Card in it, and mentions.
//!
//! A real trigger takes almost anything with a 202 and lets its flow fail later, where only its owner sees it. Here
//! such a body is refused, as by a trigger whose owner gave it a schema.

mod card;

use serde_json::{Value, json};

use super::shape::{Checked, Fault, Place};
use super::{Answer, Request, Webhook};

/// The largest request, in bytes:
/// <https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using>.
const BODY: usize = 28 * 1024;
/// People that a card may mention.
const MENTIONS: usize = 20;

/// What Teams says about a request, the `number`th that it gets.
pub(super) fn judge(webhook: &Webhook, request: &Request, number: u64) -> Answer {
    match check(webhook, request) {
        Ok(()) => Answer::empty(202).with("x-ms-workflow-run-id", format!("{number:032}")),
        Err(Refusal(status, code, message)) => {
            let body = json!({ "error": { "code": code, "message": message } });
            Answer::json(status, &body).because(message)
        }
    }
}

/// A status, a code, and what is wrong.
struct Refusal(u16, &'static str, String);

fn check(webhook: &Webhook, request: &Request) -> Result<(), Refusal> {
    let refuse = |status, code, message: &str| Err(Refusal(status, code, message.to_owned()));
    if request.path.trim_end_matches('/') != webhook.path {
        return refuse(404, "WorkflowNotFound", "The workflow could not be found.");
    }
    if request.header("authorization").is_some() {
        let code = "DirectApiRequestHasMoreThanOneAuthorization";
        return refuse(401, code, "The request has both a signature and an authorization header.");
    }
    if request.parameter("sig").is_none() {
        return refuse(401, "DirectApiAuthorizationRequired", "The request has no signature.");
    }
    if request.query != webhook.query {
        return refuse(401, "Unauthorized", "The query is not the one that was signed.");
    }
    if request.method != "POST" {
        return refuse(405, "MethodNotAllowed", "The trigger takes POST.");
    }
    if request.body.len() > BODY {
        let message = format!("The request has {} bytes, allowed are {BODY}.", request.body.len());
        return refuse(413, "RequestEntityTooLarge", &message);
    }
    let Some(body) = request.json().filter(|_| request.says_json()) else {
        return refuse(400, "InvalidRequestContent", "The request is not JSON.");
    };
    envelope(&Place::root(&body))
        .map_err(|fault| Refusal(400, "TriggerInputSchemaMismatch", fault.to_string()))
}

fn envelope(body: &Place<'_>) -> Checked {
    body.need("type")?.word(&["message"])?;
    // The template posts one message for each attachment, and bugle means to post one.
    for attachment in body.need("attachments")?.list(1..=1)? {
        attachment.need("contentType")?.word(&["application/vnd.microsoft.card.adaptive"])?;
        if let Some(address) = attachment.at("contentUrl") {
            return Err(address.fault("is not null"));
        }
        let content = attachment.need("content")?;
        card::check(&content)?;
        mentions(&content)?;
    }
    Ok(())
}

/// An entry whose tag stands nowhere breaks the card; a tag without an entry is just text.
fn mentions(card: &Place<'_>) -> Checked {
    let Some(entities) = card.at("msteams").and_then(|own| own.at("entities")) else { return Ok(()) };
    let texts = marked_up(card.value);
    for entity in entities.list(0..=MENTIONS)? {
        entity.need("type")?.word(&["mention"])?;
        let tag = entity.need("text")?;
        let is_tag = tag.text()?.strip_prefix("<at>").is_some_and(|rest| rest.ends_with("</at>"));
        if !is_tag || !texts.iter().any(|text| tag.value.as_str().is_some_and(|tag| text.contains(tag))) {
            return Err(tag.fault("is not an <at> tag of the card's text"));
        }
        let mentioned = entity.need("mentioned")?;
        filled(&mentioned.need("id")?)?;
        filled(&mentioned.need("name")?)?;
    }
    Ok(())
}

fn filled(place: &Place<'_>) -> Result<(), Fault> {
    if place.text()?.trim().is_empty() { Err(place.fault("is empty")) } else { Ok(()) }
}

/// The texts of a card in which a mention can stand: those of text blocks and facts.
fn marked_up(value: &Value) -> Vec<&str> {
    let mut texts = Vec::new();
    match value {
        Value::Array(list) => texts.extend(list.iter().flat_map(marked_up)),
        Value::Object(members) => {
            let is_block = value.get("type").is_some_and(|kind| kind == "TextBlock");
            let is_fact = value.get("type").is_none() && value.get("title").is_some();
            for (key, member) in members {
                if let Some(text) = member.as_str() {
                    let acts = is_fact || (is_block && key == "text");
                    texts.extend(acts.then_some(text));
                } else {
                    texts.extend(marked_up(member));
                }
            }
        }
        _ => {}
    }
    texts
}

/// Whom the message would mention: the ids of entities whose tag stands in the card.
pub(super) fn pings(body: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for attachment in body.get("attachments").and_then(Value::as_array).into_iter().flatten() {
        let Some(card) = attachment.get("content") else { continue };
        let texts = marked_up(card);
        let entities = card.pointer("/msteams/entities").and_then(Value::as_array);
        for entity in entities.into_iter().flatten() {
            let tag = entity.get("text").and_then(Value::as_str).unwrap_or_default();
            if texts.iter().any(|text| text.contains(tag)) {
                let id = entity.pointer("/mentioned/id").and_then(Value::as_str);
                found.push(id.unwrap_or_default().to_owned());
            }
        }
    }
    found
}

#[cfg(test)]
mod tests;
