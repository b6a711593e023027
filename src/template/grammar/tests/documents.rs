//! Values that are Markdown: inserted, flattened, and cut.

use super::*;

const RICH: &str = "# Head\n\n**bold** [words](https://evil.example/path?q=1)\n\n- a\n- b\n\n> quote\n\n```\ncode\nmore\n```";

#[test]
fn a_document_that_stands_alone_becomes_blocks() {
    let rich = "heading: Head\nparagraph: <b|bold> <https://evil.example/path?q=1|words> (evil.example/path…)\nitem: a\nitem: b\nquote: quote\ncode: code⏎more";
    check("{m0}", &[RICH], rich);
    check("# Title\n\n{m0}\n\n*footer*", &[RICH], &format!("title: Title\n{rich}\nfooter: footer"));
    check(
        "> {m0}",
        &[RICH],
        "quote: <b|Head>⏎<b|bold> <https://evil.example/path?q=1|words> (evil.example/path…)⏎• a⏎• b⏎quote\ncode: code⏎more",
    );
    check("- x\n- {m0}\n- y", &["a\n\n- b\n- c\n\nd"], "item: x\nitem: a⏎• b⏎• c⏎d\nitem: y");
    check("- x\n- {m0}\n- y", &["a\n\n    b\n\nc"], "item: x\nitem: a\ncode: b\nparagraph: c\nitem: y");
    check("- x\n  - {m0}", &["**a**\n\n1. b\n2. c"], "item: x⏎◦ <b|a>⏎1. b⏎2. c");
}

#[test]
fn a_document_has_neither_title_nor_footer_nor_links_in_a_row() {
    check(
        "{m0}",
        &["# a\n\n*b*\n\n[c](https://a.example)"],
        "heading: a\nparagraph: <i|b>\nparagraph: <https://a.example|c> (a.example)",
    );
    check("# t\n\n{m0}", &["*a*"], "title: t\nparagraph: <i|a>");
    check("{m0}", &["- **A:** b\n- **C:** d"], "item: <b|A:> b\nitem: <b|C:> d");
    check("- {m0}\n- {m0}", &["**A:** b"], "item: <b|A:> b\nitem: <b|A:> b");
    check("- {m0} x", &["**A:** b"], "item: <b|A:> b x");
    check(
        "{m0} {m0}",
        &["[c](https://a.example/)"],
        "paragraph: <https://a.example/|c> (a.example) <https://a.example/|c> (a.example)",
    );
}

#[test]
fn a_document_among_other_text_is_text() {
    let flat = "Head⏎<b|bold> <https://evil.example/path?q=1|words> (evil.example/path…)⏎• a⏎• b⏎quote⏎<code|code>⏎<code|more>";
    check("a: {m0}", &[RICH], &format!("paragraph: a: <b|Head>{}", flat.strip_prefix("Head").unwrap()));
    check("# {m0}", &["a *b*\nc"], "title: a <i|b>⏎c");
    check("*{m0}*", &["a *b* **c**"], "footer: a b <b|c>");
    check("- **A:** {m0}", &["a *b*\n\n- c"], "field: A = a <i|b>⏎• c");
    check("`{m0}` **{m0}**", &["a *b*"], "paragraph: <code|a ><i code|b> <b|a ><b i|b>");
    check("```\n{m0}\n```", &["a *b*\n\n- c"], "code: a b⏎• c");
    check(
        "go [{m0}]({1})",
        &["a [b](https://evil.example)", URL],
        "paragraph: go <https://a.example/x|a b (evil.example)>",
    );
    check("a {m0}", &["- **A:** b\n- **C:** *d*"], "paragraph: a • <b|A:> b⏎• <b|C:> <i|d>");
}

#[test]
fn an_empty_document_is_an_empty_value() {
    for empty in ["", " \n"] {
        for template in [
            "{m0}",
            "a {m0}",
            "> {m0}",
            "> a\n>\n> {m0}",
            "- {m0}",
            "- a\n\n  {m0}",
            "- **A:** {m0}",
            "# {m0}",
            "```\n{m0}\n```",
        ] {
            check(template, &[empty], "");
        }
    }
    check("{m0}\n\n- {m0}", &["***"], "");
}

