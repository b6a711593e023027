//! Where a flood is let in: a folder with a configuration and a store, and strict pretend chats at their true limits.

use std::fs;
use std::path::Path;
use std::time::Duration;

use bugle::clock::Clock;
use bugle::pretend::{Pretend, Product};
use rusqlite::Connection;

use super::scenario::URGENT_CLASS;

/// What opens the source.
pub(crate) const TOKEN: &str = "a-token-for-floods-0123456789";

/// A destination and the chat behind it.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) name: &'static str,
    pub(crate) chat: Pretend,
    /// Lines of its own in the configuration.
    more: &'static str,
}

/// The folder and the chats. Outlives any one process.
#[derive(Debug)]
pub(crate) struct Ground {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) rooms: Vec<Room>,
}

impl Ground {
    /// One with a destination of each platform, whose chats count by `clock`.
    pub(crate) fn new(clock: &Clock) -> Self {
        Self::with(clock, Product::ALL.map(|product| (product.as_str(), product, "")))
    }

    /// One with destinations of these names, and with lines of their own.
    pub(crate) fn with(
        clock: &Clock,
        rooms: impl IntoIterator<Item = (&'static str, Product, &'static str)>,
    ) -> Self {
        let folder = tempfile::Builder::new().prefix("bugle-floods-").tempdir().unwrap();
        let rooms = rooms.into_iter().map(|(name, product, more)| {
            let chat = Pretend::start_by(clock.clone(), product).unwrap();
            chat.keep_all_rates();
            Room { name, chat, more }
        });
        let ground = Self { rooms: rooms.collect(), folder };
        ground.write("token", TOKEN);
        for room in &ground.rooms {
            ground.write(&format!("{}.url", room.name), &room.chat.url());
        }
        ground
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).unwrap();
    }

    /// Writes a configuration with `delivery` lines and `rules`.
    pub(crate) fn configure(&self, delivery: &str, rules: &str) {
        let hosts: Vec<String> = self.rooms.iter().map(|room| format!("{:?}", room.chat.host())).collect();
        let rooms = self.rooms.iter().map(|room| {
            let (name, product) = (room.name, room.chat.product().as_str());
            format!(
                "[destinations.{name}]\ntype = \"{product}\"\nurl = {{ file = \"{name}.url\" }}\n{}\n",
                room.more
            )
        });
        let text = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n\
             [store]\nurl = \"sqlite:bugle.db\"\n\
             [sources.backend]\ntype = \"bugsnag\"\ntokens = [{{ file = \"token\" }}]\n\
             [delivery]\nallowed_hosts = [{}]\n{delivery}\n{}\
             [people.ann]\nslack = \"U012AB3CD\"\ndiscord = \"123456789012345678\"\n\
             teams = {{ id = \"ann@example.com\", name = \"Ann\" }}\n{rules}",
            hosts.join(", "),
            rooms.collect::<String>(),
        );
        self.write("config.toml", &text);
    }

    /// The store, to be looked at.
    pub(crate) fn look(&self) -> Connection {
        let connection = Connection::open(self.path().join("bugle.db")).unwrap();
        connection.busy_timeout(Duration::from_secs(20)).unwrap();
        connection
    }
}

/// Everything to `rooms`; one error urgently, and Ann is mentioned.
pub(crate) fn one_is_urgent(rooms: &[&str]) -> String {
    format!(
        "[[rules]]\nname = \"payments\"\nwhen.error_class = \"{URGENT_CLASS}\"\nsend_to = {rooms:?}\n\
         mention = [\"ann\"]\nurgent = true\nstop = true\n{}",
        everything(rooms, "")
    )
}

/// Everything to `rooms`, with `more` said of it.
pub(crate) fn everything(rooms: &[&str], more: &str) -> String {
    format!("[[rules]]\nname = \"everything\"\nsend_to = {rooms:?}\n{more}\n")
}
