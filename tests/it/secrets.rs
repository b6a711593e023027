//! Secrets stay where they are: not one shows in any log line, at any level, whatever goes wrong.

use bugle::pretend::{Answer, Behaviour, Pretend};
use nix::sys::signal::Signal;
use reqwest::Method;
use serde_json::json;

use crate::bugle::{Place, SECOND_TOKEN, TOKEN, answer, bugsnag, wait_shown};

#[tokio::test]
async fn no_token_and_no_address_is_ever_logged() {
    let mut place = Place::new();
    let secrets: Vec<String> = place
        .chats()
        .map(|chat| chat.url().rsplit(['/', '=']).next().unwrap().to_owned())
        .into_iter()
        .chain([TOKEN.to_owned(), SECOND_TOKEN.to_owned(), "api-key-of-the-app".to_owned()])
        .collect();
    place.teams.script([Behaviour::Reset, Behaviour::Hang, Behaviour::Answer(Answer::text(404, "gone"))]);
    place.discord.script([Behaviour::Answer(Answer::text(302, "").with("location", place.discord.url()))]);
    let mut bugle = place.serve();
    let hostile = json!({"project": {"apiKey": "api-key-of-the-app"}});
    bugle.accept("backend", bugsnag("one", hostile)).await;
    bugle.post("backend", "not json").await;
    for path in [format!("/hooks/{TOKEN}"), format!("/{TOKEN}"), format!("/hooks/nosuch/{TOKEN}")] {
        answer(bugle.request(Method::POST, &path)).await;
    }
    answer(bugle.request(Method::GET, &format!("/hooks/backend/{TOKEN}?type={TOKEN}"))).await;
    answer(bugle.request(Method::POST, "/hooks/backend").bearer_auth(format!("{TOKEN}x"))).await;
    wait_shown(&place.slack, 1).await;
    place.until("SELECT count(*) FROM destinations WHERE gone_since IS NOT NULL", "1").await;
    Pretend::stop(&mut place.slack);
    bugle.accept("backend", bugsnag("two", json!({}))).await;
    place.until("SELECT count(*) > 0 FROM attempts WHERE reason = 'connect'", "1").await;
    bugle.signal(Signal::SIGTERM);
    bugle.end().await;
    let log = bugle.log();
    assert!(
        log.contains("webhook refused") && log.contains("the webhook is gone"),
        "there is something to look at"
    );
    // Whatever a dependency might write at these levels, now or after an update, is not let through.
    for line in log.lines() {
        let fields: serde_json::Value = serde_json::from_str(line).unwrap();
        let (level, target) = (fields["level"].as_str().unwrap(), fields["target"].as_str().unwrap());
        assert!(!matches!(level, "DEBUG" | "TRACE") || target.starts_with("bugle"), "{line}");
    }
    for secret in &secrets {
        assert!(secret.len() > 10);
        for line in log.lines() {
            assert!(!line.contains(secret.as_str()), "{line}");
        }
    }
    let connection = rusqlite::Connection::open(place.path("bugle.db")).unwrap();
    for column in ["words", "reason", "outcome"] {
        let sql = format!("SELECT count(*) FROM attempts WHERE instr({column}, ?1) > 0");
        for secret in &secrets {
            let found: i64 = connection.query_row(&sql, [secret], |row| row.get(0)).unwrap();
            assert_eq!(found, 0, "{column}");
        }
    }
}
