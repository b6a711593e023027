//! What there is no room for is lost in the right order, and never silently.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::{PRODUCTS, check, messages, plain, without_summary};
use crate::message::{Block, Field, Link, List, Message, Span, Style, Text};

/// How many `things` the notes in `visible` say are left out, all notes together.
fn noted(visible: &str, things: &str) -> usize {
    let notes = visible.split("… ").filter_map(|rest| rest.split_once(" left out …"));
    let counts = notes.filter_map(|(note, _)| {
        let (count, thing) = note.split_once(' ')?;
        thing.starts_with(things).then(|| count.replace(',', "").parse::<usize>().unwrap())
    });
    counts.sum()
}

fn message(blocks: Vec<Block>) -> Message {
    Message { title: Text::plain("title"), blocks, footer: Text::plain("#2b4k"), ..Message::default() }
}

/// Composes `message`, has it judged, and gives what people read.
fn shown(product: &str, message: &Message) -> String {
    check(product, &plain(product).compose(message, &[]));
    without_summary(product, message)
}

#[test]
fn of_a_thousand_blocks_the_links_are_kept_and_the_others_counted() {
    let mut blocks: Vec<Block> =
        (0..1_000).map(|n| Block::Paragraph(Text::plain(format!("number {n}.")))).collect();
    blocks.push(Block::Links(vec![Link { label: "Open it".into(), url: "https://example.com/x".into() }]));
    let message = message(blocks);
    for product in PRODUCTS {
        let shown = shown(product, &message);
        assert!(
            shown.contains("Open it") && shown.contains("number 0.") && shown.contains("#2b4k"),
            "{shown}"
        );
        let there = (0..1_000).filter(|n| shown.contains(&format!("number {n}."))).count();
        assert_eq!(there + noted(&shown, "part"), 1_000, "{product}: {shown}");
    }
}

#[test]
fn of_ten_thousand_items_the_first_are_shown_and_the_others_counted() {
    for first in [None, Some(10_001)] {
        let items = (0..10_000).map(|n| Text::plain(format!("item {n}.\nsecond line"))).collect();
        let message = message(vec![Block::List(List { first, items })]);
        for product in PRODUCTS {
            let shown = shown(product, &message);
            let there = (0..10_000).take_while(|n| shown.contains(&format!("item {n}."))).count();
            assert!(there > 20, "{product}: {shown}");
            assert_eq!(there + noted(&shown, "item"), 10_000, "{product}: {shown}");
        }
    }
}

#[test]
fn items_are_numbered_from_the_first_number_on() {
    for (first, second) in [(0, "1. b"), (7, "8. b"), (10_001, "10002. b"), (u64::MAX, "1000000000. b")] {
        let items = vec![Text::plain("a"), Text::plain("b")];
        let message = message(vec![Block::List(List { first: Some(first), items })]);
        assert!(plain("discord").compose(&message, &[]).to_string().contains(&format!("\\n{second}")));
        assert!(shown("teams", &message).contains(second));
        let list =
            plain("slack").compose(&message, &[]).pointer("/attachments/0/blocks/0/elements/0").cloned();
        match first {
            7 => assert_eq!(list.unwrap()["offset"], 6),
            _ => assert!(shown("slack", &message).contains(second)),
        }
    }
}

#[test]
fn fields_beyond_ten_and_links_beyond_their_room_are_counted() {
    let field =
        |n: usize| Field { label: Text::plain(format!("f{n}.")), value: Text::plain("v".repeat(400)) };
    let link =
        |n: usize| Link { label: format!("l{n}."), url: format!("https://example.com/{}", "x".repeat(200)) };
    let message = message(vec![
        Block::Fields((0..7).map(field).collect()),
        Block::Links((0..30).map(link).collect()),
        Block::Fields((7..14).map(field).collect()),
        Block::Fields((14..20).map(field).collect()),
    ]);
    for product in PRODUCTS {
        let shown = shown(product, &message);
        let there = |letter: char, of| (0..of).filter(|n| shown.contains(&format!("{letter}{n}."))).count();
        assert_eq!((there('f', 20), noted(&shown, "field")), (10, 10), "{product}: {shown}");
        assert!(there('l', 30) >= 3);
        assert_eq!(
            (there('l', 30) + noted(&shown, "link"), noted(&shown, "part")),
            (30, 0),
            "{product}: {shown}"
        );
    }
}

#[test]
fn long_texts_get_equal_parts_and_a_short_one_stays_whole() {
    let long =
        |n: usize| Block::Paragraph(Text::plain(format!("start {n} {} end {n}", "word ".repeat(10_000))));
    let short = "A short text stays as it is, wherever it stands.";
    let blocks = vec![
        long(1),
        long(2),
        Block::Quote(Text::plain(short)),
        long(3),
        Block::Heading(Text::plain("last")),
    ];
    let message = message(blocks);
    for product in PRODUCTS {
        let shown = shown(product, &message);
        for n in 1..=3 {
            assert!(
                shown.contains(&format!("start {n}")) && shown.contains(&format!("end {n}")),
                "{product}: {shown}"
            );
        }
        assert!(shown.contains(short) && shown.contains("last"), "{product}: {shown}");
        let lengths: Vec<usize> = shown.split("start").skip(1).map(|part| part.chars().count()).collect();
        assert!(lengths[0].abs_diff(lengths[1]) < 100, "{product}: {lengths:?}");
    }
}

