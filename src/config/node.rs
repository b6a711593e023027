//! The configuration's values before they have types: a tree from which faulty parts can be taken out.
//!
//! A value from the file must be of the type that is asked for. A variable is always text, so what it means depends on
//! what is asked for: a list is split at its commas, a number is read, and a token `0123` stays that.

use std::collections::BTreeMap;

use ::config::{Value, ValueKind};
use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{Deserializer, Expected, IntoDeserializer, Unexpected, Visitor};
use serde::forward_to_deserialize_any;

use super::place::Step;

/// One value.
#[derive(Clone, PartialEq)]
pub(super) enum Node {
    /// It was at fault and has been reported: as if it were not there, but nothing beside it moves up.
    Taken,
    /// True or false.
    Flag(bool),
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Float(f64),
    /// Text in the file.
    Text(String),
    /// A variable.
    Variable(String),
    /// A list.
    List(Vec<Node>),
    /// A table.
    Table(BTreeMap<String, Node>),
}

/// What can be wrong with the shape of a value.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(super) enum Fault {
    /// It is of another type.
    #[error("{found} instead of {expected}")]
    Type {
        /// What it is.
        found: &'static str,
        /// What it should be.
        expected: String,
    },
    /// A key that the table does not have.
    #[error("unknown key `{key}`")]
    Key {
        /// The key.
        key: String,
        /// Those that there are.
        known: &'static [&'static str],
    },
    /// A word that is none of those that there are.
    #[error("unknown word `{word}`")]
    Word {
        /// The word.
        word: String,
        /// Those that there are.
        known: &'static [&'static str],
    },
    /// What a product says about its own options.
    #[error("{0}")]
    Other(String),
}

impl Node {
    /// The value of `key`, if this is a table that has it.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Table(table) => table.get(key).filter(|node| **node != Self::Taken),
            _ => None,
        }
    }

    /// What it is, in words. Never the value itself, which may be a secret.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Taken => "nothing",
            Self::Flag(_) => "true or false",
            Self::Integer(_) | Self::Float(_) => "a number",
            Self::Text(_) | Self::Variable(_) => "text",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        }
    }

    /// Takes out what stands at `steps`; if that is out already, what it is a part of. Says whether anything is left to
    /// read.
    pub(super) fn take(&mut self, steps: &[Step]) -> bool {
        let Some((first, rest)) = steps.split_first() else { return false };
        let child = match (&mut *self, first) {
            (Self::Table(table), Step::Key(key)) => table.get_mut(key),
            (Self::List(list), Step::Index(index)) => list.get_mut(*index),
            _ => None,
        };
        match child {
            Some(child) if *child != Self::Taken => {
                if !child.take(rest) {
                    *child = Self::Taken;
                }
                true
            }
            _ => false,
        }
    }

    fn refuse<T>(&self, expected: &str) -> Result<T, Fault> {
        Err(Fault::Type { found: self.kind(), expected: expected.to_owned() })
    }
}

/// Says what it is and not which, for it may be a secret.
impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.kind())
    }
}

impl From<Value> for Node {
    fn from(value: Value) -> Self {
        // Only what comes from the environment has an origin: files are handed over as text.
        let is_variable = value.origin().is_some();
        match value.kind {
            ValueKind::Nil => Self::Taken,
            ValueKind::Boolean(flag) => Self::Flag(flag),
            ValueKind::I64(number) => Self::Integer(number),
            ValueKind::Float(number) => Self::Float(number),
            // TOML has no such numbers.
            ValueKind::U64(_) | ValueKind::I128(_) | ValueKind::U128(_) => Self::Float(f64::INFINITY),
            ValueKind::String(text) if is_variable => Self::Variable(text),
            ValueKind::String(text) => Self::Text(text),
            ValueKind::Array(list) => Self::List(list.into_iter().map(Self::from).collect()),
            ValueKind::Table(table) => {
                Self::Table(table.into_iter().map(|(key, value)| (key, Self::from(value))).collect())
            }
        }
    }
}

impl serde::de::Error for Fault {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self::Other(message.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::Type { found: words(found), expected: expected.to_string() }
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn unknown_variant(word: &str, known: &'static [&'static str]) -> Self {
        Self::Word { word: word.to_owned(), known }
    }

    fn unknown_field(key: &str, known: &'static [&'static str]) -> Self {
        Self::Key { key: key.to_owned(), known }
    }
}

