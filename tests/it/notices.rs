//! What bugle says of itself, in the chat where people read it.

use std::fs;
use std::time::Duration;

use bugle::pretend::{Answer, Behaviour, Pretend, Product};
use nix::sys::signal::Signal;
use reqwest::Method;
use serde_json::json;

use crate::bugle::{Bugle, PATIENCE, Place, TOKEN, answer, bugsnag, shown, visible, wait_shown};

const TO_SLACK: &str = "[[rules]]\nname = \"all\"\nsend_to = \"slack\"\n";
const GONE: &str = "The destination \"slack\" is gone";

/// A place where notices go to `name`.
fn place(name: &str, rules: &str) -> Place {
    let place = Place::with("", rules);
    edit(&place, "\n[server]", &format!("notices_to = \"{name}\"\n[server]"));
    place
}

fn edit(place: &Place, from: &str, to: &str) {
    let config = fs::read_to_string(place.path("config.toml")).unwrap();
    assert!(config.contains(from), "{from}");
    place.write("config.toml", &config.replacen(from, to, 1));
}

/// What people see of all that `chat` shows, once there are `count` messages.
async fn seen(chat: &Pretend, count: usize) -> Vec<String> {
    let messages = wait_shown(chat, count).await;
    assert_eq!(messages.len(), count);
    messages.iter().map(|message| visible(message.json.as_ref().unwrap())).collect()
}

fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part}: {text}");
    }
}

/// Stops bugle, which stores what was noticed until then.
async fn stop(mut bugle: Bugle) {
    bugle.signal(Signal::SIGTERM);
    assert!(bugle.end().await.success());
}

/// How many notices there are of the kind `trigger`.
fn count(place: &Place, trigger: &str) -> i64 {
    place.ask(&format!("SELECT count(*) FROM events WHERE source = 'bugle' AND trigger = '{trigger}'"))
}

async fn post(bugle: &Bugle, id: &str) -> String {
    bugle.accept("backend", bugsnag(id, json!({}))).await.remove(0)
}

async fn knock(bugle: &Bugle, token: &str) -> u16 {
    let path = format!("/hooks/backend/{token}");
    answer(bugle.request(Method::POST, &path).body(bugsnag(token, json!({})))).await.0
}

#[tokio::test]
async fn a_gone_destination_is_told_of_once_across_restarts() {
    let place = place("discord", TO_SLACK);
    place.slack.always(Behaviour::Answer(Answer::text(404, "no_service")));
    let bugle = place.serve();
    post(&bugle, "one").await;
    let text = seen(&place.discord, 1).await.remove(0);
    has(
        &text,
        &[GONE, "no_service", "one message waits for it", "destinations.slack.url", "bugle about itself"],
    );
    stop(bugle).await;
    // As if its address had been mended and had gone again: it is newly gone, within the hour.
    let store = rusqlite::Connection::open(place.path("bugle.db")).unwrap();
    store.execute("UPDATE destinations SET gone_since = NULL, rests_until = NULL", []).unwrap();
    let bugle = place.serve();
    place.until("SELECT count(*) FROM destinations WHERE gone_since IS NOT NULL", "1").await;
    stop(bugle).await;
    assert_eq!(count(&place, "destinationGone"), 1);
    assert_eq!(place.ask::<i64>("SELECT count(*) FROM deliveries WHERE state = 'waiting'"), 1);
}

