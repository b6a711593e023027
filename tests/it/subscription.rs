//! `bugle bugfender`: webhooks made, looked at, made again and undone at a pretend Bugfender, by the commands alone.

mod served;
mod trouble;
mod watch;

use std::fs;
use std::net::TcpListener;
use std::process::{Output, Stdio};

use nix::sys::signal::Signal;
use reqwest::Method;
use serde_json::{Value, json};

use crate::apis::bugfender::{APP, Bugfender, CLIENT, SECRET};
use crate::apis::server::Told;
use crate::bugle::{Bugle, Place, TOKEN};

const EVENTS: [(&str, &str); 3] =
    [("new_crash", "crash"), ("new_issue_separate", "issue"), ("new_user_feedback", "feedback")];

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A place whose Bugfender is `base`, and which is reached by the address that it listens on.
fn place_at(base: &str, credentials: &str) -> Place {
    let port = free_port();
    let rules = format!(
        "[sources.mobile.api]\nurl = \"{base}\"\n{credentials}\napps = [{{ number = {APP}, name = \"Harbor Companion\" }}]\n\
         [[rules]]\nname = \"all\"\nsend_to = \"slack\"\n"
    );
    let place = Place::with(&format!("public_url = \"http://127.0.0.1:{port}\""), &rules);
    place.write("client.secret", SECRET);
    edit(&place, "listen = \"127.0.0.1:0\"", &format!("listen = \"127.0.0.1:{port}\""));
    edit(&place, "listen = \"127.0.0.1:0\"", &format!("listen = \"127.0.0.1:{}\"", free_port()));
    place
}

fn place(bugfender: &Bugfender) -> Place {
    let credentials = format!("client_id = \"{CLIENT}\"\nclient_secret = {{ file = \"client.secret\" }}");
    place_at(&bugfender.server.base(), &credentials)
}

fn edit(place: &Place, from: &str, to: &str) {
    let config = fs::read_to_string(place.path("config.toml")).unwrap();
    assert!(config.contains(from), "{from}");
    place.write("config.toml", &config.replacen(from, to, 1));
}

/// What `bugle bugfender` with `arguments` writes, and its exit code. No secret is in it.
fn run(place: &Place, arguments: &[&str]) -> (Option<i32>, String) {
    let output = place.command(&[&["bugfender"], arguments].concat()).output().unwrap();
    said(&output)
}

fn said(Output { status, stdout, stderr }: &Output) -> (Option<i32>, String) {
    let words = String::from_utf8([&stdout[..], &stderr[..]].concat()).unwrap();
    for secret in [TOKEN, SECRET, CLIENT, "token-number-"] {
        assert!(!words.contains(secret), "{secret}: {words}");
    }
    (status.code(), words)
}

/// The states that it says with `--json`, each with its webhook's id.
fn states(place: &Place, arguments: &[&str], code: i32) -> Vec<String> {
    let (found, words) = run(place, &[arguments, &["--json"]].concat());
    assert_eq!(found, Some(code), "{arguments:?}: {words}");
    let shown: Value = serde_json::from_str(&words).unwrap_or_else(|error| panic!("{error}: {words}"));
    let text = |hook: &Value, key: &str| hook[key].as_str().unwrap().to_owned();
    let hooks = shown["hooks"].as_array().unwrap();
    hooks.iter().map(|hook| format!("{} {}", text(hook, "state"), text(hook, "hook"))).collect()
}

/// Makes the store, as a server that ran once has.
async fn stored(place: &Place) {
    let mut bugle = place.serve();
    bugle.signal(Signal::SIGTERM);
    assert!(bugle.end().await.success());
}

/// A server that runs, or one that has run.
async fn begun(place: &Place, is_served: bool) -> Option<Bugle> {
    if is_served {
        return Some(place.serve());
    }
    stored(place).await;
    None
}

fn ids(bugfender: &Bugfender) -> Vec<u64> {
    bugfender.with(|known| known.hooks.iter().map(|(id, ..)| *id).collect())
}

