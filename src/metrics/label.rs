//! Label sets, and which values they can have.

use std::fmt;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};

use crate::delivery::Reason;
use crate::name::{DestinationName, SourceName};

impl EncodeLabelValue for SourceName {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        EncodeLabelValue::encode(&self.as_str(), encoder)
    }
}

impl EncodeLabelValue for DestinationName {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        EncodeLabelValue::encode(&self.as_str(), encoder)
    }
}

/// Of one source; of none: `source=""`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfSource {
    pub(super) source: Option<SourceName>,
}

/// What came of asking a tracker.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct AskingLabel {
    pub(super) source: SourceName,
    pub(super) result: &'static str,
}

/// Why a webhook was refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Rejection {
    pub(super) source: Option<SourceName>,
    pub(super) reason: &'static str,
}

/// Of one destination.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfDestination {
    pub(super) destination: DestinationName,
}

/// How an attempt ended, and why.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Attempt {
    pub(super) destination: DestinationName,
    pub(super) outcome: &'static str,
    pub(super) reason: &'static str,
}

/// Why a delivery to it was given up, or moved.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfDestinationBy {
    pub(super) destination: DestinationName,
    pub(super) reason: &'static str,
}

/// What came of reading the configuration again.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ReloadLabel {
    pub(super) result: &'static str,
}

/// The digest of a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Hash {
    pub(super) hash: String,
}

/// Which build this is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Build {
    pub(super) version: &'static str,
    pub(super) revision: &'static str,
    pub(super) profile: &'static str,
}

/// The ends that an attempt can have, to begin each at 0. One that is missing here would only begin later.
pub(super) const ATTEMPTS: [(&str, Reason); 20] = [
    ("delivered", Reason::Ok),
    ("wait", Reason::RateLimited),
    ("wait", Reason::Banned),
    ("passing", Reason::Redirected),
    ("passing", Reason::ServerError),
    ("passing", Reason::Connect),
    ("unclear", Reason::Timeout),
    ("unclear", Reason::Broken),
    ("unclear", Reason::UnreadableAnswer),
    ("unclear", Reason::Interrupted),
    ("refused", Reason::InvalidPayload),
    ("refused", Reason::TooLong),
    ("refused", Reason::Blocked),
    ("refused", Reason::Misconfigured),
    ("refused", Reason::OtherRefusal),
    ("refused", Reason::Internal),
    ("gone", Reason::WebhookGone),
    ("gone", Reason::ChannelGone),
    ("gone", Reason::Misconfigured),
    ("gone", Reason::Banned),
];

/// The reasons why a delivery is given up.
pub(super) const DEATHS: [Reason; 9] = [
    Reason::InvalidPayload,
    Reason::TooLong,
    Reason::Blocked,
    Reason::Misconfigured,
    Reason::OtherRefusal,
    Reason::GaveUp,
    Reason::UnclearTooOften,
    Reason::Stranded,
    Reason::Internal,
];

/// The reasons why a delivery gives way to another.
pub(super) const MOVES: [Reason; 5] =
    [Reason::Gone, Reason::Failing, Reason::Covered, Reason::MovedByHand, Reason::Redriven];
