//! Finds the tags of a template before the Handlebars parser sees it, and refuses what that parser must not see.
//!
//! The parser recurses with every block and parenthesis and knows no limit, so that a text of openers alone would
//! overflow the stack. This scan reads the text once, without recursion, and agrees with the parser about where each
//! tag begins and ends: strings, comments and escaped braces are passed over as it does, and what could be read in two
//! ways (brackets in brackets, braces within a tag) is refused. It also says in plain words what is unbalanced.

use std::ops::Range;

use super::value::is_reserved;

/// How deep blocks may be nested.
const BLOCKS: usize = 20;

/// How many steps blocks and their `{{else if …}}` may take together; each is a step for whoever walks the template.
const STEPS: usize = 60;

/// How deep parentheses may be nested.
const PARENTHESES: usize = 10;

/// How many tags a file may have.
const TAGS: usize = 2_000;

/// A tag: from its `{{` to its `}}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tag {
    /// Where it stands, in bytes.
    pub(super) span: Range<usize>,
    /// Its line, from one.
    pub(super) line: usize,
    /// Its column, from one, in characters.
    pub(super) column: usize,
    /// What it does.
    pub(super) kind: TagKind,
}

/// What a tag does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TagKind {
    /// Begins a block.
    Open,
    /// Ends a block.
    Close,
    /// Begins the other branch of a block.
    Else,
    /// Begins a further branch with a condition of its own.
    ElseIf,
    /// Says nothing.
    Comment,
    /// A value, a helper, a partial.
    Plain,
}

/// Why a text is no template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ScanError {
    /// Where, in bytes.
    pub(super) span: Range<usize>,
    /// What is wrong.
    pub(super) message: String,
    /// What to do about it.
    pub(super) help: Option<&'static str>,
}

/// The tags of `text`, in order.
pub(super) fn scan(text: &str) -> Result<Vec<Tag>, ScanError> {
    if let Some((start, c)) = text.char_indices().find(|(_, c)| is_reserved(*c)) {
        let message = format!("the character U+{:X} may not stand in a template", u32::from(c));
        return Err(error(start..start + c.len_utf8(), message));
    }
    let mut scan = Scan { text, at: 0, seen: 0, line: 1, column: 1 };
    let mut tags = Vec::new();
    let mut blocks = Blocks::default();
    while let Some(start) = scan.next_tag() {
        let tag = scan.tag(start)?;
        if tags.len() == TAGS {
            return Err(error(tag.span, format!("a template has at most {TAGS} tags")));
        }
        blocks.take(text, &tag)?;
        tags.push(tag);
    }
    blocks.end(text)?;
    Ok(tags)
}

fn error(span: Range<usize>, message: impl Into<String>) -> ScanError {
    ScanError { span, message: message.into(), help: None }
}

impl ScanError {
    fn help(self, help: &'static str) -> Self {
        Self { help: Some(help), ..self }
    }
}

/// A place in the text.
struct Scan<'a> {
    text: &'a str,
    at: usize,
    /// Up to where lines have been counted, and to which line and column that has led.
    seen: usize,
    line: usize,
    column: usize,
}

