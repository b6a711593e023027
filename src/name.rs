//! Names that had to be parsed: of sources, destinations and rules. Once one exists it needs no further check. And of
//! names that are wrong, the one that was probably meant.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Why a text is not a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// There is nothing in it.
    #[error("a name must not be empty")]
    Empty,
    /// It has a character that names do not have. Environment variables are lower-cased on their way into the
    /// configuration, so a name with capitals could never be set from one.
    #[error("a name is made of a-z, 0-9, `-` and `_`")]
    Character,
    /// It has a line break or another control character.
    #[error("a name is one line of text")]
    Control,
    /// It has `__`, which separates the levels in an environment variable.
    #[error("a name must not have a double underscore, which separates levels in environment variables")]
    DoubleUnderscore,
    /// It is too long to be read.
    #[error("a name has at most {0} characters")]
    Long(usize),
}

macro_rules! slug {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes `text` as a name: `[a-z0-9_-]+`, without a double underscore, at most 64 characters.
            pub fn new(text: &str) -> Result<Self, NameError> {
                if text.is_empty() {
                    return Err(NameError::Empty);
                }
                if !text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_') {
                    return Err(NameError::Character);
                }
                if text.contains("__") {
                    return Err(NameError::DoubleUnderscore);
                }
                if text.len() > 64 {
                    return Err(NameError::Long(64));
                }
                Ok(Self(Arc::from(text)))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                Self::new(&text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.as_str().to_owned()
            }
        }
    };
}

slug! {
    /// The name of a configured source: a door that a tracker calls.
    SourceName
}
slug! {
    /// The name of a configured destination: a room in a chat.
    DestinationName
}

impl SourceName {
    /// The name under which bugle speaks of itself; no configured source has it.
    pub fn own() -> Self {
        Self(Arc::from("bugle"))
    }

    /// The name of a source that cannot be told any more.
    pub fn unknown() -> Self {
        Self(Arc::from("unknown"))
    }
}

/// The name of a rule: a sentence, unique among the rules.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleName(Arc<str>);

impl RuleName {
    /// Takes `text` as a rule's name: one line, at most 200 characters.
    pub fn new(text: &str) -> Result<Self, NameError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text.chars().any(char::is_control) {
            return Err(NameError::Control);
        }
        if text.chars().count() > 200 {
            return Err(NameError::Long(200));
        }
        Ok(Self(Arc::from(text)))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The candidate that `word` probably stands for: a slip or two away from it, or the same but for more letters.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| text.to_lowercase().replace(['-', '_', ' ', '.'], "");
    let word = plain(word);
    let slips = 1 + word.chars().count() / 4;
    let near = candidates.into_iter().filter_map(|candidate| {
        let other = plain(candidate);
        let distance = strsim::damerau_levenshtein(&word, &other);
        let extended =
            word.len() >= 3 && other.len() >= 3 && (word.starts_with(&other) || other.starts_with(&word));
        let near = distance <= slips && distance < other.chars().count();
        (near || extended).then_some((distance, candidate))
    });
    near.min_by_key(|(distance, _)| *distance).map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_name_and_something_else_finds_none() {
        let names = ["listen", "max_body", "public_url", "url"];
        assert_eq!(nearest("lisen", names), Some("listen"));
        assert_eq!(nearest("MaxBody", names), Some("max_body"));
        assert_eq!(nearest("urll", names), Some("url"));
        assert_eq!(nearest("public", names), Some("public_url"));
        assert_eq!(nearest("colour", names), None);
        assert_eq!(nearest("x", ["y"]), None);
    }

    #[test]
    fn names_are_lower_case_and_have_no_double_underscore() {
        assert!(SourceName::new("backend-2_eu").is_ok());
        assert_eq!(SourceName::new(""), Err(NameError::Empty));
        assert_eq!(SourceName::new("Backend"), Err(NameError::Character));
        assert_eq!(SourceName::new("a__b"), Err(NameError::DoubleUnderscore));
        assert_eq!(SourceName::new(&"a".repeat(65)), Err(NameError::Long(64)));
    }
}
