//! A configured door: who may call, and how a tracker's body becomes events.
//!
//! Verification comes before a byte of the body is read; reading never fails on valid JSON. A tracker answers for one
//! product's shapes and does no I/O. A new one is a file of its own and a line in [`tracker`].

mod bugfender;
mod bugsnag;
mod credential;
pub mod lenient;
mod own;

use std::fmt::Debug;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use serde::Deserialize as _;
use serde::de::Deserializer;
use serde_json::value::RawValue;

use crate::event::Event;
use crate::name::SourceName;

pub use credential::{Offered, Token, credential};
pub use own::{Fact, OWN, Own};

/// What a tracker's product sends, and how it is read.
pub trait Tracker: Debug + Send + Sync {
    /// What it is called in the configuration: the `type` of a source.
    fn product(&self) -> &'static str;

    /// The triggers it is known to send, in its own words.
    fn triggers(&self) -> &'static [&'static str];

    /// Reads one element of a body; nothing if it has nothing that this product sends.
    fn read(&self, source: &SourceName, element: &RawValue, kind: Option<&str>) -> Option<Event>;
}

/// The products, as `type` names them.
pub const PRODUCTS: [&str; 2] = ["bugsnag", "bugfender"];

/// Makes the tracker of `product` from its own options; nothing for an unknown product.
pub fn tracker<'de, D: Deserializer<'de>>(
    product: &str,
    options: D,
) -> Option<Result<Arc<dyn Tracker>, D::Error>> {
    Some(match product {
        "bugsnag" => bugsnag::Options::deserialize(options).map(|options| Arc::new(options) as _),
        "bugfender" => bugfender::Options::deserialize(options).map(|options| Arc::new(options) as _),
        _ => return None,
    })
}

/// The tracker of `product` as it is without options, to read a stored element again; also of [`OWN`], which is no
/// product that a source can have.
pub fn plain_tracker(product: &str) -> Option<Arc<dyn Tracker>> {
    match product {
        OWN => Some(Arc::new(own::Reader)),
        "bugsnag" => Some(Arc::new(bugsnag::Options::default())),
        "bugfender" => Some(Arc::new(bugfender::Options::default())),
        _ => None,
    }
}

/// A configured door.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its name: the address is `/hooks/<name>/<token>`.
    pub name: SourceName,
    /// The product that calls.
    pub tracker: Arc<dyn Tracker>,
    /// The tokens that open it; two may be live at once.
    pub tokens: Vec<Token>,
    /// The networks it may be called from; empty: any.
    pub allow_from: Vec<IpNet>,
}

/// Why a sender is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RejectError {
    /// The sender's address is not in `allow_from`.
    #[error("the sender's address is not among those allowed for this source")]
    Forbidden,
    /// No token, or none that opens this door.
    #[error("the token is missing or wrong")]
    Unauthorized,
}

/// A request whose sender is proved.
#[derive(Debug, Clone, Copy)]
pub struct Verified<'a> {
    source: &'a Source,
}

impl Source {
    /// Proves the sender: first where it calls from, then that it has the token. `sender` is nothing if the address
    /// could not be told, as with a forged `X-Forwarded-For`.
    pub fn verify(&self, sender: Option<IpAddr>, offered: Offered<'_>) -> Result<Verified<'_>, RejectError> {
        if !self.allow_from.is_empty() {
            let sender = sender.map(|address| address.to_canonical());
            if !sender.is_some_and(|sender| self.allow_from.iter().any(|net| net.contains(&sender))) {
                return Err(RejectError::Forbidden);
            }
        }
        if offered.opens(&self.tokens) {
            Ok(Verified { source: self })
        } else {
            Err(RejectError::Unauthorized)
        }
    }
}

impl Source {
    /// Takes a payload for this source's own without proof: for one that lies in a file, and that nobody sent.
    pub fn trusted(&self) -> Verified<'_> {
        Verified { source: self }
    }
}

/// Why a body is no webhook's.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// It is not text in UTF-8.
    #[error("the body is not UTF-8")]
    NotUtf8,
    /// It is not JSON.
    #[error("the body is not JSON (line {line}, column {column})")]
    NotJson {
        /// The line of the first mistake.
        line: usize,
        /// The column of the first mistake.
        column: usize,
    },
    /// It is a bare text, number, true, false or null.
    #[error("the body is a bare JSON value, not an object or an array")]
    Scalar,
}

/// No tracker sends more than this in one call; an array with more elements is kept whole, as one unreadable event,
/// so that a few megabytes of nothing do not become a million rows.
const ELEMENTS: usize = 10_000;

impl Verified<'_> {
    /// Reads the events out of a body. `kind` is the address's `?type=`, for formats that do not say what they are.
    ///
    /// Every object, and every element of an array, becomes an event: what cannot be read becomes one with the
    /// trigger [`UNREADABLE`](crate::event::UNREADABLE).
    pub fn parse(self, body: &[u8], kind: Option<&str>) -> Result<Vec<Event>, BodyError> {
        let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
        let body = std::str::from_utf8(body).or(Err(BodyError::NotUtf8))?;
        let whole: &RawValue = serde_json::from_str(body)
            .map_err(|error| BodyError::NotJson { line: error.line(), column: error.column() })?;
        match whole.get().as_bytes().first() {
            Some(b'{') => Ok(vec![self.read(whole, kind)]),
            Some(b'[') => Ok(match lenient::elements(whole, ELEMENTS) {
                Some(elements) => elements.into_iter().map(|element| self.read(element, kind)).collect(),
                None => vec![self.unreadable(whole)],
            }),
            _ => Err(BodyError::Scalar),
        }
    }

    fn read(self, element: &RawValue, kind: Option<&str>) -> Event {
        let Source { name, tracker, .. } = self.source;
        tracker.read(name, element, kind).unwrap_or_else(|| self.unreadable(element))
    }

    fn unreadable(self, element: &RawValue) -> Event {
        Event::unreadable(self.source.name.clone(), self.source.tracker.product(), element.get())
    }
}

#[cfg(test)]
mod tests;