impl Scan<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Goes to the next tag and says where it starts. One backslash before the braces makes them text; of several
    /// before them the parser takes one away.
    fn next_tag(&mut self) -> Option<usize> {
        loop {
            self.at += self.rest().find("{{")?;
            let before = self.text.get(..self.at).unwrap_or_default();
            let backslashes = before.len() - before.trim_end_matches('\\').len();
            if backslashes != 1 {
                return Some(self.at);
            }
            self.at += if self.rest().starts_with("{{{{") { 4 } else { 2 };
        }
    }

    /// Reads the tag that starts here, and goes to its end.
    fn tag(&mut self, start: usize) -> Result<Tag, ScanError> {
        self.count_lines(start);
        self.at += 2;
        let kind = if self.rest().starts_with('!') {
            self.comment(start)?;
            TagKind::Comment
        } else {
            let kind = self.kind(start)?;
            self.inside(start)?;
            kind
        };
        Ok(Tag { span: start..self.at, line: self.line, column: self.column, kind })
    }

    fn count_lines(&mut self, to: usize) {
        for letter in self.text.get(self.seen..to).unwrap_or_default().chars() {
            (self.line, self.column) =
                if letter == '\n' { (self.line + 1, 1) } else { (self.line, self.column + 1) };
        }
        self.seen = to;
    }

    fn comment(&mut self, start: usize) -> Result<(), ScanError> {
        let inside = self.rest().get(1..).unwrap_or_default();
        let long = inside.trim_start_matches(is_space).strip_prefix("--");
        let long_end = long.and_then(|text| text.find("--}}").map(|end| inside.len() - text.len() + end + 4));
        match long_end.or_else(|| inside.find("}}").map(|end| end + 2)) {
            Some(end) => {
                self.at += 1 + end;
                Ok(())
            }
            None => Err(error(start..start + 3, "this comment is never closed").help("close it with `}}`")),
        }
    }

    fn kind(&self, start: usize) -> Result<TagKind, ScanError> {
        let rest = self.rest();
        let inside = rest.trim_start_matches(is_space);
        let inside = inside.strip_prefix('~').unwrap_or(inside).trim_start_matches(is_space);
        let span =
            start..self.at + (rest.len() - inside.len()) + inside.chars().next().map_or(0, char::len_utf8);
        let after = |sign: &str| inside.strip_prefix(sign).map(|after| after.trim_start_matches(is_space));
        match inside.chars().next() {
            Some('{' | '&') => Err(error(span, "every value is literal text; there is no way around that")
                .help("write the name in two braces: `{{name}}`; for Markdown there is `{{markdown name}}`")),
            Some('*') => Err(error(span, "decorators are not offered")),
            Some('#') => match after("#").and_then(|name| name.chars().next()) {
                Some('*') => Err(error(span, "inline partials are not offered")
                    .help("put it into a file of its own whose name starts with `_`")),
                Some('>') => Err(error(span, "a partial cannot be given a block")
                    .help("write `{{> _name}}`; arguments are given as `{{> _name label=\"Version\"}}`")),
                _ => Ok(TagKind::Open),
            },
            Some('/') => Ok(TagKind::Close),
            _ => Ok(match after("else").or_else(|| after("^")) {
                Some(condition) if condition.starts_with(['}', '~']) => TagKind::Else,
                Some(_) => TagKind::ElseIf,
                None => TagKind::Plain,
            }),
        }
    }

    /// Passes over what stands in a tag, and its `}}`.
    fn inside(&mut self, start: usize) -> Result<(), ScanError> {
        let mut open = Vec::new();
        let mut letters = self.rest().char_indices();
        while let Some((index, letter)) = letters.next() {
            let here = self.at + index;
            let span = here..here + letter.len_utf8();
            match letter {
                '"' | '\'' => {
                    pass_quote(&mut letters, letter)
                        .ok_or_else(|| error(span, "this quote is never closed"))?;
                }
                '[' => pass_key(&mut letters).ok_or_else(|| {
                    error(span, "between `[` and `]` stands one step of a path, without quotes or brackets")
                })?,
                '(' => {
                    open.push(here);
                    if open.len() > PARENTHESES {
                        let message = format!("parentheses are nested deeper than {PARENTHESES}");
                        return Err(error(span, message));
                    }
                }
                ')' if open.pop().is_none() => return Err(error(span, "this `)` closes nothing")),
                '{' => return Err(error(span, "there is a `{` within the braces of a tag")),
                '}' if letters.next().is_some_and(|(_, next)| next == '}') => {
                    if let Some(here) = open.pop() {
                        return Err(error(here..here + 1, "this `(` is never closed"));
                    }
                    self.at = here + 2;
                    return Ok(());
                }
                '}' => return Err(error(span, "a tag ends with two braces: `}}`")),
                _ => {}
            }
        }
        Err(error(start..start + 2, "these braces are never closed").help("a tag ends with `}}`"))
    }
}

fn is_space(letter: char) -> bool {
    matches!(letter, ' ' | '\t' | '\n' | '\r')
}

/// Goes behind the closing quote.
fn pass_quote(letters: &mut std::str::CharIndices<'_>, quote: char) -> Option<()> {
    while let Some((_, letter)) = letters.next() {
        match letter {
            '\\' => drop(letters.next()),
            letter if letter == quote => return Some(()),
            _ => {}
        }
    }
    None
}

