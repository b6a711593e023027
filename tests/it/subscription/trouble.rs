//! What goes wrong: every answer in words that say what to do, and whatever is cut off leaves no riddle.

use std::fs::File;
use std::io::Read as _;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::{begun, edit, ids, place, place_at, run, said, states, stored};
use crate::apis::bugfender::{APP, Bugfender, SECRET};
use crate::apis::server::{Server, Told};
use crate::bugle::Place;

#[tokio::test]
async fn every_answer_says_what_to_do() {
    for (answer, words, may_be_there) in [
        (Told::json(400, &json!({"message": "target_url"})), &["`server.public_url`"][..], false),
        (
            Told::json(403, &json!({"message": "no"})),
            &["no right to that", "double-check the application's number 48213 in `sources.mobile.api.apps`"],
            false,
        ),
        (Told::text(404, ""), &["`sources.mobile.api.url`"], false),
        (Told::text(200, "<html>sign in</html>"), &["unknown way", "a page for signing in"], true),
        (Told::json(201, &json!({"id": "\u{1b}[2J"})), &["id is none"], true),
        (Told::text(500, ""), &["could not be asked", "if it stays so"], true),
        (Told::json(201, &json!({"id": 77})).breaking(), &["could not be asked"], true),
    ] {
        let bugfender = Bugfender::start();
        let place = place(&bugfender);
        stored(&place).await;
        bugfender.server.always("hook/subscribe", answer.clone());
        let (code, shown) = run(&place, &["subscribe"]);
        assert_eq!(code, Some(1), "{answer:?}: {shown}");
        for words in words {
            assert_eq!(shown.matches(words).count(), 3, "{answer:?}: {words}: {shown}");
        }
        // The next one begins anew, and says if there may be something that nobody remembers.
        bugfender.server.recover();
        let (code, shown) = run(&place, &["subscribe"]);
        assert_eq!(code, Some(0), "{shown}");
        let count = if may_be_there { 3 } else { 0 };
        assert_eq!(shown.matches("there may be a second one").count(), count, "{answer:?}: {shown}");
        assert_eq!(ids(&bugfender), [21, 22, 23]);
        assert_eq!(states(&place, &["list"], 0), ["there 21", "there 22", "there 23"]);
    }
}

#[tokio::test]
async fn wrong_credentials_are_said_by_the_name_of_their_keys() {
    let bugfender = Bugfender::start();
    let place = place(&bugfender);
    stored(&place).await;
    place.write("client.secret", "wrong-0123456789");
    for command in [&["subscribe"][..], &["list"]] {
        let (code, words) = run(&place, command);
        let expected = i32::from(command == ["subscribe"]);
        assert_eq!(code, Some(expected), "{words}");
        let count = words.matches("see `sources.mobile.api.client_id` and `client_secret`").count();
        assert_eq!(
            count,
            if expected == 1 { 3 } else { 0 },
            "nothing is asked where nothing is remembered: {words}"
        );
    }
    place.write("client.secret", SECRET);
    assert_eq!(run(&place, &["subscribe"]).0, Some(0));
    place.write("client.secret", "wrong-0123456789");
    assert_eq!(states(&place, &["list"], 1), ["failed 21", "failed 22", "failed 23"]);
    let doctor = place.command(&["doctor", "--json"]).output().unwrap();
    let report: Value = serde_json::from_slice(&doctor.stdout).unwrap();
    let checks = report["checks"].as_array().unwrap();
    let told = |check: &&Value| check["words"].as_str().unwrap().contains("does not know these credentials");
    let about: Vec<_> = checks.iter().filter(told).collect();
    assert_eq!(about.len(), 1, "said once: {about:#?}");
    assert_eq!((&about[0]["about"], &about[0]["verdict"]), (&json!("mobile, API"), &json!("broken")));
    assert_eq!(doctor.status.code(), Some(1));
    let hooks: Vec<_> = checks.iter().filter(|check| check["about"] == "mobile, webhooks").collect();
    let [hooks] = hooks[..] else { panic!("said once: {hooks:#?}") };
    assert_eq!(hooks["help"], "mend what is said of \"mobile, API\"");
    // What is not undone is not forgotten.
    assert_eq!(states(&place, &["unsubscribe"], 1), ["failed 21", "failed 22", "failed 23"]);
    assert_eq!(place.ask::<i64>("SELECT count(*) FROM hooks"), 3);
}

