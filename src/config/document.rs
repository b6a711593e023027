//! One file of the configuration: its text, and where in it everything stands.
//!
//! Lines are shown to people, so secrets in them are masked here, on the way out: a value is masked if its key sounds
//! like a secret's, if no setting has its key (a misspelt `url` is a secret, too), or if it holds an address.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::place::{Place, Step};
use super::raw;

/// A file, as text and as positions. It has no `Debug`: there may be secrets in it.
pub(super) struct Document {
    name: String,
    text: String,
    top: Position,
    masks: Vec<Range<usize>>,
}

/// Where a key and its value stand, in bytes.
#[derive(Debug)]
struct Position {
    key: Range<usize>,
    value: Range<usize>,
    within: Within,
}

#[derive(Debug)]
enum Within {
    Nothing,
    Table(BTreeMap<String, Position>),
    List(Vec<Position>),
}

/// Which part of a setting is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// What stands before the equals sign.
    Key,
    /// What stands after it.
    Value,
}

/// A line, fit to be shown, and the part of it that is meant.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Excerpt {
    /// The line's number, from 1.
    pub(super) line: usize,
    /// The column in the file, in characters, from 1.
    pub(super) column: usize,
    /// The line, secrets masked.
    pub(super) text: String,
    /// The part that is meant, in bytes of `text`.
    pub(super) marked: Range<usize>,
}

/// What was found of a place.
#[derive(Debug)]
pub(super) struct Found {
    /// The line; none for the top of the file.
    pub(super) excerpt: Option<Excerpt>,
    /// Whether all of it was found, and not only a table that could have it.
    pub(super) is_exact: bool,
    /// The place as it is to be shown.
    pub(super) place: Place,
}

/// A mistake in the file's syntax.
#[derive(Debug)]
pub(super) struct SyntaxError {
    /// What is wrong.
    pub(super) message: String,
    /// Where.
    pub(super) span: Range<usize>,
}

/// What stands in place of a secret.
const MASK: &str = "\"…\"";

impl Document {
    /// Reads `text`, which is shown as `name`; with all mistakes in its syntax.
    pub(super) fn parse(name: String, text: String) -> (Self, Vec<SyntaxError>) {
        let (table, errors) = DeTable::parse_recoverable(&text);
        let mut masks = Vec::new();
        let within = Within::Table(positions(table.get_ref(), &mut Vec::new(), &mut masks));
        let top = Position { key: 0..0, value: 0..0, within };
        let errors = errors.into_iter().map(|error| SyntaxError {
            message: error.message().to_owned(),
            span: error.span().unwrap_or_default(),
        });
        let errors = errors.collect();
        (Self { name, text, top, masks }, errors)
    }

    /// What the file is called.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Its text.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Finds `place`, as far as there is anything. What is missing is shown as the table that should have it.
    pub(super) fn find(&self, place: &Place, part: Part) -> Found {
        let mut found = Found { excerpt: None, is_exact: true, place: Place::top(place.file()) };
        let mut at = &self.top;
        for step in place.steps() {
            let next = match (&at.within, step) {
                _ if !found.is_exact => None,
                (Within::Table(table), Step::Key(key)) => table.get(key),
                (Within::List(list), Step::Index(index)) => list.get(*index),
                // A single value where a list may stand is its own first element, and has no number.
                (Within::Nothing | Within::Table(_), Step::Index(_)) => continue,
                (Within::Nothing | Within::List(_), Step::Key(_)) => None,
            };
            match next {
                Some(position) => at = position,
                None => found.is_exact = false,
            }
            found.place = found.place.follow(std::slice::from_ref(step));
        }
        if !std::ptr::eq(at, &raw const self.top) {
            let span = if found.is_exact && part == Part::Value { &at.value } else { &at.key };
            found.excerpt = Some(self.masked(span, &self.masks));
        }
        found
    }

    /// The line of a mistake in the syntax. What the parser could not read cannot be told from a secret by its key:
    /// such a line is masked as soon as it looks like one.
    pub(super) fn find_error(&self, span: &Range<usize>) -> Excerpt {
        let (start, line) = self.line_at(span.start);
        let lower = line.to_lowercase();
        let sounds = ["url", "token", "secret", "webhook", "://"].iter().any(|word| lower.contains(word));
        let kept = match line.split_once('=') {
            Some((key, _)) if raw::is_key(key) && sounds => key.len() + 1,
            Some((key, _)) if raw::is_key(key) => line.len(),
            Some(_) if !sounds && !lower.contains(['"', '\'']) && line.len() < 40 => line.len(),
            None if lower.trim_start().starts_with('[') && !lower.contains(['"', '\'']) => line.len(),
            _ => line.len() - line.trim_start().len(),
        };
        if kept >= line.trim_end().len() {
            return self.masked(span, &self.masks);
        }
        self.masked(span, std::slice::from_ref(&(start + kept..start + line.len())))
    }

