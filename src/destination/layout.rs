//! Who gets how much room: the blocks of a message within a platform's limits, whatever its form.
//!
//! What is lost is lost in one order everywhere: lines of code, fields beyond the first ten, the middle of long texts;
//! and whatever is lost is said to be. Texts that want more than there is get equal parts of it, so that a long one
//! does not push the next one out.

use super::prose::{Form, Length};
use crate::message::{Block, Field, Link, List, Text};
use crate::text::{Place, Room, left_out};

/// The most fields that a message shows.
const FIELDS: usize = 10;

/// The most blocks that a message shows; Slack takes 50, with those that are ours.
const BLOCKS: usize = 40;

/// What a platform has room for, in what it counts.
#[derive(Debug)]
pub(super) struct Limits {
    /// The title. It loses its end.
    pub(super) title: Slot,
    /// The line under the title. It loses its end.
    pub(super) subtitle: Slot,
    /// The last line. It loses its middle.
    pub(super) footer: Slot,
    /// What a field is called, and the words of a link in a row. They lose their ends.
    pub(super) label: Slot,
    /// The value of a field.
    pub(super) value: Slot,
    /// A heading or a paragraph.
    pub(super) text: Slot,
    /// A quote, or an item of a list.
    pub(super) nested: Slot,
    /// How code is written.
    pub(super) code: Place,
    /// One block of code, and one line of it.
    pub(super) code_most: Length,
    /// All blocks together, but for the fields.
    pub(super) blocks: usize,
    /// All fields together.
    pub(super) fields: usize,
    /// All links of all rows together, words and addresses.
    pub(super) links: usize,
    /// What stands around a block at most.
    pub(super) around_block: usize,
    /// What stands around an item, a field or a link of a row at most.
    pub(super) around_piece: usize,
    /// A note of something left out, with what stands around it.
    pub(super) note: usize,
    /// What a text needs to say anything: one that wants more gets no less, and an item of a list no less than a third.
    /// It holds a label and a few words, or one item and a note.
    pub(super) least: usize,
}

/// A place for a text of one kind.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot {
    /// How the text is written.
    pub(super) form: Form,
    /// How long it may be.
    pub(super) most: Length,
}

impl Slot {
    /// A place for up to `most` characters without looks and links.
    pub(super) const fn plain(place: Place, most: usize) -> Self {
        Self { form: Form::plain(place), most: Length { words: most, all: most } }
    }

    /// `text` without its middle, as far as it would be too long here or has not enough `room`.
    pub(super) fn middle(self, text: &Text, room: &mut Room) -> Text {
        self.cut(text, room, Form::middle)
    }

    /// `text` without its end, as far as it would be too long here or has not enough `room`.
    pub(super) fn end(self, text: &Text, room: &mut Room) -> Text {
        self.cut(text, room, Form::end)
    }

    fn cut(self, text: &Text, room: &mut Room, cut: fn(Form, &Text, Length) -> Text) -> Text {
        let cut = cut(self.form, text, Length { all: self.most.all.min(room.left()), ..self.most });
        room.take(self.form.measure(&cut));
        cut
    }
}

/// A block within its room.
#[derive(Debug)]
pub(super) struct Part {
    /// What is left of it.
    pub(super) block: Block,
    /// Says what of it is left out, where that cannot be seen in the text itself; may be empty.
    pub(super) note: String,
}

impl Part {
    /// A part of which `missing` things are left out.
    fn of(block: Block, missing: usize, thing: &str) -> Self {
        Self { block, note: if missing > 0 { left_out(missing, thing) } else { String::new() } }
    }
}

/// The parts that there is room for, from top to bottom, and a note of how many blocks found none.
pub(super) fn lay_out(blocks: &[Block], limits: &Limits, room: &mut Room) -> (Vec<Part>, String) {
    let (grids, mut others): (Vec<Placed<'_>>, Vec<Placed<'_>>) =
        blocks.iter().enumerate().partition(|(_, block)| matches!(block, Block::Fields(_)));
    // One note below the fields, one below everything.
    let notes = 2 * limits.note + limits.around_block;
    room.take(notes);
    let mut made = fields(&grids, limits, room);
    // The note below the fields tells of those in further grids.
    let told = if made.is_empty() { 0 } else { grids.len() - made.len() };

    others.sort_by_key(|(_, block)| rank(block));
    others.truncate(BLOCKS - made.len());
    others.sort_by_key(|(index, _)| *index);
    let of = |wanted: Rank| others.iter().copied().filter(move |(_, block)| rank(block) == wanted).collect();
    let mut inner = room.part(limits.blocks.saturating_sub(notes));
    let before = inner.left();
    made.extend(links(of(Rank::Links), limits, &mut inner));
    let code: Vec<_> = of(Rank::Code);
    made.extend(texts(of(Rank::Text), code_needs(&code, limits, limits.note), limits, &mut inner));
    made.extend(codes(code, limits, &mut inner));
    room.take(before - inner.left());

    let missing = blocks.len() - told - made.len();
    made.sort_by_key(|(index, _)| *index);
    let note = if missing > 0 { left_out(missing, "part") } else { String::new() };
    (made.into_iter().map(|(_, part)| part).collect(), note)
}

