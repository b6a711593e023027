//! `bugle init`: from flags, from a terminal, with everything that can be in its way; and the first event.

mod terminal;
mod wait;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use bugle::sample::sample;
use reqwest::Method;
use serde_json::Value;

use crate::bugle::{Bugle, Place, answer, wait_shown};

const SLACK: &str = "https://hooks.slack.com/services/T0000/B0000/hunter2hunter2hunter2";
const DISCORD: &str = "https://discord.com/api/webhooks/123456789012345678/hunter2-hunter2-hunter2";
const TEAMS: &str = "https://default12.3.environment.api.powerplatform.com:443/powerautomate/automations/direct/workflows/\
                     0123456789abcdef/triggers/manual/paths/invoke?api-version=1&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0\
                     &sig=hunter2hunter2hunter2hunter2hunter2hunter2a";

/// A folder with nothing in it, and chats to post to.
pub(super) struct Fresh {
    pub(super) place: Place,
    folder: PathBuf,
}

impl Fresh {
    pub(super) fn new() -> Self {
        let place = Place::new();
        let folder = place.path("fresh");
        fs::create_dir(&folder).unwrap();
        Self { place, folder }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(super) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// The binary in this folder, on ports of its own.
    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.place.command(arguments);
        command
            .current_dir(&self.folder)
            .env("BUGLE__ADMIN__LISTEN", "127.0.0.1:0")
            .env("DISCORD_URL", DISCORD);
        command.env_remove("RUST_LOG");
        command
    }

    /// What `bugle init` with `arguments` says when `input` is all that can be read.
    fn init(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = self.command(&[&["init"], arguments].concat());
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }

    /// A configuration with one Slack that only pretends, listening on any port.
    pub(super) fn with_a_slack() -> Self {
        let fresh = Self::new();
        let arguments =
            ["--source", "backend=bugsnag", "--destination", "team=slack:-", "--listen", "127.0.0.1:0"];
        let host = fresh.place.slack.host();
        let output =
            fresh.init(&[&arguments[..], &["--allow-host", &host]].concat(), &fresh.place.slack.url());
        assert!(output.status.success(), "{output:?}");
        fresh
    }

    /// All files, and what is in them.
    fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let (mut files, mut folders) = (BTreeMap::new(), vec![self.folder.clone()]);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path.clone());
                }
                files.insert(path.clone(), fs::read(&path).unwrap_or_default());
            }
        }
        files
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

const ALL: [&str; 12] = [
    "--source",
    "backend=bugsnag",
    "--source",
    "mobile=bugfender",
    "--destination",
    "team=slack:-",
    "--destination",
    "oncall=discord:env:DISCORD_URL",
    "--destination",
    "managers=teams:file:teams.url",
    "--public-url",
    "https://bugle.example.com/",
];

#[test]
fn flags_make_a_configuration_that_is_in_order_and_secrets_that_nobody_else_reads() {
    let fresh = Fresh::new();
    fs::write(fresh.path("teams.url"), TEAMS).unwrap();
    let output = fresh.init(&ALL, &format!("{SLACK}\n"));
    let (out, errors) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success() && errors.is_empty(), "{out}{errors}");
    assert!(!out.contains("hunter2"), "{out}");

    let config = fresh.read("config.toml");
    let tokens = ["backend", "mobile"].map(|name| fresh.read(&format!("secrets/{name}.token")));
    for (name, token) in ["backend", "mobile"].iter().zip(&tokens) {
        let token = token.trim_end();
        assert_eq!(token.len(), 64, "{token}");
        assert!(out.contains(&format!("  https://bugle.example.com/hooks/{name}/{token}\n")), "{out}");
        assert!(!config.contains(token), "{config}");
    }
    assert_ne!(tokens[0], tokens[1]);
    for kind in ["crash", "issue", "feedback"] {
        assert!(out.contains(&format!("/hooks/mobile/{}?type={kind}\n", tokens[1].trim_end())), "{out}");
    }
    assert_eq!(fresh.read("secrets/team.url").trim_end(), SLACK);
    assert!(!config.contains("hunter2") && config.contains("url = { env = \"DISCORD_URL\" }"), "{config}");
    assert!(config.contains("url = { file = \"teams.url\" }"), "{config}");
    assert_eq!(mode(&fresh.path("secrets")), 0o700);
    for secret in ["backend.token", "mobile.token", "team.url"] {
        assert_eq!(mode(&fresh.path("secrets").join(secret)), 0o600, "{secret}");
    }
    assert_eq!(fresh.files().len(), 6, "{:?}", fresh.files().keys());

    let checked = fresh.command(&["check"]).output().unwrap();
    assert_eq!(text(&checked.stdout), "config.toml is in order: 2 sources, 3 destinations, 5 rules\n");
    assert!(checked.status.success());
}