/// What was found, without its value.
fn words(found: Unexpected<'_>) -> &'static str {
    match found {
        Unexpected::Bool(_) => "true or false",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) | Unexpected::Float(_) => "a number",
        Unexpected::Str(_) | Unexpected::Char(_) => "text",
        Unexpected::Seq => "a list",
        Unexpected::Map => "a table",
        _ => "something else",
    }
}

impl<'n> IntoDeserializer<'_, Fault> for &'n Node {
    type Deserializer = &'n Node;

    fn into_deserializer(self) -> Self::Deserializer {
        self
    }
}

macro_rules! whole_numbers {
    ($($method:ident)*) => {
        $(
            fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
                match self {
                    Node::Integer(number) => visitor.visit_i64(*number),
                    Node::Variable(text) => match text.trim().parse() {
                        Ok(number) => visitor.visit_i64(number),
                        Err(_) => self.refuse("a whole number"),
                    },
                    _ => self.refuse("a whole number"),
                }
            }
        )*
    };
}

impl<'de> Deserializer<'de> for &Node {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self {
            Node::Taken => visitor.visit_unit(),
            Node::Flag(flag) => visitor.visit_bool(*flag),
            Node::Integer(number) => visitor.visit_i64(*number),
            Node::Float(number) => visitor.visit_f64(*number),
            Node::Text(text) | Node::Variable(text) => visitor.visit_str(text),
            Node::List(list) => visitor.visit_seq(SeqDeserializer::new(list.iter())),
            Node::Table(table) => {
                let given = table.iter().filter(|(_, node)| **node != Node::Taken);
                visitor.visit_map(MapDeserializer::new(given.map(|(key, node)| (key.as_str(), node))))
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if *self == Node::Taken { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self {
            Node::Flag(flag) => visitor.visit_bool(*flag),
            Node::Variable(text) if text == "true" => visitor.visit_bool(true),
            Node::Variable(text) if text == "false" => visitor.visit_bool(false),
            _ => self.refuse("true or false"),
        }
    }

    whole_numbers! { deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
    deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self {
            Node::Text(text) | Node::Variable(text) => visitor.visit_str(text),
            _ => self.refuse("text in quotes"),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    /// A single value stands for a list of one.
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self {
            Node::List(_) => self.deserialize_any(visitor),
            Node::Variable(text) => {
                let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
                let entries: Vec<_> = entries.map(|entry| Node::Variable(entry.to_owned())).collect();
                visitor.visit_seq(SeqDeserializer::new(entries.iter()))
            }
            _ => visitor.visit_seq(SeqDeserializer::new(std::iter::once(self))),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self {
            Node::Table(_) => self.deserialize_any(visitor),
            _ => self.refuse("a table"),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self {
            Node::Text(text) | Node::Variable(text) => visitor.visit_enum(text.as_str().into_deserializer()),
            _ => self.refuse("text in quotes"),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        i128 u128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize as _;

    fn variable(text: &str) -> Node {
        Node::Variable(text.to_owned())
    }

    #[test]
    fn a_variable_is_what_is_asked_for() {
        assert_eq!(String::deserialize(&variable("0123")), Ok("0123".to_owned()));
        assert_eq!(bool::deserialize(&variable("true")), Ok(true));
        assert_eq!(u16::deserialize(&variable(" 42 ")), Ok(42));
        assert_eq!(Vec::<String>::deserialize(&variable("a, b,")), Ok(vec!["a".to_owned(), "b".to_owned()]));
        assert!(bool::deserialize(&variable("yes")).is_err());
    }

    #[test]
    fn a_value_of_the_file_is_never_converted() {
        assert!(String::deserialize(&Node::Integer(5)).is_err());
        assert!(bool::deserialize(&Node::Text("true".to_owned())).is_err());
        assert!(u16::deserialize(&Node::Text("42".to_owned())).is_err());
        let commas = Node::Text("a,b".to_owned());
        assert_eq!(Vec::<String>::deserialize(&commas), Ok(vec!["a,b".to_owned()]));
    }

    #[test]
    fn what_is_taken_out_leaves_a_hole_and_a_second_time_takes_its_whole() {
        let list = Node::List(vec![Node::Integer(1), Node::Text("b".to_owned())]);
        let mut table = Node::Table([("x".to_owned(), list)].into());
        let steps = [Step::Key("x".to_owned()), Step::Index(0)];
        assert!(table.take(&steps));
        let read = |table: &Node| BTreeMap::<String, Vec<Option<String>>>::deserialize(table).unwrap();
        assert_eq!(read(&table)["x"], [None, Some("b".to_owned())]);
        assert!(table.take(&steps));
        assert!(read(&table).is_empty());
        assert!(!table.take(&steps));
    }
}
