//! The store: whether it can be used, who can read it, how full it is, what was given up.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use bytesize::ByteSize;
use rustix::fs::Access;

use crate::clock::Moment;
use crate::command::listing::{counted, time};
use crate::config::Store;
use crate::notice::Fullness;
use crate::order::Letters;
use crate::outbox::{Glance, OpenError, QueueRecord, Records, files, free_on_disk};
use crate::report::Report;

use super::setup::exposure;
use super::verdict::{Check, Health, Part};

/// The store as it is found, and how every destination stands in it.
#[derive(Debug)]
pub(super) struct Seen {
    path: PathBuf,
    glance: Result<Option<Glance>, OpenError>,
    /// How each destination stands; nothing where the store does not tell.
    pub(super) queues: Vec<QueueRecord>,
    damaged: Option<String>,
}

impl Seen {
    /// The store at `path`, and in it those `destinations` and all for which something is kept.
    pub(super) fn of<'n>(path: &Path, destinations: impl Iterator<Item = &'n str>) -> Self {
        let glance = Glance::at(path);
        let names: Vec<String> = destinations.map(str::to_owned).collect();
        let mut seen = Self { path: path.to_owned(), glance, queues: Vec::new(), damaged: None };
        match seen.ask(|records| records.queues(&names)) {
            Some(Ok(queues)) => seen.queues = queues,
            Some(Err(words)) => seen.damaged = Some(words),
            None => {}
        }
        if !seen.is_served() {
            // What seems to be in hand was cut off when the server ended.
            for queue in &mut seen.queues {
                queue.in_hand_since = None;
            }
        }
        seen
    }

    /// The answer to a `question` of what is in it; nothing if its tables are not those that this bugle knows, or cannot be
    /// read.
    pub(super) fn ask<T>(
        &self,
        question: impl Fn(&Records) -> rusqlite::Result<T>,
    ) -> Option<Result<T, String>> {
        if !matches!(&self.glance, Ok(Some(glance)) if glance.is_of_now()) {
            return None;
        }
        Records::look(&self.path, |records| -> anyhow::Result<T> { Ok(question(records)?) })
            .map_err(|error| format!("{error:#}"))
            .transpose()
    }

    /// Whether a bugle serves from it.
    pub(super) fn is_served(&self) -> bool {
        matches!(&self.glance, Ok(Some(glance)) if glance.is_served)
    }

    /// Whether nothing was ever stored.
    pub(super) fn is_missing(&self) -> bool {
        matches!(self.glance, Ok(None))
    }
}

/// Looks at the store that `store` configures.
pub(super) fn look(seen: &Seen, store: &Store, now: Moment) -> Vec<Check> {
    let mut checks = match &seen.glance {
        Err(error) => vec![unusable(&seen.path, error)],
        Ok(None) => vec![missing(&seen.path)],
        Ok(Some(glance)) => open(&seen.path, glance),
    };
    if let Some(words) = &seen.damaged {
        checks.push(broken(&seen.path, &format!("it cannot be read: {words}")));
    }
    checks.extend(strangers(&seen.path));
    checks.extend(folder(seen));
    checks.push(room(seen, store));
    checks.extend(dead_letters(seen));
    checks.extend(future(seen, now));
    checks
}

/// A store that cannot be opened, and what can be done about that.
fn unusable(path: &Path, error: &OpenError) -> Check {
    let help = match error {
        OpenError::Folder(_) => "have `store.url` name a file in it",
        OpenError::Foreign(_) | OpenError::NoDatabase(_) => {
            "have `store.url` name the store, or a file that is not there yet; a store that something else was written over \
             is restored from a backup"
        }
        OpenError::Damaged(_) | OpenError::Emptied(_) => {
            "stop bugle and restore a backup; without one, save what can be read, as \"Checking the store\" in \
             docs/OPERATIONS.md says"
        }
        OpenError::Unreadable { .. } => {
            "run `bugle doctor` as the user that bugle runs as, who owns the store"
        }
        _ => "`bugle check-store` looks through all of it, if it can be opened",
    };
    let words = Report(error).to_string();
    Check::not_ok(Part::Store, &path.display().to_string(), Health::Broken, &words, help)
}

fn broken(path: &Path, words: &str) -> Check {
    let help = "`bugle check-store` looks through all of it";
    Check::not_ok(Part::Store, &path.display().to_string(), Health::Broken, words, help)
}

fn missing(path: &Path) -> Check {
    let help = "`bugle serve` makes it";
    let words = "there is none yet, so nothing was ever received";
    Check::not_ok(Part::Store, &path.display().to_string(), Health::Warning, words, help)
}

