//! Values that are Markdown themselves: read on their own, shown as blocks where they stand alone and as text elsewhere.
//!
//! What they may is less than what a template may: no title, no facts, no footer, no row of links, and behind a link stands where
//! it leads. They are cut twice: before they are read, so that no text is too much, and to what the template asks for.

use unicode_segmentation::UnicodeSegmentation as _;

use super::{address, inline, tree};
use crate::message::{Block, Field, List, Span, Text};
use crate::template::value::Value;
use crate::text::{Room, left_out};

/// The most characters of a value that are read.
const MOST: usize = 20_000;

/// What ends a text that was cut to the template's wish.
const ELLIPSIS: &str = "…";

/// The blocks of a value that is Markdown.
pub(super) fn blocks(value: &Value) -> Vec<Block> {
    let (text, missing) = readable(&value.text);
    let mut blocks: Vec<Block> = tree::of_value(text).into_iter().filter_map(super::block_of_value).collect();
    if missing > 0 {
        blocks.push(Block::Paragraph(Text::plain(left_out(missing, "character"))));
    }
    match value.markdown.and_then(|markdown| markdown.limit) {
        Some(limit) => within(blocks, limit),
        None => blocks,
    }
}

/// A value that is Markdown, where only text has room: block below block.
pub(super) fn flat(value: &Value) -> Text {
    let mut whole = Text::default();
    for block in blocks(value) {
        if !whole.is_empty() {
            whole.push("\n");
        }
        whole.0.extend(text(block).0);
    }
    inline::join(whole)
}

/// A block as text.
pub(super) fn text(block: Block) -> Text {
    match block {
        Block::Heading(mut text) => {
            for span in &mut text.0 {
                span.style.bold = true;
            }
            text
        }
        Block::Paragraph(text) | Block::Quote(text) => text,
        Block::List(List { first, items }) => lines(items.into_iter().zip(0..).map(|(item, index)| {
            let mark = first.map(|first| format!("{}. ", first.saturating_add(index)));
            let mut text = Text::plain(mark.unwrap_or_else(|| tree::BULLET.to_owned()));
            text.0.extend(item.0);
            text
        })),
        Block::Fields(fields) => lines(fields.into_iter().map(|Field { mut label, value }| {
            label.push(": ");
            label.0.extend(value.0);
            label
        })),
        Block::Code(code) => lines(code.lines().map(|line| {
            let span = Span { text: line.to_owned(), code: true, ..Span::default() };
            Text(vec![span])
        })),
        Block::Links(row) => lines(row.into_iter().map(|link| {
            let span = Span { text: link.label, url: link.url, ..Span::default() };
            Text(vec![span])
        })),
    }
}

fn lines(lines: impl Iterator<Item = Text>) -> Text {
    let mut whole = Text::default();
    for line in lines {
        if !whole.0.is_empty() {
            whole.push("\n");
        }
        whole.0.extend(line.0);
    }
    whole
}

/// As much of a text as is read, up to a line's end where one is near, and how many characters that leaves out.
fn readable(text: &str) -> (&str, usize) {
    let Some((most, _)) = text.char_indices().nth(MOST) else { return (text, 0) };
    let head = text.get(..most).unwrap_or_default();
    // A line's end, but not one so early that most of the text would go.
    let end = head
        .rfind('\n')
        .filter(|end| *end >= most / 2)
        .unwrap_or_else(|| head.grapheme_indices(true).next_back().map_or(most, |(last, _)| last));
    let (kept, rest) = text.split_at_checked(end).unwrap_or((text, ""));
    (kept, rest.chars().count())
}

/// `blocks` with no more than `limit` characters to be seen, the last one cut visibly.
fn within(blocks: Vec<Block>, limit: usize) -> Vec<Block> {
    if blocks.iter().map(size).sum::<usize>() <= limit {
        return blocks;
    }
    let mut shown = Vec::new();
    let Some(mut room) = limit.checked_sub(ELLIPSIS.chars().count()) else { return shown };
    for block in blocks {
        let size = size(&block);
        if size > room {
            shown.extend(cut(block, room));
            break;
        }
        room -= size;
        shown.push(block);
    }
    shown
}

/// What can be seen of a block, in characters.
pub(super) fn size(block: &Block) -> usize {
    match block {
        Block::Heading(text) | Block::Paragraph(text) | Block::Quote(text) => length(text),
        Block::List(list) => list.items.iter().map(length).sum(),
        Block::Fields(fields) => fields.iter().map(|field| length(&field.label) + length(&field.value)).sum(),
        Block::Code(code) => code.chars().count(),
        Block::Links(row) => row.iter().map(|link| link.label.chars().count()).sum(),
    }
}

fn length(text: &Text) -> usize {
    text.0.iter().map(|span| span.text.chars().count()).sum()
}

/// As much of a block as there is `room` for, which is not all, and the ellipsis.
fn cut(block: Block, room: usize) -> Vec<Block> {
    let mut left = Room::new(room);
    let mut kept = match block {
        Block::Heading(text) if room > 0 => return vec![Block::Heading(head(text, room))],
        Block::Paragraph(text) if room > 0 => return vec![Block::Paragraph(head(text, room))],
        Block::Quote(text) if room > 0 => return vec![Block::Quote(head(text, room))],
        Block::List(List { first, items }) if room > 0 => {
            let mut kept = Vec::new();
            for item in items {
                if !left.take(length(&item)) {
                    kept.push(head(item, left.left()));
                    break;
                }
                kept.push(item);
            }
            return vec![Block::List(List { first, items: kept })];
        }
        Block::Code(code) => {
            let whole = code.lines().take_while(|line| left.take(line.chars().count() + 1));
            vec![Block::Code(whole.collect::<Vec<&str>>().join("\n"))]
        }
        _ => Vec::new(),
    };
    kept.retain(|block| size(block) > 0);
    kept.push(Block::Paragraph(Text::plain(ELLIPSIS)));
    kept
}

/// The first `room` characters of `text`, whole graphemes, and the ellipsis.
fn head(text: Text, mut room: usize) -> Text {
    let mut kept = Vec::new();
    for mut span in text.0 {
        let size = span.text.chars().count();
        if size > room {
            let fits = |grapheme: &&str| {
                let left = room.checked_sub(grapheme.chars().count());
                room = left.unwrap_or_default();
                left.is_some()
            };
            let whole: String = span.text.graphemes(true).take_while(fits).collect();
            span.text = whole.trim_end().to_owned() + ELLIPSIS;
            kept.push(span);
            break;
        }
        room -= size;
        kept.push(span);
    }
    inline::join(without_hidden(Text(kept)))
}

/// Takes away each link that does not say any more where it leads, because it was cut; its words stay.
fn without_hidden(mut text: Text) -> Text {
    let mut at = 0;
    while let Some(span) = text.0.get(at) {
        let url = span.url.clone();
        let rest = text.0.get(at..).unwrap_or_default();
        let count = rest.iter().take_while(|span| span.url == url).count().max(1);
        let (words, behind) = rest.split_at(count);
        let joined = |spans: &[Span]| spans.iter().map(|span| span.text.as_str()).collect::<String>();
        let target = address::target(&url, &joined(words));
        let is_hidden = target.is_some_and(|target| !joined(behind).starts_with(&format!(" ({target})")));
        if is_hidden {
            text.0.iter_mut().skip(at).take(count).for_each(|span| span.url.clear());
        }
        at += count;
    }
    text
}
