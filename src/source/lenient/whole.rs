//! An element as a whole, for a template that may look at any of it: within bounds, and without credentials.

use std::fmt;

use serde::Deserialize as _;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Number, Value};

use super::{CREDENTIALS, Key, scalar};

/// How deep a value may lie; what lies deeper is not given.
const DEEPEST: usize = 32;

/// How many elements of an array are kept.
const ELEMENTS: usize = 100;

/// How many entries of an object are kept.
const ENTRIES: usize = 1_000;

/// All of `raw` but the credentials of the sending app. Of long lists the beginning is kept.
pub fn whole(raw: &str) -> Value {
    let mut deserializer = serde_json::Deserializer::from_str(raw);
    // The element was valid JSON when it came; if it cannot be walked, it is not given.
    let mut value = Part { depth: 0 }.deserialize(&mut deserializer).unwrap_or_default();
    for path in CREDENTIALS {
        remove(&mut value, path);
    }
    value
}

fn remove(value: &mut Value, path: &str) {
    let entries = match value {
        Value::Object(entries) => entries,
        // A batch that could not be read is kept in one piece.
        Value::Array(elements) => return elements.iter_mut().for_each(|element| remove(element, path)),
        _ => return,
    };
    entries.remove(path);
    if let Some((group, key)) = path.split_once('.')
        && let Some(Value::Object(entries)) = entries.get_mut(group)
    {
        entries.remove(key);
    }
}

/// A value that lies so deep.
#[derive(Clone, Copy)]
struct Part {
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Part {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?.get();
        Ok(match raw.as_bytes().first() {
            Some(b'{' | b'[') if self.depth == DEEPEST => Value::Null,
            Some(b'{' | b'[') => {
                let mut inner = serde_json::Deserializer::from_str(raw);
                inner.deserialize_any(self).unwrap_or_default()
            }
            Some(b't') => Value::Bool(true),
            Some(b'f') => Value::Bool(false),
            Some(b'"') => Value::String(scalar(raw).unwrap_or_default()),
            _ => scalar(raw).map_or(Value::Null, number),
        })
    }
}

/// A number, as long as it keeps all of its digits; else its digits as a text.
fn number(digits: String) -> Value {
    match digits.parse::<Number>() {
        Ok(number) if number.to_string() == digits => Value::Number(number),
        _ => Value::String(digits),
    }
}

impl<'de> Visitor<'de> for Part {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or an array")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = Map::new();
        while let Some(key) = map.next_key::<Key<'de>>()? {
            if entries.len() < ENTRIES {
                entries.insert(key.0.into_owned(), map.next_value_seed(self.inside())?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Value::Object(entries))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut elements = Vec::new();
        while elements.len() < ELEMENTS {
            match seq.next_element_seed(self.inside())? {
                Some(element) => elements.push(element),
                None => return Ok(Value::Array(elements)),
            }
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Array(elements))
    }
}

impl Part {
    fn inside(self) -> Self {
        Self { depth: self.depth + 1 }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn everything_is_there_as_it_was() {
        let raw =
            r#"{"a":[1,-2,1.5,true,false,null,"x\ud83d"],"b":{"c d":{}},"big":12345678901234567890123}"#;
        let value = json!({
            "a": [1, -2, 1.5, true, false, null, "x\u{FFFD}"],
            "b": { "c d": {} },
            "big": "12345678901234567890123",
        });
        assert_eq!(whole(raw), value);
    }

    #[test]
    fn credentials_are_not() {
        let raw = r#"{"project":{"apiKey":"s","id":"p"},"app":{"key":"s"},"app.key":"s","key":"k"}"#;
        assert_eq!(whole(raw), json!({ "project": { "id": "p" }, "app": {}, "key": "k" }));
        assert_eq!(whole(r#"{"project":{"apiKey":1,"apiKey":"s"}}"#), json!({ "project": {} }));
        assert_eq!(whole(r#"[{"app":{"key":"s"}}]"#), json!([{ "app": {} }]));
        assert_eq!(whole(r#""text""#), json!("text"));
    }

    #[test]
    fn what_has_no_end_is_cut() {
        let list = whole(&format!("[{}]", vec!["1"; 5_000].join(",")));
        assert_eq!(list.as_array().unwrap().len(), ELEMENTS);
        let entries: Vec<String> = (0..5_000).map(|n| format!("\"{n}\":0")).collect();
        let object = whole(&format!("{{{}}}", entries.join(",")));
        assert_eq!(object.as_object().unwrap().len(), ENTRIES);
        let deep = whole(&format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000)));
        let mut depth = 0;
        let mut inner = &deep;
        while let Some(value) = inner.get(0) {
            inner = value;
            depth += 1;
        }
        assert_eq!((depth, inner), (DEEPEST, &Value::Null));
    }
}
