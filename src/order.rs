//! What a person orders: after a failure to send again, to discard, to suspend, to resume, to move; and to remember or
//! forget what was subscribed at a tracker.
//!
//! An order is the same whether a command carries it out itself or asks the server that has the store; it is carried out
//! by `outbox`, step by step, each step one commit. Carrying one out twice does nothing the second time. Pure.

use serde::{Deserialize, Serialize};

use crate::clock::Moment;
use crate::delivery::Reason;
use crate::event::EventId;
use crate::name::{DestinationName, SourceName};

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "snake_case", deny_unknown_fields)]
pub enum Order {
    /// Dead letters are sent again, as new deliveries.
    Redrive {
        /// Which.
        letters: Letters,
        /// To this destination; nothing: to where each was given up.
        #[serde(default)]
        to: Option<DestinationName>,
    },
    /// Dead letters are done with: nobody will hear of them.
    Discard {
        /// Which.
        letters: Letters,
    },
    /// Nothing is sent to a destination until it is resumed.
    Suspend {
        /// Which.
        destination: DestinationName,
    },
    /// A destination is tried at once, if its platform has not asked to wait.
    Resume {
        /// Which.
        destination: DestinationName,
    },
    /// All that waits for one destination goes to another.
    Move {
        /// Where it waits.
        from: DestinationName,
        /// Where it goes.
        to: DestinationName,
    },
    /// A webhook that was subscribed at a tracker is remembered; without an id: one is about to be.
    KeepHook {
        /// Which.
        hook: Hook,
    },
    /// One is not there any more, or will not be.
    ForgetHook {
        /// Which.
        key: HookKey,
    },
}

/// A webhook that is subscribed at a tracker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hook {
    /// Which.
    pub key: HookKey,
    /// A digest of the address that it calls.
    pub target: [u8; 32],
    /// Whether the tracker's API tells of a hook that is there.
    pub tells: bool,
}

/// Tells such a webhook from all others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HookKey {
    /// The source that it calls.
    pub source: SourceName,
    /// The application that it tells of.
    pub subject: String,
    /// What it tells of, in the tracker's word.
    pub event: String,
    /// The tracker's id of it; empty while there is none yet.
    pub hook: String,
}

impl Order {
    /// What it is called, in a line of the log.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Redrive { .. } => "redrive",
            Self::Discard { .. } => "discard",
            Self::Suspend { .. } => "suspend",
            Self::Resume { .. } => "resume",
            Self::Move { .. } => "move",
            Self::KeepHook { .. } => "keep_hook",
            Self::ForgetHook { .. } => "forget_hook",
        }
    }
}

/// Which dead letters are meant: those for which all of this holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Letters {
    /// Of one of these events; of any, if there are none.
    pub events: Vec<EventId>,
    /// Given up for this destination.
    pub destination: Option<DestinationName>,
    /// Given up for this reason.
    pub reason: Option<Reason>,
    /// Given up then or later.
    pub since: Option<Moment>,
    /// Given up before.
    pub until: Option<Moment>,
}

impl Letters {
    /// Whether nothing narrows them: all there are.
    pub fn are_all(&self) -> bool {
        *self == Self::default()
    }
}

/// What is left of an order after a step: so that what arises while it is carried out is no part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rest {
    /// Deliveries up to this number have been dealt with.
    pub after: i64,
    /// Those with a greater number are no part of it.
    pub up_to: i64,
}

/// What a step of an order came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Done {
    /// Deliveries that wait anew because of it: sent again, or moved.
    pub sent: u64,
    /// Deliveries that need not be sent: whoever was to hear of the event does anyway.
    pub covered: u64,
    /// Dead letters that were discarded.
    pub discarded: u64,
    /// Deliveries that stay where they are, since they are being sent just now.
    pub in_hand: u64,
    /// Whether it was so already.
    pub was_so: bool,
    /// Deliveries that wait at the destination that was suspended or resumed.
    pub waiting: u64,
    /// Until when a resumed destination's platform has asked to wait, and why.
    pub held: Option<(Moment, String)>,
    /// Whether a destination to which something goes is suspended.
    pub is_suspended: bool,
    /// What is left to do; nothing: all is done.
    pub rest: Option<Rest>,
}

impl Done {
    /// This and a `later` step together.
    #[must_use]
    pub fn and(self, later: Self) -> Self {
        Self {
            sent: self.sent + later.sent,
            covered: self.covered + later.covered,
            discarded: self.discarded + later.discarded,
            is_suspended: self.is_suspended || later.is_suspended,
            ..later
        }
    }

    /// How many deliveries it was about so far.
    pub fn count(&self) -> u64 {
        self.sent + self.covered + self.discarded
    }
}

/// Why an order is not carried out: nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Objection {
    /// There is no such destination.
    #[error("there is no destination {name:?}{}", hint(.near.as_deref(), .known))]
    Unknown {
        /// What was asked for.
        name: String,
        /// What was probably meant.
        near: Option<String>,
        /// Those that there are.
        known: Vec<String>,
    },
    /// Dead letters are to be sent again to a destination that has left the configuration.
    #[error(
        "{name:?}, for which some of them were given up, is not configured any more{}; say with --to where they shall go",
        hint(.near.as_deref(), .known)
    )]
    Left {
        /// Which.
        name: String,
        /// What may be its name now.
        near: Option<String>,
        /// Those that there are.
        known: Vec<String>,
    },
    /// From and to are the same.
    #[error("{0:?} is where they are already")]
    Same(String),
}

fn hint(near: Option<&str>, known: &[String]) -> String {
    let near = near.map(|near| format!(", did you mean {near:?}?")).unwrap_or_default();
    if known.is_empty() {
        format!("{near}: none is configured")
    } else {
        format!("{near} (known: {})", known.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn team() -> DestinationName {
        DestinationName::new("team").unwrap()
    }

    fn key() -> HookKey {
        let source = SourceName::new("mobile").unwrap();
        HookKey { source, subject: "1234".into(), event: "new_crash".into(), hook: "21".into() }
    }

    #[test]
    fn an_order_reads_back_as_it_was_written() {
        let letters = Letters {
            events: vec![EventId(1_000)],
            destination: Some(team()),
            reason: Some(Reason::GaveUp),
            since: Some(Moment(1)),
            until: None,
        };
        for order in [
            Order::Redrive { letters: letters.clone(), to: Some(team()) },
            Order::Discard { letters },
            Order::Suspend { destination: team() },
            Order::Resume { destination: team() },
            Order::Move { from: team(), to: team() },
            Order::KeepHook { hook: Hook { key: key(), target: [7; 32], tells: true } },
            Order::ForgetHook { key: key() },
        ] {
            let written = serde_json::to_string(&order).unwrap();
            assert_eq!(serde_json::from_str::<Order>(&written).unwrap(), order, "{written}");
        }
    }

    #[test]
    fn what_is_not_understood_in_an_order_is_refused_and_not_left_out() {
        for wrong in [
            r#"{"order": "redrive", "letters": {"destinations": "team"}}"#,
            r#"{"order": "redrive", "letters": {}, "too": "team"}"#,
            r#"{"order": "discard", "letters": {"reason": "nonsense"}}"#,
            r#"{"order": "discard", "letters": {"events": ["o"]}}"#,
            r#"{"order": "suspend", "destination": "Team"}"#,
            r#"{"order": "delete"}"#,
            r#"{"order": "forget_hook", "key": {"source": "Mobile", "subject": "", "event": "", "hook": ""}}"#,
        ] {
            assert!(serde_json::from_str::<Order>(wrong).is_err(), "{wrong}");
        }
    }
}
