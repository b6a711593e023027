//! Discord's own schema, a Discord library's validation, and the rules that neither has.

#![expect(clippy::string_slice, reason = "a slice inside a character fails the test, as it should")]

mod markdown;

use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::{Value, json};
use twilight_model::channel::message::Embed;

use super::{Look, Run, array, assert_url, assert_valid, limit, only, text, validator, words};

static SCHEMA: LazyLock<Validator> = LazyLock::new(|| {
    validator(include_str!("../../../../tests/fixtures/schemas/discord-execute-webhook.schema.json"))
});

pub(super) fn assert_schema(body: &Value) {
    assert_valid(&SCHEMA, body);
}

pub(super) fn check(body: &Value) -> Vec<String> {
    assert_schema(body);
    only(body, &["content", "embeds", "allowed_mentions", "thread_name"]);
    let [embed] = array(body, "embeds") else { panic!("one embed") };
    check_embed(embed);
    check_pings(body)
}

fn check_embed(embed: &Value) {
    only(embed, &["title", "url", "description", "author", "fields", "footer", "timestamp", "color"]);
    let by_others = json!({"type": "rich", "fields": []}).as_object().unwrap().clone();
    let with_defaults: Value = by_others.into_iter().chain(embed.as_object().unwrap().clone()).collect();
    let parsed: Embed = serde_json::from_value(with_defaults).unwrap();
    twilight_validate::embed::embed(&parsed).unwrap();

    let mut total = check_text(text(embed, "title"), limit("/discord/embed_title"));
    if embed.get("author").is_some() {
        only(&embed["author"], &["name"]);
        total += check_text(text(&embed["author"], "name"), limit("/discord/embed_author_name"));
    }
    assert_plain(text(embed, "title"));
    if embed.get("footer").is_some() {
        only(&embed["footer"], &["text"]);
        total += check_text(text(&embed["footer"], "text"), limit("/discord/embed_footer_text"));
    }
    if embed.get("description").is_some() {
        total += check_text(text(embed, "description"), limit("/discord/embed_description"));
        markdown::blocks(text(embed, "description"));
    }
    if embed.get("fields").is_some() {
        assert!((1..=10).contains(&array(embed, "fields").len()));
        for field in array(embed, "fields") {
            only(field, &["name", "value", "inline"]);
            total += check_text(text(field, "name"), limit("/discord/embed_field_name"));
            total += check_text(text(field, "value"), limit("/discord/embed_field_value"));
            assert_plain(text(field, "name"));
            markdown::inline(text(field, "value"));
        }
    }
    assert!(total <= limit("/discord/embed_text_total_per_message"), "{total} in all");
    if embed.get("url").is_some() {
        check_url(text(embed, "url"));
    }
}

/// Panics if anything in a text of one line acts.
fn assert_plain(text: &str) {
    assert!(markdown::inline(text).iter().all(|run| run.look == Look::default()), "{text}");
    assert!(!text.contains('\n'), "{text}");
}

/// Panics unless `text` is within `limit` as Discord counts; returns that count.
pub(super) fn check_text(text: &str, limit: usize) -> usize {
    super::assert_text(text, 2 * limit);
    let count = text.trim().chars().count();
    assert!((1..=limit).contains(&count), "{count} of {limit}: {text}");
    count
}

fn check_url(url: &str) {
    assert_url(url, limit("/discord/url"));
    let host = url::Url::parse(url).unwrap().host_str().unwrap().to_owned();
    assert!(host.trim_end_matches('.').contains('.'), "{url}");
}

fn check_pings(body: &Value) -> Vec<String> {
    let content = body.get("content").and_then(Value::as_str);
    if let Some(content) = content {
        assert!((1..=limit("/discord/content")).contains(&content.chars().count()));
    }
    let pings: Vec<String> = content.map_or(Vec::new(), |text| text.split(' ').map(str::to_owned).collect());
    check_allowed(&body["allowed_mentions"], &pings);
    pings
}

/// Panics unless each of `pings` is one, and exactly those are allowed.
pub(super) fn check_allowed(allowed: &Value, pings: &[String]) {
    only(allowed, &["parse", "users", "roles"]);
    let ids = |start: &str| -> Vec<&str> {
        let of_kind = pings.iter().filter_map(|ping| ping.strip_prefix(start)?.strip_suffix('>'));
        of_kind.filter(|id| id.bytes().all(|byte| byte.is_ascii_digit())).collect()
    };
    let (users, roles) = (ids("<@"), ids("<@&"));
    let named = |name: &str| {
        allowed
            .get(name)
            .map_or(Vec::new(), |ids| ids.as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect())
    };
    assert_eq!((&users, &roles), (&named("users"), &named("roles")), "exactly those in the text are allowed");
    let everyone = pings.iter().filter(|ping| matches!(ping.as_str(), "@here" | "@everyone")).count();
    assert_eq!(allowed["parse"], if everyone > 0 { json!(["everyone"]) } else { json!([]) });
    assert_eq!(pings.len(), users.len() + roles.len() + everyone, "mentions and nothing else: {pings:?}");
}

/// What people see of a text in which nothing acts; panics if anything does.
pub(super) fn inert(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let runs = markdown::inline(line);
        assert!(runs.iter().all(|run| run.look == Look::default()), "{line}");
        runs.into_iter().map(|run| run.text).collect::<String>()
    });
    lines.collect::<Vec<_>>().join("\n")
}

pub(super) fn runs(body: &Value) -> Vec<Run> {
    let embed = &body["embeds"][0];
    let mut runs = embed["description"].as_str().map(markdown::blocks).unwrap_or_default();
    for field in embed["fields"].as_array().into_iter().flatten() {
        let name = markdown::inline(text(field, "name"));
        runs.extend(name.into_iter().map(|run| Run { look: Look { bold: true, ..run.look }, ..run }));
        runs.extend(markdown::inline(text(field, "value")));
    }
    runs
}

pub(super) fn visible(body: &Value) -> Vec<String> {
    let embed = &body["embeds"][0];
    let inline = |text: &str| words(&markdown::inline(text));
    let mut texts: Vec<String> = embed["author"]["name"].as_str().map(str::to_owned).into_iter().collect();
    texts.push(inline(text(embed, "title")));
    texts.extend(embed["description"].as_str().map(|text| words(&markdown::blocks(text))));
    for field in embed["fields"].as_array().into_iter().flatten() {
        texts.extend([inline(text(field, "name")), inline(text(field, "value"))]);
    }
    texts.extend(embed["footer"]["text"].as_str().map(str::to_owned));
    texts
}