/// What is lost last comes first. Fields have their room before all of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Links,
    Text,
    Code,
}

fn rank(block: &Block) -> Rank {
    match block {
        Block::Links(_) => Rank::Links,
        Block::Code(_) => Rank::Code,
        Block::Heading(_) | Block::Paragraph(_) | Block::Quote(_) | Block::List(_) | Block::Fields(_) => {
            Rank::Text
        }
    }
}

/// A block and where it stands in the message.
type Placed<'m> = (usize, &'m Block);

/// Shares `room` out to those that would like `needs`: to as many as can have `least` of it, from the first. Each gets
/// what it needs, or as much as any other that needs more than there is.
fn shares(needs: &[usize], least: usize, room: usize) -> Vec<usize> {
    let mut sum = 0_usize;
    let fitting = needs.iter().take_while(|need| {
        sum = sum.saturating_add(least.min(**need));
        sum <= room
    });
    let mut order: Vec<(usize, usize)> = fitting.copied().enumerate().collect();
    order.sort_by_key(|(_, need)| *need);
    let mut shares = vec![0; order.len()];
    let (mut left, mut others) = (room, order.len());
    for (index, need) in order {
        let share = need.min(left / others.max(1));
        (left, others) = (left - share, others - 1);
        if let Some(place) = shares.get_mut(index) {
            *place = share;
        }
    }
    shares
}

