//! The grammar of a template's Markdown: which node becomes which part of a message, and what vanishes.
//!
//! * The first heading is the title; later ones are headings.
//! * A paragraph in emphasis only is the subtitle directly after the title, and part of the footer elsewhere.
//! * A bulleted list whose items all start with a bold label is a grid of facts, other lists are lists, and a nested
//!   list is lines of its item.
//! * A paragraph of links only is a row of links. A block quote is a quote; headings and lists in it are its lines.
//! * Code is code, also out of a quote or an item, which it divides. Everything else is a paragraph, with its lines.
//!
//! What has values, all of them empty, vanishes with its own words: heading, paragraph, a paragraph's line, quote,
//! item, fact, link, code. What has none stays. All this is decided by the template's own text and by whether values
//! are empty, never by what is in them: the parser meets a placeholder in the place of each (see [`super::value`]).
//!
//! [`tree`] turns the parser's events into nodes, [`inline`] holds the text of a line, [`document`] is for values that
//! are Markdown themselves, [`address`] for where links lead.

mod address;
mod document;
mod inline;
mod tree;

use crate::message::{Block, Field, List, Text};

use super::value::Marked;
use inline::{Inline, Tally};
use tree::{Line, Node};

/// What stands between the parts of a footer.
const BETWEEN: &str = " · ";

/// A message's text, before anybody says when and about what it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Parts {
    /// The first heading; empty if there is none or it vanished.
    pub(super) title: Text,
    /// The quiet line directly below it.
    pub(super) subtitle: Text,
    /// What follows, without anything empty.
    pub(super) blocks: Vec<Block>,
    /// The other quiet lines.
    pub(super) footer: Text,
}

/// Reads what a template has written.
pub(super) fn parts(marked: &Marked) -> Parts {
    let mut parts = Parts::default();
    let mut had_title = false;
    let mut after_title = false;
    for node in tree::of_template(marked) {
        let directly_after = std::mem::take(&mut after_title);
        match node {
            Node::Heading(line) if !had_title => {
                (had_title, after_title) = (true, true);
                parts.title = text_of(&line).unwrap_or_default();
            }
            Node::Paragraph(line) if line.is_quiet() => {
                let text = text_of(&line).map(upright).unwrap_or_default();
                if directly_after {
                    parts.subtitle = text;
                } else if !text.is_empty() {
                    if !parts.footer.is_empty() {
                        parts.footer.push(BETWEEN);
                    }
                    parts.footer.0.extend(text.0);
                }
            }
            Node::Paragraph(line) if line.is_links() => {
                parts.blocks.extend(Some(line.links()).filter(|row| !row.is_empty()).map(Block::Links));
            }
            node => parts.blocks.extend(block(node)),
        }
    }
    parts
}

/// A quiet line looks quiet already; its emphasis has said so.
fn upright(mut text: Text) -> Text {
    for span in &mut text.0 {
        span.style.italic = false;
    }
    inline::join(text)
}

/// The block that a node of a template is wherever it stands; none if it vanishes.
fn block(node: Node) -> Option<Block> {
    match node {
        Node::List { first: None, items } if items.iter().all(|item| is_field(item)) => {
            let fields: Vec<Field> = items.iter().filter_map(|item| field(item)).collect();
            Some(fields).filter(|fields| !fields.is_empty()).map(Block::Fields)
        }
        node => block_of_value(node),
    }
}

/// The block that a node is where there are no facts: who writes a value cannot make any up.
fn block_of_value(node: Node) -> Option<Block> {
    match node {
        Node::Heading(line) => text_of(&line).map(Block::Heading),
        Node::Paragraph(line) => text_of(&line).map(Block::Paragraph),
        Node::Quote(lines) => text_of_lines(&lines).map(Block::Quote),
        Node::List { first, items } => {
            let items: Vec<Text> = items.iter().filter_map(|item| text_of_lines(item)).collect();
            Some(List { first, items }).filter(|list| !list.items.is_empty()).map(Block::List)
        }
        Node::Code(text) => Some(Block::Code(text)),
        Node::Inserted(block) => Some(block),
        Node::Nothing => None,
    }
}

/// The text of a line; none if it vanishes.
fn text_of(line: &Inline) -> Option<Text> {
    if line.tally().is_void() {
        return None;
    }
    Some(line.text()).filter(|text| !text.is_empty())
}

/// The text of several lines, one below the other; none if it vanishes.
fn text_of_lines(lines: &[Line]) -> Option<Text> {
    if tally_of(lines).is_void() {
        return None;
    }
    let mut whole = Text::default();
    for line in lines {
        let text = match line {
            Line::Written(inline) => inline.text(),
            Line::Inserted(text, _) => text.clone(),
        };
        if !whole.is_empty() && !text.is_empty() {
            whole.push("\n");
        }
        whole.0.extend(text.0);
    }
    Some(inline::join(whole)).filter(|text| !text.is_empty())
}

fn tally_of(lines: &[Line]) -> Tally {
    lines.iter().fold(Tally::default(), |sum, line| {
        sum.and(match line {
            Line::Written(inline) => inline.tally(),
            Line::Inserted(_, tally) => *tally,
        })
    })
}

/// Whether an item is a bold label and something after it. After a colon nothing is enough: a condition in the template
/// may have left the value out.
fn is_field(item: &[Line]) -> bool {
    let Some((Line::Written(first), more)) = item.split_first() else { return false };
    first.label().is_some_and(|(_, value, colon)| colon || !more.is_empty() || value.has_anything())
}

/// The fact in an item that is one. It vanishes without a value, whatever its label says.
fn field(item: &[Line]) -> Option<Field> {
    let (Line::Written(first), more) = item.split_first()? else { return None };
    let (label, value, _) = first.label()?;
    if tally_of(item).is_void() {
        return None;
    }
    let mut lines = vec![Line::Written(value)];
    lines.extend(more.iter().cloned());
    Some(Field { label: label.text(), value: text_of_lines(&lines)? })
}

#[cfg(test)]
mod tests;
