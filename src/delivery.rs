//! A message owed to a destination: its attempts, how each ended, and what follows. Pure: no I/O, no clock.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Moment;
use crate::event::EventId;
use crate::flood::{ErrorKey, Told};
use crate::name::DestinationName;

/// The number of a delivery in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId(pub i64);

/// One message owed to one destination, claimed for an attempt.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Its number.
    pub id: DeliveryId,
    /// The event it tells of.
    pub event_id: EventId,
    /// Where it goes.
    pub destination: DestinationName,
    /// Whether it goes ahead of everything that waits.
    pub urgent: bool,
    /// Whom the rules mention: `here`, `channel`, or names from the configuration.
    pub mentions: Vec<String>,
    /// When the event was accepted.
    pub accepted_at: Moment,
    /// Passing failures so far.
    pub failures: u32,
    /// Unclear results so far.
    pub unclear: u32,
    /// The template that the rule asks for.
    pub template: Option<String>,
    /// Whether the platform has refused the message in full, so that it goes in its simplest form.
    pub simplest: bool,
    /// The destination that it was first meant for, if it has moved here from there; of a message that tells of several, those
    /// that any of them was meant for.
    pub instead_of: Option<String>,
    /// How its message tells of other deliveries, too, if it does.
    pub told: Option<Told>,
    /// The error that it tells of.
    pub error: Option<ErrorKey>,
    /// Whether something that its message tells of, too, may have been told elsewhere.
    pub tells_again: bool,
}

/// What an attempt leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settlement {
    /// The platform has the message.
    Delivered,
    /// It is tried again.
    Again {
        /// Not before this moment.
        at: Moment,
        /// Passing failures by then.
        failures: u32,
        /// Unclear results by then.
        unclear: u32,
    },
    /// It is tried once more at once, in its simplest form; nothing is counted.
    Simpler,
    /// It is given up: a dead letter, with its reason.
    Dead(Reason),
}

impl Settlement {
    /// When it is tried again, if a moment is given for that.
    pub fn again_at(self) -> Option<Moment> {
        match self {
            Self::Again { at, .. } => Some(at),
            Self::Delivered | Self::Simpler | Self::Dead(_) => None,
        }
    }
}

/// An unclear result is repeated at most this often: each time the message may already be there.
pub const REPEATS: u32 = 5;

/// A delivery is not given up before it has failed this often, however old it is.
const TRIES: u32 = 3;

impl Delivery {
    /// What follows from `verdict`, given `now`. A further attempt comes `pause` later; once the delivery is older
    /// than `give_up_after`, no further one is made.
    pub fn follow(
        &self,
        verdict: &Verdict,
        now: Moment,
        pause: Duration,
        give_up_after: Duration,
    ) -> Settlement {
        let deadline = self.accepted_at.plus(give_up_after);
        let (failures, unclear) = (self.failures, self.unclear);
        let again = |failures, unclear| {
            // What could not be tried before (bugle was down, its destination was gone) is tried a few times all the same.
            if now >= deadline && failures + unclear >= TRIES {
                Settlement::Dead(Reason::GaveUp)
            } else {
                let last = if now < deadline { deadline } else { Moment(i64::MAX) };
                Settlement::Again { at: now.plus(pause).min(last), failures, unclear }
            }
        };
        match verdict.outcome {
            Outcome::Delivered => Settlement::Delivered,
            // The destination as a whole waits; in its queue nothing changes places. One that is gone may be mended.
            Outcome::Wait(_) | Outcome::WaitEverywhere(_) | Outcome::Gone => {
                Settlement::Again { at: now, failures, unclear }
            }
            Outcome::Passing => again(failures + 1, unclear),
            Outcome::Unclear if unclear >= REPEATS => Settlement::Dead(Reason::UnclearTooOften),
            Outcome::Unclear => again(failures, unclear + 1),
            // The form may be at fault, not what it says. A simpler one than the simplest there is not.
            Outcome::Refused if !self.simplest && verdict.reason.is_about_form() => Settlement::Simpler,
            Outcome::Refused => Settlement::Dead(verdict.reason),
        }
    }

    /// Whether an earlier attempt may have reached the platform all the same.
    pub fn may_be_a_repeat(&self) -> bool {
        self.unclear > 0 || self.tells_again
    }
}

/// How long a platform asks to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// As long as it says.
    Told(Duration),
    /// It does not say how long, or not so that it can be read: this long at first, and twice as long each time in a row.
    Untold(Duration),
}

impl Wait {
    /// The shortest that it can mean.
    pub fn at_least(self) -> Duration {
        match self {
            Self::Told(wait) | Self::Untold(wait) => wait,
        }
    }
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The platform has the message.
    Delivered,
    /// The platform asks to wait; it took nothing. Uses up no attempt, and the whole destination waits.
    Wait(Wait),
    /// The platform asks its sender to wait at all of its destinations.
    WaitEverywhere(Wait),
    /// It failed and may succeed later.
    Passing,
    /// It may or may not have been posted.
    Unclear,
    /// The platform will never take this message.
    Refused,
    /// The destination itself is no more.
    Gone,
}

impl Outcome {
    /// The label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Wait(_) | Self::WaitEverywhere(_) => "wait",
            Self::Passing => "passing",
            Self::Unclear => "unclear",
            Self::Refused => "refused",
            Self::Gone => "gone",
        }
    }
}