/// The first ten fields, over all grids together. What is beyond is counted below the last of them.
fn fields(grids: &[Placed<'_>], limits: &Limits, room: &mut Room) -> Vec<(usize, Part)> {
    let all: Vec<(usize, &Field)> = grids
        .iter()
        .filter_map(
            |(index, block)| if let Block::Fields(fields) = block { Some((index, fields)) } else { None },
        )
        .flat_map(|(index, fields)| fields.iter().map(|field| (*index, field)))
        .collect();
    let cut = |field: &Field, mut room: Room| {
        let label = limits.label.end(&field.label, &mut room);
        (Field { label, value: limits.value.middle(&field.value, &mut room) }, room.left())
    };
    let whole = |(_, field): &(usize, &Field)| {
        let room = limits.fields;
        limits.around_piece + room - cut(field, Room::new(room)).1
    };
    let needs: Vec<usize> = all.iter().take(FIELDS).map(whole).collect();
    let shares = shares(&needs, limits.least, room.left().min(limits.fields));
    let missing = all.len() - shares.len();
    let mut parts: Vec<(usize, Vec<Field>)> = Vec::new();
    for ((index, field), share) in all.into_iter().zip(shares) {
        let (field, left) = cut(field, Room::new(share.saturating_sub(limits.around_piece)));
        room.take(share - left);
        match parts.last_mut() {
            Some((last, fields)) if *last == index => fields.push(field),
            _ => parts.push((index, vec![field])),
        }
    }
    let last = parts.len();
    let parts = parts.into_iter().zip(1..);
    let part = |((index, fields), number)| {
        (index, Part::of(Block::Fields(fields), if number == last { missing } else { 0 }, "field"))
    };
    parts.map(part).collect()
}

/// Links as far as there is room for their addresses.
fn links(rows: Vec<Placed<'_>>, limits: &Limits, room: &mut Room) -> Vec<(usize, Part)> {
    let mut budget = room.part(limits.links);
    let before = budget.left();
    let mut parts = Vec::new();
    for (index, block) in rows {
        let Block::Links(links) = block else { continue };
        let (links, sizes): (Vec<Link>, Vec<usize>) = links.iter().map(|link| short(link, limits)).unzip();
        let whole = sizes.iter().sum();
        let is_whole = budget.left() >= limits.around_block.saturating_add(whole);
        let around = limits.around_block + if is_whole { 0 } else { limits.note };
        if budget.take(around) {
            let shown = sizes.iter().take_while(|size| budget.take(**size)).count();
            let missing = links.len() - shown;
            let links = links.into_iter().take(shown).collect();
            parts.push((index, Part::of(Block::Links(links), missing, "link")));
        }
    }
    room.take(before - budget.left());
    parts
}

/// A link with as many words as it may have, and what it measures.
fn short(link: &Link, limits: &Limits) -> (Link, usize) {
    let label = limits.label.end(&Text::plain(&link.label), &mut Room::new(usize::MAX));
    let size = limits.label.form.measure(&label) + link.url.len() + limits.around_piece;
    (Link { label: label.to_string(), url: link.url.clone() }, size)
}

/// Headings, paragraphs, quotes and lists; `reserve` of the room is not for them.
fn texts(blocks: Vec<Placed<'_>>, reserve: usize, limits: &Limits, room: &mut Room) -> Vec<(usize, Part)> {
    let mut parts = Vec::new();
    let needs: Vec<usize> = blocks
        .iter()
        .map(|(_, block)| {
            let mut room = Room::new(usize::MAX);
            text(block, limits, &mut room);
            limits.around_block + (usize::MAX - room.left())
        })
        .collect();
    let shares = shares(&needs, limits.least, room.left().saturating_sub(reserve));
    for ((index, block), share) in blocks.into_iter().zip(shares) {
        let mut part = Room::new(share.saturating_sub(limits.around_block));
        parts.extend(text(block, limits, &mut part).map(|part| (index, part)));
        room.take(share - part.left());
    }
    parts
}

/// A text as far as there is room; nothing if none of it can be seen.
fn text(block: &Block, limits: &Limits, room: &mut Room) -> Option<Part> {
    let block = match block {
        Block::Heading(text) => Block::Heading(seen(limits.text.end(text, room))?),
        Block::Paragraph(text) => Block::Paragraph(seen(limits.text.middle(text, room))?),
        Block::Quote(text) => Block::Quote(seen(limits.nested.middle(text, room))?),
        Block::List(list) => return Some(items(list, limits, room)),
        Block::Fields(_) | Block::Code(_) | Block::Links(_) => return None,
    };
    Some(Part::of(block, 0, ""))
}

fn seen(text: Text) -> Option<Text> {
    Some(text).filter(|text| !text.is_empty())
}

fn items(list: &List, limits: &Limits, room: &mut Room) -> Part {
    let whole = |item: &Text| {
        let mut room = Room::new(usize::MAX);
        limits.nested.middle(item, &mut room);
        limits.around_piece + (usize::MAX - room.left())
    };
    let needs: Vec<usize> = list.items.iter().map(whole).collect();
    let least = limits.least / 3;
    let mut given = shares(&needs, least, room.left());
    if given.len() < needs.len() {
        room.take(limits.note);
        given = shares(&needs, least, room.left());
    }
    let missing = needs.len() - given.len();
    let items = list.items.iter().zip(given).map(|(item, share)| {
        let mut part = Room::new(share.saturating_sub(limits.around_piece));
        let item = limits.nested.middle(item, &mut part);
        room.take(share - part.left());
        item
    });
    Part::of(Block::List(List { first: list.first, items: items.collect() }), missing, "item")
}

/// What blocks of code would like to have together, each of them no more than `most`.
fn code_needs(blocks: &[Placed<'_>], limits: &Limits, most: usize) -> usize {
    blocks.iter().map(|(_, block)| code_need(block, limits).min(limits.around_block + most)).sum()
}

fn code_need(block: &Block, limits: &Limits) -> usize {
    let mut room = Room::new(limits.code_most.all);
    code(block, limits, &mut room);
    limits.around_block + limits.code_most.all - room.left()
}

/// Code gets what the others leave.
fn codes(blocks: Vec<Placed<'_>>, limits: &Limits, room: &mut Room) -> Vec<(usize, Part)> {
    let needs: Vec<usize> = blocks.iter().map(|(_, block)| code_need(block, limits)).collect();
    let shares = shares(&needs, limits.around_block + limits.note, room.left());
    let mut parts = Vec::new();
    for ((index, block), share) in blocks.into_iter().zip(shares) {
        let mut part = Room::new(share.saturating_sub(limits.around_block));
        let lines = code(block, limits, &mut part);
        parts.extend(lines.map(|lines| (index, Part::of(Block::Code(lines), 0, ""))));
        room.take(share - part.left());
    }
    parts
}

/// The first lines that there is room for, as they are, and a line that counts the others.
fn code(block: &Block, limits: &Limits, room: &mut Room) -> Option<String> {
    let Block::Code(code) = block else { return None };
    let lines: Vec<&str> = code.lines().collect();
    Some(room.lines(limits.code, &lines, limits.code_most.words)).filter(|lines| !lines.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn who_needs_little_gets_it_and_the_others_get_equal_parts() {
        assert_eq!(shares(&[10, 500, 20, 500], 50, 400), [10, 185, 20, 185]);
        assert_eq!(shares(&[10, 500, 20], 50, 530), [10, 500, 20]);
        assert_eq!(shares(&[100, 100, 100], 50, 149), [74, 75], "the last has not the least");
        assert_eq!(shares(&[100], 50, 49), [0; 0]);
        assert_eq!(shares(&[], 50, 100), [0; 0]);
    }

    proptest! {
        #[test]
        fn nobody_gets_less_than_the_least_nor_more_than_there_is(
            needs in prop::collection::vec(0_usize..500, 0..20), least in 1_usize..200, room in 0_usize..3_000,
        ) {
            let given = shares(&needs, least, room);
            let sum: usize = given.iter().sum();
            prop_assert!(sum <= room);
            prop_assert!(given.iter().zip(&needs).all(|(share, need)| share <= need && *share >= least.min(*need)));
            // Nothing is left lying about while somebody wants more.
            let is_content = given.iter().zip(&needs).all(|(share, need)| share == need);
            prop_assert!(is_content || room - sum < given.len());
            let next = needs.get(given.len()).map_or(usize::MAX, |need| *need.min(&least));
            let least_of_all: usize = needs.iter().take(given.len()).map(|need| need.min(&least)).sum();
            prop_assert!(least_of_all.saturating_add(next) > room, "one more would have found room");
        }
    }
}
