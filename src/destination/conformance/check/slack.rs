//! Slack publishes no schema: the members, types and limits that its reference gives.

#![expect(clippy::string_slice, reason = "a slice inside a character fails the test, as it should")]

use serde_json::{Value, json};

use super::{array, assert_text, assert_url, limit, only, text};

/// The text with mark-up's characters undone to those that people see.
fn unescape(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

pub(super) fn check(body: &Value) -> Vec<String> {
    only(body, &["text", "attachments", "unfurl_links", "unfurl_media"]);
    assert_eq!((&body["unfurl_links"], &body["unfurl_media"]), (&json!(false), &json!(false)));
    assert_text(text(body, "text"), limit("/slack/text_advised"));
    let (pings, rest) = leading_pings(text(body, "text"));
    assert_inert(rest);
    assert!(rest.encode_utf16().count() <= 300, "{rest}");
    let [attachment] = array(body, "attachments") else { panic!("one attachment") };
    check_attachment(attachment);
    pings
}

fn check_attachment(attachment: &Value) {
    only(attachment, &["color", "fallback", "blocks"]);
    let colour = text(attachment, "color").strip_prefix('#').unwrap();
    assert!(colour.len() == 6 && u32::from_str_radix(colour, 16).is_ok(), "{colour}");
    assert_text(text(attachment, "fallback"), limit("/slack/text_object/max"));
    assert_inert(text(attachment, "fallback"));
    let blocks = array(attachment, "blocks");
    assert!((1..=limit("/slack/blocks")).contains(&blocks.len()));
    let all: usize = blocks.iter().map(check_block).sum();
    assert!(
        all < limit("/slack/all_blocks_text_reported_refused_from_about"),
        "{all} characters in the blocks"
    );
}

fn check_block(block: &Value) -> usize {
    only(block, &["type", "elements"]);
    let elements = array(block, "elements");
    assert!(!elements.is_empty());
    match text(block, "type") {
        "context" => {
            assert!(elements.len() <= limit("/slack/context_elements"));
            elements.iter().map(check_plain_text).sum()
        }
        "rich_text" => elements.iter().map(check_rich_section).sum(),
        other => panic!("unexpected block {other}"),
    }
}

fn check_plain_text(element: &Value) -> usize {
    only(element, &["type", "text", "emoji"]);
    assert_eq!((text(element, "type"), &element["emoji"]), ("plain_text", &json!(false)));
    assert_text(text(element, "text"), limit("/slack/text_object/max"));
    escaped(text(element, "text"))
}

fn check_rich_section(section: &Value) -> usize {
    only(section, &["type", "elements"]);
    let kind = text(section, "type");
    assert!(matches!(kind, "rich_text_section" | "rich_text_preformatted"), "{kind}");
    let elements = array(section, "elements");
    assert!(!elements.is_empty());
    elements.iter().map(check_rich_element).sum()
}

fn check_rich_element(element: &Value) -> usize {
    only(element, &["type", "text", "url", "style"]);
    if let Some(style) = element.get("style") {
        only(style, &["bold", "italic"]);
    }
    assert_text(text(element, "text"), limit("/slack/text_object/max"));
    match text(element, "type") {
        "text" => assert!(element.get("url").is_none()),
        "link" => assert_url(text(element, "url"), limit("/slack/button_url")),
        other => panic!("unexpected element {other}"),
    }
    let length = escaped(text(element, "text"));
    assert!(length <= limit("/slack/text_object/max"), "{length}");
    length + element.get("url").and_then(Value::as_str).map_or(0, str::len)
}

fn escaped(text: &str) -> usize {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").encode_utf16().count()
}

/// The control sequences that a text begins with, and what follows.
fn leading_pings(mut text: &str) -> (Vec<String>, &str) {
    let mut pings = Vec::new();
    while let Some((ping, rest)) = text.strip_prefix('<').and_then(|rest| rest.split_once("> ")) {
        let id = |id: &str| !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric());
        assert!(
            matches!(ping, "!here" | "!channel")
                || ping.strip_prefix('@').is_some_and(id)
                || ping.strip_prefix("!subteam^").is_some_and(id),
            "{ping}"
        );
        pings.push(format!("<{ping}>"));
        text = rest;
    }
    (pings, text)
}

/// Panics if any character of a mrkdwn text could act.
fn assert_inert(text: &str) {
    assert!(!text.contains(['<', '>']), "{text}");
    for (index, _) in text.match_indices('&') {
        assert!(["&amp;", "&lt;", "&gt;"].iter().any(|entity| text[index..].starts_with(entity)), "{text}");
    }
    for (index, _) in text.match_indices("&gt;") {
        assert!(text[..index].ends_with('\u{200B}'), "{text}");
    }
    for (index, mark) in text.match_indices(['*', '_', '~', '`', ':']) {
        assert!(text[index + mark.len()..].starts_with('\u{200B}'), "`{mark}` acts in {text}");
    }
}

pub(super) fn visible(body: &Value) -> Vec<String> {
    let mut texts = vec![unescape(text(body, "text"))];
    for block in array(&body["attachments"][0], "blocks") {
        for element in array(block, "elements") {
            let inner = element.get("elements").and_then(Value::as_array);
            let pieces = inner.map_or_else(|| vec![element], |inner| inner.iter().collect());
            texts.push(pieces.iter().map(|piece| text(piece, "text")).collect());
        }
    }
    texts
}
