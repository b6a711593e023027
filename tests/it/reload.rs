//! The configuration changed under a running bugle: in force as a whole, or not at all.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use bugle::pretend::{Answer, Behaviour, Pretend, Product};
use nix::sys::signal::Signal;
use reqwest::Method;
use serde_json::json;

use crate::bugle::{Bugle, PATIENCE, Place, answer, bugsnag, shown, visible, wait_shown};

const TO_SLACK: &str = "[[rules]]\nname = \"all\"\nsend_to = \"slack\"\n";
const TO_TEAMS: &str = "[[rules]]\nname = \"all\"\nsend_to = \"teams\"\n";
const IN_FORCE: &str = "the new configuration is in force";
const REFUSED: &str = "the one before stays in force";

/// Asks for a reload and waits until it is in force.
async fn reload(bugle: &Bugle, times: usize) {
    bugle.signal(Signal::SIGHUP);
    bugle.says(IN_FORCE, times).await;
}

fn edit(place: &Place, from: &str, to: &str) {
    let config = fs::read_to_string(place.path("config.toml")).unwrap();
    assert!(config.contains(from), "{from}");
    place.write("config.toml", &config.replace(from, to));
}

async fn post(bugle: &Bugle, id: &str) {
    bugle.accept("backend", bugsnag(id, json!({}))).await;
}

#[tokio::test]
async fn a_changed_rule_is_in_force_after_sighup_and_is_told_in_words() {
    let place = Place::with("", TO_SLACK);
    let bugle = place.serve();
    post(&bugle, "one").await;
    wait_shown(&place.slack, 1).await;
    place.configure("", TO_TEAMS);
    reload(&bugle, 1).await;
    post(&bugle, "two").await;
    wait_shown(&place.teams, 1).await;
    assert_eq!(shown(&place.slack).len(), 1);
    assert!(bugle.log().contains("rule `all` has changed"), "{}", bugle.log());
    bugle.signal(Signal::SIGHUP);
    bugle.says("nothing has changed in it", 1).await;
}

#[tokio::test]
async fn whatever_it_was_read_from_is_watched() {
    let place = Place::with("", &format!("[templates]\nfolder = \"templates\"\n{TO_SLACK}"));
    edit(&place, "\n[server]", "include = [\"rules/*.toml\"]\n[server]");
    fs::create_dir(place.path("rules")).unwrap();
    fs::create_dir(place.path("templates")).unwrap();
    let bugle = place.serve();
    place.write("rules/more.toml", &TO_TEAMS.replace("all", "more"));
    bugle.says("rule `more` is new", 1).await;
    bugle.says(IN_FORCE, 1).await;
    place.write("templates/firstException.hbs", "# Mine: {{error.class}}\n");
    bugle.says("template `firstException.hbs` is new", 1).await;
    bugle.says(IN_FORCE, 2).await;
    place.write("token", "another-token-for-tests-0123");
    bugle.says("`sources.backend.tokens[0]` has changed", 1).await;
    bugle.says(IN_FORCE, 3).await;
    assert_eq!(bugle.post("backend", "{}").await.0, 401);
    let path = "/hooks/backend/another-token-for-tests-0123";
    let (status, _) = answer(bugle.request(Method::POST, path).body(bugsnag("one", json!({})))).await;
    assert_eq!(status, 200);
    assert!(visible(wait_shown(&place.slack, 1).await[0].json.as_ref().unwrap()).contains("Mine: Timeout"));
    wait_shown(&place.teams, 1).await;
    fs::remove_file(place.path("rules/more.toml")).unwrap();
    bugle.says("rule `more` is gone", 1).await;
    assert!(!bugle.log().contains("another-token"), "{}", bugle.log());
}

#[tokio::test]
async fn a_broken_one_is_refused_as_a_whole_and_mending_it_is_enough() {
    let place = Place::with("", TO_SLACK);
    let bugle = place.serve();
    place.configure("", &format!("{TO_TEAMS}\n[[rules]]\nname = \"broken\"\nsend_to = \"nobody\"\n"));
    bugle.says("there is no destination `nobody`", 1).await;
    post(&bugle, "one").await;
    wait_shown(&place.slack, 1).await;
    place.write("config.toml", "this is no TOML");
    bugle.says("this is no TOML", 1).await;
    fs::remove_file(place.path("config.toml")).unwrap();
    bugle.says("this file cannot be read", 1).await;
    post(&bugle, "two").await;
    wait_shown(&place.slack, 2).await;
    place.configure("", TO_SLACK);
    bugle.says("it is in order, and nothing has changed in it", 1).await;
    place.configure("", TO_TEAMS);
    bugle.says(IN_FORCE, 1).await;
    post(&bugle, "three").await;
    wait_shown(&place.teams, 1).await;
}

