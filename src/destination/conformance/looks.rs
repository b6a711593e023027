//! Looks and links are those of the message, character by character, on every platform.

use proptest::prelude::*;

use super::check::{Look, runs};
use super::{PRODUCTS, check, plain};
use crate::message::{Block, Field, Link, List, Message, Span, Style, Text};

/// A character and its look. Blanks and separators that cannot be seen have none.
type Seen = Vec<(char, Look)>;

fn seen(product: &str, message: &Message) -> Seen {
    let body = plain(product).compose(message, &[]);
    check(product, &body);
    runs(product, &body).into_iter().flat_map(|run| looking(&run.text, &run.look)).collect()
}

fn looking(text: &str, look: &Look) -> Seen {
    let shown = text.chars().filter(|c| !c.is_whitespace() && *c != '\u{200B}');
    shown.map(|c| (c, look.clone())).collect()
}

/// What `message` has, in the order of the body of `product`.
fn sent(product: &str, message: &Message) -> Seen {
    let (fields, others): (Vec<&Block>, Vec<&Block>) =
        message.blocks.iter().partition(|block| product == "discord" && matches!(block, Block::Fields(_)));
    others.into_iter().chain(fields).flat_map(|block| of_block(product, block)).collect()
}

fn of_block(product: &str, block: &Block) -> Seen {
    match block {
        Block::Heading(text) => of_text(product, &bold(text)),
        Block::Paragraph(text) | Block::Quote(text) => of_text(product, text),
        Block::List(List { first, items }) => {
            let bullet = |index: u64| match first {
                Some(first) if product == "teams" => format!("{}.", first + index),
                None if product == "teams" => "•".to_owned(),
                _ => String::new(),
            };
            let item =
                |(index, item)| [looking(&bullet(index), &Look::default()), of_text(product, item)].concat();
            (0..).zip(items).flat_map(item).collect()
        }
        Block::Fields(fields) => {
            let label = |label: &Text| match product {
                // The name of an embed's field is bold whatever is in it.
                "discord" => looking(&label.to_string(), &Look { bold: true, ..Look::default() }),
                _ => of_text(product, &bold(label)),
            };
            let field = |field: &Field| [label(&field.label), of_text(product, &field.value)].concat();
            fields.iter().flat_map(field).collect()
        }
        Block::Code(code) => looking(code, &Look { code: true, ..Look::default() }),
        Block::Links(links) => {
            let link = |link: &Link| looking(&link.label, &Look { url: link.url.clone(), ..Look::default() });
            let between = if product == "teams" { "" } else { "·" };
            links.iter().map(link).collect::<Vec<_>>().join(&looking(between, &Look::default())[..])
        }
    }
}

fn bold(text: &Text) -> Text {
    Text(
        text.0
            .iter()
            .map(|span| Span { style: Style { bold: true, ..span.style }, ..span.clone() })
            .collect(),
    )
}

fn of_text(product: &str, text: &Text) -> Seen {
    let lines = text.0.iter().flat_map(|span| {
        let url = if span.url.starts_with("https://") { span.url.as_str() } else { "" };
        let lines = span.text.split_inclusive('\n');
        lines.map(|line| Span { text: line.to_owned(), url: url.to_owned(), ..span.clone() })
    });
    let mut spans: Vec<Span> = Vec::new();
    for span in lines {
        match spans.last_mut().filter(|last| !last.text.ends_with('\n')) {
            Some(last) if (last.style, last.code, &last.url) == (span.style, span.code, &span.url) => {
                last.text.push_str(&span.text);
            }
            _ => spans.push(span),
        }
    }
    spans.iter().flat_map(|span| of_span(product, span)).collect()
}

fn of_span(product: &str, span: &Span) -> Seen {
    let Style { bold, italic, struck } = span.style;
    let mut look = Look { bold, italic, struck, code: span.code, url: span.url.clone() };
    // In Discord's code nothing is escaped, so what could end other marks stands in code and nothing else.
    if product == "discord" && span.code && span.text.contains(['*', '_', '~', '`', '\\', ']', '(', ')']) {
        look = match look.url.as_str() {
            "" => Look { code: true, ..Look::default() },
            _ => Look { code: false, ..look },
        };
    }
    looking(&span.text, &look)
}

