//! What is made of a platform's answer, of the store's memory, and of the time that others have.

use super::*;
use crate::config::{Environment, Secrets, load};
use crate::destination::{Reply, platform};
use crate::outbox::StandingRecord;

/// The destinations of a configuration with one of each platform, on the platforms' own hosts and on another.
fn rooms() -> Vec<Destination> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    let text = r#"
        default_destination = "team"
        [sources.a]
        type = "bugsnag"
        tokens = ["a-token-for-tests-0123456789"]
        [destinations.team]
        type = "slack"
        url = "https://hooks.slack.com/services/T012AB3CD/B012AB3CD/XyZ0123456789abcdefghijk"
        [destinations.gov]
        type = "slack"
        url = "https://hooks.slack-gov.com/services/T012AB3CD/B012AB3CD/XyZ0123456789abcdefghijk"
        [destinations.oncall]
        type = "discord"
        url = "https://discord.com/api/webhooks/123456789012345678/AbCdEfGhIjKlMnOpQrStUvWxYz0123456789"
        [destinations.office]
        type = "teams"
        url = "https://x.environment.api.powerplatform.com/workflows/9/triggers/manual/paths/invoke?sig=Se-Cret_42"
        [destinations.chat]
        type = "slack"
        blocks = false
        url = "https://hooks.slack.com/services/T012AB3CD/B012AB3CD/XyZ0123456789abcdefghijk"
        [destinations.trigger]
        type = "slack"
        url = "https://hooks.slack.com/triggers/T012AB3CD/1/XyZ0123456789abcdefghijk"
        allowed_hosts = ["hooks.slack.com"]
        [destinations.elsewhere]
        type = "discord"
        url = "https://chat.example.com/api/webhooks/1/AbCdEfGhIjKlMnOpQrStUvWxYz0123456789"
        allowed_hosts = ["chat.example.com"]
        [destinations.plain]
        type = "discord"
        url = "http://discord.com/api/webhooks/1/AbCdEfGhIjKlMnOpQrStUvWxYz0123456789"
        allowed_hosts = ["discord.com"]
    "#;
    std::fs::write(&path, text).unwrap();
    let loaded = load(&path, &Environment::default(), Secrets::Resolve)
        .unwrap_or_else(|problems| panic!("{problems}"));
    loaded.settings.destinations
}

fn room(name: &str) -> Destination {
    rooms().into_iter().find(|room| room.name.as_str() == name).unwrap()
}

fn answered(name: &str, status: u16, body: &str) -> Check {
    let room = room(name);
    let headers = vec![("retry-after".to_owned(), "90".to_owned())];
    let reply = Reply { status, headers, body: body.to_owned(), complete: true, at: Moment(0) };
    probed(&room, room.platform.judge_probe(&reply))
}

/// A line of the transcript in `docs/OPERATIONS.md`.
fn is_documented(check: &Check) {
    let page = include_str!("../../../../docs/OPERATIONS.md");
    let line = format!("  {:<8} {}: {}\n", check.health.as_str(), check.about, check.words);
    let help = check.help.as_ref().map(|help| format!("           → {help}\n")).unwrap_or_default();
    assert!(page.contains(&(line.clone() + &help)), "{line}{help}");
}

#[test]
fn only_a_webhook_on_a_platforms_own_host_is_asked() {
    let mut asked: Vec<_> =
        rooms().iter().filter(|room| room.probe().is_some()).map(|room| room.name.to_string()).collect();
    asked.sort();
    assert_eq!(asked, ["gov", "oncall", "team"]);
    assert!(platform("teams", serde_json::json!({})).unwrap().unwrap().probe().is_none());
}

