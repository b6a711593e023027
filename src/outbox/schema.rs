//! Opening the store: its file, its lock, its settings, its version.

use std::cmp::Ordering;
use std::error::Error;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
#[cfg(unix)]
use std::os::unix::ffi::OsStrExt as _;
#[cfg(unix)]
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{self, Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use refinery::error::Kind;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::outbox::damage;

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
        cause: io::Error,
    },
    /// There is no file.
    #[error("{} is not there", .0.display())]
    Missing(PathBuf),
    /// It is a folder.
    #[error("{} is a folder; name a file in it", .0.display())]
    Folder(PathBuf),
    /// It is empty, although its log is not.
    #[error(
        "{} is empty, but the log beside it ({}-wal) is not: somebody has emptied a store. Restore a backup; to begin anew, \
         take the log away", .0.display(), .0.display()
    )]
    Emptied(PathBuf),
    /// It is something else than a database.
    #[error(
        "{} is no SQLite database, or its beginning is damaged: name another file, or restore a backup", .0.display()
    )]
    NoDatabase(PathBuf),
    /// What is in it is damaged.
    #[error(
        "{} is damaged: `bugle check-store` may say where; restore a backup, or save what can be read with \
         `sqlite3 {} .recover`", .0.display(), .0.display()
    )]
    Damaged(PathBuf),
    /// SQLite may not write.
    #[error(
        "{} cannot be written: do it, its folder and the files beside it (-wal, -shm) belong to the user that bugle runs \
         as, and may the disk be written?", path.display()
    )]
    Unwritable {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        cause: rusqlite::Error,
    },
    /// Another program has locked it.
    #[error("{} is locked by another program; close that one first", .0.display())]
    Locked(PathBuf),
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
    /// An older bugle serves from it.
    #[error("{} is served by an older bugle; restart that one, or use its own command", .0.display())]
    Older(PathBuf),
    /// An older bugle has left it.
    #[error(
        "{} is of an older bugle: start `bugle serve` once, which brings it up to date", .0.display()
    )]
    Old(PathBuf),
    /// This user may not read it.
    #[error("{} cannot be read: {advice}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What to do.
        advice: String,
    },
    /// Somebody changes it who does not serve from it.
    #[error("{} is being changed by another program; close that one first", .0.display())]
    Restless(PathBuf),
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

/// A lock that is not free is not waited for.
pub(super) const AT_ONCE: Duration = Duration::ZERO;

/// How long one is waited for by who cannot do without: a command may have it for a moment.
pub(super) const PATIENTLY: Duration = Duration::from_secs(2);

/// Who takes a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holder {
    Server,
    /// It has it for a moment, and says so in the lock's file: nobody takes it for a server.
    Command,
}

/// What a command writes into the lock's file.
const COMMAND: &[u8] = b"command\n";

/// How often it is tried meanwhile.
const TRY_AGAIN: Duration = Duration::from_millis(20);

/// Takes the lock beside the store at `path`, under whichever name it is called, within `patience`. Blocks.
pub(super) fn lock(path: &Path, patience: Duration, holder: Holder) -> Result<Lock, OpenError> {
    if path.is_dir() {
        return Err(OpenError::Folder(path.to_owned()));
    }
    // Made by us, so that nobody else on the machine can read what the trackers send.
    private().open(path).map_err(|cause| OpenError::Io { path: path.to_owned(), cause })?;
    let real = fs::canonicalize(path).map_err(|cause| OpenError::Io { path: path.to_owned(), cause })?;
    let lock = beside(&real, ".lock");
    let io = |cause| OpenError::Io { path: lock.clone(), cause };
    let file = open_lock(&lock, &real)?;
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => {
                let mark = if holder == Holder::Command { COMMAND } else { &[] };
                // What cannot be written there, as on a full disk, is not needed to go on.
                drop(file.set_len(0).and_then(|()| (&file).write_all(mark)));
                return Ok(Lock(file));
            }
            Err(TryLockError::WouldBlock) if begun.elapsed() < patience => thread::sleep(TRY_AGAIN),
            Err(TryLockError::WouldBlock) if begun.elapsed() < PATIENTLY && is_only_asked_for(&file) => {
                thread::sleep(TRY_AGAIN);
            }
            Err(TryLockError::WouldBlock) => return Err(OpenError::InUse(path.to_owned())),
            Err(TryLockError::Error(cause)) => return Err(io(cause)),
        }
    }
}

/// Opens the file `lock` that belongs to the store `real`, or makes it.
pub(super) fn open_lock(lock: &Path, real: &Path) -> Result<File, OpenError> {
    let file = private().open(lock).map_err(|cause| OpenError::Io { path: lock.to_owned(), cause })?;
    give_to_owner(&file, real);
    Ok(file)
}

/// Whether a command says in `lock` that it has it, or had it last.
pub(super) fn is_marked_by_command(lock: &File) -> bool {
    let mut mark = [0; COMMAND.len()];
    lock.read_exact_at(&mut mark, 0).is_ok() && mark == COMMAND
}

/// Whether nobody has the lock but who looks whether anybody has it.
fn is_only_asked_for(lock: &File) -> bool {
    lock.try_lock_shared().is_ok() && lock.unlock().is_ok()
}

