//! A message in Slack's form.

use std::ops::RangeInclusive;

use serde_json::{Value, json};

use crate::destination::draft::{Draft, link, set, summary};
use crate::destination::layout::{Limits, Part, Slot};
use crate::destination::prose::{Form, Length, bold};
use crate::message::{Block, Field, Link, List, Mention, Message, Span, Text, Tone};
use crate::text::{NOTE, Place, Room, as_it_is};

/// A text for notifications is one line on a phone; Slack itself cuts far later.
const SUMMARY: usize = 300;

/// Slack refuses messages whose blocks hold more than about 13,000 characters in all; it documents no figure.
const ALL: usize = 12_000;

/// Mentions in a block of their own, which holds 3,000.
const MENTIONS: usize = 2_000;

/// The documented limit of a button's address, taken for links too.
const URL: usize = 3_000;

/// The numbers that a list may start with; before others the items have theirs written out.
const NUMBERS: RangeInclusive<u64> = 1..=10_000;

/// The documented limit of one text object is 3,000; `rich_text` has none documented and is held to the same.
const LIMITS: Limits = Limits {
    title: rich(300),
    subtitle: Slot::plain(LITERAL, 300),
    footer: Slot::plain(LITERAL, 300),
    label: Slot { form: RICH, most: Length { words: 60, all: 100 } },
    value: rich(300),
    text: rich(2_900),
    nested: rich(2_900),
    code: LITERAL,
    code_most: Length { words: 200, all: 2_900 },
    blocks: ALL,
    fields: 6_000,
    links: URL,
    around_block: 0,
    around_piece: 14,
    note: NOTE,
    least: 200,
};

/// `text` and `fallback`: entities for the three characters Slack has them for, a zero-width space after what marks up,
/// makes an emoji or an address, and before a quote's sign.
pub(super) const MARKUP: Place = Place { write: escape, count: char::len_utf16 };

/// `plain_text` and `rich_text`, where a character is itself. Slack does not say what it counts: as UTF-16 units after
/// escaping no text is shorter.
pub(super) const LITERAL: Place = Place { write: as_it_is, count: escaped_units };

/// Rich text, in which looks and addresses stand beside the characters.
const RICH: Form = Form { place: LITERAL, around: |span| span.url.len() };

const fn rich(words: usize) -> Slot {
    Slot { form: RICH, most: Length { words, all: words + URL } }
}

fn escape(c: char, out: &mut String) {
    match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("\u{200B}&gt;"),
        '*' | '_' | '~' | '`' | ':' => out.extend([c, '\u{200B}']),
        c => out.push(c),
    }
}

fn escaped_units(c: char) -> usize {
    match c {
        '&' => 5,
        '<' | '>' => 4,
        c => c.len_utf16(),
    }
}

/// The body of the request.
///
/// Title and mentions stand above the coloured bar, in blocks: beside those Slack shows `text` in notifications alone,
/// so that nobody reads the same twice.
pub(super) fn body(message: &Message, mentions: &[Mention]) -> Value {
    let mut room = Room::new(ALL);
    let mut blocks: Vec<Value> = mention_block(mentions, &mut room).into_iter().collect();
    let draft = Draft::of(message, |url| link(url, URL), &LIMITS, &mut room);
    blocks.push(rich_text(&[section(&bold(&draft.title))]));
    blocks.extend(context(&draft.subtitle.to_string()));

    let mut details: Vec<Value> = draft.parts.iter().map(part).collect();
    details.extend(context(&draft.note));
    details.extend(context(&draft.footer.to_string()));

    let summary = MARKUP.end(&summary(message), SUMMARY);
    let mut body = json!({"text": summary, "unfurl_links": false, "unfurl_media": false, "blocks": blocks});
    if !details.is_empty() {
        let attachment = json!({"color": colour(draft.tone), "fallback": summary, "blocks": details});
        set(&mut body, "attachments", vec![attachment]);
    }
    body
}

pub(super) fn colour(tone: Tone) -> String {
    format!("#{:06x}", tone.rgb())
}

/// The one place where mark-up acts. `verbatim` keeps Slack from looking for more of it.
pub(super) fn mention_block(mentions: &[Mention], room: &mut Room) -> Option<Value> {
    let line = mention_line(mentions);
    let text = json!({"type": "mrkdwn", "text": line, "verbatim": true});
    (!line.is_empty() && room.take(LITERAL.measure(&line))).then(|| json!({"type": "section", "text": text}))
}

/// Whom the message pings, each once: control sequences made of ids and of nothing else.
pub(super) fn mention_line(mentions: &[Mention]) -> String {
    let mut room = Room::new(MENTIONS);
    let mut forms: Vec<String> = Vec::new();
    for form in mentions.iter().filter_map(mention) {
        if !forms.contains(&form) && room.take(form.len() + 1) {
            forms.push(form);
        }
    }
    forms.join(" ")
}

