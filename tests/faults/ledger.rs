//! What the trackers have posted, and what they were answered: the claim that the judge holds the relay to.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Who is to hear of an event: a word in its message, which the rules look for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Circle {
    /// The three chats.
    Everyone,
    /// Teams and Discord.
    Pair,
    /// Discord and the spare chat, urgently.
    Alarm,
    /// Teams and the chat that stands in for it.
    Both,
}

impl Circle {
    pub(crate) const ALL: [Self; 4] = [Self::Everyone, Self::Pair, Self::Alarm, Self::Both];

    /// The word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Everyone => "everyone",
            Self::Pair => "pair",
            Self::Alarm => "alarm",
            Self::Both => "both",
        }
    }

    /// The destinations.
    pub(crate) fn owed(self) -> &'static [&'static str] {
        match self {
            Self::Everyone => &["slack", "teams", "discord"],
            Self::Pair => &["teams", "discord"],
            Self::Alarm => &["discord", "spare"],
            Self::Both => &["teams", "spare"],
        }
    }
}

/// What tells an event of a story from all others, in whatever it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Mark(pub(crate) u32);

impl std::fmt::Display for Mark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "x{:06}z", self.0)
    }
}

/// The marks that stand in `text`, each once.
pub(crate) fn marks_in(text: &str) -> Vec<Mark> {
    let mut marks: Vec<Mark> = text
        .split('x')
        .skip(1)
        .filter(|rest| rest.as_bytes().get(6) == Some(&b'z'))
        .filter_map(|rest| rest.get(..6)?.parse().ok().map(Mark))
        .collect();
    marks.sort_unstable();
    marks.dedup();
    marks
}

/// How a request ended, as its sender sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// 200: it is owed from here on.
    Accepted,
    /// Another status.
    Refused(u16),
    /// None: the connection ended, or the sender did not wait for it.
    None,
    /// Nobody was there.
    Nobody,
    /// It was there and said nothing for as long as nobody waits.
    Hung,
}

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Posted {
    /// Its events.
    pub(crate) events: Vec<(Mark, Circle)>,
    /// How it ended.
    pub(crate) answer: Answer,
    /// When the last byte of it had been handed over; nothing if it was not all sent.
    pub(crate) sent: Option<Instant>,
}

/// All requests of a story.
#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<Vec<Posted>>);

/// What is known of an event over all requests that brought it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known {
    pub(crate) circle: Circle,
    /// Whether any of them was answered 200.
    pub(crate) is_owed: bool,
}

impl Ledger {
    pub(crate) fn note(&self, posted: Posted) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(posted);
    }

    pub(crate) fn all(&self) -> Vec<Posted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Every event that was posted.
    pub(crate) fn events(&self) -> BTreeMap<Mark, Known> {
        let mut events = BTreeMap::new();
        for posted in self.all() {
            for (mark, circle) in posted.events {
                let known = events.entry(mark).or_insert(Known { circle, is_owed: false });
                known.is_owed |= posted.answer == Answer::Accepted;
            }
        }
        events
    }
}
