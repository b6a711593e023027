//! What happens at a destination, each told in one place: to the log, to the metrics, and to whoever else has to know.
//!
//! Nothing secret is told; a message alone says what is the matter.

use std::time::Duration;

use crate::clock::Moment;
use crate::courier::Office;
use crate::delivery::{Outcome, Reason, Settlement, Verdict};
use crate::destination::Destination;
use crate::event::EventId;
use crate::herald::Notices;
use crate::metrics::Metrics;
use crate::name::DestinationName;
use crate::notice::{Matter, Notice};
use crate::outbox::{Claim, Diverted};
use crate::template::Shortfall;

/// An attempt, and what came of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settled<'a> {
    pub(super) metrics: &'a Metrics,
    pub(super) destination: &'a Destination,
    pub(super) claim: &'a Claim,
    pub(super) verdict: &'a Verdict,
    pub(super) settlement: Settlement,
    /// How long the attempt took.
    pub(super) took: Duration,
    /// How long it is until the next one.
    pub(super) rests: Duration,
    /// Whether more than one delivery has failed in a row.
    pub(super) down: bool,
    /// Whether the webhook is gone, as it was not before.
    pub(super) newly_gone: bool,
}

macro_rules! line {
    ($settled:ident, $level:ident, $message:literal) => {
        tracing::$level!(
            delivery.id = $settled.claim.delivery.id.0,
            event.id = %$settled.claim.delivery.event_id,
            outcome = $settled.verdict.outcome.as_str(),
            reason = $settled.verdict.reason.as_str(),
            status = $settled.verdict.status,
            words = %$settled.verdict.words,
            failures = $settled.claim.delivery.failures,
            unclear = $settled.claim.delivery.unclear,
            duration_ms = millis($settled.took),
            next_in_ms = millis($settled.rests),
            $message
        )
    };
}

/// One line for what came of an attempt, with everything needed to find it again. What people should know of it is
/// returned, to be told when it is on disk: what a start finds there since the last notice, nobody was told of.
pub(super) fn settled(settled: Settled<'_>) -> Option<Notice> {
    let Settled { metrics, destination, verdict, took, .. } = settled;
    metrics.attempted(&destination.name, verdict.outcome, verdict.reason, took);
    match (settled.settlement, settled.verdict.outcome) {
        (Settlement::Delivered, _) => delivered(settled),
        (Settlement::Simpler, _) => {
            line!(settled, warn, "the platform refuses the message; once more in its simplest form");
        }
        (Settlement::Dead(reason), _) => return dead(settled, reason),
        (_, Outcome::Gone) if settled.newly_gone => return Some(gone(settled)),
        (_, Outcome::Gone) => line!(settled, warn, "the webhook is still gone"),
        (_, Outcome::Wait(_) | Outcome::WaitEverywhere(_)) => {
            line!(settled, warn, "the platform asks to wait");
        }
        _ if settled.down => line!(settled, warn, "the destination is down; trying on, ever more slowly"),
        _ => line!(settled, warn, "not delivered yet; trying again"),
    }
    None
}

/// The platform has a message.
fn delivered(settled: Settled<'_>) {
    settled.metrics.delivered(&settled.destination.name, settled.claim.delivery.accepted_at);
    line!(settled, info, "delivered");
}

/// A delivery has become a dead letter.
fn dead(settled: Settled<'_>, reason: Reason) -> Option<Notice> {
    settled.metrics.buried(&settled.destination.name, reason, 1);
    line!(settled, error, "given up: this delivery is a dead letter now");
    // A notice that cannot be delivered is no reason for another.
    (!settled.claim.stored.is_own()).then(|| Notice::DeadLetters {
        destination: Some(settled.destination.name.clone()),
        reason,
        words: settled.verdict.words.clone(),
        example: Some(settled.claim.delivery.event_id),
        count: 1,
    })
}

