//! Rich text as Discord's Markdown: marks of our own around text of which nothing acts.
//!
//! Discord's readers look for closing marks without regard to all escapes, so text that could be taken for one is kept
//! apart from ours by a zero-width space, or goes without the look.

use crate::destination::prose::Form;
use crate::message::{Span, Style, Text};
use crate::text::{Place, as_it_is};

/// `title`, `description` and fields: a backslash before everything that marks up anywhere.
pub(super) const MARKDOWN: Place = Place { write: escape, count: |_| 1 };

/// A code block, where only the fence acts: a backtick may need a zero-width space, see [`apart`].
pub(super) const CODE: Place = Place { write: as_it_is, count: |c| if c == '`' { 2 } else { 1 } };

/// [`MARKDOWN`] with looks and links.
pub(super) const RICH: Form = Form { place: MARKDOWN, around };

/// The same in a quote and in a list, where every line has something before it.
pub(super) const INDENTED: Form =
    Form { place: Place { write: escape, count: |c| if c == '\n' { 3 } else { 1 } }, around };

const APART: char = '\u{200B}';

/// The characters of our marks.
const MARKS: [char; 3] = ['*', '~', '`'];

fn escape(c: char, out: &mut String) {
    if r"\*_~`|>#-+[]()<:@.".contains(c) {
        out.push('\\');
    }
    out.push(c);
}

/// What [`marked`] puts around a span at most: its marks, and what keeps them apart from others.
fn around(span: &Span) -> usize {
    let Style { bold, italic, struck } = span.style;
    let looks = 4 * usize::from(bold) + 2 * usize::from(italic) + 4 * usize::from(struck) + 2;
    let code = if span.code { "``".len() * 2 + 2 } else { 0 };
    // A link may have words before and after it, see `without_brackets`.
    if span.url.is_empty() { looks + code } else { 3 * (looks + code) + "[]()".len() + span.url.len() }
}

/// `text` with its looks and links; `line_end` stands where it has a line's end.
pub(super) fn marked(text: &Text, line_end: &str) -> String {
    let mut written = String::new();
    for span in text.0.iter().flat_map(without_brackets) {
        // Marks must touch what they mark.
        let inner = span.text.trim_matches(|c: char| c.is_whitespace() || c == '\u{FEFF}');
        let Some((start, end)) = span.text.split_once(inner).filter(|_| !inner.is_empty()) else {
            written.push_str(&MARKDOWN.write(&span.text));
            continue;
        };
        written.push_str(&MARKDOWN.write(start));
        let inner = decorated(&span, inner);
        if inner.starts_with(MARKS) && written.ends_with(MARKS) {
            written.push(APART);
        }
        written.push_str(&inner);
        written.push_str(&MARKDOWN.write(end));
    }
    written.replace('\n', line_end)
}

/// A link whose words have an opening bracket would be none: the longest piece without one becomes the link.
fn without_brackets(span: &Span) -> Vec<Span> {
    let longest = span.text.split('[').max_by_key(|piece| piece.len()).unwrap_or_default();
    let Some((before, after)) = span.text.split_once(longest).filter(|_| !span.url.is_empty()) else {
        return vec![span.clone()];
    };
    let unlinked = |text: &str| Span { text: text.to_owned(), url: String::new(), ..span.clone() };
    let linked = Span { text: longest.to_owned(), ..span.clone() };
    [unlinked(before), linked, unlinked(after)].into_iter().filter(|span| !span.text.is_empty()).collect()
}

/// The words of a span between its marks.
fn decorated(span: &Span, words: &str) -> String {
    let (style, is_code) = looks(span, words);
    let mut inner = if is_code { code(words) } else { MARKDOWN.write(words) };
    let Style { bold, italic, struck } = style;
    let marks: String = [(struck, "~~"), (italic, "*"), (bold, "**")]
        .into_iter()
        .filter(|(is, _)| *is)
        .map(|(_, mark)| mark)
        .collect();
    if !marks.is_empty() {
        let apart = if inner.ends_with(['*', '~']) { APART.to_string() } else { String::new() };
        let before: String = marks.chars().rev().collect();
        inner = format!("{before}{inner}{apart}{marks}");
    }
    if span.url.is_empty() { inner } else { format!("[{inner}]({})", span.url) }
}

/// The looks that a span can have: nothing in code is escaped, so where it has what could close other marks, it is code
/// and nothing else, or a link and no code.
fn looks(span: &Span, words: &str) -> (Style, bool) {
    match (span.code && words.contains(['*', '_', '~', '`', '\\', '[', ']', '(', ')']), span.url.is_empty()) {
        (true, true) => (Style::default(), true),
        (true, false) => (span.style, false),
        (false, _) => (span.style, span.code),
    }
}

/// A piece of code between one backtick and another, or between two and two if it has some of its own.
fn code(words: &str) -> String {
    if !words.contains('`') {
        return format!("`{words}`");
    }
    let apart_from = |is: bool| if is { APART.to_string() } else { String::new() };
    let (start, end) = (apart_from(words.starts_with('`')), apart_from(words.ends_with('`')));
    format!("``{start}{}{end}``", apart(words))
}

/// `code` in a block that nothing in it ends.
pub(super) fn fenced(code: &str) -> String {
    format!("```\n{}\n```", apart(code))
}

/// `code` without two backticks side by side.
fn apart(code: &str) -> String {
    let mut apart = String::with_capacity(code.len());
    for c in code.chars() {
        if c == '`' && apart.ends_with('`') {
            apart.push(APART);
        }
        apart.push(c);
    }
    apart
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(text: &str, looks: &str, url: &str) -> Span {
        let has = |letter| looks.contains(letter);
        let style = Style { bold: has('b'), italic: has('i'), struck: has('s') };
        Span { text: text.into(), style, code: has('c'), url: url.into() }
    }

    #[test]
    fn looks_and_links_are_written_with_marks_that_touch_the_words() {
        let url = "https://example.com/";
        for (spans, written) in [
            (vec![span("a*b", "", "")], r"a\*b"),
            (vec![span(" a ", "b", ""), span("b", "", "")], " **a** b"),
            (vec![span("a", "bis", "")], "***~~a~~***"),
            (vec![span("a", "b", ""), span("b", "i", "")], "**a**\u{200B}*b*"),
            (vec![span("*", "b", "")], "**\\*\u{200B}**"),
            (vec![span("~", "", ""), span("a", "s", "")], "\\~\u{200B}~~a~~"),
            (vec![span("a_b", "c", "")], "`a_b`"),
            (vec![span("a_b", "cb", "")], "`a_b`"),
            (vec![span("ab", "cb", "")], "**`ab`**"),
            (vec![span("a`b", "c", "")], "``a`b``"),
            (vec![span("`a``", "c", "")], "``\u{200B}`a`\u{200B}`\u{200B}``"),
            (vec![span("a]b", "b", url)], r"[**a\]b**](https://example.com/)"),
            (vec![span("x:1", "c", url)], "[`x:1`](https://example.com/)"),
            (vec![span("a(1)", "c", url)], r"[a\(1\)](https://example.com/)"),
            (vec![span("see [a] b", "", url)], r"see \[[a\] b](https://example.com/)"),
            (vec![span("[", "b", url)], r"**\[**"),
        ] {
            let text = Text(spans);
            let marked = marked(&text, "\n");
            assert_eq!(marked, written);
            assert!(RICH.measure(&text) >= marked.chars().count(), "{marked}");
        }
    }

    #[test]
    fn a_code_block_ends_where_we_end_it() {
        assert_eq!(fenced("a ```\nb"), "```\na `\u{200B}`\u{200B}`\nb\n```");
    }
}
