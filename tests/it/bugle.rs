//! The harness: a folder with a configuration, three pretend chats, and the built binary between them.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bugle::pretend::{Pretend, Product, Received};
use bugle::source::PRODUCTS;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

/// Longer than anything here takes; only a failing test waits for it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) const TOKEN: &str = "a-token-for-tests-0123456789";
pub(crate) const SECOND_TOKEN: &str = "the-other-token-0123456789";

/// A place to run bugle in: what is on disk, and the chats it talks to. Outlives any one process.
pub(crate) struct Place {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) slack: Pretend,
    pub(crate) teams: Pretend,
    pub(crate) discord: Pretend,
}

impl Place {
    /// A place where every event goes to all three chats, at a pace that tests can wait for.
    pub(crate) fn new() -> Self {
        Self::with("", "[[rules]]\nname = \"everything\"\nsend_to = [\"slack\", \"teams\", \"discord\"]\n")
    }

    /// A place with `server` keys and `rules` of its own.
    pub(crate) fn with(server: &str, rules: &str) -> Self {
        let start = |product| Pretend::start(product).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let place = Self {
            folder,
            slack: start(Product::Slack),
            teams: start(Product::Teams),
            discord: start(Product::Discord),
        };
        place.write("slack.url", &place.slack.url());
        place.write("teams.url", &place.teams.url());
        place.write("discord.url", &place.discord.url());
        place.write("token", TOKEN);
        place.configure(server, rules);
        place
    }

    pub(crate) fn configure(&self, server: &str, rules: &str) {
        let [slack, teams, discord] = [&self.slack, &self.teams, &self.discord].map(Pretend::host);
        let more = PRODUCTS.iter().filter(|product| door(product) == **product);
        let more = more
            .map(|name| format!("[sources.{name}]\ntype = \"{name}\"\ntokens = [{{ file = \"token\" }}]\n"));
        let more = more.collect::<Vec<_>>().concat();
        self.write(
            "config.toml",
            &format!(
                r#"
[server]
listen = "127.0.0.1:0"
{server}

[admin]
listen = "127.0.0.1:0"

[store]
url = "sqlite:bugle.db"

[sources.backend]
type = "bugsnag"
tokens = [{{ file = "token" }}, {{ env = "SECOND_TOKEN" }}]

[sources.mobile]
type = "bugfender"
tokens = [{{ file = "token" }}]

{more}
[delivery]
collapse = "off"
digest_over = "off"
allowed_hosts = ["{slack}", "{teams}", "{discord}"]
retry = {{ first = "100ms", most = "1s", give_up_after = "1h" }}
timeout = "2s"

[destinations.slack]
type = "slack"
url = {{ file = "slack.url" }}
rate = "50/s"

[destinations.teams]
type = "teams"
url = {{ file = "teams.url" }}
rate = "50/s"

[destinations.discord]
type = "discord"
url = {{ file = "discord.url" }}
rate = "50/s"

[people.ann]
slack = "U012AB3CD"
discord = "123456789012345678"
teams = {{ id = "ann@example.com", name = "Ann" }}

{rules}
"#
            ),
        );
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The binary with `arguments`, in this place.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bugle"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("SECOND_TOKEN", SECOND_TOKEN)
            .env("RUST_LOG", "trace")
            .stdin(Stdio::null());
        command
    }

    /// Starts `bugle serve` and waits until it is ready.
    pub(crate) fn serve(&self) -> Bugle {
        Bugle::start(self.command(&["serve"]))
    }

    pub(crate) fn chats(&self) -> [&Pretend; 3] {
        [&self.slack, &self.teams, &self.discord]
    }

    /// What the store says to a question.
    pub(crate) fn ask<T: rusqlite::types::FromSql>(&self, sql: &str) -> T {
        let connection = rusqlite::Connection::open(self.path("bugle.db")).unwrap();
        connection.busy_timeout(PATIENCE).unwrap();
        connection.query_row(sql, [], |row| row.get(0)).unwrap()
    }

