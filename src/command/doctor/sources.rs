//! The sources: when each last brought anything.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::clock::Moment;
use crate::command::listing::{counted, time};
use crate::config::Settings;
use crate::name::SourceName;
use crate::outbox::{Arrival, Records, RefusalRecord};
use crate::source::Source;

use super::public::shown;
use super::store::Seen;
use super::verdict::{Check, Health, Part};

/// Refusals of so long ago are told of.
const RECENT: Duration = Duration::from_hours(24);

/// Looks at each source that is configured.
pub(super) fn look(seen: &Seen, settings: &Settings, now: Moment) -> Vec<Check> {
    let since = Moment(now.0.saturating_sub(i64::try_from(RECENT.as_millis()).unwrap_or(i64::MAX)));
    let mut checks = Vec::new();
    let refusals = match seen.ask(|records| records.refusals(since, now)).transpose() {
        Ok(refusals) => refusals.unwrap_or_default(),
        Err(error) => {
            let (words, help) =
                (format!("cannot be read: {error}"), "`bugle check-store` looks through the store");
            checks.push(Check::not_ok(Part::Sources, "refusals", Health::Unknown, &words, help));
            Vec::new()
        }
    };
    let subscribed = subscribed(seen);
    for source in &settings.sources {
        let last = arrival(seen, source.name.as_str());
        // What was refused before something came is in order again.
        let refused = refusals.iter().filter(|refusal| {
            refusal.source == source.name.as_str()
                && !matches!(last, Ok(Some(Arrival::At(at))) if at >= refusal.last_at)
        });
        let refused = refused.map(|refusal| refused_at(source.name.as_str(), refusal));
        let is_subscribed = subscribed.contains(&source.name);
        checks.push(check(source, &last, settings, is_subscribed));
        checks.extend(refused);
    }
    checks.extend(refusals.iter().filter(|refusal| refusal.source.is_empty()).map(|refusal| {
        let refusal = refused_at("no source", refusal);
        Check {
            help: Some("a name in an address is none of [sources]: look in the tracker".to_owned()),
            ..refusal
        }
    }));
    checks
}

/// The sources whose webhooks bugle has made itself.
fn subscribed(seen: &Seen) -> BTreeSet<SourceName> {
    // What is wrong with the store is said of the store.
    let hooks = seen.ask(Records::hooks).and_then(Result::ok).unwrap_or_default();
    hooks.into_iter().filter(|hook| !hook.key.hook.is_empty()).map(|hook| hook.key.source).collect()
}

/// When something last came; nothing if the store does not tell.
fn arrival(seen: &Seen, name: &str) -> Result<Option<Arrival>, String> {
    match seen.ask(|records| records.last_arrival(name)) {
        Some(last) => last.map(Some),
        None => Ok(seen.is_missing().then_some(Arrival::Never)),
    }
}

fn refused_at(about: &str, refusal: &RefusalRecord) -> Check {
    let RefusalRecord { reason, count, last_at, sender, .. } = refusal;
    let sender = if sender.is_empty() { String::new() } else { format!(" from {sender}") };
    let words = format!(
        "{} refused within a day: {reason}, the last at {}{sender}",
        counted(*count, "webhook"),
        time(*last_at)
    );
    let help = "\"Webhooks are refused\" in docs/OPERATIONS.md has what to do for each reason";
    Check::not_ok(Part::Sources, about, Health::Warning, &words, help)
}

fn check(
    source: &Source,
    last: &Result<Option<Arrival>, String>,
    settings: &Settings,
    is_subscribed: bool,
) -> Check {
    let (name, product) = (source.name.as_str(), source.tracker.product());
    match last {
        Ok(None) => {
            let help = "see what is said of the store above";
            Check::not_ok(Part::Sources, name, Health::Unknown, "the store does not tell", help)
        }
        Ok(Some(Arrival::At(at))) => {
            Check::ok(Part::Sources, name, &format!("{product}; the last event came at {}", time(*at)))
        }
        Ok(Some(Arrival::Forgotten)) => {
            let words = format!("{product}; something came once, and nothing within `store.keep`");
            let help = "look in the tracker whether it still has the address: a tracker gives an address up that has \
                        failed for long";
            let help = if is_subscribed { LISTED } else { help };
            Check::not_ok(Part::Sources, name, Health::Warning, &words, help)
        }
        Ok(Some(Arrival::Never)) => {
            let words = format!("{product}; nothing has ever come through it");
            let help = if is_subscribed {
                LISTED.to_owned()
            } else {
                format!("paste {} into {}", address(source, settings), spelt(product))
            };
            Check::not_ok(Part::Sources, name, Health::Warning, &words, &help)
        }
        Err(error) => {
            let help = "`bugle check-store` looks through the store";
            Check::not_ok(Part::Sources, name, Health::Unknown, &format!("cannot be read: {error}"), help)
        }
    }
}

/// What to do where nothing is pasted, since bugle has made the webhooks.
const LISTED: &str = "`bugle bugfender list` says whether the webhooks that bugle has made are there; where they are, \
                      nothing may have happened yet";

/// What is pasted into the tracker; its token is left out.
fn address(source: &Source, settings: &Settings) -> String {
    let host = settings.server.public_url.as_deref().map(shown);
    let host = host.unwrap_or_else(|| "https://<the address that trackers reach>".to_owned());
    format!("{host}/hooks/{}/<token>", source.name)
}

fn spelt(product: &str) -> &str {
    match product {
        "bugsnag" => "Bugsnag",
        "bugfender" => "Bugfender",
        other => other,
    }
}