#[tokio::test]
async fn what_is_written_serves_and_delivers() {
    let fresh = Fresh::with_a_slack();
    let token = fresh.read("secrets/backend.token");
    let bugle = Bugle::start(fresh.command(&["serve"]));
    for (trigger, count) in [("firstException", 1), ("projectSpiking", 2), ("release", 3)] {
        let body = sample("bugsnag", trigger, bugle::clock::Moment(1_790_000_000_000)).unwrap().to_string();
        let path = format!("/hooks/backend/{}", token.trim_end());
        let (status, said) = answer(bugle.request(Method::POST, &path).body(body)).await;
        assert_eq!(status, 200, "{said}");
        wait_shown(&fresh.place.slack, count).await;
    }
}

#[test]
fn nothing_that_is_there_is_changed() {
    for (name, link) in [("config.toml", false), ("secrets/backend.token", false), ("config.toml", true)] {
        let fresh = Fresh::new();
        fs::create_dir(fresh.path("secrets")).unwrap();
        if link {
            symlink("nowhere", fresh.path(name)).unwrap();
        } else {
            fs::write(fresh.path(name), "mine").unwrap();
        }
        let before = fresh.files();
        let output = fresh
            .init(&["--source", "backend=bugsnag", "--destination", "team=slack:-"], &format!("{SLACK}\n"));
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(
            said.contains(name) && said.contains("is there already") && said.contains("nothing was changed"),
            "{said}"
        );
        assert!(output.stdout.is_empty());
        assert_eq!(fresh.files(), before);
    }
}

#[test]
fn a_failure_half_way_leaves_nothing_behind() {
    let long = format!("{}.toml", "x".repeat(300));
    let fresh = Fresh::new();
    fs::write(fresh.path("in-the-way"), "").unwrap();
    fs::create_dir(fresh.path("taken")).unwrap();
    fs::write(fresh.path("taken/secrets"), "no folder").unwrap();
    let before = fresh.files();
    for config in
        [&long, "taken/config.toml", "missing/config.toml", "in-the-way/config.toml", "/proc/config.toml"]
    {
        let arguments = ["--source", "bugsnag", "--destination", "slack:-", "--config", config];
        let output = fresh.init(&arguments, SLACK);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{config}: {said}");
        assert!(said.starts_with("bugle: ") && !said.contains("hunter2"), "{config}: {said}");
        assert_eq!(fresh.files(), before, "{config}");
    }
    // What the configuration would not be in order with.
    let mut command =
        fresh.command(&["init", "--source", "bugsnag", "--destination", "discord:env:DISCORD_URL"]);
    let output = command.env("BUGLE__SERVER__LISTEN", "nowhere").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("nothing was written"), "{output:?}");
    let listen = ["--source", "bugsnag", "--destination", "discord:env:DISCORD_URL", "--listen", "nowhere"];
    let output = fresh.init(&listen, "");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("--> config.toml:"), "{output:?}");
    assert_eq!(fresh.files(), before);
}

