//! What each piece of Markdown becomes, in a form a person can read, and what vanishes.

mod documents;
mod properties;

use super::*;
use crate::message::Span;
use crate::template::value::{mark, mark_markdown, unmark};

/// Reads `template`, in which `{0}` is the first value, `{m0}` the same as Markdown and `{m0:9}` within nine characters.
fn read(template: &str, values: &[&str]) -> Parts {
    parts(&unmark(&written(template, values)).unwrap())
}

fn written(template: &str, values: &[&str]) -> String {
    let mut pieces = template.split('{');
    let mut written = pieces.next().unwrap().to_owned();
    for piece in pieces {
        let (name, rest) = piece.split_once('}').unwrap();
        let (name, limit) =
            name.split_once(':').map_or((name, None), |(name, limit)| (name, limit.parse().ok()));
        match name.strip_prefix('m') {
            Some(index) => written += &mark_markdown(values[index.parse::<usize>().unwrap()], limit),
            None => written += &mark(values[name.parse::<usize>().unwrap()]),
        }
        written += rest;
    }
    written
}

/// A line for each part: `b`, `i`, `s`, `code` and an address before a bar say how the text behind it looks.
fn shown(parts: &Parts) -> String {
    let mut lines = Vec::new();
    let mut line = |name: &str, text: &Text| {
        if !text.0.is_empty() {
            lines.push(format!("{name}: {}", spans(text)));
        }
    };
    line("title", &parts.title);
    line("subtitle", &parts.subtitle);
    for block in &parts.blocks {
        match block {
            Block::Heading(text) => line("heading", text),
            Block::Paragraph(text) => line("paragraph", text),
            Block::Quote(text) => line("quote", text),
            Block::Code(code) => line("code", &Text::plain(code)),
            Block::List(List { first, items }) => {
                for (index, item) in items.iter().enumerate() {
                    let number = first.map(|first| (first + u64::try_from(index).unwrap()).to_string());
                    line(&number.unwrap_or_else(|| "item".to_owned()), item);
                }
            }
            Block::Fields(fields) => {
                for field in fields {
                    line("field", &Text::plain(format!("{} = {}", spans(&field.label), spans(&field.value))));
                }
            }
            Block::Links(row) => {
                for link in row {
                    line("link", &Text::plain(format!("{} -> {}", link.label, link.url)));
                }
            }
        }
    }
    line("footer", &parts.footer);
    lines.join("\n")
}

fn spans(text: &Text) -> String {
    let span = |span: &Span| {
        let looks = [
            (span.style.bold, "b"),
            (span.style.italic, "i"),
            (span.style.struck, "s"),
            (span.code, "code"),
            (!span.url.is_empty(), span.url.as_str()),
        ];
        let looks: Vec<&str> = looks.iter().filter(|(on, _)| *on).map(|(_, look)| *look).collect();
        let text = span.text.replace('\n', "⏎");
        if looks.is_empty() { text } else { format!("<{}|{text}>", looks.join(" ")) }
    };
    text.0.iter().map(span).collect()
}

#[track_caller]
fn check(template: &str, values: &[&str], expected: &str) {
    assert_eq!(shown(&read(template, values)), expected, "{template}");
}

const URL: &str = "https://a.example/x";

#[test]
fn headings_and_paragraphs_become_their_parts() {
    for (template, expected) in [
        ("# One\n\n## Two\n\nThree", "title: One\nheading: Two\nparagraph: Three"),
        (
            "One\n===\n\n*quiet*\n\ntext\n\n_end_\n\n*more*",
            "title: One\nsubtitle: quiet\nparagraph: text\nfooter: end · more",
        ),
        ("*first*\n\n# One", "title: One\nfooter: first"),
        ("# One\n\ntext\n\n*two lines\nof it*", "title: One\nparagraph: text\nfooter: two lines⏎of it"),
        ("*a **b** [c](https://a.example)*", "footer: a <b|b> <https://a.example|c>"),
        ("*a* and *b*", "paragraph: <i|a> and <i|b>"),
        ("a\nb  \nc\\\nd", "paragraph: a⏎b⏎c⏎d"),
        ("***a*** ~~b~~ **c *d***", "paragraph: <b i|a> <s|b> <b|c ><b i|d>"),
        ("a `b *c*` ``d`e``", "paragraph: a <code|b *c*> <code|d`e>"),
    ] {
        check(template, &[], expected);
    }
}

