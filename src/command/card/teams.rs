//! An Adaptive Card as a card in the terminal.

use anstyle::Effects;
use serde_json::Value;

use super::json::{list, text};
use super::markup::with_mentions;
use super::{Card, Line, Part, Run, broken};

/// Reads a body as Teams shows it.
pub(super) fn card(body: &Value) -> Card {
    let mut card = Card::default();
    for attachment in list(body, "attachments") {
        read(list(&attachment["content"], "body"), &Value::Null, &mut card);
    }
    card
}

fn read(elements: &[Value], container: &Value, card: &mut Card) {
    for element in elements {
        match text(element, "type") {
            "TextBlock" => put(card, element, Part::Text(with_mentions(text(element, "text")))),
            "RichTextBlock" => {
                let line: Line = list(element, "inlines").iter().map(inline).collect();
                put(card, element, rich(line, container));
            }
            "Container" => {
                card.colour = card.colour.or(colour(text(element, "style")));
                read(list(element, "items"), element, card);
            }
            "ActionSet" => links(list(element, "actions"), card),
            _ => {}
        }
    }
}

/// Adds text; without a gap where the element asks for none.
fn put(card: &mut Card, element: &Value, part: Part) {
    let is_close = ["none", "small"].contains(&text(element, "spacing").to_ascii_lowercase().as_str());
    match (card.parts.last_mut(), part) {
        (Some(Part::Text(above)), Part::Text(lines)) if is_close => above.extend(lines),
        (_, part) => card.parts.push(part),
    }
}

fn links(actions: &[Value], card: &mut Card) {
    let link = |action: &Value| (text(action, "title").to_owned(), text(action, "url").to_owned());
    let open = actions.iter().filter(|action| text(action, "type") == "Action.OpenUrl");
    let found: Vec<_> = open.map(link).collect();
    if !found.is_empty() {
        card.parts.push(Part::Links(found));
    }
}

/// Teams' own colours of a container, as its light theme has them.
fn colour(style: &str) -> Option<u32> {
    match style.to_ascii_lowercase().as_str() {
        "attention" => Some(0x00C4_314B),
        "warning" => Some(0x00F8_D22A),
        "good" => Some(0x0092_C353),
        "accent" => Some(0x005B_5FC7),
        "emphasis" => Some(0x008A_8886),
        _ => None,
    }
}

fn inline(inline: &Value) -> Run {
    let run = Run {
        code: text(inline, "fontType").eq_ignore_ascii_case("monospace"),
        url: text(&inline["selectAction"], "url").to_owned(),
        ..Run::plain(text(inline, "text"))
    };
    run.with(Effects::BOLD, text(inline, "weight").eq_ignore_ascii_case("bolder"))
        .with(Effects::ITALIC, inline["italic"] == true)
        .with(Effects::STRIKETHROUGH, inline["strikethrough"] == true)
        .with(Effects::DIMMED, inline["isSubtle"] == true)
}

/// Runs with line breaks: code if all of it is in a fixed font, a quote in a box of its own, else lines of text.
fn rich(line: Line, container: &Value) -> Part {
    if line.iter().all(|run| run.code) {
        let code: String = line.iter().map(|run| run.text.as_str()).collect();
        return Part::Code(code.lines().map(str::to_owned).collect());
    }
    let is_box = text(container, "style").eq_ignore_ascii_case("emphasis") && container["bleed"] != true;
    if is_box { Part::Quote(broken(line)) } else { Part::Text(broken(line)) }
}
