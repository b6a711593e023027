//! Rich text in the Markdown of Mattermost and Rocket.Chat: marks of our own around text of which nothing acts.
//!
//! What only one of the two can escape with a backslash is kept from acting by a zero-width space instead: in the other
//! the backslash would be seen, or even begin a formula. Names after `@` ping wherever they stand, in code too; so none
//! is left whole.

use crate::destination::prose::Form;
use crate::message::{Span, Style, Text};
use crate::text::Place;

/// `title` and `footer`, where nothing is mark-up.
pub(super) const PLAIN: Place = Place { write: without_names, count: char::len_utf16 };

/// A field's name: no mark-up, but emoji, hashtags and channels are looked for.
pub(super) const NAME: Place = Place { write: without_signs, count: char::len_utf16 };

/// Markdown. A line's end may need a zero-width space after it, see [`beginning`].
pub(super) const MARKDOWN: Place =
    Place { write: escape, count: |c| if c == '\n' { 2 } else { c.len_utf16() } };

/// Code, in which only the fence acts, and names do.
pub(super) const CODE: Place = Place { write: without_fences, count: char::len_utf16 };

/// [`MARKDOWN`] with looks and links.
pub(super) const RICH: Form = Form { place: MARKDOWN, around };

/// The same in a quote and in a list, where every line has something before it.
pub(super) const INDENTED: Form =
    Form { place: Place { write: escape, count: |c| if c == '\n' { 4 } else { c.len_utf16() } }, around };

const APART: char = '\u{200B}';

/// The characters of our marks.
const MARKS: [char; 4] = ['*', '_', '~', '`'];

fn without_names(c: char, out: &mut String) {
    out.push(c);
    // Mattermost makes a name of `<!channel>` wherever it stands.
    if matches!(c, '@' | '<') {
        out.push(APART);
    }
}

fn without_signs(c: char, out: &mut String) {
    out.push(c);
    if matches!(c, '@' | '<' | ':' | '#' | '~') {
        out.push(APART);
    }
}

fn without_fences(c: char, out: &mut String) {
    out.push(c);
    if matches!(c, '@' | '<' | '`') {
        out.push(APART);
    }
}

fn escape(c: char, out: &mut String) {
    match c {
        '*' | '_' | '`' | '.' => out.extend(['\\', c]),
        // After the backslash is gone, Mattermost looks for channels and hashtags.
        '~' | '#' => out.extend(['\\', c, APART]),
        // `\[` and `\(` begin formulas in Rocket.Chat, and in Mattermost `\` before a word is no escape.
        '\\' | ']' | '<' | '|' | '@' | ':' => out.extend([c, APART]),
        c => out.push(c),
    }
}

/// What [`marked`] puts around a span at most: its marks, what keeps them apart from others, and what begins the line.
fn around(span: &Span) -> usize {
    let Style { bold, italic, struck } = span.style;
    let looks = 4 * usize::from(bold) + 2 * usize::from(italic) + 4 * usize::from(struck) + 3;
    let link = if span.url.is_empty() { 0 } else { "[]()".len() + span.url.len() };
    looks + 2 * usize::from(span.code) + link
}

/// `text` with its looks and links; `line_end` stands where it has a line's end.
pub(super) fn marked(text: &Text, line_end: &str) -> String {
    let mut written = String::new();
    for span in &text.0 {
        // Marks must touch what they mark.
        let inner = span.text.trim_matches(|c: char| c.is_whitespace() || c == '\u{FEFF}');
        let Some((start, end)) = span.text.split_once(inner).filter(|_| !inner.is_empty()) else {
            written.push_str(&span.text);
            continue;
        };
        written.push_str(start);
        let inner = decorated(span, inner);
        if inner.starts_with(MARKS) && written.ends_with(MARKS) {
            written.push(APART);
        }
        written.push_str(&inner);
        written.push_str(end);
    }
    written.split('\n').map(beginning).collect::<Vec<_>>().join(line_end)
}

/// A line that begins with nothing that acts at a line's beginning: lists, quotes, rules, tables, indented code.
pub(super) fn beginning(line: &str) -> String {
    let acts = line.starts_with(|c: char| c.is_whitespace() || "-+=>|".contains(c));
    if acts { format!("{APART}{line}") } else { line.to_owned() }
}