/// Spans with everything that marks up, and a letter in each.
fn any_span() -> impl Strategy<Value = Span> {
    let words = ("[a-z*~_`]", "[a-z *~_`\\\\\\](){}<>@:&|#.!=+-]{0,10}", "[a-z]", "[*~_`\\\\ ]{0,2}");
    let url = prop_oneof![
        4 => Just(String::new()),
        2 => "https://example\\.com/[a-z*_~]{1,8}",
        1 => "[a-z]{1,8}",
    ];
    let text = words.prop_map(|(first, middle, letter, last)| format!("{first}{middle}{letter}{last}"));
    (text, any::<[bool; 4]>(), url).prop_map(|(text, [bold, italic, struck, code], url)| Span {
        text,
        style: Style { bold, italic, struck },
        code,
        url,
    })
}

fn any_text(lines: &'static str) -> impl Strategy<Value = Text> {
    let span = (any_span(), prop::bool::weighted(0.2)).prop_map(move |(mut span, ends_line)| {
        if ends_line && span.url.is_empty() && !lines.is_empty() {
            span.text.push_str(lines);
            span.text.push('x');
        }
        span
    });
    prop::collection::vec(span, 1..5).prop_map(Text)
}

fn any_block() -> impl Strategy<Value = Block> {
    let text = || any_text("\n");
    let items = prop::collection::vec(text(), 1..4);
    let field =
        (any_span(), any_text("")).prop_map(|(label, value)| Field { label: Text(vec![label]), value });
    let link = any_span().prop_map(|span| Link { label: span.text, url: "https://example.com/x".into() });
    prop_oneof![
        any_text("").prop_map(Block::Heading),
        text().prop_map(Block::Paragraph),
        text().prop_map(Block::Quote),
        (prop::option::of(1_u64..9_999), items).prop_map(|(first, items)| Block::List(List { first, items })),
        prop::collection::vec(field, 1..3).prop_map(Block::Fields),
        "[a-z`][a-z *~_`\\\\\\]()<>@\n]{0,20}[a-z]".prop_map(Block::Code),
        prop::collection::vec(link, 1..4).prop_map(Block::Links),
    ]
}

fn message(blocks: Vec<Block>) -> Message {
    Message { title: Text::plain("t"), blocks, ..Message::default() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn looks_and_links_are_exactly_those_of_the_message(blocks in prop::collection::vec(any_block(), 0..5)) {
        let message = message(blocks);
        for product in PRODUCTS {
            let (seen, sent) = (seen(product, &message), sent(product, &message));
            let parted = seen.iter().zip(&sent).position(|(seen, sent)| seen != sent);
            let at = parted.map(|at| (&seen[at], &sent[at]));
            prop_assert!(seen == sent, "{product}: {at:?}\n{seen:?}\n{sent:?}");
        }
    }

    #[test]
    fn what_a_cut_leaves_keeps_its_looks_and_links(
        spans in prop::collection::vec((any_span(), "[a-z ]{1,40}", 0_usize..200), 1..9),
    ) {
        let spans = spans.into_iter().map(|(span, words, times)| Span { text: words.repeat(times) + "x", ..span });
        let message = message(vec![Block::Paragraph(Text(spans.collect()))]);
        for product in PRODUCTS {
            let (seen, sent) = (seen(product, &message), sent(product, &message));
            let starts: Vec<usize> = (0..seen.len()).filter(|index| seen[*index].0 == '…').collect();
            let (head, tail) = match starts[..] {
                [] => (&seen[..], &[][..]),
                [start, end] => (&seen[..start], &seen[end + 1..]),
                _ => panic!("{product}: {seen:?}"),
            };
            // Just before the cut a link leads nowhere: what says where it leads may have been cut away.
            let same = |(seen, sent): (&(char, Look), &(char, Look))| {
                let unlinked = Look { url: String::new(), ..sent.1.clone() };
                seen == sent || (!starts.is_empty() && *seen == (sent.0, unlinked))
            };
            prop_assert!(head.len() <= sent.len() && head.iter().zip(&sent).all(same), "{product}: {seen:?}");
            prop_assert!(sent.ends_with(tail), "{product}: {seen:?}");
            prop_assert!(!starts.is_empty() || seen == sent);
        }
    }
}
