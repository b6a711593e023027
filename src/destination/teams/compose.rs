//! A message as an Adaptive Card.

use serde_json::{Value, json};

use crate::destination::draft::{Draft, LinkForm, link, set};
use crate::message::{Mention, Message, Tone};
use crate::text::{Place, Room, as_it_is, is_blank, left_out, one_line};

/// Microsoft documents 28 KB for the whole message; refusals were seen from about 21,000 bytes.
const BODY: usize = 19_500;

/// What the envelope, the containers and the fixed words come to, with a reserve.
const FRAME: usize = 1_500;

/// What the JSON around one field, one button and one mention comes to, with a reserve.
const AROUND_FIELD: usize = 150;
const AROUND_BUTTON: usize = 60;
const AROUND_MENTION: usize = 100;

/// Mentions in one message.
const MENTIONS: usize = 20;

/// All of them together.
const MENTION_BYTES: usize = 4_000;

/// An address: what browsers and proxies are sure to take.
const URL: usize = 2_048;

/// All links beside the title's, words and addresses.
const LINKS: usize = 3_500;

/// Buttons in a row: more are not shown.
const BUTTONS: usize = 6;

const LEAD: usize = 300;
const TITLE: usize = 600;
const LABEL: usize = 80;
const VALUE: usize = 300;
const CODE_LINE: usize = 240;
const FOOTER: usize = 400;
const SUMMARY: usize = 400;

/// A `TextRun` or a button, where a character is itself. Counted are the bytes in the body.
const LITERAL: Place = Place { write: as_it_is, count: json_bytes };

/// The card's `fallbackText`, which may be read as Markdown.
const MARKDOWN: Place = Place { write: escape, count: json_bytes };

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
///
/// Room is given out in the order in which it must not be lost, whatever the order on the screen.
pub(super) fn body(message: &Message, mentions: &[Mention]) -> Value {
    let draft = Draft::of(message);
    let mut room = Room::new(BODY - FRAME);
    let summary = room.end(MARKDOWN, &draft.summary, SUMMARY);
    let (at_line, entities) = mention_parts(mentions, &mut room);
    let header = header(&draft, &mut room);
    let footer = room.middle(LITERAL, &draft.footer, FOOTER);
    let links = links(&draft, &mut room);
    let fields = fields(&draft, &mut room);
    let most = room.before(&draft.code);
    let text = room.middle(LITERAL, &draft.text, most);
    let code = room.lines(LITERAL, &draft.code, CODE_LINE);

    let mut items = Vec::new();
    if !at_line.is_empty() {
        items.push(json!({"type": "TextBlock", "text": at_line, "wrap": true}));
    }
    items.push(header);
    if !text.is_empty() {
        items.push(block(&[run(&text, json!({}))], "Medium"));
    }
    items.extend(fields);
    if !code.is_empty() {
        let code = block(&[run(&code, json!({"fontType": "Monospace", "size": "Small"}))], "None");
        items.push(json!({"type": "Container", "style": "emphasis", "spacing": "Medium", "items": [code]}));
    }
    items.extend(links);
    if !footer.is_empty() {
        items.push(block(&[run(&footer, json!({"size": "Small", "isSubtle": true}))], "Medium"));
    }
    envelope(&items, &entities, &breaking_functions(&summary))
}

