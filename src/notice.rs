//! What bugle has to say of itself when it is unwell: each kind, whom it is for, and what of it belongs together. Pure.
//!
//! A notice becomes an [`Own`] event, which is stored, paced and delivered like any other; only that no rule sees it.
//! Its words are in `words`. How rarely one is told is `herald`'s to decide.

mod words;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::clock::Moment;
use crate::delivery::Reason;
use crate::event::{Event, EventId, Severity};
use crate::name::{DestinationName, SourceName};
use crate::rule::Route;
use crate::source::Own;

/// The template that notices are rendered with.
pub const TEMPLATE: &str = "notice";

/// How `event`, which tells of a notice, goes to `destination`: only what is an error goes ahead of what waits.
pub fn route(event: &Event, destination: &DestinationName) -> Route {
    let urgent = event.severity == Severity::Error;
    Route { template: Some(TEMPLATE.to_owned()), urgent, ..Route::to(destination.clone()) }
}

/// Something that a person should know about bugle itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A destination's webhook is gone: it takes no message any more.
    DestinationGone {
        /// The destination.
        destination: DestinationName,
        /// What its platform said.
        words: String,
        /// Where its messages go meanwhile.
        fallback: Option<DestinationName>,
    },
    /// Messages were given up.
    DeadLetters {
        /// For whom they were; nothing where it is not known.
        destination: Option<DestinationName>,
        /// Why.
        reason: Reason,
        /// What the platform said last.
        words: String,
        /// One of their events.
        example: Option<EventId>,
        /// How many.
        count: u64,
    },
    /// A changed configuration is not in force.
    ReloadRefused {
        /// Why not, each as a person reads it, secrets masked; over several lines.
        problems: Vec<String>,
    },
    /// Webhooks of one source were turned away, one after the other.
    WebhooksRejected {
        /// The source.
        source: SourceName,
        /// Why the last one was.
        reason: &'static str,
        /// How many in a row.
        count: u64,
    },
    /// There is little room left for the store.
    StoreNearlyFull(Fullness),
    /// A tracker that should tell what no webhook has brought does not.
    CatchUpFailing {
        /// The source.
        source: SourceName,
        /// Why not, and what to do.
        words: String,
    },
    /// A tracker has told of events that no webhook had brought.
    CaughtUp {
        /// The source.
        source: SourceName,
        /// How many.
        count: u64,
        /// How many of them had happened while bugle was at work.
        missed: u64,
        /// When the first of them had happened.
        since: Moment,
        /// Whether there is more, which was not read.
        is_cut: bool,
    },
    /// A source that used to speak does so no more.
    SourceSilent {
        /// The source.
        source: SourceName,
        /// When its last event came.
        since: Moment,
        /// The longest time between two of those before.
        usual: Duration,
    },
    /// A webhook that bugle has subscribed is not at its tracker any more.
    HookGone {
        /// The source that it called.
        source: SourceName,
        /// The application that it told of, as people call it.
        app: String,
        /// What it told of, in the tracker's word.
        event: String,
        /// Whether what happens is asked for all the same.
        is_caught_up: bool,
    },
    /// Messages for `from` come to `to` from now on, which is told so.
    DivertingBegan {
        /// Whose messages they are.
        from: DestinationName,
        /// Where they come to.
        to: DestinationName,
        /// Whether `from` is gone; else it has been failing.
        gone: bool,
    },
    /// Messages for `from` do not come to `to` any more, which is told so.
    DivertingEnded {
        /// Whose messages they were.
        from: DestinationName,
        /// Where they came to.
        to: DestinationName,
    },
}

/// What there is little room in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fullness {
    /// In what the configuration allows.
    Allowed {
        /// What the store holds, in bytes.
        used: u64,
        /// What it may, in bytes.
        max_size: u64,
    },
    /// On its disk.
    Disk {
        /// What is left there, in bytes.
        free: u64,
    },
}

/// A disk with less than this is nearly full, however small the store may be.
const ROOM_AT_LEAST: u64 = 100 << 20;

/// A disk has to have room for this part of what the store may hold.
const PART: u64 = 20;