/// Goes behind the closing bracket.
fn pass_key(letters: &mut std::str::CharIndices<'_>) -> Option<()> {
    for (_, letter) in letters {
        match letter {
            ']' => return Some(()),
            '[' | '{' | '}' | '"' | '\'' | '\n' => return None,
            _ => {}
        }
    }
    None
}

/// The blocks that are open.
#[derive(Default)]
struct Blocks<'a> {
    open: Vec<Block<'a>>,
    /// The steps that they take together.
    steps: usize,
}

struct Block<'a> {
    name: &'a str,
    span: Range<usize>,
    steps: usize,
    has_else: bool,
}

impl<'a> Blocks<'a> {
    fn take(&mut self, text: &'a str, tag: &Tag) -> Result<(), ScanError> {
        let span = tag.span.clone();
        match tag.kind {
            TagKind::Open => {
                self.open.push(Block { name: name(text, &span), span, steps: 1, has_else: false });
                self.steps += 1;
            }
            TagKind::Close => self.close(text, span)?,
            TagKind::Else | TagKind::ElseIf => {
                let block = self
                    .open
                    .last_mut()
                    .ok_or_else(|| error(span.clone(), "this `else` stands outside of a block"))?;
                if block.has_else {
                    return Err(error(span, "this block has had its `{{else}}` already"));
                }
                block.has_else = tag.kind == TagKind::Else;
                block.steps += 1;
                self.steps += 1;
            }
            TagKind::Comment | TagKind::Plain => {}
        }
        if self.open.len() > BLOCKS || self.steps > STEPS {
            let message = format!("blocks are nested deeper than {BLOCKS}, or have too many branches");
            return Err(error(tag.span.clone(), message).help("a part of it can be a partial of its own"));
        }
        Ok(())
    }

    fn close(&mut self, text: &'a str, span: Range<usize>) -> Result<(), ScanError> {
        let closed = name(text, &span);
        let Some(block) = self.open.pop() else {
            return Err(error(span, format!("`{{{{/{closed}}}}}` closes nothing")));
        };
        if block.name != closed {
            let line = line(text, block.span.start);
            let open = block.name;
            return Err(error(
                span,
                format!("`{{{{/{closed}}}}}` cannot close `{{{{#{open}}}}}` of line {line}"),
            ));
        }
        self.steps -= block.steps;
        Ok(())
    }

    fn end(self, text: &str) -> Result<(), ScanError> {
        match self.open.last() {
            None => Ok(()),
            Some(Block { name, span, .. }) => {
                let end = text
                    .get(span.clone())
                    .and_then(|tag| tag.find('\n'))
                    .map_or(span.end, |end| span.start + end);
                let message = format!("`{{{{#{name}}}}}` is never closed by `{{{{/{name}}}}}`");
                Err(error(span.start..end, message))
            }
        }
    }
}

/// What follows the `#` or `/` of a tag.
fn name<'a>(text: &'a str, span: &Range<usize>) -> &'a str {
    let inside = text.get(span.clone()).unwrap_or_default();
    let name = inside.trim_start_matches(['{', '~', '#', '/', ' ', '\t', '\n']);
    let end = name.find(|letter: char| is_space(letter) || matches!(letter, '}' | '~' | '(' | '"' | '\''));
    name.get(..end.unwrap_or(name.len())).unwrap_or_default()
}

