//! A relay whose time is ours, between two trackers whose APIs can be asked and a chat.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bugle::app::App;
use bugle::cli::{Cli, Command};
use bugle::clock::{Clock, Moment};
use bugle::command::{Setting, doctor, events, why};
use bugle::config::{self, Environment, Secrets};
use bugle::pretend::{Pretend, Product, post};
use bugle::sockets::Sockets;
use clap::Parser as _;
use rusqlite::Connection;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::apis::bugfender::{APP, Bugfender, CLIENT, SECRET};
use crate::apis::bugsnag::{self, Bugsnag, PROJECT};
use crate::bugle::{PATIENCE, shown, visible};

const TOKEN: &str = "a-token-for-trackers-0123456789";

pub(super) const MINUTE: Duration = Duration::from_mins(1);

/// Both sources ask every quarter of an hour.
pub(super) const EVERY: &str =
    "[sources.backend.catch_up]\nevery = \"15m\"\n[sources.mobile.catch_up]\nevery = \"15m\"\n";

/// One of them does.
pub(super) const MOBILE: &str = "[sources.mobile.catch_up]\nevery = \"15m\"\n";

/// What is urgent goes ahead.
pub(super) const RULES: &str = "[[rules]]\nname = \"urgent\"\nwhen.title = \"Payment*\"\nsend_to = \"team\"\nurgent = true\nstop = true\n\
                                [[rules]]\nname = \"all else\"\nsend_to = \"team\"\n";

pub(super) struct Story {
    folder: tempfile::TempDir,
    pub(super) team: Pretend,
    pub(super) notices: Pretend,
    pub(super) bugsnag: Bugsnag,
    pub(super) bugfender: Bugfender,
    pub(super) clock: Clock,
    app: Option<App>,
    hang_up: Arc<Notify>,
}

impl Story {
    /// Begins with `catch_up` tables and the usual rules.
    pub(super) async fn begin(catch_up: &str) -> Self {
        let clock = Clock::by_hand(Moment(1_790_000_000_000));
        let chat = || Pretend::start_by(clock.clone(), Product::Slack).unwrap();
        let mut story = Self {
            folder: tempfile::tempdir().unwrap(),
            team: chat(),
            notices: chat(),
            bugsnag: Bugsnag::start(),
            bugfender: Bugfender::start(),
            clock,
            app: None,
            hang_up: Arc::default(),
        };
        story.configure(catch_up, SECRET);
        story.start().await;
        story
    }

    pub(super) fn configure(&self, catch_up: &str, secret: &str) {
        let (bugsnag, bugfender) = (self.bugsnag.server.base(), self.bugfender.server.base());
        let files = [
            ("token", TOKEN),
            ("team.url", &self.team.url()),
            ("notices.url", &self.notices.url()),
            ("bugsnag.token", bugsnag::TOKEN),
            ("client.id", CLIENT),
            ("client.secret", secret),
        ];
        for (name, text) in files {
            fs::write(self.folder.path().join(name), text).unwrap();
        }
        let [team, notices] = [&self.team, &self.notices].map(Pretend::host);
        let text = format!(
            r#"
notices_to = "notices"
[server]
listen = "127.0.0.1:0"
[admin]
listen = "127.0.0.1:0"
[sources.backend]
type = "bugsnag"
tokens = [{{ file = "token" }}]
[sources.backend.api]
url = "{bugsnag}"
token = {{ file = "bugsnag.token" }}
projects = ["{PROJECT}"]
[sources.mobile]
type = "bugfender"
tokens = [{{ file = "token" }}]
[sources.mobile.api]
url = "{bugfender}"
client_id = {{ file = "client.id" }}
client_secret = {{ file = "client.secret" }}
apps = [{{ number = {APP}, name = "Harbor Companion" }}]
{catch_up}
[delivery]
allowed_hosts = ["{team}", "{notices}"]
[destinations.team]
type = "slack"
url = {{ file = "team.url" }}
[destinations.notices]
type = "slack"
url = {{ file = "notices.url" }}
{RULES}
"#
        );
        fs::write(self.folder.path().join("config.toml"), text).unwrap();
    }

    pub(super) async fn start(&mut self) {
        let config = self.folder.path().join("config.toml");
        let loaded = config::load(&config, &Environment::default(), Secrets::Resolve).unwrap();
        let app = App::start(loaded, Sockets::default(), Arc::clone(&self.hang_up), self.clock.clone());
        self.app = Some(app.await.unwrap());
    }

    pub(super) async fn stop(&mut self) {
        self.app.take().unwrap().stop().await;
    }

    /// Puts another configuration in force.
    pub(super) async fn reload(&self, catch_up: &str, secret: &str) {
        let before: i64 = self.ask("SELECT count(*) FROM configurations WHERE how = 'reload'");
        self.configure(catch_up, secret);
        self.hang_up.notify_one();
        self.until(&format!("SELECT count(*) > {before} FROM configurations WHERE how = 'reload'")).await;
    }

    fn store(&self) -> Connection {
        let store = Connection::open(self.folder.path().join("bugle.db")).unwrap();
        store.busy_timeout(PATIENCE).unwrap();
        store
    }

    pub(super) fn write(&self, sql: &str) {
        self.store().execute_batch(sql).unwrap();
    }

    pub(super) fn ask<T: rusqlite::types::FromSql>(&self, sql: &str) -> T {
        self.store().query_row(sql, [], |row| row.get(0)).unwrap_or_else(|error| panic!("{error}: {sql}"))
    }

