//! A Slack message as a card.

use anstyle::Effects;
use serde_json::Value;

use super::card::{Card, Part, Run, broken};
use super::json::{list, text};
use super::markup::with_mentions;

/// Reads a body as Slack shows it: the text, then the attachment's blocks beside its bar.
pub(super) fn card(body: &Value) -> Card {
    let mut card = Card { above: with_mentions(text(body, "text")), ..Card::default() };
    for attachment in list(body, "attachments") {
        let colour = text(attachment, "color").strip_prefix('#');
        card.colour = colour.and_then(|rgb| u32::from_str_radix(rgb, 16).ok());
        card.parts.extend(list(attachment, "blocks").iter().flat_map(block));
    }
    card
}

fn block(block: &Value) -> Vec<Part> {
    let elements = list(block, "elements").iter();
    match text(block, "type") {
        "context" => {
            vec![Part::Text(vec![elements.map(|element| Run::quiet(text(element, "text"))).collect()])]
        }
        "rich_text" => elements.map(rich).collect(),
        _ => Vec::new(),
    }
}

fn rich(element: &Value) -> Part {
    let elements = list(element, "elements");
    match text(element, "type") {
        "rich_text_preformatted" => {
            let code: String = elements.iter().map(|leaf| text(leaf, "text")).collect();
            Part::Code(code.lines().map(str::to_owned).collect())
        }
        "rich_text_list" => {
            let item = |item: &Value| {
                let leaves = list(item, "elements").iter().map(leaf);
                [Run::plain("• ")].into_iter().chain(leaves).collect()
            };
            Part::Text(elements.iter().map(item).collect())
        }
        _ => Part::Text(broken(elements.iter().map(leaf).collect())),
    }
}

fn leaf(leaf: &Value) -> Run {
    let style = |key: &str| leaf.pointer(&format!("/style/{key}")).is_some_and(|is| is == true);
    let run =
        Run { code: style("code"), url: text(leaf, "url").to_owned(), ..Run::plain(text(leaf, "text")) };
    run.with(Effects::BOLD, style("bold")).with(Effects::ITALIC, style("italic"))
}
