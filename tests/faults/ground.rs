//! The ground a story is played on: a folder with a configuration and a store, and four strict pretend chats.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bugle::pretend::{Pretend, Product};
use rusqlite::{Connection, OpenFlags};

/// What opens both sources.
pub(crate) const TOKEN: &str = "a-token-for-faults-0123456789";

/// The destinations and what they are. `spare` is the fallback of `teams`.
pub(crate) const ROOMS: [(&str, Product); 4] = [
    ("slack", Product::Slack),
    ("teams", Product::Teams),
    ("discord", Product::Discord),
    ("spare", Product::Discord),
];

/// What stories change in the configuration.
#[derive(Debug, Clone)]
pub(crate) struct Knobs {
    /// The longest that a post may take.
    pub(crate) timeout: Duration,
    /// After how long a message is given up.
    pub(crate) give_up_after: Duration,
    /// After how long of failing `teams` goes to `spare`; nothing: never.
    pub(crate) fallback_after: Option<Duration>,
    /// How long history is kept.
    pub(crate) keep: &'static str,
    /// Paces, in the order of [`ROOMS`]. None is faster than the platform allows.
    pub(crate) rates: [&'static str; 4],
    /// Where the store's folder lies, if not in the story's.
    pub(crate) store: Option<PathBuf>,
    /// What is said of floods.
    pub(crate) flood: &'static str,
    /// Appended to the configuration.
    pub(crate) more: String,
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(2),
            give_up_after: Duration::from_hours(1),
            fallback_after: Some(Duration::from_mins(15)),
            keep: "30d",
            rates: ["1/s", "3/s", "2/s", "2/s"],
            store: None,
            flood: "collapse = \"off\"\ndigest_over = \"off\"",
            more: String::new(),
        }
    }
}

/// Where a story is played.
#[derive(Debug)]
pub(crate) struct Ground {
    folder: tempfile::TempDir,
    pub(crate) chats: [Pretend; 4],
    pub(crate) knobs: Knobs,
}

impl Ground {
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("bugle-faults-").tempdir().unwrap();
        let chats = ROOMS.map(|(_, product)| Pretend::start(product).unwrap());
        let ground = Self { folder, chats, knobs: Knobs::default() };
        for ((name, _), chat) in ROOMS.iter().zip(&ground.chats) {
            chat.keep_rates(true);
            ground.write(&format!("{name}.url"), &chat.url());
        }
        ground.write("token", TOKEN);
        ground.configure();
        ground
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        // In one go: the relay may be reading.
        let (draft, file) = (self.path().join(format!("{name}.new")), self.path().join(name));
        fs::write(&draft, text).unwrap();
        fs::rename(draft, file).unwrap();
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.knobs.store.clone().unwrap_or_else(|| self.path().to_owned()).join("bugle.db")
    }

    /// The store, to be looked at.
    pub(crate) fn look(&self) -> rusqlite::Result<Connection> {
        let connection = Connection::open_with_flags(self.store(), OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.busy_timeout(Duration::from_secs(20))?;
        Ok(connection)
    }

    /// Keeps the folder, for a look at what went wrong.
    pub(crate) fn keep(self) -> PathBuf {
        self.folder.keep()
    }

    /// Writes the configuration as the knobs have it.
    pub(crate) fn configure(&self) {
        self.write("config.toml", &self.configuration());
    }

    pub(crate) fn configuration(&self) -> String {
        let Knobs { timeout, give_up_after, keep, flood, more, .. } = &self.knobs;
        let hosts: Vec<String> = self.chats.iter().map(|chat| format!("{:?}", chat.host())).collect();
        let rooms: String = (0..ROOMS.len()).map(|room| self.room(room)).collect();
        format!(
            r#"
notices_to = "discord"
[server]
listen = "127.0.0.1:0"
[admin]
listen = "127.0.0.1:0"
[store]
url = "sqlite:{store}"
keep = "{keep}"
[sources.backend]
type = "bugsnag"
tokens = [{{ file = "token" }}]
[sources.mobile]
type = "bugfender"
tokens = [{{ file = "token" }}]
[delivery]
{flood}
allowed_hosts = ["localhost", {hosts}]
retry = {{ first = "50ms", most = "500ms", give_up_after = "{give_up}ms" }}
timeout = "{timeout}ms"
{rooms}
[[rules]]
name = "everyone"
when.message = "* everyone *"
send_to = ["slack", "teams", "discord"]
[[rules]]
name = "pair"
when.message = "* pair *"
send_to = ["teams", "discord"]
[[rules]]
name = "alarm"
when.message = "* alarm *"
send_to = ["discord", "spare"]
mention = ["here"]
urgent = true
[[rules]]
name = "both"
when.message = "* both *"
send_to = ["teams", "spare"]
{more}
"#,
            store = self.store().display(),
            hosts = hosts.join(", "),
            give_up = give_up_after.as_millis(),
            timeout = timeout.as_millis(),
        )
    }

    fn room(&self, room: usize) -> String {
        let ((name, product), rate) = (ROOMS[room], self.knobs.rates[room]);
        let fallback = self
            .knobs
            .fallback_after
            .filter(|_| name == "teams")
            .map(|after| format!("fallback = \"spare\"\nfallback_after = \"{}ms\"\n", after.as_millis()));
        format!(
            "[destinations.{name}]\ntype = \"{}\"\nurl = {{ file = \"{name}.url\" }}\nrate = \"{rate}\"\n{}",
            product.as_str(),
            fallback.unwrap_or_default()
        )
    }
}
