//! `bugle queue`: what waits for each destination, since when, and why.

use std::io::{self, Write};

use anyhow::Result;
use serde_json::{Value, json};

use crate::clock::Moment;
use crate::command::listing::{counted, cut, inert, table, time, time_or_none};
use crate::command::{Setting, nothing_yet, refuse};
use crate::flood;
use crate::outbox::{BurstRecord, QueueRecord, Records};

/// Writes how every destination stands to `out`. Gives the exit code.
pub fn run(out: &mut dyn Write, setting: Setting<'_>) -> Result<u8> {
    let care = match setting.care() {
        Ok(care) => care,
        Err(problems) => return Ok(refuse(&problems)?),
    };
    let names: Vec<String> = care.destinations.iter().map(ToString::to_string).collect();
    let found = Records::look(&care.store.path, |records| -> Result<_> {
        Ok((records.queues(&names)?, records.is_served()))
    })?;
    let (mut queues, is_served) = if let Some(found) = found {
        found
    } else {
        writeln!(io::stderr(), "bugle: {}", nothing_yet(&care.store.path))?;
        let empty = |destination| QueueRecord { destination, configured: true, ..QueueRecord::default() };
        (names.into_iter().map(empty).collect(), false)
    };
    if !is_served {
        // What seems to be in hand was cut off when the server ended.
        for queue in &mut queues {
            queue.in_hand_since = None;
        }
    }
    let now = setting.clock.now();
    if setting.json {
        let all: Vec<Value> = queues.iter().map(|queue| as_json(queue, now)).collect();
        let shown = json!({ "serving": is_served, "destinations": all });
        writeln!(out, "{}", inert(&format!("{shown:#}")))?;
    } else {
        tell(out, &queues, is_served, now)?;
    }
    Ok(0)
}

/// Why a destination's queue is as it is: the first of these that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
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
    /// All that waits is only counted until then.
    Counts(Moment),
    /// What waits is gathered into a digest then.
    Gathers(Moment),
    /// Its pace is all that there is to wait for.
    Pace,
    /// Nothing waits.
    Idle,
}

impl State {
    /// How `queue` stands.
    pub(super) fn of(queue: &QueueRecord, now: Moment) -> Self {
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
            Some(_) => gathers_at(queue, now).map_or(Self::Pace, Self::Gathers),
            None => match queue.held_until {
                Some(until) if until > now => Self::Counts(until),
                Some(_) => Self::Pace,
                None => Self::Idle,
            },
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
            Self::Counts(_) => "counting",
            Self::Gathers(_) => "gathering",
            Self::Pace => "pace",
            Self::Idle => "idle",
        }
    }

    fn since(self) -> Option<Moment> {
        match self {
            Self::Suspended(since) | Self::Gone(since) | Self::Failing(since) | Self::Sending(since) => {
                Some(since)
            }
            Self::NotConfigured
            | Self::Waits(_)
            | Self::Retries(_)
            | Self::Counts(_)
            | Self::Gathers(_)
            | Self::Pace
            | Self::Idle => None,
        }
    }
}

/// The digests of a burst that goes on, and when the next may follow them.
fn burst(record: BurstRecord, urgent: bool, now: Moment) -> Option<(u32, Moment)> {
    let last_at = record.last_at.filter(|at| record.digests > 0 && *at <= now)?;
    let next_at = last_at.plus(flood::pause(record.digests, urgent));
    (now < next_at.plus(flood::SILENCE)).then_some((record.digests, next_at))
}

/// When what is in the queue becomes a digest, if all of it waits for one.
fn gathers_at(queue: &QueueRecord, now: Moment) -> Option<Moment> {
    // What goes by itself waits for no digest.
    if queue.alone > 0 {
        return None;
    }
    let QueueRecord { standing, .. } = queue;
    let parts = [(queue.queued_urgent, standing.urgent_burst, true), (queue.queued, standing.burst, false)];
    let waits = parts.into_iter().filter(|(count, ..)| *count > 0);
    let first = waits.map(|(_, record, urgent)| burst(record, urgent, now).map_or(now, |(_, at)| at)).min();
    first.filter(|at| *at > now)
}

/// When something is sent next, as far as is known; nothing where nothing waits or nobody can tell. What lies in the past
/// is due now.
fn next_attempt(queue: &QueueRecord, state: State, now: Moment) -> Option<Moment> {
    let first = match state {
        State::NotConfigured | State::Suspended(_) => return None,
        State::Gathers(at) => Some(at),
        _ => queue.due_at.into_iter().chain(queue.held_until).min(),
    };
    let standing = &queue.standing;
    [Some(first?), standing.hold_until, standing.rests_until, Some(now)].into_iter().flatten().max()
}

/// Why what waits for a destination does so, in words.
pub(super) fn why_it_waits(queue: &QueueRecord, now: Moment) -> String {
    words(queue, State::of(queue, now), now)
}

/// In words.
pub(super) fn words(queue: &QueueRecord, state: State, now: Moment) -> String {
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
        State::Counts(until) => {
            format!("more of what it was told of is only counted, the first until {}", time(until))
        }
        State::Gathers(at) => format!("gathered into a digest at {}", time(at)),
        State::Pace => "sent as fast as its pace allows".to_owned(),
        State::Idle => "nothing waits".to_owned(),
    }
}

