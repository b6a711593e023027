//! A destination that is gone, or has been failing for long: somebody else hears of it instead, once, and is told so.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bugle::pretend::{Answer, Behaviour, Pretend, Product, Received};
use serde_json::json;

use crate::bugle::{Bugle, PATIENCE, Place, TOKEN, answer, bugsnag, shown, visible};

const TO_DISCORD: &str = "[[rules]]\nname = \"r\"\nsend_to = \"discord\"\nmention = [\"here\", \"ann\"]\n";

const IN_FORCE: &str = "the new configuration is in force";
const MOVED: &str = "deliveries move to the fallback until the destination works again";
const WORKS: &str = "deliveries go there as before";

/// A place where each of `fallbacks` is a destination with its fallback, which is to serve after `after`.
fn place(rules: &str, fallbacks: &[(&str, &str)], after: &str) -> Place {
    let place = Place::with("", rules);
    set_fallbacks(&place, fallbacks, after);
    place
}

fn set_fallbacks(place: &Place, fallbacks: &[(&str, &str)], after: &str) {
    let mut config = fs::read_to_string(place.path("config.toml")).unwrap();
    for (name, fallback) in fallbacks {
        let table = format!("[destinations.{name}]\n");
        assert!(config.contains(&table));
        let keys = format!("fallback = \"{fallback}\"\nfallback_after = \"{after}\"\n");
        config = config.replace(&table, &format!("{table}{keys}"));
    }
    place.write("config.toml", &config);
}

fn edit(place: &Place, from: &str, to: &str) {
    let config = fs::read_to_string(place.path("config.toml")).unwrap();
    assert!(config.contains(from), "{from}");
    place.write("config.toml", &config.replace(from, to));
}

fn notices_to_teams(place: &Place) {
    let config = fs::read_to_string(place.path("config.toml")).unwrap();
    place.write("config.toml", &format!("notices_to = \"teams\"\n{config}"));
}

fn gone() -> Behaviour {
    Behaviour::Answer(Answer::json(404, &json!({"message": "Unknown Webhook", "code": 10015})))
}

fn down() -> Behaviour {
    Behaviour::Answer(Answer::text(503, "down"))
}

fn text(received: &Received) -> String {
    visible(received.json.as_ref().unwrap())
}

/// What bugle says of itself comes between the messages, whenever it finds the time.
fn is_notice(received: &Received) -> bool {
    text(received).contains("bugle about itself")
}

/// The messages that a chat shows of events, in order.
fn messages(chat: &Pretend) -> Vec<Arc<Received>> {
    shown(chat).into_iter().filter(|received| !is_notice(received)).collect()
}

