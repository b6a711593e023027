//! Opening the store: its file, its lock, its settings, its version.

use std::error::Error;
use std::fs::{self, File, OpenOptions, TryLockError};
#[cfg(unix)]
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use refinery::error::Kind;
use rusqlite::{Connection, OpenFlags};

mod migrations {
    refinery::embed_migrations!("src/outbox/migrations");
}

/// Why the store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process serves from it.
    #[error("{} is in use: another bugle serves from it; stop that one first", .0.display())]
    InUse(PathBuf),
    /// The file, its lock or its folder cannot be made or opened.
    #[error("cannot open {}: does its folder exist, and may bugle write there?", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// SQLite cannot use the file.
    #[error("{} cannot be used as a store", path.display())]
    Sqlite {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        cause: rusqlite::Error,
    },
    /// It is another program's database.
    #[error("{} belongs to another program; name another file", .0.display())]
    Foreign(PathBuf),
    /// It was made by a newer bugle.
    #[error("{} was made by a newer bugle; use that one, or another file", .0.display())]
    Newer(PathBuf),
    /// Its tables cannot be brought up to date.
    #[error("the tables of {} cannot be brought up to date", path.display())]
    Migration {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        cause: Box<dyn Error + Send + Sync>,
    },
}

/// Keeps other processes from serving from the same store, for as long as it lives.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "the lock lives as long as its file is open")] File);

/// How long SQLite itself waits for a lock before the writer's own patience begins.
const BUSY: Duration = Duration::from_millis(50);

/// How long a start waits for a lock.
const OPENING: Duration = Duration::from_secs(5);

/// The store grows by whole pages and is checkpointed elsewhere; past this many pages a commit does it after all.
const CHECKPOINT_PAGES: u32 = 16_384;

/// What the log shrinks to after it had to grow.
const LOG_BYTES: u32 = 64 << 20;

/// Takes the lock beside the store at `path`, under whichever name it is called.
pub(super) fn lock(path: &Path) -> Result<Lock, OpenError> {
    // Made by us, so that nobody else on the machine can read what the trackers send.
    private().open(path).map_err(|cause| OpenError::Io { path: path.to_owned(), cause })?;
    let real = fs::canonicalize(path).map_err(|cause| OpenError::Io { path: path.to_owned(), cause })?;
    let lock = beside(&real, ".lock");
    let io = |cause| OpenError::Io { path: lock.clone(), cause };
    let file = private().open(&lock).map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(path.to_owned())),
        Err(TryLockError::Error(cause)) => Err(io(cause)),
    }
}

/// The file beside the one at `path` that has `ending` after its whole name.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// Opens the store for writing, and makes its tables or brings them up to date.
pub(super) fn open(path: &Path) -> Result<Connection, OpenError> {
    let sqlite = |cause| OpenError::Sqlite { path: path.to_owned(), cause };
    let mut connection = Connection::open(path).map_err(sqlite)?;
    // Before anything is changed: somebody may have named the wrong file.
    if is_foreign(&connection).map_err(sqlite)? {
        return Err(OpenError::Foreign(path.to_owned()));
    }
    set_up(&connection).map_err(sqlite)?;
    // A table that is written anew goes for a moment, while others point at it.
    connection.pragma_update(None, "foreign_keys", false).map_err(sqlite)?;
    // All of it or nothing, and not flushed by itself: the first change after it is, and this with it.
    connection.pragma_update(None, "synchronous", "NORMAL").map_err(sqlite)?;
    let migrations = migrations::migrations::runner().set_grouped(true);
    migrations.run(&mut connection).map_err(|error| refused(path, error))?;
    connection.pragma_update(None, "synchronous", "FULL").map_err(sqlite)?;
    connection.pragma_update(None, "foreign_keys", true).map_err(sqlite)?;
    connection.busy_timeout(BUSY).map_err(sqlite)?;
    Ok(connection)
}

/// Whether there is something in the file that bugle did not put there.
fn is_foreign(connection: &Connection) -> rusqlite::Result<bool> {
    let count = |condition| {
        let sql = format!("SELECT count(*) FROM sqlite_schema WHERE type = 'table' {condition}");
        connection.query_row(&sql, [], |row| row.get::<_, i64>(0))
    };
    Ok(count("")? > 0 && count("AND name = 'refinery_schema_history'")? == 0)
}

/// Why migrations failed, without the statements that the library would show.
fn refused(path: &Path, error: refinery::Error) -> OpenError {
    let path = path.to_owned();
    match error.kind() {
        Kind::MissingVersion(_) | Kind::DivergentVersion(_, _) => OpenError::Newer(path),
        Kind::Connection(message, _) => OpenError::Migration { path, cause: message.as_str().into() },
        _ => OpenError::Migration { path, cause: error.into() },
    }
}

fn set_up(connection: &Connection) -> rusqlite::Result<()> {
    // Somebody may be looking into the file just now: a start waits for them, a commit is tried again instead.
    connection.busy_timeout(OPENING)?;
    // Before the first table, so that the file can shrink in small steps.
    if connection.pragma_query_value(None, "page_count", |row| row.get::<_, i64>(0))? == 0 {
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    }
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", LOG_BYTES)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// Opens the store for reading beside the writer.
pub(super) fn open_reader(path: &Path) -> Result<Connection, OpenError> {
    let sqlite = |cause| OpenError::Sqlite { path: path.to_owned(), cause };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(sqlite)?;
    connection.busy_timeout(Duration::from_secs(5)).map_err(sqlite)?;
    Ok(connection)
}

/// Opens the store for the checkpoints, which are made beside the writer so that no commit waits for one.
pub(super) fn open_for_checkpoints(path: &Path) -> Result<Connection, OpenError> {
    let sqlite = |cause| OpenError::Sqlite { path: path.to_owned(), cause };
    let connection = Connection::open(path).map_err(sqlite)?;
    connection.busy_timeout(BUSY).map_err(sqlite)?;
    Ok(connection)
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    options.mode(0o600);
    options
}