/// What more there is to say of floods, in words.
fn floods(queue: &QueueRecord, state: State, now: Moment) -> String {
    let mut words = Vec::new();
    if let Some(until) = queue.held_until.filter(|_| !matches!(state, State::Counts(_))) {
        words.push(format!("; {} of them only counted, the first until {}", queue.held, time(until)));
    }
    if queue.gathered > 0 {
        words.push(format!("; {} of them told with another's message", queue.gathered));
    }
    let standing = &queue.standing;
    for (record, urgent, kind) in
        [(standing.burst, false, "digest"), (standing.urgent_burst, true, "urgent digest")]
    {
        let Some((digests, next_at)) = burst(record, urgent, now) else { continue };
        words.push(format!("; {} in a row", counted(digests.into(), kind)));
        if next_at > now && !matches!(state, State::Gathers(_)) {
            words.push(format!(", the next not before {}", time(next_at)));
        }
    }
    words.concat()
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
                why_it_waits(queue, now) + &floods(queue, State::of(queue, now), now),
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
    let digests = burst(standing.burst, false, now);
    let urgent_digests = burst(standing.urgent_burst, true, now);
    let next_digest = |burst: Option<(u32, Moment)>| burst.map(|(_, at)| at).filter(|at| *at > now);
    json!({
        "destination": queue.destination,
        "configured": queue.configured,
        "waiting": queue.waiting,
        "urgent": queue.urgent,
        "held": queue.held,
        "held_until": at(queue.held_until),
        "gathered": queue.gathered,
        "digests": digests.map_or(0, |(digests, _)| digests),
        "next_digest_at": at(next_digest(digests)),
        "urgent_digests": urgent_digests.map_or(0, |(digests, _)| digests),
        "next_urgent_digest_at": at(next_digest(urgent_digests)),
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
            queued: u64::from(due_at.is_some()),
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
        let in_burst = |last_at| StandingRecord {
            burst: BurstRecord { digests: 2, last_at: Some(Moment(last_at)) },
            ..none()
        };
        let counting = |until, due_at| QueueRecord { held: 2, held_until: until, ..queue(due_at, none()) };
        let urgent_only = |last_at| {
            let urgent_burst = BurstRecord { digests: 2, last_at: Some(Moment(last_at)) };
            let waiting = queue(EARLIER, StandingRecord { urgent_burst, ..none() });
            QueueRecord { queued: 0, queued_urgent: 1, ..waiting }
        };
        let digest_at = Some(Moment(1_030_000));
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
            (counting(LATER, None), "counting", LATER),
            (counting(EARLIER, None), "pace", Some(NOW)),
            (counting(LATER, EARLIER), "pace", Some(NOW)),
            (counting(LATER, Some(Moment(3_000_000))), "retrying", LATER),
            (queue(EARLIER, in_burst(970_000)), "gathering", digest_at),
            (queue(EARLIER, in_burst(900_000)), "pace", Some(NOW)),
            (QueueRecord { queued_urgent: 1, ..queue(EARLIER, in_burst(970_000)) }, "pace", Some(NOW)),
            (QueueRecord { alone: 1, ..queue(EARLIER, in_burst(970_000)) }, "pace", Some(NOW)),
            (urgent_only(970_000), "gathering", digest_at),
            (queue(None, in_burst(970_000)), "idle", None),
        ] {
            let found = State::of(&record, NOW);
            assert_eq!((found.as_str(), next_attempt(&record, found, NOW)), (state, next), "{record:?}");
            assert!(!words(&record, found, NOW).is_empty());
        }
    }

    #[test]
    fn what_is_said_of_floods_is_said_in_words_and_to_programs() {
        let standing = StandingRecord {
            burst: BurstRecord { digests: 2, last_at: Some(Moment(970_000)) },
            urgent_burst: BurstRecord { digests: 1, last_at: Some(Moment(1)) },
            ..StandingRecord::default()
        };
        let queue = QueueRecord {
            held: 3,
            held_until: LATER,
            gathered: 40,
            alone: 1,
            ..queue(Some(Moment(0)), standing)
        };
        let said = floods(&queue, State::of(&queue, NOW), NOW);
        let expected = "; 3 of them only counted, the first until 1970-01-01 00:33:20Z; 40 of them told with \
                        another's message; 2 digests in a row, the next not before 1970-01-01 00:17:10Z";
        assert_eq!(said, expected, "the urgent burst is long over");
        let shown = as_json(&queue, NOW);
        for (key, value) in [
            ("held", json!(3)),
            ("held_until", json!(Moment(2_000_000).to_string())),
            ("gathered", json!(40)),
            ("digests", json!(2)),
            ("next_digest_at", json!(Moment(1_030_000).to_string())),
            ("urgent_digests", json!(0)),
            ("next_urgent_digest_at", Value::Null),
        ] {
            assert_eq!(shown[key], value, "{key}");
        }
    }
}
