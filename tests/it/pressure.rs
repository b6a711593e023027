//! Intake under pressure: callers who are many, slow, silent or without end, and that they keep nobody out.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use nix::sys::signal::Signal;
use reqwest::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::bugle::{Bugle, PATIENCE, Place, TOKEN, answer};
use crate::metrics::exposition::Exposition;

/// A connection on which `bytes` have been sent.
async fn say(bugle: &Bugle, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(&bugle.address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream
}

/// All that comes until the connection ends, which it must.
async fn end_of(mut stream: TcpStream) -> String {
    let mut got = Vec::new();
    // A reset is an end, too.
    drop(timeout(PATIENCE, stream.read_to_end(&mut got)).await.expect("the connection ends"));
    String::from_utf8_lossy(&got).into_owned()
}

/// The status of the answer that comes next.
async fn status_of(stream: &mut TcpStream) -> u16 {
    let mut got = Vec::new();
    while !got.windows(4).any(|end| end == b"\r\n\r\n") {
        got.push(timeout(PATIENCE, stream.read_u8()).await.expect("an answer comes").unwrap());
    }
    String::from_utf8_lossy(&got).split(' ').nth(1).unwrap().parse().unwrap()
}

/// The head of a webhook with the right token, for a body of `length` bytes.
fn head(length: usize) -> String {
    format!("POST /hooks/backend/{TOKEN} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n")
}

#[tokio::test]
async fn those_who_ask_for_nothing_make_room_for_those_who_do() {
    let place = Place::with("max_connections = 16", "");
    let bugle = place.serve();
    let mut idle = Vec::new();
    for number in 0..64 {
        idle.push(say(&bugle, if number % 2 == 0 { b"" } else { b"GET /" }).await);
        if number % 8 == 0 {
            assert_eq!(bugle.post("backend", "{}").await.0, 200);
            assert_eq!(answer(bugle.request(Method::GET, "/healthz")).await.0, 200);
        }
    }
    let first = idle.remove(0);
    assert_eq!(end_of(first).await, "", "it was idle for longest");
    bugle.says("idle connections were closed to make room", 1).await;
    assert_eq!(place.ask::<i64>("SELECT count(*) FROM events"), 8);
}

#[tokio::test]
async fn while_every_connection_is_in_use_others_hear_when_to_come_back() {
    let place = Place::with("max_connections = 8", "");
    let bugle = place.serve();
    let expecting = head(2).replace("Host", "Expect: 100-continue\r\nHost");
    let mut busy = join_all((0..8).map(|_| say(&bugle, expecting.as_bytes()))).await;
    for stream in &mut busy {
        assert_eq!(status_of(stream).await, 100, "it is in hand");
        stream.write_all(b"{").await.unwrap();
    }
    let refused = end_of(say(&bugle, (head(2) + "{}").as_bytes()).await).await;
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    for words in ["retry-after: 10\r\n", "connection: close\r\n", "too_many_connections"] {
        assert!(refused.contains(words), "{refused}");
    }
    for path in ["/healthz", "/readyz"] {
        assert_eq!(answer(bugle.request(Method::GET, path)).await.0, 200);
    }
    for stream in &mut busy {
        stream.write_all(b"}").await.unwrap();
        assert_eq!(status_of(stream).await, 200);
    }
    assert_eq!(bugle.post("backend", "{}").await.0, 200);
    let reason = [("source", ""), ("reason", "too_many_connections")];
    Exposition::of(&bugle).await.shows(&[("bugle_webhooks_rejected_total", &reason, 1.0)]);
}

#[tokio::test]
async fn a_flood_of_refusals_is_told_once_and_then_by_its_number() {
    let place = Place::with("", "");
    let mut bugle = place.serve();
    for _ in 0..100 {
        for (path, status) in [("/hooks/backend/wrong", 401), ("/hooks/a-guess/x", 404), ("/a-scan", 404)] {
            assert_eq!(answer(bugle.request(Method::POST, path).body("{}")).await.0, status);
        }
    }
    let shown = Exposition::of(&bugle).await;
    shown.shows(&[
        ("bugle_webhooks_rejected_total", &[("source", "backend"), ("reason", "unauthorized")], 100.0),
        ("bugle_webhooks_rejected_total", &[("source", ""), ("reason", "unknown_source")], 100.0),
    ]);
    bugle.signal(Signal::SIGTERM);
    assert!(bugle.end().await.success());
    bugle.says("\"message\":\"stopped\"", 1).await;
    let log = bugle.log();
    assert_eq!(log.matches("webhook refused").count(), 2, "{log}");
    let counted = |field: &str| {
        let lines =
            log.lines().filter(|line| line.contains("more webhooks were refused for the same reason"));
        lines.filter(|line| line.contains(field)).count()
    };
    assert_eq!((counted("\"count\":99"), counted("unauthorized"), counted("unknown_source")), (2, 1, 1));
}

/// One that sends a byte now and then, until its connection has ended.
async fn drip(mut stream: TcpStream, bytes: &[u8]) -> String {
    let mut got = Vec::new();
    let begun = Instant::now();
    loop {
        let pause = Duration::from_millis(300);
        match timeout(pause, stream.read_buf(&mut got)).await {
            Ok(Ok(1..)) => {}
            Ok(_) => return String::from_utf8_lossy(&got).into_owned(),
            Err(_) if stream.write_all(bytes).await.is_err() => {
                return String::from_utf8_lossy(&got).into_owned();
            }
            Err(_) => assert!(begun.elapsed() < PATIENCE, "the connection ends"),
        }
    }
}

/// One that asks again and again and never listens, until its connection has ended.
async fn never_listen(mut stream: TcpStream) {
    let requests = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n".repeat(10_000);
    let asking = async { while stream.write_all(&requests).await.is_ok() {} };
    timeout(PATIENCE, asking).await.expect("the connection ends");
}

#[tokio::test]
async fn whoever_is_slow_or_without_end_is_left_by_a_bound_and_others_are_served() {
    let place = Place::with("", "");
    let bugle = place.serve();
    let chunked = "POST /hooks/backend/wrong HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    let second = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /heal";
    let silent = async { end_of(say(&bugle, b"").await).await };
    let slow_head = async { drip(say(&bugle, b"GET / HTTP/1.1\r\n").await, b"a: b\r\n").await };
    let slow_second = async { drip(say(&bugle, second.as_bytes()).await, b"t").await };
    let slow_body = async { drip(say(&bugle, head(100_000).as_bytes()).await, b" ").await };
    let stalled = async { end_of(say(&bugle, (head(100_000) + "{").as_bytes()).await).await };
    let endless = async { drip(say(&bugle, chunked.as_bytes()).await, b"1\r\nx\r\n").await };
    let deaf = async { never_listen(say(&bugle, b"").await).await };
    let served = async {
        for _ in 0..50 {
            assert_eq!(bugle.post("backend", "{}").await.0, 200);
            sleep(Duration::from_millis(200)).await;
        }
    };
    let (silent, slow_head, slow_second, slow_body, stalled, endless, (), ()) =
        tokio::join!(silent, slow_head, slow_second, slow_body, stalled, endless, deaf, served);
    assert!(silent.contains(" 408 ") && slow_head.contains(" 408 "), "{silent} {slow_head}");
    assert_eq!(slow_second.matches("HTTP/1.1 ").count(), 1, "{slow_second}");
    assert!(slow_body.contains("too_slow") && stalled.contains("too_slow"), "{slow_body} {stalled}");
    assert!(endless.contains("unauthorized"), "{endless}");
    assert_eq!(place.ask::<i64>("SELECT count(*) FROM events"), 50);
}

#[tokio::test]
async fn a_caller_who_has_said_all_and_closes_its_half_is_answered() {
    let place = Place::with("", "");
    let bugle = place.serve();
    let mut stream = say(&bugle, (head(2) + "{}").as_bytes()).await;
    stream.shutdown().await.unwrap();
    assert!(end_of(stream).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn two_thousand_requests_at_once_on_one_connection_are_answered_in_turn() {
    let place = Place::with("", "");
    let bugle = place.serve();
    let stream = TcpStream::connect(&bugle.address).await.unwrap();
    let (mut answers, mut requests) = stream.into_split();
    let asked = "HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n".repeat(1_999)
        + "HEAD /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let asking = async { requests.write_all(asked.as_bytes()).await.unwrap() };
    let mut got = String::new();
    let answered = timeout(PATIENCE, answers.read_to_string(&mut got));
    let ((), answered) = tokio::join!(asking, answered);
    answered.unwrap().unwrap();
    assert_eq!(got.matches("HTTP/1.1 200 OK").count(), 2_000);
}
