//! `bugle queue`: what waits for each destination, since when, and why.

use std::io::{self, Write};

use anyhow::Result;
use serde_json::{Value, json};

use crate::clock::Moment;
use crate::command::listing::{cut, table, time, time_or_none};
use crate::command::{Setting, refuse};
use crate::outbox::{QueueRecord, Records};

/// Writes how every destination stands to `out`. Gives the exit code.
pub fn run(out: &mut dyn Write, setting: Setting<'_>) -> Result<u8> {
    let care = match setting.care() {
        Ok(care) => care,
        Err(problems) => return Ok(refuse(&problems)?),
    };
    let names: Vec<String> = care.destinations.iter().map(ToString::to_string).collect();
    let (queues, is_served) = if let Some(records) = Records::open(&care.store.path)? {
        let (mut queues, is_served) = (records.queues(&names)?, records.is_served());
        if !is_served {
            // What seems to be in hand was cut off when the server ended.
            for queue in &mut queues {
                queue.in_hand_since = None;
            }
        }
        (queues, is_served)
    } else {
        // Nothing was ever received.
        let empty = |destination| QueueRecord { destination, configured: true, ..QueueRecord::default() };
        (names.into_iter().map(empty).collect(), false)
    };
    let now = setting.clock.now();
    if setting.json {
        let all: Vec<Value> = queues.iter().map(|queue| as_json(queue, now)).collect();
        writeln!(out, "{:#}", json!({ "serving": is_served, "destinations": all }))?;
    } else {
        tell(out, &queues, is_served, now)?;
    }
    Ok(0)
}

/// Why a destination's queue is as it is: the first of these that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It is not in the configuration.
    NotConfigured,
    /// A person has had it wait.
    Suspended(Moment),
    /// Its webhook is gone.
    Gone(Moment),
    /// Its platform has asked to wait until then.
    Waits(Moment),
    /// It has done nothing but fail.
    Failing(Moment),
    /// Something is being sent.
    Sending(Moment),
    /// Nothing of what waits is due yet.
    Retries(Moment),
    /// Its pace is all that there is to wait for.
    Pace,
    /// Nothing waits.
    Idle,
}

impl State {
    fn of(queue: &QueueRecord, now: Moment) -> Self {
        let standing = &queue.standing;
        if !queue.configured {
            return Self::NotConfigured;
        }
        if let Some(since) = standing.suspended_since {
            return Self::Suspended(since);
        }
        if let Some(since) = standing.gone_since {
            return Self::Gone(since);
        }
        if let Some(until) = standing.hold_until.filter(|until| *until > now) {
            return Self::Waits(until);
        }
        if let Some(since) = standing.failing_since {
            return Self::Failing(since);
        }
        if let Some(since) = queue.in_hand_since {
            return Self::Sending(since);
        }
        match queue.due_at {
            Some(at) if at > now => Self::Retries(at),
            Some(_) => Self::Pace,
            None => Self::Idle,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::NotConfigured => "not_configured",
            Self::Suspended(_) => "suspended",
            Self::Gone(_) => "gone",
            Self::Waits(_) => "asked_to_wait",
            Self::Failing(_) => "failing",
            Self::Sending(_) => "sending",
            Self::Retries(_) => "retrying",
            Self::Pace => "pace",
            Self::Idle => "idle",
        }
    }

    fn since(self) -> Option<Moment> {
        match self {
            Self::Suspended(since) | Self::Gone(since) | Self::Failing(since) | Self::Sending(since) => {
                Some(since)
            }
            Self::NotConfigured | Self::Waits(_) | Self::Retries(_) | Self::Pace | Self::Idle => None,
        }
    }
}

/// When something is sent next, as far as is known; nothing where nothing waits or nobody can tell. What lies in the past
/// is due now.
fn next_attempt(queue: &QueueRecord, state: State, now: Moment) -> Option<Moment> {
    let due_at = queue.due_at?;
    if matches!(state, State::NotConfigured | State::Suspended(_)) {
        return None;
    }
    let standing = &queue.standing;
    [Some(due_at), standing.hold_until, standing.rests_until, Some(now)].into_iter().flatten().max()
}

