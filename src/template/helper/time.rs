//! Helpers for times: as a date in the configured zone, and as how long ago.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;

use crate::clock::Moment;

use super::{Arguments, Given, Helper, Literal, Run, Takes};

/// The form of a date where none is asked for.
const FORMAT: &str = "%-d %b %Y, %H:%M %Z";

pub(super) const HELPERS: &[Helper] = &[
    Helper {
        name: "date",
        usage: "date value [\"%-d %b %Y, %H:%M %Z\"]",
        about: "a time in the configured zone, in the form asked for; what is no time stays as it is",
        least: 1,
        most: 2,
        options: &[],
        takes: Takes::Text,
        literals: &[(1, Literal::Format)],
        run: Run::Value(date),
    },
    Helper {
        name: "ago",
        usage: "ago value",
        about: "how long ago a time was when the message is written: 3 hours ago",
        least: 1,
        most: 1,
        options: &[],
        takes: Takes::Text,
        literals: &[],
        run: Run::Value(|a| Ok(ago(&a.text(0), a.of_message("now")).into())),
    },
];

/// A message that goes out within this after its event needs no word about it: the chat shows its own time.
const LATE: Duration = Duration::from_mins(10);

/// When it happened, if that is a while ago.
pub(in crate::template) fn late(at: &str, now: Moment, zone: &TimeZone) -> Option<String> {
    let time: Timestamp = at.trim().parse().ok()?;
    let is_late = now.since(Moment(time.as_millisecond())) > LATE;
    is_late.then(|| format!("happened {}", time.to_zoned(zone.clone()).strftime(FORMAT)))
}

/// Whether a text is the form of a date.
pub(in crate::template) fn is_format(format: &str) -> bool {
    strtime::format(format, &Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC)).is_ok()
}

fn date(arguments: &Arguments<'_>) -> Given {
    let text = arguments.text(0);
    let Ok(time) = text.trim().parse::<Timestamp>() else { return Ok(text.into()) };
    let format = Some(arguments.text(1)).filter(|format| !format.is_empty());
    let format = format.as_deref().unwrap_or(FORMAT);
    match strtime::format(format, &time.to_zoned(arguments.zone.clone())) {
        Ok(date) => Ok(date.into()),
        Err(error) => Err(format!("`{format}` is no form of a date: {error}")),
    }
}

const UNITS: [(i64, &str); 5] =
    [(365 * 86_400, "year"), (30 * 86_400, "month"), (86_400, "day"), (3_600, "hour"), (60, "minute")];

fn ago(text: &str, now: &str) -> String {
    let (Ok(time), Ok(now)) = (text.trim().parse::<Timestamp>(), now.parse::<Timestamp>()) else {
        return text.to_owned();
    };
    let seconds = now.as_second() - time.as_second();
    let Some((size, unit)) = UNITS.into_iter().find(|(size, _)| seconds.abs() >= *size) else {
        return "just now".to_owned();
    };
    let count = seconds.abs() / size;
    let plural = if count == 1 { "" } else { "s" };
    if seconds < 0 { format!("in {count} {unit}{plural}") } else { format!("{count} {unit}{plural} ago") }
}
