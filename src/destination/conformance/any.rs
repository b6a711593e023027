//! Messages of any text in any place, for what must always hold.

use proptest::prelude::*;

use super::messages;
use crate::message::{Block, Field, Link, List, Message, Span, Style, Text, Tone};

pub(super) fn any_line() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "\\PC{0,40}",
        2 => any::<String>(),
        1 => prop::sample::select(messages::HOSTILE).prop_map(str::to_owned),
        1 => ("\\PC{1,4}", 0_usize..3_000).prop_map(|(piece, times)| piece.repeat(times)),
    ]
}

pub(super) fn any_url() -> impl Strategy<Value = String> {
    prop_oneof![
        any_line(),
        any_line().prop_map(|rest| format!("https://example.com/{rest}")),
        any_line().prop_map(|rest| format!("http://[::1]/?{rest}")),
        any_line().prop_map(|host| format!("https://{host}/x")),
    ]
}

pub(super) fn any_text() -> impl Strategy<Value = Text> {
    let span = (any_line(), any::<[bool; 4]>(), prop_oneof![3 => Just(String::new()), 1 => any_url()]);
    let span = span.prop_map(|(text, [bold, italic, struck, code], url)| Span {
        text,
        style: Style { bold, italic, struck },
        code,
        url,
    });
    prop::collection::vec(span, 0..4).prop_map(Text)
}

pub(super) fn any_block() -> impl Strategy<Value = Block> {
    let texts = || prop::collection::vec(any_text(), 0..4);
    let fields = prop::collection::vec((any_text(), any_text()), 0..13);
    let links = prop::collection::vec((any_line(), any_url()), 0..5);
    prop_oneof![
        any_text().prop_map(Block::Heading),
        any_text().prop_map(Block::Paragraph),
        any_text().prop_map(Block::Quote),
        (any::<Option<u64>>(), texts()).prop_map(|(first, items)| Block::List(List { first, items })),
        fields.prop_map(|fields| {
            Block::Fields(fields.into_iter().map(|(label, value)| Field { label, value }).collect())
        }),
        prop::collection::vec(any_line(), 0..8).prop_map(|lines| Block::Code(lines.join("\n"))),
        links.prop_map(|links| {
            Block::Links(links.into_iter().map(|(label, url)| Link { label, url }).collect())
        }),
    ]
}

prop_compose! {
    pub(super) fn any_message()(
        (title, subtitle, footer) in (any_text(), any_text(), any_text()),
        blocks in prop::collection::vec(any_block(), 0..6),
        at in any_line(),
    ) -> Message {
        Message { tone: Tone::Error, title, subtitle, blocks, footer, at, thread: String::new() }
    }
}
