//! What `docs/OPERATIONS.md` says of it: the transcript is what is shown, and every field is named.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use regex::Regex;
use serde_json::{Value, json};

use super::{TO_SLACK, ask, free_port, stop, tidy_place};
use crate::bugle::{Place, bugsnag, wait_shown};

/// The chapter.
fn chapter() -> String {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/OPERATIONS.md")).unwrap();
    page.split("## What is wrong?\n").nth(1).unwrap().split("\n## ").next().unwrap().to_owned()
}

/// The team of the transcript. Its Slack and its Discord would be those of the platforms, which no test can ask.
fn configure(place: &Place, port: u16) {
    let (teams, admin) = (place.teams.host(), free_port());
    place.write(
        "config.toml",
        &format!(
            r#"
default_destination = "office"
[server]
listen = "127.0.0.1:{port}"
public_url = "http://127.0.0.1:{port}"
[admin]
listen = "127.0.0.1:{admin}"
[store]
url = "sqlite:bugle.db"
[sources.backend]
type = "bugsnag"
tokens = [{{ file = "backend.token" }}]
[sources.mobile]
type = "bugfender"
tokens = [{{ file = "mobile.token" }}]
[delivery]
allowed_hosts = ["{teams}"]
[destinations.team]
type = "slack"
url = {{ file = "team.url" }}
[destinations.oncall]
type = "discord"
url = {{ file = "oncall.url" }}
[destinations.office]
type = "teams"
url = {{ file = "office.url" }}
"#
        ),
    );
    place.write("backend.token", crate::bugle::TOKEN);
    place.write("mobile.token", "another-token-for-tests-0123456789");
    place.write("team.url", "https://hooks.slack.com/services/T012AB3CD/B012AB3CD/XyZ0123456789abcdefghijk");
    place.write(
        "oncall.url",
        "https://discord.com/api/webhooks/123456789012345678/AbCdEfGhIjKlMnOpQrStUvWxYz0",
    );
    place.write("office.url", &place.teams.url());
    for file in ["config.toml", "backend.token", "team.url", "oncall.url", "office.url"] {
        fs::set_permissions(place.path(file), Permissions::from_mode(0o600)).unwrap();
    }
    fs::set_permissions(place.path("mobile.token"), Permissions::from_mode(0o644)).unwrap();
}

/// The lines of a transcript that do not depend on whether a platform can be asked, without times and sizes.
fn comparable(transcript: &str) -> Vec<String> {
    let time = Regex::new(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ").unwrap();
    let size = Regex::new(r"[\d.]+ [KMGT]?i?B\b").unwrap();
    let mut lines: Vec<String> = Vec::new();
    let mut skipped = false;
    for line in
        transcript.lines().filter(|line| !line.is_empty() && !line.starts_with("Something is broken: "))
    {
        let is_help = line.starts_with("           → ");
        let is_asked = ["team: slack;", "oncall: discord;", "platforms: ", "TLS: "]
            .iter()
            .any(|words| line.contains(words));
        skipped = is_asked || (is_help && skipped) || line == "clock";
        if !skipped {
            lines.push(size.replace_all(&time.replace_all(line, "TIME"), "SIZE").into_owned());
        }
    }
    lines
}

#[tokio::test]
async fn the_transcript_is_what_is_shown() {
    let (place, port) = tidy_place(TO_SLACK);
    configure(&place, port);
    let bugle = place.serve();
    bugle.accept("backend", bugsnag("one", json!({}))).await;
    wait_shown(&place.teams, 1).await;
    place.until("SELECT state FROM deliveries", "delivered").await;
    // Where nothing answers: no platform is asked by a test.
    let nowhere = format!("http://127.0.0.1:{}", free_port());
    let output = place.command(&["doctor"]).env("HTTPS_PROXY", nowhere).output().unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{shown}");
    let shown = shown
        .replace(&format!("http://127.0.0.1:{port}/healthz"), "http://127.0.0.1:8080/healthz")
        .replace(&format!("http://127.0.0.1:{port}"), "https://bugle.example.com");
    let chapter = chapter();
    let written = chapter.split("```text\n").nth(1).unwrap().split("```").next().unwrap();
    assert_eq!(comparable(written), comparable(&shown));
    let summary = Regex::new(r"(?m)^Something is broken: \d+ broken, \d+ warnings?, \d+ ok\.$").unwrap();
    assert!(summary.is_match(written) && summary.is_match(&shown), "{shown}");
    assert!(shown.contains("broken   team: slack; no connection could be made"), "{shown}");
    stop(bugle).await;
}

#[test]
fn every_field_and_every_word_of_the_json_is_documented() {
    let (place, _) = tidy_place(TO_SLACK);
    let (_, report) = ask(&place, &[]);
    let chapter = chapter();
    let named =
        |word: &str| assert!(chapter.contains(&format!("`{word}`")), "{word} is not in docs/OPERATIONS.md");
    report.as_object().unwrap().keys().for_each(|key| named(key));
    for check in report["checks"].as_array().unwrap() {
        check.as_object().unwrap().keys().for_each(|key| named(key));
        assert!(["check", "verdict"].iter().all(|key| check[key].is_string()));
        named(check["check"].as_str().unwrap());
        named(check["verdict"].as_str().unwrap());
        assert_eq!(check["help"] == Value::Null, check["verdict"] == "ok", "{check}");
    }
}
