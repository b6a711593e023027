//! What a native template for Teams is filled as: which of an Adaptive Card's strings are mark-up, and what is refused.
//!
//! <https://learn.microsoft.com/microsoftteams/platform/task-modules-and-cards/cards/cards-format>

use serde_json::{Map, Value, json};

use super::compose::{MARKDOWN, mention_parts};
use crate::destination::draft::link;
use crate::destination::native::Check::{Flag, Link, List, Object, Objects, Text, Word};
use crate::destination::native::{
    self, Links, Markup, NativeError, Rule, Schema, Spot, Way, as_it_is, check, may, must, too_long,
};
use crate::message::Mention;
use crate::template::Native;
use crate::text::{Place, Room, with_separators};

/// Microsoft documents 28 KB for the whole message; refusals were seen from about 21,000 bytes.
const BODY: usize = 20_000;

/// Only all of it together has a limit.
const ANY: usize = usize::MAX;

/// An address: what browsers and proxies are sure to take.
const URL: usize = 2_048;

/// What mentions may come to.
const MENTIONS: usize = 4_000;

const SCHEMA: Schema =
    Schema { typed: true, way, mentions, address: |url| link(url, URL), count: str::len, rules: RULES };

const RULES: &[Rule] = &[
    // The body has a type itself, which makes it of that kind.
    must("", "type", Word(&["message"])),
    must("message", "attachments", Objects(1, 1)),
    must("attachments", "contentType", Word(&["application/vnd.microsoft.card.adaptive"])),
    may("attachments", "contentUrl", Word(&["null"])),
    must("attachments", "content", Object),
    must("AdaptiveCard", "version", Word(&["1.0", "1.1", "1.2", "1.3", "1.4"])),
    may("AdaptiveCard", "body", Objects(0, 1_000)),
    may("AdaptiveCard", "actions", Objects(0, 1_000)),
    may("msteams", "width", Word(&["Full"])),
    must("TextBlock", "text", Text(ANY)),
    may("TextBlock", "wrap", Flag),
    must("TextRun", "text", Text(ANY)),
    must("RichTextBlock", "inlines", List(1, 1_000)),
    must("FactSet", "facts", Objects(1, 1_000)),
    must("facts", "title", Text(ANY)),
    must("facts", "value", Text(ANY)),
    must("Image", "url", Link(URL)),
    must("ImageSet", "images", Objects(1, 1_000)),
    must("ActionSet", "actions", Objects(1, 1_000)),
    must("ColumnSet", "columns", Objects(1, 1_000)),
    may("Container", "items", Objects(0, 1_000)),
    may("Container", "bleed", Flag),
    may("Container", "style", Word(STYLES)),
    may("Column", "style", Word(STYLES)),
    may("Column", "items", Objects(0, 1_000)),
    must("Action.OpenUrl", "url", Link(URL)),
    may("Action.OpenUrl", "title", Text(ANY)),
    must("Action.ShowCard", "card", Object),
    must("Action.ToggleVisibility", "targetElements", List(1, 1_000)),
    may("*", "separator", Flag),
    may("*", "isVisible", Flag),
    may("*", "isSubtle", Flag),
    may("*", "spacing", Word(&["none", "small", "default", "medium", "large", "extraLarge", "padding"])),
    may("TextBlock", "size", Word(SIZES)),
    may("TextRun", "size", Word(SIZES)),
    may("TextBlock", "weight", Word(WEIGHTS)),
    may("TextRun", "weight", Word(WEIGHTS)),
    may("TextBlock", "color", Word(COLOURS)),
    may("TextRun", "color", Word(COLOURS)),
    may("TextBlock", "fontType", Word(FONTS)),
    may("TextRun", "fontType", Word(FONTS)),
];

const STYLES: &[&str] = &["default", "emphasis", "good", "attention", "warning", "accent"];
const SIZES: &[&str] = &["default", "small", "medium", "large", "extraLarge"];
const WEIGHTS: &[&str] = &["default", "lighter", "bolder"];
const COLOURS: &[&str] = &["default", "dark", "light", "accent", "good", "warning", "attention"];
const FONTS: &[&str] = &["default", "monospace"];

