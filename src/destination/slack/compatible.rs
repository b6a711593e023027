//! A message for servers that take Slack's webhooks but not its blocks: Mattermost and Rocket.Chat.
//!
//! They know `text` and classic attachments, both in a Markdown of their own, see [`markdown`].

mod markdown;

use serde_json::{Value, json};

use super::compose::colour;
use crate::destination::draft::{Draft, link, set, summary};
use crate::destination::layout::{Limits, Part, Slot};
use crate::destination::prose::{Length, bold};
use crate::destination::simplest::Simplest;
use crate::message::{Block, Field, Link, List, Mention, Message, Span, Text};
use crate::text::{NOTE, Room};
use markdown::{CODE, INDENTED, MARKDOWN, NAME, PLAIN, RICH, beginning, fenced, marked, unbracketed};

/// All texts of a message, as JavaScript counts. Rocket.Chat takes 5,000 unless its administrator says otherwise.
const WHOLE: usize = 4_400;

const SUMMARY: usize = 200;
const MENTIONS: usize = 800;

/// An address. It shares the room with everything else.
const URL: usize = 600;

/// A value of up to this many characters shares its line with another.
const SHORT: usize = 40;

const LIMITS: Limits = Limits {
    title: Slot { form: RICH, most: Length { words: 300, all: 300 + URL } },
    subtitle: Slot { form: RICH, most: Length { words: 300, all: 300 + URL } },
    footer: Slot::plain(PLAIN, 300),
    label: Slot::plain(MARKDOWN, 60),
    value: Slot { form: RICH, most: Length { words: 250, all: 400 } },
    text: Slot { form: RICH, most: Length { words: WHOLE, all: WHOLE } },
    nested: Slot { form: INDENTED, most: Length { words: WHOLE, all: WHOLE } },
    code: CODE,
    code_most: Length { words: 160, all: WHOLE },
    blocks: WHOLE,
    fields: 2_000,
    links: 1_200,
    around_block: "\n\u{200B}\n".len() + "> ".len() + "```\n\n```".len(),
    around_piece: "999999999. \u{200B}\n".len(),
    note: NOTE,
    least: 110,
};

/// The body of the request.
pub(super) fn body(message: &Message, mentions: &[Mention]) -> Value {
    let mut room = Room::new(WHOLE);
    let summary = room.end(PLAIN, &summary(message), SUMMARY);
    let mut head = vec![mention_line(mentions, &mut room)];
    let draft = Draft::of(message, address, &LIMITS, &mut room);
    let mut attachment = json!({"fallback": summary, "color": colour(draft.tone)});
    if draft.title.url().is_empty() || draft.subtitle.is_empty() {
        // Without an address a title is read as mark-up there; and some text must be, for notifications.
        head.push(marked(&bold(&draft.title), "\n"));
    } else {
        set(&mut attachment, "title", PLAIN.write(&draft.title.to_string()));
        set(&mut attachment, "title_link", draft.title.url());
    }
    head.push(marked(&draft.subtitle, "\n"));
    head.retain(|line| !line.is_empty());
    for (name, text) in [("text", details(&draft)), ("footer", PLAIN.write(&draft.footer.to_string()))] {
        if !text.is_empty() {
            set(&mut attachment, name, unbracketed(&text));
        }
    }
    let fields: Vec<Value> = draft.parts.iter().flat_map(|part| fields(&part.block)).collect();
    if !fields.is_empty() {
        set(&mut attachment, "fields", fields);
    }
    json!({"text": unbracketed(&head.join("\n")), "attachments": [attachment]})
}

/// The body of a message that was refused in full: `text` alone.
pub(super) fn simplest(message: &Message, mentions: &[Mention]) -> Value {
    let simplest = Simplest::of(message);
    let [title, words, footer] = simplest.lines(MARKDOWN);
    let link = simplest.link(|url| address(url).unwrap_or_default()).unwrap_or_default();
    let mentions = mention_line(mentions, &mut Room::new(MENTIONS));
    let lines = [mentions, beginning(&title), beginning(&words), link, beginning(&footer)];
    let lines: Vec<String> = lines.into_iter().filter(|line| !line.is_empty()).collect();
    json!({"text": unbracketed(&lines.join("\n"))})
}

