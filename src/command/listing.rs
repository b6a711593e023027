//! How listings look to people: columns under each other, times to the second, long texts cut.

use std::io::{self, Write};
use std::time::Duration;

use unicode_width::UnicodeWidthStr as _;

use crate::clock::Moment;
use crate::event::UNREADABLE;
use crate::text::{Place, acts, as_it_is, is_blank, one_line};

/// A time to the second, in UTC.
pub(super) fn time(moment: Moment) -> String {
    match jiff::Timestamp::from_millisecond(moment.0) {
        Ok(timestamp) => timestamp.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
        Err(_) => moment.to_string(),
    }
}

/// A time, or a dash for none.
pub(super) fn time_or_none(moment: Option<Moment>) -> String {
    moment.map_or_else(|| "-".to_owned(), time)
}

/// `text` in one line of at most `limit` characters, without anything that a terminal would act on.
pub(super) fn cut(text: &str, limit: usize) -> String {
    let place = Place { write: as_it_is, count: |_| 1 };
    place.end(&one_line(text), limit)
}

/// JSON with every character escaped on which a terminal might act: the ones that JSON leaves as they are, too. Line ends
/// are JSON's own.
pub(super) fn inert(json: &str) -> String {
    let escape = |letter: char| match letter {
        '\n' => letter.to_string(),
        _ if acts(letter) => format!("\\u{:04x}", u32::from(letter)),
        _ => letter.to_string(),
    };
    json.chars().map(escape).collect()
}

/// What an event is called where its `title` may be empty: by then, what it is in the words of its `trigger`.
pub(super) fn title(trigger: &str, title: &str) -> String {
    if !is_blank(title) {
        return title.to_owned();
    }
    let words = if trigger == UNREADABLE { "(unreadable webhook)" } else { "(no title)" };
    words.to_owned()
}

/// How long something lasted, in its two largest units: `0.4 s`, `55 s`, `3 min 5 s`, `2 h 4 min`, `3 d 1 h`.
pub(super) fn lasted(span: Duration) -> String {
    let seconds = span.as_secs();
    let two = |large: u64, large_unit: &str, small: u64, small_unit: &str| match small {
        0 => format!("{large} {large_unit}"),
        small => format!("{large} {large_unit} {small} {small_unit}"),
    };
    match seconds {
        0..10 => format!("{:.1} s", span.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        60..3_600 => two(seconds / 60, "min", seconds % 60, "s"),
        3_600..86_400 => two(seconds / 3_600, "h", seconds % 3_600 / 60, "min"),
        _ => two(seconds / 86_400, "d", seconds % 86_400 / 3_600, "h"),
    }
}

/// Writes `rows` under `heads`, each column as wide as its widest cell. The last one is not filled up.
pub(super) fn table<const N: usize>(
    out: &mut dyn Write,
    heads: [&str; N],
    rows: &[[String; N]],
) -> io::Result<()> {
    let heads = heads.map(str::to_owned);
    let all = || std::iter::once(&heads).chain(rows);
    let mut widths = [0; N];
    for row in all() {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.width().max(*width);
        }
    }
    for row in all() {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', (width + 2).saturating_sub(cell.width())));
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// `1 dead letter`, `2 dead letters`.
pub(super) fn counted(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::text::any_acting_text;

    proptest! {
        #[test]
        fn what_is_shown_has_nothing_that_a_terminal_acts_on(text in any_acting_text(), limit in 0_usize..60) {
            prop_assert!(!cut(&text, limit).chars().any(acts));
            let value = json!({ "key": [text, { (text.as_str()): null }] });
            for json in [value.to_string(), format!("{value:#}")] {
                let shown = inert(&json);
                prop_assert!(!shown.chars().any(|letter| acts(letter) && letter != '\n'), "{shown:?}");
                prop_assert_eq!(&serde_json::from_str::<Value>(&shown).unwrap(), &value);
            }
        }
    }

    #[test]
    fn an_event_without_a_title_is_called_something() {
        for (trigger, given, shown) in [
            ("crash", "Boom", "Boom"),
            ("unreadable", "Boom", "Boom"),
            ("unreadable", "", "(unreadable webhook)"),
            ("crash", " \u{200B}", "(no title)"),
            ("", "", "(no title)"),
        ] {
            assert_eq!(title(trigger, given), shown, "{trigger:?} {given:?}");
        }
    }

    #[test]
    fn columns_stand_under_each_other_whatever_is_in_them() {
        let mut out = Vec::new();
        let rows = [["日本".to_owned(), "x".to_owned()], ["a".to_owned(), String::new()]];
        table(&mut out, ["NAME", "WORDS"], &rows).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "NAME  WORDS\n日本  x\na\n");
    }

    #[test]
    fn a_span_is_said_in_its_two_largest_units() {
        for (seconds, said) in [
            (0.44, "0.4 s"),
            (9.96, "10.0 s"),
            (59.9, "59 s"),
            (60.0, "1 min"),
            (185.0, "3 min 5 s"),
            (7_440.0, "2 h 4 min"),
            (262_800.0, "3 d 1 h"),
        ] {
            assert_eq!(lasted(Duration::from_secs_f64(seconds)), said);
        }
    }

    #[test]
    fn a_text_is_one_line_that_no_terminal_acts_on() {
        assert_eq!(cut("a\u{1b}[2J\nb", 20), "a[2J b");
        let long = cut(&"ab ".repeat(40), 20);
        assert!(long.chars().count() <= 20 && long.ends_with('…'), "{long}");
        assert_eq!(time(Moment(1_741_082_400_123)), "2025-03-04 10:00:00Z");
    }
}