/// `TextBlock`s and facts, and whatever is not known to be none: Markdown, in which one line's end is none.
static TEXT: Markup = Markup {
    place: Place { write: escape, count: char::len_utf8 },
    code: None,
    links: Links::Brackets,
    prepare: without_functions,
    address: |url| Some(link(url, URL)?.replace('(', "%28").replace(')', "%29")),
};

fn escape(c: char, out: &mut String) {
    match c {
        '\n' => out.push_str("\n\n"),
        c => (MARKDOWN.write)(c, out),
    }
}

/// Clients replace `{{DATE(…)}}` and `{{TIME(…)}}` in any text of a card. A template may ask for that, a value may not,
/// nor may the two together.
fn without_functions(value: &str) -> String {
    let mut written = String::with_capacity(value.len());
    for (index, c) in value.char_indices() {
        written.push(c);
        let acts = |next: Option<char>| next.is_none_or(|next| "{DTdt".contains(next));
        if c == '{' && acts(value.get(index + 1..).and_then(|rest| rest.chars().next())) {
            written.push('\u{200B}');
        }
    }
    written
}

/// The body that `native` comes to with `mentions`.
pub(super) fn fill(native: &Native, mentions: &[Mention]) -> Result<Value, NativeError> {
    let mut body = native::fill(native, &SCHEMA)?;
    for member in body.values_mut() {
        without_entities(member);
    }
    check(&mut body, &SCHEMA)?;
    if body.get("type") != Some(&json!("message")) {
        return Err(NativeError::shape("type", "is not message"));
    }
    let attachment = body.get_mut("attachments").and_then(|list| list.get_mut(0));
    let card = attachment.and_then(|attachment| attachment.get_mut("content")).and_then(Value::as_object_mut);
    let card = card.ok_or_else(|| NativeError::shape("attachments[0].content", "is no card"))?;
    if card.get("type") != Some(&json!("AdaptiveCard")) {
        return Err(NativeError::shape("attachments[0].content.type", "is not AdaptiveCard"));
    }
    put_mentions(card, mentions);
    let has = |key: &str| card.get(key).and_then(Value::as_array).is_some_and(|list| !list.is_empty());
    if !has("body") && !has("actions") {
        return Err(NativeError::shape("attachments[0].content.body", "has nothing to show"));
    }
    let body = Value::Object(body);
    let bytes = body.to_string().len();
    if bytes > BODY {
        let length = format!("is {} bytes long", with_separators(bytes));
        return Err(too_long("attachments", length, BODY));
    }
    Ok(body)
}

fn way(spot: Spot<'_>) -> Way {
    match (spot.kind, spot.key) {
        (_, "type") => Way::Own,
        ("Action.OpenUrl" | "Image", "url") => Way::NeededLink,
        (_, "url" | "iconUrl" | "backgroundImage") => Way::Link,
        (kind, "title" | "tooltip") if kind.starts_with("Action.") => Way::Literal(without_functions),
        ("TextRun", "text")
        | ("RichTextBlock", "inlines")
        | (_, "altText" | "speak")
        | ("message", "summary") => Way::Literal(without_functions),
        ("Container" | "Column" | "TextBlock" | "TextRun", "id" | "style" | "color" | "size" | "weight") => {
            Way::Literal(as_it_is)
        }
        _ => Way::Markup(&TEXT),
    }
}

fn mentions(text: &str) -> bool {
    text.to_ascii_lowercase().contains("<at")
}

/// Only the rules say who is called.
fn without_entities(value: &mut Value) {
    match value {
        Value::Array(list) => list.iter_mut().for_each(without_entities),
        Value::Object(members) => {
            if let Some(Value::Object(own)) = members.get_mut("msteams") {
                own.remove("entities");
            }
            members.values_mut().for_each(without_entities);
        }
        _ => {}
    }
}

/// A line above everything else, and the entities without which its tags would be text.
fn put_mentions(card: &mut Map<String, Value>, mentions: &[Mention]) {
    let (line, entities) = mention_parts(mentions, &mut Room::new(MENTIONS));
    if line.is_empty() {
        return;
    }
    let own = card.entry("msteams").or_insert_with(|| json!({}));
    if let Some(own) = own.as_object_mut() {
        own.insert("entities".to_owned(), entities.into());
    }
    let body = card.entry("body").or_insert_with(|| json!([]));
    if let Some(body) = body.as_array_mut() {
        body.insert(0, json!({"type": "TextBlock", "text": line, "wrap": true}));
    }
}