/// The words of a span between its marks.
fn decorated(span: &Span, words: &str) -> String {
    let (style, is_code) = looks(span, words);
    let mut inner = if is_code { format!("`{}`", CODE.write(words)) } else { MARKDOWN.write(words) };
    if style != Style::default() && inner.ends_with(['*', '_']) {
        inner.push(APART);
    }
    for (is, mark) in [(style.struck, "~~"), (style.italic, "_"), (style.bold, "**")] {
        if is {
            inner = format!("{mark}{inner}{mark}");
        }
    }
    if span.url.is_empty() {
        inner
    } else {
        // Brackets are counted in a link's words, escaped or not.
        format!("[{}]({})", inner.replace('[', "［").replace(']', "］"), span.url)
    }
}

/// The looks that a span can have. In code nothing can be escaped, and italics end at any underscore.
fn looks(span: &Span, words: &str) -> (Style, bool) {
    if span.code && span.url.is_empty() && !words.contains('`') {
        return (Style::default(), true);
    }
    (Style { italic: span.style.italic && !words.contains('_'), ..span.style }, false)
}

/// `code`, written already, in a block that nothing in it ends.
pub(super) fn fenced(code: &str) -> String {
    format!("```\n{code}\n```")
}

/// `text` without anything that these servers take for Slack's `<address|words>` or for an address in angle brackets,
/// which they do before they read Markdown: the bracket is replaced by one that only looks like it.
pub(super) fn unbracketed(text: &str) -> String {
    let (mut closes, mut closes_word, mut bar_acts, mut name_acts) = (false, false, false, false);
    let mut reversed = String::with_capacity(text.len());
    for c in text.chars().rev() {
        let acts = c == '<' && (bar_acts || name_acts);
        match c {
            '>' => (closes, closes_word, name_acts) = (true, true, false),
            ' ' => (closes_word, name_acts) = (false, false),
            '|' => bar_acts |= closes,
            '@' => name_acts |= closes_word,
            '<' if !acts => bar_acts = false,
            _ => {}
        }
        reversed.push(if acts { '‹' } else { c });
    }
    reversed.chars().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_brackets_that_act_are_replaced() {
        for (text, written) in [
            ("a < b > c", "a < b > c"),
            ("List<String> | x", "List<String> | x"),
            ("<a|b>", "‹a|b>"),
            ("<<a|b>", "‹‹a|b>"),
            ("<b>x | y>", "‹b>x | y>"),
            ("<a> <b|c", "<a> <b|c"),
            ("<ann@example.com>", "‹ann@example.com>"),
            ("< ann@example.com>", "< ann@example.com>"),
            ("<a@b >", "<a@b >"),
            ("é<a|b>é", "é‹a|b>é"),
        ] {
            assert_eq!(unbracketed(text), written);
        }
    }

    #[test]
    fn looks_are_marks_that_touch_the_words_or_are_left_out() {
        let span = |text: &str, looks: &str, url: &str| {
            let has = |letter| looks.contains(letter);
            let style = Style { bold: has('b'), italic: has('i'), struck: has('s') };
            Span { text: text.into(), style, code: has('c'), url: url.into() }
        };
        for (spans, written) in [
            (vec![span(" a ", "b", ""), span("b", "", "")], "\u{200B} **a** b"),
            (vec![span("a", "bis", "")], "**_~~a~~_**"),
            (vec![span("a", "b", ""), span("b", "i", "")], "**a**\u{200B}_b_"),
            (vec![span("*", "b", "")], "**\\*\u{200B}**"),
            (vec![span("a_b", "i", "")], "a\\_b"),
            (vec![span("a_b", "cb", "")], "`a_b`"),
            (vec![span("a`b", "cb", "")], "**a\\`b**"),
            (vec![span("@x", "c", "")], "`@\u{200B}x`"),
            (vec![span("[a]", "cb", "https://x.example/")], "[**［a］\u{200B}**](https://x.example/)"),
        ] {
            let text = Text(spans);
            let marked = marked(&text, "\n");
            assert_eq!(marked, written);
            assert!(RICH.measure(&text) >= marked.encode_utf16().count(), "{marked}");
        }
    }
}
