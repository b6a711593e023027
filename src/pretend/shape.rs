//! Walking through a JSON body while remembering where one is, so that a fault can be named by its place.

use std::fmt;
use std::ops::RangeInclusive;

use serde_json::{Map, Value};

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// Dotted, as `embeds.0.title`; empty for the body itself.
    pub(super) path: String,
    /// What is wrong there.
    pub(super) words: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, words } = self;
        if path.is_empty() { write!(f, "the body {words}") } else { write!(f, "{path} {words}") }
    }
}

pub(super) type Checked<T = ()> = Result<T, Fault>;

/// A value and the way to it.
#[derive(Debug, Clone)]
pub(super) struct Place<'a> {
    pub(super) path: String,
    pub(super) value: &'a Value,
}

impl<'a> Place<'a> {
    pub(super) fn root(value: &'a Value) -> Self {
        Self { path: String::new(), value }
    }

    /// The member `key`; nothing if it is absent or null, which all three platforms take for the same.
    pub(super) fn at(&self, key: &str) -> Option<Self> {
        let value = self.value.get(key).filter(|value| !value.is_null())?;
        Some(Self { path: self.below(key), value })
    }

    pub(super) fn need(&self, key: &str) -> Checked<Self> {
        self.at(key).ok_or_else(|| Fault { path: self.below(key), words: "is missing".to_owned() })
    }

    pub(super) fn object(&self) -> Checked<&'a Map<String, Value>> {
        self.value.as_object().ok_or_else(|| self.fault("is not an object"))
    }

    /// The elements of a list whose length lies in `allowed`.
    pub(super) fn list(&self, allowed: RangeInclusive<usize>) -> Checked<Vec<Self>> {
        let list = self.value.as_array().ok_or_else(|| self.fault("is not a list"))?;
        if !allowed.contains(&list.len()) {
            return Err(self.fault(format!("has {} elements, allowed are {allowed:?}", list.len())));
        }
        let places = list.iter().enumerate();
        Ok(places.map(|(index, value)| Self { path: self.below(&index.to_string()), value }).collect())
    }

    pub(super) fn text(&self) -> Checked<&'a str> {
        self.value.as_str().ok_or_else(|| self.fault("is not a text"))
    }

    /// A text whose length, as `count` has it, lies in `allowed`.
    pub(super) fn sized(&self, allowed: RangeInclusive<usize>, count: fn(&str) -> usize) -> Checked<&'a str> {
        let text = self.text()?;
        let length = count(text);
        if allowed.contains(&length) {
            Ok(text)
        } else {
            Err(self.fault(format!("has {length} characters, allowed are {allowed:?}")))
        }
    }

    /// One of the words that the platform knows, in any case of letters.
    pub(super) fn word(&self, known: &[&str]) -> Checked<&'a str> {
        let text = self.text()?;
        if known.iter().any(|word| word.eq_ignore_ascii_case(text)) {
            Ok(text)
        } else {
            Err(self.fault(format!("is {text:?}, known are {}", known.join(", "))))
        }
    }

    pub(super) fn flag(&self) -> Checked<bool> {
        self.value.as_bool().ok_or_else(|| self.fault("is neither true nor false"))
    }

    pub(super) fn whole(&self) -> Checked<u64> {
        self.value.as_u64().ok_or_else(|| self.fault("is not a whole number"))
    }

    /// Checks that no member but `known` is there.
    pub(super) fn only(&self, known: &[&str]) -> Checked {
        match self.object()?.keys().find(|key| !known.contains(&key.as_str())) {
            Some(key) => Err(self.fault(format!("has the unknown member {key:?}"))),
            None => Ok(()),
        }
    }

    pub(super) fn fault(&self, words: impl Into<String>) -> Fault {
        Fault { path: self.path.clone(), words: words.into() }
    }

    fn below(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}