/// In words.
fn words(queue: &QueueRecord, state: State, now: Moment) -> String {
    let standing = &queue.standing;
    let next = next_attempt(queue, state, now).filter(|next| *next > now);
    let next_try = next.map(|next| format!("; next try {}", time(next))).unwrap_or_default();
    let diverted = standing.diverting_since.zip(standing.diverted_to.as_ref());
    let diverted = diverted.map(|(since, to)| format!("; since {} its messages go to {to}", time(since)));
    let diverted = diverted.unwrap_or_default();
    match state {
        State::NotConfigured if queue.waiting == 0 => "not in the configuration any more".to_owned(),
        State::NotConfigured => {
            let name = &queue.destination;
            format!(
                "not in the configuration any more: waits until it is again, or `bugle move {name} OTHER`"
            )
        }
        State::Suspended(since) => {
            format!("suspended since {}: waits until `bugle resume {}`", time(since), queue.destination)
        }
        State::Gone(since) => {
            let words = cut(standing.gone_words.as_deref().unwrap_or_default(), 100);
            format!("its webhook is gone since {} ({words}){next_try}{diverted}", time(since))
        }
        State::Waits(until) => {
            let reason = standing.hold_reason.as_deref().unwrap_or_default();
            format!("its platform has asked to wait until {} ({reason}){diverted}", time(until))
        }
        State::Failing(since) => format!("failing since {}{next_try}{diverted}", time(since)),
        State::Sending(since) => format!("sending, since {}", time(since)),
        State::Retries(at) => format!("retried at {}", time(at)),
        State::Pace => "sent as fast as its pace allows".to_owned(),
        State::Idle => "nothing waits".to_owned(),
    }
}

fn tell(out: &mut dyn Write, queues: &[QueueRecord], is_served: bool, now: Moment) -> io::Result<()> {
    if !is_served {
        writeln!(out, "No bugle serves from this store: nothing is sent until one does.\n")?;
    }
    let rows: Vec<[String; 7]> = queues
        .iter()
        .map(|queue| {
            [
                queue.destination.clone(),
                queue.waiting.to_string(),
                queue.urgent.to_string(),
                time_or_none(queue.oldest),
                queue.dead.to_string(),
                time_or_none(queue.standing.delivered_at),
                words(queue, State::of(queue, now), now),
            ]
        })
        .collect();
    let heads = ["DESTINATION", "WAITING", "URGENT", "OLDEST", "DEAD LETTERS", "LAST DELIVERED", "STATE"];
    table(out, heads, &rows)
}

/// The fields of `--json`. They are listed in `docs/OPERATIONS.md`, which a test compares.
fn as_json(queue: &QueueRecord, now: Moment) -> Value {
    let state = State::of(queue, now);
    let standing = &queue.standing;
    let at = |moment: Option<Moment>| moment.map(|moment| moment.to_string());
    let (reason, words) = match state {
        State::Waits(_) => (standing.hold_reason.as_deref(), None),
        State::Gone(_) => (None, standing.gone_words.as_deref()),
        _ => (None, None),
    };
    json!({
        "destination": queue.destination,
        "configured": queue.configured,
        "waiting": queue.waiting,
        "urgent": queue.urgent,
        "oldest_at": at(queue.oldest),
        "state": state.as_str(),
        "since": at(state.since()),
        "reason": reason,
        "words": words,
        "next_attempt_at": at(next_attempt(queue, state, now)),
        "diverted_to": standing.diverting_since.and(standing.diverted_to.as_deref()),
        "dead_letters": queue.dead,
        "last_delivered_at": at(standing.delivered_at),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbox::StandingRecord;

    const NOW: Moment = Moment(1_000_000);
    const LATER: Option<Moment> = Some(Moment(2_000_000));
    const EARLIER: Option<Moment> = Some(Moment(500_000));

    fn queue(due_at: Option<Moment>, standing: StandingRecord) -> QueueRecord {
        QueueRecord {
            configured: true,
            waiting: u64::from(due_at.is_some()),
            due_at,
            standing,
            ..QueueRecord::default()
        }
    }

    #[test]
    fn each_state_says_when_something_is_sent_next() {
        let none = StandingRecord::default;
        let held = || StandingRecord { hold_until: LATER, ..none() };
        let failing = || StandingRecord { failing_since: EARLIER, rests_until: LATER, ..none() };
        let gone = || StandingRecord { gone_since: EARLIER, ..failing() };
        let suspended = || StandingRecord { suspended_since: EARLIER, ..gone() };
        for (record, state, next) in [
            (queue(None, none()), "idle", None),
            (queue(Some(Moment(0)), none()), "pace", Some(NOW)),
            (queue(LATER, none()), "retrying", LATER),
            (queue(EARLIER, held()), "asked_to_wait", LATER),
            (queue(EARLIER, StandingRecord { hold_until: EARLIER, ..none() }), "pace", Some(NOW)),
            (queue(EARLIER, failing()), "failing", LATER),
            (queue(EARLIER, gone()), "gone", LATER),
            (queue(None, gone()), "gone", None),
            (queue(EARLIER, suspended()), "suspended", None),
            (QueueRecord { configured: false, ..queue(EARLIER, suspended()) }, "not_configured", None),
            (QueueRecord { in_hand_since: EARLIER, ..queue(EARLIER, none()) }, "sending", Some(NOW)),
        ] {
            let found = State::of(&record, NOW);
            assert_eq!((found.as_str(), next_attempt(&record, found, NOW)), (state, next), "{record:?}");
            assert!(!words(&record, found, NOW).is_empty());
        }
    }
}
