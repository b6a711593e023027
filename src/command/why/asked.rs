//! How a tracker was asked last for what no webhook had brought: part of what there is to say where there is no event.

use serde_json::{Value, json};

use crate::clock::Moment;
use crate::command::listing::{counted, cut, lasted, time};
use crate::outbox::CatchUpRecord;

/// In a line.
pub(super) fn words(record: &CatchUpRecord, now: Moment) -> String {
    let CatchUpRecord { source, subject, up_to, asked_at, failing_since, words, found, .. } = record;
    let whose = format!("the tracker of {} was asked about {}", cut(source, 64), cut(subject, 64));
    let ago = format!("{} ago", lasted(now.since(*asked_at)));
    if let Some(since) = failing_since {
        let up_to = up_to.map_or_else(|| "never".to_owned(), |up_to| format!("up to {}", time(up_to)));
        return format!("{whose} {ago}, in vain since {}: {}; it was {up_to}", time(*since), cut(words, 300));
    }
    match found {
        None => format!("{whose} {ago}, and has never told of anything that no webhook had brought"),
        Some(found) if found.at >= *asked_at => {
            format!(
                "{whose} {ago}, and told of {} that no webhook had brought",
                counted(found.count, "event")
            )
        }
        Some(found) => format!(
            "{whose} {ago}, and told of nothing new; the last time that it did was {} ({})",
            time(found.at),
            counted(found.count, "event")
        ),
    }
}

/// The fields are listed in `docs/OPERATIONS.md`, which a test compares.
pub(super) fn as_json(record: &CatchUpRecord) -> Value {
    let CatchUpRecord { source, subject, up_to, asked_at, requests, failing_since, words, found, .. } =
        record;
    let at = |moment: &Option<Moment>| moment.map(|moment| moment.to_string());
    json!({
        "source": source,
        "subject": subject,
        "up_to": at(up_to),
        "asked_at": asked_at.to_string(),
        "requests": requests,
        "failing_since": at(failing_since),
        "cut_at": at(&record.cut_at),
        "words": words,
        "found": found.map(|found| found.count),
        "missed": found.map(|found| found.missed),
        "found_at": found.map(|found| found.at.to_string()),
        "found_since": found.map(|found| found.since.to_string()),
    })
}