#[tokio::test]
async fn webhooks_are_made_listed_found_missing_made_again_and_undone() {
    for is_served in [true, false] {
        let bugfender = Bugfender::start();
        let place = place(&bugfender);
        let _bugle = begun(&place, is_served).await;
        assert_eq!(states(&place, &["list"], 0), ["not_subscribed "; 3]);

        let (code, words) = run(&place, &["subscribe"]);
        assert_eq!(code, Some(0), "{words}");
        for ((event, _), id) in EVENTS.iter().zip(21..) {
            let line = format!("mobile: Harbor Companion {event}: subscribed, as webhook {id}\n");
            assert!(words.contains(&line), "{words}");
        }
        let hooks = bugfender.with(|known| known.hooks.clone());
        for ((event, kind), (_, made, target, app)) in EVENTS.iter().zip(&hooks) {
            assert_eq!((made.as_str(), *app), (*event, APP));
            assert!(target.ends_with(&format!("/hooks/mobile/{TOKEN}?type={kind}")), "{target}");
        }
        let marks: String = place.ask("SELECT group_concat(hex(target)) FROM hooks");
        assert_eq!(marks.len(), 3 * 64 + 2, "of the address a digest is kept: {marks}");

        // Once more makes nothing.
        assert_eq!(states(&place, &["subscribe"], 0), ["there 21", "there 22", "there 23"]);
        assert_eq!(states(&place, &["list"], 0), ["there 21", "there 22", "there 23"]);
        assert_eq!(ids(&bugfender), [21, 22, 23]);

        // One is gone.
        bugfender.with(|known| known.hooks.remove(0));
        assert_eq!(states(&place, &["list"], 1), ["gone 21", "there 22", "there 23"]);
        let doctor = place.command(&["doctor"]).output().unwrap();
        let (_, doctor) = said(&doctor);
        assert!(doctor.contains("mobile, webhooks: new_crash of Harbor Companion is gone"), "{doctor}");
        assert!(doctor.contains("`bugle bugfender subscribe` makes it again"), "{doctor}");
        assert!(doctor.contains("2 webhooks that bugle has subscribed: there"), "{doctor}");
        assert!(doctor.contains("nothing has ever come through it"), "{doctor}");
        assert!(doctor.contains("`bugle bugfender list` says whether the webhooks"), "{doctor}");
        assert!(!doctor.contains("into Bugfender"), "there is nothing to paste: {doctor}");
        let (code, words) = run(&place, &["subscribe"]);
        assert_eq!(code, Some(0), "{words}");
        assert!(words.contains("new_crash: was gone, and is subscribed again, as webhook 24"), "{words}");
        assert_eq!(ids(&bugfender), [22, 23, 24]);

        // All of it is undone, and once more is nothing to do.
        let words = states(&place, &["unsubscribe"], 0);
        assert_eq!(words, ["undone 24", "undone 22", "undone 23"]);
        assert_eq!(ids(&bugfender), [0_u64; 0]);
        assert_eq!(states(&place, &["unsubscribe"], 0), [""; 0]);
        assert_eq!(place.ask::<i64>("SELECT count(*) FROM hooks"), 0);
    }
}

#[tokio::test]
async fn what_bugfender_then_sends_in_its_older_format_is_told_apart() {
    let bugfender = Bugfender::start();
    let place = place(&bugfender);
    let bugle = place.serve();
    assert_eq!(run(&place, &["subscribe"]).0, Some(0));
    let hooks = bugfender.with(|known| known.hooks.clone());
    let body = include_str!("../fixtures/bugfender/legacy_issue.json");
    for ((.., target, _), id) in hooks.iter().zip(9_000_001..) {
        let mut items: Value = serde_json::from_str(body).unwrap();
        items[0]["id"] = json!(id);
        let path = target.strip_prefix(&bugle.url("")).unwrap_or_else(|| panic!("{target}"));
        let answer = bugle.request(Method::POST, path).body(items.to_string()).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }
    place.until("SELECT group_concat(trigger, ' ' ORDER BY id) FROM events", "crash issue feedback").await;
}

#[tokio::test]
async fn a_token_of_any_characters_opens_by_the_address_that_is_subscribed() {
    let bugfender = Bugfender::start();
    let place = place(&bugfender);
    place.write("token", "a b/c?d#e%f+g%2Fh;i&j=k\\\"~.é/");
    let bugle = place.serve();
    assert_eq!(run(&place, &["subscribe"]).0, Some(0));
    let target = bugfender.with(|known| known.hooks[0].2.clone());
    let url = url::Url::parse(&target).unwrap();
    assert_eq!(
        (url.query(), url.fragment(), url.path_segments().unwrap().count()),
        (Some("type=crash"), None, 3)
    );
    let body = include_str!("../fixtures/bugfender/legacy_issue.json");
    let path = target.strip_prefix(&bugle.url("")).unwrap_or_else(|| panic!("{target}"));
    let answer = bugle.request(Method::POST, path).body(body).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{path}");
}

