//! Bodies that are packed, too large, endless, broken off or without end in depth.

use std::io::Write as _;
use std::time::Duration;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use reqwest::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::bugle::{Bugle, Place, TOKEN, answer, bugsnag};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

async fn post(bugle: &Bugle, coding: &str, body: Vec<u8>) -> u16 {
    let request = bugle.request(Method::POST, &format!("/hooks/backend/{TOKEN}"));
    answer(request.header("content-encoding", coding).body(body)).await.0
}

#[tokio::test]
async fn packed_bodies_are_unpacked_and_limited_both_ways() {
    // Made first: it takes so long that a connection would not be kept open for it.
    let bomb = gzip(&vec![b' '; 50 << 20]);
    let place = Place::with("max_body = \"100KiB\"", "");
    let bugle = place.serve();
    let event = bugsnag("packed", serde_json::json!({}));
    assert_eq!(post(&bugle, "gzip", gzip(event.as_bytes())).await, 200);
    let mut deflate = ZlibEncoder::new(Vec::new(), Compression::default());
    deflate.write_all(bugsnag("deflated", serde_json::json!({})).as_bytes()).unwrap();
    assert_eq!(post(&bugle, "deflate", deflate.finish().unwrap()).await, 200);

    assert!(bomb.len() < 100 << 10);
    assert_eq!(post(&bugle, "gzip", bomb).await, 413, "small packed, large unpacked");
    let twice = [gzip(b"{\"trigger\":"), gzip(b"{}}")].concat();
    assert_eq!(post(&bugle, "gzip", twice).await, 200, "two members make one body");
    let mut raw = DeflateEncoder::new(Vec::new(), Compression::default());
    raw.write_all(b"{\"trigger\":{}}").unwrap();
    assert_eq!(post(&bugle, "deflate", raw.finish().unwrap()).await, 200);
    let mut cut = gzip(event.as_bytes());
    cut.truncate(cut.len() / 2);
    assert_eq!(post(&bugle, "gzip", cut).await, 400);
    assert_eq!(place.ask::<i64>("SELECT count(*) FROM events"), 4);
}

#[tokio::test]
async fn exactly_the_limit_is_taken_and_one_more_is_not() {
    let place = Place::with("max_body = \"10KiB\"", "");
    let bugle = place.serve();
    let padded = |size: usize| {
        let body = "{\"trigger\":{}}".to_owned();
        let pad = " ".repeat(size - body.len());
        body + &pad
    };
    assert_eq!(bugle.post("backend", padded(10 << 10)).await.0, 200);
    assert_eq!(bugle.post("backend", padded((10 << 10) + 1)).await.0, 413);
}

#[tokio::test]
async fn depth_without_end_and_odd_shapes_are_events() {
    let place = Place::with("", "");
    let bugle = place.serve();
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    assert_eq!(bugle.post("backend", deep.clone()).await.0, 200);
    assert_eq!(bugle.post("mobile", format!("{{\"title\":{deep}}}")).await.0, 200);
    assert_eq!(bugle.post("backend", "{\"a\":\"\\ud800\"}").await.0, 200);
    let many = |count: usize| format!("[{}]", vec!["1"; count].join(","));
    assert_eq!(bugle.accept("mobile", many(3_000)).await.len(), 3_000);
    assert_eq!(bugle.accept("mobile", many(2_000_000)).await.len(), 1, "kept whole");
    assert_eq!(place.ask::<i64>("SELECT count(*) FROM events WHERE trigger = 'unreadable'"), 3_004);
}

#[tokio::test]
async fn a_sender_that_hangs_up_in_the_middle_leaves_nothing_behind() {
    let place = Place::with("", "");
    let bugle = place.serve();
    let mut stream = TcpStream::connect(&bugle.address).await.unwrap();
    let head = format!(
        "POST /hooks/backend/{TOKEN} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{{\"trigger\""
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    drop(stream);
    assert_eq!(bugle.post("backend", "{}").await.0, 200);
    assert_eq!(place.ask::<i64>("SELECT count(*) FROM events"), 1);
}

#[tokio::test]
async fn what_is_not_http_is_answered_and_survived() {
    let place = Place::with("", "");
    let bugle = place.serve();
    for garbage in ["GET\r\n\r\n", "POST /hooks/backend HTTP/9.9\r\n\r\n", "\u{0}\u{1}\u{2}\r\n\r\n"] {
        let mut stream = TcpStream::connect(&bugle.address).await.unwrap();
        stream.write_all(garbage.as_bytes()).await.unwrap();
        let mut got = Vec::new();
        // An answer or a closed connection: either way it does not hang.
        drop(tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut got)).await.unwrap());
        assert!(!String::from_utf8_lossy(&got).contains(" 500 "));
    }
    assert_eq!(bugle.post("backend", "{}").await.0, 200);
}
