//! `bugle doctor --post`: a drill, and only where it was asked for.

use bugle::pretend::{Answer, Behaviour, Pretend};
use serde_json::json;

use super::{TO_SLACK, ask, says, tidy_place};
use crate::bugle::{shown, visible};

#[test]
fn a_drill_is_posted_everywhere_and_says_that_it_is_one() {
    let (place, _) = tidy_place(TO_SLACK);
    let (code, report) = ask(&place, &["--post"]);
    assert_eq!(code, 0, "{report:#}");
    for chat in place.chats() {
        let name = chat.product().as_str();
        let [message] = &shown(chat)[..] else { panic!("{name} shows not one message") };
        let text = visible(message.json.as_ref().unwrap());
        assert!(
            text.contains("Test message from bugle") && text.contains("nobody needs to do anything"),
            "{text}"
        );
        assert!(text.contains(&format!("bugle doctor --post {name}")), "{text}");
        assert!(message.pings.is_empty());
        let help = if name == "teams" { "only the channel can tell" } else { "Look for" };
        says(&report, "destinations", name, "ok", "delivered", "");
        says(&report, "destinations", name, "ok", help, "");
    }
    assert!(!place.path("bugle.db").exists(), "a drill is nobody's event");
}

#[test]
fn only_those_that_are_named_get_one_and_their_answer_is_the_verdict() {
    let (place, _) = tidy_place(TO_SLACK);
    place.discord.always(Behaviour::Answer(Answer::json(
        404,
        &json!({ "code": 10015, "message": "Unknown Webhook" }),
    )));
    let (code, report) = ask(&place, &["--post", "discord", "slack"]);
    assert_eq!(code, 1, "{report:#}");
    says(&report, "destinations", "discord", "broken", "answered 404: 10015 Unknown Webhook", "Integrations");
    says(&report, "destinations", "slack", "ok", "delivered", "");
    says(&report, "destinations", "teams", "unknown", "nothing was ever sent", "send-test");
    assert_eq!(place.chats().map(Pretend::count), [1, 0, 1], "Slack, Teams, Discord");

    place.slack.always(Behaviour::Answer(Answer::text(429, "rate_limited").with("Retry-After", "90")));
    let (code, report) = ask(&place, &["--post", "slack"]);
    assert_eq!(code, 0, "{report:#}");
    says(&report, "destinations", "slack", "warning", "answered 429", "Try again in 1m 30s");
}

#[test]
fn a_name_that_is_none_is_said_before_anything_is_posted() {
    let (place, _) = tidy_place(TO_SLACK);
    let output = place.command(&["doctor", "--post", "slack", "discrd"]).output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(words.contains("did you mean \"discord\"?"), "{words}");
    assert!(place.chats().iter().all(|chat| chat.count() == 0));
}
