//! Pretend chat servers: real HTTP on loopback, as strict as the platforms themselves, for `bugle demo` and for tests.
//!
//! A [`Pretend`] checks every request as its platform documents it and answers with the platform's own words, so that
//! a body which it shows is one that the platform would show. Answers can be scripted, from a polite 429 to a reset
//! connection. Each runs in a thread of its own: neither a test's paused clock nor a busy runtime slows it.
//!
//! Where a platform is known to take a body and then not to show it (Teams does that inside its flow), the pretend
//! server refuses it outright: a message that nobody can see is what it is there to find.

mod answer;
mod discord;
mod rate;
mod request;
mod server;
mod shape;
mod slack;
mod teams;
mod tracker;
mod wire;

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::clock::Clock;

pub use answer::{Answer, Behaviour};
pub use request::Request;
pub use tracker::post;

/// The chat product that a [`Pretend`] plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Product {
    /// Slack's incoming webhooks.
    Slack,
    /// Microsoft Teams, a workflow's webhook.
    Teams,
    /// Discord's webhooks.
    Discord,
}

impl Product {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Slack, Self::Teams, Self::Discord];

    /// What it is called in the configuration: the `type` of a destination.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Slack => "slack",
            Self::Teams => "teams",
            Self::Discord => "discord",
        }
    }
}

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Slack => "Slack",
            Self::Teams => "Microsoft Teams",
            Self::Discord => "Discord",
        })
    }
}

/// The webhook that a pretend server knows; any other address is unknown to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// The path, from its first slash.
    pub path: String,
    /// The query that belongs to it, without the `?`; empty for all but Teams.
    pub query: String,
    /// Whether it leads to a Discord forum, where each message needs a thread.
    pub forum: bool,
}

impl Webhook {
    /// A webhook of `product` that nobody else has.
    pub fn fresh(product: Product) -> Self {
        let (id, secret) = (Uuid::new_v4(), Uuid::new_v4().simple());
        let (path, query) = match product {
            Product::Slack => {
                (format!("/services/T0PRETEND/B{:08X}/{secret}", id.as_fields().0), String::new())
            }
            Product::Teams => (
                format!(
                    "/powerautomate/automations/direct/workflows/{}/triggers/manual/paths/invoke",
                    id.simple()
                ),
                format!("api-version=1&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig={secret}"),
            ),
            Product::Discord => {
                let number = 1_000_000_000_000_000_000 + (id.as_u64_pair().0 >> 8);
                (format!("/api/v10/webhooks/{number}/{secret}{}", Uuid::new_v4().simple()), String::new())
            }
        };
        Self { path, query, forum: false }
    }

    /// What `request` would be answered by `product` if it came to this webhook as the `number`th. Pure.
    pub fn judge(&self, product: Product, request: &Request, number: u64) -> Answer {
        match product {
            Product::Slack => slack::judge(self, request),
            Product::Teams => teams::judge(self, request, number),
            Product::Discord => discord::judge(self, request, number),
        }
    }
}

/// Whom `body` would mention if `product` showed it, in the platform's own notation.
///
/// Where a platform's rules are not settled, this takes the side of the ping: what is empty here is quiet there.
pub fn pings(product: Product, body: &Value) -> Vec<String> {
    match product {
        Product::Slack => slack::pings(body),
        Product::Teams => teams::pings(body),
        Product::Discord => discord::pings(body),
    }
}

/// A request as a pretend server took it, and what it did about it.
#[derive(Debug)]
pub struct Received {
    /// The request.
    pub request: Request,
    /// Its body, if it is JSON.
    pub json: Option<Value>,
    /// Whom it would have mentioned, had it been shown.
    pub pings: Vec<String>,
    /// What was answered; nothing where the script says that no answer comes.
    pub answer: Option<Answer>,
    /// When it had been read.
    pub at: Instant,
    /// The same by the server's own clock.
    pub passed: Duration,
}

impl Received {
    /// Whether people in the channel see it.
    pub fn is_shown(&self) -> bool {
        self.answer.as_ref().is_some_and(|answer| (200..300).contains(&answer.status))
    }
}

/// What Teams takes from one person in any five minutes, over all of that person's webhooks. It answers what is beyond
/// like everything else, and does not show it.
pub const CEILING: (usize, Duration) = (25, Duration::from_mins(5));

/// The most requests that `chats`, which share a clock, got together within any `span`.
pub fn most_within(chats: &[&Pretend], span: Duration) -> usize {
    let mut times: Vec<Duration> =
        chats.iter().flat_map(|chat| chat.received()).map(|received| received.passed).collect();
    times.sort_unstable();
    let since = |end: usize, at: Duration| {
        let before = times.iter().take(end).rev();
        before.take_while(|other| at.saturating_sub(**other) < span).count()
    };
    times.iter().enumerate().map(|(index, at)| since(index + 1, *at)).max().unwrap_or(0)
}

