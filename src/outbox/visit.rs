//! A visit to a store: somebody looks into it, beside whoever serves from it or while nobody does, and leaves all of it as it
//! was. Nothing is made, brought up to date or locked, so that nobody is kept from serving either.
//!
//! A store that nobody serves from is read as a file that nobody changes. Should somebody begin to meanwhile, its files show
//! it, and the question is asked again.

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode};

use crate::outbox::records::Records;
use crate::outbox::schema::{self, OpenError};

/// A question is asked again so often if somebody changes the store meanwhile, at most.
const TRIES: usize = 5;

/// A command that changes something may have the lock; it is waited for so long.
const A_MOMENT: Duration = Duration::from_secs(2);

/// How often it is tried meanwhile.
const TRY_AGAIN: Duration = Duration::from_millis(20);

impl Records {
    /// Asks `question` of the store at `path`, again if somebody begins to serve from it meanwhile. Nothing if there is no
    /// store yet, or nothing in it.
    pub fn look<T, E: From<OpenError>>(
        path: &Path,
        question: impl FnMut(&Self) -> Result<T, E>,
    ) -> Result<Option<T>, E> {
        steadily(path, Self::open, question)
    }

    /// Opens the store at `path` to look into it for longer; [`Records::is_overtaken`] then says when to open it again.
    pub fn open(path: &Path) -> Result<Option<Self>, OpenError> {
        let Some(records) = visit(path)? else { return Ok(None) };
        schema::expect_of_now(path, records.connection(), records.is_served())?;
        Ok(Some(records))
    }

    /// Whether somebody has begun to serve from the store, or has changed it, that nobody served from when it was opened:
    /// what is read from now on need not be true any more.
    pub fn is_overtaken(&self) -> bool {
        self.rest().is_some_and(|rest| !rest.goes_on() || is_served(&rest.path))
    }
}

/// Asks `question` of the store that `open` opens, until nobody has changed anything meanwhile.
pub(super) fn steadily<T, E: From<OpenError>>(
    path: &Path,
    open: impl Fn(&Path) -> Result<Option<Records>, OpenError>,
    mut question: impl FnMut(&Records) -> Result<T, E>,
) -> Result<Option<T>, E> {
    let mut tries = 0;
    loop {
        tries += 1;
        let before = Rest::of(path);
        let (answer, is_served) = match open(path) {
            Ok(Some(records)) => (question(&records).map(Some), records.is_served()),
            Ok(None) => (Ok(None), false),
            Err(error) => (Err(error.into()), false),
        };
        if is_served || before.goes_on() {
            return answer;
        }
        if tries == TRIES {
            return answer.and(Err(OpenError::Restless(path.to_owned()).into()));
        }
    }
}

/// The store at `path` as it is, of whatever version; nothing if there is none yet, or nothing in it.
pub(super) fn visit(path: &Path) -> Result<Option<Records>, OpenError> {
    if path.is_dir() {
        return Err(OpenError::Folder(path.to_owned()));
    }
    // Not opened to see: who closes a file that SQLite has open in the same process takes its locks away.
    match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => return Err(forbidden(path)),
        Err(cause) => return Err(OpenError::Io { path: path.to_owned(), cause }),
        Ok(file) if file.len() == 0 && schema::size(&schema::beside(&real(path), "-wal")) > 0 => {
            return Err(OpenError::Emptied(path.to_owned()));
        }
        Ok(file) if file.len() == 0 => return Ok(None),
        Ok(_) => {}
    }
    // Before it is looked whether somebody serves: what who begins then changes shows.
    let rest = Rest::of(path);
    let is_served = is_served(path);
    let unreadable = |cause| unreadable(path, cause);
    let opened = if is_served { schema::reader(path) } else { rest.open() };
    let connection = opened.map_err(unreadable)?;
    let tables = "SELECT count(*), coalesce(sum(name = 'refinery_schema_history'), 0) FROM sqlite_schema";
    let found = connection.query_row(tables, [], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)));
    match found.map_err(unreadable)? {
        (0, _) => Ok(None),
        (_, 0) => Err(OpenError::Foreign(path.to_owned())),
        _ => Ok(Some(Records::beside(connection, (!is_served).then_some(rest)))),
    }
}

/// Whether a bugle serves from the store at `path`. The lock is neither made nor kept, and who else only asks is not met.
pub fn is_served(path: &Path) -> bool {
    let Ok(lock) = File::open(schema::beside(&real(path), ".lock")) else { return false };
    let begun = Instant::now();
    loop {
        match lock.try_lock_shared() {
            Err(TryLockError::WouldBlock)
                if schema::is_marked_by_command(&lock) && begun.elapsed() < A_MOMENT =>
            {
                thread::sleep(TRY_AGAIN);
            }
            Err(TryLockError::WouldBlock) => return true,
            Ok(()) | Err(TryLockError::Error(_)) => return false,
        }
    }
}

/// The files of a store that nobody serves from, as they were at one moment.
#[derive(Debug)]
pub(super) struct Rest {
    path: PathBuf,
    file: Option<Stamp>,
    log: Option<Stamp>,
}

/// What tells a file from another, and from itself after a change: its number, its size, and when it was last written.
type Stamp = (u64, u64, i64, i64);

impl Rest {
    fn of(path: &Path) -> Self {
        let stamp = |path: &Path| {
            let file = fs::metadata(path).ok()?;
            Some((file.ino(), file.size(), file.mtime(), file.mtime_nsec()))
        };
        let path = real(path);
        Self { file: stamp(&path), log: stamp(&schema::beside(&path, "-wal")), path }
    }

    /// Whether nobody has changed anything since. A log that is made and is empty changes nothing.
    fn goes_on(&self) -> bool {
        let now = Self::of(&self.path);
        let written = |log: Option<Stamp>| log.filter(|(_, size, ..)| *size > 0);
        self.file == now.file && written(self.log) == written(now.log)
    }

    /// Opens it so that nothing is made or written beside it.
    fn open(&self) -> rusqlite::Result<Connection> {
        match self.log {
            // What a kill has left in the log is not in the file yet, and is found without what is beside it.
            Some((_, 1.., ..)) if schema::beside(&self.path, "-shm").exists() => {
                schema::reader_with(&self.path, "readonly_shm")
            }
            Some((_, 1.., ..)) => schema::reader(&self.path),
            _ => schema::reader_with(&self.path, "immutable"),
        }
    }
}

fn real(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// Why SQLite cannot read the file at `path` as a store.
fn unreadable(path: &Path, cause: rusqlite::Error) -> OpenError {
    match cause.sqlite_error_code() {
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => forbidden(path),
        _ => schema::unusable(path, cause),
    }
}

/// That this user may not read the store: whose it is, or the folder that keeps it.
fn forbidden(path: &Path) -> OpenError {
    let owner = path.ancestors().find_map(|path| fs::metadata(path).ok()).map(|file| file.uid());
    let advice = match owner {
        Some(owner) if owner != rustix::process::geteuid().as_raw() => {
            format!("it belongs to {}: run this as that user", user(owner))
        }
        _ => "look at the modes of it, of its folder, and of the files beside it (-wal, -shm)".to_owned(),
    };
    OpenError::Unreadable { path: path.to_owned(), advice }
}

/// The user of this number, by name if it has one here.
fn user(number: u32) -> String {
    let known = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = known.lines().find_map(|line| {
        let mut parts = line.split(':');
        let (name, is_it) = (parts.next()?, parts.nth(1)?.parse() == Ok(number));
        is_it.then_some(name)
    });
    name.map_or_else(|| format!("the user of number {number}"), |name| format!("{name} ({number})"))
}