#[tokio::test]
async fn what_goes_wrong_with_one_keeps_the_others_from_nothing() {
    let bugfender = Bugfender::start();
    let place = place(&bugfender);
    stored(&place).await;
    bugfender.server.next("hook/subscribe", Told::json(403, &json!({})));
    assert_eq!(states(&place, &["subscribe"], 1), ["failed ", "subscribed 21", "subscribed 22"]);
    assert_eq!(states(&place, &["subscribe"], 0), ["subscribed 23", "there 21", "there 22"]);
}

#[tokio::test]
async fn a_tracker_that_asks_to_wait_is_asked_nothing_more() {
    let bugfender = Bugfender::start();
    let place = place(&bugfender);
    stored(&place).await;
    let wait = Told::text(429, "").with("Retry-After", "16.5");
    let asked = |since: usize| {
        bugfender.server.lines().split_off(since).iter().filter(|line| line.contains("/hook/")).count()
    };
    bugfender.server.always("/hook/", wait.clone());
    let (code, words) = run(&place, &["subscribe"]);
    assert_eq!(
        (code, words.matches("the tracker asks to wait: try again in 1").count()),
        (Some(1), 3),
        "{words}"
    );
    assert_eq!(asked(0), 1, "nobody waits before a terminal for so long");
    bugfender.server.recover();
    assert_eq!(run(&place, &["subscribe"]).0, Some(0));
    for command in ["list", "unsubscribe"] {
        bugfender.server.always("/hook/", wait.clone());
        let before = bugfender.server.lines().len();
        assert_eq!(states(&place, &[command], 1), ["failed 21", "failed 22", "failed 23"]);
        assert_eq!(asked(before), 1, "{command}");
    }
    bugfender.server.recover();
    assert_eq!(states(&place, &["list"], 0), ["there 21", "there 22", "there 23"]);
}

#[tokio::test]
async fn a_source_that_cannot_be_asked_is_no_trouble_of_the_others() {
    let bugfender = Bugfender::start();
    let place = place(&bugfender);
    place.write("ca.pem", "-----BEGIN CERTIFICATE-----\nno certificate\n-----END CERTIFICATE-----\n");
    let lab = "[sources.lab]\ntype = \"bugfender\"\ntokens = [\"lab-token-0123456789abcdef\"]\n[sources.lab.api]\n\
               token = \"lab-api-token\"\nauthority = \"ca.pem\"\napps = [7]\n[sources.mobile.api]";
    edit(&place, "[sources.mobile.api]", lab);
    stored(&place).await;
    for (command, state) in [("subscribe", "subscribed"), ("list", "there"), ("unsubscribe", "undone")] {
        let mut found = states(&place, &[command], 1);
        found.sort_unstable();
        assert_eq!(
            found,
            ["failed ".to_owned(), format!("{state} 21"), format!("{state} 22"), format!("{state} 23")]
        );
    }
    let (_, words) = run(&place, &["list"]);
    assert!(words.contains("lab: cannot be asked: ") && words.contains("see `sources.lab.api`"), "{words}");
}

