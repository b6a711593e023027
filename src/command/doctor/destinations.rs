//! The destinations: whether each webhook is there, as far as its platform tells without a message, and how each stands in
//! the store.

use std::time::Duration;

use futures_util::future::join_all;

use crate::cli::Doctor;
use crate::clock::{Clock, Moment};
use crate::command::listing::{counted, cut, time};
use crate::command::queue::{self, State};
use crate::command::send_test::{Advice, post};
use crate::delivery::{Outcome, Reason, Verdict};
use crate::destination::{Client, Destination, Probe, Probed};
use crate::outbox::{AttemptRecord, QueueRecord};

use super::PATIENCE;
use super::store::Seen;
use super::verdict::{Check, Health, Part};

/// What waits for longer than this, with nothing known that holds it up, is worth a word.
const LONG: Duration = Duration::from_mins(10);

/// This far apart two clocks are not by chance, nor by the way of the answer.
const APART: Duration = Duration::from_mins(1);

/// Asks about each destination, or posts where that was `asked`.
pub(super) async fn look(
    clock: &Clock,
    asked: &Doctor,
    destinations: &[Destination],
    seen: &Seen,
) -> Vec<Check> {
    let client = match Client::new(clock.clone()) {
        Ok(client) => client,
        Err(error) => {
            let help = "are there any certificates of authorities on this machine?";
            return vec![Check::not_ok(
                Part::Destinations,
                "client",
                Health::Broken,
                &error.to_string(),
                help,
            )];
        }
    };
    let webhooks = destinations.iter().map(|destination| async {
        let name = destination.name.as_str();
        let posts =
            asked.post.as_ref().is_some_and(|names| names.is_empty() || names.iter().any(|n| n == name));
        match destination.probe() {
            _ if posts => (posted(destination, clock).await, None),
            Some(probe) => ask(&client, destination, &probe).await,
            None => (from_store(destination, seen), None),
        }
    });
    let webhooks = join_all(webhooks).await;
    let (mut checks, told): (Vec<Check>, Vec<Option<Told>>) = webhooks.into_iter().unzip();
    checks.extend(standings(seen, clock.now()));
    checks.sort_by(|one, other| one.about.cmp(&other.about));
    checks.extend(compare(&told.into_iter().flatten().collect::<Vec<_>>()));
    checks
}

/// What time it was by a platform's clock, and by ours.
#[derive(Debug, Clone, Copy)]
struct Told {
    theirs: Moment,
    ours: Moment,
}

/// Our clock beside those of the platforms that have said what time it is.
fn compare(told: &[Told]) -> Option<Check> {
    let apart = |told: &Told| told.theirs.since(told.ours).max(told.ours.since(told.theirs));
    // One platform whose clock is wrong says nothing about ours.
    let nearest = told.iter().min_by_key(|told| apart(told))?;
    let (count, about) = (u64::try_from(told.len()).unwrap_or(u64::MAX), "platforms");
    if apart(nearest) <= APART {
        let words = format!("this machine's clock agrees with that of {}", counted(count, "webhook"));
        return Some(Check::ok(Part::Clock, about, &words));
    }
    let side = if nearest.ours > nearest.theirs { "ahead" } else { "behind" };
    let words = format!("this machine's clock is {} s {side} of the platforms'", apart(nearest).as_secs());
    let help = "have it kept by NTP: waits, windows and times in messages go by it";
    Some(Check::not_ok(Part::Clock, about, Health::Warning, &words, help))
}

/// Asks the platform about the webhook; with what time it is there.
async fn ask(client: &Client, destination: &Destination, probe: &Probe) -> (Check, Option<Told>) {
    match client.probe(destination, probe, PATIENCE).await {
        Ok(reply) => {
            let told = reply.told_time().map(|theirs| Told { theirs, ours: reply.at });
            (probed(destination, destination.platform.judge_probe(&reply)), told)
        }
        Err(verdict) => (probed(destination, Probed::Not(verdict)), None),
    }
}

