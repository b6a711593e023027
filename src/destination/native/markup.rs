//! A string of mark-up with values in it: the template's marks act, the values do not.
//!
//! Where a mark's meaning reaches over a value, the value is written for that: in code without escapes, in an address as
//! one. A mark that cannot hold the value, such as a piece of code with a backtick in it, is left out instead.

use crate::template::Part;
use crate::text::{Place, clean, is_blank};

const APART: char = '\u{200B}';

/// How a platform reads a text.
#[derive(Debug)]
pub(in crate::destination) struct Markup {
    /// How a character of a value is written.
    pub(in crate::destination) place: Place,
    /// The same in a piece of code; nothing where the platform knows none.
    pub(in crate::destination) code: Option<fn(char, &mut String)>,
    /// What a link looks like.
    pub(in crate::destination) links: Links,
    /// Makes harmless in a cleaned value what takes more than one character to act.
    pub(in crate::destination) prepare: fn(&str) -> String,
    /// An address as it stands in a text, if it is one.
    pub(in crate::destination) address: fn(&str) -> Option<String>,
}

/// What a link looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::destination) enum Links {
    /// `<address|words>`; and there is no escape.
    Angle,
    /// `[words](address)`; and a backslash escapes.
    Brackets,
}

/// A string's next character or value.
#[derive(Debug, Clone, Copy)]
enum Token<'a> {
    Own(char),
    Value(&'a str),
}

/// The address that `parts` come to; nothing if they come to none. A value alone is the address, beside own text it is a
/// piece of one, in which nothing acts.
pub(in crate::destination) fn address(
    parts: &[Part<'_>],
    check: fn(&str) -> Option<String>,
) -> Option<String> {
    destination(&tokens(parts), check)
}

fn tokens<'a>(parts: &[Part<'a>]) -> Vec<Token<'a>> {
    let mut tokens = Vec::new();
    for part in parts {
        match part {
            Part::Own(text) => tokens.extend(text.chars().map(Token::Own)),
            Part::Value(value) => tokens.push(Token::Value(value)),
        }
    }
    tokens
}

fn destination(tokens: &[Token<'_>], check: fn(&str) -> Option<String>) -> Option<String> {
    let is_space = |token: &&Token<'_>| matches!(token, Token::Own(c) if c.is_whitespace());
    let mut seen = tokens.iter().filter(|token| !is_space(token));
    if let (Some(Token::Value(value)), None) = (seen.next(), seen.next()) {
        return check(clean(value).trim());
    }
    let mut url = String::new();
    for token in tokens {
        match token {
            Token::Own(c) => url.push(*c),
            Token::Value(value) => push_encoded(&mut url, &clean(value)),
        }
    }
    check(url.trim())
}

/// Every character that is not free of meaning in an address, as percent and digits.
fn push_encoded(url: &mut String, value: &str) {
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            url.push(char::from(byte));
        } else {
            let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or('0').to_ascii_uppercase();
            url.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
}

impl Markup {
    /// The string that `parts` come to.
    pub(in crate::destination) fn write(&self, parts: &[Part<'_>]) -> String {
        let mut writer = Writer { markup: self, out: String::new() };
        writer.run(&tokens(parts));
        writer.out
    }
}

struct Writer<'m> {
    markup: &'m Markup,
    out: String,
}

impl Writer<'_> {
    fn run(&mut self, tokens: &[Token<'_>]) {
        let mut rest = tokens;
        while let Some((first, after)) = rest.split_first() {
            rest = match first {
                Token::Value(value) => {
                    self.value(value);
                    after
                }
                Token::Own('\\') if self.markup.links == Links::Brackets => self.backslash(after),
                Token::Own('`') if self.markup.code.is_some() => self.code(rest),
                Token::Own('<') if self.markup.links == Links::Angle => self.angle(after),
                Token::Own('[') if self.markup.links == Links::Brackets => self.bracket(after),
                Token::Own(c) => {
                    self.out.push(*c);
                    after
                }
            };
        }
    }

    fn value(&mut self, value: &str) {
        let value = self.prepared(value);
        self.out.push_str(&self.markup.place.write(&value));
    }

    fn prepared(&mut self, value: &str) -> String {
        // With the sign before it, it could be a name.
        if self.out.ends_with('@') {
            self.out.push(APART);
        }
        (self.markup.prepare)(&clean(value))
    }

    /// A backslash escapes the template's own next character, and never the one that a value is escaped with.
    fn backslash<'t, 'v>(&mut self, after: &'t [Token<'v>]) -> &'t [Token<'v>] {
        self.out.push('\\');
        match after.split_first() {
            Some((Token::Own(c), after)) => {
                self.out.push(*c);
                after
            }
            Some((Token::Value(_), _)) => {
                self.out.push('\\');
                after
            }
            None => after,
        }
    }

    /// A piece or a block of code.
    fn code<'t, 'v>(&mut self, tokens: &'t [Token<'v>]) -> &'t [Token<'v>] {
        let is_tick = |token: &Token<'_>| matches!(token, Token::Own('`'));
        let ticks = tokens.iter().take_while(|token| is_tick(token)).count();
        let (fence, after) = tokens.split_at_checked(ticks).unwrap_or((tokens, &[]));
        let Some(end) = end_of_code(after, ticks) else {
            // Without an end it is no mark; a value must not become its end.
            self.out.push_str(&self.markup.place.write(&"`".repeat(fence.len())));
            return after;
        };
        let (inner, after) = after.split_at_checked(end).unwrap_or((after, &[]));
        let after = after.get(ticks..).unwrap_or_default();
        let has_tick = |token: &Token<'_>| matches!(token, Token::Value(value) if value.contains('`'));
        if ticks < 3 && (inner.iter().any(has_tick) || is_empty(inner)) {
            self.run(inner);
            return after;
        }
        self.out.push_str(&"`".repeat(ticks));
        for token in inner {
            match token {
                Token::Own(c) => self.out.push(*c),
                Token::Value(value) => self.value_in_code(value, ticks >= 3),
            }
        }
        self.out.push_str(&"`".repeat(ticks));
        after
    }

    fn value_in_code(&mut self, value: &str, is_block: bool) {
        let Some(write) = self.markup.code else { return };
        for c in self.prepared(value).chars() {
            if c == '`' && self.out.ends_with(c) {
                self.out.push(APART);
            }
            write(if c == '\n' && !is_block { ' ' } else { c }, &mut self.out);
        }
        if self.out.ends_with('`') {
            self.out.push(APART);
        }
    }

    /// What follows a `<`: a link, a control sequence, or just text.
    fn angle<'t, 'v>(&mut self, tokens: &'t [Token<'v>]) -> &'t [Token<'v>] {
        let Some((inner, after)) = split_once(tokens, '>') else {
            // No value can end it.
            self.out.push('<');
            return tokens;
        };
        let (target, words) =
            split_once(inner, '|').map_or((inner, None), |(target, words)| (target, Some(words)));
        let url = if has_value(target) {
            let url = destination(target, self.markup.address);
            url.map(|url| url.replace('&', "&amp;"))
        } else {
            Some(target.iter().map(|token| if let Token::Own(c) = token { *c } else { APART }).collect())
        };
        let Some(url) = url else {
            self.run(words.unwrap_or(target));
            return after;
        };
        self.out.extend(["<", &url]);
        if let Some(words) = words.filter(|words| !is_empty(words)) {
            self.out.push('|');
            self.words(words);
        }
        self.out.push('>');
        after
    }

    /// The words of a link in angles, in one line.
    fn words(&mut self, words: &[Token<'_>]) {
        for token in words {
            match token {
                Token::Own(c) => self.out.push(*c),
                Token::Value(value) => {
                    let value = clean(value).replace('\n', " ").replace('|', "¦");
                    self.value(&value);
                }
            }
        }
    }

    /// What follows a `[`: a link, or just text.
    fn bracket<'t, 'v>(&mut self, tokens: &'t [Token<'v>]) -> &'t [Token<'v>] {
        let link = split_link(tokens).filter(|(_, target, _)| has_value(target));
        let Some((words, target, after)) = link else {
            self.out.push('[');
            return tokens;
        };
        match destination(target, self.markup.address).filter(|_| !is_empty(words)) {
            Some(url) => {
                self.out.push('[');
                self.run(words);
                self.out.extend(["](", &url, ")"]);
            }
            None => self.run(words),
        }
        after
    }
}