    /// Waits until the store's answer is `expected`.
    pub(crate) async fn until(&self, sql: &str, expected: &str) {
        let begun = Instant::now();
        loop {
            let answer: String = self.ask(&format!("SELECT coalesce(cast(({sql}) AS TEXT), '')"));
            if answer == expected {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{sql}: {answer}, not {expected}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// A running `bugle serve`. Killed when it is dropped.
pub(crate) struct Bugle {
    child: Child,
    pub(crate) address: String,
    pub(crate) admin: String,
    log: Arc<Mutex<Vec<String>>>,
    client: reqwest::Client,
}

impl Bugle {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let log = Arc::<Mutex<Vec<String>>>::default();
        let (mut address, mut admin) = (None, None);
        for line in lines.by_ref() {
            let fields: Value = serde_json::from_str(&line).unwrap_or_default();
            log.lock().unwrap().push(line);
            if fields["message"] == "ready" {
                let field = |name: &str| fields[name].as_str().map(str::to_owned);
                (address, admin) = (field("address"), field("admin"));
                break;
            }
        }
        let address = address.unwrap_or_else(|| panic!("bugle did not start: {:#?}", log.lock().unwrap()));
        let reader = Arc::clone(&log);
        std::thread::spawn(move || lines.for_each(|line| reader.lock().unwrap().push(line)));
        #[expect(clippy::disallowed_methods, reason = "a test is a tracker, which calls from outside")]
        let client = reqwest::Client::new();
        Self { child, address, admin: admin.unwrap(), log, client }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, self.url(path))
    }

    /// A request to the admin address.
    pub(crate) fn admin_request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.admin))
    }

    /// Posts `body` to `source` with the right token; the status and the answer.
    pub(crate) async fn post(&self, source: &str, body: impl Into<reqwest::Body>) -> (u16, Value) {
        let path = format!("/hooks/{source}/{TOKEN}");
        answer(self.request(reqwest::Method::POST, &path).body(body)).await
    }

    /// Posts what must be accepted; its short ids.
    pub(crate) async fn accept(&self, source: &str, body: impl Into<reqwest::Body>) -> Vec<String> {
        let (status, answer) = self.post(source, body).await;
        assert_eq!(status, 200, "{answer}");
        answer["ids"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()).collect()
    }

    /// Waits until the log says `words`, for the `count`-th time.
    pub(crate) async fn says(&self, words: &str, count: usize) {
        let begun = Instant::now();
        while self.log().matches(words).count() < count {
            assert!(begun.elapsed() < PATIENCE, "the log does not say {words:?}: {}", self.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().join("\n")
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    /// Waits for the end of the process.
    pub(crate) async fn end(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "bugle does not end");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub(crate) async fn kill(mut self) {
        self.signal(Signal::SIGKILL);
        self.end().await;
    }
}

impl Drop for Bugle {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Sends a request; the status and the JSON of the answer.
pub(crate) async fn answer(request: reqwest::RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// The messages that a chat shows: requests that its platform took.
pub(crate) fn shown(chat: &Pretend) -> Vec<Arc<Received>> {
    chat.received().into_iter().filter(|received| received.is_shown()).collect()
}

/// Waits until `chat` shows `count` messages.
pub(crate) async fn wait_shown(chat: &Pretend, count: usize) -> Vec<Arc<Received>> {
    let enough = |all: &[Arc<Received>]| all.iter().filter(|received| received.is_shown()).count() >= count;
    if let Err(error) = chat.wait_until(PATIENCE, enough).await {
        let answers: Vec<_> = chat.received().iter().map(|r| format!("{:?}", r.answer)).collect();
        panic!("{}: {error}: {answers:#?}", chat.product());
    }
    shown(chat)
}

/// All text of a body that a person sees, without what only keeps it from acting.
pub(crate) fn visible(body: &Value) -> String {
    fn collect(value: &Value, text: &mut String) {
        match value {
            Value::String(string) => {
                text.push_str(string);
                text.push('\n');
            }
            Value::Array(values) => values.iter().for_each(|value| collect(value, text)),
            Value::Object(map) => map.values().for_each(|value| collect(value, text)),
            _ => {}
        }
    }
    let mut text = String::new();
    collect(body, &mut text);
    let text = text.replace('\u{200B}', "").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    let mut plain = String::new();
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        // A backslash that keeps the next sign from acting is not seen.
        if letter != '\\' || letters.peek().is_none_or(|next| next.is_alphanumeric() || next.is_whitespace())
        {
            plain.push(letter);
        }
    }
    plain
}

/// The source in the harness's configuration that takes webhooks of `product`.
fn door(product: &'static str) -> &'static str {
    match product {
        "bugsnag" => "backend",
        "bugfender" => "mobile",
        other => other,
    }
}

/// The fixtures of all trackers: source, name, body.
pub(crate) fn fixtures() -> Vec<(&'static str, String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut fixtures = Vec::new();
    for tracker in PRODUCTS {
        let source = door(tracker);
        for file in fs::read_dir(folder.join(tracker)).unwrap() {
            let path = file.unwrap().path();
            fixtures.push((
                source,
                path.file_name().unwrap().to_str().unwrap().to_owned(),
                fs::read(path).unwrap(),
            ));
        }
    }
    fixtures.sort();
    assert!(fixtures.len() > 30, "the fixtures are there");
    fixtures
}

/// A Bugsnag body with an event of its own id.
pub(crate) fn bugsnag(id: &str, extra: Value) -> String {
    let mut body = serde_json::json!({
        "account": {"id": "acc", "name": "Larkspur", "url": "https://app.bugsnag.com/account/larkspur"},
        "project": {"id": "prj", "name": "Shop API", "url": "https://app.bugsnag.com/larkspur/shop-api"},
        "trigger": {"type": "firstException", "message": "New unhandled error"},
        "error": {
            "id": id, "errorId": format!("group-{id}"), "exceptionClass": "Timeout", "message": format!("message of {id}"),
            "severity": "error", "unhandled": true, "app": {"releaseStage": "production", "version": "1.2.3"},
            "url": format!("https://app.bugsnag.com/larkspur/shop-api/errors/{id}"),
        },
    });
    merge(&mut body, extra);
    body.to_string()
}

fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            from.into_iter().for_each(|(key, value)| merge(into.entry(key).or_insert(Value::Null), value));
        }
        (into, from) => *into = from,
    }
}