#[test]
fn lists_and_quotes_hold_lines_and_code_divides_them() {
    for (template, expected) in [
        ("- **A:** b\n- **C**: *d*\n- **E** f", "field: A = b\nfield: C = <i|d>\nfield: E = f"),
        ("- **A:** b\n\n- **C:** d\n\n  e\n  - f", "field: A = b\nfield: C = d⏎e⏎◦ f"),
        ("- **A:** b\n- c", "item: <b|A:> b\nitem: c"),
        ("- **A**\n- **B**", "item: <b|A>\nitem: <b|B>"),
        ("1. **A:** b", "1: <b|A:> b"),
        ("- a\n- b\n\n3. c\n4. d", "item: a\nitem: b\n3: c\n4: d"),
        ("- a\n  - b\n    1. c\n    2. d\n- e", "item: a⏎◦ b⏎1. c⏎2. d\nitem: e"),
        ("- a\n\n  b\n  > c\n\n  # d", "item: a⏎b⏎c⏎<b|d>"),
        ("> a\n> b\n>\n> c\n> > d", "quote: a⏎b⏎c⏎d"),
        ("> # a\n> - b\n>   - c\n> 1. d", "quote: <b|a>⏎• b⏎◦ c⏎1. d"),
        ("    a\n      b\n\n    c", "code: a⏎  b⏎⏎c"),
        ("```rust x\na *b*\n```\n~~~\n<c>\n~~~", "code: a *b*\ncode: <c>"),
        ("- a\n  ```\n  b\n  ```\n  c\n- d", "item: a\ncode: b\nparagraph: c\nitem: d"),
        ("2. a\n   ```\n   b\n   ```\n3. c", "2: a\ncode: b\n3: c"),
        ("> a\n>\n>     b\n>\n> c", "quote: a\ncode: b\nquote: c"),
    ] {
        check(template, &[], expected);
    }
}

#[test]
fn links_lead_somewhere_and_all_other_mark_up_is_text() {
    for (template, expected) in [
        (
            "[a](https://a.example) [b *c*](http://b.example)",
            "link: a -> https://a.example\nlink: b c -> http://b.example",
        ),
        (
            "[a](https://a.example)\n**[b](https://b.example)**",
            "link: a -> https://a.example\nlink: b -> https://b.example",
        ),
        (
            "[](https://a.example) <https://b.example>",
            "link: https://a.example -> https://a.example\nlink: https://b.example -> https://b.example",
        ),
        (
            "go [a **b**](https://a.example \"c\") <https://b.example>",
            "paragraph: go <https://a.example|a ><b https://a.example|b> <https://b.example|https://b.example>",
        ),
        (
            "see ![an *image*](https://a.example/i.png)",
            "paragraph: see <https://a.example/i.png|an ><i https://a.example/i.png|image>",
        ),
        ("go [![b](https://b.example) c](https://a.example)", "paragraph: go <https://a.example|b c>"),
        ("go [a](x.html) <me@a.example>", "paragraph: go a me@a.example"),
        ("a <b>c</b> <!-- d --> &amp; &lt;", "paragraph: a <b>c</b> <!-- d --> & <"),
        ("<div class=x>\n*a*\n</div>\n\nb", "paragraph: <div class=x>⏎*a*⏎</div>\nparagraph: b"),
        ("a\n\n---\n\nb\n***", "paragraph: a\nparagraph: b"),
        ("# a\n\n---\n\n*b*", "title: a\nsubtitle: b"),
        ("|a|b|\n|-|-|\n|c|d|", "paragraph: |a|b|⏎|-|-|⏎|c|d|"),
        ("a[^1] $b$ ==c== - [ ] d\n\n- [x] e", "paragraph: a[^1] $b$ ==c== - [ ] d\nitem: [x] e"),
        ("#\n\n##\n\n-\n\n>\n\n```\n\n```", ""),
        ("", ""),
    ] {
        check(template, &[], expected);
    }
}

#[test]
fn values_are_put_back_wherever_they_stand() {
    let values = &["*v* `w`\n# [x](https://evil.example) &amp; <b>", URL, "9"];
    for (template, expected) in [
        ("# {0}", "title: *v* `w`⏎# [x](https://evil.example) &amp; <b>"),
        ("# [a {2}]({1})", "title: <https://a.example/x|a 9>"),
        ("# a\n\n*{2}{2}*\n\n_{2}_", "title: a\nsubtitle: 99\nfooter: 9"),
        (
            "x_{2}_ **{0}**_{2}_~~{2}~~",
            "paragraph: x_9_ <b|*v* `w`⏎# [x](https://evil.example) &amp; <b>><i|9><s|9>",
        ),
        ("- **{2}:** {2}", "field: 9 = 9"),
        ("- **{2}**: {2}:", "field: 9 = 9:"),
        ("> {0}", "quote: *v* `w`⏎# [x](https://evil.example) &amp; <b>"),
        ("`{0}`", "paragraph: <code|*v* `w`⏎# [x](https://evil.example) &amp; <b>>"),
        ("```{2}\n{0}\n{2}\n```", "code: *v* `w`⏎# [x](https://evil.example) &amp; <b>⏎9"),
        ("<div a=\"{2}\">\n{2}", "paragraph: <div a=\"9\">⏎9"),
        ("a <b c={2}> {2}", "paragraph: a <b c=9> 9"),
        (
            "[{2}]({1}) [b](https://a.example/{2}?q={1})",
            "link: 9 -> https://a.example/x\nlink: b -> https://a.example/9?q=https%3A%2F%2Fa.example%2Fx",
        ),
        ("go [b](<{1}#{2}> \"{2}\")", "paragraph: go <https://a.example/x#9|b>"),
        (
            "<https://a.example/{0}>",
            "link: https://a.example/*v* `w`⏎# [x](https://evil.example) &amp; <b> -> https://a.example/%2Av%2A%20%60w%60%0A%23%20%5Bx%5D%28https%3A%2F%2Fevil.example%29%20%26amp%3B%20%3Cb%3E",
        ),
        (
            "[a]: {1}\n\n[a] [b]:{1}",
            "paragraph: [a]: https://a.example/x\nparagraph: [a] [b]:https://a.example/x",
        ),
        ("{2}. a\n\n{2}) b\n\n{2}\n===", "title: 9\nparagraph: 9. a\nparagraph: 9) b"),
    ] {
        check(template, values, expected);
    }
}