/// An address in Markdown: a bracket would end the link, and a name in it might be called.
fn address(url: &str) -> Option<String> {
    Some(link(url, URL)?.replace('(', "%28").replace(')', "%29").replace('@', "%40"))
}

/// What pings somebody; nothing where there is no user name for them, or none that can be one.
pub(super) fn mention(mention: &Mention) -> Option<String> {
    let name = match mention {
        Mention::Here => return Some("@here".to_owned()),
        Mention::Channel => return Some("@all".to_owned()),
        Mention::Person(person) => person.slack.as_deref(),
        Mention::Group(group) => group.slack.as_deref(),
    };
    name.filter(|name| is_name(name)).map(|name| format!("@{name}"))
}

/// A user name, and no word that calls everybody.
fn is_name(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    (1..=64).contains(&name.len())
        && lower.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b))
        && !["here", "all", "channel", "everyone"].contains(&lower.as_str())
}

/// Whom the message pings, each once.
fn mention_line(mentions: &[Mention], room: &mut Room) -> String {
    let mut part = room.part(MENTIONS);
    let before = part.left();
    let mut forms: Vec<String> = Vec::new();
    for form in mentions.iter().filter_map(mention) {
        if !forms.contains(&form) && part.take(form.len() + 1) {
            forms.push(form);
        }
    }
    room.take(before - part.left());
    forms.join(" ")
}

/// Fields have a place of their own, below the text.
fn fields(block: &Block) -> Vec<Value> {
    let Block::Fields(fields) = block else { return Vec::new() };
    let field = |Field { label, value }: &Field| {
        let is_short = value.to_string().chars().take(SHORT + 1).count() <= SHORT;
        let value = unbracketed(&marked(value, "\n"));
        json!({"title": NAME.write(&label.to_string()), "value": value, "short": is_short})
    };
    fields.iter().map(field).collect()
}

/// The text beside the bar: everything but the fields, one block below the other.
fn details(draft: &Draft) -> String {
    let mut written = String::new();
    let mut above = None;
    for Part { block, note } in &draft.parts {
        let part = part(block);
        if !part.is_empty() {
            let apart = above.map_or("\n", |above| between(above, block));
            written.push_str(if written.is_empty() { "" } else { apart });
            written.push_str(&part);
            above = Some(block);
        }
        push_note(&mut written, note);
    }
    push_note(&mut written, &draft.note);
    written
}

/// Below an empty line: what follows a quote or an item would belong to it.
fn push_note(written: &mut String, note: &str) {
    if !note.is_empty() && !written.is_empty() {
        written.push_str("\n\n");
    }
    written.push_str(note);
}

/// What keeps a block apart from the one above, where a line's end does not.
fn between(above: &Block, block: &Block) -> &'static str {
    match (above, block) {
        (Block::List(_), Block::List(_)) => "\n\u{200B}\n",
        (Block::List(_) | Block::Quote(_), _) | (Block::Paragraph(_), Block::Paragraph(_)) => "\n\n",
        _ => "\n",
    }
}

fn part(block: &Block) -> String {
    match block {
        Block::Heading(text) => marked(&bold(text), "\n"),
        Block::Paragraph(text) => marked(text, "\n"),
        Block::Quote(text) => format!("> {}", marked(text, "\n> ")),
        Block::List(list) => items(list),
        Block::Fields(_) => String::new(),
        Block::Code(code) => fenced(code),
        Block::Links(row) => links(row),
    }
}

fn items(list: &List) -> String {
    let items = list.items.iter().zip(0_u64..).map(|(item, index)| {
        let item = marked(item, "\n  ");
        match list.first {
            Some(first) => format!("{}. {item}", first.saturating_add(index)),
            None => format!("- {item}"),
        }
    });
    items.collect::<Vec<_>>().join("\n")
}

fn links(links: &[Link]) -> String {
    let link = |Link { label, url }: &Link| Span { text: label.clone(), url: url.clone(), ..Span::default() };
    let links: Vec<String> = links.iter().map(|row| marked(&Text(vec![link(row)]), " ")).collect();
    links.join(" · ")
}