#[test]
fn each_answer_is_a_verdict_with_something_to_do() {
    let webhook = r#"{"id":"123456789012345678","name":"bugle","channel_id":"199737254929760256","token":"AbCdEfGhIjKlMnOpQrStUvWxYz0123456789"}"#;
    for (name, status, body, health, words, help) in [
        ("team", 400, "no_text", Health::Ok, "its webhook is there", ""),
        ("team", 200, "ok", Health::Warning, "has taken an empty message", "look into the channel"),
        (
            "team",
            410,
            "channel_is_archived",
            Health::Broken,
            "answered 410: channel_is_archived",
            "Choose another",
        ),
        ("team", 404, "no_service", Health::Broken, "answered 404: no_service", "Make a new one"),
        ("team", 403, "action_prohibited", Health::Broken, "action_prohibited", "administrator"),
        ("team", 429, "rate_limited", Health::Unknown, "rate_limited", "Try again in 1m 30s"),
        ("team", 400, "something_new", Health::Unknown, "something_new", "a webhook for"),
        ("team", 503, "", Health::Unknown, "answered 503 without a word", "trouble is Slack's own"),
        ("team", 302, "", Health::Broken, "a redirect", "does not follow"),
        ("team", 200, "<html>sign in</html>", Health::Broken, "neither yes nor no", "sign-in page"),
        ("oncall", 200, webhook, Health::Ok, "the webhook \"bugle\" of channel 199737254929760256", ""),
        (
            "oncall",
            404,
            r#"{"code":10015,"message":"Unknown Webhook"}"#,
            Health::Broken,
            "10015 Unknown Webhook",
            "Integrations",
        ),
        (
            "oncall",
            401,
            r#"{"code":50027,"message":"Invalid Webhook Token"}"#,
            Health::Broken,
            "50027",
            "not complete",
        ),
        (
            "oncall",
            403,
            r#"{"code":40333,"message":"internal network error"}"#,
            Health::Broken,
            "40333",
            "shut this machine",
        ),
        ("oncall", 429, "error code: 1015", Health::Unknown, "1015", "this machine's address"),
    ] {
        let check = answered(name, status, body);
        assert_eq!(check.health, health, "{check:?}");
        assert!(
            check.words.contains(words) && check.help.clone().unwrap_or_default().contains(help),
            "{check:?}"
        );
        assert!(!format!("{check:?}").contains("AbCdEf"), "{check:?}");
    }
    is_documented(&answered("team", 410, "channel_is_archived"));
    is_documented(&answered("oncall", 200, webhook));
}

#[test]
fn no_answer_is_a_verdict_too() {
    for (outcome, reason, health) in [
        (Outcome::Passing, Reason::Connect, Health::Broken),
        (Outcome::Unclear, Reason::Timeout, Health::Unknown),
        (Outcome::Unclear, Reason::Broken, Health::Unknown),
        (Outcome::Refused, Reason::Internal, Health::Broken),
    ] {
        let check = probed(&room("team"), Probed::Not(Verdict::new(outcome, reason, "words")));
        assert_eq!(check.health, health, "{check:?}");
        assert!(!check.help.unwrap().is_empty());
    }
}

#[test]
fn a_clock_is_wrong_only_if_no_platform_agrees_with_it() {
    let told = |theirs: i64, ours: i64| Told { theirs: Moment(theirs * 1_000), ours: Moment(ours * 1_000) };
    assert_eq!(compare(&[]), None);
    for (all, health, words) in [
        (vec![told(100, 100)], Health::Ok, "that of 1 webhook"),
        (vec![told(100, 160)], Health::Ok, "agrees"),
        (vec![told(100, 161)], Health::Warning, "61 s ahead"),
        (vec![told(1_000, 0), told(1_001, 0)], Health::Warning, "1000 s behind"),
        (vec![told(1_000, 0), told(5, 0)], Health::Ok, "that of 2 webhooks"),
    ] {
        let check = compare(&all).unwrap();
        assert_eq!((check.health, check.part), (health, Part::Clock), "{check:?}");
        assert!(check.words.contains(words), "{check:?}");
    }
    is_documented(&compare(&[told(0, 0), told(0, 0)]).unwrap());
}

#[test]
fn what_has_waited_long_without_a_reason_is_worth_a_word() {
    let now = Moment(10_000_000);
    let queue = |oldest: i64| QueueRecord {
        destination: "team".to_owned(),
        configured: true,
        waiting: 2,
        queued: 2,
        oldest: Some(Moment(oldest)),
        due_at: Some(Moment(0)),
        standing: StandingRecord::default(),
        ..QueueRecord::default()
    };
    assert_eq!(standing(&queue(9_900_000), true, now).health, Health::Ok);
    let late = standing(&queue(9_000_000), true, now);
    assert_eq!(late.health, Health::Warning);
    assert!(late.words.starts_with("2 messages wait, the oldest since 1970"), "{late:?}");
    assert_eq!(
        standing(&queue(9_000_000), false, now).health,
        Health::Ok,
        "nobody serves, which is said elsewhere"
    );
}
