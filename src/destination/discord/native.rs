//! What a native template for Discord is filled as: which of a message's strings are Markdown, and what is refused.
//!
//! <https://discord.com/developers/docs/resources/webhook#execute-webhook>

use serde_json::{Map, Value};

use super::compose::{MARKDOWN, address, allowed, timestamp, wanted};
use crate::destination::native::Check::{Flag, Link, Number, Object, Objects, Seen, Text};
use crate::destination::native::{
    self, Links, Markup, NativeError, Rule, Schema, Spot, Way, as_it_is, characters, check, may, must,
    too_long,
};
use crate::message::Mention;
use crate::template::Native;
use crate::text::is_blank;

const CONTENT: usize = 2_000;
const USERNAME: usize = 80;
const URL: usize = 2_048;

/// All texts of all embeds of a message together.
const TOTAL: usize = 6_000;

const SCHEMA: Schema = Schema {
    typed: false,
    way,
    mentions: |text| ["<@", "@everyone", "@here"].iter().any(|name| text.contains(name)),
    address: |url| address(url, URL),
    count: |text| text.trim().chars().count(),
    rules: RULES,
};

const RULES: &[Rule] = &[
    may("", "content", Text(CONTENT)),
    may("", "embeds", Objects(0, 10)),
    may("", "username", Seen(USERNAME)),
    may("", "avatar_url", Link(URL)),
    may("", "thread_name", Seen(super::THREAD_NAME)),
    may("", "tts", Flag),
    may("embeds", "title", Text(256)),
    may("embeds", "description", Text(4_096)),
    may("embeds", "url", Link(URL)),
    may("embeds", "color", Number(16_777_215)),
    may("embeds", "fields", Objects(0, 25)),
    may("embeds", "footer", Object),
    may("embeds", "author", Object),
    may("embeds", "image", Object),
    may("embeds", "thumbnail", Object),
    must("fields", "name", Seen(256)),
    must("fields", "value", Seen(1_024)),
    may("fields", "inline", Flag),
    must("footer", "text", Seen(2_048)),
    may("footer", "icon_url", Link(URL)),
    must("author", "name", Seen(256)),
    may("author", "url", Link(URL)),
    may("author", "icon_url", Link(URL)),
    must("image", "url", Link(URL)),
    must("thumbnail", "url", Link(URL)),
];

/// Texts in embeds, and whatever is not known to be without mark-up.
static TEXT: Markup = Markup {
    place: MARKDOWN,
    code: Some(|c, out| out.push(c)),
    links: Links::Brackets,
    prepare: as_it_is,
    address: in_text,
};

/// `content`, where names ping: a backslash before one is for readers alone.
static CALLING: Markup = Markup {
    place: MARKDOWN,
    code: Some(|c, out| out.push(c)),
    links: Links::Brackets,
    prepare: |value| value.replace('@', "@\u{200B}"),
    address: in_text,
};

/// An address in Markdown: a bracket would end the link.
fn in_text(url: &str) -> Option<String> {
    Some(address(url, URL)?.replace('(', "%28").replace(')', "%29"))
}

/// The body that `native` comes to with `mentions`, but for what the options add.
pub(super) fn fill(native: &Native, mentions: &[Mention]) -> Result<Map<String, Value>, NativeError> {
    let mut body = native::fill(native, &SCHEMA)?;
    for key in ["components", "poll", "attachments", "flags"] {
        if body.contains_key(key) {
            return Err(NativeError::shape(key, "is nothing that can be sent to a webhook in this way"));
        }
    }
    let pings = wanted(mentions);
    body.insert("allowed_mentions".to_owned(), allowed(&pings));
    if !pings.is_empty() {
        let forms: Vec<String> = pings.iter().map(|ping| ping.form()).collect();
        let content = body.get("content").and_then(Value::as_str).unwrap_or_default();
        let content = format!("{} {content}", forms.join(" "));
        body.insert("content".to_owned(), content.trim_end().into());
    }
    check(&mut body, &SCHEMA)?;
    check_whole(&body)?;
    Ok(body)
}

fn way(spot: Spot<'_>) -> Way {
    match (spot.kind, spot.key) {
        (_, "type") => Way::Own,
        ("image" | "thumbnail", "url") => Way::NeededLink,
        (_, "url" | "icon_url" | "avatar_url") => Way::Link,
        ("embeds", "timestamp") => Way::Moment(timestamp),
        ("", "content") => Way::Markup(&CALLING),
        ("author", "name") | ("footer", "text") | ("", "username" | "thread_name") => Way::Literal(as_it_is),
        _ => Way::Markup(&TEXT),
    }
}

/// What no single member tells.
fn check_whole(body: &Map<String, Value>) -> Result<(), NativeError> {
    let embeds: Vec<&Value> = body.get("embeds").and_then(Value::as_array).into_iter().flatten().collect();
    let total: usize = embeds.iter().map(|embed| measure(embed)).sum();
    if total > TOTAL {
        return Err(too_long("embeds", format!("all together {}", characters(total)), TOTAL));
    }
    if let Some(name) = body.get("username").and_then(Value::as_str)
        && let name = name.to_lowercase()
        && ["discord", "clyde"].iter().any(|word| name.contains(word))
    {
        return Err(NativeError::shape("username", "has `discord` or `clyde` in it, which is not allowed"));
    }
    for (index, embed) in embeds.iter().enumerate() {
        if embed.get("timestamp").is_some_and(|at| at.as_str().and_then(timestamp).is_none()) {
            return Err(NativeError::shape(&format!("embeds[{index}].timestamp"), "is no time"));
        }
    }
    let has_content = body.get("content").and_then(Value::as_str).is_some_and(|text| !is_blank(text));
    if has_content || embeds.iter().any(|embed| shows_something(embed)) {
        Ok(())
    } else {
        Err(NativeError::shape("content", "is empty, and nothing else is there to be seen"))
    }
}

fn texts(embed: &Value) -> impl Iterator<Item = &str> {
    let single = ["/title", "/description", "/footer/text", "/author/name"];
    let single = single.into_iter().filter_map(|path| embed.pointer(path)?.as_str());
    let fields = embed.get("fields").and_then(Value::as_array).into_iter().flatten();
    single.chain(
        fields.flat_map(|field| ["name", "value"].into_iter().filter_map(|key| field.get(key)?.as_str())),
    )
}

fn measure(embed: &Value) -> usize {
    texts(embed).map(SCHEMA.count).sum()
}

fn shows_something(embed: &Value) -> bool {
    let has_picture = ["/image/url", "/thumbnail/url"].iter().any(|path| embed.pointer(path).is_some());
    has_picture || texts(embed).any(|text| !is_blank(text))
}
