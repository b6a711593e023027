//! Discord's own schema, a Discord library's validation, and the rules that neither has.

#![expect(clippy::string_slice, reason = "a slice inside a character fails the test, as it should")]

use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::{Value, json};
use twilight_model::channel::message::Embed;

use super::{array, assert_url, assert_valid, limit, only, text, validator};

static SCHEMA: LazyLock<Validator> = LazyLock::new(|| {
    validator(include_str!("../../../../tests/fixtures/schemas/discord-execute-webhook.schema.json"))
});

pub(super) fn check(body: &Value) -> Vec<String> {
    assert_valid(&SCHEMA, body);
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
    total += check_text(text(&embed["author"], "name"), limit("/discord/embed_author_name"));
    assert_eq!(visible_markdown(text(embed, "title")).1, 0, "a title has no links and no code");
    if embed.get("footer").is_some() {
        total += check_text(text(&embed["footer"], "text"), limit("/discord/embed_footer_text"));
    }
    if embed.get("description").is_some() {
        total += check_text(text(embed, "description"), limit("/discord/embed_description"));
        visible_markdown(text(embed, "description"));
    }
    if embed.get("fields").is_some() {
        assert!((1..=10).contains(&array(embed, "fields").len()));
        for field in array(embed, "fields") {
            only(field, &["name", "value", "inline"]);
            total += check_text(text(field, "name"), limit("/discord/embed_field_name"));
            total += check_text(text(field, "value"), limit("/discord/embed_field_value"));
            assert_eq!(visible_markdown(text(field, "name")).1 + visible_markdown(text(field, "value")).1, 0);
        }
    }
    assert!(total <= limit("/discord/embed_text_total_per_message"), "{total} in all");
    if embed.get("url").is_some() {
        check_url(text(embed, "url"));
    }
}

/// Panics unless `text` is within `limit` as Discord counts; returns that count.
fn check_text(text: &str, limit: usize) -> usize {
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
    let allowed = &body["allowed_mentions"];
    only(allowed, &["parse", "users", "roles"]);
    let Some(content) = body.get("content").and_then(Value::as_str) else {
        assert_eq!(allowed, &json!({"parse": []}));
        return Vec::new();
    };
    assert!((1..=limit("/discord/content")).contains(&content.chars().count()));
    let pings: Vec<String> = content.split(' ').map(str::to_owned).collect();
    let ids = |start: &str| -> Vec<&str> {
        let id =
            |ping: &'_ String| ping.strip_prefix(start).and_then(|id| id.strip_suffix('>')).map(str::len);
        let of_kind =
            pings.iter().filter(|ping| id(ping).is_some() && (start != "<@" || !ping.starts_with("<@&")));
        of_kind.map(|ping| &ping[start.len()..ping.len() - 1]).collect()
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
    assert_eq!(
        pings.len(),
        users.len() + roles.len() + everyone,
        "content has mentions and nothing else: {content}"
    );
    pings
}

/// Reads a text as Discord's clients do; panics if anything in it acts but our own code blocks and links. Returns what
/// people see and how many of those there are.
fn visible_markdown(text: &str) -> (String, usize) {
    let mut seen = String::new();
    let mut ours = 0;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '\\' => {
                let escaped = rest.chars().next().expect("a backslash is before something");
                assert!(escaped.is_ascii_punctuation(), "a backslash before {escaped:?} is seen: {text}");
                seen.push(escaped);
                rest = &rest[1..];
            }
            '`' => {
                let (code, after) =
                    rest.strip_prefix("``\n").and_then(|rest| rest.split_once("\n```")).expect("our fence");
                assert!(!code.contains("``") && (after.is_empty() || after.starts_with('\n')), "{text}");
                seen.push_str(code);
                (rest, ours) = (after, ours + 1);
            }
            '[' => {
                let end = rest.match_indices("](").find(|(i, _)| !escaped_at(rest, *i)).expect("our link").0;
                let (label, ours_inside) = visible_markdown(&rest[..end]);
                assert_eq!(ours_inside, 0);
                let (url, after) = rest[end + 2..].split_once(')').unwrap();
                check_url(url);
                seen.push_str(&label);
                (rest, ours) = (after, ours + 1);
            }
            '*' | '_' | '~' | '|' | '>' | '#' | '-' | '+' | ']' | '(' | ')' | '<' | ':' | '@' | '.' => {
                panic!("`{c}` acts in {text}")
            }
            c => seen.push(c),
        }
    }
    (seen, ours)
}

fn escaped_at(text: &str, index: usize) -> bool {
    text[..index].bytes().rev().take_while(|b| *b == b'\\').count() % 2 == 1
}

pub(super) fn visible(body: &Value) -> Vec<String> {
    let embed = &body["embeds"][0];
    let mut texts = vec![text(&embed["author"], "name").to_owned(), visible_markdown(text(embed, "title")).0];
    texts.extend(embed["description"].as_str().map(|text| visible_markdown(text).0));
    for field in embed["fields"].as_array().into_iter().flatten() {
        texts.extend([visible_markdown(text(field, "name")).0, visible_markdown(text(field, "value")).0]);
    }
    texts.extend(embed["footer"]["text"].as_str().map(str::to_owned));
    texts
}
