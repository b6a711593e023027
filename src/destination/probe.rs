//! Asking a platform about a webhook without posting a message, and what its answer says.
//!
//! Slack refuses an empty message, Discord tells of a webhook to whoever has its address. A workflow of Teams has nothing
//! of the kind: whatever it is sent starts it.

use serde_json::Value;

use crate::delivery::Verdict;

/// A request that shows whether a webhook is there, and posts nothing.
#[derive(Debug, Clone, PartialEq)]
pub enum Probe {
    /// To read what is at the webhook's path. Its query is left out: that is about messages.
    Read,
    /// To post this, which the platform refuses for its form if the webhook is there.
    Refusable(Value),
}

/// What the answer to a probe says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probed {
    /// The webhook is there. What the platform told of it, in words of which none is a secret.
    There(String),
    /// The platform took what it was to refuse: a message may be there now, and the webhook is.
    Taken,
    /// It is not known to be there: what the same answer to a message would mean.
    Not(Verdict),
}
