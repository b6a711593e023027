//! What a watch tells: one thing that happened each.

use crate::clock::Moment;
use crate::event::EventId;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// When.
    pub at: Moment,
    /// What.
    pub what: Happening,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happening {
    /// An event came.
    Arrived {
        /// Which.
        event: About,
        /// Whether no webhook had brought it, and bugle asked the tracker for it.
        caught_up: bool,
        /// What was decided: `routed`, `dropped` or `unmatched`.
        routing: String,
        /// The rules that matched.
        matched: Vec<String>,
        /// Who is to hear of it.
        destinations: Vec<String>,
    },
    /// An event came once more.
    CameAgain {
        /// The one that had come before.
        event: About,
    },
    /// A message was taken.
    Delivered {
        /// Which.
        sent: Sent,
        /// The how manieth attempt it was.
        attempt: u64,
    },
    /// An attempt did not deliver.
    Failed {
        /// What was sent.
        sent: Sent,
        /// The how manieth attempt it was.
        attempt: u64,
        /// What came of it, in a word.
        outcome: String,
        /// Why.
        reason: String,
        /// The status of the platform's answer.
        status: Option<u16>,
        /// The platform's words, or ours.
        words: String,
        /// When it is tried again, as far as that was known.
        again_at: Option<Moment>,
    },
    /// A message that was delivered told of others, too.
    Folded {
        /// The message.
        sent: Sent,
        /// How many others.
        count: u64,
    },
    /// A message is a dead letter now.
    GivenUp {
        /// Which.
        sent: Sent,
        /// Why.
        reason: String,
        /// What the platform said last.
        words: String,
    },
    /// A person is done with a dead letter.
    Discarded {
        /// Which.
        sent: Sent,
    },
    /// Another delivery took one over.
    Moved {
        /// Which was taken over.
        sent: Sent,
        /// Where the other goes.
        to: String,
        /// Why.
        reason: String,
    },
    /// Requests were turned away.
    Refused {
        /// At whose door; empty: there is no such source.
        source: String,
        /// Why: the code of the answer.
        reason: String,
        /// How many.
        count: u64,
        /// From where the last came, if that is known.
        sender: String,
    },
    /// A configuration was read.
    Configuration {
        /// What became of it: `start`, `reload` or `refused`.
        how: String,
        /// What has changed, or what is wrong with it.
        lines: Vec<String>,
    },
    /// bugle began to serve.
    Started {
        /// In which version.
        version: String,
        /// When it last was at work before, if it did not stop then but was cut off.
        cut_off_at: Option<Moment>,
    },
    /// bugle is at work again: the machine slept, its clock was set forward, or the store could not be written.
    Paused {
        /// When it was at work last before.
        since: Moment,
    },
    /// bugle was told to stop.
    Stopped {
        /// In which version.
        version: String,
    },
    /// A destination is left alone from now on.
    Began {
        /// Which.
        destination: String,
        /// Why, in a word.
        spell: String,
        /// Until when, where that is known.
        until: Option<Moment>,
        /// What was said of it.
        words: String,
    },
    /// A destination is left alone no more.
    Ended {
        /// Which.
        destination: String,
        /// Why it had been.
        spell: String,
        /// Since when it had been.
        since: Moment,
    },
}

/// An event, in short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// Its number.
    pub id: EventId,
    /// When it came.
    pub received_at: Moment,
    /// Through which door.
    pub source: String,
    /// What happened, in the tracker's word.
    pub trigger: String,
    /// How bad it is.
    pub severity: String,
    /// The application.
    pub app: String,
    /// Its title, or the beginning of it.
    pub title: String,
}

/// A delivery, in short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// Its number.
    pub delivery: i64,
    /// Where it goes.
    pub destination: String,
    /// What it tells of.
    pub event: About,
}

impl Happening {
    /// The event that it is about, if it is about one.
    pub fn event(&self) -> Option<&About> {
        match self {
            Self::Arrived { event, .. } | Self::CameAgain { event } => Some(event),
            _ => self.sent().map(|sent| &sent.event),
        }
    }

    /// The delivery that it is about, if it is about one.
    pub fn sent(&self) -> Option<&Sent> {
        match self {
            Self::Delivered { sent, .. }
            | Self::Failed { sent, .. }
            | Self::Folded { sent, .. }
            | Self::GivenUp { sent, .. }
            | Self::Discarded { sent }
            | Self::Moved { sent, .. } => Some(sent),
            _ => None,
        }
    }

    /// Through whose door something came, or was to.
    pub fn source(&self) -> Option<&str> {
        match self {
            Self::Refused { source, .. } => Some(source),
            _ => self.event().map(|event| event.source.as_str()),
        }
    }

    /// The destinations that it is about; nothing, if it is about none by its nature.
    pub fn destinations(&self) -> Option<Vec<&str>> {
        match self {
            Self::Arrived { destinations, .. } => Some(destinations.iter().map(String::as_str).collect()),
            Self::Began { destination, .. } | Self::Ended { destination, .. } => Some(vec![destination]),
            Self::Moved { sent, to, .. } => Some(vec![&sent.destination, to]),
            _ => self.sent().map(|sent| vec![sent.destination.as_str()]),
        }
    }
}