#[test]
fn links_of_a_document_show_where_they_lead() {
    for (markdown, expected) in [
        ("<https://a.example/x>", "<https://a.example/x|https://a.example/x>"),
        ("[a.example/x](https://a.example/x)", "<https://a.example/x|a.example/x>"),
        (
            "[bugsnag.com](https://evil.example/login)",
            "<https://evil.example/login|bugsnag.com> (evil.example/login)",
        ),
        ("![pic](https://evil.example/p.png)", "<https://evil.example/p.png|pic> (evil.example/p.png)"),
        ("[![pic](https://a.example)](https://evil.example)", "<https://evil.example|pic> (evil.example)"),
        ("[a][1]\n\n[1]: https://evil.example 'x'", "<https://evil.example|a> (evil.example)"),
        ("[a](javascript:alert(1)) [b](mailto:x@y.example) [c](/d) [e](#f)", "a b c e"),
        ("[](https://evil.example)", "<https://evil.example|https://evil.example> (evil.example)"),
        ("*[a](https://evil.example)*", "<i https://evil.example|a><i| (evil.example)>"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("@everyone <!channel> <@U1>", "@everyone <!channel> <@U1>"),
    ] {
        check("{m0}", &[markdown], &format!("paragraph: {expected}"));
    }
}

#[test]
fn nothing_in_a_document_is_a_placeholder() {
    check(
        "{m0}\n\n{1}",
        &["a\u{100001}*\u{100000}*\u{10F000}", "v"],
        "paragraph: a\u{100001}<i|\u{100000}>\u{10F000}\nparagraph: v",
    );
    check("x {m0}", &["a&#x100001;\u{10F003}", "v"], "paragraph: x a\u{100001}\u{10F003}");
}

#[test]
fn a_long_document_is_cut_at_a_lines_end() {
    let line = "0123456789".repeat(9) + "\n";
    let long = line.repeat(1_000);
    let parts = read("{m0}", &[&long]);
    let [Block::Paragraph(text), Block::Paragraph(note)] = parts.blocks.as_slice() else {
        panic!("{parts:?}")
    };
    assert_eq!(text.to_string(), line.repeat(219).trim_end());
    assert_eq!(note, &Text::plain("… 71,072 characters left out …"));
    let parts = read("{m0}", &[&format!("```\n{}", "é".repeat(19_997))]);
    assert_eq!(parts.blocks[0], Block::Code("é".repeat(19_995)), "a grapheme less, it may go on");
    assert_eq!(parts.blocks[1], Block::Paragraph(Text::plain("… 2 characters left out …")));
    let whole = "x".repeat(20_000);
    assert_eq!(read("{m0}", &[&whole]).blocks, [Block::Paragraph(Text::plain(whole))]);
}

#[test]
fn a_limit_counts_what_is_seen_and_cuts_visibly() {
    for (limit, markdown, expected) in [
        (5, "**abcde**", "paragraph: <b|abcde>"),
        (5, "**abcd**ef", "paragraph: <b|abcd>…"),
        (5, "ab *cdef*", "paragraph: ab <i|c…>"),
        (3, "e\u{301}e\u{301}e\u{301}", "paragraph: e\u{301}…"),
        (4, "abc\n\ndef", "paragraph: abc\nparagraph: …"),
        (6, "abc\n\ndef", "paragraph: abc\nparagraph: def"),
        (5, "# abc\n\ndef", "heading: abc\nparagraph: d…"),
        (5, "> abcdef", "quote: abcd…"),
        (6, "- abc\n- def\n- ghi", "item: abc\nitem: de…"),
        (4, "1. abc\n2. def", "1: abc\n2: …"),
        (8, "- **A:** bc\n- **D:** ef", "item: <b|A:> bc\nitem: <b|D:>…"),
        (9, "```\nabc\ndef\nghi\n```", "code: abc⏎def\nparagraph: …"),
        (3, "```\nabcd\n```", "paragraph: …"),
        (1, "abc", "paragraph: …"),
        (0, "abc", ""),
        (9, "[ab](https://evil.example/x)", "paragraph: ab (evil…"),
        (9, "[a *b*](https://evil.example/x)", "paragraph: a <i|b> (evi…"),
        (3, "[abcd](https://evil.example/x)", "paragraph: ab…"),
        (9, "<https://evil.example/x>", "paragraph: https://…"),
        (21, "[ab](https://evil.example/x) cd", "paragraph: <https://evil.example/x|ab> (evil.example/x)…"),
        (24, "<https://evil.example/x> cd", "paragraph: <https://evil.example/x|https://evil.example/x>…"),
    ] {
        check(&format!("{{m0:{limit}}}"), &[markdown], expected);
    }
    check("a: {m0:3}", &["bcd\n\ne"], "paragraph: a: bc…");
}
