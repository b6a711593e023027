//! The grammar of `bugle dead-letters`.

use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand};
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use crate::clock::Moment;
use crate::config;
use crate::delivery::Reason;
use crate::event::{EventId, ShortIdError};
use crate::name::{DestinationName, nearest};

/// What can be done about dead letters.
#[derive(Debug, Subcommand)]
pub enum DeadLetters {
    /// List them, the latest first
    List {
        /// Which
        #[command(flatten)]
        which: Which,
        /// How many at most
        #[arg(long, value_name = "COUNT", default_value_t = 50)]
        limit: u32,
    },

    /// Show an event with all that is or was owed of it: every attempt, every answer, and where it stands
    Show {
        /// The event's short id, as in messages and listings
        #[arg(value_name = "ID", value_parser = short_id)]
        id: EventId,
        /// Only what is or was owed to this destination
        #[arg(long, value_name = "NAME")]
        destination: Option<String>,
        /// Show what the tracker has sent, too, which may name people
        #[arg(long)]
        raw: bool,
    },

    /// Send them again, as new messages: a template or an address that was mended meanwhile is used
    #[command(group(meant()))]
    Redrive {
        /// Which
        #[command(flatten)]
        which: Which,
        /// All there are
        #[arg(long)]
        all: bool,
        /// Send them to this destination instead
        #[arg(long, value_name = "NAME", value_parser = DestinationName::new)]
        to: Option<DestinationName>,
    },

    /// Be done with them: nobody will hear of them, and they go with the history
    #[command(group(meant()))]
    Discard {
        /// Which
        #[command(flatten)]
        which: Which,
        /// All there are
        #[arg(long)]
        all: bool,
    },
}

/// What narrows dead letters down; those are meant for which all of it holds.
#[derive(Debug, Args)]
pub struct Which {
    /// Those of these events, by the short id in messages and listings
    #[arg(value_name = "ID", value_parser = short_id)]
    pub ids: Vec<EventId>,
    /// Those for this destination
    #[arg(long, value_name = "NAME", value_parser = DestinationName::new)]
    pub destination: Option<DestinationName>,
    /// Those given up for this reason, such as `gave_up`
    #[arg(long, value_name = "REASON", value_parser = reason)]
    pub reason: Option<Reason>,
    /// Those given up then or later: `2d` ago, `2026-03-01`, `2026-03-01T12:00`; in UTC
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub since: Option<Time>,
    /// Those given up before then
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub until: Option<Time>,
}

/// A time, as people say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Time {
    /// So long ago.
    Ago(Duration),
    /// At that moment.
    At(Moment),
}

impl Time {
    /// Which moment it is.
    pub fn moment(self, now: Moment) -> Moment {
        match self {
            Self::Ago(span) => now.minus(span),
            Self::At(moment) => moment,
        }
    }
}

/// Some of them must be meant, or all.
fn meant() -> ArgGroup {
    let filters = ["ids", "destination", "reason", "since", "until", "all"];
    ArgGroup::new("meant").required(true).multiple(true).args(filters)
}

fn short_id(text: &str) -> Result<EventId, ShortIdError> {
    EventId::try_from(text.to_owned())
}

fn reason(label: &str) -> Result<Reason, String> {
    Reason::read(label).ok_or_else(|| {
        let near = nearest(label, Reason::labels()).map(|near| format!(", did you mean {near:?}?"));
        format!("there is no such reason{}", near.unwrap_or_default())
    })
}

pub(super) fn time(text: &str) -> Result<Time, String> {
    let text = text.trim();
    if let Some(span) = config::duration(text) {
        return Ok(Time::Ago(span));
    }
    let in_utc = |time: DateTime| time.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    let with_offset = || text.parse::<Timestamp>().ok();
    let with_time = || text.parse::<DateTime>().ok().and_then(in_utc);
    let day = || text.parse::<Date>().ok().and_then(|day| in_utc(day.at(0, 0, 0, 0)));
    match with_offset().or_else(with_time).or_else(day) {
        Some(timestamp) => Ok(Time::At(Moment(timestamp.as_millisecond()))),
        None => {
            Err("a time is a span such as 2d or 90m, which is how long ago, a date, or a date and a time"
                .to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_span_a_day_or_a_moment() {
        const DAY: Moment = Moment(1_772_323_200_000);
        let noon = DAY.plus(Duration::from_hours(12));
        for (text, expected) in [
            ("2d", Time::Ago(Duration::from_hours(48))),
            ("1h 30m", Time::Ago(Duration::from_mins(90))),
            ("2026-03-01", Time::At(DAY)),
            ("2026-03-01T12:00", Time::At(noon)),
            ("2026-03-01 12:00:00", Time::At(noon)),
            ("2026-03-01T13:00+01:00", Time::At(noon)),
            ("2026-03-01T12:00:00Z", Time::At(noon)),
        ] {
            assert_eq!(time(text), Ok(expected), "{text}");
        }
        for wrong in ["", "yesterday", "-2d", "2026-13-01", "12:00"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
        assert_eq!(Time::Ago(Duration::from_secs(1)).moment(DAY), Moment(DAY.0 - 1_000));
    }

    #[test]
    fn a_reason_that_is_none_has_a_nearest() {
        assert_eq!(reason("gave_up"), Ok(Reason::GaveUp));
        assert!(reason("gaveup").unwrap_err().contains("\"gave_up\""));
    }
}
