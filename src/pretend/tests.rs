//! The server on the wire: behaviours, kept connections, chunks, rates.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::json;

use super::*;

const PATIENCE: Duration = Duration::from_secs(5);

/// Sends `bytes` and gives all that comes back until the connection ends.
fn raw(pretend: &Pretend, bytes: &str) -> String {
    let mut stream = TcpStream::connect(pretend.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(bytes.as_bytes()).unwrap();
    let mut answer = String::new();
    drop(stream.read_to_string(&mut answer));
    answer
}

fn request(pretend: &Pretend, extra: &str, body: &str) -> String {
    let path = pretend.shared.webhook().path;
    format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{extra}\r\n\r\n{body}")
}

fn body_of(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap().1
}

#[test]
fn a_connection_is_kept_for_request_after_request() {
    let pretend = Pretend::start(Product::Slack).unwrap();
    let first = request(&pretend, "Content-Length: 14", r#"{"text":"one"}"#);
    let second = request(&pretend, "Content-Length: 14\r\nConnection: close", r#"{"text":"two"}"#);
    let answer = raw(&pretend, &format!("{first}{second}"));
    assert_eq!(answer.matches("200 OK").count(), 2, "{answer}");
    let received = pretend.received();
    assert_eq!(received[1].json, Some(json!({ "text": "two" })));
    assert!(received.iter().all(|received| received.is_shown()));
}

#[test]
fn chunks_are_put_together() {
    let pretend = Pretend::start(Product::Slack).unwrap();
    let body = "9;a=b\r\n{\"text\":\"\r\n5\r\nhello\r\n2\r\n\"}\r\n0\r\nTrailer: x\r\n\r\n";
    let answer = raw(&pretend, &request(&pretend, "Transfer-Encoding: chunked\r\nConnection: close", body));
    assert_eq!(body_of(&answer), "ok");
    assert_eq!(pretend.received()[0].json, Some(json!({ "text": "hello" })));
}

#[test]
fn who_expects_a_go_ahead_gets_one() {
    let pretend = Pretend::start(Product::Slack).unwrap();
    let head = "Content-Length: 14\r\nExpect: 100-continue\r\nConnection: close";
    let answer = raw(&pretend, &request(&pretend, head, r#"{"text":"one"}"#));
    assert!(answer.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"), "{answer}");
}

#[test]
fn nonsense_is_answered_and_not_recorded() {
    let pretend = Pretend::start(Product::Slack).unwrap();
    assert!(raw(&pretend, "hello\r\n\r\n").starts_with("HTTP/1.1 400"));
    let endless = format!("POST / HTTP/1.1\r\nX: {}", "x".repeat(70_000));
    assert!(raw(&pretend, &endless).starts_with("HTTP/1.1 400"));
    assert_eq!(pretend.count(), 0);
}

#[test]
fn the_script_comes_before_the_platforms_own_answers() {
    let pretend = Pretend::start(Product::Slack).unwrap();
    pretend.script([
        Behaviour::Answer(Answer::text(503, "later").with("Retry-After", "7")),
        Behaviour::Close,
        Behaviour::Reset,
        Behaviour::Half(Answer::text(200, "ok")),
        Behaviour::Drip(Answer::text(200, "ok"), Duration::from_millis(1)),
        Behaviour::Flood(Answer::text(200, "ok"), 3_000_000),
    ]);
    let ask =
        || raw(&pretend, &request(&pretend, "Content-Length: 14\r\nConnection: close", r#"{"text":"one"}"#));
    assert!(ask().contains("Retry-After: 7\r\n"));
    assert_eq!(ask(), "");
    assert_eq!(ask(), "");
    assert!(!ask().ends_with("ok"));
    assert!(ask().ends_with("ok"));
    assert_eq!(body_of(&ask()).len(), 3_000_002);
    assert!(ask().ends_with("ok"));
    let shown: Vec<bool> = pretend.received().iter().map(|received| received.is_shown()).collect();
    assert_eq!(shown, [false, false, false, true, true, true, true]);
}

#[test]
fn a_standing_behaviour_lasts_until_recovery() {
    let pretend = Pretend::start(Product::Discord).unwrap();
    pretend.always(Behaviour::Answer(Answer::empty(502)));
    let ask = || {
        raw(
            &pretend,
            &request(
                &pretend,
                "User-Agent: x\r\nContent-Length: 13\r\nConnection: close",
                r#"{"content":1}"#,
            ),
        )
    };
    assert!(ask().starts_with("HTTP/1.1 502"));
    assert!(ask().starts_with("HTTP/1.1 502"));
    pretend.recover();
    let refusal = ask();
    assert!(refusal.contains("50035") && refusal.contains("X-RateLimit-Remaining: 4\r\n"), "{refusal}");
}

#[test]
fn rates_are_kept_when_asked_for() {
    let pretend = Pretend::start(Product::Slack).unwrap();
    pretend.keep_rates(true);
    let ask =
        || raw(&pretend, &request(&pretend, "Content-Length: 14\r\nConnection: close", r#"{"text":"one"}"#));
    let answers: Vec<String> = (0..4).map(|_| ask()).collect();
    assert!(answers[2].starts_with("HTTP/1.1 200"));
    assert!(
        answers[3].starts_with("HTTP/1.1 429") && answers[3].contains("Retry-After: 1\r\n"),
        "{}",
        answers[3]
    );
}

#[test]
fn a_stopped_server_refuses_connections_and_remembers() {
    let mut pretend = Pretend::start(Product::Slack).unwrap();
    raw(&pretend, &request(&pretend, "Content-Length: 14\r\nConnection: close", r#"{"text":"one"}"#));
    pretend.stop();
    assert!(TcpStream::connect(pretend.address).is_err());
    assert_eq!(pretend.count(), 1);
}

#[tokio::test]
async fn arrivals_can_be_waited_for() {
    let pretend = Pretend::start(Product::Teams).unwrap();
    let Webhook { path, query, .. } = pretend.shared.webhook();
    let target = format!("{path}?{query}");
    let card =
        json!({ "type": "AdaptiveCard", "version": "1.4", "body": [{ "type": "TextBlock", "text": "x" }] });
    let body = json!({ "type": "message", "attachments": [
        { "contentType": "application/vnd.microsoft.card.adaptive", "content": card } ] });
    let (answer, received) =
        tokio::join!(post(pretend.address, &target, &body), pretend.wait_for(1, PATIENCE));
    assert_eq!(answer.unwrap(), (202, String::new()));
    assert_eq!(received.unwrap()[0].request.target(), target);
    let missing = pretend.wait_for(2, Duration::from_millis(10)).await.unwrap_err();
    assert_eq!(missing.have, 1);
}

#[test]
fn every_product_has_a_webhook_of_its_own() {
    for product in Product::ALL {
        assert_ne!(Webhook::fresh(product), Webhook::fresh(product));
        assert!(Pretend::start(product).unwrap().url().starts_with("http://127.0.0.1:"));
    }
}

#[test]
fn the_most_that_came_within_a_span_is_counted_over_all_servers_of_a_clock() {
    let clock = Clock::by_hand(crate::clock::Moment(0));
    let pretends = [(); 2].map(|()| Pretend::start_by(clock.clone(), Product::Slack).unwrap());
    let chats: Vec<&Pretend> = pretends.iter().collect();
    assert_eq!(most_within(&chats, CEILING.1), 0);
    for (number, (pause, chat)) in [(0, 0), (1, 1), (4, 0), (1, 1), (4, 1)].into_iter().enumerate() {
        clock.advance(Duration::from_mins(pause));
        let body = format!(r#"{{"text":"number {number}"}}"#);
        let headers = format!("Content-Length: {}\r\nConnection: close", body.len());
        raw(&pretends[chat], &request(&pretends[chat], &headers, &body));
    }
    assert_eq!(most_within(&chats, CEILING.1), 2, "what came five minutes earlier is over");
    assert_eq!(most_within(&chats, Duration::from_mins(6)), 3);
    assert_eq!(most_within(&chats[..1], CEILING.1), 1);
}
