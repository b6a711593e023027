//! How listings look to people: columns under each other, times to the second, long texts cut.

use std::io::{self, Write};

use unicode_width::UnicodeWidthStr as _;

use crate::clock::Moment;
use crate::text::{Place, as_it_is, one_line};

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
    use super::*;

    #[test]
    fn columns_stand_under_each_other_whatever_is_in_them() {
        let mut out = Vec::new();
        let rows = [["日本".to_owned(), "x".to_owned()], ["a".to_owned(), String::new()]];
        table(&mut out, ["NAME", "WORDS"], &rows).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "NAME  WORDS\n日本  x\na\n");
    }

    #[test]
    fn a_text_is_one_line_that_no_terminal_acts_on() {
        assert_eq!(cut("a\u{1b}[2J\nb", 20), "a[2J b");
        let long = cut(&"ab ".repeat(40), 20);
        assert!(long.chars().count() <= 20 && long.ends_with('…'), "{long}");
        assert_eq!(time(Moment(1_741_082_400_123)), "2025-03-04 10:00:00Z");
    }
}
