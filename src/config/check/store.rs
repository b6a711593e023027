//! Where events are kept: `[store]`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::super::findings::{Finding, Findings};
use super::super::place::Place;
use super::super::{Store, raw, unit};

const FILE: &str = "bugle.db";
const DAY: Duration = Duration::from_hours(24);

/// Checks `[store]`.
pub(in crate::config) fn store(
    findings: &mut Findings<'_>,
    folder: &Path,
    place: &Place,
    written: raw::Store,
) -> Store {
    let keep = findings.parsed(&place.key("keep"), written.keep.as_deref(), unit::duration);
    let max_size = findings.parsed(&place.key("max_size"), written.max_size.as_deref(), unit::size);
    let dead = &place.key("dead_letters_keep");
    let dead_letters_keep = findings.parsed(dead, written.dead_letters_keep.as_deref(), unit::duration);
    let path = written.url.and_then(|url| sqlite(findings, &place.key("url"), &url));
    Store {
        path: folder.join(path.unwrap_or_else(|| PathBuf::from(FILE))),
        keep: keep.unwrap_or(30 * DAY),
        max_size: max_size.unwrap_or(2 << 30),
        dead_letters_keep: dead_letters_keep.unwrap_or(90 * DAY),
    }
}

/// The file of a SQLite store.
fn sqlite(findings: &mut Findings<'_>, place: &Place, url: &str) -> Option<PathBuf> {
    const EXPECTED: &str = "sqlite: and a file, such as \"sqlite:bugle.db\"";
    let Some(file) = url.strip_prefix("sqlite:") else {
        let is_postgres = url.starts_with("postgres:") || url.starts_with("postgresql:");
        let message = if is_postgres { "PostgreSQL comes later" } else { "this is no store" };
        findings.add(Finding::problem(place, message).expected(EXPECTED));
        return None;
    };
    // `sqlite:///var/lib/bugle.db` is how other tools write an absolute path.
    let file = file.strip_prefix("//").unwrap_or(file);
    if file.is_empty() || file.starts_with(':') || file.contains('?') {
        findings.add(Finding::problem(place, "this names no file").expected(EXPECTED));
        return None;
    }
    Some(PathBuf::from(file))
}
