//! A relay whose time is ours, with four chats, to which the things happen that people ask about.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bugle::app::App;
use bugle::cli::{Cli, Command};
use bugle::clock::{Clock, Moment};
use bugle::command::{Setting, order, why};
use bugle::config::{self, Environment, Secrets};
use bugle::event::EventId;
use bugle::order::{Letters, Order};
use bugle::pretend::{Pretend, Product, post};
use bugle::sockets::Sockets;
use clap::Parser as _;
use rusqlite::Connection;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::bugle::PATIENCE;

/// What opens the doors.
const TOKEN: &str = "a-token-for-questions-0123456789";

/// The relay, its chats, and its time.
pub(super) struct Story {
    folder: tempfile::TempDir,
    pub(super) team: Pretend,
    pub(super) oncall: Pretend,
    pub(super) phones: Pretend,
    managers: Pretend,
    pub(super) clock: Clock,
    app: Option<App>,
    top: &'static str,
    hang_up: Arc<Notify>,
}

impl Story {
    /// Begins at a moment, with these `rules`.
    pub(super) async fn begin(at: &str, rules: &str) -> Self {
        Self::begin_with(at, "", rules).await
    }

    /// The same with keys for the `top` of the configuration.
    pub(super) async fn begin_with(at: &str, top: &'static str, rules: &str) -> Self {
        let at: jiff::Timestamp = at.parse().unwrap();
        let clock = Clock::by_hand(Moment(at.as_millisecond()));
        let chat = |product| Pretend::start_by(clock.clone(), product).unwrap();
        let mut story = Self {
            folder: tempfile::tempdir().unwrap(),
            team: chat(Product::Slack),
            oncall: chat(Product::Discord),
            phones: chat(Product::Slack),
            managers: chat(Product::Teams),
            clock,
            app: None,
            top,
            hang_up: Arc::default(),
        };
        story.configure(rules);
        story.start().await;
        story
    }

