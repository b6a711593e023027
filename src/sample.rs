//! Sample webhooks: what the trackers would send, made anew at each call.
//!
//! Together they tell one story: a shop whose payments time out after a release, its web front end, and its app. Ids
//! of occurrences, comments and releases are fresh each time, so that no sample is a duplicate of another; the id of
//! an error stays, so that samples about it belong together.

mod bugfender;
mod bugsnag;
mod gathered;
mod own;

use serde_json::Value;
use serde_json::value::to_raw_value;
use uuid::Uuid;

use crate::clock::Moment;
use crate::event::Event;
use crate::name::SourceName;
use crate::source::{PRODUCTS, plain_tracker};

pub use gathered::gatherings;
pub use own::notices;

/// The samples of a tracker, by trigger in the tracker's own word; none for an unknown tracker.
///
/// A trigger that has several forms is followed by them, as in `errorStateManualChange:snoozed`.
pub fn triggers(product: &str) -> &'static [&'static str] {
    match product {
        "bugsnag" => &bugsnag::TRIGGERS,
        "bugfender" => &bugfender::TRIGGERS,
        _ => &[],
    }
}

/// A body that `product` would send for `trigger` at the moment `now`; nothing if it has no such trigger.
pub fn sample(product: &str, trigger: &str, now: Moment) -> Option<Value> {
    match product {
        "bugsnag" => bugsnag::sample(trigger, now),
        "bugfender" => bugfender::sample(trigger, now),
        _ => None,
    }
}

/// An event of every kind: of each trigger that has a sample, of one that is unknown, of one that could not be read, of a
/// test message, one of which nothing is known, and what bugle says of itself. To try templates with.
pub fn events() -> Vec<Event> {
    const THEN: Moment = Moment(1_790_000_000_000);
    let mut events = Vec::new();
    for product in PRODUCTS {
        let Some((tracker, source)) = plain_tracker(product).zip(SourceName::new(product).ok()) else {
            continue;
        };
        for trigger in triggers(product) {
            let Some(body) = sample(product, trigger, THEN) else { continue };
            let elements = if let Value::Array(elements) = body { elements } else { vec![body] };
            let raw = elements.iter().filter_map(|element| to_raw_value(element).ok());
            events.extend(raw.filter_map(|raw| tracker.read(&source, &raw, Some(trigger))));
        }
        let mut test = events.last().cloned();
        if let Some(test) = &mut test {
            test.test = true;
        }
        events.extend(test);
        events.push(Event::unreadable(source.clone(), product, "{}"));
        events.push(Event {
            trigger: "somethingNew".to_owned(),
            ..Event::blank(source.clone(), product, "{}")
        });
        events.push(Event::blank(source, product, "{}"));
    }
    events.extend(notices(THEN));
    events
}

/// A fresh id of `length` hexadecimal digits, at most 32.
fn fresh_id(length: usize) -> String {
    let mut digits = Uuid::new_v4().simple().to_string();
    digits.truncate(length);
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment(1_790_000_000_000);

    fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
        PRODUCTS
            .into_iter()
            .flat_map(|product| triggers(product).iter().map(move |trigger| (product, *trigger)))
    }

    #[test]
    fn there_is_a_sample_for_every_trigger() {
        assert_eq!(all().count(), 17);
        for (product, trigger) in all() {
            assert!(sample(product, trigger, NOW).is_some(), "{product} {trigger}");
        }
        assert_eq!(sample("bugsnag", "crash", NOW), None);
        assert_eq!(sample("sentry", "exception", NOW), None);
    }

    #[test]
    fn no_two_samples_are_alike_where_the_tracker_sends_ids() {
        for (product, trigger) in all() {
            let (one, other) = (sample(product, trigger, NOW), sample(product, trigger, NOW));
            // The two notices about a project's quota have nothing in them that could differ.
            assert_eq!(
                one == other,
                trigger.starts_with("project") && trigger != "projectSpiking",
                "{trigger}"
            );
        }
    }

    #[test]
    fn a_bugsnag_sample_says_its_trigger_and_leads_to_the_dashboard() {
        for trigger in triggers("bugsnag") {
            let body = sample("bugsnag", trigger, NOW).unwrap();
            let (kind, change) = trigger.split_once(':').unwrap_or((trigger, ""));
            assert_eq!(body["trigger"]["type"], kind);
            assert!(change.is_empty() || body["trigger"]["stateChange"] == change, "{trigger}");
            let url = body["project"]["url"].as_str().unwrap();
            assert!(url.starts_with("https://app.bugsnag.com/"), "{url}");
        }
    }

    #[test]
    fn the_times_are_those_of_the_call() {
        let body = sample("bugsnag", "exception", NOW).unwrap();
        assert_eq!(body["error"]["receivedAt"], NOW.to_string());
        let body = sample("bugfender", "crash", NOW).unwrap();
        assert_eq!(body[0]["created_at"], "2026-09-21T14:13:20Z");
    }

    #[test]
    fn samples_about_one_error_belong_together() {
        let error = |trigger| sample("bugsnag", trigger, NOW).unwrap()["error"]["errorId"].clone();
        assert_eq!(error("firstException"), error("comment"));
        assert_ne!(error("firstException"), error("reopened"));
    }
}
