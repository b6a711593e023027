//! Starting and stopping the built binary: exit codes, signals, one process a store.

use std::process::Command;
use std::time::{Duration, Instant};

use bugle::pretend::{Answer, Behaviour};
use nix::sys::signal::Signal;
use predicates::prelude::*;
use serde_json::json;

use crate::bugle::{Place, bugsnag, shown, wait_shown};

#[tokio::test]
async fn sigterm_finishes_what_is_in_hand_and_keeps_the_rest() {
    let place = Place::with("", "[[rules]]\nname = \"r\"\nsend_to = \"slack\"\n");
    place.slack.script([Behaviour::Late(Duration::from_secs(1))]);
    let mut bugle = place.serve();
    for id in ["one", "two", "three"] {
        bugle.accept("backend", bugsnag(id, json!({}))).await;
    }
    place.slack.wait_for(1, Duration::from_secs(20)).await.unwrap();
    let begun = Instant::now();
    bugle.signal(Signal::SIGTERM);
    let status = bugle.end().await;
    assert_eq!(status.code(), Some(0), "{}", bugle.log());
    assert!(begun.elapsed() < Duration::from_secs(10));
    let outcomes = "SELECT group_concat(state) FROM (SELECT state FROM deliveries ORDER BY id)";
    place.until(outcomes, "delivered,waiting,waiting").await;
    let _again = place.serve();
    wait_shown(&place.slack, 3).await;
    place.until(outcomes, "delivered,delivered,delivered").await;
    assert_eq!(shown(&place.slack).len(), 3);
}

#[tokio::test]
async fn a_chat_that_hangs_does_not_keep_bugle_from_stopping() {
    let place = Place::with("", "[[rules]]\nname = \"r\"\nsend_to = \"slack\"\n");
    let config = std::fs::read_to_string(place.path("config.toml")).unwrap();
    place.write("config.toml", &config.replace("timeout = \"2s\"", "timeout = \"1m\""));
    place.slack.always(Behaviour::Hang);
    let mut bugle = place.serve();
    bugle.accept("backend", bugsnag("one", json!({}))).await;
    place.slack.wait_for(1, Duration::from_secs(20)).await.unwrap();
    let begun = Instant::now();
    bugle.signal(Signal::SIGINT);
    assert_eq!(bugle.end().await.code(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert_eq!(place.ask::<String>("SELECT state FROM deliveries"), "waiting");
}

#[tokio::test]
async fn a_second_process_on_the_same_store_is_refused() {
    let place = Place::new();
    let _first = place.serve();
    let second = assert_cmd::Command::from_std(place.command(&["serve"])).assert();
    second.code(1).stderr(predicate::str::contains("is in use: another bugle serves from it"));
}

#[test]
fn a_configuration_with_problems_does_not_start() {
    let place = Place::with("lisen = \"127.0.0.1:1\"", "[[rules]]\nname = \"r\"\nsend_to = \"nobody\"\n");
    let refused = assert_cmd::Command::from_std(place.command(&["serve"])).assert();
    refused.code(78).stderr(
        predicate::str::contains("config.toml:4")
            .and(predicate::str::contains("lisen"))
            .and(predicate::str::contains("listen"))
            .and(predicate::str::contains("nobody")),
    );
    assert!(!place.path("bugle.db").exists(), "nothing was begun");
}

#[test]
fn an_address_in_use_is_said_in_words() {
    let place = Place::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (variable, key) in
        [("BUGLE__SERVER__LISTEN", "`server.listen`"), ("BUGLE__ADMIN__LISTEN", "`admin.listen`")]
    {
        let mut command = place.command(&["serve"]);
        command.env(variable, &address);
        let refused = assert_cmd::Command::from_std(command).assert();
        refused.code(1).stderr(predicate::str::contains(format!("cannot listen on {address} ({key})")));
    }
}

#[test]
fn the_command_line_explains_itself() {
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bugle"));
        command.args(arguments);
        assert_cmd::Command::from_std(command).assert()
    };
    run(&["--help"])
        .success()
        .stdout(predicate::str::contains("serve").and(predicate::str::contains("demo")));
    run(&["--version"]).success().stdout(predicate::str::starts_with("bugle "));
    run(&["serv"]).code(2).stderr(predicate::str::contains("serve"));
    let crash = run(&["sample", "bugfender", "crash"]).success().get_output().stdout.clone();
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&crash).unwrap()[0]["type"], "crash");
    run(&["sample", "bugsnag", "firstExeption"]).code(1).stderr(predicate::str::contains("firstException"));
}

#[tokio::test]
async fn samples_are_accepted_and_never_duplicates() {
    let place = Place::with("", "");
    let bugle = place.serve();
    for _ in 0..2 {
        let output = place.command(&["sample", "bugsnag", "reopened"]).output().unwrap();
        let (status, receipt) = bugle.post("backend", output.stdout).await;
        assert_eq!((status, receipt["new"].as_i64()), (200, Some(1)));
    }
}

#[tokio::test]
async fn an_answer_of_another_kind_does_not_count_as_delivered() {
    let place = Place::with("", "[[rules]]\nname = \"r\"\nsend_to = \"slack\"\n");
    place.slack.script([Behaviour::Answer(Answer::text(200, "<html>Sign in to the hotel's network</html>"))]);
    let bugle = place.serve();
    bugle.accept("backend", bugsnag("one", json!({}))).await;
    place.until("SELECT group_concat(outcome) FROM attempts", "unclear,delivered").await;
}