#[tokio::test]
async fn what_is_gone_is_remembered_until_another_is_in_its_place() {
    let bugfender = Bugfender::start();
    let place = place(&bugfender);
    stored(&place).await;
    assert_eq!(run(&place, &["subscribe"]).0, Some(0));
    bugfender.with(|known| known.hooks.remove(0));
    for answer in [Told::json(403, &json!({})), Told::text(500, "")] {
        bugfender.server.always("hook/subscribe", answer);
        let (code, words) = run(&place, &["subscribe"]);
        assert_eq!(code, Some(1), "{words}");
        assert!(words.contains("webhook 21 is gone, and none is in its place"), "{words}");
        bugfender.server.recover();
        let listed = states(&place, &["list"], 1);
        assert!(listed.contains(&"gone 21".to_owned()), "{listed:?}");
        let doctor = place.command(&["doctor"]).output().unwrap();
        assert!(said(&doctor).1.contains("mobile, webhooks: new_crash of Harbor Companion is gone"));
    }
    let before = bugfender.server.lines().len();
    assert_eq!(states(&place, &["subscribe"], 0), ["subscribed 24", "there 22", "there 23"]);
    let lines = bugfender.server.lines().split_off(before);
    let place_of = |line: &str| lines.iter().position(|asked| asked == line);
    let (made, undone) = (place_of("POST /api/hook/subscribe/"), place_of("DELETE /api/hook/21/"));
    assert!(made.is_some() && made < undone, "{lines:#?}");
    assert_eq!(states(&place, &["list"], 0), ["there 24", "there 22", "there 23"]);
}

#[tokio::test]
async fn a_page_that_says_404_is_no_answer_about_a_webhook() {
    let bugfender = Bugfender::start();
    let place = place(&bugfender);
    stored(&place).await;
    assert_eq!(run(&place, &["subscribe"]).0, Some(0));
    let page = Told::text(404, "<!DOCTYPE html><html><title>Not found</title></html>");
    bugfender.server.always("/api/hook/", page.with("Content-Type", "text/html; charset=utf-8"));
    for command in ["subscribe", "list", "unsubscribe"] {
        assert_eq!(states(&place, &[command], 1).concat().matches("failed").count(), 3, "{command}");
        assert_eq!(place.ask::<i64>("SELECT count(*) FROM hooks WHERE hook <> ''"), 3, "{command}");
    }
    bugfender.server.recover();
    assert_eq!(states(&place, &["list"], 0), ["there 21", "there 22", "there 23"]);
    assert_eq!(ids(&bugfender), [21, 22, 23]);
}

#[tokio::test]
async fn one_that_only_seemed_to_be_gone_is_not_there_twice_in_the_end() {
    let bugfender = Bugfender::start();
    let place = place(&bugfender);
    stored(&place).await;
    assert_eq!(run(&place, &["subscribe"]).0, Some(0));
    bugfender.server.next("hook/22/", Told::json(404, &json!({"message": "not found"})));
    let (code, words) = run(&place, &["subscribe"]);
    assert_eq!(code, Some(0), "{words}");
    assert!(words.contains("webhook 22 was there after all, and is undone"), "{words}");
    assert_eq!(ids(&bugfender), [21, 23, 24]);
    // Where that cannot be made sure of, it is kept in mind.
    bugfender.server.next("hook/23/", Told::json(404, &json!({"message": "not found"})));
    for _ in 0..3 {
        bugfender.server.next("hook/23/", Told::text(500, ""));
    }
    let (code, words) = run(&place, &["subscribe"]);
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains("whether webhook 23 is gone for good could not be made sure of"), "{words}");
    assert_eq!(ids(&bugfender), [21, 23, 24, 25]);
    assert_eq!(run(&place, &["subscribe"]).0, Some(0));
    assert_eq!(ids(&bugfender).len(), 3);
    assert_eq!(place.ask::<i64>("SELECT count(*) FROM hooks"), 3);
}

