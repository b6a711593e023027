//! What the demo plays on: three pretend chats, and a real configuration that leads to them.

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};
use tempfile::TempDir;
use tokio::sync::watch;
use uuid::Uuid;

use crate::config::{self, Environment, Loaded, Secrets};
use crate::pretend::{Pretend, Product, Received};

/// The doors: name and tracker.
const SOURCES: [(&str, &str); 2] = [("backend", "bugsnag"), ("mobile", "bugfender")];

/// The rooms: name and chat product.
const ROOMS: [(&str, Product); 3] =
    [("team", Product::Slack), ("managers", Product::Teams), ("oncall", Product::Discord)];

/// The rules, such as a small team might write.
const RULES: &str = r#"
[[rules]]
name          = "production errors wake the on-call"
when.trigger  = ["firstException", "reopened", "crash"]
when.severity = "error"
when.stage    = ["production", ""]
send_to       = ["oncall", "team"]
mention       = ["here"]
urgent        = true

[[rules]]
name          = "what people write"
when.trigger  = ["comment", "feedback"]
send_to       = ["managers"]
stop          = true

[[rules]]
name          = "releases"
when.trigger  = "release"
send_to       = ["team"]

[[rules]]
name          = "everything that is at least a warning"
when.severity = ">= warning"
send_to       = ["team"]
"#;

/// A pretend chat and how much of it has been looked at.
#[derive(Debug)]
pub(super) struct Room {
    /// Its name in the configuration.
    pub(super) name: &'static str,
    /// The chat product.
    pub(super) product: Product,
    pretend: Pretend,
    arrivals: watch::Receiver<Vec<Arc<Received>>>,
    seen: usize,
}

impl Room {
    fn open(name: &'static str, product: Product) -> Result<Self> {
        let pretend = Pretend::start(product).context("cannot start a pretend chat on loopback")?;
        pretend.keep_rates(true);
        Ok(Self { name, product, arrivals: pretend.follow(), pretend, seen: 0 })
    }

    /// What has arrived since this was last asked.
    pub(super) fn news(&mut self) -> Vec<Arc<Received>> {
        let all = self.arrivals.borrow_and_update();
        let news = all.get(self.seen..).unwrap_or_default().to_vec();
        self.seen += news.len();
        news
    }

    /// Waits until something arrives that has not been looked at.
    pub(super) async fn arrival(&mut self) {
        let seen = self.seen;
        // The server's side lives as long as this room, so this cannot fail.
        drop(self.arrivals.wait_for(|all| all.len() > seen).await);
    }
}

/// The demo's temporary folder, its tokens and its rooms.
#[derive(Debug)]
pub(super) struct Stage {
    /// The rooms.
    pub(super) rooms: [Room; 3],
    folder: TempDir,
    tokens: [String; 2],
}

impl Stage {
    /// Sets it up and writes the configuration.
    pub(super) fn set() -> Result<Self> {
        let folder = TempDir::with_prefix("bugle-demo-").context("cannot make a temporary folder")?;
        let [team, managers, oncall] = ROOMS.map(|(name, product)| Room::open(name, product));
        let token = |_| Uuid::new_v4().simple().to_string();
        let stage = Self { rooms: [team?, managers?, oncall?], folder, tokens: SOURCES.map(token) };
        for ((name, _), token) in SOURCES.iter().zip(&stage.tokens) {
            stage.write(&format!("{name}.token"), token)?;
        }
        for room in &stage.rooms {
            stage.write(&format!("{}.url", room.name), &room.pretend.url())?;
        }
        stage.write("config.toml", &stage.config()?)?;
        Ok(stage)
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.folder.path().join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    /// The configuration, read back as `bugle serve` would read it.
    pub(super) fn load(&self) -> Result<Loaded> {
        let loaded = config::load(&self.config_path(), &Environment::default(), Secrets::Resolve);
        loaded.map_err(|problems| anyhow!("the demo's own configuration is wrong\n{problems}"))
    }

    /// Where the configuration lies as long as the demo runs.
    pub(super) fn config_path(&self) -> PathBuf {
        self.folder.path().join("config.toml")
    }

    /// The rules, each with the rooms that it sends to, as the configuration has them.
    pub(super) fn rules(&self) -> Result<Vec<(String, String)>> {
        let table: toml::Table = RULES.parse()?;
        let text =
            |value: Option<&toml::Value>| value.and_then(toml::Value::as_str).unwrap_or_default().to_owned();
        let rules = table.get("rules").and_then(toml::Value::as_array).into_iter().flatten();
        let send_to = |rule: &toml::Value| {
            let names = rule.get("send_to").and_then(toml::Value::as_array).into_iter().flatten();
            let room = |name: &toml::Value| self.rooms.iter().find(|room| name.as_str() == Some(room.name));
            names.filter_map(room).map(|room| format!("{} ({})", room.name, room.product)).collect::<Vec<_>>()
        };
        Ok(rules.map(|rule| (text(rule.get("name")), send_to(rule).join(", "))).collect())
    }

    /// The path of `source`'s door, without and with its token.
    pub(super) fn door(&self, source: &str) -> (String, String) {
        let tokens = SOURCES.iter().zip(&self.tokens);
        let token = tokens.filter(|((name, _), _)| *name == source).map(|(_, token)| token.as_str()).next();
        (format!("/hooks/{source}"), format!("/hooks/{source}/{}", token.unwrap_or_default()))
    }

    /// The address to post `source`'s webhooks to.
    pub(super) fn url(&self, relay: SocketAddr, source: &str) -> String {
        format!("http://{relay}{}", self.door(source).1)
    }

    fn config(&self) -> Result<String> {
        let mut text =
            String::from("[server]\nlisten = \"127.0.0.1:0\"\n\n[admin]\nlisten = \"127.0.0.1:0\"\n");
        text.push_str("\n[store]\nurl = \"sqlite:bugle.db\"\n");
        for (name, tracker) in SOURCES {
            write!(
                text,
                "\n[sources.{name}]\ntype   = \"{tracker}\"\ntokens = [{{ file = \"{name}.token\" }}]\n"
            )?;
        }
        let hosts = self.rooms.each_ref().map(|room| format!("\"{}\"", room.pretend.host()));
        write!(text, "\n[delivery]\nallowed_hosts = [{}]\n", hosts.join(", "))?;
        for room in &self.rooms {
            let (product, name) = (room.product.as_str(), room.name);
            write!(
                text,
                "\n[destinations.{name}]\ntype = \"{product}\"\nurl  = {{ file = \"{name}.url\" }}\n"
            )?;
        }
        text.push_str(RULES);
        Ok(text)
    }
}
