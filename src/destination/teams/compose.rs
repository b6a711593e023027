//! A message as an Adaptive Card.

use std::iter::repeat;

use serde_json::{Value, json};

pub(super) use super::mention::{mention_parts, person};
use crate::destination::draft::{Draft, link, set, summary};
use crate::destination::layout::{Limits, Part, Slot};
use crate::destination::prose::{Form, Length};
use crate::message::{Block, Field, Link, List, Mention, Message, Span, Text, Tone};
use crate::text::{NOTE, Place, Room, as_it_is};

/// Microsoft documents 28 KB for the whole message; refusals were seen from about 21,000 bytes.
const BODY: usize = 19_900;

/// What the envelope, the head, the footer and the line of mentions come to around their texts, with a reserve.
const FRAME: usize = 800;

pub(super) const SUMMARY: usize = 400;

/// An address: what browsers and proxies are sure to take.
const URL: usize = 2_048;

/// Buttons in a row: more are not shown.
const BUTTONS: usize = 6;

/// Bytes, with all the JSON around the texts.
const LIMITS: Limits = Limits {
    title: rich(600),
    subtitle: rich(400),
    footer: rich(400),
    label: Slot { form: RICH, most: Length { words: 80, all: 80 + 2 * (RUN + 4 * LOOK) } },
    value: rich(600),
    text: rich(BODY),
    nested: rich(BODY),
    code: LITERAL,
    code_most: Length { words: 240, all: BODY },
    blocks: BODY,
    fields: 7_000,
    links: 3_500,
    around_block: 2 * BLOCK + RUN,
    around_piece: BLOCK + RUN,
    note: BLOCK + RUN + NOTE,
    least: 1_000,
};

/// The JSON around a block of runs, or around a box or a row of buttons with such a block in it.
const BLOCK: usize = 70;

/// The JSON around a run with the looks that its place has, and those that a span can have besides.
const RUN: usize = 68;
const LOOK: usize = 23;
const ACTION: usize = 50;

/// Rich text: a `TextRun` for each span.
const RICH: Form = Form { place: LITERAL, around };

const fn rich(words: usize) -> Slot {
    Slot { form: RICH, most: Length { words, all: words + RUN + 4 * LOOK + ACTION + URL } }
}

fn around(span: &Span) -> usize {
    let looks = [span.style.bold, span.style.italic, span.style.struck, span.code];
    let action = if span.url.is_empty() { 0 } else { ACTION + span.url.len() };
    RUN + looks.into_iter().filter(|is| *is).count() * LOOK + action
}

/// A `TextRun` or a button, where a character is itself. Counted are the bytes in the body.
pub(super) const LITERAL: Place = Place { write: as_it_is, count: json_bytes };

/// The card's `fallbackText`, which may be read as Markdown.
pub(super) const MARKDOWN: Place = Place { write: escape, count: json_bytes };

fn json_bytes(c: char) -> usize {
    match c {
        '"' | '\\' | '\n' => 2,
        // Room to break up a text function, see `run`.
        '{' => 4,
        c => c.len_utf8(),
    }
}

fn escape(c: char, out: &mut String) {
    match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        c if r"\*_[]()#-+.!`~|".contains(c) => out.extend(['\\', c]),
        c => out.push(c),
    }
}

/// The body of the request.
pub(super) fn body(message: &Message, mentions: &[Mention]) -> Value {
    let mut room = Room::new(BODY - FRAME);
    let summary = room.end(MARKDOWN, &summary(message), SUMMARY);
    let (at_line, entities) = mention_parts(mentions, &mut room);
    let draft = Draft::of(message, |url| link(url, URL), &LIMITS, &mut room);

    let mut items = Vec::new();
    if !at_line.is_empty() {
        items.push(json!({"type": "TextBlock", "text": at_line, "wrap": true}));
    }
    items.push(header(&draft));
    items.extend(draft.parts.iter().flat_map(part));
    items.extend(note(&draft.note, "None"));
    if !draft.footer.is_empty() {
        items.push(block(&runs(&draft.footer, &quiet()), "Medium"));
    }
    envelope(&items, &entities, &breaking_functions(&summary))
}

/// A block as elements of the card.
fn part(part: &Part) -> Vec<Value> {
    let plain = json!({});
    let mut elements = match &part.block {
        Block::Heading(text) => vec![block(&runs(text, &json!({"weight": "Bolder"})), "Medium")],
        Block::Paragraph(text) => vec![block(&runs(text, &plain), "Medium")],
        Block::Quote(text) => vec![emphasised(&runs(text, &plain))],
        Block::List(list) => items(list),
        Block::Fields(facts) => fields(facts),
        Block::Code(code) => {
            vec![emphasised(&[run(code, json!({"fontType": "Monospace", "size": "Small"}))])]
        }
        Block::Links(row) => links(row),
    };
    elements.extend(note(&part.note, "Small"));
    elements
}