    /// The line in which `span` begins, with `masks` over it. What is marked ends with the line.
    fn masked(&self, span: &Range<usize>, masks: &[Range<usize>]) -> Excerpt {
        let (start, line) = self.line_at(span.start);
        let end = start + line.len();
        let mut pieces = Vec::new();
        let mut at = start;
        for mask in masks {
            // What the parser made of a broken line may overlap, or be nothing.
            let hidden = mask.start.max(at)..mask.end.min(end);
            if !hidden.is_empty() {
                pieces.push(Piece { span: at..hidden.start, mask: None });
                at = hidden.end;
                pieces.push(Piece { span: hidden, mask: Some(MASK) });
            }
        }
        pieces.push(Piece { span: at..end, mask: None });
        let mark = moved(&pieces, span.start, Edge::Start);
        let shown = pieces.iter().map(|piece| piece.shown(&self.text));
        Excerpt {
            line: self.text.get(..start).unwrap_or_default().matches('\n').count() + 1,
            column: self.text.get(start..span.start).unwrap_or_default().chars().count() + 1,
            text: shown.collect(),
            marked: mark..moved(&pieces, span.end.min(end), Edge::End).max(mark),
        }
    }

    /// Where the line with `offset` begins, and the line.
    fn line_at(&self, offset: usize) -> (usize, &str) {
        let before = self.text.get(..offset).unwrap_or(&self.text);
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let rest = self.text.get(start..).unwrap_or_default();
        (start, rest.lines().next().unwrap_or_default())
    }
}

/// A part of a line: as it stands in the file, or masked.
struct Piece {
    span: Range<usize>,
    mask: Option<&'static str>,
}

impl Piece {
    fn shown<'a>(&self, text: &'a str) -> &'a str {
        self.mask.unwrap_or_else(|| text.get(self.span.clone()).unwrap_or_default())
    }
}

/// Which edge of a marked part an offset is: an edge inside a mask moves to that edge of the mask.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Edge {
    Start,
    End,
}

/// Where `offset` of the file lies in the line that is made of `pieces`.
fn moved(pieces: &[Piece], offset: usize, edge: Edge) -> usize {
    let mut at = 0;
    for Piece { span, mask } in pieces {
        let length = mask.map_or(span.len(), str::len);
        if span.contains(&offset) || (edge == Edge::End && offset == span.end && !span.is_empty()) {
            return match (mask, edge) {
                (None, _) => at + (offset - span.start),
                (Some(_), Edge::Start) => at,
                (Some(_), Edge::End) => at + length,
            };
        }
        at += length;
    }
    at
}

fn positions<'t>(
    table: &'t DeTable<'_>,
    keys: &mut Vec<&'t str>,
    masks: &mut Vec<Range<usize>>,
) -> BTreeMap<String, Position> {
    let mut positions = BTreeMap::new();
    for (key, value) in table {
        keys.push(key.get_ref());
        positions.insert(key.get_ref().to_string(), position(key.span(), value, keys, masks));
        keys.pop();
    }
    masks.sort_by_key(|mask| mask.start);
    positions
}

