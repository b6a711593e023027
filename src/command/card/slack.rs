//! A Slack message as a card.

use std::iter::repeat;

use anstyle::Effects;
use serde_json::Value;

use super::json::{list, text};
use super::markup::{markdown, parts, with_mentions};
use super::{Card, Line, Part, Run, broken};

/// Reads a body as Slack shows it: its blocks, or the text where there are none, and the attachment's beside their bar.
pub(super) fn card(body: &Value) -> Card {
    let attachments = list(body, "attachments");
    let mut above: Vec<Part> = list(body, "blocks").iter().flat_map(block).collect();
    if above.is_empty() {
        // The servers that take classic attachments read Markdown everywhere.
        let read = if attachments.iter().any(is_classic) { markdown } else { with_mentions };
        above.push(Part::Text(read(text(body, "text"))));
    }
    let mut card = Card { above, ..Card::default() };
    for attachment in attachments {
        let colour = text(attachment, "color").strip_prefix('#');
        card.colour = colour.and_then(|rgb| u32::from_str_radix(rgb, 16).ok());
        if is_classic(attachment) {
            card.parts.extend(classic(attachment));
        } else {
            card.parts.extend(list(attachment, "blocks").iter().flat_map(block));
        }
    }
    card
}

fn is_classic(attachment: &Value) -> bool {
    attachment.is_object() && attachment.get("blocks").is_none()
}

/// An attachment without blocks: its texts are Markdown, but for the title that leads somewhere and the footer.
fn classic(attachment: &Value) -> Vec<Part> {
    let url = text(attachment, "title_link");
    let title = text(attachment, "title");
    let title = match url {
        "" => parts(title),
        _ => vec![Part::Text(vec![vec![Run { url: url.to_owned(), ..Run::bold(title) }]])],
    };
    let fields = list(attachment, "fields").iter().map(|field| {
        (vec![Run::plain(text(field, "title"))], markdown(text(field, "value")).join(&Run::plain(" ")))
    });
    let footer = text(attachment, "footer").lines().map(|line| vec![Run::quiet(line)]);
    let mut found = parts(text(attachment, "pretext"));
    found.extend(title);
    found.extend(parts(text(attachment, "text")));
    found.extend([Part::Fields(fields.collect()), Part::Text(footer.collect())]);
    found.retain(|part| !matches!(part, Part::Fields(fields) if fields.is_empty()));
    found.retain(|part| !matches!(part, Part::Text(lines) if lines.is_empty()));
    found
}

fn block(block: &Value) -> Vec<Part> {
    let elements = list(block, "elements").iter();
    match text(block, "type") {
        "header" => {
            let bold = |run: Run| run.with(Effects::BOLD, true);
            let lines = object(&block["text"]).into_iter();
            vec![Part::Text(lines.map(|line| line.into_iter().map(bold).collect()).collect())]
        }
        "section" => {
            let texts = block.get("text").into_iter().chain(list(block, "fields"));
            let lines: Vec<Line> = texts.flat_map(object).collect();
            if lines.is_empty() { Vec::new() } else { vec![Part::Text(lines)] }
        }
        "context" => {
            vec![Part::Text(vec![elements.map(|element| Run::quiet(text(element, "text"))).collect()])]
        }
        "rich_text" => elements.map(rich).collect(),
        "" | "divider" => Vec::new(),
        kind => {
            let words = format!("(a `{kind}` block is not drawn; --json shows it)");
            vec![Part::Text(vec![vec![Run::quiet(words)]])]
        }
    }
}

/// A text object: what is plain stands for itself.
fn object(object: &Value) -> Vec<Line> {
    let words = text(object, "text");
    match text(object, "type") {
        "plain_text" => words.lines().map(|line| vec![Run::plain(line)]).collect(),
        _ => with_mentions(words),
    }
}

fn rich(element: &Value) -> Part {
    let elements = list(element, "elements");
    match text(element, "type") {
        "rich_text_preformatted" => {
            let code: String = elements.iter().map(|leaf| text(leaf, "text")).collect();
            Part::Code(code.lines().map(str::to_owned).collect())
        }
        "rich_text_quote" => Part::Quote(lines(elements)),
        "rich_text_list" => {
            let first = 1 + element["offset"].as_u64().unwrap_or(0);
            let is_ordered = text(element, "style") == "ordered";
            let bullet = |n: u64| if is_ordered { format!("{n}. ") } else { "• ".to_owned() };
            let items = (first..).zip(elements).map(|(n, item)| item_lines(&bullet(n), item));
            Part::Text(items.flatten().collect())
        }
        _ => Part::Text(lines(elements)),
    }
}

fn item_lines(bullet: &str, item: &Value) -> Vec<Line> {
    let before = [bullet.to_owned()].into_iter().chain(repeat("  ".to_owned()));
    let lines = before.zip(lines(list(item, "elements")));
    lines.map(|(before, line)| [vec![Run::plain(before)], line].concat()).collect()
}

fn lines(leaves: &[Value]) -> Vec<Line> {
    broken(leaves.iter().map(leaf).collect())
}

fn leaf(leaf: &Value) -> Run {
    let style = |key: &str| leaf.pointer(&format!("/style/{key}")).is_some_and(|is| is == true);
    let run =
        Run { code: style("code"), url: text(leaf, "url").to_owned(), ..Run::plain(text(leaf, "text")) };
    run.with(Effects::BOLD, style("bold"))
        .with(Effects::ITALIC, style("italic"))
        .with(Effects::STRIKETHROUGH, style("strike"))
}
