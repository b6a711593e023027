//! What holds for every value and for every template: values are literal, and nothing takes long or falls over.

use std::thread;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

/// Every place that a value can stand in; the third value is an address.
const PLACES: &[&str] = &[
    "# {0}",
    "# [{0} in {1}]({2})\n\n*{0} · {1}*\n\n{0}\n\n*{1}*",
    "a {0}b{1}c",
    "{0}\n{1}\n{0}",
    "- **A:** {0}\n- **B**: {1}\n- **{0}:** x {1}",
    "- {0}\n- x {1}\n  - {0}\n\n3. {1}",
    "> {0}\n> {1}\n>\n> > {0}",
    "```{0}\n{0}\n {1}\n```",
    "    {0}\n    x {1}",
    "`{0}` ``{1}``",
    "**{0}** *{1}* ~~{0}~~ x",
    "[{0}]({2}) [x](https://a.example/{0}/?q={1}#{0})",
    "go [{0}]({2}) ![{1}]({2} \"{0}\") <https://a.example/{0}>",
    "[{0}] [{1}]: {2}\n\n[{0}]: {2}\n\n[x][{0}]",
    "<div title=\"{0}\">\n{1}\n</div>\n\nx <b {0}> <!-- {1} -->",
    "{0}. x\n\n{0}) x\n\n{0} x\n{1}\n---\n\n+{0}\n\n#{0}\n\n>{1}\n\n\\{0}&{1};",
    "- x\n  > {0}\n  ```\n  {1}\n  ```\n  {0}\n- # {1}",
];

/// Stand for the three values; no value holds them.
const STAND_INS: [char; 3] = ['\u{F0000}', '\u{F0001}', '\u{F0002}'];

const HOSTILE: &[&str] = &[
    "*",
    "**",
    "_",
    "~~",
    "`",
    "```",
    "\n",
    "\n\n",
    "\r\n",
    "# ",
    "> ",
    "- ",
    "1. ",
    "    ",
    "\t",
    "---",
    "===",
    "|",
    "\\",
    ":",
    "\"",
    "]",
    "[",
    "](",
    "]:",
    ")",
    "(",
    "![",
    "[x](https://evil.example)",
    "[x]: https://evil.example",
    "<https://evil.example>",
    "<b>",
    "</div>",
    "<!--",
    "&amp;",
    "&#42;",
    "{{x}}",
    "@everyone",
    "<!channel>",
    "<@U1>",
    "👩‍👩‍👧",
    "\u{202E}",
    "\0",
    "\u{100000}",
    "\u{10F000}",
    "\u{10F001}",
    "\u{10F003}",
    "\u{10F004}",
];

fn hostile(most: usize) -> impl Strategy<Value = String> {
    let piece = prop_oneof![prop::sample::select(HOSTILE).prop_map(str::to_owned), "[a-z ]{1,4}"];
    prop::collection::vec(piece, 0..most).prop_map(|pieces| pieces.concat())
}

/// A value that can be seen to its ends.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), hostile(9)].prop_map(|inner| format!("s{inner}e").replace(STAND_INS, ""))
}

/// `parts` of the stand-ins, as they must be of `values`: each text where its stand-in was, and nothing else changed.
fn filled(mut parts: Parts, values: &[String; 3]) -> Parts {
    let text = |text: &mut String| {
        *text = text
            .chars()
            .map(|c| match STAND_INS.iter().position(|stand_in| *stand_in == c) {
                Some(index) => values[index].clone(),
                None => c.to_string(),
            })
            .collect();
    };
    let address = |url: &mut String| {
        text(url);
        for (stand_in, value) in STAND_INS.iter().zip(values) {
            *url = url.replace(&encoded(&stand_in.to_string()), &encoded(value));
        }
    };
    let whole = |whole: &mut Text| {
        for span in &mut whole.0 {
            text(&mut span.text);
            address(&mut span.url);
        }
    };
    whole(&mut parts.title);
    whole(&mut parts.subtitle);
    whole(&mut parts.footer);
    for block in &mut parts.blocks {
        match block {
            Block::Heading(text) | Block::Paragraph(text) | Block::Quote(text) => whole(text),
            Block::Code(code) => text(code),
            Block::List(list) => list.items.iter_mut().for_each(whole),
            Block::Fields(fields) => fields.iter_mut().for_each(|field| {
                whole(&mut field.label);
                whole(&mut field.value);
            }),
            Block::Links(row) => row.iter_mut().for_each(|link| {
                text(&mut link.label);
                address(&mut link.url);
            }),
        }
    }
    parts
}