#[test]
fn an_inline_link_over_the_room_leaves_its_words() {
    let link = |n: usize, length| Span {
        text: format!("words {n}."),
        url: format!("https://example.com/{}", "x".repeat(length)),
        ..Span::default()
    };
    let text = Text(vec![link(1, 5_000), Span { text: " and ".into(), ..Span::default() }, link(2, 300)]);
    let message = message(vec![
        Block::Paragraph(text.clone()),
        Block::Fields(vec![Field { label: Text::plain("l"), value: text }]),
    ]);
    for product in PRODUCTS {
        let body = plain(product).compose(&message, &[]).to_string();
        assert_eq!(shown(product, &message).matches("words 1. and words 2.").count(), 2, "{product}: {body}");
        assert!(
            body.matches(&"x".repeat(300)).count() == 2 && !body.contains(&"x".repeat(301)),
            "{product}: {body}"
        );
    }
}

#[test]
fn megabytes_in_any_place_are_cut_in_no_time() {
    let url = format!("https://example.com/{}", "x".repeat(300));
    for piece in ["x", "\n", "a\n", "🇪🇸", "e\u{301}", "`", "[", "\u{200B}"] {
        let text = piece.repeat(200_000 / piece.len());
        let style = Style { bold: true, ..Style::default() };
        let code = Span { text: text.clone(), code: true, style, ..Span::default() };
        let link = Span { text: text.clone(), url: url.clone(), ..Span::default() };
        let pieces = [&link, &code].map(|span| Span { text: piece.into(), ..span.clone() });
        let rich = Text(vec![code, link]);
        let many = Text(pieces.into_iter().cycle().take(2_000).collect());
        let blocks = vec![
            Block::Heading(rich.clone()),
            Block::Paragraph(Text::plain(piece.repeat(1_000_000 / piece.len()))),
            Block::Quote(many.clone()),
            Block::Code(text.clone()),
            Block::List(List { first: None, items: vec![rich.clone(), many.clone()] }),
            Block::Fields(vec![Field { label: rich.clone(), value: many.clone() }]),
            Block::Links(vec![Link { label: text, url: url.clone() }]),
        ];
        let message = Message { title: rich, footer: many, ..message(blocks) };
        for product in PRODUCTS {
            let started = Instant::now();
            check(product, &plain(product).compose(&message, &[]));
            assert!(started.elapsed() < Duration::from_secs(20), "{product}: {:?}", started.elapsed());
        }
    }
}

#[test]
fn an_ordinary_message_loses_nothing() {
    for product in PRODUCTS {
        assert!(!shown(product, &messages::ordinary()).contains("left out"));
    }
}

/// Blocks with a token at the start of each piece; every code has five lines.
fn any_blocks() -> impl Strategy<Value = Vec<Block>> {
    let block = (0_usize..6, prop_oneof![3 => 0_usize..50, 1 => 0_usize..4_000], 1_usize..30);
    let named = |(number, (kind, length, count)): (usize, (usize, usize, usize))| {
        let text = |piece: usize, length: usize| {
            Text::plain(format!("t{number}-{piece}. {}", "word".repeat(length / 4)))
        };
        match kind {
            0 => Block::Heading(text(0, length)),
            1 => Block::Quote(text(0, length)),
            2 => Block::List(List {
                first: None,
                items: (0..count).map(|piece| text(piece, length / 8)).collect(),
            }),
            3 => Block::Code([0, 1, 2, 3, 4].map(|line| format!("t{number}-{line}.")).join("\n")),
            _ => Block::Paragraph(text(0, length)),
        }
    };
    prop::collection::vec(block, 0..60)
        .prop_map(move |blocks| blocks.into_iter().enumerate().map(named).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_is_not_shown_is_counted(blocks in any_blocks()) {
        let message = message(blocks);
        for product in PRODUCTS {
            let shown = shown(product, &message);
            let missing = |number: usize, pieces: usize| (0..pieces).filter(|piece| !shown.contains(&format!("t{number}-{piece}."))).count();
            let (mut parts, mut items, mut lines) = (0, 0, 0);
            for (number, block) in message.blocks.iter().enumerate() {
                match block {
                    Block::List(list) if missing(number, list.items.len()) < list.items.len() => {
                        items += missing(number, list.items.len());
                    }
                    Block::Code(_) => lines += missing(number, 5),
                    _ => parts += missing(number, 1),
                }
            }
            prop_assert_eq!(noted(&shown, "item"), items, "{}: {}", product, &shown);
            // Of code that is not there at all no lines are counted, but the part that it is.
            let noted_lines = noted(&shown, "line") + 5 * noted(&shown, "part");
            prop_assert_eq!(noted_lines, lines + 5 * parts, "{}: {}", product, &shown);
        }
    }
}
