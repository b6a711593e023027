//! The README, followed to the letter: from nothing to a message, a change, a mistake, and a relay that goes on.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bugle::clock::Moment;
use bugle::sample::sample;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use reqwest::Method;
use serde_json::Value;

use super::{blocks, read};
use crate::bugle::{Bugle, PATIENCE, Place, answer, visible, wait_shown};

/// The lines of a configuration that are no comments; without those that only a chat that pretends needs.
fn settings(text: &str) -> Vec<&str> {
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.filter(|line| *line != "[delivery]" && !line.starts_with("allowed_hosts")).collect()
}

#[tokio::test]
async fn the_first_message_arrives_as_the_readme_says() {
    let place = Place::new();
    fs::remove_file(place.path("config.toml")).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = place.command(arguments);
        command.env("BUGLE__SERVER__LISTEN", "127.0.0.1:0").env("BUGLE__ADMIN__LISTEN", "127.0.0.1:0");
        command.env("SLACK_TEAM_URL", place.slack.url());
        command
    };
    let flags = "init --source backend=bugsnag --destination team=slack:file:slack.url --public-url \
                 https://bugle.example.com --allow-host";
    let host = place.slack.host();
    let flags: Vec<&str> = flags.split_whitespace().chain([host.as_str()]).collect();
    let initiated = run(&flags).output().unwrap();
    assert!(initiated.status.success(), "{initiated:?}");
    let readme = read("README.md");
    let written = fs::read_to_string(place.path("config.toml")).unwrap();
    let written = written.replace("file = \"slack.url\"", "file = \"secrets/team.url\"");
    assert_eq!(settings(&written), settings(&blocks(&readme, "toml")[0]));
    let checked = run(&["check"]).output().unwrap();
    let checked = String::from_utf8(checked.stdout).unwrap();
    assert!(readme.contains(&format!("   {checked}")), "{checked}");

    assert!(run(&["send-test", "team"]).output().unwrap().status.success());
    wait_shown(&place.slack, 1).await;

    let bugle = Bugle::start(run(&["serve"]));
    let body = sample("bugsnag", "firstException", Moment(1_790_000_000_000)).unwrap();
    let token = fs::read_to_string(place.path("secrets/backend.token")).unwrap();
    let path = format!("/hooks/backend/{}", token.trim_end());
    let (status, said) = answer(bugle.request(Method::POST, &path).body(body.to_string())).await;
    assert_eq!(status, 200);
    let promised = readme.lines().find_map(|line| line.trim().strip_prefix("{\"events\"")).unwrap();
    let promised: Value = serde_json::from_str(&format!("{{\"events\"{promised}")).unwrap();
    assert_eq!(said, promised);
    let shown = wait_shown(&place.slack, 2).await;
    assert!(visible(shown[1].json.as_ref().unwrap()).contains("Payments::GatewayTimeout in Shop API"));
}

/// A running `bugle demo`, and what it has said so far.
struct Demo {
    child: Child,
    said: Arc<Mutex<String>>,
}

impl Demo {
    fn start() -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bugle"));
        command.arg("demo").env_remove("RUST_LOG").stdin(Stdio::null());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let said = Arc::<Mutex<String>>::default();
        let streams: [Box<dyn Read + Send>; 2] =
            [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
        for stream in streams {
            let said = Arc::clone(&said);
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    writeln!(said.lock().unwrap(), "{line}").unwrap();
                }
            });
        }
        Self { child, said }
    }

    /// What it has said after `mark`, once `words` are among it.
    fn wait_for(&self, words: &str, mark: usize) -> String {
        let begun = Instant::now();
        loop {
            let said = self.said.lock().unwrap().get(mark..).unwrap_or_default().to_owned();
            if said.contains(words) {
                return said;
            }
            assert!(begun.elapsed() < PATIENCE, "no {words:?} in:\n{said}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn mark(&self) -> usize {
        self.said.lock().unwrap().len()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The word after `before` in `text`.
fn word_after<'t>(text: &'t str, before: &str) -> &'t str {
    text.split(before).nth(1).and_then(|rest| rest.split_whitespace().next()).unwrap()
}

/// Replaces `old`, which stands there exactly once, as an editor would.
fn edit(config: &Path, old: &str, new: &str) {
    let text = fs::read_to_string(config).unwrap();
    assert_eq!(text.matches(old).count(), 1, "{old}\n{text}");
    let draft = config.with_extension("new");
    fs::write(&draft, text.replace(old, new)).unwrap();
    fs::rename(draft, config).unwrap();
}

/// The lines of a problem without where it stands, which differs.
fn problem(text: &str) -> Vec<String> {
    let lines = text.lines().skip_while(|line| !line.contains("error: ")).map(str::trim);
    let lines = lines.filter(|line| !line.contains("-->")).take_while(|line| !line.is_empty());
    lines.map(|line| line.trim_start_matches(|c: char| c.is_ascii_digit()).trim().to_owned()).collect()
}

#[tokio::test]
async fn the_demo_can_be_played_with_as_the_readme_says() {
    let mut demo = Demo::start();
    let said = demo.wait_for("Ctrl-C", 0);
    let config = PathBuf::from(word_after(&said, "edit "));
    let backend = said
        .split_whitespace()
        .find(|word| word.starts_with("http") && word.contains("/backend/"))
        .unwrap()
        .to_owned();
    assert!(said.contains(&format!("bugle check --config {}", config.display())));
    #[expect(clippy::disallowed_methods, reason = "a test is a tracker, which calls from outside")]
    let client = reqwest::Client::new();
    let post = async |trigger: &str| {
        let body = sample("bugsnag", trigger, Moment(1_790_000_000_000)).unwrap().to_string();
        assert_eq!(client.post(&backend).body(body).send().await.unwrap().status(), 200);
    };

    let mark = demo.mark();
    post("reopened").await;
    demo.wait_for("── Slack · team", mark);

    let mark = demo.mark();
    let rule = "when.trigger  = \"release\"\nsend_to       = ";
    edit(&config, &format!("{rule}[\"team\"]"), &format!("{rule}[\"managers\"]"));
    demo.wait_for("rule `releases` has changed", mark);
    let mark = demo.mark();
    post("release").await;
    demo.wait_for("── Microsoft Teams · managers", mark);

    let mark = demo.mark();
    edit(&config, ">= warning", ">= warnin");
    let said = demo.wait_for("stays in force", mark);
    let shown = blocks(&read("README.md"), "text").into_iter().find(|text| text.contains("warnin")).unwrap();
    let mut check = Command::new(env!("CARGO_BIN_EXE_bugle"));
    let checked = check.args(["check", "--config"]).arg(&config).output().unwrap();
    assert_eq!(checked.status.code(), Some(78));
    assert_eq!(problem(&shown), problem(&String::from_utf8(checked.stdout).unwrap()));
    assert!(said.contains("`warnin`"), "{said}");
    let mark = demo.mark();
    post("reopened").await;
    demo.wait_for("── Slack · team", mark);

    kill(Pid::from_raw(i32::try_from(demo.child.id()).unwrap()), Signal::SIGTERM).unwrap();
    assert!(demo.child.wait().unwrap().success());
    assert!(!config.exists(), "nothing is left behind");
}