#[tokio::test]
async fn a_destination_that_nobody_was_told_is_gone_is_told_of_at_the_start_and_once() {
    let mut place = place("discord", TO_SLACK);
    place.slack.always(Behaviour::Answer(Answer::text(404, "no_service")));
    let bugle = place.serve();
    post(&bugle, "one").await;
    seen(&place.discord, 1).await;
    stop(bugle).await;
    let forget = || {
        let store = rusqlite::Connection::open(place.path("bugle.db")).unwrap();
        let of_notices =
            "DELETE FROM identities WHERE event IN (SELECT id FROM events WHERE source = 'bugle')";
        assert_eq!(store.execute(of_notices, []).unwrap(), 1);
    };
    // As if it had been killed between the answer and the notice.
    forget();
    for _ in 0..2 {
        let bugle = place.serve();
        has(&seen(&place.discord, 2).await[1], &[GONE, "no_service", "one message waits for it"]);
        stop(bugle).await;
        assert_eq!(count(&place, "destinationGone"), 2);
    }
    // What has a new address is not gone any more.
    forget();
    place.slack = Pretend::start(Product::Slack).unwrap();
    place.write("slack.url", &place.slack.url());
    let hosts = fs::read_to_string(place.path("config.toml")).unwrap();
    let hosts = hosts.replace("allowed_hosts = [", &format!("allowed_hosts = [\"{}\", ", place.slack.host()));
    place.write("config.toml", &hosts);
    let bugle = place.serve();
    wait_shown(&place.slack, 1).await;
    stop(bugle).await;
    assert_eq!(count(&place, "destinationGone"), 2);
}

#[tokio::test]
async fn what_an_attempt_shows_that_ends_after_the_stop_was_asked_for_is_told() {
    for (status, words, trigger) in
        [(404, "no_service", "destinationGone"), (400, "user_not_found", "deadLetter")]
    {
        let place = place("discord", TO_SLACK);
        let answer = Answer::text(status, words).after(Duration::from_secs(1));
        place.slack.always(Behaviour::Answer(answer));
        let bugle = place.serve();
        post(&bugle, "one").await;
        place.slack.wait_for(1, PATIENCE).await.unwrap();
        stop(bugle).await;
        assert_eq!(count(&place, trigger), 1);
    }
}

#[tokio::test]
async fn a_dead_letter_is_told_of_with_the_platforms_words_and_the_events_id() {
    let place = place("teams", TO_SLACK);
    place.slack.always(Behaviour::Answer(Answer::text(400, "user_not_found")));
    let bugle = place.serve();
    let id = post(&bugle, "one").await;
    let text = seen(&place.teams, 1).await.remove(0);
    has(
        &text,
        &[
            "A message to \"slack\" could not be delivered",
            "user_not_found",
            &format!("#{id}"),
            "misconfigured",
        ],
    );
    post(&bugle, "two").await;
    place.until("SELECT count(*) FROM deliveries WHERE state = 'dead'", "2").await;
    stop(bugle).await;
    assert_eq!(count(&place, "deadLetter"), 1, "the second is told of when the hour is over");
}

#[tokio::test]
async fn a_notice_that_cannot_be_delivered_is_no_reason_for_another() {
    let place = place("discord", TO_SLACK);
    place.slack.always(Behaviour::Answer(Answer::text(404, "no_service")));
    let refused = json!({"code": 240_000, "message": "Message blocked by harmful links filter"});
    place.discord.always(Behaviour::Answer(Answer::json(400, &refused)));
    let bugle = place.serve();
    post(&bugle, "one").await;
    place.until("SELECT destination FROM deliveries WHERE state = 'dead'", "discord").await;
    stop(bugle).await;
    // Not even by the next process, which looks for what the one before has not told.
    let bugle = place.serve();
    stop(bugle).await;
    assert_eq!(place.ask::<i64>("SELECT count(*) FROM events"), 2, "the event and the notice");
}

#[tokio::test]
async fn where_notices_go_is_not_told_that_it_is_gone_itself() {
    let place = place("slack", TO_SLACK);
    place.slack.always(Behaviour::Answer(Answer::text(404, "no_service")));
    let bugle = place.serve();
    post(&bugle, "one").await;
    place.until("SELECT gone_words FROM destinations WHERE name = 'slack'", "no_service").await;
    stop(bugle).await;
    assert_eq!(place.ask::<i64>("SELECT count(*) FROM events"), 1);
}