fn note(note: &str, spacing: &str) -> Option<Value> {
    (!note.is_empty()).then(|| block(&[run(note, quiet())], spacing))
}

fn quiet() -> Value {
    json!({"size": "Small", "isSubtle": true})
}

/// A text in a box of its own.
fn emphasised(runs: &[Value]) -> Value {
    json!({"type": "Container", "style": "emphasis", "spacing": "Medium", "items": [block(runs, "None")]})
}

pub(super) fn envelope(items: &[Value], entities: &[Value], summary: &str) -> Value {
    let mut msteams = json!({"width": "Full"});
    if !entities.is_empty() {
        set(&mut msteams, "entities", entities);
    }
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "fallbackText": summary,
                "msteams": msteams,
                "body": items,
            },
        }],
    })
}

/// The coloured head: the title and the small line under it.
fn header(draft: &Draft) -> Value {
    let title = runs(&draft.title, &json!({"size": "Large", "weight": "Bolder"}));
    let mut items = vec![block(&title, "None")];
    if !draft.subtitle.is_empty() {
        items.push(block(&runs(&draft.subtitle, &quiet()), "Small"));
    }
    json!({"type": "Container", "style": style(draft.tone), "bleed": true, "items": items})
}

fn style(tone: Tone) -> &'static str {
    match tone {
        Tone::Error => "attention",
        Tone::Warning => "warning",
        Tone::Info => "accent",
        Tone::Resolved => "good",
        Tone::Other => "emphasis",
    }
}

/// A line for each field, its label bold. A `FactSet` would be Markdown, which clients escape differently.
fn fields(fields: &[Field]) -> Vec<Value> {
    let lines = fields.iter().map(|Field { label, value }| {
        let mut line = runs(label, &json!({"weight": "Bolder"}));
        line.push(run("  ", json!({})));
        line.extend(runs(value, &json!({})));
        line
    });
    close_together(lines)
}

fn items(list: &List) -> Vec<Value> {
    let lines = list.items.iter().zip(0_u64..).map(|(item, index)| {
        let bullet = match list.first {
            Some(first) => format!("{}. ", first.saturating_add(index)),
            None => "• ".to_owned(),
        };
        let mut line = vec![run(&bullet, json!({}))];
        line.extend(runs(item, &json!({})));
        line
    });
    close_together(lines)
}

/// Lines one below the other, apart from what stands above.
fn close_together(lines: impl Iterator<Item = Vec<Value>>) -> Vec<Value> {
    let spacings = ["Medium"].into_iter().chain(repeat("None"));
    lines.zip(spacings).map(|(line, spacing)| block(&line, spacing)).collect()
}

/// The links as rows of buttons.
fn links(links: &[Link]) -> Vec<Value> {
    let button = |Link { label, url }: &Link| json!({"type": "Action.OpenUrl", "title": breaking_functions(label), "url": url});
    let rows = links.chunks(BUTTONS).map(|row| row.iter().map(button).collect::<Vec<_>>());
    rows.map(|row| json!({"type": "ActionSet", "actions": row})).collect()
}

/// A run for each span of `text`, all of them with these looks beside their own.
fn runs(text: &Text, looks: &Value) -> Vec<Value> {
    let run_of = |span: &Span| {
        let mut looks = looks.clone();
        for (is, name, value) in [
            (span.style.bold, "weight", json!("Bolder")),
            (span.style.italic, "italic", json!(true)),
            (span.style.struck, "strikethrough", json!(true)),
            (span.code, "fontType", json!("Monospace")),
            (!span.url.is_empty(), "selectAction", json!({"type": "Action.OpenUrl", "url": span.url})),
        ] {
            if is {
                set(&mut looks, name, value);
            }
        }
        run(&span.text, looks)
    };
    text.0.iter().map(run_of).collect()
}

pub(super) fn block(runs: &[Value], spacing: &str) -> Value {
    json!({"type": "RichTextBlock", "spacing": spacing, "inlines": runs})
}

/// A piece of literal text that `looks` like this.
pub(super) fn run(text: &str, mut looks: Value) -> Value {
    set(&mut looks, "type", "TextRun");
    set(&mut looks, "text", breaking_functions(text));
    looks
}

/// Clients replace `{{DATE(…)}}` and `{{TIME(…)}}` in any text of a card; a zero-width space keeps them from it.
pub(super) fn breaking_functions(text: &str) -> String {
    text.replace("{{DATE", "{\u{200B}{DATE").replace("{{TIME", "{\u{200B}{TIME")
}