fn encoded(text: &str) -> String {
    let marked = unmark(&format!("x{}", mark(text))).unwrap();
    let (url, _) = address::destination(marked.pieces(&marked.text));
    url.strip_prefix('x').unwrap().to_owned()
}

fn all_spans(parts: &Parts) -> Vec<Span> {
    let mut spans: Vec<Span> =
        [&parts.title, &parts.subtitle, &parts.footer].iter().flat_map(|text| text.0.clone()).collect();
    for block in &parts.blocks {
        match block {
            Block::Links(row) => spans.extend(row.iter().map(|link| Span {
                text: link.label.clone(),
                url: link.url.clone(),
                ..Span::default()
            })),
            block => spans.extend(document::text(block.clone()).0),
        }
    }
    spans
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_values_say_the_structure_is_the_same_and_they_stand_in_it_literally(
        template in prop::sample::select(PLACES), first in value(), second in value(), third in value()
    ) {
        let values = [first, second, format!("https://a.example/{third}")];
        let stand_ins = STAND_INS.map(String::from);
        let stand_ins = [stand_ins[0].clone(), stand_ins[1].clone(), format!("https://a.example/{}", stand_ins[2])];
        let expected = read(template, &stand_ins.each_ref().map(String::as_str));
        let third = values[2].strip_prefix("https://a.example/").unwrap().to_owned();
        let expected = filled(expected, &[values[0].clone(), values[1].clone(), third]);
        let actual = read(template, &values.each_ref().map(String::as_str));
        prop_assert_eq!(shown(&actual), shown(&expected));
        prop_assert_eq!(actual, expected);
    }

    #[test]
    fn any_template_is_read_and_leaves_no_placeholder_and_nothing_empty(
        own in prop::collection::vec((hostile(12), "[a-z ]{0,3}", prop::option::of(prop::option::of(0_usize..20))), 0..6)
    ) {
        let mut rendered = String::new();
        for (text, value, form) in &own {
            rendered += &text.replace(|c| c >= '\u{100000}', "");
            rendered += &match form {
                Some(limit) => mark_markdown(value, *limit),
                None => mark(value),
            };
        }
        let parts = parts(&unmark(&rendered).unwrap());
        for span in all_spans(&parts) {
            prop_assert!(!span.text.chars().any(|c| c >= '\u{100000}'), "{span:?}");
            prop_assert!(span.url.is_empty() || address::is_web(&span.url), "{span:?}");
        }
        for block in &parts.blocks {
            prop_assert!(!document::text(block.clone()).is_empty(), "{block:?}");
        }
    }

    #[test]
    fn any_document_stays_within_its_limit_and_leads_only_to_the_web(text in hostile(40), limit in prop::option::of(0_usize..60)) {
        let read = |form: &str| parts(&unmark(&format!("{form}{}", mark_markdown(&text, limit))).unwrap());
        let alone = read("");
        prop_assert!(alone.title.is_empty() && alone.subtitle.is_empty() && alone.footer.is_empty());
        let mut seen = 0;
        for block in &alone.blocks {
            prop_assert!(!matches!(block, Block::Links(_)));
            seen += document::size(block);
        }
        prop_assert!(limit.is_none_or(|limit| seen <= limit), "{seen}: {alone:?}");
        for span in all_spans(&alone).iter().chain(&all_spans(&read("a "))) {
            prop_assert!(span.url.is_empty() || address::is_web(&span.url));
        }
    }
}

