//! A platform's own body, made by a native template: JSON, in whose strings a placeholder stands for each value.
//!
//! The JSON is read while the placeholders are in it, so that no value can end a string or begin another key. What a
//! value becomes in its string is the platform's to say.

use serde_json::Value as Json;

use super::render::RenderError;
use super::value::{Marked, Piece, is_reserved};

/// A body with placeholders.
#[derive(Debug, Clone, PartialEq)]
pub struct Native {
    /// The body. Its strings and keys hold placeholders; [`Native::parts`] takes them apart.
    pub body: Json,
    marked: Marked,
}

/// A piece of a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part<'a> {
    /// The template's own text, in the platform's own mark-up.
    Own(&'a str),
    /// A value, literally.
    Value(&'a str),
}

impl Native {
    /// Reads what a template has written.
    pub(super) fn read(marked: Marked) -> Result<Self, RenderError> {
        let body: Json = serde_json::from_str(&marked.text).map_err(|error| not_json(&marked, &error))?;
        if body.is_object() { Ok(Self { body, marked }) } else { Err(RenderError::NoObject) }
    }

    /// The pieces of one of the body's strings or keys.
    pub fn parts<'a>(&'a self, text: &'a str) -> impl Iterator<Item = Part<'a>> {
        self.marked.pieces(text).map(|piece| match piece {
            Piece::Own(text) => Part::Own(text),
            Piece::Value(value) => Part::Value(&value.text),
        })
    }
}

fn not_json(marked: &Marked, error: &serde_json::Error) -> RenderError {
    let line = marked.text.lines().nth(error.line().saturating_sub(1)).unwrap_or_default();
    // serde_json counts bytes, and names the last one it has read.
    let here = (0..error.column()).rev().find_map(|at| line.get(at..));
    if here.and_then(|here| here.chars().next()).is_some_and(is_reserved) {
        return RenderError::BareValue { line: error.line() };
    }
    let reason = error.to_string();
    let reason = reason.split(" at line ").next().unwrap_or_default();
    RenderError::NotJson { line: error.line(), reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::super::value::{mark, unmark};
    use super::*;

    fn read(rendered: &str) -> Result<Native, RenderError> {
        Native::read(unmark(rendered).unwrap())
    }

    #[test]
    fn a_value_stays_within_its_string() {
        let hostile = r#"x","y":"z\"#;
        let native = read(&format!(r#"{{"text":"*{}* by {}"}}"#, mark(hostile), mark("a"))).unwrap();
        let text = native.body["text"].as_str().unwrap();
        let parts: Vec<_> = native.parts(text).collect();
        assert_eq!(parts, [Part::Own("*"), Part::Value(hostile), Part::Own("* by "), Part::Value("a")]);
        assert_eq!(native.body.as_object().unwrap().len(), 1);
    }

    #[test]
    fn what_is_no_json_is_said_to_be_none() {
        let refused = |text: &str| read(text).unwrap_err().to_string();
        let bare = "on line 2 of its JSON a value stands outside of quotes; `{{json name}}` can stand there";
        assert_eq!(refused(&format!("{{\"é\":1,\n \"text\": {}}}", mark("a"))), bare);
        assert_eq!(refused("{\"a\":1,}"), "line 1 of its JSON is broken: trailing comma");
        assert_eq!(refused("[1]"), "its JSON is no object, as a body has to be");
        assert_eq!(refused(""), "line 1 of its JSON is broken: EOF while parsing a value");
    }
}