#[tokio::test]
async fn what_never_ends_in_a_files_place_is_refused_and_does_not_keep_from_reading_again() {
    let place = Place::with("", TO_SLACK);
    let bugle = place.serve();
    for (times, endless) in [(1, "/dev/zero"), (2, "/dev/tty")] {
        fs::remove_file(place.path("slack.url")).unwrap();
        symlink(endless, place.path("slack.url")).unwrap();
        bugle.says("slack.url` is not a regular file", times).await;
    }
    fs::remove_file(place.path("slack.url")).unwrap();
    place.write("slack.url", &place.slack.url());
    bugle.says("it is in order, and nothing has changed in it", 1).await;
    place.configure("", TO_TEAMS);
    reload(&bugle, 1).await;
}

#[tokio::test]
async fn a_broken_template_is_refused_too() {
    let place = Place::with("", &format!("[templates]\nfolder = \"templates\"\n{TO_SLACK}"));
    fs::create_dir(place.path("templates")).unwrap();
    let bugle = place.serve();
    place.write("templates/default.hbs", "# {{error.clas}}\n");
    bugle.says("error.clas", 1).await;
    bugle.says(REFUSED, 1).await;
    post(&bugle, "one").await;
    wait_shown(&place.slack, 1).await;
}

#[tokio::test]
async fn what_needs_a_restart_is_refused_with_the_rest() {
    for (from, to, named) in [
        ("[server]\nlisten = \"127.0.0.1:0\"", "[server]\nlisten = \"127.0.0.1:1\"", "server"),
        ("sqlite:bugle.db", "sqlite:other.db", "store"),
        ("[admin]\nlisten = \"127.0.0.1:0\"", "[admin]\nlisten = \"127.0.0.1:2\"", "admin.listen"),
    ] {
        let place = Place::with("", TO_SLACK);
        let bugle = place.serve();
        edit(&place, "[[rules]]\nname = \"all\"\nsend_to = \"slack\"", TO_TEAMS);
        edit(&place, from, to);
        bugle.says(REFUSED, 1).await;
        let words = format!("a change of `{named}` needs a restart: `{named}");
        assert!(bugle.log().contains(&words), "{}", bugle.log());
        post(&bugle, "one").await;
        wait_shown(&place.slack, 1).await;
    }
}

#[tokio::test]
async fn a_destination_that_leaves_keeps_its_queue() {
    let place = Place::new();
    place.teams.always(Behaviour::Answer(Answer::text(503, "down")));
    let bugle = place.serve();
    post(&bugle, "one").await;
    place.teams.wait_for(1, PATIENCE).await.unwrap();
    let config = fs::read_to_string(place.path("config.toml")).unwrap();
    let (before, rest) = config.split_once("[destinations.teams]").unwrap();
    let (_, after) = rest.split_once("[destinations.discord]").unwrap();
    let without = format!("{before}[destinations.discord]{after}").replace("\"teams\", ", "");
    place.write("config.toml", &without);
    bugle.says("the destination has left the configuration", 1).await;
    bugle.says("destination `teams` is gone", 1).await;
    let seen = place.teams.received().len();
    post(&bugle, "two").await;
    wait_shown(&place.slack, 2).await;
    assert_eq!(place.teams.received().len(), seen, "it is left alone");
    let states = "SELECT group_concat(state) FROM (SELECT state FROM deliveries WHERE destination = 'teams')";
    place.until(states, "waiting").await;
    place.teams.recover();
    place.write("config.toml", &config);
    wait_shown(&place.teams, 1).await;
    place.until(states, "delivered").await;
}

#[tokio::test]
async fn one_that_leaves_and_comes_back_during_an_attempt_has_one_courier() {
    let place = Place::with("", TO_SLACK);
    let answered_after = Duration::from_millis(1_800);
    place.slack.script([Behaviour::Late(answered_after)]);
    let bugle = place.serve();
    post(&bugle, "one").await;
    place.slack.wait_for(1, PATIENCE).await.unwrap();
    let config = fs::read_to_string(place.path("config.toml")).unwrap();
    let (before, rest) = config.split_once("[destinations.slack]").unwrap();
    let (_, after) = rest.split_once("[destinations.teams]").unwrap();
    place.write("config.toml", &format!("{before}[destinations.teams]{after}").replace(TO_SLACK, TO_TEAMS));
    reload(&bugle, 1).await;
    place.write("config.toml", &config);
    reload(&bugle, 2).await;
    post(&bugle, "two").await;
    wait_shown(&place.slack, 2).await;
    place.until("SELECT count(*) FROM deliveries WHERE state = 'delivered'", "2").await;
    assert_eq!(place.ask::<i64>("SELECT count(*) FROM attempts"), 2);
    let received = place.slack.received();
    assert_eq!(received.len(), 2, "each was posted once");
    assert!(
        received[1].at - received[0].at >= answered_after,
        "the second was not begun before the first had ended"
    );
}

#[tokio::test]
async fn a_new_address_gets_what_waits_for_a_webhook_that_is_gone() {
    let place = Place::with("", TO_SLACK);
    place.slack.always(Behaviour::Answer(Answer::text(404, "no_service")));
    let bugle = place.serve();
    post(&bugle, "one").await;
    bugle.says("the webhook is gone", 1).await;
    let new = Pretend::start(Product::Slack).unwrap();
    edit(&place, "allowed_hosts = [", &format!("allowed_hosts = [\"{}\", ", new.host()));
    place.write("slack.url", &new.url());
    bugle.says("`destinations.slack.url` has changed", 1).await;
    wait_shown(&new, 1).await;
    place.until("SELECT state FROM deliveries", "delivered").await;
    assert!(!bugle.log().contains(&new.url()), "the address stays secret");
}