    fn configure(&self, rules: &str) {
        let chats = [
            ("team", &self.team),
            ("oncall", &self.oncall),
            ("phones", &self.phones),
            ("managers", &self.managers),
        ];
        let hosts: Vec<String> = chats.iter().map(|(_, chat)| format!("{:?}", chat.host())).collect();
        let rooms: Vec<String> = chats
            .iter()
            .map(|(name, chat)| {
                let (product, url) = (chat.product().as_str(), chat.url());
                fs::write(self.folder.path().join(format!("{name}.url")), url).unwrap();
                format!("[destinations.{name}]\ntype = \"{product}\"\nurl = {{ file = \"{name}.url\" }}\n")
            })
            .collect();
        fs::write(self.folder.path().join("token"), TOKEN).unwrap();
        let top = self.top;
        let text = format!(
            "{top}[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n\
             [sources.backend]\ntype = \"bugsnag\"\ntokens = [{{ file = \"token\" }}]\n\
             [sources.mobile]\ntype = \"bugfender\"\ntokens = [{{ file = \"token\" }}]\n\
             [delivery]\nallowed_hosts = [{}]\n{}\n{rules}",
            hosts.join(", "),
            rooms.concat()
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

    /// Changes the rules while it runs.
    pub(super) async fn reload(&self, rules: &str) {
        self.configure(rules);
        self.hang_up.notify_one();
        self.until("SELECT count(*) FROM configurations WHERE how = 'reload'", 1).await;
    }

    /// Writes into the store, as nobody should.
    pub(super) fn write(&self, sql: &str) {
        self.store().execute_batch(sql).unwrap();
    }

    fn store(&self) -> Connection {
        let store = Connection::open(self.path()).unwrap();
        store.busy_timeout(PATIENCE).unwrap();
        store
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join("bugle.db")
    }

    fn ask(&self, sql: &str) -> i64 {
        self.store().query_row(sql, [], |row| row.get(0)).unwrap()
    }

    async fn until(&self, sql: &str, least: i64) {
        let begun = Instant::now();
        while self.ask(sql) < least {
            assert!(begun.elapsed() < PATIENCE, "{sql} stays under {least}");
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Posts what must be accepted; the short id of its event.
    pub(super) async fn accept(&self, source: &str, body: &Value) -> String {
        let answer = self.post(source, TOKEN, body).await;
        assert_eq!(answer.0, 200, "{}", answer.1);
        let answer: Value = serde_json::from_str(&answer.1).unwrap();
        answer["ids"][0].as_str().unwrap().to_owned()
    }

    pub(super) async fn post(&self, source: &str, token: &str, body: &Value) -> (u16, String) {
        let address = self.app.as_ref().unwrap().address();
        post(address, &format!("/hooks/{source}/{token}"), body).await.unwrap()
    }

    /// Lets time pass. The diary, which notices when it was not at work for a minute, keeps up.
    pub(super) async fn pass(&self, span: Duration) {
        const STEP: Duration = Duration::from_secs(15);
        let end = self.clock.steady() + span;
        self.is_done().await;
        while self.clock.steady() < end {
            self.clock.advance(STEP.min(end.saturating_sub(self.clock.steady())));
            if self.app.is_some() {
                self.is_done().await;
                self.lets_beat(STEP).await;
            }
        }
    }

    /// Gives the diary the time to notice that the clock has moved. If it fell asleep just after that, the next `step` wakes it.
    async fn lets_beat(&self, step: Duration) {
        let begun = Instant::now();
        let lately = format!("SELECT max(beat_at) >= {} FROM runs", self.clock.now().minus(step).0);
        while self.ask(&lately) == 0 && begun.elapsed() < PATIENCE / 60 {
            sleep(Duration::from_millis(3)).await;
        }
    }

    /// Waits, in our own time, until all is done that is to be done at this moment: so what is shown hardly depends on how
    /// fast the machine is. What is meant for the phones may wait.
    pub(super) async fn is_done(&self) {
        let open = |now: i64| {
            format!(
            "SELECT EXISTS (SELECT 1 FROM attempts WHERE ended_at IS NULL)
                 OR EXISTS (SELECT 1 FROM windows WHERE held > 0 AND ends_at <= {now})
                 OR EXISTS (SELECT 1 FROM deliveries WHERE state = 'waiting' AND held = 0 AND due_at <= {now}
                            AND (destination <> 'phones' OR NOT EXISTS (SELECT 1 FROM attempts WHERE delivery = deliveries.id)))"
        )
        };
        let begun = Instant::now();
        let mut nudged = Instant::now();
        let store = self.store();
        sleep(Duration::from_millis(10)).await;
        while store.query_row(&open(self.clock.now().0), [], |row| row.get(0)).unwrap() {
            assert!(begun.elapsed() < PATIENCE, "something stays to be done");
            // Whoever fell asleep just after the clock was moved sleeps until it is moved again.
            if nudged.elapsed() > Duration::from_millis(500) {
                self.clock.advance(Duration::from_secs(1));
                nudged = Instant::now();
            }
            sleep(Duration::from_millis(3)).await;
        }
    }

    /// Sends a dead letter again, as a person does with the command while bugle does not run.
    pub(super) async fn redrive(&mut self, id: &str) {
        self.stop().await;
        let letters = Letters { events: vec![EventId::parse(id).unwrap()], ..Letters::default() };
        let config = self.folder.path().join("config.toml");
        let environment = Environment::default();
        let setting =
            Setting { config: Some(&config), environment: &environment, json: true, clock: &self.clock };
        let order = Order::Redrive { letters, to: None };
        assert_eq!(order::run(&mut Vec::new(), setting, &order).await.unwrap(), 0);
        self.start().await;
    }

    /// What a command answers, and its exit code.
    pub(super) fn command(&self, words: &[&str], json: bool) -> (String, u8) {
        let (said, code) = self.ask_why(words, json);
        (said, code.unwrap())
    }

    /// Why a command refuses to answer.
    pub(super) fn refused(&self, words: &[&str]) -> String {
        let (_, refused) = self.ask_why(words, false);
        refused.unwrap_err().to_string()
    }

    fn ask_why(&self, words: &[&str], json: bool) -> (String, anyhow::Result<u8>) {
        let cli = Cli::try_parse_from([&["bugle", "why"], words].concat()).unwrap();
        let Command::Why(asked) = cli.command else { panic!("{words:?}") };
        let config = self.folder.path().join("config.toml");
        let environment = Environment::default();
        let setting = Setting { config: Some(&config), environment: &environment, json, clock: &self.clock };
        let mut out = Vec::new();
        let code = why::run(&mut out, setting, &asked);
        (String::from_utf8(out).unwrap(), code)
    }
}

/// A Bugsnag webhook for one occurrence of an error.
pub(super) fn bugsnag(trigger: &str, app: &str, class: &str, severity: &str, number: u32) -> Value {
    let error =
        format!("66f2a3c04be07d0013a6{:04x}", class.len() * 31 + class.bytes().next().map_or(0, usize::from));
    let event = format!("dd914413bcdd4c26a8{number:06x}");
    let url = format!("https://app.bugsnag.com/juniper-finch/shop/errors/{error}?event_id={event}&i=wh&m=oc");
    json!({
        "trigger": { "type": trigger, "message": "Error" },
        "project": { "name": app },
        "error": {
            "id": event,
            "errorId": error,
            "exceptionClass": class,
            "message": format!("{class} went wrong"),
            "severity": severity,
            "releaseStage": "production",
            "url": url,
        },
    })
}

/// A Bugfender webhook for a crash.
pub(super) fn crash(app: &str, title: &str, number: u32) -> Value {
    let id = format!("534c6d1e-2b1a-41ca-a3fa-5e{number:010x}");
    json!([{
        "id": id,
        "title": title,
        "type": "crash",
        "app": { "id": 51_377, "name": app },
        "self": format!("https://dashboard.bugfender.com/3/app/Kq7Zr2mVbT/crashes/{id}"),
    }])
}