/// The line that an offset stands in, from one.
pub(super) fn line(text: &str, offset: usize) -> usize {
    text.get(..offset).unwrap_or_default().matches('\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<(&str, TagKind)> {
        scan(text).unwrap().into_iter().map(|tag| (text.get(tag.span).unwrap(), tag.kind)).collect()
    }

    fn refused(text: &str) -> (&str, String) {
        let error = scan(text).unwrap_err();
        (text.get(error.span).unwrap(), error.message)
    }

    #[test]
    fn tags_are_found_as_the_parser_finds_them() {
        use TagKind::{Close, Comment, Else, ElseIf, Open, Plain};
        assert_eq!(kinds("a {{b}} c"), [("{{b}}", Plain)]);
        assert_eq!(
            kinds("{{#if a}}{{ else if (eq b 1)}}{{~^~}}{{/if}}"),
            [("{{#if a}}", Open), ("{{ else if (eq b 1)}}", ElseIf), ("{{~^~}}", Else), ("{{/if}}", Close)]
        );
        assert_eq!(kinds(r#"{{x "}}" '{{' "\""}}"#), [(r#"{{x "}}" '{{' "\""}}"#, Plain)]);
        assert_eq!(
            kinds("{{! {{#if}} {{!-- }} {{#x}} --}}"),
            [("{{! {{#if}}", Comment), ("{{!-- }} {{#x}} --}}", Comment)]
        );
        assert_eq!(kinds("{{!-- }}x"), [("{{!-- }}", Comment)]);
        assert_eq!(kinds(r"\{{a}} \{{{{b}} \\{{c}}"), [("{{c}}", Plain)]);
        assert_eq!(kinds("{{raw.[a key].b}}}}"), [("{{raw.[a key].b}}", Plain)]);
        assert_eq!(kinds(r#"{"a":{"b":{{json c}}}}"#), [("{{json c}}", Plain)]);
    }

    #[test]
    fn what_is_refused_is_said_in_plain_words() {
        let table = [
            ("a {{{b}}}", "{{{", "every value is literal text; there is no way around that"),
            ("{{~ {b}~}}", "{{~ {", "every value is literal text; there is no way around that"),
            ("{{&b}}", "{{&", "every value is literal text; there is no way around that"),
            ("{{{{raw}}}}", "{{{", "every value is literal text; there is no way around that"),
            ("{{* a}}", "{{*", "decorators are not offered"),
            ("{{#*inline \"a\"}}{{/inline}}", "{{#", "inline partials are not offered"),
            ("{{# > a}}{{/a}}", "{{#", "a partial cannot be given a block"),
            ("x {{a", "{{", "these braces are never closed"),
            ("{{a}", "}", "a tag ends with two braces: `}}`"),
            ("{{a \"b}}", "\"", "this quote is never closed"),
            ("{{! a", "{{!", "this comment is never closed"),
            ("{{a (b}}", "(", "this `(` is never closed"),
            ("{{a b)}}", ")", "this `)` closes nothing"),
            ("{{a {b}}}", "{", "there is a `{` within the braces of a tag"),
            (
                "{{a.[\"b\"]}}",
                "[",
                "between `[` and `]` stands one step of a path, without quotes or brackets",
            ),
            ("{{/if}}", "{{/if}}", "`{{/if}}` closes nothing"),
            ("\n{{#if a}}{{/each}}", "{{/each}}", "`{{/each}}` cannot close `{{#if}}` of line 2"),
            ("{{#if a}}{{else}}", "{{#if a}}", "`{{#if}}` is never closed by `{{/if}}`"),
            ("{{else}}", "{{else}}", "this `else` stands outside of a block"),
            (
                "{{#if a}}{{else}}{{else if b}}{{/if}}",
                "{{else if b}}",
                "this block has had its `{{else}}` already",
            ),
            ("\u{100000}", "\u{100000}", "the character U+100000 may not stand in a template"),
        ];
        for (text, place, message) in table {
            assert_eq!(refused(text), (place, message.to_owned()), "{text}");
        }
    }

    #[test]
    fn nesting_and_number_are_bounded() {
        let nested = |depth: usize| format!("{}{}", "{{#if a}}".repeat(depth), "{{/if}}".repeat(depth));
        assert!(scan(&nested(BLOCKS)).is_ok());
        assert!(refused(&nested(BLOCKS + 1)).1.starts_with("blocks are nested deeper"));
        let parentheses = |depth: usize| format!("{{{{a {}b{}}}}}", "(c ".repeat(depth), ")".repeat(depth));
        assert!(scan(&parentheses(PARENTHESES)).is_ok());
        assert!(refused(&parentheses(PARENTHESES + 1)).1.starts_with("parentheses are nested deeper"));
        let branches = |count: usize| format!("{{{{#if a}}}}{}{{{{/if}}}}", "{{else if b}}".repeat(count));
        assert!(scan(&branches(STEPS - 1)).is_ok());
        assert!(refused(&branches(STEPS)).1.contains("too many branches"));
        assert!(scan(&"{{#if a}}{{else if b}}{{/if}}".repeat(TAGS / 3)).is_ok());
        assert_eq!(refused(&"{{a}}".repeat(TAGS + 1)).1, "a template has at most 2000 tags");
    }
}
