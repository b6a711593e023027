//! A request as a pretend server read it.

use serde_json::Value;
use url::form_urlencoded;

/// An HTTP request with its whole body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// The method, in capitals.
    pub method: String,
    /// The path, as it was sent.
    pub path: String,
    /// The query, as it was sent, without the `?`.
    pub query: String,
    /// Header names in lower case, with their values.
    pub headers: Vec<(String, String)>,
    /// The body, with any chunked coding undone.
    pub body: Vec<u8>,
}

impl Request {
    /// A POST of JSON as bugle itself would send it; for trying a judgement without a wire.
    pub fn post(path: &str, query: &str, body: &Value) -> Self {
        let headers = [("content-type", "application/json; charset=utf-8"), ("user-agent", "bugle")];
        Self {
            method: "POST".to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
            body: body.to_string().into_bytes(),
        }
    }

    /// Path and query, as they stood in the request line.
    pub fn target(&self) -> String {
        if self.query.is_empty() { self.path.clone() } else { format!("{}?{}", self.path, self.query) }
    }

    /// The value of the header `name`, which is given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The decoded value of the query parameter `name`.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let mut pairs = form_urlencoded::parse(self.query.as_bytes());
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    /// Whether it says that its body is JSON.
    pub fn says_json(&self) -> bool {
        let kind = self.header("content-type").unwrap_or_default();
        kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
    }

    /// The body, if it is JSON.
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }
}