fn probed(destination: &Destination, probed: Probed) -> Check {
    let (name, product) = (destination.name.as_str(), destination.platform.product());
    match probed {
        Probed::There(words) if words.is_empty() => {
            let words = format!("{product}; its webhook is there: it has refused an empty message as empty");
            Check::ok(Part::Destinations, name, &words)
        }
        Probed::There(words) => {
            Check::ok(Part::Destinations, name, &format!("{product}; it is there: {}", cut(&words, 200)))
        }
        Probed::Taken => {
            let words = format!(
                "{product}; its webhook is there, but has taken an empty message, which may be shown"
            );
            let help = "look into the channel; an empty message there is of this command";
            Check::not_ok(Part::Destinations, name, Health::Warning, &words, help)
        }
        Probed::Not(verdict) => {
            let (health, help) = meaning(&verdict, destination);
            Check::not_ok(Part::Destinations, name, health, &told(product, &verdict), &help)
        }
    }
}

/// What the answer to a probe that is no yes means, and what to do.
fn meaning(verdict: &Verdict, destination: &Destination) -> (Health, String) {
    let advice = || Advice::on(verdict, destination).what_to_do;
    match (verdict.outcome, verdict.reason) {
        (Outcome::Gone, _)
        | (Outcome::Passing, Reason::Connect | Reason::Redirected)
        | (Outcome::Refused, Reason::Internal) => (Health::Broken, advice()),
        (Outcome::Unclear, Reason::UnreadableAnswer) => {
            let help = "something else than the platform answers at this address: a proxy, a sign-in page, or another \
                        product";
            (Health::Broken, help.to_owned())
        }
        (Outcome::Unclear | Outcome::Delivered, _) => {
            let help = "ask again; if it stays so, look for what lies in between: a firewall, a proxy in HTTPS_PROXY";
            (Health::Unknown, help.to_owned())
        }
        (Outcome::Wait(_) | Outcome::WaitEverywhere(_) | Outcome::Passing | Outcome::Refused, _) => {
            (Health::Unknown, advice())
        }
    }
}

/// What was answered, in words.
fn told(product: &str, verdict: &Verdict) -> String {
    let words = cut(&verdict.words, 200);
    match verdict.status {
        Some(status) if !words.starts_with("answered ") => format!("{product}; answered {status}: {words}"),
        _ => format!("{product}; {words}"),
    }
}

/// Posts the message of `bugle send-test`.
async fn posted(destination: &Destination, clock: &Clock) -> Check {
    let (name, product) = (destination.name.as_str(), destination.platform.product());
    let verdict = match post(destination, "doctor --post", clock).await {
        Ok(verdict) => verdict,
        Err(error) => {
            let help = "no message was posted";
            return Check::not_ok(Part::Destinations, name, Health::Broken, &format!("{error:#}"), help);
        }
    };
    let Advice { outcome, what_to_do } = Advice::on(&verdict, destination);
    let words = format!("{}; {outcome}", told(product, &verdict));
    let health = match verdict.outcome {
        Outcome::Delivered => {
            return Check::ok(Part::Destinations, name, &format!("{product}; {outcome}. {what_to_do}"));
        }
        Outcome::Passing | Outcome::Refused | Outcome::Gone => Health::Broken,
        Outcome::Wait(_) | Outcome::WaitEverywhere(_) => Health::Warning,
        Outcome::Unclear => Health::Unknown,
    };
    Check::not_ok(Part::Destinations, name, health, &words, &what_to_do)
}