#[test]
fn what_has_only_empty_values_vanishes_with_its_words() {
    let values = &["", " \n", "v", URL, "\u{200B}\u{FEFF}"];
    for (template, expected) in [
        ("# Error {0}\n\n*in {1}*\n\nSeen {0} times\n\n## More {0}\n\n*at {0}*", ""),
        ("# a\n\n{m0}\n\n*b*", "title: a\nfooter: b"),
        ("# a\n\n```\n{0}\n```\n\n*b*", "title: a\nfooter: b"),
        ("# {0}\n\n*b*\n\ntext", "subtitle: b\nparagraph: text"),
        ("a {0}\nb {2}{0}\nc {1}\nd", "paragraph: b v⏎d"),
        ("{0}\n{2}", "paragraph: v"),
        ("a\n{0}", ""),
        ("a {4}\n\n{4}", ""),
        ("- **A:** x{4}", ""),
        ("- **A:** b\n  {0}\n- **B:** b {2}", "field: B = b v"),
        ("a {0}{2}", "paragraph: a v"),
        ("- **A:**\n- **B:** {2}\n- **C**:", "field: B = v"),
        ("- **A:** {0}\n- **B:** {2}\n- **C:** d", "field: B = v\nfield: C = d"),
        ("- **A:** {0}\n- **B:** {1} times", ""),
        ("- **{0}:** a\n- **B:** {2}", "field: B = v"),
        ("- **{0}:** {2}\n- **{2}:** {0}\n- **{2}:** w", "field:  = v\nfield: v = w"),
        ("- **A:** [{0}]({3})", "field: A = <https://a.example/x|https://a.example/x>"),
        ("- a {0}\n- b\n- {2}", "item: b\nitem: v"),
        ("- a {0}\n  - b\n  - c {0}\n- {0}", ""),
        ("- a {0}\n  - b {2}\n  - c {0}", "item: ◦ b v"),
        ("1. a\n2. {0}\n3. c", "1: a\n2: c"),
        ("> said {0}\n>\n> by {0}", ""),
        ("> said {0}\n>\n> by {2}", "quote: by v"),
        ("```\nfoo {0}\n```\n\n    {1}", ""),
        ("```\nfoo {0}\n{2}\n```", "code: foo ⏎v"),
        ("> said:\n>\n> ```\n> {0}\n> ```", ""),
        ("- said:\n  ```\n  {0}\n  ```\n- b", "item: b"),
        ("`{0}` a", ""),
        ("a **{0}** {2} `{0}`", "paragraph: a  v"),
        ("<div>{0}</div>", ""),
        ("[Open]({0}) [b]({3})", "link: b -> https://a.example/x"),
        ("[Open]({0})", ""),
        (
            "[{0}]({3}) [{2}]({0}) [c](https://a.example/{0})",
            "link: https://a.example/x -> https://a.example/x",
        ),
        ("go [Open]({0})\nand [b {2}]({0}) [{2}]({3}){0}", "paragraph: and b v <https://a.example/x|v>"),
        ("{2} [Open]({0}) [bad]({2}) [{2}](x)", "paragraph: v  bad v"),
        ("# [{2}]({0})", "title: v"),
        ("# [{0}]({3})\n\ntext", "paragraph: text"),
    ] {
        check(template, values, expected);
    }
}

#[test]
fn text_is_trimmed_and_spans_of_one_look_are_joined() {
    let parts = read("#  {0}  \n\na {1}{1} b\n\n> *{0}*", &["  x ", "y"]);
    assert_eq!(parts.title, Text::plain("x"));
    assert_eq!(parts.blocks[0], Block::Paragraph(Text::plain("a yy b")));
    assert_eq!(shown(&parts), "title: x\nparagraph: a yy b\nquote: <i|x>");
    assert_eq!(read("```\n\n{0}\n\n```", &["\n  x\n"]).blocks, [Block::Code("  x".to_owned())]);
}

#[test]
fn a_placeholder_that_own_text_forges_is_a_value_at_most() {
    check("a &#x100000; &#x100001; &#x10f003; {0}", &["v"], "paragraph: a v   v");
}
