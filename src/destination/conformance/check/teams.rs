//! Microsoft's schema of the card, ours of the envelope, and what Teams shows of a card.

use std::collections::HashSet;
use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::Value;

use super::{
    Look, Run, array, assert_piece, assert_seen, assert_text, assert_url, assert_valid, limit, only, text,
    validator, words,
};

static ENVELOPE: LazyLock<Validator> = LazyLock::new(|| {
    validator(include_str!("../../../../tests/fixtures/schemas/teams-workflow-message.schema.json"))
});

static CARD: LazyLock<Validator> = LazyLock::new(|| {
    validator(include_str!("../../../../tests/fixtures/schemas/adaptive-card-1.4.0.schema.json"))
});

/// Refusals were seen from about 21,000 bytes, though 28 KB are documented.
const BYTES: usize = 20_000;

/// Buttons that are shown in a row.
const BUTTONS: usize = 6;

pub(super) fn check(body: &Value) -> Vec<String> {
    let bytes = serde_json::to_vec(body).unwrap().len();
    assert!(bytes < BYTES && bytes < limit("/teams/body_bytes"), "{bytes} bytes");
    assert_valid(&ENVELOPE, body);
    only(body, &["type", "attachments"]);
    let [attachment] = array(body, "attachments") else { panic!("one attachment, one message") };
    assert_eq!(attachment.get("contentUrl"), Some(&Value::Null));
    let mut card = attachment["content"].clone();
    let msteams = card.as_object_mut().unwrap().remove("msteams").unwrap();
    assert_valid(&CARD, &card);
    only(&card, &["$schema", "type", "version", "fallbackText", "body"]);
    assert_eq!(text(&card, "version"), "1.4");
    assert_inert(text(&card, "fallbackText"));
    let items = array(&card, "body");
    items.iter().for_each(check_element);
    check_mentions(&msteams, items)
}

fn check_mentions(msteams: &Value, items: &[Value]) -> Vec<String> {
    assert_eq!(text(msteams, "width"), "Full");
    let tags: Vec<String> = match msteams.get("entities") {
        None => Vec::new(),
        Some(_) => array(msteams, "entities").iter().map(|entity| text(entity, "text").to_owned()).collect(),
    };
    assert!(tags.len() <= limit("/teams/mentions"));
    let distinct: HashSet<&String> = tags.iter().collect();
    assert_eq!(distinct.len(), tags.len(), "a tag is one person: {tags:?}");
    for entity in msteams.get("entities").and_then(Value::as_array).into_iter().flatten() {
        only(entity, &["type", "text", "mentioned"]);
        assert_eq!(entity["text"], format!("<at>{}</at>", text(&entity["mentioned"], "name")));
    }
    // The only text with mark-up holds the tags and nothing else; an entity without its tag would break the card.
    let blocks: Vec<&str> =
        items.iter().filter(|i| i["type"] == "TextBlock").map(|block| text(block, "text")).collect();
    if tags.is_empty() {
        assert!(blocks.is_empty(), "{blocks:?}");
    } else {
        assert_eq!(blocks, [tags.join(" ")]);
    }
    tags
}

fn check_element(element: &Value) {
    match text(element, "type") {
        "TextBlock" => assert_eq!(element["wrap"], true),
        "Container" => array(element, "items").iter().for_each(check_element),
        "RichTextBlock" => {
            assert_seen(&words(&runs_of(element)));
            array(element, "inlines").iter().for_each(check_run);
        }
        "ActionSet" => {
            assert!((1..=BUTTONS).contains(&array(element, "actions").len()));
            for action in array(element, "actions") {
                assert_text(text(action, "title"), 80);
                check_action(action);
            }
        }
        other => panic!("unexpected element {other}"),
    }
}

fn check_run(run: &Value) {
    assert_eq!(text(run, "type"), "TextRun");
    assert_piece(text(run, "text"), BYTES);
    assert_no_function(text(run, "text"));
    only(
        run,
        &[
            "type",
            "text",
            "size",
            "weight",
            "italic",
            "strikethrough",
            "fontType",
            "isSubtle",
            "selectAction",
        ],
    );
    if let Some(action) = run.get("selectAction") {
        check_action(action);
    }
}

fn check_action(action: &Value) {
    assert_eq!(text(action, "type"), "Action.OpenUrl");
    assert_url(text(action, "url"), 2_048);
}

/// Panics if a client would replace part of `text` by a date.
fn assert_no_function(text: &str) {
    assert!(!text.contains("{{DATE") && !text.contains("{{TIME"), "{text}");
}

/// Panics if any character of a text in Markdown could act.
fn assert_inert(text: &str) {
    assert_no_function(text);
    assert!(!text.contains(['<', '>']), "{text}");
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c == '\\' {
            assert!(chars.next().is_some_and(|c| c.is_ascii_punctuation()), "{text}");
        } else {
            assert!(!"*_[]()#-+.!`~|".contains(c), "`{c}` acts in {text}");
        }
    }
}

/// What people see below the coloured head.
pub(super) fn runs(body: &Value) -> Vec<Run> {
    let items = array(&body["attachments"][0]["content"], "body");
    let head = items.iter().position(|item| item.get("bleed").is_some()).expect("a head");
    items[head + 1..].iter().flat_map(runs_of).collect()
}

fn runs_of(element: &Value) -> Vec<Run> {
    let inner = ["items", "inlines", "actions"].iter().find_map(|name| element.get(name)?.as_array());
    if let Some(inner) = inner {
        return inner.iter().flat_map(runs_of).collect();
    }
    let is = |name: &str, value: &str| element.get(name).is_some_and(|is| is == value);
    let flag = |name: &str| element.get(name).is_some_and(|is| is == true);
    let url = element.get("url").or(element.pointer("/selectAction/url")).and_then(Value::as_str);
    let look = Look {
        bold: is("weight", "Bolder"),
        italic: flag("italic"),
        struck: flag("strikethrough"),
        code: is("fontType", "Monospace"),
        url: url.unwrap_or_default().to_owned(),
    };
    let words = element.get("text").or(element.get("title")).and_then(Value::as_str).unwrap();
    vec![Run { text: words.to_owned(), look }]
}

pub(super) fn visible(body: &Value) -> Vec<String> {
    let mut texts = Vec::new();
    collect(&body["attachments"][0]["content"]["body"], &mut texts);
    texts
}

fn collect(element: &Value, texts: &mut Vec<String>) {
    if let Value::Array(elements) = element {
        for element in elements {
            collect(element, texts);
        }
    } else if let Some(inner) = element.get("items").or_else(|| element.get("actions")) {
        collect(inner, texts);
    } else {
        texts.push(words(&runs_of(element)));
    }
}
