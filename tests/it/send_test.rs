//! `bugle send-test` against chats that take the message, refuse it, or do not answer at all.

use std::fs;
use std::process::Output;
use std::time::Duration;

use bugle::pretend::{Answer, Behaviour, Pretend};
use serde_json::{Value, json};

use crate::bugle::{Place, shown, visible};

/// Reads what can be read of `output`, and looks for a part of any webhook's address in it.
fn said(place: &Place, output: &Output) -> String {
    let all = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let all = all.concat();
    for chat in place.chats() {
        let url = chat.url();
        let secret = url.rsplit(['/', '=']).next().unwrap();
        assert!(!all.contains(secret) && !all.contains(&url), "{all}");
    }
    all
}

fn send(place: &Place, destination: &str) -> (Option<i32>, Value) {
    let output = place.command(&["send-test", destination, "--json"]).output().unwrap();
    let said = said(place, &output);
    let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{said}"));
    (output.status.code(), report)
}

/// A chat whose posts may take no more than a moment.
fn hasty_place() -> Place {
    let place = Place::with("", "");
    let config = fs::read_to_string(place.path("config.toml")).unwrap();
    place.write("config.toml", &config.replace("timeout = \"2s\"", "timeout = \"300ms\""));
    place
}

#[test]
fn each_platform_shows_the_message_and_pings_nobody() {
    let place = Place::new();
    for chat in place.chats() {
        let name = chat.product().as_str();
        let (code, report) = send(&place, name);
        assert_eq!(code, Some(0), "{report:#}");
        assert_eq!(
            (&report["destination"], &report["type"], &report["delivered"], &report["outcome"]),
            (&json!(name), &json!(name), &json!(true), &json!("delivered"))
        );
        let [message] = &shown(chat)[..] else { panic!("{name} shows not one message") };
        let text = visible(message.json.as_ref().unwrap());
        assert!(text.contains("Test message from bugle"), "{text}");
        assert!(text.contains("nobody needs to do anything") && text.contains(name), "{text}");
        assert_eq!(message.pings, Vec::<String>::new());
    }
    assert!(!place.path("bugle.db").exists(), "a test is nobody's event");
}

#[test]
fn every_field_of_the_json_is_documented() {
    let place = Place::new();
    let (_, report) = send(&place, "discord");
    let documented = include_str!("../../docs/INSTALL.md");
    for field in report.as_object().unwrap().keys() {
        assert!(documented.contains(&format!("`{field}`")), "{field} is not in docs/INSTALL.md");
    }
}

#[test]
fn a_person_reads_what_was_answered_and_what_to_do() {
    let place = Place::new();
    let output = place.command(&["send-test", "discord"]).output().unwrap();
    let words = said(&place, &output);
    assert!(words.contains("discord: delivered\n  answer: 200, posted\n"), "{words}");
    place.slack.always(Behaviour::Answer(Answer::text(404, "no_service")));
    let output = place.command(&["send-test", "slack"]).output().unwrap();
    let words = said(&place, &output);
    assert_eq!(output.status.code(), Some(1));
    assert!(words.contains("answer: 404, no_service\n"), "{words}");
    assert!(words.contains("Incoming Webhooks"), "{words}");
}

#[test]
fn each_refusal_is_told_for_what_it_is() {
    let answer = |status, text: &str| Behaviour::Answer(Answer::text(status, text));
    let wait = Behaviour::Answer(Answer::text(429, "rate_limited").with("Retry-After", "90"));
    let ban = Behaviour::Answer(Answer::text(429, "error code: 1015"));
    let elsewhere =
        Behaviour::Answer(Answer::empty(302).with("Location", "https://example.com/secret-place"));
    let no_sign_in =
        Answer::json(401, &json!({"error": {"code": "DirectApiAuthorizationRequired", "message": "no"}}));
    for (name, behaviour, outcome, reason, advice) in [
        ("slack", wait.clone(), "wait", "rate_limited", "Try again in 1m 30s"),
        ("teams", wait, "wait", "rate_limited", "Try again in 1m 30s"),
        ("discord", ban, "wait", "banned", "perhaps not all of it from bugle"),
        ("slack", answer(410, "channel_is_archived"), "gone", "channel_gone", "deleted or archived"),
        ("slack", answer(400, "invalid_payload"), "refused", "invalid_payload", "blocks = false"),
        ("slack", answer(403, "action_prohibited"), "gone", "misconfigured", "administrator"),
        ("teams", Behaviour::Answer(no_sign_in), "gone", "misconfigured", "Anyone"),
        ("teams", answer(404, ""), "gone", "webhook_gone", "Workflows"),
        ("discord", answer(404, "{\"code\": 10015}"), "gone", "webhook_gone", "Integrations"),
        ("discord", answer(400, "{\"code\": 240000}"), "refused", "blocked", "content filter"),
        ("slack", elsewhere, "passing", "redirected", "does not follow"),
        ("discord", answer(502, "<html>bad gateway</html>"), "passing", "server_error", "in a few minutes"),
        ("slack", answer(200, "<html>sign in</html>"), "unclear", "unreadable_answer", "sign-in page"),
        ("teams", Behaviour::Reset, "unclear", "broken", "if it is not there, try again"),
    ] {
        let place = hasty_place();
        let chat = place.chats().into_iter().find(|chat| chat.product().as_str() == name).unwrap();
        chat.always(behaviour);
        let (code, report) = send(&place, name);
        assert_eq!(code, Some(1), "{report:#}");
        assert_eq!((&report["outcome"], &report["reason"]), (&json!(outcome), &json!(reason)), "{report:#}");
        assert_eq!(report["delivered"], json!(false));
        assert!(report["advice"].as_str().unwrap().contains(advice), "{advice}: {report:#}");
        assert_eq!(report["wait_ms"].is_number(), outcome == "wait", "{report:#}");
        assert_eq!(chat.count(), 1, "nothing is repeated");
    }
}

