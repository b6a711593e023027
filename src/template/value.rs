//! Values on their way through a template: marked when they are written, taken out before anything else reads the
//! text.
//!
//! This is what makes a value literal by construction. Handlebars' escape function ([`mark`]) puts each value between
//! two markers; [`unmark`] moves it into a side list and leaves one placeholder, a code point of plane 16 that every
//! parser takes for a letter. Whatever then reads the text, Markdown or JSON, never meets a character of a value. The
//! marker characters inside a value are escaped, so that no value can end itself; in a template's own text all of
//! plane 16 is refused ([`is_reserved`]).

use std::str::Chars;

use crate::text::is_blank;

/// The first placeholder; the one for value `n` is `n` code points on.
const FIRST: u32 = 0x10_0000;

/// How many values one rendering may write.
const MOST: usize = 60_000;

/// Stands for nothing at all: it only keeps its two neighbours apart.
const NOTHING: char = '\u{10_F000}';

/// Begins a value.
const START: char = '\u{10_F001}';

/// Begins a value that is Markdown: its limit, if it has one, and [`START`] follow.
const START_MARKDOWN: char = '\u{10_F002}';

/// Ends a value.
const END: char = '\u{10_F003}';

/// Inside a value: the next character stands for itself.
const LITERAL: char = '\u{10_F004}';

/// A value that a template has written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Value {
    /// Every character of it, as it came.
    pub(super) text: String,
    /// Given, if the text is Markdown and meant to be read as such.
    pub(super) markdown: Option<Markdown>,
}

/// How a value that is Markdown is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Markdown {
    /// The most characters of it that are shown; none: what the platform takes.
    pub(super) limit: Option<usize>,
}

impl Value {
    /// Whether there is nothing in it to be shown.
    pub(super) fn is_blank(&self) -> bool {
        is_blank(&self.text)
    }
}

/// What a template has written: its own text, and in it a placeholder for each value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Marked {
    /// The own text with the placeholders.
    pub(super) text: String,
    /// The values, in the order of their placeholders.
    pub(super) values: Vec<Value>,
}

/// A template has written more values than there are placeholders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the template writes more than {MOST} values")]
pub(super) struct TooManyValues;

