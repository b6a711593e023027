//! What a platform is sure to refuse a body for: wrong types, missing members, too many of something, too long a text.

use serde_json::{Map, Value};

use super::{NativeError, Schema, below, kind};
use crate::text::{is_blank, or_none, with_separators};

/// What a platform wants of a member.
#[derive(Debug)]
pub(in crate::destination) struct Rule {
    kind: &'static str,
    key: &'static str,
    is_needed: bool,
    check: Check,
}

/// A member that may be left out, of objects of this kind.
pub(in crate::destination) const fn may(kind: &'static str, key: &'static str, check: Check) -> Rule {
    Rule { kind, key, is_needed: false, check }
}

/// A member that must be there.
pub(in crate::destination) const fn must(kind: &'static str, key: &'static str, check: Check) -> Rule {
    Rule { kind, key, is_needed: true, check }
}

/// What a member has to be.
#[derive(Debug, Clone, Copy)]
pub(in crate::destination) enum Check {
    /// A text of so many characters at most; it may be empty.
    Text(usize),
    /// A text in which something can be seen: a blank one gets a word.
    Seen(usize),
    /// One of these words, in any case of letters.
    Word(&'static [&'static str]),
    /// An absolute web address of so many characters at most.
    Link(usize),
    /// An object.
    Object,
    /// An object of one of these types, in whose `text` something can be seen.
    Holder(&'static [&'static str], usize),
    /// A list of so many such objects at most, with texts that long.
    Holders(usize, &'static [&'static str], usize),
    /// A list of so many elements, at least and at most.
    List(usize, usize),
    /// A list of so many objects, at least and at most.
    Objects(usize, usize),
    /// A whole number up to this one.
    Number(u64),
    /// Yes or no.
    Flag,
}

/// Checks `body` by the rules of `schema`. Blank texts that must not be get a word.
pub(in crate::destination) fn check(
    body: &mut Map<String, Value>,
    schema: &Schema,
) -> Result<(), NativeError> {
    object(body, "", "", schema)
}

/// What a text measures, in words.
pub(in crate::destination) fn characters(length: usize) -> String {
    format!("is {} characters long", with_separators(length))
}

/// Something is longer than the platform takes.
pub(in crate::destination) fn too_long(path: &str, length: String, most: usize) -> NativeError {
    NativeError::TooLong { path: path.to_owned(), length, most: with_separators(most) }
}

fn object(
    object: &mut Map<String, Value>,
    holder: &str,
    path: &str,
    schema: &Schema,
) -> Result<(), NativeError> {
    let kind = kind(schema, object, holder).to_owned();
    for rule in schema.rules.iter().filter(|rule| rule.kind == kind || rule.kind == "*") {
        let path = below(path, rule.key);
        match object.get_mut(rule.key).filter(|value| !value.is_null()) {
            Some(value) => member(rule.check, value, &path, schema)?,
            None if rule.is_needed => return Err(NativeError::shape(&path, "is missing")),
            None => {}
        }
    }
    for (key, value) in object.iter_mut() {
        inside(value, key, &below(path, key), schema)?;
    }
    Ok(())
}

fn inside(value: &mut Value, holder: &str, path: &str, schema: &Schema) -> Result<(), NativeError> {
    match value {
        Value::Object(members) => object(members, holder, path, schema),
        Value::Array(list) => {
            let mut items = list.iter_mut().enumerate();
            items.try_for_each(|(index, item)| inside(item, holder, &format!("{path}[{index}]"), schema))
        }
        _ => Ok(()),
    }
}

fn member(check: Check, value: &mut Value, path: &str, schema: &Schema) -> Result<(), NativeError> {
    match check {
        Check::Text(most) => text(value, path, most, schema),
        Check::Seen(most) => seen(value, path, most, schema),
        Check::Word(words) => word(value, path, words),
        Check::Link(most) => {
            text(value, path, most, schema)?;
            let is_one = value.as_str().is_some_and(|url| (schema.address)(url).is_some());
            need(is_one, path, "is no address that the platform takes")
        }
        Check::Object => need(value.is_object(), path, "is no object"),
        Check::Holder(types, most) => holder(value, path, types, most, schema),
        Check::Holders(count, types, most) => {
            member(Check::List(1, count), value, path, schema)?;
            let mut items = value.as_array_mut().into_iter().flatten().enumerate();
            items.try_for_each(|(index, item)| holder(item, &format!("{path}[{index}]"), types, most, schema))
        }
        Check::List(least, most) => {
            let count = value.as_array().map(Vec::len);
            let count = count.ok_or_else(|| NativeError::shape(path, "is no list"))?;
            need(count >= least, path, "has too few elements")?;
            let length = format!("has {} elements", with_separators(count));
            if count <= most { Ok(()) } else { Err(too_long(path, length, most)) }
        }
        Check::Objects(least, most) => {
            member(Check::List(least, most), value, path, schema)?;
            let odd = value.as_array().and_then(|list| list.iter().position(|item| !item.is_object()));
            odd.map_or(Ok(()), |index| Err(NativeError::shape(&format!("{path}[{index}]"), "is no object")))
        }
        Check::Number(most) => {
            let fits = value.as_u64().is_some_and(|number| number <= most);
            need(fits, path, &format!("is no whole number up to {most}"))
        }
        Check::Flag => need(value.is_boolean(), path, "is neither true nor false"),
    }
}

fn need(is_so: bool, path: &str, words: &str) -> Result<(), NativeError> {
    if is_so { Ok(()) } else { Err(NativeError::shape(path, words)) }
}

fn text(value: &Value, path: &str, most: usize, schema: &Schema) -> Result<(), NativeError> {
    let text = value.as_str().ok_or_else(|| NativeError::shape(path, "is no text"))?;
    let length = (schema.count)(text);
    if length <= most { Ok(()) } else { Err(too_long(path, characters(length), most)) }
}

fn seen(value: &mut Value, path: &str, most: usize, schema: &Schema) -> Result<(), NativeError> {
    if value.as_str().is_some_and(is_blank) {
        *value = or_none(String::new()).into();
    }
    text(value, path, most, schema)
}

fn word(value: &Value, path: &str, words: &[&str]) -> Result<(), NativeError> {
    let text = value.as_str().ok_or_else(|| NativeError::shape(path, "is no text"))?;
    let is_known = words.iter().any(|word| word.eq_ignore_ascii_case(text));
    need(is_known, path, &format!("is none of {}", words.join(", ")))
}

fn holder(
    value: &mut Value,
    path: &str,
    types: &[&str],
    most: usize,
    schema: &Schema,
) -> Result<(), NativeError> {
    let object = value.as_object_mut().ok_or_else(|| NativeError::shape(path, "is no object"))?;
    let path_of = |key: &str| below(path, key);
    let kind = object.get("type").ok_or_else(|| NativeError::shape(&path_of("type"), "is missing"))?;
    word(kind, &path_of("type"), types)?;
    let text = object.get_mut("text").ok_or_else(|| NativeError::shape(&path_of("text"), "is missing"))?;
    // Named is the whole object: that is what the platform's documents call a text.
    seen(text, path, most, schema)
}
