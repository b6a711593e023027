//! The only outgoing HTTP: time limits, size limits, no redirects, and no address in any error.

use std::time::Duration;

use reqwest::RequestBuilder;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::redirect::Policy;

use crate::clock::Clock;
use crate::delivery::{Outcome, Reason, Verdict};
use crate::destination::{Destination, Probe, Reply};

/// More of an answer than this is never read: the longest that a platform explains itself in is far shorter.
const ANSWER_LIMIT: usize = 64 << 10;

/// How long a connection may take to be made, within the destination's own time limit.
const CONNECT: Duration = Duration::from_secs(5);

/// Posts messages.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    clock: Clock,
}

/// There is no TLS, or no certificates to trust.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client cannot be made")]
pub struct ClientError(#[source] reqwest::Error);

impl Client {
    /// A client with connections of its own.
    pub fn new(clock: Clock) -> Result<Self, ClientError> {
        let http = reqwest::Client::builder()
            .user_agent(concat!("bugle/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            // So each attempt has a connection of its own. Over HTTP/2 all destinations on a host would share one, and
            // one that is stuck would be all of theirs.
            .http1_only()
            .retry(reqwest::retry::never())
            .connect_timeout(CONNECT)
            .pool_idle_timeout(Duration::from_mins(1))
            .build()
            .map_err(|error| ClientError(error.without_url()))?;
        Ok(Self { http, clock })
    }

    /// Posts `body` to `destination`. Without an answer there is a verdict at once: whether the message may have
    /// arrived depends on how far it got.
    pub async fn post(&self, destination: &Destination, body: Vec<u8>) -> Result<Reply, Verdict> {
        let request = self.request(destination.address.expose(), body);
        self.send(request.timeout(destination.timeout)).await
    }

    /// Asks about the webhook of `destination` by a `probe` of its platform, which may take as long as `patience`.
    /// Nothing is posted.
    pub async fn probe(
        &self,
        destination: &Destination,
        probe: &Probe,
        patience: Duration,
    ) -> Result<Reply, Verdict> {
        let address = destination.address.expose();
        let request = match probe {
            Probe::Read => self.http.get(address.split_once('?').map_or(address, |(path, _)| path)),
            Probe::Refusable(body) => self.request(address, body.to_string().into_bytes()),
        };
        self.send(request.timeout(patience)).await
    }

    fn request(&self, address: &str, body: Vec<u8>) -> RequestBuilder {
        let json = HeaderValue::from_static("application/json; charset=utf-8");
        self.http.post(address).header(CONTENT_TYPE, json).body(body)
    }

    async fn send(&self, request: RequestBuilder) -> Result<Reply, Verdict> {
        match request.send().await {
            Ok(response) => Ok(self.read(response).await),
            Err(error) => Err(without_answer(&error)),
        }
    }

    async fn read(&self, mut response: reqwest::Response) -> Reply {
        let status = response.status().as_u16();
        let headers = response
            .headers()
            .iter()
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
            .collect();
        let mut body = Vec::new();
        let complete = loop {
            match response.chunk().await {
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => break true,
                Err(_) => break false,
            }
            if body.len() >= ANSWER_LIMIT {
                body.truncate(ANSWER_LIMIT);
                break true;
            }
        };
        let body = String::from_utf8_lossy(&body).into_owned();
        Reply { status, headers, body, complete, at: self.clock.now() }
    }
}

/// What it means that no answer came. Before a connection was made nothing can have arrived; after that it may have.
fn without_answer(error: &reqwest::Error) -> Verdict {
    let (outcome, reason, words) = if error.is_connect() {
        (Outcome::Passing, Reason::Connect, "no connection could be made")
    } else if error.is_timeout() {
        (Outcome::Unclear, Reason::Timeout, "no answer in time")
    } else if error.is_builder() {
        (Outcome::Refused, Reason::Internal, "the request could not be made")
    } else {
        (Outcome::Unclear, Reason::Broken, "the connection broke before the answer")
    };
    let words = match root_cause(error) {
        Some(cause) => format!("{words}: {cause}"),
        None => words.to_owned(),
    };
    Verdict::new(outcome, reason, words)
}

/// The innermost cause, such as "Connection refused": the ones around it name the address.
fn root_cause(error: &reqwest::Error) -> Option<String> {
    let mut cause = std::error::Error::source(error)?;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    let text = cause.to_string();
    (!text.contains("://")).then_some(text)
}