/// `count` more deliveries were given up with one; the store has said so in the log.
pub(super) fn given_up(
    notices: &Notices,
    destination: &Destination,
    reason: Reason,
    words: String,
    count: u64,
) {
    if count > 0 {
        let destination = Some(destination.name.clone());
        notices.tell(Notice::DeadLetters { destination, reason, words, example: None, count });
    }
}

/// A destination is gone, as it was not before.
fn gone(settled: Settled<'_>) -> Notice {
    if settled.destination.fallback.is_some() {
        line!(
            settled,
            error,
            "the webhook is gone: deliveries move to the fallback until its address is mended"
        );
    } else {
        line!(settled, error, "the webhook is gone: deliveries wait for a mended address");
    }
    Notice::DestinationGone {
        destination: settled.destination.name.clone(),
        words: settled.verdict.words.clone(),
        fallback: settled.destination.fallback.as_ref().map(|fallback| fallback.to.clone()),
    }
}

/// A destination was gone already when its courier took it up.
pub(super) fn found_gone(destination: &Destination, since: Moment) {
    if destination.fallback.is_some() {
        tracing::warn!(
            %since,
            "its webhook is gone: deliveries move to its fallback, and it is tried once an hour, until its address is mended"
        );
    } else {
        tracing::warn!(
            %since,
            "its webhook is gone: deliveries wait, and it is tried once an hour, until its address is mended"
        );
    }
}

/// A person has had the destination wait.
pub(super) fn suspended(since: Moment) {
    tracing::warn!(%since, "suspended by a person: deliveries wait until it is resumed");
}

/// A person has ended that; what its platform asked for holds all the same.
pub(super) fn resumed(held: Option<Duration>) {
    tracing::info!(next_in_ms = millis(held.unwrap_or_default()), "resumed by a person: deliveries go on");
}

/// What is meant for a destination that fails went to its fallback already when its courier took it up.
pub(super) fn found_diverted(fallback: &DestinationName, since: Moment) {
    tracing::warn!(
        %since, %fallback,
        "it has been failing for too long: deliveries go on to its fallback, until it works again"
    );
}

/// A destination's platform had shut us out when its courier took it up.
pub(super) fn found_shut_out(until: Moment) {
    tracing::warn!(%until, "its platform has shut us out for a while: deliveries wait");
}

/// Some of what waits for a destination has moved to its fallback; if it is the first, more will.
pub(super) fn moved(
    Office { metrics, notices, .. }: &Office,
    destination: &Destination,
    (to, why): (&DestinationName, Reason),
    Diverted { moved, covered }: Diverted,
    is_first: bool,
) {
    metrics.diverted(&destination.name, why, moved, covered);
    if is_first {
        tracing::error!(
            destination = %destination.name, fallback = %to, reason = why.as_str(),
            "deliveries move to the fallback until the destination works again"
        );
        let (from, to, gone) = (destination.name.clone(), to.clone(), why == Reason::Gone);
        notices.tell(Notice::DivertingBegan { from, to, gone });
    }
}

/// All that can move now has.
pub(super) fn all_moved(to: &DestinationName, why: Reason, Diverted { moved, covered }: Diverted) {
    tracing::info!(fallback = %to, reason = why.as_str(), moved, covered, "moved to the fallback");
}

/// A destination that was gone, or whose deliveries went to `went_to`, works again.
pub(super) fn works_again(
    notices: &Notices,
    destination: &Destination,
    since: Option<Moment>,
    went_to: Option<DestinationName>,
) {
    tracing::info!(
        destination = %destination.name, since = since.map(tracing::field::display),
        "the destination works again: deliveries go there as before"
    );
    let from = destination.name.clone();
    notices.is_over(Matter::Gone(from.clone()));
    if let Some(to) = went_to {
        notices.tell(Notice::DivertingEnded { from, to });
    }
}

/// A template could not say what it should have.
pub(super) fn template_fell_short(
    metrics: &Metrics,
    destination: &Destination,
    event: EventId,
    Shortfall { template, words }: &Shortfall,
) {
    metrics.template_failed(&destination.name);
    tracing::warn!(event.id = %event, template, words, "a template fell short: the message is plainer");
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
