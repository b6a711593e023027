//! `bugle check-store`: is the store whole, and is in it what bugle relies on? Nothing is changed, whether it is in use or
//! not. Of the configuration only `[store]` matters, and nothing at all if a file is named.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};
use bytesize::ByteSize;
use serde_json::json;

use super::backup::number;
use crate::config::{self, Environment};
use crate::outbox::{Broken, Examined, OpenError, examine};
use crate::report::Report;

/// Looks through `file`, or through the store that is configured, and writes the verdict to `out`. Gives the exit code: 0
/// if bugle can go on with it, else 1.
pub fn run(
    out: &mut dyn Write,
    config: Option<&Path>,
    file: Option<PathBuf>,
    json: bool,
    environment: &Environment,
) -> Result<u8> {
    let path = if let Some(file) = file {
        file
    } else {
        let store = config::find(config).and_then(|path| config::load_store(&path, environment));
        store.map_err(|problems| anyhow!("{}", problems.to_string().trim_end()))?.path
    };
    let examined = examine(&path);
    let is_in_order = examined.as_ref().is_ok_and(Examined::is_in_order);
    if json {
        writeln!(out, "{:#}", as_json(&path, is_in_order, &examined))?;
    } else {
        match &examined {
            Ok(examined) => write_words(out, &path, examined)?,
            Err(error) => writeln!(out, "{}", Report(error))?,
        }
    }
    Ok(u8::from(!is_in_order))
}

fn as_json(path: &Path, ok: bool, examined: &Result<Examined, OpenError>) -> serde_json::Value {
    let examined = match examined {
        Ok(examined) => examined,
        Err(error) => return json!({ "ok": ok, "file": path, "error": Report(error).to_string() }),
    };
    let broken = examined.broken.iter();
    let broken: Vec<_> = broken
        .map(|Broken { what, count, first }| json!({ "what": what, "count": count, "first": first }))
        .collect();
    let deliveries: serde_json::Map<_, _> =
        examined.deliveries.iter().map(|(state, count)| (state.clone(), json!(count))).collect();
    json!({
        "ok": ok,
        "file": path,
        "version": examined.version,
        "newest_version": examined.newest,
        "file_bytes": examined.file_bytes,
        "log_bytes": examined.log_bytes,
        "used_bytes": examined.used_bytes,
        "events": examined.events,
        "deliveries": deliveries,
        "damage": examined.damage,
        "broken": broken,
    })
}

fn write_words(out: &mut dyn Write, path: &Path, examined: &Examined) -> io::Result<()> {
    let Examined { version, newest, damage, broken, .. } = examined;
    let verdict = match (damage.is_empty(), broken.is_empty()) {
        (true, true) if version > newest => "was made by a newer bugle",
        (true, true) => "is in order",
        (true, false) => "is whole as a file, but not in order",
        (false, _) => "is damaged",
    };
    writeln!(out, "{} {verdict}", path.display())?;
    for complaint in damage {
        for line in complaint.lines() {
            writeln!(out, "  {line}")?;
        }
    }
    for Broken { what, count, first } in broken {
        let first = if *first > 0 { format!(", the first is number {first}") } else { String::new() };
        writeln!(out, "  {what}: {}{first}", number(*count))?;
    }
    let size = |bytes| ByteSize(bytes).display().iec();
    let age = match version.cmp(newest) {
        std::cmp::Ordering::Less => "older than this bugle, which brings it up to date when it opens it",
        std::cmp::Ordering::Equal => "the one of this bugle",
        std::cmp::Ordering::Greater => "newer than this bugle, which cannot use it",
    };
    writeln!(out, "version {version} of the tables, {age}")?;
    let free = examined.file_bytes.saturating_sub(examined.used_bytes);
    writeln!(
        out,
        "{}, of which {} are free; its log has {}",
        size(examined.file_bytes),
        size(free),
        size(examined.log_bytes)
    )?;
    let states = examined.deliveries.iter().map(|(state, count)| format!("{} {state}", number(*count)));
    let states = states.collect::<Vec<_>>().join(", ");
    let states = if states.is_empty() { "none".to_owned() } else { states };
    match examined.events {
        Some(events) => writeln!(out, "events: {}; deliveries: {states}", number(events))?,
        None => writeln!(out, "its events and deliveries cannot be counted")?,
    }
    if !examined.is_in_order() && version <= newest {
        writeln!(
            out,
            "stop bugle, then restore a backup, or save what can be read: `sqlite3 {} .recover | sqlite3 recovered.db`",
            path.display()
        )?;
    }
    Ok(())
}
