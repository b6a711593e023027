//! Discord's webhooks: the form and its limits, error codes, the message given back, and what pings.
//!
//! Lengths are counted in code points after trimming. Limits and codes:
//! <https://discord.com/developers/docs/resources/webhook#execute-webhook>.

mod embed;
mod form;

use serde_json::{Value, json};

use super::shape::Place;
use super::{Answer, Request, Webhook};

use form::Form;

/// Ids in each list of `allowed_mentions`.
const MENTIONS: usize = 100;
/// Flags that a webhook may set: no embeds, no push notification, components of the second version.
const FLAGS: u64 = 4 | 4096 | 32768;

/// What Discord says about a request, the `number`th that it gets.
pub(super) fn judge(webhook: &Webhook, request: &Request, number: u64) -> Answer {
    if let Some(refusal) = check_address(webhook, request) {
        return refusal;
    }
    if request.method == "GET" {
        return Answer::json(200, &about(webhook));
    }
    if request.method != "POST" {
        return coded(405, 0, "405: Method Not Allowed");
    }
    let Some(body) = request.json().filter(|body| body.is_object() && request.says_json()) else {
        return coded(400, 50109, "The request body contains invalid JSON.");
    };
    let form = check(&Place::root(&body), request);
    if form.is_faulty() {
        return form.answer();
    }
    if let Some(refusal) = check_thread(webhook, request, &body) {
        return refusal;
    }
    if is_empty(&body, request) {
        return coded(400, 50006, "Cannot send an empty message");
    }
    match request.parameter("wait").as_deref() {
        Some("true" | "1") => Answer::json(200, &message(webhook, &body, number)),
        _ => Answer::empty(204),
    }
}

fn coded(status: u16, code: u32, message: &str) -> Answer {
    Answer::json(status, &json!({ "message": message, "code": code })).because(message)
}

/// The webhook's path with or without the version of the API, and a `User-Agent`, which Discord's edge requires.
fn check_address(webhook: &Webhook, request: &Request) -> Option<Answer> {
    let known = webhook.path.split_once("/webhooks/").map_or("", |(_, known)| known);
    let asked = request.path.strip_prefix("/api/").and_then(|rest| match rest.split_once('/') {
        Some(("webhooks", asked)) => Some(asked),
        Some(("v10" | "v9", rest)) => rest.strip_prefix("webhooks/"),
        _ => None,
    });
    let asked_id = asked.and_then(|asked| asked.split('/').next());
    if request.header("user-agent").is_none_or(|agent| agent.trim().is_empty()) {
        Some(coded(403, 40333, "internal network error"))
    } else if asked == Some(known) {
        None
    } else if asked_id == known.split('/').next() {
        Some(coded(401, 50027, "Invalid Webhook Token"))
    } else {
        Some(coded(404, 10015, "Unknown Webhook"))
    }
}

/// A forum's messages need exactly one of a thread and a new thread's name, elsewhere there is no name to give.
fn check_thread(webhook: &Webhook, request: &Request, body: &Value) -> Option<Answer> {
    let named = body.get("thread_name").is_some_and(|name| !name.is_null());
    let given = request.parameter("thread_id").is_some();
    match (webhook.forum, named, given) {
        (true, false, false) => {
            Some((220_001, "Webhooks posted to forum channels must have a thread_name or thread_id"))
        }
        (_, true, true) => {
            Some((220_002, "Webhooks posted to forum channels cannot have both a thread_name and thread_id"))
        }
        (false, true, _) => Some((220_003, "Webhooks can only create threads in forum channels")),
        _ => None,
    }
    .map(|(code, message)| coded(400, code, message))
}

fn check(body: &Place<'_>, request: &Request) -> Form {
    let mut form = Form::default();
    form.text(body, "content", 0..=2000);
    form.text(body, "thread_name", 1..=100);
    if let Some(thread) = request.parameter("thread_id")
        && !is_snowflake(&thread)
    {
        form.fault("thread_id", "NUMBER_TYPE_COERCE", format!("Value \"{thread}\" is not snowflake."));
    }
    form.text(body, "username", 1..=80);
    if let Some(name) = body.at("username") {
        let lower = name.value.as_str().unwrap_or_default().to_lowercase();
        for word in ["discord", "clyde"].into_iter().filter(|word| lower.contains(word)) {
            let message = format!("Username cannot contain \"{word}\"");
            form.fault("username", "USERNAME_INVALID_CONTAINS", message);
        }
    }
    form.url(body, "avatar_url", &[]);
    if let Some(flags) = body.at("flags")
        && flags.value.as_u64().is_none_or(|flags| flags & !FLAGS != 0)
    {
        form.fault("flags", "BASE_TYPE_CHOICES", "The flags are not among those allowed.");
    }
    let embeds = form.list(body, "embeds", 10);
    embed::check(&embeds, &mut form);
    check_mentions(body, &mut form);
    if request.parameter("with_components").as_deref() == Some("true") {
        check_components(body, &mut form);
    }
    form
}

