//! A message in Slack's form.

use serde_json::{Value, json};

use crate::destination::draft::{Draft, LinkForm, link};
use crate::message::{Mention, Message, Tone};
use crate::text::{Place, Room, as_it_is, left_out};

/// A text for notifications is one line on a phone; Slack itself cuts far later.
const SUMMARY: usize = 300;

/// Mentions before it, several dozen of them: the whole `text` stays under the 4,000 that Slack advises.
const MENTIONS: usize = 2_000;

/// Slack refuses messages whose blocks hold more than about 13,000 characters in all; it documents no figure.
const BLOCKS: usize = 12_000;

/// The documented limit of one text object is 3,000; `rich_text` has none documented and is held to the same.
const TEXT: usize = 2_900;

/// A code block, within the same limit.
const CODE: usize = 2_900;

/// One line of code.
const CODE_LINE: usize = 200;

/// The documented limit of a button's address, taken for the title's link too.
const URL: usize = 3_000;

/// All links beside the title's, words and addresses.
const LINKS: usize = 3_000;

const LEAD: usize = 200;
const TITLE: usize = 300;
const LABEL: usize = 60;
const VALUE: usize = 300;
const FOOTER: usize = 300;

/// `text` and `fallback`: entities for the three characters Slack has them for, a zero-width space after what marks up,
/// makes an emoji or an address, and before a quote's sign.
const MARKUP: Place = Place { write: escape, count: char::len_utf16 };

/// `plain_text` and `rich_text`, where a character is itself. Slack does not say what it counts: as UTF-16 units after
/// escaping no text is shorter.
const LITERAL: Place = Place { write: as_it_is, count: escaped_units };

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
pub(super) fn body(message: &Message, mentions: &[Mention]) -> Value {
    let draft = Draft::of(message);
    let summary = MARKUP.end(&draft.summary, SUMMARY);
    let text = match mention_line(mentions) {
        line if line.is_empty() => summary.clone(),
        line => format!("{line} {summary}"),
    };
    json!({
        "text": text,
        "unfurl_links": false,
        "unfurl_media": false,
        "attachments": [{"color": colour(draft.tone), "fallback": summary, "blocks": blocks(&draft)}],
    })
}

fn colour(tone: Tone) -> String {
    format!("#{:06x}", tone.rgb())
}

/// The control sequence that pings somebody; nothing where Slack has no form for them, or the id is none.
pub(super) fn mention(mention: &Mention) -> Option<String> {
    match mention {
        Mention::Here => Some("<!here>".to_owned()),
        Mention::Channel => Some("<!channel>".to_owned()),
        Mention::Person(person) => {
            person.slack.as_deref().filter(|id| is_id(id)).map(|id| format!("<@{id}>"))
        }
        Mention::Group(group) => {
            group.slack.as_deref().filter(|id| is_id(id)).map(|id| format!("<!subteam^{id}>"))
        }
    }
}

/// An id can be put between angle brackets because it can contain none.
fn is_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= 50 && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn mention_line(mentions: &[Mention]) -> String {
    let mut room = Room::new(MENTIONS);
    let mut forms: Vec<String> = Vec::new();
    for form in mentions.iter().filter_map(mention) {
        if !forms.contains(&form) && room.take(form.len() + 1) {
            forms.push(form);
        }
    }
    forms.join(" ")
}

/// At most four blocks: Slack folds long attachments away.
///
/// Room is given out in the order in which it must not be lost, whatever the order on the screen.
fn blocks(draft: &Draft) -> Vec<Value> {
    let mut room = Room::new(BLOCKS);
    let lead = room.end(LITERAL, &draft.lead, LEAD);
    let title = room.end(LITERAL, &draft.title, TITLE);
    let url = link(&draft.url, URL).filter(|url| room.take(url.len()));
    let footer = room.middle(LITERAL, &draft.footer, FOOTER);
    let links = links(draft, &mut room);
    let fields = fields(draft, &mut room);
    let text = room.middle(LITERAL, &draft.text, TEXT.min(room.before(&draft.code)));
    let mut code_room = room.part(CODE);
    let code = code_room.lines(LITERAL, &draft.code, CODE_LINE);

    let mut head = vec![section(&[title_element(&title, url)])];
    if !text.is_empty() {
        head.push(section(&[json!({"type": "text", "text": text})]));
    }
    let mut details = Vec::new();
    if !fields.is_empty() {
        details.push(section(&fields));
    }
    if !code.is_empty() {
        details.push(json!({"type": "rich_text_preformatted", "elements": [{"type": "text", "text": code}]}));
    }
    if !links.is_empty() {
        details.push(section(&links));
    }
    let mut blocks = vec![context(&lead), rich_text(&head)];
    if !details.is_empty() {
        blocks.push(rich_text(&details));
    }
    if !footer.is_empty() {
        blocks.push(context(&footer));
    }
    blocks
}

fn context(text: &str) -> Value {
    json!({"type": "context", "elements": [{"type": "plain_text", "text": text, "emoji": false}]})
}

fn rich_text(elements: &[Value]) -> Value {
    json!({"type": "rich_text", "elements": elements})
}

fn section(elements: &[Value]) -> Value {
    json!({"type": "rich_text_section", "elements": elements})
}

fn title_element(title: &str, url: Option<String>) -> Value {
    match url {
        Some(url) => json!({"type": "link", "url": url, "text": title, "style": {"bold": true}}),
        None => json!({"type": "text", "text": title, "style": {"bold": true}}),
    }
}

/// A line for each field, its label bold.
fn fields(draft: &Draft, room: &mut Room) -> Vec<Value> {
    let mut elements = Vec::new();
    for (label, value) in &draft.fields {
        let label = room.end(LITERAL, label, LABEL);
        let value = room.middle(LITERAL, value, VALUE);
        room.take(4);
        let line_break = if elements.is_empty() { "" } else { "\n" };
        elements
            .push(json!({"type": "text", "text": format!("{line_break}{label}"), "style": {"bold": true}}));
        elements.push(json!({"type": "text", "text": format!("  {value}")}));
    }
    if draft.more_fields > 0 {
        let note = format!("\n{}", left_out(draft.more_fields, "field"));
        room.take(note.len());
        elements.push(json!({"type": "text", "text": note, "style": {"italic": true}}));
    }
    elements
}

/// The links in a row, as far as there is room for their addresses.
fn links(draft: &Draft, room: &mut Room) -> Vec<Value> {
    let form = LinkForm { place: LITERAL, words: LABEL, address: |url| link(url, URL), around: " · ".len() };
    let (shown, note) = draft.links_within(room, LINKS, &form);
    let mut elements = Vec::new();
    for (words, url) in shown {
        if !elements.is_empty() {
            elements.push(json!({"type": "text", "text": " · "}));
        }
        elements.push(json!({"type": "link", "url": url, "text": words}));
    }
    if !note.is_empty() {
        elements.push(json!({"type": "text", "text": format!(" {note}"), "style": {"italic": true}}));
    }
    elements
}
