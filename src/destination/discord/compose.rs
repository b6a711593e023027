//! A message as an embed.

use jiff::Timestamp;
use serde_json::{Value, json};
use url::Url;

pub(super) use super::markdown::MARKDOWN;
use super::markdown::{CODE, INDENTED, RICH, fenced, marked};
pub(super) use super::ping::{Ping, allowed, is_id, wanted};
use crate::destination::draft::{Draft, link, set};
use crate::destination::layout::{Limits, Part, Slot};
use crate::destination::prose::{Length, bold};
use crate::message::{Block, Field, Link, List, Mention, Message, Span, Text};
use crate::text::{NOTE, Place, Room, as_it_is, is_blank, one_line, or_none};

/// All texts of all embeds of a message together.
const TOTAL: usize = 6_000;

const DESCRIPTION: usize = 4_096;
/// An address in a field of its own.
const URL: usize = 2_048;

/// An address in a text; the description has less room than the other platforms' texts.
const URL_IN_TEXT: usize = 1_000;

/// A value of up to this many characters shares its line with others.
const INLINE: usize = 40;

/// Discord takes 256 for a field's name and 1,024 for its value. Ten such fields would leave no room for anything else.
const LIMITS: Limits = Limits {
    title: Slot::plain(MARKDOWN, 256),
    subtitle: Slot::plain(LITERAL, 256),
    footer: Slot::plain(LITERAL, 300),
    label: Slot::plain(MARKDOWN, 60),
    value: Slot { form: RICH, most: Length { words: 250, all: 1_024 } },
    text: Slot { form: RICH, most: Length { words: DESCRIPTION, all: DESCRIPTION } },
    nested: Slot { form: INDENTED, most: Length { words: DESCRIPTION, all: DESCRIPTION } },
    code: CODE,
    code_most: Length { words: 200, all: DESCRIPTION },
    blocks: DESCRIPTION,
    fields: 3_200,
    links: 1_200,
    around_block: "\n\u{200B}\n".len() + "> ".len() + "```\n\n```".len(),
    around_piece: "999999999. \n".len(),
    note: NOTE,
    least: 110,
};

/// `author.name` and `footer.text`, which have no mark-up.
pub(super) const LITERAL: Place = Place { write: as_it_is, count: |_| 1 };

/// The body of the request, but for what the options add.
pub(super) fn body(message: &Message, mentions: &[Mention]) -> Value {
    let pings = wanted(mentions);
    let mut body = json!({"embeds": [embed(message)], "allowed_mentions": allowed(&pings)});
    if !pings.is_empty() {
        let forms: Vec<String> = pings.iter().map(|ping| ping.form()).collect();
        set(&mut body, "content", forms.join(" "));
    }
    body
}

fn embed(message: &Message) -> Value {
    let draft = Draft::of(message, address_in_markdown, &LIMITS, &mut Room::new(TOTAL));
    let title = MARKDOWN.write(&draft.title.to_string());
    let mut embed = json!({"title": title, "color": draft.tone.rgb()});
    if !draft.subtitle.is_empty() {
        set(&mut embed, "author", json!({"name": draft.subtitle.to_string()}));
    }
    if let Some(url) = address(message.title.url(), URL) {
        set(&mut embed, "url", url);
    }
    let description = description(&draft);
    if !description.is_empty() {
        set(&mut embed, "description", description);
    }
    let fields: Vec<Value> = draft.parts.iter().flat_map(|part| fields(&part.block)).collect();
    if !fields.is_empty() {
        set(&mut embed, "fields", fields);
    }
    if !draft.footer.is_empty() {
        set(&mut embed, "footer", json!({"text": draft.footer.to_string()}));
    }
    if let Some(at) = timestamp(&message.at) {
        set(&mut embed, "timestamp", at);
    }
    embed
}

/// An address on a host without a dot makes Discord refuse the whole message.
pub(super) fn address(url: &str, most: usize) -> Option<String> {
    let url = link(url, most)?;
    let parsed = Url::parse(&url).ok()?;
    let dotted = parsed.host_str().is_some_and(|host| host.trim_end_matches('.').contains('.'));
    dotted.then_some(url)
}

/// In the form that Discord itself writes; it reads years of four digits.
pub(super) fn timestamp(at: &str) -> Option<String> {
    let at: Timestamp = at.trim().parse().ok()?;
    (at >= Timestamp::UNIX_EPOCH).then(|| at.strftime("%Y-%m-%dT%H:%M:%S.%6f+00:00").to_string())
}

/// Fields have a place of their own in the embed, below its description.
fn fields(block: &Block) -> Vec<Value> {
    let Block::Fields(fields) = block else { return Vec::new() };
    let field = |Field { label, value }: &Field| {
        let is_short = value.to_string().chars().take(INLINE + 1).count() <= INLINE;
        json!({"name": MARKDOWN.write(&label.to_string()), "value": marked(value, "\n"), "inline": is_short})
    };
    fields.iter().map(field).collect()
}

/// Everything but the fields, one block below the other.
fn description(draft: &Draft) -> String {
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
        push_line(&mut written, note);
    }
    push_line(&mut written, &draft.note);
    written
}

fn push_line(written: &mut String, line: &str) {
    if !line.is_empty() && !written.is_empty() {
        written.push('\n');
    }
    written.push_str(line);
}

/// What keeps a block apart from the one above, where a line's end does not.
fn between(above: &Block, block: &Block) -> &'static str {
    match (above, block) {
        (Block::Paragraph(_), Block::Paragraph(_) | Block::Heading(_) | Block::Links(_)) => "\n\n",
        (Block::List(_), Block::List(_)) => "\n\u{200B}\n",
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

/// An address in Markdown: a bracket would end the link.
fn address_in_markdown(url: &str) -> Option<String> {
    Some(address(url, URL_IN_TEXT)?.replace('(', "%28").replace(')', "%29"))
}

/// The name of the thread that a message opens: what the configuration makes of the event, else its title.
pub(super) fn thread_name(message: &Message, limit: usize) -> String {
    let names = [one_line(&message.thread), one_line(&message.title.to_string())];
    let name = names.into_iter().find(|name| !is_blank(name)).unwrap_or_default();
    or_none(LITERAL.end(&name, limit))
}
