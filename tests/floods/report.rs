//! What each channel has seen, minute by minute, and where everything stands.

use std::io::{Result, Write};
use std::time::Duration;

use rusqlite::Connection;

use super::judge::Shown;

/// Writes what a room has shown since `begun`.
pub(crate) fn room(out: &mut impl Write, name: &str, all: &[Shown], begun: Duration) -> Result<()> {
    writeln!(out, "\n{name}: {} messages", all.len())?;
    let mut last_minute = None;
    for shown in all {
        let seconds = shown.at.saturating_sub(begun).as_secs();
        let minute = seconds / 60;
        if last_minute.replace(minute) != Some(minute) {
            let count =
                all.iter().filter(|other| other.at.saturating_sub(begun).as_secs() / 60 == minute).count();
            let noun = if count == 1 { "message" } else { "messages" };
            writeln!(out, "  minute {}: {count} {noun}", minute + 1)?;
        }
        let mention = if shown.pings.is_empty() { "" } else { " @" };
        let about = match shown.told_as.as_str() {
            "" => String::new(),
            told_as => format!(" [{told_as} of {}]", shown.said),
        };
        writeln!(out, "    {}:{:02}  {}{about}{mention}", minute, seconds % 60, shown.title)?;
    }
    Ok(())
}

/// Writes how many deliveries stand where.
pub(crate) fn sums(out: &mut impl Write, store: &Connection) -> Result<()> {
    let mut tallies = store
        .prepare("SELECT destination, state, count FROM tallies WHERE count > 0 ORDER BY destination, state")
        .unwrap();
    let rows = tallies.query_map([], |row| {
        Ok(format!("{} {} {}", row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, i64>(2)?))
    });
    let rows: Vec<String> = rows.unwrap().map(std::result::Result::unwrap).collect();
    writeln!(out, "\nin the store: {}", rows.join(", "))
}