/// The control sequence that pings somebody; nothing where Slack has no form for them, or the id is none.
pub(super) fn mention(mention: &Mention) -> Option<String> {
    match mention {
        Mention::Here => Some("<!here>".to_owned()),
        Mention::Channel => Some("<!channel>".to_owned()),
        Mention::Person(person) => {
            person.slack.as_deref().filter(|id| is_id(id, "UW")).map(|id| format!("<@{id}>"))
        }
        Mention::Group(group) => {
            group.slack.as_deref().filter(|id| is_id(id, "S")).map(|id| format!("<!subteam^{id}>"))
        }
    }
}

/// An id can be put between angle brackets because it can contain none. A user name, which servers of other makes have
/// instead, is none.
fn is_id(id: &str, kinds: &str) -> bool {
    let is_kind = id.starts_with(|c| kinds.contains(c));
    is_kind
        && (2..=50).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

/// A block beside the coloured bar.
fn part(part: &Part) -> Value {
    let mut elements = match &part.block {
        Block::Heading(text) => vec![section(&bold(text))],
        Block::Paragraph(text) => vec![section(text)],
        Block::Quote(text) => vec![json!({"type": "rich_text_quote", "elements": elements(text)})],
        Block::List(list) => items(list),
        Block::Fields(facts) => vec![fields(facts)],
        Block::Code(code) => vec![preformatted(code)],
        Block::Links(row) => links(row),
    };
    if !part.note.is_empty() {
        let mut note = Span { text: part.note.clone(), ..Span::default() };
        note.style.italic = true;
        elements.push(section(&Text(vec![note])));
    }
    rich_text(&elements)
}

/// The small grey line, in plain text; nothing for no text.
pub(super) fn context(text: &str) -> Option<Value> {
    let element = json!({"type": "plain_text", "text": text, "emoji": false});
    (!text.is_empty()).then(|| json!({"type": "context", "elements": [element]}))
}

fn rich_text(elements: &[Value]) -> Value {
    json!({"type": "rich_text", "elements": elements})
}

fn section(text: &Text) -> Value {
    json!({"type": "rich_text_section", "elements": elements(text)})
}

fn elements(text: &Text) -> Vec<Value> {
    text.0.iter().map(element).collect()
}

fn element(span: &Span) -> Value {
    let mut element = if span.url.is_empty() {
        json!({"type": "text", "text": span.text})
    } else {
        json!({"type": "link", "url": span.url, "text": span.text})
    };
    let looks = [
        ("bold", span.style.bold),
        ("italic", span.style.italic),
        ("strike", span.style.struck),
        ("code", span.code),
    ];
    let mut style = json!({});
    for (name, _) in looks.into_iter().filter(|(_, is)| *is) {
        set(&mut style, name, true);
    }
    if looks.iter().any(|(_, is)| *is) {
        set(&mut element, "style", style);
    }
    element
}

fn items(list: &List) -> Vec<Value> {
    let items = list.items.iter();
    match list.first {
        Some(first) if !NUMBERS.contains(&first) => {
            let numbered = (first..).zip(items).map(|(number, item)| {
                let mut text = Text::plain(format!("{number}. "));
                text.0.extend(item.0.iter().cloned());
                section(&text)
            });
            numbered.collect()
        }
        first => {
            let style = if first.is_some() { "ordered" } else { "bullet" };
            let items: Vec<Value> = items.map(section).collect();
            let mut part = json!({"type": "rich_text_list", "style": style, "elements": items});
            if let Some(offset @ 1..) = first.map(|first| first.saturating_sub(1)) {
                set(&mut part, "offset", offset);
            }
            vec![part]
        }
    }
}

/// A line for each field, its label bold.
fn fields(fields: &[Field]) -> Value {
    let mut text = Text::default();
    for Field { label, value } in fields {
        if !text.is_empty() {
            text.push("\n");
        }
        text.0.extend(bold(label).0);
        text.push("  ");
        text.0.extend(value.0.iter().cloned());
    }
    section(&text)
}

fn preformatted(code: &str) -> Value {
    json!({"type": "rich_text_preformatted", "elements": [{"type": "text", "text": code}]})
}

fn links(links: &[Link]) -> Vec<Value> {
    let mut text = Text::default();
    for Link { label, url } in links {
        if !text.is_empty() {
            text.push(" · ");
        }
        text.0.push(Span { text: label.clone(), url: url.clone(), ..Span::default() });
    }
    Some(section(&text)).filter(|_| !text.is_empty()).into_iter().collect()
}