/// Where code that `ticks` backticks have begun ends.
fn end_of_code(tokens: &[Token<'_>], ticks: usize) -> Option<usize> {
    let mut run = 0;
    for (index, token) in tokens.iter().enumerate() {
        if matches!(token, Token::Own('`')) {
            run += 1;
            continue;
        }
        if ends(run, ticks) {
            return index.checked_sub(run);
        }
        run = 0;
    }
    if ends(run, ticks) { tokens.len().checked_sub(run) } else { None }
}

/// Whether so many backticks end what so many have begun.
fn ends(run: usize, ticks: usize) -> bool {
    if ticks < 3 { run == ticks } else { run >= ticks }
}

fn has_value(tokens: &[Token<'_>]) -> bool {
    tokens.iter().any(|token| matches!(token, Token::Value(_)))
}

/// Whether nothing of it will be seen.
fn is_empty(tokens: &[Token<'_>]) -> bool {
    tokens.iter().all(|token| match token {
        Token::Own(c) => c.is_whitespace(),
        Token::Value(value) => is_blank(value),
    })
}

type Tokens<'t, 'v> = &'t [Token<'v>];

/// What stands before and after the first `mark` of the template's own.
fn split_once<'t, 'v>(tokens: Tokens<'t, 'v>, mark: char) -> Option<(Tokens<'t, 'v>, Tokens<'t, 'v>)> {
    let index = tokens.iter().position(|token| matches!(token, Token::Own(c) if *c == mark))?;
    Some((tokens.get(..index)?, tokens.get(index + 1..)?))
}

/// The words and the address of a link whose first bracket has been read, and what follows.
fn split_link<'t, 'v>(tokens: Tokens<'t, 'v>) -> Option<(Tokens<'t, 'v>, Tokens<'t, 'v>, Tokens<'t, 'v>)> {
    let mut index = 0;
    loop {
        match (tokens.get(index)?, tokens.get(index + 1)) {
            (Token::Own('\\'), _) => index += 2,
            (Token::Own(']'), Some(Token::Own('('))) => break,
            (Token::Own('[' | ']' | '\n'), _) => return None,
            _ => index += 1,
        }
    }
    let (target, after) = split_once(tokens.get(index + 2..)?, ')')?;
    Some((tokens.get(..index)?, target, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backslash_of_the_template_escapes_nothing_of_a_value() {
        let markdown = Markup {
            place: Place { write: |c, out| out.extend(['\\', c]), count: |_| 1 },
            code: None,
            links: Links::Brackets,
            prepare: str::to_owned,
            address: |_| None,
        };
        for (own, written) in
            [("a\\", "a\\\\\\*"), ("a\\\\", "a\\\\\\*"), ("\\a", "\\a\\*"), ("\\[", "\\[\\*")]
        {
            assert_eq!(markdown.write(&[Part::Own(own), Part::Value("*")]), written, "{own}");
        }
        assert_eq!(markdown.write(&[Part::Value("*"), Part::Own("\\")]), "\\*\\");
    }
}
