//! A copy of the store while it is in use.
//!
//! SQLite's backup copies page by page. Here it does so within one read transaction: the copy is the store as it was at
//! one moment, no writer has it begin anew, and no commit waits for it. What is committed meanwhile stays in the log
//! until it is done, so copying has to be quick; that is why it is not `VACUUM INTO`, which writes every row anew.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use crate::outbox::schema::{self, OpenError};

/// Pages that are copied between two words about how far it is.
const PAGES: i32 = 2_048;

/// How far a copy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackupStep {
    /// So many bytes of all are copied.
    Copying {
        /// Those that are there.
        done: u64,
        /// All there will be.
        of: u64,
    },
    /// The copy is read through once.
    Checking,
}

/// A copy that has been made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copied {
    /// Its size.
    pub bytes: u64,
    /// Events in it.
    pub events: u64,
    /// Deliveries in it that wait.
    pub waiting: u64,
}

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The store cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// There is something of that name.
    #[error("{} is there already; name a file that is not", .0.display())]
    Exists(PathBuf),
    /// The file cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// Reading the store or writing the copy failed half-way.
    #[error("the copy could not be made")]
    Copy(#[source] rusqlite::Error),
    /// What was copied is damaged.
    #[error("the copy is damaged, and so is the store: {0}; see `bugle check-store`")]
    Damaged(String),
}

/// Copies the store at `store` to `copy`, which must not exist. Until it is whole, flushed and checked it has another name;
/// nobody but its owner can read it. Blocks.
pub fn back_up(
    store: &Path,
    copy: &Path,
    mut progress: impl FnMut(BackupStep),
) -> Result<Copied, BackupError> {
    let source = schema::open_to_read(store)?;
    if fs::symlink_metadata(copy).is_ok() {
        return Err(BackupError::Exists(copy.to_owned()));
    }
    let folder = copy.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let failed = |cause| BackupError::Write { path: copy.to_owned(), cause };
    // Its owner's alone, and gone if this ends early.
    let part = tempfile::Builder::new().prefix(".bugle-backup-").tempfile_in(folder).map_err(failed)?;
    pages(&source, part.path(), &mut progress).map_err(|cause| copy_error(store, cause))?;
    part.as_file().sync_all().map_err(failed)?;
    progress(BackupStep::Checking);
    let copied = check(part.path())?;
    part.persist_noclobber(copy).map_err(|error| match error.error {
        cause if cause.kind() == io::ErrorKind::AlreadyExists => BackupError::Exists(copy.to_owned()),
        cause => failed(cause),
    })?;
    // The name, too.
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
    Ok(copied)
}

/// Copies all pages of `source` as they are now into the empty file at `path`.
fn pages(source: &Connection, path: &Path, progress: &mut impl FnMut(BackupStep)) -> rusqlite::Result<()> {
    let moment = source.unchecked_transaction()?;
    let size = moment.pragma_query_value(None, "page_size", |row| row.get::<_, i64>(0))?.unsigned_abs();
    // Only a read begins the transaction; else every step had one of its own, and a commit between two would have the copy
    // begin anew.
    moment.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    let mut target = Connection::open(schema::plain(path))?;
    // It is flushed once, when it is whole.
    target.pragma_update(None, "synchronous", "OFF")?;
    let backup = Backup::new(&moment, &mut target)?;
    loop {
        let came_to = backup.step(PAGES)?;
        let at = backup.progress();
        let bytes = |pages: i32| u64::from(pages.unsigned_abs()) * size;
        progress(BackupStep::Copying { done: bytes(at.pagecount - at.remaining), of: bytes(at.pagecount) });
        if matches!(came_to, StepResult::Done) {
            break;
        }
    }
    drop(backup);
    drop(moment);
    // So that it is a single file.
    target.pragma_update(None, "journal_mode", "DELETE")
}

/// Reads the copy through, and counts what is in it.
fn check(path: &Path) -> Result<Copied, BackupError> {
    let look = || {
        let copy = Connection::open_with_flags(schema::plain(path), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let found: String = copy.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        let count = |sql| copy.query_row(sql, [], |row| row.get::<_, i64>(0).map(i64::unsigned_abs));
        let events = count("SELECT count(*) FROM events")?;
        let waiting = count("SELECT count(*) FROM deliveries WHERE state = 'waiting'")?;
        let pages = count("SELECT page_count FROM pragma_page_count")?;
        let bytes = pages * count("SELECT page_size FROM pragma_page_size")?;
        Ok((found, Copied { bytes, events, waiting }))
    };
    match look() {
        Ok((found, copied)) if found == "ok" => Ok(copied),
        Ok((found, _)) => Err(BackupError::Damaged(found)),
        Err(error) if super::damage::is_damage(&error) => Err(BackupError::Damaged(error.to_string())),
        Err(error) => Err(BackupError::Copy(error)),
    }
}

fn copy_error(store: &Path, cause: rusqlite::Error) -> BackupError {
    if super::damage::is_damage(&cause) {
        return BackupError::Open(OpenError::Damaged(store.to_owned()));
    }
    BackupError::Copy(cause)
}