/// A stretch of a marked text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// The template's own text; never empty.
    Own(&'a str),
    /// A value.
    Value(&'a Value),
}

/// Whether a character may not stand in a template's own text, because it could be taken for a placeholder or a marker.
pub(super) fn is_reserved(c: char) -> bool {
    u32::from(c) >= FIRST
}

/// `value` as text: what Handlebars' escape function writes. It needs no state and escapes nothing but the markers.
pub(super) fn mark(value: &str) -> String {
    let mut marked = String::with_capacity(value.len() + 2 * START.len_utf8());
    write_value(value, &mut marked);
    marked
}

/// `value` as Markdown of its own, at most `limit` characters of it to be seen.
pub(super) fn mark_markdown(value: &str, limit: Option<usize>) -> String {
    let mut marked = String::from(START_MARKDOWN);
    if let Some(limit) = limit {
        marked.push_str(&limit.to_string());
    }
    write_value(value, &mut marked);
    marked
}

fn write_value(value: &str, out: &mut String) {
    out.push(START);
    for c in value.chars() {
        if is_marker(c) {
            out.push(LITERAL);
        }
        out.push(c);
    }
    out.push(END);
}

fn is_marker(c: char) -> bool {
    matches!(c, START | START_MARKDOWN | END | LITERAL)
}

/// Takes the values out of what a template has written.
///
/// Between `]` and `:` of the own text [`NOTHING`] is put, so that no link reference definition can arise, which would
/// give brackets elsewhere a meaning. Reserved characters that are not ours are dropped: none is in a template that
/// has been checked.
pub(super) fn unmark(rendered: &str) -> Result<Marked, TooManyValues> {
    let mut marked = Marked { text: String::with_capacity(rendered.len()), values: Vec::new() };
    let mut rest = rendered.chars();
    let mut after_bracket = false;
    while let Some(c) = rest.next() {
        match c {
            START => marked.put(Value { text: read_value(&mut rest), markdown: None })?,
            START_MARKDOWN => {
                let markdown = Some(Markdown { limit: read_limit(&mut rest) });
                marked.put(Value { text: read_value(&mut rest), markdown })?;
            }
            c if is_reserved(c) => continue,
            c => {
                if after_bracket && c == ':' {
                    marked.text.push(NOTHING);
                }
                marked.text.push(c);
            }
        }
        after_bracket = c == ']';
    }
    Ok(marked)
}

/// Reads up to the end of a value, whose start has been read.
fn read_value(rest: &mut Chars<'_>) -> String {
    let mut value = String::new();
    while let Some(c) = rest.next() {
        match c {
            END => break,
            LITERAL => value.extend(rest.next()),
            c => value.push(c),
        }
    }
    value
}

/// Reads the limit of a Markdown value and the start that follows it.
fn read_limit(rest: &mut Chars<'_>) -> Option<usize> {
    let digits: String = rest.take_while(|c| *c != START).collect();
    digits.parse().ok()
}

impl Marked {
    fn put(&mut self, value: Value) -> Result<(), TooManyValues> {
        let place = u32::try_from(self.values.len()).ok().filter(|_| self.values.len() < MOST);
        let placeholder = place.and_then(|place| char::from_u32(FIRST + place)).ok_or(TooManyValues)?;
        self.values.push(value);
        self.text.push(placeholder);
        Ok(())
    }

    /// The value that a placeholder stands for.
    pub(super) fn value(&self, placeholder: char) -> Option<&Value> {
        let place = u32::from(placeholder).checked_sub(FIRST)?;
        self.values.get(usize::try_from(place).ok()?)
    }

    /// A text that was made from this one's, such as a string of its JSON or a node of its Markdown: piece by piece.
    pub(super) fn pieces<'a>(&'a self, text: &'a str) -> impl Iterator<Item = Piece<'a>> {
        let mut rest = text;
        std::iter::from_fn(move || {
            while let Some(first) = rest.chars().next() {
                if is_reserved(first) {
                    rest = rest.get(first.len_utf8()..).unwrap_or_default();
                    if let Some(value) = self.value(first) {
                        return Some(Piece::Value(value));
                    }
                } else {
                    let (own, after) = rest.split_at(rest.find(is_reserved).unwrap_or(rest.len()));
                    rest = after;
                    return Some(Piece::Own(own));
                }
            }
            None
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(value: &str) -> Value {
        Value { text: value.to_owned(), markdown: None }
    }

    fn markdown(value: &str, limit: Option<usize>) -> Value {
        Value { text: value.to_owned(), markdown: Some(Markdown { limit }) }
    }

    #[test]
    fn a_value_leaves_one_placeholder_and_comes_back_as_it_was() {
        let rendered = format!("# {} in {}\n", mark("Bo*om"), mark_markdown("a_b_", Some(40)));
        let marked = unmark(&rendered).unwrap();
        assert_eq!(marked.text, "# \u{100000} in \u{100001}\n");
        assert_eq!(marked.values, [text("Bo*om"), markdown("a_b_", Some(40))]);
        assert_eq!(marked.value('\u{100001}'), Some(&markdown("a_b_", Some(40))));
        assert_eq!(marked.value('\u{100002}'), None);
        assert_eq!(marked.value('a'), None);
        assert_eq!(marked.value(NOTHING), None);
    }

    #[test]
    fn no_link_reference_definition_can_arise() {
        let marked = unmark(&format!("[a]: b]:: {}]:]{}:", mark("]:"), mark(":"))).unwrap();
        assert_eq!(
            marked.text, "[a]\u{10F000}: b]\u{10F000}:: \u{100000}]\u{10F000}:]\u{100001}:",
            "a value between the two is itself what separates them"
        );
        let own: Vec<Piece<'_>> = marked.pieces("[a]\u{10F000}: b\u{100000}").collect();
        let value = text("]:");
        assert_eq!(own, [Piece::Own("[a]"), Piece::Own(": b"), Piece::Value(&value)]);
    }

    #[test]
    fn markers_in_a_value_are_only_text() {
        for hostile in [
            format!("{END}{START}x{END}"),
            mark("nested"),
            mark_markdown("nested", Some(1)),
            format!("{LITERAL}"),
            format!("\u{100000}{NOTHING}\u{10FFFF}"),
        ] {
            let marked = unmark(&format!("a{}b", mark(&hostile))).unwrap();
            assert_eq!(marked.text, "a\u{100000}b");
            assert_eq!(marked.values, [text(&hostile)]);
        }
    }

    #[test]
    fn reserved_characters_that_nobody_wrote_as_markers_are_dropped() {
        let marked = unmark(&format!("a\u{100005}{END}{LITERAL}{NOTHING}b]{END}:")).unwrap();
        assert_eq!(marked.text, format!("ab]{NOTHING}:"));
        assert!(is_reserved('\u{100000}') && is_reserved('\u{10FFFF}'));
        assert!(!is_reserved('\u{FFFFF}') && !is_reserved('a'));
    }

    #[test]
    fn more_values_than_placeholders_are_refused() {
        assert_eq!(unmark(&mark("x").repeat(60_000)).unwrap().values.len(), 60_000);
        assert_eq!(unmark(&mark("x").repeat(60_001)), Err(TooManyValues));
        assert_eq!(TooManyValues.to_string(), "the template writes more than 60000 values");
    }

    /// Any text, and often of the characters that mean something here.
    fn any_text() -> impl Strategy<Value = String> {
        prop_oneof![any::<String>(), "[\u{100000}-\u{100003}\u{10F000}-\u{10F005}0-9a:\\]]{0,12}"]
    }

    proptest! {
        #[test]
        fn any_value_comes_back_from_any_text(
            parts in prop::collection::vec(("[a-z\\]:\\[#* ]{0,6}", any_text(), prop::option::of(prop::option::of(0_usize..99))), 0..6)
        ) {
            let mut rendered = String::new();
            let mut expected = Vec::new();
            for (own, value, form) in &parts {
                rendered.push_str(own);
                if let Some(limit) = form {
                    rendered.push_str(&mark_markdown(value, *limit));
                    expected.push(markdown(value, *limit));
                } else {
                    rendered.push_str(&mark(value));
                    expected.push(text(value));
                }
            }
            let marked = unmark(&rendered).unwrap();
            prop_assert_eq!(&marked.values, &expected);
            let mut own = String::new();
            let mut values = Vec::new();
            for piece in marked.pieces(&marked.text) {
                match piece {
                    Piece::Own(text) => own.push_str(text),
                    Piece::Value(value) => values.push(value.clone()),
                }
            }
            prop_assert_eq!(own, parts.iter().map(|(own, ..)| own.as_str()).collect::<String>());
            prop_assert_eq!(values, expected);
        }
    }
}
