//! A value that must not be seen: tokens and webhook addresses.
//!
//! It has no `Display`, its `Debug` says nothing, its memory is wiped when it is dropped. It is opened where the
//! configuration is checked, which keeps digests of tokens and checked addresses, and where a message is posted.

use secrecy::{ExposeSecret as _, SecretString};

/// Text that must not reach a log, an error, a metric or a page.
#[derive(Debug, Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Puts `text` into the box.
    pub fn new(text: impl Into<String>) -> Self {
        Self(SecretString::from(text.into()))
    }

    /// Opens the box. Whoever calls this answers for where the text goes.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_says_nothing() {
        assert!(!format!("{:?}", Secret::new("hunter2")).contains("hunter2"));
    }
}
