//! Moments as trackers write them.

use jiff::Timestamp;
use jiff::civil::DateTime;
use serde_json::Value;

use crate::clock::Moment;

/// Seconds since 1970 are smaller than this until the year 5138, milliseconds are larger since 1973.
const SECONDS_BELOW: f64 = 1e11;

/// A moment out of `value`: RFC 3339, the same without a zone (UTC then), or a number of seconds or milliseconds.
pub(super) fn moment(value: &Value) -> Option<Moment> {
    match value {
        Value::String(text) => {
            let text = text.trim();
            let at = text.parse::<Timestamp>().ok();
            let at = at.or_else(|| {
                let local: DateTime = text.parse().ok()?;
                local.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
            });
            at.map(|at| Moment(at.as_millisecond()))
        }
        Value::Number(number) => {
            let number = number.as_f64().filter(|number| *number > 0.0)?;
            let millis = if number < SECONDS_BELOW { number * 1_000.0 } else { number };
            #[expect(clippy::cast_possible_truncation, reason = "a cast of a float stays within the range")]
            let at = Timestamp::from_millisecond(millis as i64).ok()?;
            Some(Moment(at.as_millisecond()))
        }
        _ => None,
    }
}

/// A moment in whole seconds, `2025-03-04T10:00:00Z`: never a later one.
pub(super) fn seconds(at: Moment) -> String {
    Moment(at.0.div_euclid(1_000) * 1_000).to_string().replace(".000Z", "Z")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_moment_is_read_however_it_is_written() {
        let expected = Some(Moment(1_741_082_400_000));
        for written in [
            json!("2025-03-04T10:00:00Z"),
            json!("2025-03-04T10:00:00.000Z"),
            json!(" 2025-03-04T11:00:00+01:00 "),
            json!("2025-03-04T10:00:00"),
            json!("2025-03-04 10:00:00"),
            json!(1_741_082_400),
            json!(1_741_082_400_000_i64),
            json!(1_741_082_400.0),
        ] {
            assert_eq!(moment(&written), expected, "{written}");
        }
        for no_moment in
            [json!("yesterday"), json!(""), json!(null), json!([]), json!(-1), json!(1e300), json!(0)]
        {
            assert_eq!(moment(&no_moment), None, "{no_moment}");
        }
    }

    #[test]
    fn whole_seconds_are_never_later() {
        assert_eq!(seconds(Moment(1_741_082_400_999)), "2025-03-04T10:00:00Z");
        assert_eq!(seconds(Moment(-1)), "1969-12-31T23:59:59Z");
    }
}
