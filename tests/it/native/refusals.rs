//! What is refused before the platform can: each with its place and in words.

use serde_json::json;

use super::{event, fill_in, judge, refused, template, with_options};
use bugle::destination::NativeError;

/// Stands for a text of 5,000 characters.
const LONG: &str = "long";

/// Platform, template, value, and what is said.
const REFUSED: &[(&str, &str, &str, &str)] = &[
    (
        "slack",
        r#"{"text": "{{id}}", "blocks": [{"type": "divider"}, {"type": "section", "text": {"type": "mrkdwn", "text": "{{title}}"}}]}"#,
        LONG,
        "`blocks[1].text` is 5,000 characters long; 3,000 are allowed",
    ),
    (
        "slack",
        r#"{"text": "{{id}}", "blocks": [{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}]}"#,
        "",
        "`blocks[0].text.type` is none of plain_text",
    ),
    (
        "slack",
        r#"{"text": "{{id}}", "blocks": [{"type": "section", "fields": []}]}"#,
        "",
        "`blocks[0].fields` has too few elements",
    ),
    ("slack", r#"{"text": "{{id}}", "blocks": ["{{title}}"]}"#, "x", "`blocks[0]` is no object"),
    ("slack", r#"{"text": 5, "blocks": "{{id}}"}"#, "", "`text` is no text"),
    (
        "slack",
        r#"{"blocks": [], "attachments": [{"footer": "{{id}}"}]}"#,
        "",
        "`attachments[0]` has nothing to show",
    ),
    (
        "slack",
        r#"{"text": "{{id}}", "blocks": [{"type": "image", "alt_text": "x", "image_url": "{{url}}"}]}"#,
        "x",
        "`blocks[0].image_url` is no http or https address, or too long a one",
    ),
    (
        "discord",
        r#"{"content": "{{id}}", "embeds": [{"title": "{{title}}"}]}"#,
        LONG,
        "`embeds[0].title` is 5,000 characters long; 256 are allowed",
    ),
    (
        "discord",
        r#"{"content": "{{id}}", "embeds": [{"color": "{{title}}"}]}"#,
        "7",
        "`embeds[0].color` is no whole number up to 16777215",
    ),
    (
        "discord",
        r#"{"content": "{{id}}", "components": []}"#,
        "",
        "`components` is nothing that can be sent to a webhook in this way",
    ),
    (
        "discord",
        r#"{"content": "{{id}}", "username": "{{title}}"}"#,
        "Clyde",
        "`username` has `discord` or `clyde` in it, which is not allowed",
    ),
    (
        "discord",
        r#"{"content": "{{id}}", "embeds": [{"image": {"url": "{{url}}"}}]}"#,
        "https://localhost/",
        "`embeds[0].image.url` is no http or https address, or too long a one",
    ),
    (
        "discord",
        r#"{"tts": false, "embeds": [], "nonce": "{{id}}"}"#,
        "",
        "`content` is empty, and nothing else is there to be seen",
    ),
    ("teams", r#"{"type": "message", "text": "{{id}}"}"#, "", "`attachments` is missing"),
    ("teams", r#"{"text": "{{id}}"}"#, "", "`type` is missing"),
    (
        "teams",
        r#"{"type": "message", "attachments": [{"contentType": "application/vnd.microsoft.card.adaptive", "content": {"type": "AdaptiveCard", "version": "1.5", "body": [{"type": "TextBlock", "text": "{{id}}"}]}}]}"#,
        "",
        "`attachments[0].content.version` is none of 1.0, 1.1, 1.2, 1.3, 1.4",
    ),
];

#[test]
fn what_a_platform_refuses_is_said_with_its_place() {
    let long = "x".repeat(5_000);
    for (product, text, value, words) in REFUSED {
        let value = if *value == LONG { &long } else { *value };
        assert_eq!(refused(product, text, value).to_string(), *words, "{text}");
    }
}

#[test]
fn all_of_it_together_has_a_limit_too() {
    let texts: Vec<String> = (0..5)
        .map(|_| r#"{"type": "section", "text": {"type": "mrkdwn", "text": "{{title}}"}}"#.to_owned())
        .collect();
    let many = format!(r#"{{"text": "{{{{id}}}}", "blocks": [{}]}}"#, texts.join(","));
    let words = refused("slack", &many, &"x".repeat(2_900)).to_string();
    assert_eq!(words, "`blocks` all together is 14,500 characters long; 13,000 are allowed");
    let runs = r#"{"type": "message", "attachments": [{"contentType": "application/vnd.microsoft.card.adaptive", "content": {"type": "AdaptiveCard", "version": "1.4", "body": [{"type": "TextBlock", "text": "{{title}} {{id}}"}]}}]}"#;
    let words = refused("teams", runs, &"é".repeat(10_000)).to_string();
    assert!(
        words.starts_with("`attachments` is 20,") && words.ends_with(" bytes long; 20,000 are allowed"),
        "{words}"
    );
}

#[test]
fn limits_hold_to_the_character() {
    let slack = r#"{"text": "{{id}}", "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "{{title}}"}}]}"#;
    let discord = r#"{"content": "{{id}}", "embeds": [{"title": "{{title}}"}]}"#;
    for (product, text, limit, piece) in
        [("slack", slack, 3_000, "x"), ("slack", slack, 1_500, "😀"), ("discord", discord, 256, "😀")]
    {
        let set = template(&format!("one.{product}.json.hbs"), text.to_owned());
        let platform = with_options(product, json!({}));
        let fill = |length: usize| fill_in(&set, "one", &*platform, &event(&piece.repeat(length), ""), &[]);
        judge(product, &fill(limit).unwrap(), &[]);
        assert!(matches!(fill(limit + 1), Err(NativeError::TooLong { .. })), "{product} {piece}");
    }
}
