//! What is said of trackers: that one cannot be asked, what one has told that no webhook had brought, that none calls.

use std::time::Duration;

use super::{Said, fact, listed, number, short};
use crate::clock::Moment;
use crate::name::SourceName;
use crate::notice::{Bulletin, Notice, Topic};
use crate::source::Fact;

/// Hours in a day.
const DAY: u64 = 24;

pub(super) fn failing(source: &SourceName, words: &str) -> Said {
    Said {
        title: format!("The tracker of \"{source}\" cannot be asked"),
        text: format!(
            "The reason: {}. Webhooks are taken as before. What they do not bring is asked for once this works again, for \
             up to seven days back, where bugle is to catch up; whether those that it has subscribed are still there is \
             not known meanwhile.",
            short(words).trim_end_matches('.')
        ),
        advice: "\"bugle doctor\" asks again.".to_owned(),
        ..Said::default()
    }
}

pub(super) fn caught_up(source: &SourceName, count: u64, notice: &Notice) -> Said {
    let Notice::CaughtUp { missed, since, is_cut, .. } = *notice else { return Said::default() };
    let more = if is_cut {
        "The tracker had more to tell than bugle reads at once: what is missing stands in the tracker only."
    } else {
        ""
    };
    if count == 0 {
        return Said {
            title: format!("The tracker of \"{source}\" had more to tell than was read"),
            text: more.to_owned(),
            ..Said::default()
        };
    }
    let facts = vec![fact("The first happened", since.to_string())];
    let gone = "They have gone the way of all others";
    if missed == 0 {
        let text = "They happened while bugle was not at work, or are of a kind that no webhook of this source has brought yet.";
        return Said {
            title: format!("Caught up with {} of \"{source}\"", events(count)),
            text: format!("{text} {gone}. {more}").trim_end().to_owned(),
            facts,
            ..Said::default()
        };
    }
    let text = if missed == count {
        "The tracker told them when it was asked; bugle was at work when they happened.".to_owned()
    } else {
        format!(
            "{} of them happened while bugle was at work; the others while it was not, or they are of a kind that no webhook \
             has brought yet.",
            number(missed)
        )
    };
    Said {
        title: format!("No webhook brought {} of \"{source}\"", events(count)),
        text: format!("{text} {gone}, later than they should have. {more}").trim_end().to_owned(),
        advice: "Look at the tracker's webhook: whether it is there, switched on, and calls this address. \"bugle doctor\" \
                 helps."
            .to_owned(),
        facts,
        ..Said::default()
    }
}

pub(super) fn silent(source: &SourceName, since: Moment, usual: Duration) -> Said {
    Said {
        title: format!("Nothing has come from \"{source}\" for much longer than usual"),
        text: format!("In the four weeks before that no two of its events were more than {} apart.", span(usual)),
        advice: "If it should have something to say, look at the tracker's webhook: whether it is there, switched on, and \
                 calls this address."
            .to_owned(),
        facts: vec![fact("The last came", since.to_string())],
        ..Said::default()
    }
}

/// More than one source.
pub(super) fn several(bulletin: &Bulletin, topic: &Topic, subjects: &str) -> Said {
    let (title, text, advice) = match topic.trigger {
        "catchUpFailing" => (
            format!("The trackers of {subjects} sources cannot be asked"),
            "Webhooks are taken as before; what those do not bring, and whether they are still there, nobody sees meanwhile.",
            "\"bugle doctor\" asks them again.",
        ),
        "caughtUp" => (
            format!("Caught up with {} of {subjects} sources", events(bulletin.count())),
            "No webhook had brought them. They have gone the way of all others.",
            "If bugle was at work, look at the trackers' webhooks. \"bugle doctor\" helps.",
        ),
        _ => (
            format!("Nothing has come from {subjects} sources for much longer than usual"),
            "Each used to speak more often than that.",
            "If they should have something to say, look at the trackers' webhooks.",
        ),
    };
    let facts = listed(bulletin);
    Said { title, text: text.to_owned(), advice: advice.to_owned(), facts, detail: String::new() }
}

/// One of several.
pub(super) fn in_a_list(notice: &Notice, count: u64) -> Fact {
    match notice {
        Notice::CatchUpFailing { source, words } => fact(source.as_str(), short(words)),
        Notice::CaughtUp { source, missed: 0, .. } => {
            fact(source.as_str(), format!("{}, none of which a webhook should have brought", events(count)))
        }
        Notice::CaughtUp { source, .. } => fact(source.as_str(), events(count)),
        Notice::SourceSilent { source, since, .. } => fact(source.as_str(), format!("since {since}")),
        other => fact(other.topic().trigger, number(count)),
    }
}

fn events(count: u64) -> String {
    if count == 1 { "one event".to_owned() } else { format!("{} events", number(count)) }
}

fn span(span: Duration) -> String {
    let hours = span.as_secs().div_ceil(3_600).max(1);
    match hours {
        1 => "an hour".to_owned(),
        hours if hours <= 2 * DAY => format!("{hours} hours"),
        hours => format!("{} days", hours.div_ceil(DAY)),
    }
}