/// Gives the lock that root has made to whoever the store belongs to, who could not serve from it else.
fn give_to_owner(lock: &File, store: &Path) {
    if let (true, Ok(lock_file), Ok(store)) =
        (rustix::process::geteuid().is_root(), lock.metadata(), fs::metadata(store))
        && (lock_file.uid(), lock_file.gid()) != (store.uid(), store.gid())
    {
        // Where it cannot be given away it is of as much use as before.
        drop(fchown(lock, Some(store.uid()), Some(store.gid())));
    }
}

/// Refuses a store of another version of bugle: who only looks does not bring it up to date.
pub(super) fn expect_of_now(path: &Path, connection: &Connection, is_served: bool) -> Result<(), OpenError> {
    let version = "SELECT coalesce(max(version), 0) FROM refinery_schema_history";
    let found: i64 =
        connection.query_row(version, [], |row| row.get(0)).map_err(|cause| unusable(path, cause))?;
    match found.cmp(&newest()) {
        Ordering::Equal => Ok(()),
        Ordering::Less if is_served => Err(OpenError::Older(path.to_owned())),
        Ordering::Less => Err(OpenError::Old(path.to_owned())),
        Ordering::Greater => Err(OpenError::Newer(path.to_owned())),
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
    // SQLite would take the log away.
    if size(path) == 0 && size(&beside(path, "-wal")) > 0 {
        return Err(OpenError::Emptied(path.to_owned()));
    }
    let sqlite = |cause| unusable(path, cause);
    let mut connection = Connection::open(plain(path)).map_err(sqlite)?;
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
    let in_sqlite = error.source().and_then(|cause| cause.downcast_ref::<rusqlite::Error>());
    if in_sqlite.is_some_and(damage::is_damage) {
        return OpenError::Damaged(path);
    }
    match error.kind() {
        Kind::MissingVersion(_) | Kind::DivergentVersion(_, _) => OpenError::Newer(path),
        Kind::Connection(message, _) => OpenError::Migration { path, cause: message.as_str().into() },
        _ => OpenError::Migration { path, cause: error.into() },
    }
}

/// Why SQLite cannot use the file at `path` as a store.
pub(super) fn unusable(path: &Path, cause: rusqlite::Error) -> OpenError {
    let path = path.to_owned();
    match cause.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => OpenError::NoDatabase(path),
        Some(ErrorCode::DatabaseCorrupt) => OpenError::Damaged(path),
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            OpenError::Unwritable { path, cause }
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => OpenError::Locked(path),
        _ => OpenError::Sqlite { path, cause },
    }
}

/// The version of the tables that this bugle works with.
pub(super) fn newest() -> i64 {
    let migrations = migrations::migrations::runner();
    migrations.get_migrations().iter().map(|migration| i64::from(migration.version())).max().unwrap_or(0)
}

pub(super) fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |file| file.len())
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
    reader(path).map_err(|cause| unusable(path, cause))
}

/// The same, for who has opened the store and says by itself what is wrong with it.
pub(super) fn reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(plain(path), flags)?;
    connection.busy_timeout(OPENING)?;
    Ok(connection)
}

/// Opens a store for reading, served from or not, by whoever comes from outside: it must be there, and be a store.
pub(super) fn open_to_read(path: &Path) -> Result<Connection, OpenError> {
    if path.is_dir() {
        return Err(OpenError::Folder(path.to_owned()));
    }
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(OpenError::Missing(path.to_owned()));
        }
        Ok(file) if file.len() == 0 => return Err(OpenError::NoDatabase(path.to_owned())),
        _ => {}
    }
    let connection = open_reader(path)?;
    let known = "SELECT count(*) FROM sqlite_schema WHERE name = 'refinery_schema_history'";
    match connection.query_row(known, [], |row| row.get::<_, i64>(0)) {
        Ok(0) => Err(OpenError::Foreign(path.to_owned())),
        Ok(_) => Ok(connection),
        Err(cause) => Err(unusable(path, cause)),
    }
}

/// Opens the store for reading as `option` of SQLite's addresses says.
pub(super) fn reader_with(path: &Path, option: &str) -> rusqlite::Result<Connection> {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/-._".contains(byte);
    let address = plain(path).as_os_str().as_bytes().iter().fold(String::from("file:"), |address, byte| {
        if is_plain(byte) {
            address + char::from(*byte).encode_utf8(&mut [0; 4])
        } else {
            address + &format!("%{byte:02X}")
        }
    });
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(format!("{address}?{option}=1"), flags)?;
    connection.busy_timeout(OPENING)?;
    Ok(connection)
}

/// Opens the store for the checkpoints, which are made beside the writer so that no commit waits for one.
pub(super) fn open_for_checkpoints(path: &Path) -> Result<Connection, OpenError> {
    let sqlite = |cause| unusable(path, cause);
    let connection = Connection::open(plain(path)).map_err(sqlite)?;
    connection.busy_timeout(BUSY).map_err(sqlite)?;
    Ok(connection)
}

/// The path in full: SQLite takes a name that begins with `file:` for an address.
pub(super) fn plain(path: &Path) -> PathBuf {
    path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    options.mode(0o600);
    options
}
