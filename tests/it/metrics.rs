//! What is counted, and who may see it: the numbers are exactly right, and no secret is among them.

mod documents;
pub(crate) mod exposition;

use bugle::pretend::{Answer, Behaviour, Pretend};
use nix::sys::signal::Signal;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::bugle::{Bugle, PATIENCE, Place, SECOND_TOKEN, TOKEN, answer, bugsnag, wait_shown};

use exposition::Exposition;

const RULES: &str = "
[[rules]]
name = \"known noise\"
when.message = \"*noise*\"
send_to = []

[[rules]]
name = \"new errors\"
when.trigger = \"firstException\"
send_to = [\"slack\", \"teams\", \"discord\"]
";

#[tokio::test]
async fn what_comes_in_is_counted_by_its_source() {
    let place = Place::with("", RULES);
    let bugle = place.serve();
    bugle.accept("backend", bugsnag("one", json!({}))).await;
    bugle.accept("backend", bugsnag("one", json!({}))).await;
    bugle.accept("backend", bugsnag("two", json!({"error": {"message": "noise of two"}}))).await;
    bugle.accept("backend", bugsnag("three", json!({"trigger": {"type": "reopened"}}))).await;
    bugle.accept("mobile", "[{}, {\"nothing\": 1}]").await;
    bugle.accept("mobile", "[]").await;
    assert_eq!(bugle.post("backend", "not json").await.0, 400);
    for (path, status) in
        [("/hooks/backend/wrong", 401), ("/hooks/backend", 401), ("/hooks/a-guess/x", 404), ("/hooks", 404)]
    {
        assert_eq!(answer(bugle.request(Method::POST, path).body("{}")).await.0, status);
    }
    for chat in place.chats() {
        wait_shown(chat, 1).await;
    }
    let (backend, mobile) = (("source", "backend"), ("source", "mobile"));
    let shown = Exposition::of(&bugle).await;
    shown.shows(&[
        ("bugle_webhooks_received_total", &[backend], 7.0),
        ("bugle_webhooks_received_total", &[mobile], 2.0),
        ("bugle_webhooks_received_total", &[("source", "")], 1.0),
        ("bugle_webhooks_rejected_total", &[backend, ("reason", "unauthorized")], 2.0),
        ("bugle_webhooks_rejected_total", &[backend, ("reason", "not_json")], 1.0),
        ("bugle_webhooks_rejected_total", &[backend], 3.0),
        ("bugle_webhooks_rejected_total", &[mobile], 0.0),
        ("bugle_webhooks_rejected_total", &[("source", ""), ("reason", "unknown_source")], 1.0),
        ("bugle_events_accepted_total", &[backend], 3.0),
        ("bugle_events_duplicate_total", &[backend], 1.0),
        ("bugle_events_unmatched_total", &[backend], 1.0),
        ("bugle_events_dropped_total", &[backend], 1.0),
        ("bugle_events_routed_total", &[backend], 1.0),
        ("bugle_events_read", &[backend], 4.0),
        ("bugle_events", &[backend, ("fate", "routed")], 1.0),
        ("bugle_events", &[backend, ("fate", "dropped")], 1.0),
        ("bugle_events", &[backend, ("fate", "unmatched")], 1.0),
        ("bugle_events", &[backend, ("fate", "duplicate")], 1.0),
        ("bugle_events_read", &[mobile], 2.0),
        ("bugle_events_unreadable_total", &[backend], 0.0),
        ("bugle_events_accepted_total", &[mobile], 2.0),
        ("bugle_events_unreadable_total", &[mobile], 2.0),
        ("bugle_events_unmatched_total", &[mobile], 2.0),
    ]);
    assert!(!shown.text.contains("a-guess"), "what a caller makes up is no label");
}

/// An event for each chat, which answer as their platforms would not: late, with a wait, with a refusal, or never again.
async fn trouble(place: &Place, bugle: &Bugle) -> Exposition {
    place.slack.script([
        Behaviour::Answer(Answer::text(500, "rollup_error")),
        Behaviour::Answer(Answer::text(429, "").with("retry-after", "1")),
        Behaviour::Normal,
        Behaviour::Answer(Answer::text(400, "user_not_found")),
    ]);
    place.teams.always(Behaviour::Answer(Answer::text(404, "")));
    place.discord.script([Behaviour::Reset]);
    bugle.accept("backend", bugsnag("one", json!({}))).await;
    wait_shown(&place.slack, 1).await;
    bugle.accept("backend", bugsnag("two", json!({}))).await;
    wait_shown(&place.discord, 2).await;
    Exposition::until(bugle, |shown| {
        let sum = |name, destination| shown.sum(name, &[("destination", destination)]);
        sum("bugle_deliveries_delivered_total", "slack") >= 1.0
            && sum("bugle_deliveries_delivered_total", "discord") >= 2.0
            && sum("bugle_dead_letters_total", "slack") >= 1.0
            // What the store says is read before what was counted: it may be a little older.
            && sum("bugle_deliveries_queued", "slack") < 1.0
            && sum("bugle_deliveries_queued", "discord") < 1.0
            && sum("bugle_destination_gone", "teams") >= 1.0
    })
    .await
}

#[tokio::test]
async fn what_goes_out_is_counted_by_its_destination_and_a_restart_forgets_no_state() {
    let place = Place::with("", RULES);
    let mut bugle = place.serve();
    let shown = trouble(&place, &bugle).await;
    let [slack, teams, discord] = ["slack", "teams", "discord"].map(|name| ("destination", name));
    let attempts = "bugle_delivery_attempts_total";
    shown.shows(&[
        (attempts, &[slack], 4.0),
        (attempts, &[slack, ("outcome", "passing"), ("reason", "server_error")], 1.0),
        (attempts, &[slack, ("outcome", "wait"), ("reason", "rate_limited")], 1.0),
        (attempts, &[slack, ("outcome", "delivered"), ("reason", "ok")], 1.0),
        (attempts, &[slack, ("outcome", "refused"), ("reason", "misconfigured")], 1.0),
        (attempts, &[teams], 1.0),
        (attempts, &[teams, ("outcome", "gone"), ("reason", "webhook_gone")], 1.0),
        (attempts, &[discord], 3.0),
        (attempts, &[discord, ("outcome", "unclear"), ("reason", "broken")], 1.0),
        (attempts, &[discord, ("outcome", "delivered")], 2.0),
        ("bugle_delivery_attempt_duration_seconds_count", &[slack], 4.0),
        ("bugle_deliveries_delivered_total", &[slack], 1.0),
        ("bugle_deliveries_delivered_total", &[teams], 0.0),
        ("bugle_deliveries_delivered_total", &[discord], 2.0),
        ("bugle_delivery_delay_seconds_count", &[discord], 2.0),
        ("bugle_dead_letters_total", &[slack, ("reason", "misconfigured")], 1.0),
        ("bugle_dead_letters_total", &[slack], 1.0),
        ("bugle_dead_letters_total", &[teams], 0.0),
        ("bugle_destination_gone", &[slack], 0.0),
    ]);
    states(&shown);
    assert!(shown.sum("bugle_delivery_delay_seconds_sum", &[slack]) >= 0.99, "the platform's wait is in it");
    let since = shown.sum("process_start_time_seconds", &[]);
    assert!(shown.sum("bugle_destination_last_success_timestamp_seconds", &[discord]) >= since);
    assert_eq!(shown.find("bugle_destination_last_success_timestamp_seconds", &[teams]), None);
    bugle.signal(Signal::SIGTERM);
    bugle.end().await;
    let bugle = place.serve();
    let hold = "bugle_destination_hold_seconds";
    let shown = Exposition::until(&bugle, |shown| shown.sum(hold, &[teams]) > 0.0).await;
    shown.shows(&[
        (attempts, &[], 0.0),
        ("bugle_dead_letters_total", &[], 0.0),
        ("bugle_events_accepted_total", &[], 0.0),
    ]);
    states(&shown);
}

/// What is so whether or not there was a restart in between.
fn states(shown: &Exposition) {
    let [slack, teams, discord] = ["slack", "teams", "discord"].map(|name| ("destination", name));
    shown.shows(&[
        ("bugle_deliveries_queued", &[slack], 0.0),
        ("bugle_deliveries_queued", &[teams], 2.0),
        ("bugle_deliveries_queued", &[discord], 0.0),
        ("bugle_deliveries_oldest_age_seconds", &[slack], 0.0),
        ("bugle_dead_letters_kept", &[slack], 1.0),
        ("bugle_dead_letters_kept", &[teams], 0.0),
        ("bugle_destination_gone", &[teams], 1.0),
        ("bugle_destination_hold_seconds", &[slack], 0.0),
        ("bugle_deliveries_owed", &[], 6.0),
        ("bugle_deliveries_owed", &[teams], 2.0),
        ("bugle_deliveries_settled", &[teams], 0.0),
        ("bugle_deliveries_settled", &[slack, ("state", "delivered")], 1.0),
        ("bugle_deliveries_settled", &[slack, ("state", "dead")], 1.0),
        ("bugle_deliveries_settled", &[discord, ("state", "delivered")], 2.0),
        ("bugle_deliveries_held", &[], 0.0),
        ("bugle_events_read", &[("source", "backend")], 2.0),
        ("bugle_events", &[("source", "backend"), ("fate", "routed")], 2.0),
    ]);
    assert!(shown.sum("bugle_deliveries_oldest_age_seconds", &[teams]) > 0.0);
    let hold = shown.sum("bugle_destination_hold_seconds", &[teams]);
    assert!(hold > 3_000.0 && hold <= 3_600.0, "{hold}");
}

#[tokio::test]
async fn an_attempt_that_was_cut_off_is_counted_at_the_next_start() {
    let place = Place::with("", RULES);
    place.slack.script([Behaviour::Hang]);
    let bugle = place.serve();
    bugle.accept("backend", bugsnag("one", json!({}))).await;
    place
        .until(
            "SELECT group_concat(state) FROM deliveries WHERE destination <> 'slack'",
            "delivered,delivered",
        )
        .await;
    place.until("SELECT count(*) FROM attempts WHERE ended_at IS NULL", "1").await;
    bugle.kill().await;
    let bugle = place.serve();
    let interrupted: &[(&str, &str)] = &[("outcome", "unclear"), ("reason", "interrupted")];
    let shown = Exposition::of(&bugle).await;
    shown.shows(&[("bugle_delivery_attempts_total", interrupted, 1.0)]);
}

#[tokio::test]
async fn what_bugle_says_of_itself_counts_where_it_goes_out() {
    let place = Place::with("", RULES);
    let config = std::fs::read_to_string(place.path("config.toml")).unwrap();
    place.write("config.toml", &format!("notices_to = \"teams\"\n{config}"));
    place.slack.always(Behaviour::Answer(Answer::text(404, "no_service")));
    let bugle = place.serve();
    bugle.accept("backend", bugsnag("one", json!({}))).await;
    wait_shown(&place.teams, 2).await;
    let (delivered, teams) = ("bugle_deliveries_delivered_total", [("destination", "teams")]);
    let shown = Exposition::until(&bugle, |shown| shown.sum(delivered, &teams) >= 2.0).await;
    shown.shows(&[
        ("bugle_events_accepted_total", &[], 1.0),
        ("bugle_events_unmatched_total", &[], 0.0),
        ("bugle_webhooks_received_total", &[], 1.0),
    ]);
}

#[tokio::test]
async fn what_moves_to_a_fallback_is_counted_where_it_came_from() {
    let rules = "[[rules]]\nname = \"both\"\nwhen.message = \"*both*\"\nsend_to = [\"slack\", \"discord\"]\nstop = true\n
        [[rules]]\nname = \"one\"\nsend_to = \"slack\"\n";
    let place = Place::with("", rules);
    let config = std::fs::read_to_string(place.path("config.toml")).unwrap();
    let with_fallback = "[destinations.slack]\nfallback = \"discord\"";
    place.write("config.toml", &config.replace("[destinations.slack]", with_fallback));
    place.slack.always(Behaviour::Answer(Answer::text(404, "no_service")));
    let bugle = place.serve();
    bugle.accept("backend", bugsnag("one", json!({}))).await;
    bugle.accept("backend", bugsnag("two", json!({"error": {"message": "to both"}}))).await;
    wait_shown(&place.discord, 2).await;
    let slack = ("destination", "slack");
    let moved = "bugle_deliveries_moved_total";
    let shown = Exposition::until(&bugle, |shown| shown.sum(moved, &[slack]) >= 2.0).await;
    shown.shows(&[
        (moved, &[slack, ("reason", "gone")], 1.0),
        (moved, &[slack, ("reason", "covered")], 1.0),
        (moved, &[("destination", "discord")], 0.0),
        ("bugle_deliveries_queued", &[slack], 0.0),
        ("bugle_destination_gone", &[slack], 1.0),
    ]);
}

#[tokio::test]
async fn a_template_that_fails_is_counted_and_named_in_the_log() {
    let place = Place::with("[templates]\nfolder = \"templates\"", RULES);
    std::fs::create_dir(place.path("templates")).unwrap();
    let many = "{{this}}".repeat(7);
    let template = format!("# t\n\n{{{{#each raw.a}}}}{{{{#each this}}}}{many}{{{{/each}}}}{{{{/each}}}}\n");
    place.write("templates/default.hbs", &template);
    place.write("templates/firstException.slack.json.hbs", r#"{"text": "{{title}} {{id}}"}"#);
    place.write("templates/firstException.hbs", &template);
    let bugle = place.serve();
    bugle.accept("backend", bugsnag("one", json!({}))).await;
    bugle.accept("backend", bugsnag("two", json!({"a": vec![vec![1; 100]; 100]}))).await;
    for chat in place.chats() {
        wait_shown(chat, 2).await;
    }
    let failures = "bugle_template_failures_total";
    let [slack, teams, discord] = ["slack", "teams", "discord"].map(|name| ("destination", name));
    Exposition::of(&bugle).await.shows(&[
        (failures, &[slack], 0.0),
        (failures, &[teams], 1.0),
        (failures, &[discord], 1.0),
    ]);
    let log = bugle.log();
    let lines: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let told = lines.iter().filter(|line| line["template"] == "firstException" && line["level"] == "WARN");
    assert_eq!(told.count(), 2, "{log}");
}

#[tokio::test]
async fn the_stores_trouble_is_shown_while_it_lasts() {
    let place = Place::with("", RULES);
    let bugle = place.serve();
    let mut other = rusqlite::Connection::open(place.path("bugle.db")).unwrap();
    let lock = other.transaction_with_behavior(rusqlite::TransactionBehavior::Exclusive).unwrap();
    let (status, _) = bugle.post("backend", bugsnag("one", json!({}))).await;
    assert_eq!(status, 503);
    let backend = ("source", "backend");
    let shown = Exposition::of(&bugle).await;
    shown.shows(&[
        ("bugle_store_trouble", &[], 1.0),
        ("bugle_webhooks_rejected_total", &[backend, ("reason", "store_unavailable")], 1.0),
        ("bugle_events_accepted_total", &[backend], 0.0),
    ]);
    let commits = shown.sum("bugle_store_commit_duration_seconds_count", &[]);
    let ready = answer(bugle.request(Method::GET, "/readyz")).await;
    assert_eq!((ready.0, &ready.1["message"]), (503, &json!("the store cannot be written")));
    drop(lock);
    bugle.accept("backend", bugsnag("one", json!({}))).await;
    let shown = Exposition::of(&bugle).await;
    shown.shows(&[("bugle_store_trouble", &[], 0.0), ("bugle_events_accepted_total", &[backend], 1.0)]);
    assert!(shown.sum("bugle_store_commit_duration_seconds_count", &[]) > commits);
    let (changes, count) = ("bugle_store_commit_changes_sum", "bugle_store_commit_changes_count");
    assert!(shown.sum(changes, &[]) >= shown.sum(count, &[]), "each commit has one change at least");
    let used = shown.sum("bugle_store_used_bytes", &[]);
    assert!(used > 0.0 && used <= shown.sum("bugle_store_file_bytes", &[]));
    shown.shows(&[("bugle_store_limit_bytes", &[], f64::from(2_u32 << 30))]);
}

#[tokio::test]
async fn no_secret_and_no_text_of_an_event_is_among_the_figures() {
    let place = Place::with("", RULES);
    let bugle = place.serve();
    let shown = trouble(&place, &bugle).await;
    let path = format!("/hooks/{TOKEN}/{SECOND_TOKEN}");
    answer(bugle.request(Method::POST, &path).body("{}")).await;
    let shown = [shown.text, Exposition::of(&bugle).await.text].concat();
    let parts = place.chats().map(|chat| chat.url().rsplit(['/', '=']).next().unwrap().to_owned());
    let hosts = place.chats().map(Pretend::host);
    let others = [TOKEN, SECOND_TOKEN, "message of", "Timeout", "Shop API"].map(str::to_owned);
    for secret in parts.iter().chain(&hosts).chain(&others) {
        assert!(secret.len() > 6 && !shown.contains(secret.as_str()), "{secret}");
    }
}

#[tokio::test]
async fn the_admin_address_shows_figures_and_nothing_else() {
    let bugle = Place::with("", RULES).serve();
    let cases = [
        (Method::GET, "/", 404, "not_found"),
        (Method::POST, "/metrics", 404, "not_found"),
        (Method::GET, "/metrics/x", 404, "not_found"),
        (Method::POST, "/hooks/backend/x", 404, "not_found"),
        (Method::GET, "/healthz", 404, "not_found"),
    ];
    for (method, path, status, code) in cases {
        let (got, refusal) = answer(bugle.admin_request(method.clone(), path)).await;
        assert_eq!((got, refusal["error"].as_str()), (status, Some(code)), "{method} {path}");
        assert!(refusal["message"].as_str().is_some_and(|sentence| sentence.len() > 10));
    }
}

#[tokio::test]
async fn with_a_token_the_admin_address_is_for_those_who_have_it() {
    let place = Place::with("", RULES);
    let config = std::fs::read_to_string(place.path("config.toml")).unwrap();
    let token = "an-admin-token-for-tests-0123456789";
    place.write("admin.token", token);
    place.write("config.toml", &config.replace("[admin]", "[admin]\ntoken = { file = \"admin.token\" }"));
    let bugle = place.serve();
    let get = |path: &str| bugle.admin_request(Method::GET, path);
    let cases = [
        (get("/metrics"), 401),
        (get("/elsewhere"), 401),
        (get(&format!("/metrics/{token}")), 401),
        (get("/metrics").bearer_auth(TOKEN), 401),
        (get("/metrics").bearer_auth(format!("{token}x")), 401),
        (get("/metrics").basic_auth(token, Some("x")), 401),
        (get("/metrics").bearer_auth(token), 200),
        (get("/metrics").basic_auth("prometheus", Some(token)), 200),
        (get("/elsewhere").bearer_auth(token), 404),
    ];
    for (request, status) in cases {
        let (got, body) = answer(request).await;
        assert_eq!(got, status, "{body}");
        assert_eq!(body["error"] == "unauthorized", status == 401, "{body}");
    }
    assert!(!bugle.log().contains(token));
}

#[tokio::test]
async fn a_scrape_that_hangs_does_not_delay_the_stop() {
    let mut bugle = Place::with("", RULES).serve();
    let mut caller = TcpStream::connect(&bugle.admin).await.unwrap();
    caller.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n").await.unwrap();
    let mut second = TcpStream::connect(&bugle.admin).await.unwrap();
    second.write_all(b"GET /metrics HTTP/1.1\r\n").await.unwrap();
    // By the time this is answered, the one before has been taken.
    Exposition::of(&bugle).await;
    bugle.signal(Signal::SIGTERM);
    assert!(bugle.end().await.success());
    assert!(!bugle.log().contains("not everything ended in time"), "{}", bugle.log());
}

#[tokio::test]
async fn each_reading_of_the_configuration_is_counted_and_what_is_new_begins_at_0() {
    let place = Place::with("", RULES);
    let bugle = place.serve();
    let first = Exposition::of(&bugle).await;
    first.shows(&[("bugle_configuration_last_reload_successful", &[], 1.0)]);
    let reloads = |result: &'static str| ("bugle_configuration_reloads_total", [("result", result)]);
    let again = async |result| {
        bugle.signal(Signal::SIGHUP);
        let (name, labels) = reloads(result);
        Exposition::until(&bugle, |shown| shown.sum(name, &labels) >= 1.0).await
    };
    let unchanged = again("unchanged").await;
    assert_eq!(hash(&unchanged), hash(&first));
    let config = std::fs::read_to_string(place.path("config.toml")).unwrap();
    place.write("config.toml", &format!("{config}\nnonsense"));
    let refused = again("refused").await;
    refused.shows(&[("bugle_configuration_last_reload_successful", &[], 0.0)]);
    assert_eq!(hash(&refused), hash(&first), "the one before stays in force");
    place.write("token", &format!("{TOKEN}\n"));
    let more = "[sources.web]\ntype = \"bugsnag\"\ntokens = [{ file = \"token\" }]\n
        [destinations.second]\ntype = \"slack\"\nurl = { file = \"slack.url\" }\n";
    place.write("config.toml", &format!("{config}\n{more}"));
    let applied = again("applied").await;
    assert_ne!(hash(&applied), hash(&first));
    let second = ("destination", "second");
    applied.shows(&[
        ("bugle_configuration_last_reload_successful", &[], 1.0),
        ("bugle_webhooks_received_total", &[("source", "web")], 0.0),
        ("bugle_webhooks_rejected_total", &[("source", "web"), ("reason", "unauthorized")], 0.0),
        ("bugle_delivery_attempts_total", &[second, ("outcome", "gone")], 0.0),
        ("bugle_deliveries_queued", &[second], 0.0),
        ("bugle_destination_hold_seconds", &[second], 0.0),
        ("bugle_configuration_info", &[], 1.0),
    ]);
    let success = "bugle_configuration_last_success_timestamp_seconds";
    assert!(applied.sum(success, &[]) > first.sum(success, &[]));
}

fn hash(shown: &Exposition) -> &str {
    &shown.families["bugle_configuration"].samples[0].labels["hash"]
}

#[tokio::test]
async fn another_admin_token_is_in_force_after_a_reload() {
    let place = Place::with("", RULES);
    let config = std::fs::read_to_string(place.path("config.toml")).unwrap();
    place.write("admin.token", "the-first-admin-token-0123456789");
    place.write("config.toml", &config.replace("[admin]", "[admin]\ntoken = { file = \"admin.token\" }"));
    let bugle = place.serve();
    place.write("admin.token", "the-second-admin-token-012345678");
    bugle.signal(Signal::SIGHUP);
    let get = |token: &str| answer(bugle.admin_request(Method::GET, "/metrics").bearer_auth(token));
    let begun = std::time::Instant::now();
    while get("the-second-admin-token-012345678").await.0 != 200 {
        assert!(begun.elapsed() < PATIENCE);
    }
    assert_eq!(get("the-first-admin-token-0123456789").await.0, 401);
}
