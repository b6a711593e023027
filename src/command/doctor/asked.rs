//! Whether trackers tell what no webhook has brought, and whether sources speak that used to.

use std::time::Duration;

use crate::api::{Api, ApiError};
use crate::catch_up::{Silence, judge};
use crate::clock::Moment;
use crate::command::listing::{counted, cut, lasted, time};
use crate::config::Settings;
use crate::outbox::{CatchUpRecord, FoundRecord, Records};

use super::store::Seen;
use super::verdict::{Check, Health, Part};

/// What was found so long ago is told of.
const RECENT: Duration = Duration::from_hours(24);

/// Who asks every so often has asked within so many times that, unless something is wrong.
const LATE: u32 = 3;

/// Looks at each API that is configured, and at each source.
pub(super) fn look(seen: &Seen, settings: &Settings, now: Moment) -> Vec<Check> {
    // What is wrong with the store is said of the store.
    let records = seen.ask(Records::catch_ups).and_then(Result::ok).unwrap_or_default();
    let mut checks: Vec<Check> =
        settings.apis.iter().flat_map(|api| of_api(api, &records, seen.is_served(), now)).collect();
    if let Some(Ok(Some(begun))) = seen.ask(Records::begun) {
        let names = settings.sources.iter().map(|source| source.name.as_str());
        checks.extend(names.filter_map(|name| silent(seen, name, begun, now)));
    }
    checks
}

fn of_api(api: &Api, records: &[CatchUpRecord], is_served: bool, now: Moment) -> Vec<Check> {
    let about = format!("{}, catch-up", api.source);
    let Some(how) = &api.catch_up else {
        let words = "off: what no webhook brings is not asked for";
        return vec![Check::ok(Part::Sources, &about, words)];
    };
    let mut checks = Vec::new();
    for subject in api.subjects() {
        let its = |record: &&CatchUpRecord| record.source == api.source.as_str() && record.subject == subject;
        let about = format!("{about} of {subject}");
        match records.iter().find(its) {
            None => {
                let (words, help) = if is_served {
                    (
                        "not asked yet: bugle asks at its start and after a reload, which can take some minutes",
                        WAIT,
                    )
                } else {
                    ("not asked yet", "bugle asks once it serves with this configuration")
                };
                checks.push(Check::not_ok(Part::Sources, &about, Health::Unknown, words, help));
            }
            Some(record) => {
                let is_late = is_served && now.since(record.asked_at) > how.every.saturating_mul(LATE);
                // Who is answered badly is asked more rarely.
                if is_late && record.failing_since.is_none() {
                    checks.push(late(&about, record, now));
                }
                checks.extend(lacking(&about, record, now));
                checks.push(check(&about, record, is_served, now));
            }
        }
    }
    checks
}

/// What to do where it is too early to tell.
const WAIT: &str = "look again later; if it stays so, the log says why";

fn late(about: &str, record: &CatchUpRecord, now: Moment) -> Check {
    let words = format!("asked {} ago, which is long ago", lasted(now.since(record.asked_at)));
    let help = "the log of the bugle that serves says what holds it up; a restart or a reload asks at once";
    Check::not_ok(Part::Sources, about, Health::Warning, &words, help)
}

/// What could not be had, of what could be asked.
fn lacking(about: &str, record: &CatchUpRecord, now: Moment) -> Vec<Check> {
    let CatchUpRecord { failing_since, cut_at, words, .. } = record;
    let cut_at = cut_at.filter(|cut_at| now.since(*cut_at) < RECENT).map(|cut_at| {
        let words = format!("{} ago the tracker had more to tell than was read", lasted(now.since(cut_at)));
        (words, "what is missing stands in the tracker only")
    });
    let remark = (failing_since.is_none() && !words.is_empty())
        .then(|| (cut(words, 300), "webhooks bring it all the same, if they are there and switched on"));
    let not_ok =
        |(words, help): (String, &str)| Check::not_ok(Part::Sources, about, Health::Warning, &words, help);
    cut_at.into_iter().chain(remark).map(not_ok).collect()
}

fn check(about: &str, record: &CatchUpRecord, is_served: bool, now: Moment) -> Check {
    let CatchUpRecord { asked_at, requests, failing_since, words, found, .. } = record;
    let asked = format!("asked {} ago", lasted(now.since(*asked_at)));
    if let Some(since) = failing_since {
        let words = format!("{asked}, in vain since {}: {words}", time(*since));
        let help = "nothing is left out for good: it is asked for once this works, for up to seven days back. After many \
                    failures it is asked more rarely; a restart or a reload asks at once";
        // Credentials may have been mended since, where nobody serves.
        let health = if is_served && is_refusal(&record.words) { Health::Broken } else { Health::Warning };
        return Check::not_ok(Part::Sources, about, health, &words, help);
    }
    let asked = format!("{asked}, with {}", counted(*requests, "request"));
    match found.filter(|found| now.since(found.at) < RECENT) {
        Some(FoundRecord { count, missed, since, .. }) if missed > 0 => {
            let words = format!(
                "{asked}; found {} since {}, {missed} of which a webhook should have brought",
                counted(count, "event"),
                time(since)
            );
            let help = "see in the tracker whether its webhook is there, switched on, and calls this address";
            Check::not_ok(Part::Sources, about, Health::Warning, &words, help)
        }
        Some(FoundRecord { count, since, .. }) => {
            let found = counted(count, "event");
            let words = format!(
                "{asked}; found {found} since {}, of when bugle was not at work or of a kind that no webhook brings",
                time(since)
            );
            Check::ok(Part::Sources, about, &words)
        }
        None => {
            Check::ok(Part::Sources, about, &format!("{asked}; found nothing that no webhook had brought"))
        }
    }
}

/// Whether `words` were said of credentials that stay wrong until somebody mends them.
fn is_refusal(words: &str) -> bool {
    [ApiError::Unauthorized, ApiError::Forbidden].iter().any(|error| words.starts_with(&error.to_string()))
}

/// Whether the source `name` has been silent for much longer than usual, by the judgement of who says so while bugle runs.
fn silent(seen: &Seen, name: &str, begun: Moment, now: Moment) -> Option<Check> {
    let times = seen.ask(|records| records.spoken(name))?.ok()?;
    let Silence { last, usual } = judge(&times, begun, now)?;
    let words = format!(
        "silent for {}; until then something came every {} at least",
        lasted(now.since(last)),
        lasted(usual)
    );
    let help = "if it should have something to say, see in the tracker whether its webhook is there, switched on, and \
                calls this address";
    Some(Check::not_ok(Part::Sources, name, Health::Warning, &words, help))
}