/// Fewer requests than awaited arrived in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the pretend server has {have} requests after {patience:?}, which is not what was awaited")]
pub struct TooFewError {
    /// How many there are.
    pub have: usize,
    /// How long was waited.
    pub patience: Duration,
}

/// A chat server on loopback, with one webhook. Stops when it is dropped.
#[derive(Debug)]
pub struct Pretend {
    product: Product,
    address: SocketAddr,
    shared: Arc<server::Shared>,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Pretend {
    /// Starts a server that plays `product`, on a free port of loopback.
    pub fn start(product: Product) -> io::Result<Self> {
        Self::start_by(Clock::system(), product)
    }

    /// The same with limits that count by `clock`.
    pub fn start_by(clock: Clock, product: Product) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(server::Shared::new(product, clock));
        let stop = CancellationToken::new();
        let (for_thread, until) = (Arc::clone(&shared), stop.clone());
        let thread = thread::Builder::new()
            .name(format!("pretend-{}", product.as_str()))
            .spawn(move || server::run(listener, &for_thread, &until))?;
        Ok(Self { product, address, shared, stop, thread: Some(thread) })
    }

    /// The product that it plays.
    pub fn product(&self) -> Product {
        self.product
    }

    /// `host:port`, as the configuration's `allowed_hosts` takes it.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// The webhook's address, to be configured as a destination's `url`.
    pub fn url(&self) -> String {
        let Webhook { path, query, .. } = self.shared.webhook();
        let mark = if query.is_empty() { "" } else { "?" };
        format!("http://{}{path}{mark}{query}", self.address)
    }

    /// Everything that came so far, refused or not, in order of arrival.
    pub fn received(&self) -> Vec<Arc<Received>> {
        self.shared.received().borrow().clone()
    }

    /// How many requests came so far.
    pub fn count(&self) -> usize {
        self.shared.received().borrow().len()
    }

    /// Waits until `count` requests have come; gives all that are there then.
    pub async fn wait_for(
        &self,
        count: usize,
        patience: Duration,
    ) -> Result<Vec<Arc<Received>>, TooFewError> {
        self.wait_until(patience, |received| received.len() >= count).await
    }

    /// Waits until `enough` says so of all that came; asked anew at each arrival.
    pub async fn wait_until(
        &self,
        patience: Duration,
        mut enough: impl FnMut(&[Arc<Received>]) -> bool,
    ) -> Result<Vec<Arc<Received>>, TooFewError> {
        let mut arrivals = self.shared.received().subscribe();
        let waited = timeout(patience, arrivals.wait_for(|received| enough(received))).await;
        match waited {
            Ok(Ok(received)) => Ok(received.clone()),
            Ok(Err(_)) | Err(_) => Err(TooFewError { have: self.count(), patience }),
        }
    }

    /// A view on what arrives, for who wants to follow it.
    pub fn follow(&self) -> watch::Receiver<Vec<Arc<Received>>> {
        self.shared.received().subscribe()
    }

    /// Answers the next requests by `script`, one after the other, and then as before.
    pub fn script(&self, script: impl IntoIterator<Item = Behaviour>) {
        self.shared.script(script);
    }

    /// Answers every request by `behaviour` once the script is used up, until [`Pretend::recover`].
    pub fn always(&self, behaviour: Behaviour) {
        self.shared.always(Some(behaviour));
    }

    /// Forgets script and standing behaviour: from now on it answers as the platform does.
    pub fn recover(&self) {
        self.shared.recover();
    }

    /// Whether to keep the platform's rate limits and to answer 429 beyond them; off at first.
    pub fn keep_rates(&self, keep: bool) {
        self.shared.keep_rates(keep);
    }

    /// Keeps also the limits that count for minutes: Discord's for the channel, whatever its webhook has been told.
    pub fn keep_all_rates(&self) {
        self.shared.keep_all_rates();
    }

    /// Makes the webhook's channel a Discord forum, or an ordinary channel again.
    pub fn forum(&self, forum: bool) {
        self.shared.forum(forum);
    }

    /// Stops serving: its port refuses connections from here on. What it received can still be read.
    pub fn stop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so itself, and has stopped as well.
            drop(thread.join());
        }
    }
}

impl Drop for Pretend {
    fn drop(&mut self) {
        self.stop();
    }
}

#[cfg(test)]
mod tests;
