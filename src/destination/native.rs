//! The body that a native template makes, filled: each value is written as its place in the platform's schema wants it.
//!
//! A template brings the body's shape, its mark-up and its own words; a value brings text and nothing else. So values
//! stand neither in the names of members nor where a word decides what an object is; where text is mark-up they are
//! escaped, and where an address stands they are checked. What a platform's [`Schema`] does not know is escaped, too.
//! Nothing is cut here: a body over a limit is refused, and the message goes out by the Markdown template.

mod check;
mod markup;

use serde_json::{Map, Value};

use crate::template::{Native, Part};
use crate::text::clean;

pub(super) use check::{Check, Rule, characters, check, may, must, too_long};
pub(super) use markup::{Links, Markup};

/// Why the body of a native template cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NativeError {
    /// The platform takes no more than so much.
    #[error("`{path}` {length}; {most} are allowed")]
    TooLong {
        /// Where, as in `blocks[3].text`.
        path: String,
        /// How long it is, in words.
        length: String,
        /// How long it may be.
        most: String,
    },
    /// The platform wants it otherwise.
    #[error("`{path}` {words}")]
    Shape {
        /// Where.
        path: String,
        /// What is wrong there.
        words: String,
    },
    /// The template's own text mentions somebody.
    #[error("`{path}` mentions somebody, which is for rules to do")]
    Mention {
        /// Where.
        path: String,
    },
    /// A value stands where only the template's own words can.
    #[error("`{path}` has a value in it, where only the template's own words can stand")]
    Value {
        /// Where.
        path: String,
    },
}

impl NativeError {
    /// Something is not as the platform wants it.
    pub(super) fn shape(path: &str, words: impl Into<String>) -> Self {
        Self::Shape { path: path.to_owned(), words: words.into() }
    }
}

/// What a platform makes of the strings in a body, and what it refuses.
#[derive(Debug)]
pub(super) struct Schema {
    /// Whether an object says by `type` what it is; else the member that holds it does.
    pub(super) typed: bool,
    /// What a string is.
    pub(super) way: fn(Spot<'_>) -> Way,
    /// Whether a text, in which `\u{FFFC}` stands for each value, mentions somebody.
    pub(super) mentions: fn(&str) -> bool,
    /// An address as the platform takes it, if it is one.
    pub(super) address: fn(&str) -> Option<String>,
    /// How the platform counts a text.
    pub(super) count: fn(&str) -> usize,
    /// What is in the objects it knows.
    pub(super) rules: &'static [Rule],
}

/// Where a string stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot<'a> {
    /// What the object around it is; empty for the body itself.
    pub(super) kind: &'a str,
    /// The member it is, or in whose list it stands.
    pub(super) key: &'a str,
    /// The object around it.
    pub(super) object: &'a Map<String, Value>,
}

/// How a string is filled.
#[derive(Debug, Clone, Copy)]
pub(super) enum Way {
    /// It decides what something is: no value can stand in it.
    Own,
    /// A character is itself; the function sees to what is not.
    Literal(fn(&str) -> String),
    /// Mark-up.
    Markup(&'static Markup),
    /// An address. Without a good one the member is left out.
    Link,
    /// An address, without which the object makes no sense.
    NeededLink,
    /// A moment, written by the function. Without a good one the member is left out.
    Moment(fn(&str) -> Option<String>),
}

/// A value as it is, but for what is no text.
pub(super) fn as_it_is(value: &str) -> String {
    value.to_owned()
}

/// The body with its values in it; not yet checked.
pub(super) fn fill(native: &Native, schema: &Schema) -> Result<Map<String, Value>, NativeError> {
    match &native.body {
        Value::Object(body) => Filler { native, schema }.object(body, "", ""),
        _ => Err(NativeError::shape("", "is no object")),
    }
}

#[derive(Clone, Copy)]
struct Filler<'n> {
    native: &'n Native,
    schema: &'n Schema,
}

impl Filler<'_> {
    fn object(
        self,
        object: &Map<String, Value>,
        holder: &str,
        path: &str,
    ) -> Result<Map<String, Value>, NativeError> {
        let kind = kind(self.schema, object, holder);
        let mut filled = Map::new();
        for (key, value) in object {
            let (key, has_values) = self.outline(key);
            let path = below(path, &key);
            if has_values {
                return Err(NativeError::Value { path });
            }
            let value = self.value(value, Spot { kind, key: &key, object }, &path)?;
            filled.extend(value.map(|value| (key, value)));
        }
        Ok(filled)
    }

    /// The value filled; nothing if it is to be left out.
    fn value(self, value: &Value, spot: Spot<'_>, path: &str) -> Result<Option<Value>, NativeError> {
        Ok(Some(match value {
            Value::String(text) => return Ok(self.text(text, spot, path)?.map(Value::String)),
            Value::Array(list) => {
                let items = list.iter().enumerate();
                let items = items.map(|(index, item)| self.value(item, spot, &format!("{path}[{index}]")));
                let items: Vec<Option<Value>> = items.collect::<Result<_, _>>()?;
                Value::Array(items.into_iter().flatten().collect())
            }
            Value::Object(object) => Value::Object(self.object(object, spot.key, path)?),
            other => other.clone(),
        }))
    }

    fn text(self, text: &str, spot: Spot<'_>, path: &str) -> Result<Option<String>, NativeError> {
        let (outline, has_values) = self.outline(text);
        if (self.schema.mentions)(&outline) {
            return Err(NativeError::Mention { path: path.to_owned() });
        }
        if !has_values {
            return Ok(Some(outline));
        }
        let parts: Vec<Part<'_>> = self.native.parts(text).collect();
        let literal = |write: fn(&str) -> String| {
            let pieces = parts.iter().map(|part| match part {
                Part::Own(own) => (*own).to_owned(),
                Part::Value(value) => write(&clean(value)),
            });
            pieces.collect::<String>()
        };
        match (self.schema.way)(spot) {
            Way::Own => Err(NativeError::Value { path: path.to_owned() }),
            Way::Literal(write) => Ok(Some(literal(write))),
            Way::Markup(markup) => Ok(Some(markup.write(&parts))),
            Way::Link => Ok(markup::address(&parts, self.schema.address)),
            Way::NeededLink => match markup::address(&parts, self.schema.address) {
                Some(url) => Ok(Some(url)),
                None => Err(NativeError::shape(path, "is no http or https address, or too long a one")),
            },
            Way::Moment(write) => Ok(write(&literal(as_it_is))),
        }
    }

    /// The template's own text, with a sign for each value, and whether there are any.
    fn outline(self, text: &str) -> (String, bool) {
        let mut has_values = false;
        let mut outline = String::with_capacity(text.len());
        for part in self.native.parts(text) {
            has_values |= matches!(part, Part::Value(_));
            outline.push_str(if let Part::Own(own) = part { own } else { "\u{FFFC}" });
        }
        (outline, has_values)
    }
}

/// What an object is. A value in its `type` is refused where that is filled.
fn kind<'a>(schema: &Schema, object: &'a Map<String, Value>, holder: &'a str) -> &'a str {
    let kind = object.get("type").and_then(Value::as_str).filter(|_| schema.typed);
    kind.unwrap_or(holder)
}

/// The path of the member `key` of what is at `path`.
fn below(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