#[tokio::test]
async fn others_are_not_disturbed_by_a_change() {
    let place = Place::new();
    place.discord.script([Behaviour::Late(Duration::from_millis(1_500))]);
    place.teams.always(Behaviour::Answer(Answer::text(429, "slow down")));
    let bugle = place.serve();
    post(&bugle, "one").await;
    place.discord.wait_for(1, PATIENCE).await.unwrap();
    place.teams.wait_for(1, PATIENCE).await.unwrap();
    edit(
        &place,
        "[destinations.slack]\ntype = \"slack\"",
        "[destinations.slack]\ntimeout = \"3s\"\ntype = \"slack\"",
    );
    reload(&bugle, 1).await;
    post(&bugle, "two").await;
    wait_shown(&place.slack, 2).await;
    wait_shown(&place.discord, 2).await;
    assert_eq!(place.discord.received().len(), 2, "what was in hand was neither cut off nor repeated");
    assert_eq!(place.teams.received().len(), 1, "the wait that was asked for goes on");
}

#[tokio::test]
async fn nothing_is_lost_or_doubled_by_reloads_under_load() {
    let place = Place::with("", TO_SLACK);
    let bugle = place.serve();
    for round in 0..10 {
        for number in 0..10 {
            post(&bugle, &format!("{round}-{number}")).await;
        }
        let timeout = format!("{}s", 3 + round);
        place.configure("", TO_SLACK);
        edit(&place, "timeout = \"2s\"", &format!("timeout = \"{timeout}\""));
        bugle.signal(Signal::SIGHUP);
    }
    wait_shown(&place.slack, 100).await;
    place.until("SELECT count(*) FROM deliveries WHERE state = 'delivered'", "100").await;
    assert_eq!(place.slack.received().len(), 100);
    assert_eq!(place.ask::<i64>("SELECT count(*) FROM attempts"), 100);
    let reloads = bugle.log().matches(IN_FORCE).count();
    assert!(reloads >= 3, "{reloads} of ten changes came into force while there was something to do");
}

#[tokio::test]
async fn a_platform_that_has_shut_us_out_is_not_asked_at_a_new_destination_either() {
    let place = Place::with("", &TO_SLACK.replace("slack", "discord"));
    place.discord.always(Behaviour::Answer(Answer::text(429, "error code: 1015")));
    let bugle = place.serve();
    post(&bugle, "one").await;
    place.until("SELECT hold_reason FROM destinations WHERE name = 'discord'", "banned").await;
    let other = Pretend::start(Product::Discord).unwrap();
    place.write("other.url", &other.url());
    place.configure("", "[[rules]]\nname = \"all\"\nsend_to = [\"other\", \"teams\"]\n");
    let new = "[destinations.other]\ntype = \"discord\"\nurl = { file = \"other.url\" }\n\n[people.ann]";
    edit(&place, "[people.ann]", new);
    edit(&place, "allowed_hosts = [", &format!("allowed_hosts = [\"{}\", ", other.host()));
    bugle.says(IN_FORCE, 1).await;
    bugle.says("its platform has shut us out for a while", 1).await;
    post(&bugle, "two").await;
    wait_shown(&place.teams, 1).await;
    assert_eq!((place.discord.count(), other.count()), (1, 0));
}

#[tokio::test]
async fn floods_are_kept_away_as_the_configuration_of_now_says() {
    let place = Place::with("", TO_SLACK);
    let bugle = place.serve();
    let once_more = async |id: &str| {
        let trigger = json!({"trigger": {"type": "exception"}, "error": {"errorId": "the same"}});
        bugle.accept("backend", bugsnag(id, trigger)).await;
    };
    once_more("one").await;
    once_more("two").await;
    wait_shown(&place.slack, 2).await;
    edit(&place, "collapse = \"off\"", "collapse = \"1h\"");
    reload(&bugle, 1).await;
    assert!(bugle.log().contains("`delivery.collapse` is now"), "{}", bugle.log());
    once_more("three").await;
    wait_shown(&place.slack, 3).await;
    place.until("SELECT count(*) FROM windows", "1").await;
    once_more("four").await;
    once_more("five").await;
    place.until("SELECT held FROM windows", "2").await;
    edit(&place, "collapse = \"1h\"", "collapse = \"off\"");
    reload(&bugle, 2).await;
    // Nothing is told later than what is in force allows.
    wait_shown(&place.slack, 4).await;
    place
        .until(
            "SELECT group_concat(state, ' ' ORDER BY state) FROM deliveries",
            "delivered delivered delivered delivered folded",
        )
        .await;
    once_more("six").await;
    wait_shown(&place.slack, 5).await;
}