fn check_mentions(body: &Place<'_>, form: &mut Form) {
    let Some(allowed) = body.at("allowed_mentions") else { return };
    if !allowed.value.is_object() {
        form.fault(&allowed.path, "MODEL_TYPE_CONVERT", "Only dictionaries may be used.");
        return;
    }
    let parse = form.list(&allowed, "parse", 3);
    for word in &parse {
        if word.word(&["users", "roles", "everyone"]).is_err() {
            form.fault(
                &word.path,
                "BASE_TYPE_CHOICES",
                "Value must be one of ('users', 'roles', 'everyone').",
            );
        }
    }
    for key in ["users", "roles"] {
        let ids = form.list(&allowed, key, MENTIONS);
        for id in ids.iter().filter(|id| id.value.as_str().is_none_or(|id| !is_snowflake(id))) {
            form.fault(&id.path, "NUMBER_TYPE_COERCE", "Value is not snowflake.");
        }
        if !ids.is_empty() && parse.iter().any(|word| word.value == key) {
            let message = format!("parse:[\"{key}\"] and {key}: [ids...] are mutually exclusive.");
            form.fault(&allowed.path, "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE", message);
        }
    }
}

/// Rows of link buttons, the only components of an ordinary webhook.
fn check_components(body: &Place<'_>, form: &mut Form) {
    for row in form.list(body, "components", 5) {
        if row.value.get("type") != Some(&json!(1)) {
            form.fault(&row.path, "UNION_TYPE_CHOICES", "Value of field \"type\" must be one of (1,).");
        }
        for button in form.list(&row, "components", 5) {
            if button.value.get("type") != Some(&json!(2)) || button.value.get("style") != Some(&json!(5)) {
                form.fault(&button.path, "UNION_TYPE_CHOICES", "Only link buttons can be sent.");
            }
            form.text(&button, "label", 1..=80);
            form.url(&button, "url", &[]);
            if button.at("url").is_none_or(|url| url.value.as_str().is_none_or(|url| url.len() > 512)) {
                form.fault(
                    &format!("{}.url", button.path),
                    "BASE_TYPE_MAX_LENGTH",
                    "Must be between 1 and 512.",
                );
            }
        }
    }
}

fn is_snowflake(text: &str) -> bool {
    (1..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_empty(body: &Value, request: &Request) -> bool {
    let content = body.get("content").and_then(Value::as_str).unwrap_or_default();
    let any = |key: &str| body.get(key).and_then(Value::as_array).is_some_and(|list| !list.is_empty());
    let components = request.parameter("with_components").as_deref() == Some("true") && any("components");
    let embeds = body.get("embeds").and_then(Value::as_array);
    let shows = embeds.is_some_and(|embeds| embeds.iter().any(embed::shows_something));
    content.trim().is_empty() && !shows && !components
}

fn id(webhook: &Webhook) -> &str {
    let known = webhook.path.split_once("/webhooks/").map_or("", |(_, known)| known);
    known.split('/').next().unwrap_or_default()
}

/// What Discord tells of a webhook to whoever has its address: that, too.
fn about(webhook: &Webhook) -> Value {
    let token = webhook.path.rsplit('/').next().unwrap_or_default();
    json!({
        "id": id(webhook),
        "type": 1,
        "name": "Pretend",
        "avatar": null,
        "channel_id": "1200000000000000000",
        "guild_id": "1100000000000000000",
        "application_id": null,
        "token": token,
        "url": format!("https://discord.com/api/webhooks/{}/{token}", id(webhook)),
    })
}

/// The message as Discord gives it back; its id differs from request to request.
fn message(webhook: &Webhook, body: &Value, number: u64) -> Value {
    json!({
        "id": (1_300_000_000_000_000_000 + number).to_string(),
        "type": 0,
        "channel_id": "1200000000000000000",
        "webhook_id": id(webhook),
        "author": { "id": id(webhook), "username": "Pretend", "bot": true, "discriminator": "0000" },
        "content": body.get("content").and_then(Value::as_str).unwrap_or_default(),
        "embeds": body.get("embeds").cloned().unwrap_or_else(|| json!([])),
        "attachments": [],
        "components": [],
        "mentions": [],
        "mention_roles": [],
        "mention_everyone": pings(body).iter().any(|ping| ping == "@everyone" || ping == "@here"),
        "pinned": false,
        "tts": false,
        "flags": body.get("flags").and_then(Value::as_u64).unwrap_or(0),
        "timestamp": "2026-01-01T00:00:00.000000+00:00",
        "edited_timestamp": null,
    })
}

/// Whom the message would ping: what stands in its content and is allowed. Embeds never ping.
pub(super) fn pings(body: &Value) -> Vec<String> {
    let content = body.get("content").and_then(Value::as_str).unwrap_or_default();
    let mut found: Vec<String> = ["@everyone", "@here"]
        .iter()
        .filter(|word| content.contains(*word) && may(body, "everyone", None))
        .map(|&word| word.to_owned())
        .collect();
    for part in content.split("<@").skip(1) {
        let Some((target, _)) = part.split_once('>') else { continue };
        let (kind, id) = match target.strip_prefix('&') {
            Some(id) => ("roles", id),
            None => ("users", target.strip_prefix('!').unwrap_or(target)),
        };
        if is_snowflake(id) && may(body, kind, Some(id)) {
            found.push(format!("<@{target}>"));
        }
    }
    found
}

/// Whether `allowed_mentions` lets a mention through. Without it all are taken to pass: what webhooks then do is not
/// settled.
fn may(body: &Value, kind: &str, id: Option<&str>) -> bool {
    let Some(allowed) = body.get("allowed_mentions").filter(|allowed| allowed.is_object()) else {
        return true;
    };
    let has = |key: &str, word: &str| {
        let list = allowed.get(key).and_then(Value::as_array);
        list.is_some_and(|list| list.iter().any(|value| value == word))
    };
    has("parse", kind) || id.is_some_and(|id| has(kind, id))
}

#[cfg(test)]
mod tests;
