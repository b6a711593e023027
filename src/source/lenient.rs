//! Reading JSON that need not have the shape we expect: what fits is taken, what does not is passed over.
//!
//! Nothing here fails on valid JSON. Values are read from their raw text, so that a number keeps all of its digits, a
//! lone surrogate in a text costs one character, and nesting of any depth is skipped without recursion.

mod whole;

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

pub use whole::whole;

/// A text, whatever scalar it was written as; empty for null, an object, an array.
#[derive(Debug, Default, Clone)]
pub(super) struct Text(pub(super) String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?;
        Ok(Self(scalar(raw.get()).unwrap_or_default()))
    }
}

/// The text of a scalar; nothing for null, an object or an array.
fn scalar(raw: &str) -> Option<String> {
    match raw.as_bytes().first()? {
        b'"' => Some(match serde_json::from_str::<String>(raw) {
            Ok(text) => text,
            Err(_) => without_lone_surrogates(raw),
        }),
        b'{' | b'[' | b'n' => None,
        _ => Some(raw.to_owned()),
    }
}

/// Reads a JSON text that has an escape for half of a surrogate pair: a character cut in two by whoever wrote it.
fn without_lone_surrogates(raw: &str) -> String {
    let mut deserializer = serde_json::Deserializer::from_str(raw);
    let bytes = deserializer.deserialize_bytes(KeyVisitor).unwrap_or_default();
    // Each half is three bytes that are not UTF-8; one sign for it is enough.
    bytes.replace("\u{FFFD}\u{FFFD}\u{FFFD}", "\u{FFFD}")
}

/// A key of an object. Read as bytes, which unlike text may hold a lone surrogate.
struct Key<'de>(Cow<'de, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(KeyVisitor).map(Key)
    }
}

struct KeyVisitor;

impl<'de> Visitor<'de> for KeyVisitor {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
        Ok(String::from_utf8_lossy(bytes))
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        Ok(Cow::Owned(String::from_utf8_lossy(bytes).into_owned()))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

/// The part of an object that is read. Written by [`object!`].
pub(super) trait Fields: Default {
    /// Takes the value of `key`, or passes over it.
    fn take<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error>;
}

/// An object whose known keys are read; of a key that occurs twice the last counts, as everywhere in JSON.
#[derive(Debug, Default)]
pub(super) struct Object<T> {
    /// Whether there was an object at all.
    pub(super) given: bool,
    /// What was read of it.
    pub(super) fields: T,
}

impl<T> std::ops::Deref for Object<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.fields
    }
}

impl<'de, T: Fields> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Lenient(PhantomData))
    }
}

/// A list; a single object counts as a list of one. Of a very long list the beginning is kept.
#[derive(Debug, Default)]
pub(super) struct Many<T>(pub(super) Vec<T>);

const KEPT: usize = 200;

impl<'de, T: Fields> Deserialize<'de> for Many<Object<T>> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Lenient(PhantomData))
    }
}

/// The elements of an array; nothing if there are more than `most`.
pub(super) fn elements(array: &RawValue, most: usize) -> Option<Vec<&RawValue>> {
    struct Elements(usize);

    impl<'de> Visitor<'de> for Elements {
        type Value = Option<Vec<&'de RawValue>>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an array")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            let mut elements = Vec::new();
            while let Some(element) = seq.next_element()? {
                if elements.len() == self.0 {
                    while seq.next_element::<IgnoredAny>()?.is_some() {}
                    return Ok(None);
                }
                elements.push(element);
            }
            Ok(Some(elements))
        }
    }

    serde_json::Deserializer::from_str(array.get()).deserialize_seq(Elements(most)).ok().flatten()
}

/// The entries of an object whose keys are not known, in order, as texts.
#[derive(Debug, Default)]
pub(super) struct Entries(pub(super) Vec<(String, String)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Lenient(PhantomData))
    }
}

