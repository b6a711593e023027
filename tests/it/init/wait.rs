//! `bugle init --wait`: the first event as it arrives, beside a server and without one.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bugle::clock::Moment;
use bugle::pretend::{Answer, Behaviour};
use bugle::sample::sample;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use reqwest::Method;
use serde_json::Value;

use super::{Fresh, is_documented};
use crate::bugle::{Bugle, PATIENCE, answer, shown};

/// A running `bugle init --wait`, and what it has said so far.
struct Waiting {
    child: Child,
    said: Arc<Mutex<String>>,
    readers: Vec<std::thread::JoinHandle<()>>,
}

impl Waiting {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let said = Arc::<Mutex<String>>::default();
        let streams: [Box<dyn Read + Send>; 2] =
            [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
        let readers = streams.map(|stream| {
            let said = Arc::clone(&said);
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    writeln!(said.lock().unwrap(), "{line}").unwrap();
                }
            })
        });
        Self { child, said, readers: readers.into() }
    }

    async fn says(&self, words: &str) -> String {
        let begun = Instant::now();
        loop {
            let said = self.said.lock().unwrap().clone();
            if said.contains(words) {
                return said;
            }
            assert!(begun.elapsed() < PATIENCE, "no {words:?} in:\n{said}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits for its end, which must be a good one; all that it has said.
    async fn end(mut self) -> String {
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(begun.elapsed() < PATIENCE, "it does not end: {}", self.said.lock().unwrap());
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        self.readers.drain(..).for_each(|reader| reader.join().unwrap());
        let said = self.said.lock().unwrap().clone();
        assert!(status.success(), "{said}");
        said
    }

    fn interrupt(&self) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), Signal::SIGINT).unwrap();
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Posts a sample to `origin` with the token that was written.
async fn post(fresh: &Fresh, origin: &str, token: Option<&str>) -> u16 {
    let written = fresh.read("secrets/backend.token");
    let url = format!("{origin}/hooks/backend/{}", token.unwrap_or(written.trim_end()));
    let body = sample("bugsnag", "firstException", Moment(1_790_000_000_000)).unwrap().to_string();
    #[expect(clippy::disallowed_methods, reason = "a test is a tracker, which calls from outside")]
    let client = reqwest::Client::new();
    answer(client.request(Method::POST, url).body(body)).await.0
}

/// Where it listens.
fn origin(said: &str) -> String {
    let rest = said.split("Listening on ").nth(1).unwrap();
    rest.split_whitespace().next().unwrap().trim_end_matches('.').to_owned()
}

const RULE: &str = "[[rules]]\nname = \"firstException in Shop API\"\nwhen.source = \"backend\"\n\
                    when.trigger = \"firstException\"\nwhen.severity = \"error\"\nwhen.app = \"Shop API\"\n\
                    when.stage = \"production\"\nsend_to = [\"team\"]\n";

#[tokio::test]
async fn by_itself_it_serves_until_the_first_event_is_told() {
    let fresh = Fresh::with_a_slack();
    fresh.place.slack.script([Behaviour::Answer(Answer::text(500, "busy"))]);
    let waiting = Waiting::start(fresh.command(&["init", "--wait"]));
    let origin = origin(&waiting.says("Listening on").await);
    assert_eq!(post(&fresh, &origin, Some("a-wrong-token")).await, 401);
    waiting.says("a webhook at backend was refused: unauthorized, from 127.0.0.1").await;
    assert_eq!(post(&fresh, &origin, None).await, 200);
    let said = waiting.end().await;
    for words in [
        "No bugle serves, so this one does until then",
        "#2223 came through backend: Payments::GatewayTimeout",
        "firstException · error · Shop API · production",
        "matched: what is new, or back again",
        "team: 2",
        "passing (server_error)  500 busy",
        "It is tried again",
        "delivered (ok)  200 ok",
        "team: delivered 2",
        RULE,
        "now run `bugle serve`",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert_eq!(shown(&fresh.place.slack).len(), 1);
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let promised = readme.split("```text\n   #2223").nth(1).unwrap().split("```").next().unwrap();
    let time = regex::Regex::new(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ").unwrap();
    for line in promised.lines().skip(1).filter_map(|line| line.strip_prefix("   ")) {
        let line = time.replace_all(line, "TIME");
        assert!(time.replace_all(&said, "TIME").contains(&*line), "{line}: {said}");
    }
    assert!(!said.contains(fresh.read("secrets/backend.token").trim_end()), "{said}");
    assert!(!said.contains(fresh.place.slack.url().rsplit('/').next().unwrap()), "{said}");

    // The proposed rule is one that the configuration takes.
    let config = fresh.read("config.toml").replacen("[[rules]]", &format!("{RULE}\n[[rules]]"), 1);
    std::fs::write(fresh.path("config.toml"), config).unwrap();
    let checked = fresh.command(&["check"]).output().unwrap();
    assert!(
        String::from_utf8(checked.stdout).unwrap().contains("in order: 1 source, 1 destination, 5 rules")
    );
}

#[tokio::test]
async fn beside_a_server_it_watches_and_does_not_disturb() {
    let fresh = Fresh::with_a_slack();
    let bugle = Bugle::start(fresh.command(&["serve"]));
    let origin = bugle.url("");
    assert_eq!(post(&fresh, &origin, None).await, 200, "this one came before");
    let waiting = Waiting::start(fresh.command(&["init", "--wait", "--json"]));
    let begun = Instant::now();
    // Whether it looks already cannot be seen from outside; a later event is as good as an earlier one.
    let mut waiting = waiting;
    let mut number = 0;
    while waiting.child.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < PATIENCE);
        number += 1;
        let id = format!("event-{number}");
        let path = format!("/hooks/backend/{}", fresh.read("secrets/backend.token").trim_end());
        let body = crate::bugle::bugsnag(&id, serde_json::json!({}));
        assert_eq!(answer(bugle.request(Method::POST, &path).body(body)).await.0, 200);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let said: Value = serde_json::from_str(&waiting.end().await).unwrap();
    is_documented(&said);
    assert_eq!(
        (&said["routing"], &said["matched"][0]),
        (&"routed".into(), &"what is new, or back again".into())
    );
    let title = said["event"]["title"].as_str().unwrap();
    assert!(
        title.contains("Timeout") && !title.contains("GatewayTimeout"),
        "the first that came meanwhile: {title}"
    );
    assert_eq!(said["event"]["deliveries"][0]["destination"], "team");
    assert!(said["rule"].as_str().unwrap().contains("send_to = [\"team\"]"));
}

#[tokio::test]
async fn who_was_refused_just_before_the_first_event_is_told_of() {
    for is_beside in [true, false] {
        let fresh = Fresh::with_a_slack();
        let bugle = is_beside.then(|| Bugle::start(fresh.command(&["serve"])));
        let waiting = Waiting::start(fresh.command(&["init", "--wait"]));
        let origin = match &bugle {
            Some(bugle) => {
                waiting.says("A bugle serves already").await;
                bugle.url("")
            }
            None => origin(&waiting.says("Listening on").await),
        };
        assert_eq!(post(&fresh, &origin, Some("a-wrong-token")).await, 401);
        assert_eq!(post(&fresh, &origin, None).await, 200);
        let said = waiting.end().await;
        assert!(said.contains("a webhook at backend was refused: unauthorized, from 127.0.0.1"), "{said}");
        assert!(said.contains("#2223 came through backend") && said.contains(RULE), "{said}");
    }
}

#[tokio::test]
async fn a_server_that_ends_meanwhile_is_told_of_and_its_next_start_too() {
    let fresh = Fresh::with_a_slack();
    for end in [Signal::SIGTERM, Signal::SIGKILL] {
        let mut bugle = Bugle::start(fresh.command(&["serve"]));
        let waiting = Waiting::start(fresh.command(&["init", "--wait"]));
        waiting.says("A bugle serves already").await;
        bugle.signal(end);
        bugle.end().await;
        waiting.says("Nobody serves from this store any more, so nothing can come").await;
        let bugle = Bugle::start(fresh.command(&["serve"]));
        waiting.says("A bugle serves again.").await;
        assert_eq!(post(&fresh, &bugle.url(""), None).await, 200);
        let said = waiting.end().await;
        assert!(said.contains("came through backend: Payments::GatewayTimeout"), "{said}");
    }
}

#[tokio::test]
async fn an_interrupt_ends_it_well_with_and_without_a_server() {
    let fresh = Fresh::with_a_slack();
    let waiting = Waiting::start(fresh.command(&["init", "--wait"]));
    waiting.says("Listening on").await;
    waiting.interrupt();
    let said = waiting.end().await;
    assert!(said.contains("now run `bugle serve`"), "{said}");

    let mut bugle = Bugle::start(fresh.command(&["serve"]));
    let waiting = Waiting::start(fresh.command(&["init", "--wait"]));
    waiting.says("A bugle serves already").await;
    waiting.interrupt();
    assert!(!waiting.end().await.contains("now run"));
    assert_eq!(post(&fresh, &bugle.url(""), None).await, 200, "the server goes on");
    bugle.signal(Signal::SIGTERM);
    assert!(bugle.end().await.success());
}

#[tokio::test]
async fn what_is_written_first_is_waited_with() {
    let fresh = Fresh::new();
    std::fs::write(fresh.path("slack.url"), fresh.place.slack.url()).unwrap();
    let host = fresh.place.slack.host();
    let arguments =
        ["init", "--wait", "--source", "backend=bugsnag", "--destination", "team=slack:file:slack.url"];
    let more = ["--listen", "127.0.0.1:0", "--allow-host", &host];
    let waiting = Waiting::start(fresh.command(&[&arguments[..], &more].concat()));
    let origin = origin(&waiting.says("Listening on").await);
    assert_eq!(post(&fresh, &origin, None).await, 200);
    let said = waiting.end().await;
    assert!(said.contains("Wrote config.toml, and 1 secret") && said.contains(RULE), "{said}");
}

#[tokio::test]
async fn what_nobody_hears_of_is_told_too() {
    let of_the_tests =
        "[[rules]]\nname = \"not this one\"\nwhen.trigger = \"firstException\"\nsend_to = []\n\n[[rules]]";
    for (change, words) in [
        (
            ("[[rules]]", of_the_tests),
            vec!["matched: not this one", "drops it, knowingly", "It is owed to nobody."],
        ),
        (("\"firstException\", ", ""), vec!["No rule matched: it goes", "team: delivered", "[\"team\"]"]),
        (("default_destination = \"team\"", "# without"), vec!["matched: what is new", "team: delivered"]),
        (("suspend", ""), vec!["matched: what is new", "team: waiting since", "`bugle queue` says why"]),
        (
            ("gone", ""),
            vec!["gone (webhook_gone)  404 no_service", "team: waiting since", "`bugle queue` says why"],
        ),
    ] {
        let fresh = Fresh::with_a_slack();
        match change.0 {
            "suspend" => {
                // There is a store once a bugle has served.
                let mut bugle = Bugle::start(fresh.command(&["serve"]));
                bugle.signal(Signal::SIGTERM);
                assert!(bugle.end().await.success());
                assert!(fresh.command(&["suspend", "team"]).output().unwrap().status.success());
            }
            "gone" => fresh.place.slack.script([Behaviour::Answer(Answer::text(404, "no_service"))]),
            old => {
                let config = fresh.read("config.toml").replacen(old, change.1, 1);
                std::fs::write(fresh.path("config.toml"), config).unwrap();
            }
        }
        let waiting = Waiting::start(fresh.command(&["init", "--wait"]));
        let origin = origin(&waiting.says("Listening on").await);
        assert_eq!(post(&fresh, &origin, None).await, 200);
        let said = waiting.end().await;
        for words in words {
            assert!(said.contains(words), "{words}: {said}");
        }
    }
}