/// Links as a document may have them, and what is shown of where each leads.
const LEADS: &[(&str, &str, &str)] = &[
    ("[ab cd](https://evil.example/x)", "https://evil.example/x", "evil.example/x"),
    ("[a *b* `c`](https://b.example)", "https://b.example", "b.example"),
    ("**[https://a.example](https://c.example/?q=1)**", "https://c.example/?q=1", "c.example…"),
    ("![a](http://d.example:81/)", "http://d.example:81/", "d.example:81"),
    ("<https://e.example/y>", "https://e.example/y", ""),
];

proptest! {
    #[test]
    fn a_link_of_a_document_says_where_it_leads_however_it_is_cut(
        pieces in prop::collection::vec((prop::sample::select(vec!["y ", "x ", " ", "\n\n", "\n\n- ", "\n\n> ", "\n\n# "]), prop::sample::select(LEADS)), 1..5),
        limit in 0_usize..90
    ) {
        let pairs = pieces.iter().flat_map(|(between, (link, ..))| [&**between, &**link]);
        let text: String = pairs.collect();
        let blocks = parts(&unmark(&mark_markdown(&text, Some(limit))).unwrap()).blocks;
        for block in blocks {
            let spans = document::text(block).0;
            let mut rest = spans.as_slice();
            while let Some(first) = rest.first() {
                let (words, behind) = rest.split_at(rest.iter().take_while(|span| span.url == first.url).count());
                rest = behind;
                let Some((_, url, shown)) = LEADS.iter().find(|(_, url, _)| *url == first.url) else { continue };
                let said = |spans: &[Span]| spans.iter().map(|span| span.text.as_str()).collect::<String>();
                let whole = said(behind).starts_with(&format!(" ({shown})"));
                prop_assert!(whole || said(words) == *url, "{text:?} {spans:?}");
            }
        }
    }
}

const REPEATED: &[&str] = &[
    ">",
    "> ",
    "[",
    "]",
    "![",
    "*",
    "**",
    "_",
    "*a ",
    "*a_ ",
    "***a ",
    "~~",
    "`",
    "`a``",
    "- ",
    "1. ",
    "-\n",
    "> a\n",
    "#",
    "# a\n",
    "(",
    "[a](",
    "[a](b",
    "<",
    "<a ",
    "<!--",
    "<?",
    "<![CDATA[",
    "&",
    "&#",
    "\\",
    "[a]\n",
    "[a]: b\n",
    "\n",
    " ",
    "\t",
    "a\n",
    "a\n-\n",
    "```\n",
    "|",
    "[a](https://a.example) ",
    "[[a](https://a.example)",
    "![a](https://a.example ",
    "<https://a.example>",
    "**a** ",
    "- **a:** b\n",
];

/// Runs on a stack of the size that a thread of the runtime has, and says how long it took.
fn on_a_small_stack(work: impl FnOnce() + Send + 'static) -> Duration {
    let start = Instant::now();
    thread::Builder::new().stack_size(2 * 1024 * 1024).spawn(work).unwrap().join().unwrap();
    start.elapsed()
}

#[test]
fn no_depth_and_no_repetition_is_too_much() {
    let mut texts: Vec<String> = REPEATED.iter().map(|piece| piece.repeat(100_000 / piece.len())).collect();
    texts.push("- ".repeat(5_000) + &"\n".repeat(10_000));
    texts.push("> ".repeat(5_000) + &"a\n".repeat(5_000));
    texts.push("- ".repeat(2_000) + &"a\n\n".repeat(5_000));
    texts.push(format!("[a]: https://a.example/{}\n\n{}", "b".repeat(9_000), "[a] ".repeat(2_500)));
    texts.push((1..400).map(|ticks| "`".repeat(ticks) + " ").collect());
    for text in texts {
        let start: String = text.chars().take(20).collect();
        let elapsed = on_a_small_stack(move || {
            let document = format!("{}\n\na {}", mark_markdown(&text, None), mark_markdown(&text, Some(500)));
            drop(parts(&unmark(&text).unwrap()));
            drop(parts(&unmark(&document).unwrap()));
        });
        // A hundredth of this where it is fast; far more if the work grew with the square of the length.
        assert!(elapsed < Duration::from_secs(30), "{start:?} took {elapsed:?}");
        println!("{start:?} {elapsed:?}");
    }
}