/// A store that can be opened: its version, and whether anybody sends what is in it.
fn open(path: &Path, glance: &Glance) -> Vec<Check> {
    let about = path.display().to_string();
    let Glance { version, newest, is_served, .. } = glance;
    let version = if version > newest {
        let words =
            format!("its tables are those of a newer bugle (version {version}, this one has {newest})");
        Check::not_ok(Part::Store, &about, Health::Broken, &words, "use that bugle, or another store")
    } else if version < newest && *is_served {
        let words = format!("an older bugle serves from it (version {version}, this one has {newest})");
        let help = "restart it with this one, which brings the store up to date, or ask its own command";
        Check::not_ok(Part::Store, &about, Health::Warning, &words, help)
    } else if version < newest {
        let words =
            format!("its tables are those of an older bugle (version {version}, this one has {newest})");
        let help = "back it up; `bugle serve` brings it up to date. What is in it was not looked at";
        Check::not_ok(Part::Store, &about, Health::Warning, &words, help)
    } else {
        Check::ok(Part::Store, &about, "it can be read; `bugle check-store` looks through all of it")
    };
    let served = if *is_served {
        Check::ok(Part::Store, "served", "a bugle serves from it")
    } else {
        let words = "no bugle serves from it: nothing is received and nothing is sent until one does";
        Check::not_ok(Part::Store, "served", Health::Warning, words, "start `bugle serve`")
    };
    vec![version, served]
}

/// What others on this machine could read of what the trackers have sent.
fn strangers(path: &Path) -> Vec<Check> {
    let open = |file: PathBuf| {
        let mode = exposure(&file)?;
        let words = format!("others on this machine can read it (its mode is {mode:04o})");
        let help = format!("`chmod 600 {}`, by its owner", file.display());
        Some(Check::not_ok(Part::Store, &file.display().to_string(), Health::Warning, &words, &help))
    };
    files(path).into_iter().filter_map(open).collect()
}

/// Whether this user could serve from the store, if nobody does.
fn folder(seen: &Seen) -> Option<Check> {
    if seen.is_served() {
        return None;
    }
    let folder = seen.path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let about = folder.display().to_string();
    if !folder.is_dir() {
        let words = "this folder, in which the store is to be, is not there";
        return Some(Check::not_ok(Part::Store, &about, Health::Broken, words, "make it, for bugle's user"));
    }
    let own = rustix::process::geteuid().as_raw();
    if rustix::fs::access(folder, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        let words = format!("the user who asks (number {own}) may not write into the store's folder");
        let help = "ask as the user that bugle runs as; if that is you, give the folder to that user";
        return Some(Check::not_ok(Part::Store, &about, Health::Broken, &words, help));
    }
    let owner = fs::metadata(&seen.path).ok()?.uid();
    (owner != own && own != 0).then(|| {
        let words =
            format!("it belongs to another user (number {owner}) than the one who asks (number {own})");
        let help = "ask as the user that bugle runs as, and let only that user start it";
        Check::not_ok(Part::Store, &seen.path.display().to_string(), Health::Warning, &words, help)
    })
}

/// How much room there is, by the rule that a running server goes by.
fn room(seen: &Seen, store: &Store) -> Check {
    let size = |bytes| ByteSize(bytes).display().iec().to_string();
    let used = match &seen.glance {
        Ok(Some(glance)) => Some(glance.used),
        Ok(None) => Some(0),
        Err(_) => fs::metadata(&seen.path).map(|file| file.len()).ok(),
    };
    let folder = store.path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let free = free_on_disk(&store.path).or_else(|| free_on_disk(folder.unwrap_or(Path::new("."))));
    let known = |bytes: Option<u64>| bytes.map_or_else(|| "an unknown part".to_owned(), size);
    let words = format!("{} of {} used, {} left on its disk", known(used), size(store.max_size), known(free));
    match Fullness::of(free, used.unwrap_or_default(), store.max_size) {
        None => Check::ok(Part::Store, "room", &words),
        Some(Fullness::Disk { .. }) => {
            let help = "make room on the disk: when it is full, webhooks are answered with 503 and lost";
            Check::not_ok(Part::Store, "room", Health::Warning, &words, help)
        }
        Some(Fullness::Allowed { .. }) => {
            let help = "nothing of it may be forgotten yet: look at `bugle queue` and `bugle dead-letters list`, or raise \
                        `store.max_size`";
            Check::not_ok(Part::Store, "room", Health::Warning, &words, help)
        }
    }
}

fn dead_letters(seen: &Seen) -> Option<Check> {
    Some(match seen.ask(|records| records.dead_letters(&Letters::default(), 1))? {
        Ok((_, 0)) => Check::ok(Part::Store, "dead letters", "none"),
        Ok((latest, count)) => {
            let latest = latest.first().map(|letter| format!(", the latest at {}", time(letter.given_up_at)));
            let words = counted(count, "dead letter") + &latest.unwrap_or_default();
            let help = "`bugle dead-letters list` shows them; `bugle dead-letters redrive` sends them again";
            Check::not_ok(Part::Store, "dead letters", Health::Warning, &words, help)
        }
        Err(error) => broken(Path::new("dead letters"), &format!("they cannot be read: {error}")),
    })
}

/// An event that came later than now shows a clock that was set back, or that was ahead.
fn future(seen: &Seen, now: Moment) -> Option<Check> {
    let newest = seen.ask(Records::newest_event)?.ok().flatten()?;
    (newest > now).then(|| {
        let words = format!("the newest event came at {}, which lies in the future", time(newest));
        let help = "this machine's clock was set back, or has been wrong: have it kept by NTP. What is due then waits until \
                    then";
        Check::not_ok(Part::Clock, "newest event", Health::Warning, &words, help)
    })
}