fn position<'t>(
    key: Range<usize>,
    value: &'t Spanned<DeValue<'_>>,
    keys: &mut Vec<&'t str>,
    masks: &mut Vec<Range<usize>>,
) -> Position {
    let within = match value.get_ref() {
        DeValue::Table(table) => Within::Table(positions(table, keys, masks)),
        DeValue::Array(list) => {
            Within::List(list.iter().map(|entry| position(entry.span(), entry, keys, masks)).collect())
        }
        DeValue::String(text) => {
            if raw::may_be_secret(keys, text) {
                masks.push(value.span());
            }
            Within::Nothing
        }
        _ => Within::Nothing,
    };
    Position { key, value: value.span(), within }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(text: &str) -> Document {
        Document::parse("config.toml".to_owned(), text.to_owned()).0
    }

    fn shown(text: &str, place: &Place, part: Part) -> (usize, usize, String, String) {
        let excerpt = document(text).find(place, part).excerpt.unwrap();
        let marked = excerpt.text.get(excerpt.marked.clone()).unwrap().to_owned();
        (excerpt.line, excerpt.column, excerpt.text, marked)
    }

    #[test]
    fn keys_and_values_are_found() {
        let text = "[server]\nlisten = \"x\"\n[[rules]]\nname = \"ä\"\nwhen.app = [\"a\", 5]\n";
        let app = Place::top(0).key("rules").index(0).key("when").key("app");
        let line = "when.app = [\"a\", 5]".to_owned();
        assert_eq!(shown(text, &app.index(1), Part::Value), (5, 18, line.clone(), "5".to_owned()));
        assert_eq!(shown(text, &app, Part::Key), (5, 6, line, "app".to_owned()));
        let missing = Place::top(0).key("server").key("max_body");
        assert_eq!(shown(text, &missing, Part::Value).0, 1);
        assert!(document(text).find(&Place::top(0).key("nothing"), Part::Key).excerpt.is_none());
        let single = Place::top(0).key("server").key("listen").index(0);
        assert_eq!(document(text).find(&single, Part::Value).place.to_string(), "server.listen");
    }

    #[test]
    fn a_secret_is_masked_wherever_it_stands_in_the_line() {
        let text =
            "[destinations]\nteam = { type = 5, url = \"hunter2\", tokens = [\"hunter3\"], rate = 5 } # é\n";
        let team = Place::top(0).key("destinations").key("team");
        let masked = "team = { type = 5, url = \"…\", tokens = [\"…\"], rate = 5 } # é".to_owned();
        let mark = |key: &str| shown(text, &team.key(key), Part::Value);
        assert_eq!(mark("type"), (2, 17, masked.clone(), "5".to_owned()));
        assert_eq!(mark("url"), (2, 26, masked.clone(), "\"…\"".to_owned()));
        assert_eq!(mark("tokens"), (2, 46, masked.clone(), "[\"…\"]".to_owned()));
        assert_eq!(mark("rate"), (2, 66, masked, "5".to_owned()));
    }

    #[test]
    fn a_secret_over_several_lines_is_masked_to_the_end_of_the_first() {
        let text = "[admin]\ntoken = \"\"\"hunter2\nhunter3\"\"\"\n";
        let (_, _, line, _) = shown(text, &Place::top(0).key("admin").key("token"), Part::Value);
        assert_eq!(line, "token = \"…\"");
    }

    #[test]
    fn a_line_that_cannot_be_read_shows_no_secret() {
        for line in [
            "url = \"https://hooks.slack.com/hunter2",
            "url = hunter2",
            "tokens = [\"hunter2]",
            "\"hunter2",
            "hunter2",
            "webhook = hunter2 = 5",
            "x = [\n\"hunter2=\" 5\n]",
            "x = [\nhunter2==\n]",
        ] {
            let (document, errors) = Document::parse(String::new(), format!("[x]\n{line}\n[y]\n"));
            assert!(!errors.is_empty(), "{line}");
            for error in errors {
                let excerpt = document.find_error(&error.span);
                assert!(!excerpt.text.contains("hunter2"), "{excerpt:?}");
                assert!(!error.message.contains("hunter2"), "{error:?}");
            }
        }
    }

    #[test]
    fn a_line_with_several_mistakes_is_shown_once_and_marked_within() {
        for line in [
            "severity = { crash = \"error\", feed}back = \"info\" }",
            "retry = { first = \"1s\", give_u]p_after = \"3d\" }",
            "retry = { first = \"1s\", give\" }",
        ] {
            let (document, errors) = Document::parse(String::new(), format!("[x]\n{line}\n[y]\n"));
            assert!(!errors.is_empty(), "{line}");
            for error in errors {
                let Excerpt { text, marked, .. } = document.find_error(&error.span);
                assert!(marked.start <= marked.end && text.get(marked).is_some(), "{text}: {error:?}");
                assert!(text.chars().count() <= line.chars().count(), "{text}");
            }
        }
    }

    #[test]
    fn a_line_that_cannot_be_read_is_shown_where_it_is_no_secret() {
        let (document, errors) = Document::parse(String::new(), "[server\nlisten = = 5\n".to_owned());
        let lines: Vec<_> = errors.iter().map(|error| document.find_error(&error.span).text).collect();
        assert!(lines.contains(&"[server".to_owned()), "{lines:?}");
        assert!(lines.contains(&"listen = = 5".to_owned()), "{lines:?}");
    }
}
