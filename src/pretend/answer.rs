//! What a pretend server answers, and the ways in which it can fail to.

use std::time::Duration;

use serde_json::Value;

/// An HTTP answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Headers beyond `Content-Length`.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// How long to wait before it is sent.
    pub delay: Duration,
    /// Why, for whoever reads a failed test: platforms are often silent about it. Not sent.
    pub why: String,
}

impl Answer {
    /// An answer without a body.
    pub fn empty(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    /// An answer of plain text.
    pub fn text(status: u16, body: &str) -> Self {
        Self { body: body.as_bytes().to_vec(), ..Self::empty(status) }.with("Content-Type", "text/html")
    }

    /// An answer in JSON.
    pub fn json(status: u16, body: &Value) -> Self {
        Self { body: body.to_string().into_bytes(), ..Self::empty(status) }
            .with("Content-Type", "application/json")
    }

    /// The same with a further header.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// The same, sent only after `delay`.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// The same, with the reason for it.
    #[must_use]
    pub fn because(mut self, why: impl Into<String>) -> Self {
        self.why = why.into();
        self
    }

    /// The body as text, for tests and messages.
    pub fn body_text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// What a script has a pretend server do with a request that it has read in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Behaviour {
    /// As the platform would.
    Normal,
    /// As the platform would, but only after this time: a client that gave up was posted all the same.
    Late(Duration),
    /// This answer, whatever was asked.
    Answer(Answer),
    /// No answer, on a connection that stays open.
    Hang,
    /// No answer, and the connection is closed in good order.
    Close,
    /// No answer, and the connection is reset.
    Reset,
    /// The first half of this answer, and the connection is closed.
    Half(Answer),
    /// This answer byte by byte, with a pause before each.
    Drip(Answer, Duration),
    /// This answer with its body followed by so many more bytes.
    Flood(Answer, usize),
}