    /// Waits, in our own time, until this is so.
    pub(super) async fn until(&self, sql: &str) {
        let begun = Instant::now();
        while !self.ask::<bool>(&format!("SELECT coalesce(({sql}), 0)")) {
            assert!(begun.elapsed() < PATIENCE, "it does not come to this: {sql}");
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until `source` was asked about all there is to ask at this moment of our time or after `since`.
    pub(super) async fn is_asked(&self, source: &str, since: Moment) {
        let asked = format!("SELECT min(asked_at) >= {} FROM catch_ups WHERE source = '{source}'", since.0);
        let begun = Instant::now();
        while !self.ask::<Option<bool>>(&asked).unwrap_or_default() {
            assert!(begun.elapsed() < PATIENCE, "{source} is not asked");
            // Slowly: what is asked one by one has so many seconds of this time.
            self.clock.advance(Duration::from_millis(20));
            sleep(Duration::from_millis(3)).await;
        }
    }

    /// Lets time pass.
    pub(super) async fn pass(&self, span: Duration) {
        let end = self.clock.steady() + span;
        while self.clock.steady() < end {
            self.clock.advance(Duration::from_secs(5).min(end.saturating_sub(self.clock.steady())));
            sleep(Duration::from_millis(1)).await;
        }
    }

    /// Lets time pass in large steps.
    pub(super) async fn pass_by(&self, span: Duration) {
        let end = self.clock.steady() + span;
        while self.clock.steady() < end {
            self.clock.advance((5 * MINUTE).min(end.saturating_sub(self.clock.steady())));
            sleep(Duration::from_millis(6)).await;
        }
    }

    /// Lets time pass until the next time of asking both is over.
    pub(super) async fn asks_again(&self) {
        self.pass(MINUTE).await;
        let since = self.clock.now();
        self.pass(17 * MINUTE).await;
        self.is_asked("backend", since).await;
        self.is_asked("mobile", since).await;
    }

    /// Lets time pass until nothing waits to be told.
    pub(super) async fn is_told(&self) {
        let begun = Instant::now();
        while self.ask::<i64>("SELECT count(*) FROM deliveries WHERE state = 'waiting'") > 0 {
            assert!(begun.elapsed() < PATIENCE, "something stays to be told");
            self.clock.advance(Duration::from_millis(500));
            sleep(Duration::from_millis(3)).await;
        }
    }

    /// Lets time pass until notices say all of either; gives all that they say.
    pub(super) async fn is_noticed(&self, either: [&[&str]; 2]) -> String {
        let begun = Instant::now();
        loop {
            let notices = Self::told(&self.notices).concat();
            if either.iter().any(|all| all.iter().all(|said| notices.contains(said))) {
                return notices;
            }
            assert!(begun.elapsed() < PATIENCE, "{either:?} is not told: {notices}");
            self.clock.advance(Duration::from_secs(30));
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// The webhook of `source` brings `body`.
    pub(super) async fn accept(&self, source: &str, body: &Value) -> Value {
        let address = self.app.as_ref().unwrap().address();
        let (status, answer) = post(address, &format!("/hooks/{source}/{TOKEN}"), body).await.unwrap();
        assert_eq!(status, 200, "{answer}");
        serde_json::from_str(&answer).unwrap()
    }

    /// What a command of ours says, at the story's time.
    pub(super) async fn command(&self, words: &[&str]) -> String {
        let config = self.folder.path().join("config.toml");
        let cli = Cli::try_parse_from(["bugle"].iter().chain(words)).unwrap();
        let environment = Environment::default();
        let setting =
            Setting { config: Some(&config), environment: &environment, json: cli.json, clock: &self.clock };
        let mut said = Vec::new();
        match cli.command {
            Command::Events(asked) => events::run(&mut said, setting, &asked),
            Command::Why(asked) => why::run(&mut said, setting, &asked),
            Command::Doctor(asked) => doctor::run(&mut said, setting, &asked).await,
            other => panic!("{other:?}"),
        }
        .unwrap();
        String::from_utf8(said).unwrap()
    }

    /// What a chat shows, in order.
    pub(super) fn told(chat: &Pretend) -> Vec<String> {
        shown(chat).iter().map(|received| visible(received.json.as_ref().unwrap())).collect()
    }

    /// So long before now, as trackers write it.
    pub(super) fn ago(&self, span: Duration) -> String {
        self.clock.now().minus(span).to_string()
    }
}

/// A single object of Bugfender's API, that happened at a moment.
pub(super) fn single(id: usize, kind: &str, title: &str, at: &str) -> (u64, Value) {
    let object = json!({
        "id": format!("single-{id}"), "type": kind, "title": title, "text": format!("what happened, the {id}th time"),
        "created_at": at, "device": {"name": "Pixel 9"}, "something_new": {"unknown": [1, 2, 3]},
    });
    (1, object)
}

/// The webhook's element of the same.
pub(super) fn webhook(single: &Value) -> Value {
    let mut element = single.clone();
    element["app"] = json!({"id": APP, "name": "Harbor Companion"});
    element["status"] = json!("open");
    element
}

/// Bugsnag's event of an error, as a full report.
pub(super) fn report(error: &str, at: &str) -> Value {
    json!({
        "id": format!("event-of-{error}"), "error_id": error, "received_at": at, "severity": "error", "unhandled": true,
        "is_full_report": true, "context": "/checkout", "app": {"release_stage": "production", "version": "1.2"},
        "exceptions": [{"error_class": "TypeError", "message": "sku is not defined",
                        "stacktrace": [{"file": "cart.js", "line_number": 12, "method": "total", "in_project": true}]}],
    })
}