#[tokio::test]
async fn a_streak_of_rejected_webhooks_is_told_of_and_one_that_is_accepted_ends_it() {
    let place = place("discord", TO_SLACK);
    let bugle = place.serve();
    for round in 0..2 {
        for number in 0..9 {
            assert_eq!(knock(&bugle, &format!("wrong-token-{number}")).await, 401);
        }
        if round == 0 {
            assert_eq!(knock(&bugle, TOKEN).await, 200);
        }
    }
    assert_eq!(knock(&bugle, "wrong-token-again").await, 401);
    let text = seen(&place.discord, 1).await.remove(0);
    has(&text, &["Webhooks to \"backend\" are turned away", "At least 10 in a row", "unauthorized"]);
    assert!(!text.contains("wrong-token"), "{text}");
    for _ in 0..10 {
        let nowhere = bugle.request(Method::POST, "/hooks/no-such-source/token").body("{}");
        assert_eq!(answer(nowhere).await.0, 404);
    }
    stop(bugle).await;
    assert_eq!(count(&place, "webhooksRejected"), 1);
}

#[tokio::test]
async fn a_reload_does_not_end_a_streak() {
    let place = place("discord", TO_SLACK);
    let bugle = place.serve();
    for number in 0..9 {
        assert_eq!(knock(&bugle, &format!("wrong-token-{number}")).await, 401);
    }
    edit(&place, "\"all\"", "\"still all\"");
    bugle.says("the new configuration is in force", 1).await;
    assert_eq!(knock(&bugle, "wrong-token-again").await, 401);
    has(&seen(&place.discord, 1).await[0], &["At least 10 in a row"]);
}

#[tokio::test]
async fn a_refused_reload_is_told_of_as_the_check_shows_it_without_secrets() {
    let place = place("teams", TO_SLACK);
    let bugle = place.serve();
    let secret = "https://hooks.slack.com/services/T00000000/B00000000/abcdefghijklmnopqrstuvwx";
    let broken = format!(
        "[destinations.extra]\ntype = \"slack\"\nurll = \"{secret}\"\ntimeoutt = \"1s\"\n\n[people.ann]"
    );
    edit(&place, "[people.ann]", &broken);
    let text = seen(&place.teams, 1).await.remove(0);
    has(
        &text,
        &["The changed configuration is not in force", "config.toml:", "urll", "timeoutt", "did you mean"],
    );
    assert!(!text.contains("abcdefghij") && !text.contains("B0000"), "{text}");
    assert!(!bugle.log().contains("abcdefghij"));
    // It goes on as it was; mended, it says nothing, and broken again within the hour it says nothing yet.
    edit(&place, &broken, "[people.ann]");
    edit(&place, "\"all\"", "\"still all\"");
    bugle.says("the new configuration is in force", 1).await;
    edit(&place, "127.0.0.1:0", "127.0.0.1:1");
    bugle.says("needs a restart", 1).await;
    stop(bugle).await;
    assert_eq!(count(&place, "reloadRefused"), 1);
}

#[tokio::test]
async fn a_reload_changes_where_notices_go() {
    let place = place("teams", TO_SLACK);
    let bugle = place.serve();
    edit(&place, "notices_to = \"teams\"", "notices_to = \"discord\"");
    bugle.says("the new configuration is in force", 1).await;
    place.slack.always(Behaviour::Answer(Answer::text(404, "no_service")));
    post(&bugle, "one").await;
    has(&seen(&place.discord, 1).await[0], &[GONE]);
    assert!(shown(&place.teams).is_empty());
}

#[tokio::test]
async fn a_store_in_which_nothing_can_go_is_told_of() {
    let place = place("discord", TO_SLACK);
    edit(&place, "url = \"sqlite:bugle.db\"", "url = \"sqlite:bugle.db\"\nmax_size = \"1MiB\"");
    place.slack.always(Behaviour::Answer(Answer::text(503, "")));
    let bugle = place.serve();
    for id in ["one", "two", "three"] {
        bugle.accept("backend", bugsnag(id, json!({"error": {"message": "x".repeat(500_000)}}))).await;
    }
    stop(bugle).await;
    let bugle = place.serve();
    let text = seen(&place.discord, 1).await.remove(0);
    has(&text, &["The store is full, and nothing in it can go", "1.0 MiB", "store.max_size"]);
    stop(bugle).await;
    assert_eq!(place.ask::<i64>("SELECT count(*) FROM events WHERE source = 'backend'"), 3);
}