impl Fullness {
    /// What there is little room in, for a store that may hold `max_size` and holds `used`, all of which must stay, on a
    /// disk with `free` left, if that is known. History that fills what it is allowed is no trouble: the oldest goes. What
    /// cannot go is.
    pub fn of(free: Option<u64>, used: u64, max_size: u64) -> Option<Self> {
        match free {
            Some(free) if free < ROOM_AT_LEAST.max(max_size / PART) => Some(Self::Disk { free }),
            _ => (used > max_size).then_some(Self::Allowed { used, max_size }),
        }
    }
}

/// What notices are told of at most once in an hour: those of one topic are gathered.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Topic {
    trigger: &'static str,
    /// For a notice to somebody else than `notices_to`: whose messages, and where they go.
    way: Option<(DestinationName, DestinationName)>,
}

impl Topic {
    /// The trigger of the event that tells of it.
    pub fn trigger(&self) -> &'static str {
        self.trigger
    }

    /// To whom it is told, if that is not for the configuration to say.
    pub fn addressee(&self) -> Option<&DestinationName> {
        self.way.as_ref().map(|(_, to)| to)
    }

    /// The topic as text: the same after a restart.
    pub fn key(&self) -> String {
        match &self.way {
            None => self.trigger.to_owned(),
            Some((from, to)) => format!("{} {from} {to}", self.trigger),
        }
    }

    /// The topic of dead letters.
    pub fn dead_letters() -> Self {
        Self { trigger: "deadLetter", way: None }
    }
}

/// What a notice is about within its topic: a later one about the same takes the place of an earlier.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Matter {
    /// This destination is gone.
    Gone(DestinationName),
    /// Dead letters for this destination, with this reason.
    DeadLetters(Option<DestinationName>, &'static str),
    /// The configuration cannot be used.
    Reload,
    /// This source's webhooks are turned away.
    Rejected(SourceName),
    /// This webhook of this source and this application is gone.
    Hook(SourceName, String, String),
    /// There is little room.
    Store,
    /// This source's tracker cannot be asked.
    CatchUpFailing(SourceName),
    /// Webhooks of this source have not come.
    CaughtUp(SourceName),
    /// Nothing comes from this source.
    Silent(SourceName),
    /// Messages for this destination go elsewhere, or do so no more.
    Diverted(DestinationName),
}

impl Notice {
    /// What it is told with.
    pub fn topic(&self) -> Topic {
        let (trigger, way) = match self {
            Self::DestinationGone { .. } => ("destinationGone", None),
            Self::DeadLetters { .. } => return Topic::dead_letters(),
            Self::ReloadRefused { .. } => ("reloadRefused", None),
            Self::WebhooksRejected { .. } => ("webhooksRejected", None),
            Self::StoreNearlyFull(_) => ("storeNearlyFull", None),
            Self::CatchUpFailing { .. } => ("catchUpFailing", None),
            Self::CaughtUp { .. } => ("caughtUp", None),
            Self::SourceSilent { .. } => ("sourceSilent", None),
            Self::HookGone { .. } => ("hookGone", None),
            Self::DivertingBegan { from, to, .. } => ("divertingBegan", Some((from.clone(), to.clone()))),
            Self::DivertingEnded { from, to } => ("divertingEnded", Some((from.clone(), to.clone()))),
        };
        Topic { trigger, way }
    }

    /// What it is about.
    pub fn matter(&self) -> Matter {
        match self {
            Self::DestinationGone { destination, .. } => Matter::Gone(destination.clone()),
            Self::DeadLetters { destination, reason, .. } => {
                Matter::DeadLetters(destination.clone(), reason.as_str())
            }
            Self::ReloadRefused { .. } => Matter::Reload,
            Self::WebhooksRejected { source, .. } => Matter::Rejected(source.clone()),
            Self::StoreNearlyFull(_) => Matter::Store,
            Self::CatchUpFailing { source, .. } => Matter::CatchUpFailing(source.clone()),
            Self::CaughtUp { source, .. } => Matter::CaughtUp(source.clone()),
            Self::SourceSilent { source, .. } => Matter::Silent(source.clone()),
            Self::HookGone { source, app, event, .. } => {
                Matter::Hook(source.clone(), app.clone(), event.clone())
            }
            Self::DivertingBegan { from, .. } | Self::DivertingEnded { from, .. } => {
                Matter::Diverted(from.clone())
            }
        }
    }