/// Why, from a closed list: a label for metrics and listings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub enum Reason {
    /// The platform took it.
    Ok,
    /// Too many requests.
    RateLimited,
    /// The platform's edge has shut us out for a while.
    Banned,
    /// The platform answered with a redirect, which is not followed.
    Redirected,
    /// The platform's own failure.
    ServerError,
    /// No connection could be made.
    Connect,
    /// No answer in time.
    Timeout,
    /// The connection broke before the answer.
    Broken,
    /// The answer could not be understood.
    UnreadableAnswer,
    /// An attempt was under way when the process ended.
    Interrupted,
    /// The platform calls the body malformed.
    InvalidPayload,
    /// The platform calls the message too long.
    TooLong,
    /// The platform's content filter stopped it.
    Blocked,
    /// The destination's settings on the platform do not allow it: a thread, a channel, a permission.
    Misconfigured,
    /// The webhook is not known, switched off, or its secret is wrong.
    WebhookGone,
    /// The channel is not there any more.
    ChannelGone,
    /// Refused with an answer that is not in the tables.
    OtherRefusal,
    /// It kept failing for longer than `give_up_after`.
    GaveUp,
    /// Too many unclear results.
    UnclearTooOften,
    /// Its destination was gone, suspended, or no longer configured, for as long as history is kept.
    Stranded,
    /// Its destination was gone: it has moved to the fallback.
    Gone,
    /// Its destination had been failing for too long: it has moved to the fallback.
    Failing,
    /// Its destination was gone or failing, and the fallback hears of the event anyway.
    Covered,
    /// A person has moved it to another destination.
    MovedByHand,
    /// A person has had it sent again after it was given up.
    Redriven,
    /// A defect of ours.
    Internal,
}

impl Reason {
    /// Those that an attempt or a dead letter can have.
    const ALL: [Self; 21] = [
        Self::Ok,
        Self::RateLimited,
        Self::Banned,
        Self::Redirected,
        Self::ServerError,
        Self::Connect,
        Self::Timeout,
        Self::Broken,
        Self::UnreadableAnswer,
        Self::Interrupted,
        Self::InvalidPayload,
        Self::TooLong,
        Self::Blocked,
        Self::Misconfigured,
        Self::WebhookGone,
        Self::ChannelGone,
        Self::OtherRefusal,
        Self::GaveUp,
        Self::UnclearTooOften,
        Self::Stranded,
        Self::Internal,
    ];

    /// The labels of those that an attempt or a dead letter can have.
    pub fn labels() -> impl Iterator<Item = &'static str> {
        Self::ALL.into_iter().map(Self::as_str)
    }

    /// The label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::RateLimited => "rate_limited",
            Self::Banned => "banned",
            Self::Redirected => "redirected",
            Self::ServerError => "server_error",
            Self::Connect => "connect",
            Self::Timeout => "timeout",
            Self::Broken => "broken",
            Self::UnreadableAnswer => "unreadable_answer",
            Self::Interrupted => "interrupted",
            Self::InvalidPayload => "invalid_payload",
            Self::TooLong => "too_long",
            Self::Blocked => "blocked",
            Self::Misconfigured => "misconfigured",
            Self::WebhookGone => "webhook_gone",
            Self::ChannelGone => "channel_gone",
            Self::OtherRefusal => "other_refusal",
            Self::GaveUp => "gave_up",
            Self::UnclearTooOften => "unclear",
            Self::Stranded => "stranded",
            Self::Gone => "gone",
            Self::Failing => "failing",
            Self::Covered => "covered",
            Self::MovedByHand => "moved_by_hand",
            Self::Redriven => "redriven",
            Self::Internal => "internal",
        }
    }

    /// The reason with this label, as it is stored.
    pub fn read(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == label)
    }

    /// Whether a refusal for this reason is one of the message's form, which another form may escape.
    fn is_about_form(self) -> bool {
        matches!(self, Self::InvalidPayload | Self::TooLong)
    }
}

/// Why a text is no reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no such reason")]
pub struct ReasonError;

impl TryFrom<String> for Reason {
    type Error = ReasonError;

    fn try_from(label: String) -> Result<Self, ReasonError> {
        Self::read(&label).ok_or(ReasonError)
    }
}

impl From<Reason> for &'static str {
    fn from(reason: Reason) -> Self {
        reason.as_str()
    }
}

/// What a platform's answer, or its absence, means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// How the attempt ended.
    pub outcome: Outcome,
    /// Why.
    pub reason: Reason,
    /// The HTTP status, where there was an answer.
    pub status: Option<u16>,
    /// The platform's own words, or ours where it said none; short, without the destination's address.
    pub words: String,
    /// The message's id on the platform, where it tells one.
    pub message_id: Option<String>,
    /// Although delivered: how long the platform asks this destination to rest.
    pub rest: Option<Duration>,
}

impl Verdict {
    /// A verdict with the platform's words.
    pub fn new(outcome: Outcome, reason: Reason, words: impl Into<String>) -> Self {
        Self { outcome, reason, status: None, words: words.into(), message_id: None, rest: None }
    }

    /// What it says of the destination, whatever it says of the message. Nothing if the platform asks to wait, or was
    /// never asked; that a destination is gone is more than failing.
    pub fn shows(&self) -> Option<Shown> {
        match self.outcome {
            Outcome::Passing | Outcome::Unclear => Some(Shown::Fails),
            Outcome::Refused if self.reason == Reason::Internal => None,
            Outcome::Delivered | Outcome::Refused => Some(Shown::Works),
            Outcome::Wait(_) | Outcome::WaitEverywhere(_) | Outcome::Gone => None,
        }
    }
}

/// What an answer, or its absence, shows of a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// It answers as it should: it takes messages, or looks at them and refuses.
    Works,
    /// It does not.
    Fails,
}

#[cfg(test)]
mod tests;