fn envelope(items: &[Value], entities: &[Value], summary: &str) -> Value {
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

/// Who is meant, where Teams can mention them: persons by address or object id, nobody else.
pub(super) fn person(mention: &Mention) -> Option<(String, String)> {
    let Mention::Person(person) = mention else { return None };
    let teams = person.teams.as_ref()?;
    let id = one_line(&teams.id);
    if is_blank(&id) || id.len() > 200 {
        return None;
    }
    let name: String = one_line(&teams.name).chars().filter(|c| !matches!(c, '<' | '>' | '&')).collect();
    let name = LITERAL.end(if is_blank(&name) { &person.name } else { &name }, 80);
    Some((id, name)).filter(|(_, name)| !is_blank(name))
}

/// The line that names whom to ping, and the entities without which its tags would be text.
fn mention_parts(mentions: &[Mention], room: &mut Room) -> (String, Vec<Value>) {
    let mut part = room.part(MENTION_BYTES);
    let before = part.left();
    let mut tags: Vec<String> = Vec::new();
    let mut entities = Vec::new();
    let mut ids: Vec<String> = Vec::new();
    for (id, name) in mentions.iter().filter_map(person) {
        let size = 3 * LITERAL.count(&name) + LITERAL.count(&id) + AROUND_MENTION;
        if ids.contains(&id) || entities.len() == MENTIONS || !part.take(size) {
            continue;
        }
        let tag = format!("<at>{name}</at>");
        entities.push(json!({"type": "mention", "text": tag, "mentioned": {"id": id, "name": name}}));
        tags.push(tag);
        ids.push(id);
    }
    room.take(before - part.left());
    (tags.join(" "), entities)
}

/// The coloured head: the small line and the title.
fn header(draft: &Draft, room: &mut Room) -> Value {
    let lead = room.end(LITERAL, &draft.lead, LEAD);
    let title = room.end(LITERAL, &draft.title, TITLE);
    let mut looks = json!({"size": "Large", "weight": "Bolder"});
    if let Some(url) = link(&draft.url, URL).filter(|url| room.take(url.len())) {
        set(&mut looks, "selectAction", json!({"type": "Action.OpenUrl", "url": url}));
    }
    json!({
        "type": "Container",
        "style": style(draft.tone),
        "bleed": true,
        "items": [
            block(&[run(&lead, json!({"size": "Small", "isSubtle": true}))], "None"),
            block(&[run(&title, looks)], "Small"),
        ],
    })
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
fn fields(draft: &Draft, room: &mut Room) -> Vec<Value> {
    let mut lines = Vec::new();
    for (label, value) in &draft.fields {
        let label = room.end(LITERAL, label, LABEL);
        let value = room.middle(LITERAL, value, VALUE);
        room.take(AROUND_FIELD);
        let spacing = if lines.is_empty() { "Medium" } else { "None" };
        lines.push(block(
            &[run(&format!("{label}  "), json!({"weight": "Bolder"})), run(&value, json!({}))],
            spacing,
        ));
    }
    if draft.more_fields > 0 {
        room.take(AROUND_FIELD);
        lines.push(block(&[run(&left_out(draft.more_fields, "field"), json!({"isSubtle": true}))], "None"));
    }
    lines
}

/// The links as rows of buttons, as far as there is room for their addresses.
fn links(draft: &Draft, room: &mut Room) -> Vec<Value> {
    let form =
        LinkForm { place: LITERAL, words: LABEL, address: |url| link(url, URL), around: AROUND_BUTTON };
    let (shown, note) = draft.links_within(room, LINKS, &form);
    let buttons: Vec<Value> = shown
        .into_iter()
        .map(
            |(words, url)| json!({"type": "Action.OpenUrl", "title": breaking_functions(&words), "url": url}),
        )
        .collect();
    let mut rows: Vec<Value> =
        buttons.chunks(BUTTONS).map(|row| json!({"type": "ActionSet", "actions": row})).collect();
    if !note.is_empty() {
        rows.push(block(&[run(&note, json!({"size": "Small", "isSubtle": true}))], "Small"));
    }
    rows
}

fn block(runs: &[Value], spacing: &str) -> Value {
    json!({"type": "RichTextBlock", "spacing": spacing, "inlines": runs})
}

/// A piece of literal text that `looks` like this.
fn run(text: &str, mut looks: Value) -> Value {
    set(&mut looks, "type", "TextRun");
    set(&mut looks, "text", breaking_functions(text));
    looks
}

/// Clients replace `{{DATE(…)}}` and `{{TIME(…)}}` in any text of a card; a zero-width space keeps them from it.
fn breaking_functions(text: &str) -> String {
    text.replace("{{DATE", "{\u{200B}{DATE").replace("{{TIME", "{\u{200B}{TIME")
}
