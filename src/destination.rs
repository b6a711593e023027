//! A configured room in a chat, and the seam between bugle and the platforms.
//!
//! A platform knows its limits, composes a [`Message`] into its own body so that nothing in it can act, and judges
//! its own answers. It does no I/O: [`client`] is the only place that sends.

pub mod client;
mod discord;
mod draft;
mod layout;
mod native;
mod probe;
mod prose;
mod reply;
mod simplest;
mod slack;
mod teams;

#[cfg(test)]
mod conformance;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize as _;
use serde::de::Deserializer;
use url::Url;

use crate::delivery::Verdict;
use crate::flood::FloodControl;
use crate::message::{Mention, Message};
use crate::name::DestinationName;
use crate::secret::Secret;
use crate::template::{Inline, Native};

pub use client::Client;
pub use native::NativeError;
pub use probe::{Probe, Probed};
pub use reply::Reply;

/// What a chat product takes, and how it answers.
pub trait Platform: Debug + Send + Sync {
    /// What it is called in the configuration: the `type` of a destination.
    fn product(&self) -> &'static str;

    /// The hosts it serves webhooks on; a leading `*.` stands for any sub-domain.
    fn hosts(&self) -> &'static [&'static str];

    /// Whether `url`, on one of [`Platform::hosts`], has the shape of a webhook; else what is wrong with it and what
    /// to do, as a sentence without the address.
    fn check_url(&self, url: &Url) -> Result<(), String>;

    /// The address to post to, made from the configured one, which is kept byte for byte but for what the platform
    /// needs. `_own_host` says whether it lies on one of [`Platform::hosts`].
    fn address(&self, configured: &str, _own_host: bool) -> String {
        configured.to_owned()
    }

    /// The pace that can never exceed the platform's published limits.
    fn pace(&self) -> Pace;

    /// Which destinations share one pace, where the platform limits more than the single webhook.
    fn pace_group(&self, _url: &Url) -> Option<String> {
        None
    }

    /// The body of the request: the message with its mentions in the platform's form, every limit kept.
    fn compose(&self, message: &Message, mentions: &[Mention]) -> serde_json::Value;

    /// The body of the request for a message that the platform has refused in full: in plain words what happened, where
    /// to look, and which event it is, in the fewest parts the platform has; the mentions are still made.
    fn compose_simplest(&self, message: &Message, mentions: &[Mention]) -> serde_json::Value;

    /// Whether native templates for its product are meant for this destination.
    fn takes_native(&self) -> bool {
        true
    }

    /// The body of the request that a native template has made, its values filled in, with the mentions in the platform's
    /// form. `thread` is what to call the thread that it opens, see [`Platform::thread_name`].
    fn fill(
        &self,
        native: &Native,
        mentions: &[Mention],
        thread: &str,
    ) -> Result<serde_json::Value, NativeError>;

    /// Whether the platform has a form for `mention`; for a warning at load.
    fn can_mention(&self, mention: &Mention) -> bool;

    /// What to call the thread that a message opens, where the destination is set up so.
    fn thread_name(&self) -> Option<&Inline> {
        None
    }

    /// What an answer means.
    fn judge(&self, reply: &Reply) -> Verdict;

    /// How to ask about a webhook without posting anything, where its platform has a way.
    fn probe(&self) -> Option<Probe> {
        None
    }

    /// What the answer to [`Platform::probe`] means.
    fn judge_probe(&self, reply: &Reply) -> Probed {
        Probed::Not(self.judge(reply))
    }
}

/// The platforms, as `type` names them.
pub const PRODUCTS: [&str; 3] = ["slack", "teams", "discord"];

/// Makes the platform of `product` from its own options; nothing for an unknown product.
///
/// A new platform is a file of its own and a line here.
pub fn platform<'de, D: Deserializer<'de>>(
    product: &str,
    options: D,
) -> Option<Result<Arc<dyn Platform>, D::Error>> {
    Some(match product {
        "slack" => slack::Options::deserialize(options).map(|options| Arc::new(options) as _),
        "teams" => teams::Options::deserialize(options).map(|options| Arc::new(options) as _),
        "discord" => discord::Options::deserialize(options).map(|options| Arc::new(options) as _),
        _ => return None,
    })
}

/// How many messages in how long.
///
/// In any span of `per` no more than `count` pass, a burst included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Messages that may pass in `per`.
    pub count: u32,
    /// The span.
    pub per: Duration,
    /// How many of them may pass at once.
    pub burst: u32,
}

/// A configured room in a chat.
#[derive(Debug, Clone)]
pub struct Destination {
    /// Its name in the configuration.
    pub name: DestinationName,
    /// The chat product.
    pub platform: Arc<dyn Platform>,
    /// Where to post: the secret.
    pub address: Address,
    /// Its pace, and the name of the group that shares it.
    pub pace: Pace,
    /// Destinations of one group share one pace; by default each is its own.
    pub pace_group: String,
    /// When to try again, and when to give up.
    pub retry: Retry,
    /// How long a post may take.
    pub timeout: Duration,
    /// Who hears of things instead when this destination cannot.
    pub fallback: Option<Fallback>,
    /// What keeps a burst of events from becoming a burst of messages.
    pub flood: FloodControl,
}

/// Where deliveries move when their destination is gone or has been failing for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fallback {
    /// The other destination.
    pub to: DestinationName,
    /// How long the destination must have been failing.
    pub after: Duration,
}

impl Destination {
    /// How to ask about its webhook without posting anything; nothing where there is no way, or where somebody else than
    /// the platform itself answers, who might show what the platform does not.
    pub fn probe(&self) -> Option<Probe> {
        if self.address.own_host { self.platform.probe() } else { None }
    }

    /// Whether everything about it is as in `other`. What a platform's options are, its [`Debug`] shows in full: it is
    /// derived, and none of them is a secret.
    pub fn is_same(&self, other: &Self) -> bool {
        let Self { name, platform, address, pace, pace_group, retry, timeout, fallback, flood } = self;
        *name == other.name
            && format!("{platform:?}") == format!("{:?}", other.platform)
            && address.fingerprint() == other.address.fingerprint()
            && *pace == other.pace
            && *pace_group == other.pace_group
            && *retry == other.retry
            && *timeout == other.timeout
            && *fallback == other.fallback
            && *flood == other.flood
    }
}

/// When to try again after a passing failure, and when to stop trying.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// The delay after the first failure, before jitter.
    pub first: Duration,
    /// The longest delay.
    pub most: Duration,
    /// How long after acceptance a delivery becomes a dead letter.
    pub give_up_after: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            most: Duration::from_mins(10),
            give_up_after: Duration::from_hours(3 * 24),
        }
    }
}

/// The address of a webhook. It is the credential: whoever has it can post.
#[derive(Debug, Clone)]
pub struct Address {
    url: Secret,
    own_host: bool,
}

impl Address {
    /// Boxes an address that has been checked.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: Secret::new(url), own_host: false }
    }

    /// The same, known to be that of a webhook on one of the platform's own hosts.
    #[must_use]
    pub fn on_own_host(self) -> Self {
        Self { own_host: true, ..self }
    }

    /// A digest that tells whether the address has changed, without telling the address.
    pub fn fingerprint(&self) -> [u8; 32] {
        crate::event::digest(&[self.url.expose()])
    }

    /// The address itself; for [`client`] alone.
    fn expose(&self) -> &str {
        self.url.expose()
    }
}
