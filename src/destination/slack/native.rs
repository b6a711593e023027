//! What a native template for Slack is filled as: which of Block Kit's strings are mark-up, and what Slack refuses.
//!
//! <https://docs.slack.dev/reference/block-kit/>

use serde_json::{Map, Value, json};

use super::compose::{MARKUP, mention_block, mention_line};
use crate::destination::draft::link;
use crate::destination::native::Check::{Holder, Holders, Link, List, Object, Objects, Seen, Text, Word};
use crate::destination::native::{
    self, Links, Markup, NativeError, Rule, Schema, Spot, Way, as_it_is, characters, check, may, must,
    too_long,
};
use crate::message::Mention;
use crate::template::Native;
use crate::text::{Place, Room, is_blank};

/// Slack cuts a longer `text` without a word.
const TEXT: usize = 40_000;

const BLOCKS: usize = 50;
const ATTACHMENTS: usize = 100;

/// The documented limit of an address in a block.
const URL: usize = 3_000;

/// All text of all blocks; Slack documents no figure, and refuses from about 13,000 on.
const ALL: usize = 13_000;

/// All text of all `markdown` blocks.
const MARKDOWN: usize = 12_000;

/// What a text object can be.
const EITHER: &[&str] = &["mrkdwn", "plain_text"];
const PLAIN: &[&str] = &["plain_text"];

const SCHEMA: Schema = Schema {
    typed: true,
    way,
    mentions: |text| text.split('<').skip(1).any(is_mention),
    address: |url| link(url, URL),
    count: |text| text.encode_utf16().count(),
    rules: RULES,
};

const RULES: &[Rule] = &[
    may("", "text", Text(TEXT)),
    may("", "blocks", Objects(0, BLOCKS)),
    may("", "attachments", Objects(0, ATTACHMENTS)),
    may("attachments", "blocks", Objects(0, BLOCKS)),
    may("attachments", "fields", Objects(0, 100)),
    may("attachments", "text", Text(TEXT)),
    may("attachments", "pretext", Text(TEXT)),
    may("attachments", "title", Text(TEXT)),
    may("attachments", "fallback", Text(TEXT)),
    may("attachments", "color", Text(20)),
    may("attachments", "footer", Text(300)),
    may("attachments", "title_link", Link(URL)),
    may("section", "text", Holder(EITHER, 3_000)),
    may("section", "fields", Holders(10, EITHER, 2_000)),
    may("section", "accessory", Object),
    must("header", "text", Holder(PLAIN, 150)),
    must("context", "elements", Objects(1, 10)),
    must("actions", "elements", Objects(1, 25)),
    must("mrkdwn", "text", Seen(3_000)),
    must("plain_text", "text", Seen(3_000)),
    must("button", "text", Holder(PLAIN, 75)),
    may("button", "url", Link(URL)),
    may("button", "value", Text(2_000)),
    may("button", "style", Word(&["primary", "danger"])),
    may("button", "accessibility_label", Text(75)),
    may("*", "action_id", Text(255)),
    may("*", "block_id", Text(255)),
    must("image", "alt_text", Seen(2_000)),
    may("image", "image_url", Link(URL)),
    may("image", "title", Holder(PLAIN, 2_000)),
    must("markdown", "text", Seen(MARKDOWN)),
    must("table", "rows", List(1, 100)),
    must("rich_text", "elements", Objects(1, 1_000)),
    must("rich_text_section", "elements", Objects(1, 1_000)),
    must("rich_text_preformatted", "elements", Objects(1, 1_000)),
    must("rich_text_quote", "elements", Objects(1, 1_000)),
    must("rich_text_list", "elements", Objects(1, 1_000)),
    must("rich_text_list", "style", Word(&["bullet", "ordered"])),
    must("text", "text", Seen(ALL)),
    must("link", "url", Link(URL)),
    may("link", "text", Seen(ALL)),
];

/// `mrkdwn`, and every text that is none of the others.
static MRKDWN: Markup = Markup {
    place: MARKUP,
    code: Some(escape_in_code),
    links: Links::Angle,
    prepare: as_it_is,
    address: |url| link(url, URL),
};

/// The text of a `markdown` block: Markdown, in which Slack's own sequences may act as well.
static STANDARD: Markup = Markup {
    place: Place { write: escape_standard, count: char::len_utf16 },
    code: Some(escape_in_code),
    links: Links::Brackets,
    prepare: |value| value.replace('@', "@\u{200B}"),
    address: |url| Some(link(url, URL)?.replace('(', "%28").replace(')', "%29")),
};

fn escape_in_code(c: char, out: &mut String) {
    match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        c => out.push(c),
    }
}

fn escape_standard(c: char, out: &mut String) {
    match c {
        '&' | '<' | '>' => escape_in_code(c, out),
        ':' => out.extend([c, '\u{200B}']),
        c if r"\*_~`|#-+.![](){}".contains(c) => out.extend(['\\', c]),
        c => out.push(c),
    }
}

/// The body that `native` comes to with `mentions`.
pub(super) fn fill(native: &Native, mentions: &[Mention]) -> Result<Value, NativeError> {
    let mut body = native::fill(native, &SCHEMA)?;
    for key in ["link_names", "parse"] {
        body.remove(key);
    }
    body.insert("unfurl_links".to_owned(), false.into());
    body.insert("unfurl_media".to_owned(), false.into());
    put_mentions(&mut body, mentions);
    check(&mut body, &SCHEMA)?;
    let mut body = Value::Object(body);
    visit(&mut body, "", &mut quieten)?;
    check_whole(&body)?;
    Ok(body)
}