/// What can be made of an object or an array; of anything else its default is made.
trait Shape<'de>: Default {
    fn of_map<A: MapAccess<'de>>(map: A) -> Result<Self, A::Error>;

    fn of_seq<A: SeqAccess<'de>>(mut seq: A) -> Result<Self, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self::default())
    }
}

impl<'de, T: Fields> Shape<'de> for Object<T> {
    fn of_map<A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        let mut fields = T::default();
        while let Some(key) = map.next_key::<Key<'de>>()? {
            fields.take(&key.0, &mut map)?;
        }
        Ok(Self { given: true, fields })
    }
}

impl<'de, T: Fields> Shape<'de> for Many<Object<T>> {
    fn of_map<A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        Object::<T>::deserialize(MapAccessDeserializer::new(map)).map(|one| Self(vec![one]))
    }

    fn of_seq<A: SeqAccess<'de>>(mut seq: A) -> Result<Self, A::Error> {
        let mut many = Vec::new();
        while many.len() < KEPT {
            match seq.next_element()? {
                Some(one) => many.push(one),
                None => return Ok(Self(many)),
            }
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self(many))
    }
}

impl<'de> Shape<'de> for Entries {
    fn of_map<A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<Key<'de>>()? {
            let value: Text = map.next_value()?;
            if entries.len() < KEPT {
                entries.push((key.0.into_owned(), value.0));
            }
        }
        Ok(Self(entries))
    }
}

struct Lenient<T>(PhantomData<T>);

impl<'de, T: Shape<'de>> Visitor<'de> for Lenient<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::of_map(map)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<T, A::Error> {
        T::of_seq(seq)
    }

    fn visit_unit<E>(self) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_bool<E>(self, _: bool) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_u64<E>(self, _: u64) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_str<E>(self, _: &str) -> Result<T, E> {
        Ok(T::default())
    }
}

/// Declares which keys of an object are read, each into a field of its own.
macro_rules! object {
    ($(#[$meta:meta])* $name:ident { $($key:literal => $field:ident: $type:ty),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Default)]
        struct $name { $($field: $type),* }

        impl $crate::source::lenient::Fields for $name {
            fn take<'de, A: serde::de::MapAccess<'de>>(
                &mut self,
                key: &str,
                map: &mut A,
            ) -> Result<(), A::Error> {
                match key {
                    $($key => self.$field = map.next_value()?,)*
                    _ => { map.next_value::<serde::de::IgnoredAny>()?; }
                }
                Ok(())
            }
        }
    };
}
pub(super) use object;

/// The first text that is not empty.
pub(super) fn first<'a>(texts: impl IntoIterator<Item = &'a Text>) -> String {
    texts.into_iter().map(|text| text.0.trim()).find(|text| !text.is_empty()).unwrap_or_default().to_owned()
}

/// The text if it is an absolute http or https address, else nothing.
pub(super) fn web_address(text: String) -> String {
    match url::Url::parse(&text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => text,
        _ => String::new(),
    }
}

/// A path into a raw element, such as `error.metaData.customer.plan`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawPath(String);

/// Credentials of the sending app, which reach neither rules nor templates.
const CREDENTIALS: [&str; 2] = ["project.apiKey", "app.key"];

/// Why a text is not a path into a raw element.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RawPathError {
    /// It is empty, or has two dots in a row or one at an end.
    #[error("a path is made of steps with a dot between each two")]
    Step,
    /// It leads to a credential.
    #[error("a credential of the sending app is never available")]
    Credential,
}

impl RawPath {
    /// Takes `path`, its steps separated by dots.
    pub fn parse(path: &str) -> Result<Self, RawPathError> {
        if path.split('.').any(str::is_empty) {
            return Err(RawPathError::Step);
        }
        if CREDENTIALS.contains(&path) {
            return Err(RawPathError::Credential);
        }
        Ok(Self(path.to_owned()))
    }
}