fn refused(place: &Place, arguments: &[&str], expected: &[&str]) {
    let (code, words) = run(place, arguments);
    assert_eq!(code, Some(1), "{arguments:?}: {words}");
    for expected in expected {
        assert!(words.contains(expected), "{arguments:?}: {expected}: {words}");
    }
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused_in_a_sentence() {
    let bugfender = Bugfender::start();
    let place = place(&bugfender);
    refused(&place, &["subscribe"], &["there is no store at"]);
    assert_eq!(states(&place, &["list"], 0), ["not_subscribed "; 3]);
    stored(&place).await;
    refused(
        &place,
        &["subscribe", "--source", "mobil"],
        &["there is no source \"mobil\"", "did you mean \"mobile\"?"],
    );
    refused(&place, &["list", "--source", "backend"], &["takes webhooks of bugsnag", "its own dashboard"]);
    let app = (APP + 1).to_string();
    refused(&place, &["subscribe", "--app", &app], &["there is no application \"48214\"", "known: 48213"]);
    refused(&place, &["unsubscribe", "--app", &app], &["there is no application \"48214\""]);

    edit(&place, "public_url = ", "# public_url = ");
    refused(
        &place,
        &["subscribe"],
        &["`server.public_url` is not set", "such as \"https://bugle.example.com\""],
    );
    edit(&place, "# public_url = ", "public_url = ");
    edit(&place, "number = 48213", "id = \"5X3c4veRGV\"");
    refused(
        &place,
        &["subscribe"],
        &["write { number = …, id = \"5X3c4veRGV\" } into `sources.mobile.api.apps`"],
    );

    let without = Place::new();
    stored(&without).await;
    refused(&without, &["subscribe"], &["no source has Bugfender's API configured", "docs/CATCH_UP.md"]);
    refused(&without, &["list", "--source", "mobile"], &["\"mobile\" has no [sources.mobile.api]"]);
    assert_eq!(bugfender.server.asked().len(), 0, "nobody was asked anything");
}

#[tokio::test]
async fn a_kill_between_the_request_and_its_answer_leaves_one_webhook_that_is_known_and_a_word() {
    for is_served in [true, false] {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", silent.local_addr().unwrap());
        let place = place_at(&base, "token = \"bearer-0123456789\"");
        let bugle = begun(&place, is_served).await;
        let mut command = place.command(&["bugfender", "subscribe"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // The request has come: Bugfender may have made the webhook.
        let (mut stream, _) = silent.accept().unwrap();
        assert!(stream.read(&mut [0; 16]).unwrap() > 0);
        child.kill().unwrap();
        child.wait().unwrap();
        drop((stream, silent));

        let bugfender = Bugfender::start();
        bugfender.with(|known| known.tokens.push("bearer-0123456789".to_owned()));
        edit(&place, &base, &bugfender.server.base());
        assert_eq!(states(&place, &["list"], 1), ["may_be ", "not_subscribed ", "not_subscribed "]);
        let (code, words) = run(&place, &["subscribe"]);
        assert_eq!(code, Some(0), "{words}");
        let line = words.lines().find(|line| line.contains("new_crash")).unwrap();
        assert!(
            line.contains("subscribed, as webhook 21") && line.contains("there may be a second one"),
            "{words}"
        );
        assert_eq!(words.matches("there may be a second one").count(), 1, "{words}");
        assert_eq!(ids(&bugfender), [21, 22, 23]);
        assert_eq!(states(&place, &["subscribe"], 0), ["there 21", "there 22", "there 23"]);
        drop(bugle);
    }
}

#[tokio::test]
async fn what_cannot_be_remembered_is_not_made() {
    let bugfender = Bugfender::start();
    let place = place(&bugfender);
    stored(&place).await;
    // Somebody has the store who does not listen where orders are given.
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let bugle = place.serve();
    let admin = bugle.admin.clone();
    edit(&place, &admin, &other.local_addr().unwrap().to_string());
    drop(other);
    let output = place.command(&["bugfender", "subscribe"]).output().unwrap();
    let (code, words) = said(&output);
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains("where it would be asked; nothing was changed"), "{words}");
    assert_eq!(ids(&bugfender), [0_u64; 0], "what is not written down beforehand is not asked for");
}

#[tokio::test]
async fn what_was_made_and_cannot_be_remembered_is_undone_or_said_with_its_id() {
    for (undoes, expected) in
        [(200, "could not be remembered, and is undone"), (500, "unsubscribe --hook 77` undoes it")]
    {
        // While it is asked, somebody takes the store who cannot be asked to remember anything.
        let lock = Arc::new(Mutex::new(None::<(PathBuf, Option<File>)>));
        let of_server = Arc::clone(&lock);
        let bugfender = Server::start(move |asked| match asked.method.as_str() {
            "POST" => {
                if let Some((path, held)) = of_server.lock().unwrap().as_mut() {
                    let file = File::open(&*path).unwrap();
                    file.lock().unwrap();
                    *held = Some(file);
                }
                Told::json(201, &json!({"id": 77}))
            }
            "DELETE" => Told::text(undoes, ""),
            _ => Told::text(405, ""),
        });
        let place = place_at(&bugfender.base(), "token = \"bearer-0123456789\"");
        stored(&place).await;
        *lock.lock().unwrap() = Some((place.path("bugle.db.lock"), None));
        let (code, words) = run(&place, &["subscribe"]);
        assert_eq!(code, Some(1), "{words}");
        assert!(words.contains("the webhook 77 was made") && words.contains(expected), "{words}");
        assert_eq!(
            bugfender.lines().iter().filter(|line| line.starts_with("POST")).count(),
            1,
            "and no further"
        );
        *lock.lock().unwrap() = None;
        assert_eq!(states(&place, &["list"], 1), ["may_be ", "not_subscribed ", "not_subscribed "]);
    }
}

/// What happens between two commands, or to one.
const HAPPENINGS: [&str; 8] =
    ["subscribe", "--again", "unsubscribe", "gone", "down", "broken", "exchanged", "forbidden"];

/// Lets something happen.
fn happens(what: &str, step: usize, place: &Place, bugfender: &Bugfender) {
    let subscribe = |answer| {
        bugfender.server.next("hook/subscribe", answer);
        let (code, words) = run(place, &["subscribe"]);
        assert!(code == Some(0) || code == Some(1), "{words}");
        bugfender.server.recover();
    };
    match what {
        "subscribe" => assert_eq!(run(place, &["subscribe"]).0, Some(0)),
        "--again" => assert_eq!(run(place, &["subscribe", "--again"]).0, Some(0)),
        "unsubscribe" => assert_eq!(run(place, &["unsubscribe"]).0, Some(0)),
        "gone" => bugfender.with(|known| drop(known.hooks.pop())),
        "exchanged" => place.write("token", &format!("token-for-tests-number-{step}")),
        "down" => subscribe(Told::text(500, "")),
        "broken" => subscribe(Told::json(201, &json!({"id": 1})).breaking()),
        _ => subscribe(Told::json(403, &json!({}))),
    }
}

#[tokio::test]
async fn whatever_has_happened_one_more_command_leaves_one_webhook_of_each_kind() {
    // Four orders in which all of them happen: the steps are odd, so that none is left out.
    for start in 0..4 {
        let bugfender = Bugfender::start();
        let place = place(&bugfender);
        stored(&place).await;
        for step in 0..HAPPENINGS.len() {
            let what = HAPPENINGS[(start + step * (2 * start + 1)) % HAPPENINGS.len()];
            happens(what, step, &place, &bugfender);
        }
        assert_eq!(run(&place, &["subscribe"]).0, Some(0));
        let shown = states(&place, &["list"], 0);
        assert!(shown.len() == 3 && shown.iter().all(|state| state.starts_with("there ")), "{shown:?}");
        let mut events: Vec<_> =
            bugfender.with(|known| known.hooks.iter().map(|hook| hook.1.clone()).collect());
        events.sort();
        assert_eq!(events, ["new_crash", "new_issue_separate", "new_user_feedback"]);
        assert_eq!(place.ask::<i64>("SELECT count(*) FROM hooks"), 3);
    }
}