#[test]
fn no_answer_and_nobody_there_are_two_things() {
    let mut place = hasty_place();
    place.slack.always(Behaviour::Hang);
    let (code, report) = send(&place, "slack");
    assert_eq!(
        (code, &report["outcome"], &report["reason"]),
        (Some(1), &json!("unclear"), &json!("timeout"))
    );
    assert_eq!(report["status"], Value::Null);
    Pretend::stop(&mut place.slack);
    let (code, report) = send(&place, "slack");
    assert_eq!(
        (code, &report["outcome"], &report["reason"]),
        (Some(1), &json!("passing"), &json!("connect"))
    );
    assert!(report["advice"].as_str().unwrap().contains("Nothing left this machine"), "{report:#}");
}

#[test]
fn a_server_that_only_takes_slacks_webhooks_gets_its_own_form() {
    let place = Place::with("", "");
    place.write("hook.url", &format!("http://{}/hooks/9yqtm3ho4ifnmxz5ckr1wjbn8e", place.slack.host()));
    place.configure(
        "",
        "[destinations.chat]\ntype = \"slack\"\nblocks = false\nurl = { file = \"hook.url\" }\n",
    );
    place.slack.always(Behaviour::Answer(Answer::json(200, &json!({"success": true}))));
    assert_eq!(send(&place, "chat").0, Some(0));
    let body = place.slack.received()[0].json.clone().unwrap();
    assert!(
        body.get("blocks").is_none() && body["text"].as_str().unwrap().contains("Test message"),
        "{body:#}"
    );
    place.slack.always(Behaviour::Answer(Answer::json(404, &json!({"message": "no such hook"}))));
    let (code, report) = send(&place, "chat");
    assert_eq!((code, &report["outcome"]), (Some(1), &json!("gone")));
    assert!(report["advice"].as_str().unwrap().contains("the chat server"), "{report:#}");
}

#[test]
fn a_forum_needs_a_thread_and_gets_one_where_that_is_configured() {
    let place = Place::with("", "");
    place.discord.forum(true);
    let (code, report) = send(&place, "discord");
    assert_eq!((code, &report["reason"]), (Some(1), &json!("misconfigured")));
    assert!(report["advice"].as_str().unwrap().contains("thread_name"), "{report:#}");
    let config = fs::read_to_string(place.path("config.toml")).unwrap();
    let forum = "type = \"discord\"\nthread_name = \"{{app.name}}\"";
    place.write("config.toml", &config.replace("type = \"discord\"", forum));
    assert_eq!(send(&place, "discord").0, Some(0));
}

#[test]
fn a_running_server_does_not_notice() {
    let place = Place::new();
    let bugle = place.serve();
    assert_eq!(send(&place, "teams").0, Some(0));
    assert_eq!(place.ask::<i64>("SELECT count(*) FROM deliveries"), 0);
    drop(bugle);
}

#[test]
fn what_cannot_be_sent_is_said_before_anything_is() {
    let place = Place::new();
    for arguments in [&["send-test", "discrd"][..], &["doctor", "--post", "slack", "discrd"]] {
        let output = place.command(arguments).output().unwrap();
        let words = said(&place, &output);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{words}");
        assert!(words.contains("did you mean \"discord\"?") && words.contains("teams"), "{words}");
    }

    fs::remove_file(place.path("slack.url")).unwrap();
    let output = place.command(&["send-test", "discord"]).output().unwrap();
    let words = said(&place, &output);
    assert_eq!(output.status.code(), Some(78));
    assert!(output.stdout.is_empty() && words.contains("slack.url"), "{words}");
    let (code, report) = send(&place, "discord");
    assert_eq!((code, &report["ok"]), (Some(78), &json!(false)));
    assert!(place.chats().iter().all(|chat| chat.count() == 0));
}

#[test]
fn a_slow_platform_is_waited_for() {
    let place = Place::new();
    place.slack.always(Behaviour::Late(Duration::from_millis(700)));
    let (code, report) = send(&place, "slack");
    assert_eq!(code, Some(0));
    assert!(report["duration_ms"].as_u64().unwrap() >= 700, "{report:#}");
}