#[tokio::test]
async fn without_an_address_for_them_notices_stand_in_the_log_only() {
    let place = Place::with("", TO_SLACK);
    place.slack.always(Behaviour::Answer(Answer::text(404, "no_service")));
    let bugle = place.serve();
    post(&bugle, "one").await;
    bugle.says("`notices_to` is not set", 1).await;
    assert!(bugle.log().contains("the webhook is gone"), "{}", bugle.log());
    stop(bugle).await;
    assert_eq!(place.ask::<i64>("SELECT count(*) FROM events"), 1);
}

#[tokio::test]
async fn a_template_of_ones_own_says_it_in_other_words() {
    let place = place("discord", &format!("[templates]\nfolder = \"templates\"\n{TO_SLACK}"));
    fs::create_dir(place.path("templates")).unwrap();
    place.write("templates/notice.hbs", "# Help! {{title}}\n{{raw.facts.0.label}}: {{raw.facts.0.value}}\n");
    place.slack.always(Behaviour::Answer(Answer::text(400, "user_not_found")));
    let bugle = place.serve();
    post(&bugle, "one").await;
    has(&seen(&place.discord, 1).await[0], &["Help! A message to \"slack\"", "Reason: misconfigured"]);
}

#[tokio::test]
async fn whoever_hears_instead_of_another_is_told_when_that_begins_and_when_it_ends() {
    let place = place("teams", TO_SLACK);
    edit(&place, "[destinations.slack]", "[destinations.slack]\nfallback = \"discord\"");
    place.slack.always(Behaviour::Answer(Answer::text(404, "no_service")));
    let bugle = place.serve();
    post(&bugle, "one").await;
    let texts = seen(&place.discord, 2).await;
    assert!(texts.iter().any(|text| text.contains("message of one") && text.contains("instead of slack")));
    let notice = texts.iter().find(|text| text.contains("bugle about itself")).unwrap();
    has(notice, &["Messages for \"slack\" come here from now on", "Its webhook is gone"]);
    has(&seen(&place.teams, 1).await[0], &[GONE, "its messages go to \"discord\" meanwhile"]);
    place.slack.recover();
    stop(bugle).await;
    // The hour until the next try is over.
    let store = rusqlite::Connection::open(place.path("bugle.db")).unwrap();
    store.execute("UPDATE destinations SET rests_until = NULL", []).unwrap();
    let bugle = place.serve();
    post(&bugle, "two").await;
    wait_shown(&place.slack, 1).await;
    has(&seen(&place.discord, 3).await[2], &["\"slack\" works again"]);
    stop(bugle).await;
}

#[tokio::test]
async fn whoever_hears_instead_of_another_is_told_so_although_nobody_wants_notices() {
    let place = Place::with("", TO_SLACK);
    edit(&place, "[destinations.slack]", "[destinations.slack]\nfallback = \"discord\"");
    place.slack.always(Behaviour::Answer(Answer::text(404, "no_service")));
    let bugle = place.serve();
    post(&bugle, "one").await;
    let texts = seen(&place.discord, 2).await;
    assert!(
        texts.iter().any(|text| text.contains("Messages for \"slack\" come here from now on")),
        "{texts:?}"
    );
    stop(bugle).await;
    assert_eq!(place.ask::<i64>("SELECT count(*) FROM events WHERE source = 'bugle'"), 1);
}

#[tokio::test]
async fn where_notices_go_and_where_messages_move_to_may_be_one_room_which_is_told_once() {
    let place = place("discord", TO_SLACK);
    edit(&place, "[destinations.slack]", "[destinations.slack]\nfallback = \"discord\"");
    place.slack.always(Behaviour::Answer(Answer::text(404, "no_service")));
    let bugle = place.serve();
    post(&bugle, "one").await;
    wait_shown(&place.discord, 2).await;
    stop(bugle).await;
    assert_eq!((count(&place, "divertingBegan"), count(&place, "destinationGone")), (1, 0));
}