#[tokio::test]
async fn a_changed_address_is_subscribed_anew_before_the_one_before_is_undone() {
    let bugfender = Bugfender::start();
    let place = place(&bugfender);
    stored(&place).await;
    assert_eq!(run(&place, &["subscribe"]).0, Some(0));
    let exchanged = "another-token-for-tests-0123456789";
    place.write("token", exchanged);
    assert_eq!(states(&place, &["list"], 1), ["outdated 21", "outdated 22", "outdated 23"]);
    let before = bugfender.server.asked().len();
    let (code, words) = run(&place, &["subscribe"]);
    assert_eq!(code, Some(0), "{words}");
    assert!(words.contains("subscribed, as webhook 24; webhook 21, the one before, is undone"), "{words}");
    assert!(!words.contains(exchanged), "{words}");
    let asked = bugfender.server.asked().split_off(before);
    let place_of =
        |method: &str| asked.iter().position(|asked| asked.method == method && asked.path.contains("hook"));
    assert!(place_of("POST") < place_of("DELETE"), "{asked:#?}");
    assert_eq!(ids(&bugfender), [24, 25, 26]);
    assert!(bugfender.with(|known| known.hooks.iter().all(|(_, _, target, _)| target.contains(exchanged))));
    assert_eq!(states(&place, &["list"], 0), ["there 24", "there 25", "there 26"]);

    // Where the one before cannot be undone, that is said, kept in mind, and done the next time.
    place.write("token", TOKEN);
    for id in ["hook/24/", "hook/24/", "hook/24/"] {
        bugfender.server.next(id, Told::text(500, ""));
    }
    let (code, words) = run(&place, &["subscribe", "--app", &APP.to_string()]);
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains("webhook 24, the one before, could not be undone"), "{words}");
    assert_eq!(ids(&bugfender), [24, 27, 28, 29]);
    bugfender.server.recover();
    assert_eq!(run(&place, &["subscribe"]).0, Some(0));
    assert_eq!(ids(&bugfender), [27, 28, 29]);
}

#[tokio::test]
async fn a_bugfender_that_does_not_tell_of_webhooks_is_believed_in_nothing() {
    let bugfender = Bugfender::start();
    bugfender.with(|known| known.tells_no_hooks = true);
    let place = place(&bugfender);
    stored(&place).await;
    assert_eq!(run(&place, &["subscribe"]).0, Some(0));
    let (code, words) = run(&place, &["list"]);
    assert_eq!(code, Some(0), "{words}");
    assert_eq!(words.matches("whether it is there cannot be told").count(), 3, "{words}");
    assert_eq!(words.matches("subscribe --again").count(), 3, "{words}");
    assert_eq!(states(&place, &["subscribe"], 0), ["untold 21", "untold 22", "untold 23"]);
    let again = states(&place, &["subscribe", "--again"], 0);
    assert_eq!(again, ["subscribed 24", "subscribed 25", "subscribed 26"]);
    assert_eq!(ids(&bugfender), [24, 25, 26]);
    // One that answers 404 whether a webhook is there or not has not found the one that was just made, either.
    bugfender.with(|known| {
        known.tells_no_hooks = false;
        known.hooks.clear();
    });
    assert_eq!(states(&place, &["list"], 0), ["untold 24", "untold 25", "untold 26"]);
    assert_eq!(states(&place, &["subscribe"], 0), ["untold 24", "untold 25", "untold 26"]);
}

