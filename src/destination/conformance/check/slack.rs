//! Slack publishes no schema: the members, types and limits that its reference gives.

#![expect(clippy::string_slice, reason = "a slice inside a character fails the test, as it should")]

use serde_json::{Value, json};

use super::{Look, Run, array, assert_piece, assert_seen, assert_text, assert_url, limit, only, text, words};

/// The text with mark-up's characters undone to those that people see.
pub(super) fn unescape(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

pub(super) fn check(body: &Value) -> Vec<String> {
    only(body, &["text", "blocks", "attachments", "unfurl_links", "unfurl_media"]);
    assert_eq!((&body["unfurl_links"], &body["unfurl_media"]), (&json!(false), &json!(false)));
    check_summary(text(body, "text"));
    let (pings, blocks) = pings(array(body, "blocks"));
    assert_eq!(text(&blocks[0], "type"), "rich_text", "the title comes first");
    let mut all = pings.concat().encode_utf16().count() + check_blocks(array(body, "blocks"), blocks);
    if body.get("attachments").is_some() {
        let [attachment] = array(body, "attachments") else { panic!("one attachment") };
        only(attachment, &["color", "fallback", "blocks"]);
        let colour = text(attachment, "color").strip_prefix('#').unwrap();
        assert!(colour.len() == 6 && u32::from_str_radix(colour, 16).is_ok(), "{colour}");
        check_summary(text(attachment, "fallback"));
        all += check_blocks(array(attachment, "blocks"), array(attachment, "blocks"));
    }
    assert!(
        all < limit("/slack/all_blocks_text_reported_refused_from_about"),
        "{all} characters in the blocks"
    );
    pings
}

fn check_summary(text: &str) {
    assert_text(text, limit("/slack/text_advised"));
    assert_inert(text);
    assert!(text.encode_utf16().count() <= 300, "{text}");
}

/// Whom the blocks ping, and those that follow: mark-up acts in a section that holds control sequences and nothing else.
fn pings(blocks: &[Value]) -> (Vec<String>, &[Value]) {
    let Some((first, rest)) = blocks.split_first().filter(|(first, _)| first["type"] == "section") else {
        return (Vec::new(), blocks);
    };
    only(first, &["type", "text"]);
    only(&first["text"], &["type", "text", "verbatim"]);
    assert_eq!((text(&first["text"], "type"), &first["text"]["verbatim"]), ("mrkdwn", &json!(true)));
    let line = text(&first["text"], "text");
    assert_text(line, limit("/slack/section_text"));
    let id = |id: &str| !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric());
    let is_ping = |ping: &str| {
        let ping = ping.strip_prefix('<').and_then(|ping| ping.strip_suffix('>')).unwrap_or_default();
        matches!(ping, "!here" | "!channel")
            || ping.strip_prefix('@').or(ping.strip_prefix("!subteam^")).is_some_and(id)
    };
    assert!(line.split(' ').all(is_ping), "{line}");
    (line.split(' ').map(str::to_owned).collect(), rest)
}

/// Panics unless Slack takes as many blocks as there are in `all`, and each of `blocks`, of which none is mark-up.
fn check_blocks(all: &[Value], blocks: &[Value]) -> usize {
    assert!((1..=limit("/slack/blocks")).contains(&all.len()));
    blocks.iter().map(check_block).sum()
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
        "rich_text" => elements.iter().map(check_rich_part).sum(),
        other => panic!("unexpected block {other}"),
    }
}

fn check_plain_text(element: &Value) -> usize {
    only(element, &["type", "text", "emoji"]);
    assert_eq!((text(element, "type"), &element["emoji"]), ("plain_text", &json!(false)));
    assert_text(text(element, "text"), limit("/slack/text_object/max"));
    escaped(text(element, "text"))
}

fn check_rich_part(part: &Value) -> usize {
    let elements = array(part, "elements");
    assert!(!elements.is_empty());
    match text(part, "type") {
        "rich_text_list" => {
            only(part, &["type", "elements", "style", "offset"]);
            assert!(matches!(text(part, "style"), "bullet" | "ordered"), "{part}");
            let offset = part.get("offset").map(|offset| offset.as_u64().unwrap());
            assert!(offset.is_none_or(|offset| (1..10_000).contains(&offset) && part["style"] == "ordered"));
            assert!(elements.iter().all(|item| item["type"] == "rich_text_section"), "{part}");
            return elements.iter().map(check_rich_part).sum();
        }
        "rich_text_section" | "rich_text_preformatted" | "rich_text_quote" => {
            only(part, &["type", "elements"]);
        }
        other => panic!("unexpected part {other}"),
    }
    assert_seen(&elements.iter().map(|element| text(element, "text")).collect::<String>());
    if part["type"] == "rich_text_preformatted" {
        assert!(elements.iter().all(|element| element.get("style").is_none() && element["type"] == "text"));
    }
    elements.iter().map(check_rich_element).sum()
}

fn check_rich_element(element: &Value) -> usize {
    only(element, &["type", "text", "url", "style"]);
    if let Some(style) = element.get("style") {
        only(style, &["bold", "italic", "strike", "code"]);
        assert!(style.as_object().unwrap().values().all(|is| is == true), "{style}");
    }
    assert_piece(text(element, "text"), limit("/slack/text_object/max"));
    match text(element, "type") {
        "text" => assert!(element.get("url").is_none()),
        "link" => {
            assert_seen(text(element, "text"));
            assert_url(text(element, "url"), limit("/slack/button_url"));
        }
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
pub(super) fn leading_pings(mut text: &str) -> (Vec<String>, &str) {
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
pub(super) fn assert_inert(text: &str) {
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

/// What people see beside the coloured bar.
pub(super) fn runs(body: &Value) -> Vec<Run> {
    let blocks = body.pointer("/attachments/0/blocks").and_then(Value::as_array);
    blocks.into_iter().flatten().flat_map(runs_of).collect()
}

fn runs_of(part: &Value) -> Vec<Run> {
    let inner = part.get("elements").and_then(Value::as_array).into_iter().flatten().flat_map(runs_of);
    let is_code = part["type"] == "rich_text_preformatted";
    let mut runs: Vec<Run> =
        inner.map(|run| Run { look: Look { code: is_code || run.look.code, ..run.look }, ..run }).collect();
    if let Some(text) = part.get("text").and_then(Value::as_str) {
        let has = |name: &str| part.pointer(&format!("/style/{name}")).is_some_and(|is| is == true);
        let url = part.get("url").and_then(Value::as_str).unwrap_or_default().to_owned();
        let look =
            Look { bold: has("bold"), italic: has("italic"), struck: has("strike"), code: has("code"), url };
        runs.push(Run { text: text.to_owned(), look });
    }
    runs
}

pub(super) fn visible(body: &Value) -> Vec<String> {
    let mut texts = vec![unescape(text(body, "text"))];
    let blocks =
        ["/blocks", "/attachments/0/blocks"].map(|place| body.pointer(place).and_then(Value::as_array));
    for block in blocks.into_iter().flatten().flatten().filter(|block| block["type"] != "section") {
        texts.extend(array(block, "elements").iter().map(|part| words(&runs_of(part))));
    }
    texts
}
