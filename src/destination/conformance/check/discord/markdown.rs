//! Reads Discord's Markdown as its clients do, line by line, and panics if anything in it acts that is not ours.
//!
//! How far a mark reaches is what Discord's own patterns say, which differ from mark to mark in what they take for an
//! escape.

use super::super::{Look, Run};

/// What people see of a text of several lines, with blocks of code, quotes and lists.
pub(super) fn blocks(text: &str) -> Vec<Run> {
    let mut runs = Vec::new();
    let mut lines = text.split('\n');
    let mut above = Line::Text;
    while let Some(line) = lines.next() {
        if line == "```" {
            let code: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            let code = code.join("\n");
            assert!(!code.is_empty() && !code.contains("``"), "{text}");
            runs.push(Run { text: code, look: Look { code: true, ..Look::default() } });
            above = Line::Text;
        } else {
            let (kind, rest) = line_of(line, above);
            runs.extend(inline(rest));
            above = kind;
        }
        runs.push(Run { text: "\n".to_owned(), look: Look::default() });
    }
    runs
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Text,
    Quote,
    Item,
}

/// What a line is, and what of it people read.
fn line_of(line: &str, above: Line) -> (Line, &str) {
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    if let Some(rest) = line.strip_prefix("> ") {
        (Line::Quote, rest)
    } else if let Some(rest) = line.strip_prefix("- ") {
        (Line::Item, rest)
    } else if digits > 0 && line[digits..].starts_with(". ") {
        (Line::Item, &line[digits + 2..])
    } else if let Some(rest) = line.strip_prefix("  ").filter(|_| above == Line::Item) {
        (Line::Item, rest)
    } else {
        (Line::Text, line)
    }
}

/// What people see of one line.
pub(super) fn inline(text: &str) -> Vec<Run> {
    let mut runs = Vec::new();
    read(text, &Look::default(), &mut runs);
    runs
}

fn read(text: &str, look: &Look, runs: &mut Vec<Run>) {
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = match c {
            '\\' => {
                let escaped = rest[1..].chars().next().expect("a backslash is before something");
                assert!(escaped.is_ascii_punctuation(), "a backslash before {escaped:?} is seen: {text}");
                runs.push(Run { text: escaped.to_string(), look: look.clone() });
                &rest[2..]
            }
            '`' => code(rest, look, runs),
            '*' if rest.starts_with("**") => {
                marked(rest, "**", strong, &Look { bold: true, ..look.clone() }, runs)
            }
            '*' => marked(rest, "*", emphasis, &Look { italic: true, ..look.clone() }, runs),
            '~' => marked(rest, "~~", struck, &Look { struck: true, ..look.clone() }, runs),
            '[' => link(rest, look, runs),
            '_' | '|' | '>' | '#' | '-' | '+' | ']' | '(' | ')' | '<' | ':' | '@' | '.' => {
                panic!("`{c}` acts in {text}")
            }
            c => {
                runs.push(Run { text: c.to_string(), look: look.clone() });
                &rest[c.len_utf8()..]
            }
        };
    }
}

/// Reads what stands between one mark and the other, whose place `end` finds; returns what follows.
fn marked<'t>(
    rest: &'t str,
    mark: &str,
    end: fn(&str) -> Option<usize>,
    look: &Look,
    runs: &mut Vec<Run>,
) -> &'t str {
    let inside = rest.strip_prefix(mark).unwrap_or_else(|| panic!("a single mark in {rest}"));
    let end = end(inside).unwrap_or_else(|| panic!("`{mark}` has no end in {rest}"));
    assert!(!inside[..end].trim().is_empty(), "nothing between the marks in {rest}");
    read(&inside[..end], look, runs);
    &inside[end + mark.len()..]
}

/// `/^\*\*((?:\\[\s\S]|[^\\])+?)\*\*(?!\*)/`
fn strong(inside: &str) -> Option<usize> {
    let is_end = |rest: &str| rest.starts_with("**") && !rest.starts_with("***");
    unescaped(inside).find(|index| *index > 0 && is_end(&inside[*index..]))
}

/// `/^\*(?=\S)((?:\*\*|\\[\s\S]|\s+(?:\\[\s\S]|[^\s*\\]|\*\*)|[^\s*\\])+?)\*(?!\*)/`
fn emphasis(inside: &str) -> Option<usize> {
    assert!(!inside.starts_with(char::is_whitespace), "no emphasis: *{inside}");
    let mut pair_ends = 0;
    let end = unescaped(inside).find(|index| {
        if *index < pair_ends {
            return false;
        }
        if inside[*index..].starts_with("**") {
            pair_ends = index + 2;
            return false;
        }
        inside[*index..].starts_with('*')
    })?;
    assert!(!inside[..end].ends_with(char::is_whitespace), "no emphasis: *{inside}");
    Some(end)
}

/// `/^~~([\s\S]+?)~~(?!_)/`, which knows no escapes.
fn struck(inside: &str) -> Option<usize> {
    inside.find("~~").filter(|end| !inside[end + 2..].starts_with('_'))
}

/// The places of characters that no backslash stands before.
fn unescaped(text: &str) -> impl Iterator<Item = usize> {
    let mut is_escaped = false;
    text.char_indices().filter_map(move |(index, c)| {
        let was_escaped = is_escaped;
        is_escaped = c == '\\' && !was_escaped;
        (!was_escaped).then_some(index)
    })
}

/// ``/^(`+)([\s\S]*?[^`])\1(?!`)/``
fn code<'t>(rest: &'t str, look: &Look, runs: &mut Vec<Run>) -> &'t str {
    let backticks = |text: &str| text.bytes().take_while(|b| *b == b'`').count();
    let fence = backticks(rest);
    assert!(fence <= 2, "a fence within a line: {rest}");
    let mut end = fence;
    loop {
        end += rest[end..].find('`').unwrap_or_else(|| panic!("code has no end in {rest}"));
        let found = backticks(&rest[end..]);
        if found == fence && end > fence {
            break;
        }
        end += found;
    }
    runs.push(Run { text: rest[fence..end].to_owned(), look: Look { code: true, ..look.clone() } });
    &rest[end + fence..]
}

/// A label without brackets of its own that open, and an address.
fn link<'t>(rest: &'t str, look: &Look, runs: &mut Vec<Run>) -> &'t str {
    let (label, after) = rest[1..].split_once("](").unwrap_or_else(|| panic!("no link: {rest}"));
    assert!(!label.contains('[') && !label.trim().is_empty() && look.url.is_empty(), "no link: {rest}");
    let (url, after) = after.split_once(')').unwrap_or_else(|| panic!("an address has no end in {rest}"));
    super::check_url(url);
    read(label, &Look { url: url.to_owned(), ..look.clone() }, runs);
    after
}