#[tokio::test]
async fn two_commands_at_once_make_one_webhook_of_each_kind() {
    for is_served in [true, false] {
        let bugfender = Bugfender::start();
        let place = place(&bugfender);
        let _bugle = begun(&place, is_served).await;
        let begin = || {
            let mut command = place.command(&["bugfender", "subscribe"]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            command.spawn().unwrap()
        };
        let both = [begin(), begin(), begin()];
        let words = both.map(|child| {
            let (code, words) = said(&child.wait_with_output().unwrap());
            assert_eq!(code, Some(0), "{words}");
            words
        });
        assert_eq!(ids(&bugfender), [21, 22, 23], "{words:#?}");
        assert_eq!(words.concat().matches("is subscribed already").count(), 6, "{words:#?}");
    }
}

#[tokio::test]
async fn programs_are_told_which_application_and_which_webhook_failures_too() {
    let bugfender = Bugfender::start();
    let place = place(&bugfender);
    stored(&place).await;
    let shown = |arguments: &[&str]| {
        let (_, words) = run(&place, &[arguments, &["--json"]].concat());
        let shown: Value = serde_json::from_str(&words).unwrap_or_else(|error| panic!("{error}: {words}"));
        shown["hooks"].as_array().unwrap().clone()
    };
    // Nothing is known of one that was never made.
    let unknown = &shown(&["list"])[0];
    assert_eq!(unknown["app"], "Harbor Companion");
    assert_eq!((&unknown["number"], &unknown["id"]), (&json!(APP), &Value::Null), "{unknown}");
    assert_eq!((&unknown["hook"], &unknown["since"]), (&json!(""), &Value::Null), "{unknown}");
    assert_eq!(run(&place, &["subscribe"]).0, Some(0));
    let listed = shown(&["list"]);

    // It is there and Bugfender cannot be asked; it is gone and another cannot be made; the address has changed besides.
    let expect_known = |hooks: &[Value], words: &str| {
        for (hook, listed) in hooks.iter().zip(&listed) {
            assert_eq!(hook["state"], "failed", "{hook}");
            assert!(hook["words"].as_str().unwrap().contains(words), "{words}: {hook}");
            for key in ["app", "number", "id", "event", "hook", "since"] {
                assert_eq!(hook[key], listed[key], "{key}: {hook}");
            }
        }
        assert_eq!(hooks.len(), 3);
    };
    assert!(listed[0]["since"].is_string() && listed[0]["hook"] == "21", "{listed:#?}");
    bugfender.server.always("/api/hook/2", Told::json(403, &json!({"message": "no"})));
    for arguments in [&["list"], &["subscribe"], &["unsubscribe"]] {
        expect_known(&shown(arguments), "no right to that");
    }
    bugfender.server.recover();
    bugfender.server.always("hook/subscribe", Told::json(403, &json!({"message": "no"})));
    place.write("token", "another-token-for-tests-0123456789");
    expect_known(&shown(&["subscribe"]), "no right to that");
    place.write("token", TOKEN);
    bugfender.with(|known| known.hooks.clear());
    expect_known(&shown(&["subscribe"]), "is gone, and none is in its place");

    // One that has left the configuration, and one that nobody knows.
    edit(&place, &format!("number = {APP}"), "number = 7, id = \"5X3c4veRGV\"");
    let left = shown(&["list"]);
    let of = |hook: &Value| (hook["number"].clone(), hook["id"].clone());
    assert_eq!(of(&left[0]), (json!(7), json!("5X3c4veRGV")), "{left:#?}");
    assert_eq!(of(&left[3]), (json!(APP), Value::Null), "{left:#?}");
    let stranger = &shown(&["unsubscribe", "--hook", "99"])[0];
    assert_eq!(of(stranger), (Value::Null, Value::Null), "{stranger}");
}

#[tokio::test]
async fn one_application_or_one_webhook_can_be_meant_alone() {
    let bugfender = Bugfender::start();
    let place = place(&bugfender);
    stored(&place).await;
    assert_eq!(run(&place, &["subscribe", "--source", "mobile", "--app", "Harbor Companion"]).0, Some(0));
    assert_eq!(states(&place, &["unsubscribe", "--hook", "22"], 0), ["undone 22"]);
    assert_eq!(ids(&bugfender), [21, 23]);
    // One that bugle does not remember.
    let stranger = (99, "new_crash".to_owned(), "https://elsewhere.example".to_owned(), APP);
    bugfender.with(|known| known.hooks.push(stranger));
    assert_eq!(states(&place, &["unsubscribe"], 0), ["undone 21", "undone 23"]);
    assert_eq!(ids(&bugfender), [99], "what bugle has not made stays");
    assert_eq!(states(&place, &["unsubscribe", "--hook", "99"], 0), ["undone 99"]);
    assert_eq!(ids(&bugfender), [0_u64; 0]);
    // One that is gone already is as good as undone.
    assert_eq!(run(&place, &["subscribe"]).0, Some(0));
    bugfender.with(|known| known.hooks.clear());
    let (code, words) = run(&place, &["unsubscribe"]);
    assert_eq!((code, words.matches("was gone already").count()), (Some(0), 3), "{words}");
}

#[tokio::test]
async fn every_field_and_every_state_of_the_json_is_documented() {
    let bugfender = Bugfender::start();
    let place = place(&bugfender);
    let (code, words) = run(&place, &["list", "--json"]);
    assert_eq!(code, Some(0));
    let shown: Value = serde_json::from_str(&words).unwrap();
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/OPERATIONS.md")).unwrap();
    let chapter = page.split("## Webhooks at Bugfender\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let code =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/command/bugfender/line.rs")).unwrap();
    let word = regex::Regex::new(r#"Self::[A-Za-z]+ => "([a-z_]+)""#).unwrap();
    let states: Vec<_> = word.captures_iter(&code).map(|found| found[1].to_owned()).collect();
    assert!(states.len() == 9, "{states:?}");
    let fields = shown["hooks"][0].as_object().unwrap().keys().cloned();
    for name in fields.chain(["hooks".to_owned()]).chain(states) {
        assert!(chapter.contains(&format!("`{name}`")), "{name} is not in docs/OPERATIONS.md");
    }
}
