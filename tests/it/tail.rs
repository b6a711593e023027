//! `bugle tail`: whatever happens is told once, whoever serves, stops, is killed or begins again meanwhile.

mod story;

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bugle::pretend::{Answer, Behaviour};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::bugle::{Bugle, PATIENCE, Place, TOKEN, bugsnag, wait_shown};

const TO_SLACK: &str = "[[rules]]\nname = \"r\"\nsend_to = \"slack\"\n";

/// A running `bugle tail`. Killed when it is dropped.
struct Tail {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    aside: Arc<Mutex<Vec<String>>>,
}

/// Gathers the lines that come out of `pipe`.
fn gather(pipe: impl std::io::Read + Send + 'static) -> Arc<Mutex<Vec<String>>> {
    let lines = Arc::<Mutex<Vec<String>>>::default();
    let gathered = Arc::clone(&lines);
    let read = BufReader::new(pipe).lines().map_while(Result::ok);
    std::thread::spawn(move || read.for_each(|line| gathered.lock().unwrap().push(line)));
    lines
}

impl Tail {
    fn of(place: &Place, arguments: &[&str]) -> Self {
        let mut command = place.command(&[&["tail"], arguments].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (lines, aside) = (gather(child.stdout.take().unwrap()), gather(child.stderr.take().unwrap()));
        Self { child, lines, aside }
    }

    fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// What programs read.
    fn told(&self) -> Vec<Value> {
        self.lines().iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Waits until `is_enough` of what was told.
    async fn until(&self, is_enough: impl Fn(&[String]) -> bool) -> Vec<String> {
        let begun = Instant::now();
        loop {
            let lines = self.lines();
            if is_enough(&lines) {
                return lines;
            }
            let last = lines.iter().rev().take(30).rev().collect::<Vec<_>>();
            assert!(begun.elapsed() < PATIENCE, "{} lines, {last:#?}", lines.len());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until a line has all these words; that line.
    async fn says(&self, words: &[&str]) -> String {
        let has_all = |line: &String| words.iter().all(|word| line.contains(word));
        let lines = self.until(|lines| lines.iter().any(has_all)).await;
        lines.into_iter().find(has_all).unwrap()
    }

    /// Waits until `words` are said beside the lines.
    async fn remarks(&self, words: &str) {
        let begun = Instant::now();
        while !self.aside.lock().unwrap().iter().any(|line| line.contains(words)) {
            assert!(begun.elapsed() < PATIENCE, "{words}: {:#?}", self.aside.lock().unwrap());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn end(&mut self, signal: Signal) -> ExitStatus {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "tail does not end");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

async fn stop(mut bugle: Bugle) {
    bugle.signal(Signal::SIGTERM);
    assert!(bugle.end().await.success());
}

fn failure(status: u16, words: &str) -> Behaviour {
    Behaviour::Answer(Answer::text(status, words))
}

#[tokio::test]
async fn people_read_a_line_for_each_thing_that_happens() {
    let rules = "[[rules]]\nname = \"noise\"\nwhen.app = \"noise\"\nsend_to = []\n\
                 [[rules]]\nname = \"r\"\nwhen.severity = \"error\"\nsend_to = [\"slack\", \"discord\"]\n";
    let place = Place::with("", rules);
    place.slack.script([failure(503, "down"), Behaviour::Normal, failure(400, "user_not_found")]);
    let bugle = place.serve();
    let mut tail = Tail::of(&place, &["--last", "100"]);
    tail.says(&["started", "bugle "]).await;
    let id = &bugle.accept("backend", bugsnag("one", json!({}))).await[0];
    tail.says(&[
        &format!("#{id}"),
        "arrived",
        "backend firstException error Shop API: Timeout → slack, discord",
    ])
    .await;
    tail.says(&["failing", "slack: down"]).await;
    tail.says(&["ended", "slack  failing since 20"]).await;
    tail.says(&["failed", "slack  1st attempt passing (", "503 down; again in "]).await;
    tail.says(&["delivered", "slack  ", " s after it came (2nd attempt)"]).await;
    tail.says(&["delivered", "discord  ", " s after it came"]).await;
    bugle.accept("backend", bugsnag("one", json!({}))).await;
    tail.says(&["duplicate", "Timeout came again"]).await;
    let second = &bugle.accept("backend", bugsnag("two", json!({}))).await[0];
    tail.says(&["given up", &format!("#{second}"), "slack  misconfigured: user_not_found"]).await;
    bugle.accept("backend", bugsnag("three", json!({"project": {"name": "noise"}}))).await;
    tail.says(&["noise: Timeout → nobody: \"noise\" drops it"]).await;
    bugle.accept("backend", bugsnag("four", json!({"error": {"severity": "info"}}))).await;
    tail.says(&["→ nobody: no rule matched"]).await;
    let wrong = bugle.request(reqwest::Method::POST, "/hooks/mobile/wrong").send().await.unwrap();
    assert_eq!(wrong.status(), 401);
    tail.says(&["refused", "mobile  unauthorized ×1 from 127.0.0.1"]).await;
    place.configure("", &rules.replace("\"noise\"", "\"quiet\""));
    tail.says(&["configuration", "in force: "]).await;
    place.configure("", "send_to = 7");
    tail.says(&["configuration", "refused: "]).await;
    place.configure("", rules);
    stop(bugle).await;
    tail.says(&["stopped", "bugle "]).await;
    let bugle = place.serve();
    tail.until(|lines| lines.iter().filter(|line| line.contains("  started  ")).count() == 2).await;
    bugle.kill().await;
    let bugle = place.serve();
    tail.says(&["started", "; it was cut off after 20"]).await;
    drop(bugle);
    assert!(tail.end(Signal::SIGINT).await.success());
    let lines = tail.lines();
    assert!(lines[0].ends_with(", in UTC") && lines[3].contains("Z  #"), "{lines:#?}");
    assert!(lines.iter().all(|line| !line.contains(TOKEN) && !line.contains("wrong")), "{lines:#?}");
}

#[tokio::test]
async fn a_person_s_orders_and_a_destination_s_trouble_are_told() {
    let place = Place::with("", TO_SLACK);
    place.slack.script([
        failure(400, "user_not_found"),
        failure(400, "user_not_found"),
        failure(404, "no_service"),
    ]);
    let bugle = place.serve();
    let tail = Tail::of(&place, &["--json"]);
    tail.says(&["started"]).await;
    let ids = [
        bugle.accept("backend", bugsnag("one", json!({}))).await,
        bugle.accept("backend", bugsnag("two", json!({}))).await,
    ];
    place.until("SELECT count(*) FROM deliveries WHERE state = 'dead'", "2").await;
    stop(bugle).await;
    for order in [&["redrive", &ids[0][0]], &["discard", &ids[1][0]]] {
        let done = place.command(&[&["dead-letters"], &order[..]].concat()).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    }
    tail.says(&["\"what\":\"moved\"", &ids[0][0], "\"to\":\"slack\"", "\"reason\":\"redriven\""]).await;
    tail.says(&["\"what\":\"discarded\"", &ids[1][0]]).await;
    let suspend = |order: &str| {
        let done = place.command(&[order, "slack"]).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    };
    suspend("suspend");
    tail.says(&["\"what\":\"began\"", "\"spell\":\"suspended\""]).await;
    suspend("resume");
    tail.says(&["\"what\":\"ended\"", "\"spell\":\"suspended\"", "\"since\":\"20"]).await;
    let _bugle = place.serve();
    tail.says(&["\"what\":\"began\"", "\"spell\":\"gone\"", "no_service"]).await;
}

#[tokio::test]
async fn it_begins_with_the_last_lines_and_filters_hide_only_what_has_what_they_look_at() {
    let rules = "[[rules]]\nname = \"r\"\nwhen.app = \"Shop *\"\nsend_to = [\"slack\", \"discord\"]\n\
                 [[rules]]\nname = \"s\"\nsend_to = \"teams\"\n";
    let place = Place::with("", rules);
    let mut bugle = place.serve();
    for id in ["one", "two", "three"] {
        bugle.accept("backend", bugsnag(id, json!({}))).await;
    }
    bugle
        .accept(
            "backend",
            bugsnag("four", json!({"project": {"name": "checkout"}, "error": {"severity": "info"}})),
        )
        .await;
    place.until("SELECT count(*) FROM deliveries WHERE state = 'delivered'", "10").await;
    bugle.signal(Signal::SIGTERM);
    bugle.end().await;
    // Four events, ten messages, a start with its configuration, and a stop.
    let count = |lines: &[String], word: &str| {
        lines.iter().filter(|line| line.contains(&format!("\"what\":\"{word}\""))).count()
    };
    let until_stopped = async |arguments: &[&str]| {
        let tail = Tail::of(&place, &[&["--json"], arguments].concat());
        tail.remarks("Nobody serves from this store now").await;
        tail.until(|lines| count(lines, "stopped") == 1).await
    };
    let all = until_stopped(&["--last", "100"]).await;
    assert_eq!((all.len(), count(&all, "arrived"), count(&all, "delivered")), (17, 4, 10), "{all:#?}");
    assert!(all[0].contains("\"started\"") && all[16].contains("\"stopped\""), "{all:#?}");
    assert_eq!(until_stopped(&["--last", "3"]).await, all[14..]);
    assert_eq!(until_stopped(&[]).await, all[7..], "the last ten");
    for (filter, arrived, delivered) in [
        (&["--app", "shop *"][..], 3, 9),
        (&["--app", "checkout", "--app", "nothing"], 1, 1),
        (&["--severity", ">= warning"], 3, 9),
        (&["--destination", "slack"], 3, 3),
        (&["--destination", "TEAM*", "--severity", "info"], 1, 1),
        (&["--destination", "disc*", "--destination", "teams"], 4, 7),
        (&["--source", "mobile"], 0, 0),
        (&["--trigger", "/exception$/i"], 4, 10),
    ] {
        let lines = until_stopped(&[&["--last", "100"], filter].concat()).await;
        assert_eq!(
            (count(&lines, "arrived"), count(&lines, "delivered")),
            (arrived, delivered),
            "{filter:?}"
        );
        assert_eq!((count(&lines, "started"), count(&lines, "stopped")), (1, 1), "{filter:?}");
    }
}

#[tokio::test]
async fn a_store_that_is_not_there_is_said_and_one_that_nobody_serves_is_waited_for() {
    let place = Place::with("", TO_SLACK);
    let missing = place.command(&["tail"]).output().unwrap();
    assert_eq!(missing.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("there is no store at"), "{missing:?}");
    stop(place.serve()).await;
    let mut tail = Tail::of(&place, &["--last", "0"]);
    tail.remarks("Nobody serves from this store now").await;
    let bugle = place.serve();
    bugle.accept("backend", bugsnag("one", json!({}))).await;
    wait_shown(&place.slack, 1).await;
    tail.says(&["started"]).await;
    tail.says(&["delivered", "slack"]).await;
    assert!(tail.end(Signal::SIGTERM).await.success());
    // Whoever reads has seen enough.
    let mut tail = Tail::of(&place, &["--last", "100", "--json"]);
    tail.says(&["arrived"]).await;
    let wrong = place.command(&["tail", "--severity", ">= terrible"]).output().unwrap();
    assert_eq!(wrong.status.code(), Some(2));
    assert!(tail.end(Signal::SIGINT).await.success());
}