fn way(spot: Spot<'_>) -> Way {
    match (spot.kind, spot.key) {
        (_, "type") => Way::Own,
        ("link", "url") | ("image", "image_url") => Way::NeededLink,
        (
            _,
            "url" | "title_link" | "image_url" | "thumb_url" | "author_link" | "author_icon" | "footer_icon",
        ) => Way::Link,
        ("markdown", "text") => Way::Markup(&STANDARD),
        // What it is must be written: some other object could be held under a name that is a type.
        _ if !spot.object.contains_key("type") => Way::Markup(&MRKDWN),
        // Here names between colons become pictures, unless it is told otherwise.
        ("plain_text", "text") if spot.object.get("emoji") != Some(&Value::Bool(false)) => {
            Way::Literal(|value| value.replace(':', ":\u{200B}"))
        }
        ("plain_text" | "text" | "link" | "raw_text", "text") | ("image", "alt_text") => {
            Way::Literal(as_it_is)
        }
        _ => Way::Markup(&MRKDWN),
    }
}

/// Whether what follows a `<` calls somebody: a date does not, nor does a channel.
fn is_mention(after: &str) -> bool {
    after.starts_with('@') || (after.starts_with('!') && !after.starts_with("!date^"))
}

/// Before everything else: in a block if there are blocks, else in the text.
fn put_mentions(body: &mut Map<String, Value>, mentions: &[Mention]) {
    let Some(block) = mention_block(mentions, &mut Room::new(ALL)) else { return };
    if let Some(Value::Array(blocks)) = body.get_mut("blocks") {
        blocks.insert(0, block);
        return;
    }
    let text = body.get("text").and_then(Value::as_str).unwrap_or_default();
    let text = format!("{} {text}", mention_line(mentions));
    body.insert("text".to_owned(), text.trim_end().into());
    body.remove("mrkdwn");
}

/// Keeps Slack from looking for names in mark-up, and refuses what is made to call somebody.
fn quieten(value: &mut Value, path: &str) -> Result<(), NativeError> {
    let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default();
    match text("type") {
        "mrkdwn" => {
            if let Some(members) = value.as_object_mut() {
                members.insert("verbatim".to_owned(), true.into());
            }
            Ok(())
        }
        "user" | "usergroup" | "broadcast" => Err(NativeError::Mention { path: path.to_owned() }),
        // Nothing can be told about names there.
        "markdown"
            if ["@here", "@channel", "@everyone", "@group"]
                .iter()
                .any(|name| text("text").contains(name)) =>
        {
            Err(NativeError::Mention { path: path.to_owned() })
        }
        _ => Ok(()),
    }
}

/// Shows every object to `look`, with its path.
fn visit(
    value: &mut Value,
    path: &str,
    look: &mut dyn FnMut(&mut Value, &str) -> Result<(), NativeError>,
) -> Result<(), NativeError> {
    match value {
        Value::Array(list) => {
            let mut items = list.iter_mut().enumerate();
            items.try_for_each(|(index, item)| visit(item, &format!("{path}[{index}]"), look))
        }
        Value::Object(_) => {
            look(value, path)?;
            let mut members = value.as_object_mut().into_iter().flatten();
            let dot = if path.is_empty() { "" } else { "." };
            members.try_for_each(|(key, member)| visit(member, &format!("{path}{dot}{key}"), look))
        }
        _ => Ok(()),
    }
}

/// What no single member tells: whether there is anything to be seen, and whether all of it together is too long.
fn check_whole(body: &Value) -> Result<(), NativeError> {
    let (mut all, mut markdown) = (0, 0);
    let mut lists: Vec<&Value> = body.get("blocks").into_iter().collect();
    let attachments = body.get("attachments").and_then(Value::as_array);
    for (index, attachment) in attachments.into_iter().flatten().enumerate() {
        if !says_something(attachment) {
            return Err(NativeError::shape(&format!("attachments[{index}]"), "has nothing to show"));
        }
        lists.extend(attachment.get("blocks"));
    }
    for list in lists {
        measure(list, &mut all, &mut markdown);
    }
    if all > ALL {
        return Err(too_long("blocks", format!("all together {}", characters(all)), ALL));
    }
    if markdown > MARKDOWN {
        return Err(too_long("blocks", format!("in Markdown {}", characters(markdown)), MARKDOWN));
    }
    let has = |key: &str| body.get(key).and_then(Value::as_array).is_some_and(|list| !list.is_empty());
    let has_text = body.get("text").and_then(Value::as_str).is_some_and(|text| !is_blank(text));
    if has_text || has("blocks") || has("attachments") {
        Ok(())
    } else {
        Err(NativeError::shape("text", "is empty, and nothing else is there to be seen"))
    }
}

fn says_something(attachment: &Value) -> bool {
    let has_text =
        |key: &&str| attachment.get(*key).and_then(Value::as_str).is_some_and(|text| !is_blank(text));
    let has_list =
        |key: &&str| attachment.get(*key).and_then(Value::as_array).is_some_and(|list| !list.is_empty());
    ["text", "pretext", "title", "fallback", "image_url"].iter().any(has_text)
        || ["blocks", "fields"].iter().any(has_list)
}

/// Adds up the texts of blocks.
fn measure(value: &Value, all: &mut usize, markdown: &mut usize) {
    match value {
        Value::Array(list) => list.iter().for_each(|item| measure(item, all, markdown)),
        Value::Object(members) => {
            let text = members.get("text").and_then(Value::as_str).map_or(0, SCHEMA.count);
            *all += text;
            if members.get("type") == Some(&json!("markdown")) {
                *markdown += text;
            }
            members.values().for_each(|member| measure(member, all, markdown));
        }
        _ => {}
    }
}
