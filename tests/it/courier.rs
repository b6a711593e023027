//! From the outbox to the chat: order, urgency, waits, refusals, destinations that are gone or down.

use std::time::Duration;

use bugle::pretend::{Answer, Behaviour, Pretend};
use serde_json::json;

use crate::bugle::{PATIENCE, Place, bugsnag, shown, visible, wait_shown};

const TO_SLACK: &str = "[[rules]]\nname = \"r\"\nsend_to = \"slack\"\n";

fn order(place: &Place) -> Vec<String> {
    let texts = shown(&place.slack).into_iter().map(|received| visible(received.json.as_ref().unwrap()));
    texts.map(|text| text.split("message of ").nth(1).unwrap().lines().next().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn order_is_kept_and_urgent_goes_first() {
    let rules =
        "[[rules]]\nname = \"urgent\"\nwhen.message = \"*urgent*\"\nsend_to = \"slack\"\nurgent = true\n\n";
    let place = Place::with("", &format!("{rules}{TO_SLACK}"));
    place.slack.script([Behaviour::Answer(Answer::text(429, "").with("retry-after", "1"))]);
    let bugle = place.serve();
    bugle.accept("backend", bugsnag("first", json!({}))).await;
    place.slack.wait_for(1, PATIENCE).await.unwrap();
    for id in ["second", "third", "urgent"] {
        bugle.accept("backend", bugsnag(id, json!({}))).await;
    }
    wait_shown(&place.slack, 4).await;
    assert_eq!(order(&place), ["urgent", "first", "second", "third"]);
}

#[tokio::test]
async fn a_wait_is_kept_and_uses_up_no_attempt() {
    let place = Place::with("", TO_SLACK);
    place.slack.script([Behaviour::Answer(Answer::text(429, "").with("retry-after", "1"))]);
    let bugle = place.serve();
    bugle.accept("backend", bugsnag("one", json!({}))).await;
    let received = wait_shown(&place.slack, 1).await;
    let all = place.slack.received();
    assert!(received[0].at - all[0].at >= Duration::from_millis(990));
    place.until("SELECT failures || state FROM deliveries", "0delivered").await;
}

#[tokio::test]
async fn a_wait_survives_a_restart() {
    let place = Place::with("", TO_SLACK);
    place.slack.script([Behaviour::Answer(Answer::text(429, "").with("retry-after", "3"))]);
    let bugle = place.serve();
    bugle.accept("backend", bugsnag("one", json!({}))).await;
    place.until("SELECT hold_reason FROM destinations WHERE name = 'slack'", "rate_limited").await;
    bugle.kill().await;
    let _bugle = place.serve();
    let received = wait_shown(&place.slack, 1).await;
    assert!(received[0].at - place.slack.received()[0].at >= Duration::from_millis(2_900));
}

#[tokio::test]
async fn a_passing_failure_is_tried_again_until_it_passes() {
    let place = Place::with("", TO_SLACK);
    place.slack.script([
        Behaviour::Answer(Answer::text(500, "rollup_error")),
        Behaviour::Answer(Answer::text(302, "").with("location", "https://example.com/")),
        Behaviour::Answer(Answer::text(408, "")),
    ]);
    let bugle = place.serve();
    bugle.accept("backend", bugsnag("one", json!({}))).await;
    wait_shown(&place.slack, 1).await;
    let attempts = "SELECT group_concat(reason) FROM attempts";
    place.until(attempts, "server_error,redirected,server_error,ok").await;
    assert!(!visible(shown(&place.slack)[0].json.as_ref().unwrap()).contains("may be a repeat"));
}

#[tokio::test]
async fn unclear_results_are_repeated_marked_and_at_last_given_up() {
    let place = Place::with("", TO_SLACK);
    place.slack.always(Behaviour::Reset);
    let bugle = place.serve();
    bugle.accept("backend", bugsnag("one", json!({}))).await;
    place.until("SELECT state || reason FROM deliveries", "deadunclear").await;
    let received = place.slack.received();
    assert_eq!(received.len(), 6, "one attempt and five repeats");
    let marked: Vec<_> =
        received.iter().map(|r| visible(r.json.as_ref().unwrap()).contains("may be a repeat")).collect();
    assert_eq!(marked, [false, true, true, true, true, true]);
}

#[tokio::test]
async fn a_message_refused_for_what_it_says_is_a_dead_letter_with_the_platforms_words_and_blocks_nobody() {
    let place = Place::with("", TO_SLACK);
    place.slack.script([Behaviour::Answer(Answer::text(400, "user_not_found"))]);
    let bugle = place.serve();
    bugle.accept("backend", bugsnag("one", json!({}))).await;
    bugle.accept("backend", bugsnag("two", json!({}))).await;
    wait_shown(&place.slack, 1).await;
    assert_eq!(order(&place), ["two"]);
    let dead = "SELECT reason || ' ' || words FROM deliveries WHERE state = 'dead'";
    place.until(dead, "misconfigured user_not_found").await;
}

/// For each platform an answer that refuses the form of a message, and its words as they are kept.
fn refusals(place: &Place) -> [(&Pretend, Answer, &'static str); 3] {
    let form = json!({"code": 50035, "message": "Invalid Form Body", "errors": {
        "embeds": {"0": {"title": {"_errors": [{"code": "X", "message": "No."}]}}}}});
    let size = json!({"error": {"code": "RequestEntityTooLarge", "message": "Too much."}});
    [
        (&place.slack, Answer::text(400, "invalid_blocks"), "invalid_payload invalid_blocks"),
        (&place.teams, Answer::json(413, &size), "too_long RequestEntityTooLarge Too much."),
        (
            &place.discord,
            Answer::json(400, &form),
            "invalid_payload 50035 Invalid Form Body (embeds.0.title: No.)",
        ),
    ]
}

#[tokio::test]
async fn a_message_whose_form_is_refused_arrives_in_its_simplest() {
    let place = Place::with(
        "",
        "[[rules]]\nname = \"r\"\nsend_to = [\"slack\", \"teams\", \"discord\"]\nmention = [\"ann\"]\n",
    );
    for (chat, answer, _) in refusals(&place) {
        chat.script([Behaviour::Answer(answer)]);
    }
    let bugle = place.serve();
    let id = bugle.accept("backend", bugsnag("one", json!({}))).await.remove(0);
    for (chat, _, words) in refusals(&place) {
        let (name, message) = (chat.product().as_str(), wait_shown(chat, 1).await.remove(0));
        let seen = visible(message.json.as_ref().unwrap());
        for part in
            ["Timeout", "message of one", &format!("#{id}"), "shortened: the full message was refused"]
        {
            assert!(seen.contains(part), "{name}: {part} is not in {seen}");
        }
        assert!(!seen.contains("Severity") && !seen.contains("may be a repeat"), "{name}: {seen}");
        assert_eq!(message.pings.len(), 1, "{name}: {:?}", message.pings);
        let delivery = format!("FROM deliveries WHERE destination = '{name}'");
        place.until(&format!("SELECT state || failures || unclear {delivery}"), "delivered00").await;
        let attempts = format!(
            "SELECT group_concat(outcome || ' ' || reason || ' ' || words, '; ') FROM
             (SELECT * FROM attempts WHERE delivery IN (SELECT id {delivery}) AND reason <> 'ok' ORDER BY id)"
        );
        place.until(&attempts, &format!("refused {words}")).await;
    }
    place.until("SELECT count(*) FROM attempts", "6").await;
    let log = bugle.log();
    let told: Vec<&str> =
        log.lines().filter(|line| line.contains("once more in its simplest form")).collect();
    assert_eq!(told.len(), 3, "{told:#?}");
    assert!(
        told.iter().all(|line| line.contains("\"WARN\"")) && told.concat().contains("\"invalid_blocks\"")
    );
}

#[tokio::test]
async fn a_message_refused_in_its_simplest_form_as_well_is_a_dead_letter_and_blocks_nobody() {
    let place = Place::new();
    for (chat, answer, _) in refusals(&place) {
        chat.script([Behaviour::Answer(answer.clone()), Behaviour::Answer(answer)]);
    }
    let bugle = place.serve();
    bugle.accept("backend", bugsnag("one", json!({}))).await;
    bugle.accept("backend", bugsnag("two", json!({}))).await;
    for (chat, _, words) in refusals(&place) {
        let name = chat.product().as_str();
        let message = wait_shown(chat, 1).await.remove(0);
        assert!(visible(message.json.as_ref().unwrap()).contains("message of two"), "{name}");
        assert_eq!(chat.count(), 3, "{name}: in full, in its simplest form, and the next message");
        let dead = format!(
            "SELECT reason || ' ' || words FROM deliveries WHERE state = 'dead' AND destination = '{name}'"
        );
        place.until(&dead, words).await;
    }
}

#[tokio::test]
async fn the_second_try_keeps_the_pace() {
    let place = Place::with("", TO_SLACK);
    let config = std::fs::read_to_string(place.path("config.toml")).unwrap();
    place.write("config.toml", &config.replace("rate = \"50/s\"", "rate = \"1/s\""));
    place.slack.script([Behaviour::Answer(Answer::text(400, "msg_too_long"))]);
    let bugle = place.serve();
    bugle.accept("backend", bugsnag("one", json!({}))).await;
    wait_shown(&place.slack, 1).await;
    let received = place.slack.received();
    assert!(received[1].at - received[0].at >= Duration::from_millis(950));
}

#[tokio::test]
async fn destinations_of_one_pace_group_share_one_pace() {
    let place = Place::with("", "[[rules]]\nname = \"r\"\nsend_to = [\"slack\", \"discord\", \"teams\"]\n");
    let config = std::fs::read_to_string(place.path("config.toml")).unwrap();
    let shared = "rate = \"3/s\"\npace_group = \"one person's\"";
    // All three would be faster by themselves.
    place.write("config.toml", &config.replacen("rate = \"50/s\"", shared, 2));
    let bugle = place.serve();
    for id in ["one", "two"] {
        bugle.accept("backend", bugsnag(id, json!({}))).await;
    }
    let mut moments = Vec::new();
    for chat in [&place.slack, &place.teams] {
        moments.extend(wait_shown(chat, 2).await.iter().map(|received| received.at));
    }
    moments.sort_unstable();
    for pair in moments.windows(2) {
        assert!(pair[1] - pair[0] >= Duration::from_millis(300), "{moments:?}");
    }
    wait_shown(&place.discord, 2).await;
}

#[tokio::test]
async fn a_gone_destination_keeps_its_queue_until_its_address_changes() {
    let mut place = Place::with("", &TO_SLACK.replace("\"slack\"", "[\"slack\", \"discord\"]"));
    place.slack.always(Behaviour::Answer(Answer::text(404, "no_service")));
    let bugle = place.serve();
    bugle.accept("backend", bugsnag("one", json!({}))).await;
    place.until("SELECT gone_words FROM destinations WHERE name = 'slack'", "no_service").await;
    bugle.accept("backend", bugsnag("two", json!({}))).await;
    // The other destination's courier was woken by the same commit; when it is done, this one would be, too.
    wait_shown(&place.discord, 2).await;
    place.until("SELECT count(*) FROM deliveries WHERE state = 'waiting'", "2").await;
    assert_eq!(place.slack.count(), 1, "it is not asked again");
    bugle.kill().await;

    let same = place.serve();
    assert!(same.log().contains("its webhook is gone"));
    same.accept("backend", bugsnag("three", json!({}))).await;
    wait_shown(&place.discord, 3).await;
    assert_eq!(place.slack.count(), 1, "not after a restart either");
    same.kill().await;

    place.slack = Pretend::start(bugle::pretend::Product::Slack).unwrap();
    place.write("slack.url", &place.slack.url());
    place.configure("", TO_SLACK);
    let _bugle = place.serve();
    wait_shown(&place.slack, 3).await;
    assert_eq!(order(&place), ["one", "two", "three"]);
    place.until("SELECT count(*) FROM destinations WHERE gone_since IS NOT NULL", "0").await;
}

#[tokio::test]
async fn one_destination_that_hangs_delays_no_other() {
    let place = Place::new();
    let config = std::fs::read_to_string(place.path("config.toml")).unwrap();
    place.write("config.toml", &config.replace("timeout = \"2s\"", "timeout = \"5m\""));
    place.slack.always(Behaviour::Hang);
    place.teams.always(Behaviour::Flood(Answer::text(500, "x"), 50 << 20));
    let bugle = place.serve();
    for id in ["one", "two", "three"] {
        bugle.accept("backend", bugsnag(id, json!({}))).await;
        place.slack.wait_for(1, PATIENCE).await.unwrap();
    }
    wait_shown(&place.discord, 3).await;
    let open = "SELECT count(*) FROM attempts a JOIN deliveries d ON d.id = a.delivery
                WHERE a.ended_at IS NULL AND d.destination = 'slack'";
    place.until(open, "1").await;
    assert!(shown(&place.slack).is_empty() && shown(&place.teams).is_empty());
}

#[tokio::test]
async fn a_platform_that_is_not_there_is_waited_for() {
    let mut place = Place::with("", TO_SLACK);
    place.slack.stop();
    let bugle = place.serve();
    bugle.accept("backend", bugsnag("one", json!({}))).await;
    place.until("SELECT count(*) > 1 FROM attempts WHERE reason = 'connect'", "1").await;
    place.until("SELECT state || unclear FROM deliveries", "waiting0").await;
}

#[tokio::test]
async fn only_rules_mention() {
    let rules = r#"
[[rules]]
name = "calls"
when.message = "*calls*"
send_to = ["slack", "teams", "discord"]
mention = ["here", "ann"]

[[rules]]
name = "quiet"
send_to = ["slack", "teams", "discord"]
"#;
    let place = Place::with("", rules);
    let bugle = place.serve();
    let shout = "<!channel> <!here> <@U012AB3CD> @everyone @here <@123456789012345678> <at>Ann</at> [x](http://x.example)";
    let hostile = json!({
        "project": {"name": shout}, "trigger": {"message": shout}, "comment": {"message": shout},
        "error": {"exceptionClass": shout, "message": shout, "context": shout, "app": {"version": shout},
                  "stackTrace": [{"file": shout, "method": shout, "inProject": true}]},
    });
    bugle.accept("backend", bugsnag("hostile", hostile)).await;
    bugle.accept("backend", bugsnag("one that calls", json!({}))).await;
    for chat in place.chats() {
        let messages = wait_shown(chat, 2).await;
        assert_eq!(messages[0].pings, Vec::<String>::new(), "{}", chat.product());
        assert!(!messages[1].pings.is_empty(), "{}", chat.product());
    }
    assert_eq!(shown(&place.slack)[1].pings, ["<!here>", "<@U012AB3CD>"]);
}

#[tokio::test]
async fn forum_posts_are_named_by_template() {
    let place = Place::with("", "[[rules]]\nname = \"r\"\nsend_to = \"discord\"\n");
    let config = std::fs::read_to_string(place.path("config.toml")).unwrap();
    let named = "type = \"discord\"\nthread_name = \"{{app.name}} {{app.version}} {{app.build}}\"";
    place.write("config.toml", &config.replace("type = \"discord\"", named));
    place.discord.forum(true);
    let bugle = place.serve();
    bugle.accept("backend", bugsnag("one", json!({}))).await;
    let message = &wait_shown(&place.discord, 1).await[0];
    assert_eq!(message.json.as_ref().unwrap()["thread_name"], "Shop API 1.2.3");
}

#[test]
fn a_thread_named_by_no_field_is_a_problem() {
    let place = Place::with("", "[[rules]]\nname = \"r\"\nsend_to = \"discord\"\n");
    let config = std::fs::read_to_string(place.path("config.toml")).unwrap();
    place.write(
        "config.toml",
        &config.replace("\"discord\"\n", "\"discord\"\nthread_name = \"{{app.nam}}\"\n"),
    );
    let output = place.command(&["check"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(78));
    assert!(text.contains("app.nam") && text.contains("did you mean `app.name`?"), "{text}");
}

#[tokio::test]
async fn two_messages_that_always_fail_do_not_block_the_others() {
    for failure in [Behaviour::Answer(Answer::text(500, "rollup_error")), Behaviour::Reset] {
        let place = Place::with("", TO_SLACK);
        let bugle = {
            place.slack.script([Behaviour::Answer(Answer::text(429, "").with("retry-after", "1"))]);
            place.slack.always(failure);
            let bugle = place.serve();
            for id in ["first", "second", "third"] {
                bugle.accept("backend", bugsnag(id, json!({}))).await;
            }
            bugle
        };
        // The wait, three failures of the first, one of the second: the destination is down, as far as anybody can tell.
        let all = place.slack.wait_for(5, PATIENCE).await.unwrap();
        let tried = all[1..].iter().map(|received| visible(received.json.as_ref().unwrap()));
        let tried: Vec<_> = tried.map(|text| text.contains("message of first")).collect();
        assert_eq!(tried, [true, true, true, false]);
        place.slack.recover();
        wait_shown(&place.slack, 1).await;
        assert_eq!(order(&place)[0], "third", "who has not been tried yet is asked next");
        wait_shown(&place.slack, 3).await;
        drop(bugle);
    }
}

#[tokio::test]
async fn a_wait_without_a_word_of_how_long_grows_each_time_and_uses_up_no_attempt() {
    let place = Place::with("", TO_SLACK);
    place.slack.script((0..2).map(|_| Behaviour::Answer(Answer::text(429, ""))));
    let bugle = place.serve();
    bugle.accept("backend", bugsnag("one", json!({}))).await;
    let received = wait_shown(&place.slack, 1).await;
    let all = place.slack.received();
    assert!(all[1].at - all[0].at >= Duration::from_millis(990), "a second");
    assert!(received[0].at - all[1].at >= Duration::from_millis(1_990), "then two");
    place.until("SELECT failures || state FROM deliveries", "0delivered").await;
}

#[tokio::test]
async fn an_edge_that_shuts_us_out_without_a_word_is_left_alone_for_ten_minutes_after_a_restart_too() {
    let place = Place::with("", "[[rules]]\nname = \"r\"\nsend_to = \"discord\"\n");
    place.discord.script([Behaviour::Answer(Answer::text(429, "error code: 1015"))]);
    let bugle = place.serve();
    bugle.accept("backend", bugsnag("one", json!({}))).await;
    place.until("SELECT hold_reason FROM destinations WHERE name = 'discord'", "banned").await;
    let waits = "SELECT hold_until - max(ended_at) BETWEEN 600000 AND 660000 FROM destinations, attempts WHERE name = 'discord'";
    place.until(waits, "1").await;
    let until: i64 = place.ask("SELECT hold_until FROM destinations WHERE name = 'discord'");
    bugle.kill().await;
    let bugle = place.serve();
    bugle.accept("backend", bugsnag("two", json!({}))).await;
    assert_eq!(place.ask::<i64>("SELECT hold_until FROM destinations WHERE name = 'discord'"), until);
    assert_eq!(place.discord.count(), 1);
}
