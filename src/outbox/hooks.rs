//! Webhooks that bugle has subscribed at a tracker: what is remembered of each, to look at it and to undo it.
//!
//! Before one is asked for, a row without an id says that one may be made: whoever is cut off in between leaves that.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, Row, Transaction, params};

use crate::clock::Moment;
use crate::order::{Hook, HookKey};
use crate::outbox::schema::{self, OpenError};
use crate::outbox::{Durability, Outbox, StoreError};

/// A webhook that was subscribed, as it is remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookRecord {
    /// Which.
    pub key: HookKey,
    /// A digest of the address that it calls.
    pub target: [u8; 32],
    /// When it was subscribed.
    pub made_at: Moment,
    /// Whether the tracker's API tells of a hook that is there.
    pub tells: bool,
    /// When it was last looked at.
    pub checked_at: Option<Moment>,
    /// Since when it is known to be gone.
    pub gone_at: Option<Moment>,
}

/// What was seen of a hook at its tracker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookSeen {
    /// It is there.
    There,
    /// It is gone.
    Gone,
    /// The tracker does not tell.
    Untold,
}

/// Keeps other commands from changing subscriptions, for as long as it lives.
#[derive(Debug)]
pub struct HooksLock(#[expect(dead_code, reason = "the lock lives as long as its file is open")] File);

/// How long is waited for another command.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often it is tried meanwhile.
const TRY_AGAIN: Duration = Duration::from_millis(50);

impl HooksLock {
    /// Takes the lock of the store at `path`; nothing if another command has it for long. Blocks meanwhile.
    pub fn take(path: &Path) -> Result<Option<Self>, OpenError> {
        let real = std::fs::canonicalize(path);
        let real = real.map_err(|cause| OpenError::Io { path: path.to_owned(), cause })?;
        let lock: PathBuf = schema::beside(&real, ".hooks.lock");
        let file = schema::open_lock(&lock, &real)?;
        let begun = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Some(Self(file))),
                Err(TryLockError::WouldBlock) if begun.elapsed() < PATIENCE => thread::sleep(TRY_AGAIN),
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(cause)) => return Err(OpenError::Io { path: lock, cause }),
            }
        }
    }
}

impl Outbox {
    /// All that are remembered of `source`.
    pub async fn hooks(&self, source: &str) -> Result<Vec<HookRecord>, StoreError> {
        let source = source.to_owned();
        self.read(move |connection| hooks(connection, Some(&source))).await
    }

    /// Writes down what was seen of a hook just now; since when it is gone, if it is. One that is forgotten stays so, and a
    /// tracker that has told once is believed, even if it does not always tell.
    pub async fn note_hook(&self, key: HookKey, seen: HookSeen) -> Result<(), StoreError> {
        let now = self.clock.now();
        let note = move |transaction: &Transaction<'_>| note(transaction, &key, seen, now);
        self.writer.write(Durability::Handed, note).await
    }
}

/// Remembers `hook`, in place of the mark that it is about to be made. Whether it was remembered already.
pub(super) fn keep(transaction: &Transaction<'_>, hook: &Hook, now: Moment) -> rusqlite::Result<bool> {
    let Hook { key, target, tells } = hook;
    if !key.hook.is_empty() {
        forget(transaction, &HookKey { hook: String::new(), ..key.clone() })?;
    }
    let was_so = forget(transaction, key)?;
    transaction.execute(
        "INSERT INTO hooks (source, subject, event, hook, target, made_at, tells) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![key.source.as_str(), key.subject, key.event, key.hook, target, now.0, tells],
    )?;
    Ok(was_so)
}

/// Forgets a hook. Whether it was remembered.
pub(super) fn forget(transaction: &Transaction<'_>, key: &HookKey) -> rusqlite::Result<bool> {
    let forgotten = transaction.execute(
        "DELETE FROM hooks WHERE source = ?1 AND subject = ?2 AND event = ?3 AND hook = ?4",
        params![key.source.as_str(), key.subject, key.event, key.hook],
    )?;
    Ok(forgotten > 0)
}

fn note(transaction: &Transaction<'_>, key: &HookKey, seen: HookSeen, now: Moment) -> rusqlite::Result<()> {
    let gone_at = match seen {
        HookSeen::There => "NULL",
        HookSeen::Gone => "coalesce(gone_at, ?5)",
        HookSeen::Untold => "gone_at",
    };
    transaction.execute(
        &format!(
            "UPDATE hooks SET checked_at = ?5, tells = tells OR ?6, gone_at = {gone_at}
             WHERE source = ?1 AND subject = ?2 AND event = ?3 AND hook = ?4"
        ),
        params![key.source.as_str(), key.subject, key.event, key.hook, now.0, seen != HookSeen::Untold],
    )?;
    Ok(())
}

/// All that are remembered, of `source` if one is given.
pub(super) fn hooks(connection: &Connection, source: Option<&str>) -> rusqlite::Result<Vec<HookRecord>> {
    let mut statement = connection.prepare_cached(
        "SELECT source, subject, event, hook, target, made_at, tells, checked_at, gone_at FROM hooks
         WHERE ?1 IS NULL OR source = ?1 ORDER BY source, subject, event, made_at, hook",
    )?;
    let rows = statement.query_map([source], record)?;
    rows.filter_map(Result::transpose).collect()
}

/// A row, unless somebody has written over it what is no source's name.
fn record(row: &Row<'_>) -> rusqlite::Result<Option<HookRecord>> {
    let Ok(source) = row.get::<_, String>(0)?.try_into() else { return Ok(None) };
    let (subject, event, hook) = (row.get(1)?, row.get(2)?, row.get(3)?);
    Ok(Some(HookRecord {
        key: HookKey { source, subject, event, hook },
        target: row.get(4)?,
        made_at: Moment(row.get(5)?),
        tells: row.get(6)?,
        checked_at: row.get::<_, Option<i64>>(7)?.map(Moment),
        gone_at: row.get::<_, Option<i64>>(8)?.map(Moment),
    }))
}