impl fmt::Display for RawPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The scalars that `path` leads to in `raw`. A number steps into an array; a path that ends at an array means each
/// of its scalars; a key with dots in it is found as well.
pub fn find_raw(raw: &str, path: &RawPath) -> Vec<String> {
    let mut found = Vec::new();
    let mut deserializer = serde_json::Deserializer::from_str(raw);
    let step = Step { path: &path.0, found: &mut found };
    // The element was valid JSON when it came; if a part cannot be walked, it is not given.
    if step.deserialize(&mut deserializer).is_err() {
        found.clear();
    }
    found
}

/// Walks one step down the path, passing over everything else without looking.
struct Step<'a> {
    path: &'a str,
    found: &'a mut Vec<String>,
}

impl<'de> DeserializeSeed<'de> for Step<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?.get();
        match raw.as_bytes().first() {
            Some(b'{' | b'[') => {
                let mut inner = serde_json::Deserializer::from_str(raw);
                inner.deserialize_any(self).or(Ok(()))
            }
            _ if self.path.is_empty() => {
                self.found.extend(scalar(raw));
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl<'de> Visitor<'de> for Step<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or an array")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Key<'de>>()? {
            let rest = self.path.strip_prefix(&*key.0);
            match rest.and_then(|rest| if rest.is_empty() { Some("") } else { rest.strip_prefix('.') }) {
                Some(path) if !self.path.is_empty() => {
                    map.next_value_seed(Step { path, found: &mut *self.found })?;
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let (index, rest) = self.path.split_once('.').unwrap_or((self.path, ""));
        let wanted = index.parse::<usize>().ok();
        let mut place = 0;
        loop {
            let step = if self.path.is_empty() {
                // The end of the path is an array: each scalar in it counts, but not what lies deeper.
                match seq.next_element::<Text>()? {
                    Some(text) => {
                        self.found.extend((!text.0.is_empty()).then_some(text.0));
                        Some(())
                    }
                    None => None,
                }
            } else if wanted == Some(place) {
                seq.next_element_seed(Step { path: rest, found: &mut *self.found })?
            } else {
                seq.next_element::<IgnoredAny>()?.map(|_| ())
            };
            if step.is_none() {
                return Ok(());
            }
            place += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(json: &str, path: &str) -> Vec<String> {
        find_raw(json, &RawPath::parse(path).unwrap())
    }

    #[test]
    fn a_path_leads_to_scalars() {
        let json = r#"{"a":{"b":[1,{"c":"x"},["y"]],"d.e":true,"n":null},"a.b":"z"}"#;
        assert_eq!(raw(json, "a.b.0"), ["1"]);
        assert_eq!(raw(json, "a.b.1.c"), ["x"]);
        assert_eq!(raw(json, "a.d.e"), ["true"]);
        assert_eq!(raw(json, "a.b"), ["1", "z"]);
        assert!(raw(json, "a.n").is_empty() && raw(json, "a").is_empty() && raw(json, "q.w").is_empty());
    }

    #[test]
    fn a_credential_has_no_path() {
        assert_eq!(RawPath::parse("project.apiKey"), Err(RawPathError::Credential));
        assert_eq!(RawPath::parse("app.key"), Err(RawPathError::Credential));
        for no_path in ["", ".", "project.apiKey.", ".app.key", "app..key"] {
            assert_eq!(RawPath::parse(no_path), Err(RawPathError::Step), "{no_path}");
        }
    }

    #[test]
    fn a_text_may_be_any_scalar_and_may_be_cut_in_two() {
        let read = |json| serde_json::from_str::<Text>(json).unwrap().0;
        assert_eq!(read("12345678901234567890123"), "12345678901234567890123");
        assert_eq!(read("true"), "true");
        assert_eq!(read("null"), "");
        assert_eq!(read(r#""half \ud83d of it""#), "half \u{FFFD} of it");
        assert_eq!(read(&format!("{}1{}", "[".repeat(5000), "]".repeat(5000))), "");
    }
}