#[test]
fn what_cannot_be_is_an_error_that_says_why_and_shows_no_address() {
    let fresh = Fresh::new();
    let discord = ["--destination", "discord:env:DISCORD_URL"];
    let source = ["--source", "bugsnag"];
    let to = |from| [&source[..], &["--destination", from]].concat();
    fs::write(fresh.path("empty"), "\n").unwrap();
    for (arguments, input, code, words) in [
        (vec![], "", 1, "--source, --destination"),
        (source.to_vec(), "", 1, "missing: --destination"),
        (discord.to_vec(), "", 1, "missing: --source"),
        (to("team=slack"), "", 1, "--destination team=slack:env:VARIABLE"),
        (to("slack:-"), "", 1, "the input ended"),
        (to("slack:-"), DISCORD, 1, "is the `type` right?"),
        (to("slack:-"), "http://127.0.0.1:9/hunter2", 1, "--allow-host 127.0.0.1:9"),
        (to("slack:-"), "hunter2 hunter2", 1, "a space"),
        (to("slack:env:DISCORD_URL"), "", 1, "is the `type` right?"),
        (to("slack:env:NOT_SET"), "", 1, "the variable NOT_SET is not set"),
        (to("slack:file:nowhere"), "", 1, "the file nowhere cannot be read"),
        (to("slack:file:empty"), "", 1, "the file empty is empty"),
        (to(SLACK), "", 2, "does not belong on the command line"),
        (to("team=slack:hunter2"), "", 2, "env:VARIABLE"),
        (to("team=slack:env:hunter2 x"), "", 2, "the name of a variable"),
        (to("../../x=slack:-"), SLACK, 2, "a name is made of"),
        ([&["--source", "../x=bugsnag"], &discord[..]].concat(), "", 2, "a name is made of"),
        (
            [&["--source", "bugsnag", "--source", "bugsnag"], &discord[..]].concat(),
            "",
            1,
            "two sources are called",
        ),
        ([&source[..], &discord, &discord].concat(), "", 1, "two destinations are called"),
        (
            [&source[..], &discord, &["--public-url", "bugle.example.com"]].concat(),
            "",
            1,
            "https:// and a host",
        ),
        (
            [&source[..], &discord, &["--public-url", "https://x.example/?a=b"]].concat(),
            "",
            1,
            "https:// and a host",
        ),
        ([&source[..], &discord, &["--allow-host", "https://x"]].concat(), "", 2, "a host is a name"),
    ] {
        let before = fresh.files();
        let output = fresh.init(&arguments, input);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(words), "{arguments:?}: {said}");
        assert!(!said.contains("hunter2") && output.stdout.is_empty(), "{arguments:?}: {said}");
        assert_eq!(fresh.files(), before, "{arguments:?}");
    }
}

/// Asserts that the chapter on `bugle init` explains each key of `shown`, at any depth.
fn is_documented(shown: &Value) {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/OPERATIONS.md")).unwrap();
    let chapter =
        page.split("## A first configuration\n").nth(1).unwrap().split("\n## ").next().unwrap().to_owned();
    match shown {
        Value::Object(map) => {
            for (key, value) in map {
                // What becomes of an event is told as elsewhere on the page.
                if key != "event" {
                    assert!(chapter.contains(&format!("`{key}`")), "{key} is not in docs/OPERATIONS.md");
                    is_documented(value);
                }
            }
        }
        Value::Array(values) => values.iter().for_each(is_documented),
        _ => {}
    }
}

#[test]
fn programs_read_the_same() {
    let fresh = Fresh::new();
    fs::write(fresh.path("teams.url"), TEAMS).unwrap();
    let output = fresh.init(&[&ALL[..], &["--json"]].concat(), SLACK);
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    is_documented(&shown);
    let token = fresh.read("secrets/mobile.token");
    let address = format!("https://bugle.example.com/hooks/mobile/{}", token.trim_end());
    assert_eq!(shown["sources"][1]["address"], address);
    assert_eq!(shown["sources"][1]["typed_addresses"]["crash"], format!("{address}?type=crash"));
    assert_eq!(shown["destinations"][2]["name"], "managers");
    assert_eq!(shown["files"].as_array().unwrap().len(), 4);
}