/// Where nobody can be asked: what came of the last message.
fn from_store(destination: &Destination, seen: &Seen) -> Check {
    let (name, product) = (destination.name.as_str(), destination.platform.product());
    let cannot = if product == "teams" {
        "a workflow cannot be asked without a message"
    } else {
        "not asked, since its host is not the platform's own, and might show what it is asked with"
    };
    let help = format!("`bugle send-test {name}` posts a message that is marked as a test");
    let last = seen.ask(|records| records.last_attempt(name, &destination.pace_group)).transpose();
    let last = match last {
        Ok(last) => last.flatten(),
        Err(error) => {
            let words = format!("{product}; {cannot}; and the store cannot be read: {error}");
            return Check::not_ok(Part::Destinations, name, Health::Unknown, &words, &help);
        }
    };
    let delivered = seen.queues.iter().find(|queue| queue.destination == name);
    let delivered = delivered.and_then(|queue| queue.standing.delivered_at);
    let (health, words) = match (last, delivered) {
        (Some(last), delivered) if last.outcome.as_deref() != Some("delivered") => {
            let before = delivered.map(|at| format!("; the last message was taken at {}", time(at)));
            let health =
                if last.outcome.as_deref() == Some("gone") { Health::Broken } else { Health::Warning };
            (health, attempt(&last) + &before.unwrap_or_default())
        }
        (Some(AttemptRecord { started_at: at, .. }), None) | (_, Some(at)) => {
            let words = format!("{product}; {cannot}; the last message was taken at {}", time(at));
            return Check::ok(Part::Destinations, name, &words);
        }
        (None, None) => (Health::Unknown, "nothing was ever sent to it".to_owned()),
    };
    Check::not_ok(Part::Destinations, name, health, &format!("{product}; {cannot}; {words}"), &help)
}

fn attempt(last: &AttemptRecord) -> String {
    let outcome = last.outcome.as_deref().unwrap_or_default();
    let status = last.status.map(|status| format!(", answered {status}")).unwrap_or_default();
    let words = cut(last.words.as_deref().unwrap_or_default(), 200);
    format!("the last attempt, at {}, was no success: {outcome}{status}: {words}", time(last.started_at))
}

/// How each destination stands, with what waits for it.
pub(super) fn standings(seen: &Seen, now: Moment) -> Vec<Check> {
    let queues = seen.queues.iter().filter(|queue| queue.configured || queue.waiting > 0);
    queues.map(|queue| standing(queue, seen.is_served(), now)).collect()
}

fn standing(queue: &QueueRecord, is_served: bool, now: Moment) -> Check {
    let (name, state) = (&queue.destination, State::of(queue, now));
    let oldest = queue.oldest.map(|at| format!(", the oldest since {}", time(at))).unwrap_or_default();
    let words = match queue.waiting {
        0 => queue::words(queue, state, now),
        1 => format!("1 message waits{oldest}; {}", queue::words(queue, state, now)),
        count => format!("{count} messages wait{oldest}; {}", queue::words(queue, state, now)),
    };
    let resume = format!("`bugle resume {name}`");
    let (health, help) = match state {
        State::NotConfigured => {
            let help = format!("configure it again, or let them go elsewhere: `bugle move {name} OTHER`");
            (Health::Warning, help)
        }
        State::Suspended(_) => (Health::Warning, format!("{resume} has them sent")),
        State::Gone(_) => {
            let help =
                format!("give it a new webhook's address; if it was mended under the old one, {resume}");
            (Health::Broken, help)
        }
        State::Failing(_) => {
            (Health::Broken, format!("it is tried again by itself, and at once by {resume}"))
        }
        State::Waits(_) => (Health::Warning, "it goes on by itself then".to_owned()),
        State::Sending(_)
        | State::Retries(_)
        | State::Counts(_)
        | State::Gathers(_)
        | State::Pace
        | State::Idle => {
            let is_late = queue.oldest.is_some_and(|oldest| now.since(oldest) > LONG);
            if !is_late || !is_served {
                return Check::ok(Part::Destinations, name, &words);
            }
            (
                Health::Warning,
                format!("`bugle queue` shows more; `bugle move {name} OTHER` sends them elsewhere"),
            )
        }
    };
    Check::not_ok(Part::Destinations, name, health, &words, &help)
}

#[cfg(test)]
mod tests;