    /// How many happenings it stands for.
    pub fn count(&self) -> u64 {
        match self {
            Self::DeadLetters { count, .. } | Self::CaughtUp { count, .. } => *count,
            _ => 1,
        }
    }

    /// The topic whose gathered notice about the same matter this one makes untrue.
    pub fn undoes(&self) -> Option<Topic> {
        let trigger = match self {
            Self::DivertingBegan { .. } => "divertingEnded",
            Self::DivertingEnded { .. } => "divertingBegan",
            _ => return None,
        };
        Some(Topic { trigger, ..self.topic() })
    }

    /// Whether telling it to `destination` would be of no use: what waits in a queue that nobody reads.
    pub fn is_moot_at(&self, destination: &DestinationName) -> bool {
        match self {
            // With a fallback it moves there, where the diversion itself is told of, if that is the same room.
            Self::DestinationGone { destination: gone, fallback, .. } => match fallback {
                None => gone == destination,
                Some(fallback) => fallback == destination,
            },
            _ => false,
        }
    }
}

/// How many matters one message names; of more only the number is told.
pub const NAMED: usize = 8;

/// What is told in one message: all there is to say of a topic.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bulletin {
    /// What is named: the latest notice of each matter.
    items: BTreeMap<Matter, Item>,
    /// How many happenings more there are, of which nothing else is known.
    others: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Item {
    notice: Notice,
    count: u64,
    since: Moment,
}

impl Bulletin {
    /// Adds `notice` of the moment `at`.
    pub fn add(&mut self, notice: Notice, at: Moment) {
        let (matter, count) = (notice.matter(), notice.count());
        if let Some(item) = self.items.get_mut(&matter) {
            item.count = item.count.saturating_add(count);
            match (&mut item.notice, notice) {
                // The first dead letter is an example as good as any, and the one that people look for.
                (Notice::DeadLetters { .. }, _) => {}
                (
                    Notice::CaughtUp { missed, since, is_cut, .. },
                    Notice::CaughtUp { missed: more, since: other, is_cut: also, .. },
                ) => {
                    *missed = missed.saturating_add(more);
                    *since = other.min(*since);
                    *is_cut |= also;
                }
                (before, notice) => *before = notice,
            }
        } else if self.items.len() < NAMED {
            self.items.insert(matter, Item { notice, count, since: at });
        } else {
            self.others = self.others.saturating_add(count);
        }
    }

    /// Takes out what is said of `matter`, which is over; how many happenings that was.
    pub fn remove(&mut self, matter: &Matter) -> u64 {
        self.items.remove(matter).map_or(0, |item| item.count)
    }

    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty() && self.others == 0
    }

    /// How many happenings it tells of.
    pub fn count(&self) -> u64 {
        self.items.values().fold(self.others, |sum, item| sum.saturating_add(item.count))
    }

    /// Without what would be of no use at `destination`.
    #[must_use]
    pub fn useful_at(mut self, destination: &DestinationName) -> Self {
        self.items.retain(|_, item| !item.notice.is_moot_at(destination));
        self
    }

    /// The destination that it is about, if it is about one alone.
    pub fn only_destination(&self) -> Option<&DestinationName> {
        match self.only()?.notice {
            Notice::DestinationGone { ref destination, .. } => Some(destination),
            _ => None,
        }
    }

    /// The event that tells of `topic`; `again` if that was told of within the last hour. `waiting` messages wait for
    /// the only destination that it is about.
    pub fn tell(&self, topic: &Topic, again: bool, waiting: Option<u64>, now: Moment) -> Own {
        words::own(self, topic, again, waiting, now)
    }

    fn only(&self) -> Option<&Item> {
        self.items.values().next().filter(|_| self.items.len() == 1 && self.others == 0)
    }
}

#[cfg(test)]
mod tests;