/// Waits until `chat` shows messages of `count` events.
async fn wait_told(chat: &Pretend, count: usize) -> Vec<Arc<Received>> {
    let begun = Instant::now();
    while messages(chat).len() < count {
        assert!(begun.elapsed() < PATIENCE, "{} shows {:?}, not {count}", chat.product(), told(chat));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    messages(chat)
}

/// Waits until `chat` shows a notice with `words`.
async fn wait_notice(chat: &Pretend, words: &str) {
    let begun = Instant::now();
    let texts = || shown(chat).iter().map(|received| text(received)).collect::<Vec<_>>();
    while !texts().iter().any(|text| text.contains("bugle about itself") && text.contains(words)) {
        assert!(begun.elapsed() < PATIENCE, "{} does not say {words:?}: {:#?}", chat.product(), texts());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Of the deliveries, those of what trackers have sent.
const OWED: &str = "deliveries WHERE event IN (SELECT id FROM events WHERE source <> 'bugle')";

/// How many of those are in `state`.
fn in_state(state: &str) -> String {
    format!("SELECT count(*) FROM {OWED} AND state = '{state}'")
}

/// The ways of the event with the tracker's id `id`.
fn ways(id: &str) -> String {
    format!(
        "SELECT group_concat(destination || ' ' || state || coalesce(' ' || reason, ''), ', ' ORDER BY id)
         FROM deliveries WHERE event = (SELECT id FROM events WHERE tracker_id = '{id}')"
    )
}

/// Which events a chat shows, in order.
fn told(chat: &Pretend) -> Vec<String> {
    let told = messages(chat).into_iter().map(|received| {
        let text = text(&received);
        text.split("message of ").nth(1).unwrap().lines().next().unwrap().to_owned()
    });
    told.collect()
}

fn lines_with(bugle: &Bugle, words: &str) -> Vec<String> {
    bugle.log().lines().filter(|line| line.contains(words)).map(str::to_owned).collect()
}

#[tokio::test]
async fn what_waits_for_a_gone_destination_and_what_comes_later_arrives_at_the_fallback_which_is_told_so() {
    let place = place(TO_DISCORD, &[("discord", "slack")], "15m");
    place.discord.script([Behaviour::Answer(Answer::text(429, "").with("retry-after", "1"))]);
    place.discord.always(gone());
    let bugle = place.serve();
    for id in ["one", "two", "three"] {
        bugle.accept("backend", bugsnag(id, json!({}))).await;
    }
    wait_told(&place.slack, 3).await;
    bugle.accept("backend", bugsnag("four", json!({}))).await;
    let messages = wait_told(&place.slack, 4).await;
    assert_eq!(told(&place.slack), ["one", "two", "three", "four"]);
    for message in &messages {
        assert!(text(message).contains(" · instead of discord"), "{}", text(message));
        assert_eq!(message.pings, ["<!here>", "<@U012AB3CD>"], "the mentions are Slack's own");
    }
    assert_eq!(place.discord.count(), 2, "asked to wait, then gone, then left alone");
    place.until(&ways("one"), "discord moved gone, slack delivered").await;
    let lines = lines_with(&bugle, MOVED);
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert!(lines[0].contains("\"ERROR\"") && lines[0].contains("\"fallback\":\"slack\""), "{}", lines[0]);
    assert_eq!(lines_with(&bugle, "the webhook is gone").len(), 1);
}

#[tokio::test]
async fn an_event_that_goes_to_both_is_told_once() {
    let rules = "[[rules]]\nname = \"a\"\nsend_to = \"slack\"\nmention = [\"here\"]\n\n
                 [[rules]]\nname = \"b\"\nsend_to = \"discord\"\nmention = [\"ann\"]\nurgent = true\n";
    let place = place(rules, &[("discord", "slack")], "15m");
    place.discord.always(gone());
    // While Slack is held, what is covered still waits there, and takes over the other's mentions.
    place.slack.script([Behaviour::Answer(Answer::text(429, "").with("retry-after", "2"))]);
    let bugle = place.serve();
    for id in ["one", "two"] {
        bugle.accept("backend", bugsnag(id, json!({}))).await;
    }
    let covered = "SELECT count(*) FROM deliveries WHERE reason = 'covered' AND state = 'moved'";
    place.until(covered, "2").await;
    let messages = wait_told(&place.slack, 2).await;
    assert_eq!(told(&place.slack), ["one", "two"]);
    for message in &messages {
        assert_eq!(message.pings, ["<!here>", "<@U012AB3CD>"]);
        assert!(!text(message).contains("instead of"), "it was meant for this one, too");
    }
    place.until(&in_state("delivered"), "2").await;
    assert_eq!(place.ask::<i64>(&format!("SELECT count(*) FROM {OWED}")), 4);
}

#[tokio::test]
async fn a_destination_that_fails_for_long_hands_over_and_is_served_again_once_it_works() {
    let place = place(TO_DISCORD, &[("discord", "slack")], "1s");
    place.discord.always(down());
    let bugle = place.serve();
    bugle.accept("backend", bugsnag("first", json!({}))).await;
    bugle.accept("backend", bugsnag("second", json!({}))).await;
    let messages = wait_told(&place.slack, 2).await;
    assert!(text(&messages[0]).contains("instead of discord"));
    let waited = messages[0].at - place.discord.received()[0].at;
    assert!(waited >= Duration::from_millis(950), "not before its time: {waited:?}");
    bugle.accept("backend", bugsnag("while it is down", json!({}))).await;
    wait_told(&place.slack, 3).await;

    place.discord.recover();
    let mut sent = vec!["first".to_owned(), "second".into(), "while it is down".into()];
    let begun = Instant::now();
    while shown(&place.discord).is_empty() {
        assert!(begun.elapsed() < PATIENCE, "it is never tried again: {}", bugle.log());
        let id = format!("probe {}", sent.len());
        bugle.accept("backend", bugsnag(&id, json!({}))).await;
        sent.push(id);
        place.until(&in_state("waiting"), "0").await;
    }
    let before = told(&place.slack).len();
    for id in ["back", "to normal"] {
        bugle.accept("backend", bugsnag(id, json!({}))).await;
        sent.push(id.to_owned());
    }
    place.until(&in_state("waiting"), "0").await;
    assert_eq!(told(&place.slack).len(), before, "nothing goes elsewhere any more");
    let all = [told(&place.slack), told(&place.discord)].concat();
    assert_eq!(all.len(), sent.len(), "each once: {all:?}");
    assert_eq!(BTreeSet::from_iter(all), BTreeSet::from_iter(sent));
    assert_eq!((lines_with(&bugle, MOVED).len(), lines_with(&bugle, WORKS).len()), (1, 1));
    assert_eq!(place.ask::<i64>("SELECT count(*) FROM destinations WHERE failing_since IS NOT NULL"), 0);
}

#[tokio::test]
async fn a_platform_that_asks_to_wait_keeps_its_messages() {
    let place = place(TO_DISCORD, &[("discord", "slack")], "1ms");
    place.discord.script([Behaviour::Answer(Answer::text(429, "").with("retry-after", "1"))]);
    let bugle = place.serve();
    bugle.accept("backend", bugsnag("one", json!({}))).await;
    wait_told(&place.discord, 1).await;
    assert_eq!((place.discord.count(), place.slack.count()), (2, 0));
}

#[tokio::test]
async fn a_chain_is_followed_to_the_first_that_works_and_the_first_of_all_is_named() {
    let place = place(TO_DISCORD, &[("discord", "teams"), ("teams", "slack")], "15m");
    place.discord.always(gone());
    place.teams.always(Behaviour::Answer(Answer::text(404, "")));
    let bugle = place.serve();
    bugle.accept("backend", bugsnag("one", json!({}))).await;
    let messages = wait_told(&place.slack, 1).await;
    assert!(text(&messages[0]).contains("instead of discord"));
    bugle.accept("backend", bugsnag("two", json!({}))).await;
    wait_told(&place.slack, 2).await;
    assert_eq!((place.discord.count(), place.teams.count()), (1, 1));
    place.until(&ways("two"), "discord moved gone, teams moved gone, slack delivered").await;
}

#[tokio::test]
async fn gone_over_a_restart_it_is_left_alone_and_a_new_address_ends_it() {
    let mut place = place(TO_DISCORD, &[("discord", "slack")], "15m");
    notices_to_teams(&place);
    place.discord.always(gone());
    let bugle = place.serve();
    bugle.accept("backend", bugsnag("one", json!({}))).await;
    wait_told(&place.slack, 1).await;
    place.until(&in_state("delivered"), "1").await;
    bugle.kill().await;

    let bugle = place.serve();
    bugle.accept("backend", bugsnag("two", json!({}))).await;
    wait_told(&place.slack, 2).await;
    assert_eq!(place.discord.count(), 1, "it is not asked again");
    let found = lines_with(&bugle, "its webhook is gone: deliveries move to its fallback");
    assert_eq!((found.len(), lines_with(&bugle, MOVED)), (1, Vec::new()), "that is known already");
    // What is cut off would be repeated.
    place.until(&in_state("delivered"), "2").await;
    bugle.kill().await;

    place.discord = Pretend::start(Product::Discord).unwrap();
    place.write("discord.url", &place.discord.url());
    place.configure("", TO_DISCORD);
    set_fallbacks(&place, &[("discord", "slack")], "15m");
    notices_to_teams(&place);
    let bugle = place.serve();
    place.until("SELECT count(*) FROM destinations WHERE gone_since IS NOT NULL", "0").await;
    // It is mended, but has not been asked for anything yet.
    bugle.kill().await;
    let bugle = place.serve();
    bugle.accept("backend", bugsnag("three", json!({}))).await;
    wait_told(&place.discord, 1).await;
    wait_notice(&place.slack, "\"discord\" works again").await;
    assert_eq!(lines_with(&bugle, WORKS).len(), 1);
    assert_eq!(told(&place.discord), ["three"]);
    assert_eq!(told(&place.slack), ["one", "two"]);
}

#[tokio::test]
async fn failing_for_long_is_known_over_a_restart() {
    let place = place(TO_DISCORD, &[("discord", "slack")], "2s");
    place.discord.always(down());
    let bugle = place.serve();
    bugle.accept("backend", bugsnag("one", json!({}))).await;
    place.until("SELECT count(*) FROM destinations WHERE failing_since IS NOT NULL", "1").await;
    let since = "SELECT failing_since FROM destinations WHERE name = 'discord'";
    let before: i64 = place.ask(since);
    bugle.kill().await;
    let bugle = place.serve();
    wait_told(&place.slack, 1).await;
    assert_eq!(place.ask::<i64>(since), before, "it is the same failure");
    place.until(&in_state("delivered"), "1").await;
    bugle.kill().await;

    // What has begun goes on, even if the platform has asked to wait since, and is not told again.
    let store = rusqlite::Connection::open(place.path("bugle.db")).unwrap();
    let asked =
        "UPDATE destinations SET hold_until = unixepoch() * 1000 + 3600000, hold_reason = 'rate_limited'
                 WHERE name = 'discord'";
    assert_eq!(store.execute(asked, []).unwrap(), 1);
    let asks = place.discord.count();
    let bugle = place.serve();
    bugle.accept("backend", bugsnag("two", json!({}))).await;
    wait_told(&place.slack, 2).await;
    assert_eq!(place.discord.count(), asks);
    let found = lines_with(&bugle, "deliveries go on to its fallback");
    assert_eq!((found.len(), lines_with(&bugle, MOVED)), (1, Vec::new()));
}

#[tokio::test]
async fn a_reload_gives_takes_and_changes_a_fallback() {
    let mut place = place(TO_DISCORD, &[], "15m");
    place.discord.always(gone());
    let bugle = place.serve();
    bugle.accept("backend", bugsnag("one", json!({}))).await;
    place.until("SELECT gone_since IS NOT NULL FROM destinations WHERE name = 'discord'", "1").await;

    set_fallbacks(&place, &[("discord", "slack")], "15m");
    wait_told(&place.slack, 1).await;
    edit(&place, "fallback = \"slack\"", "fallback = \"teams\"");
    bugle.says(IN_FORCE, 2).await;
    bugle.accept("backend", bugsnag("two", json!({}))).await;
    wait_told(&place.teams, 1).await;
    assert_eq!(lines_with(&bugle, MOVED).len(), 2, "each of them has to know");
    place.configure("", TO_DISCORD);
    bugle.says(IN_FORCE, 3).await;
    bugle.accept("backend", bugsnag("three", json!({}))).await;
    place.until(&ways("three"), "discord waiting").await;
    assert_eq!(place.discord.count(), 1, "gone all the while, and not asked again");

    // A courier that takes the place of another knows what was told.
    set_fallbacks(&place, &[("discord", "teams")], "16m");
    wait_told(&place.teams, 2).await;
    assert_eq!(lines_with(&bugle, MOVED).len(), 2);
    place.configure("", TO_DISCORD);
    bugle.says(IN_FORCE, 5).await;
    bugle.accept("backend", bugsnag("four", json!({}))).await;
    place.until(&ways("four"), "discord waiting").await;

    place.discord = Pretend::start(Product::Discord).unwrap();
    place.configure("", TO_DISCORD);
    place.write("discord.url", &place.discord.url());
    wait_told(&place.discord, 1).await;
    let told = [&place.slack, &place.teams, &place.discord].map(told);
    assert_eq!(told, [vec!["one"], vec!["two", "three"], vec!["four"]]);
}

/// A webhook of Bugfender's with `count` issues, each with an id of its own.
fn batch(from: usize, count: usize) -> String {
    let issue = |number| {
        json!({"id": format!("issue-{number}"), "type": "issue", "title": format!("t{number}."), "text": "x",
               "app": {"id": 1, "name": "Harbor"}})
    };
    json!((from..from + count).map(issue).collect::<Vec<_>>()).to_string()
}

/// What the store says of deliveries that lead nowhere, and of events that a destination would hear of twice.
fn assert_whole(place: &Place) {
    let orphans = "SELECT count(*) FROM deliveries d WHERE state = 'moved'
                   AND NOT EXISTS (SELECT 1 FROM deliveries n WHERE n.id = d.moved_to AND n.event = d.event AND n.state <> 'moved')";
    let doubled = "SELECT count(*) FROM (SELECT 1 FROM deliveries WHERE state IN ('waiting', 'delivered')
                   GROUP BY event HAVING count(*) <> 1)";
    let ended = "SELECT count(*) FROM deliveries WHERE state IN ('waiting', 'delivered')";
    assert_eq!([orphans, doubled].map(|sql| place.ask::<i64>(sql)), [0, 0]);
    assert_eq!(place.ask::<i64>(ended), place.ask::<i64>("SELECT count(*) FROM events"));
}

/// A bugle at `place` that was killed when `count` deliveries waited for Discord, which is found gone from then on.
async fn queue(place: &Place, count: usize) {
    let config = fs::read_to_string(place.path("config.toml")).unwrap();
    place.write("config.toml", &config.replace("rate = \"50/s\"", "rate = \"1000/s\""));
    place.discord.script([Behaviour::Answer(Answer::text(429, "").with("retry-after", "600"))]);
    let bugle = place.serve();
    bugle.accept("backend", bugsnag("one", json!({}))).await;
    place.discord.wait_for(1, PATIENCE).await.unwrap();
    // All of one request come to the store together.
    let path = format!("/hooks/mobile/{TOKEN}");
    for from in (0..count - 1).step_by(300) {
        let post = bugle.request(reqwest::Method::POST, &path).body(batch(from, 300.min(count - 1 - from)));
        assert_eq!(answer(post).await.0, 200);
    }
    bugle.kill().await;
    // The hold goes with the store's memory of it.
    let store = rusqlite::Connection::open(place.path("bugle.db")).unwrap();
    store.execute_batch("UPDATE destinations SET hold_until = NULL").unwrap();
    place.discord.always(gone());
}

#[tokio::test]
async fn killed_in_the_middle_of_moving_nothing_is_lost_and_nothing_doubled() {
    const EVENTS: usize = 1_500;
    let place = place(TO_DISCORD, &[("discord", "slack")], "15m");
    place.slack.always(down());
    queue(&place, EVENTS).await;
    let moved = "SELECT count(*) FROM deliveries WHERE state = 'moved'";
    let waiting = "SELECT count(*) FROM deliveries WHERE state = 'waiting' AND destination = 'discord'";
    let mut rounds = 0;
    while place.ask::<i64>(waiting) > 0 {
        rounds += 1;
        let before: i64 = place.ask(moved);
        let bugle = place.serve();
        let begun = Instant::now();
        while place.ask::<i64>(moved) == before {
            assert!(begun.elapsed() < PATIENCE, "nothing moves");
            tokio::task::yield_now().await;
        }
        bugle.kill().await;
        assert_whole(&place);
    }
    assert!(rounds > 1, "never in the middle");

    assert_eq!(place.ask::<i64>(moved), i64::try_from(EVENTS).unwrap());
    place.slack.recover();
    let _bugle = place.serve();
    let messages = wait_told(&place.slack, 100).await;
    let texts: BTreeSet<_> = messages.iter().map(|message| text(message)).collect();
    assert_eq!(texts.len(), messages.len(), "each is shown once");
    assert!(texts.iter().all(|text| text.contains("instead of discord")));
}

#[tokio::test]
async fn what_has_moved_is_told_even_if_the_rest_cannot() {
    let place = place(TO_DISCORD, &[("discord", "slack")], "15m");
    queue(&place, 250).await;
    let store = rusqlite::Connection::open(place.path("bugle.db")).unwrap();
    let refuses = "CREATE TRIGGER refuses BEFORE UPDATE ON deliveries
                   WHEN NEW.state = 'moved' AND (SELECT count(*) FROM deliveries WHERE state = 'moved') >= 150
                   BEGIN SELECT RAISE(ABORT, 'no more'); END";
    store.execute_batch(refuses).unwrap();
    let mut bugle = place.serve();
    assert!(!bugle.end().await.success(), "the store has refused something");
    bugle.says("moved to the fallback", 1).await;
    assert_eq!(place.ask::<i64>("SELECT count(*) FROM deliveries WHERE state = 'moved'"), 100);
    let lines = lines_with(&bugle, "\"moved to the fallback\"");
    assert!(lines.len() == 1 && lines[0].contains("\"moved\":100,"), "{lines:#?}");
    assert_eq!(lines_with(&bugle, MOVED).len(), 1);
}
