//! Callers who do not speak HTTP, or two at once: too much of a head, forged lengths, random bytes.

use std::fmt::Write as _;

use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::time::timeout;

use crate::bugle::{Bugle, PATIENCE, Place, TOKEN};

/// All that is answered to `bytes` by the end of the connection. More than is taken need not be sent.
async fn answers(bugle: &Bugle, bytes: &[u8]) -> String {
    let stream = TcpStream::connect(&bugle.address).await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let saying = async {
        // The half that was said all is closed, so that nobody waits for more.
        drop(writer.write_all(bytes).await);
        drop(writer.shutdown().await);
    };
    let mut got = Vec::new();
    let hearing = timeout(PATIENCE, reader.read_to_end(&mut got));
    let ((), heard) = tokio::join!(saying, hearing);
    drop(heard.expect("the connection ends"));
    String::from_utf8_lossy(&got).into_owned()
}

fn statuses(answers: &str) -> Vec<u16> {
    let lines = answers.lines().filter_map(|line| line.strip_prefix("HTTP/1.1 "));
    lines.filter_map(|line| line.split(' ').next()?.parse().ok()).collect()
}

#[tokio::test]
async fn a_head_may_be_large_but_not_without_end() {
    let place = Place::with("", "");
    let bugle = place.serve();
    let post = |more: &str| {
        format!("POST /hooks/backend/{TOKEN} HTTP/1.1\r\nHost: x\r\n{more}Content-Length: 2\r\n\r\n{{}}")
    };
    let one = |size: usize| post(&format!("X-Filler: {}\r\n", "f".repeat(size)));
    let many = |count: usize| {
        let mut headers = String::new();
        (0..count).for_each(|number| write!(headers, "X-{number}: f\r\n").unwrap());
        post(&headers)
    };
    let line = |size: usize| format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(size));
    for (what, request, expected) in [
        ("9 KiB", one(9 << 10), &[200][..]),
        ("100 KiB", one(100 << 10), &[200]),
        ("1 MiB", one(1 << 20), &[431]),
        ("90 headers", many(90), &[200]),
        ("500 headers", many(500), &[431]),
        ("a path of 1 MiB", line(1 << 20), &[431]),
    ] {
        let got = answers(&bugle, request.as_bytes()).await;
        // Whoever goes on sending may miss the answer.
        assert!(statuses(&got) == expected || (expected[0] >= 400 && got.is_empty()), "{what}: {got}");
    }
    assert_eq!(bugle.post("backend", "{}").await.0, 200);
}

#[tokio::test]
async fn a_length_that_can_be_read_in_two_ways_is_none() {
    let place = Place::with("", "");
    let bugle = place.serve();
    let hidden = format!("POST /hooks/backend/{TOKEN} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{{}}");
    for lengths in [
        "Content-Length: 5\r\nContent-Length: 0\r\n",
        "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
        "Content-Length: +0\r\n",
        "Content-Length: 0, 5\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 99999999999999999999\r\n",
        "Transfer-Encoding: identity, chunked, identity\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding: \x0bchunked\r\n",
        " Content-Length: 5\r\n",
    ] {
        let head = format!("POST /hooks/backend/{TOKEN} HTTP/1.1\r\nHost: x\r\n{lengths}\r\n");
        let got = answers(&bugle, format!("{head}0\r\n\r\n{hidden}").as_bytes()).await;
        assert_eq!(statuses(&got), [400], "{lengths:?}: {got}");
    }
    assert_eq!(place.ask::<i64>("SELECT count(*) FROM events"), 0, "none was taken for two");
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let valid = format!("POST /hooks/backend/{TOKEN} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{{}}");
    let chunked = format!(
        "POST /hooks/backend/{TOKEN} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n"
    );
    let seeds = [valid, chunked, "GET /healthz HTTP/1.1\r\n\r\n".to_owned()];
    let changed =
        (prop::sample::select(seeds.to_vec()).prop_map(String::into_bytes), any::<[(u16, u8); 3]>());
    let changed = changed.prop_map(|(mut bytes, changes)| {
        for (place, byte) in changes {
            let place = usize::from(place) % bytes.len();
            bytes[place] = byte;
        }
        bytes
    });
    prop_oneof![prop::collection::vec(any::<u8>(), 0..600), changed]
}

#[test]
fn whatever_is_sent_is_answered_or_left_and_survived() {
    let place = Place::with("", "");
    let bugle = place.serve();
    let runtime = Runtime::new().unwrap();
    proptest!(ProptestConfig::with_cases(300), |(all in prop::collection::vec(bytes(), 1..4))| {
        let got = runtime.block_on(answers(&bugle, &all.concat()));
        for status in statuses(&got) {
            prop_assert!(matches!(status, 100 | 200 | 400..=431), "{got}");
        }
    });
    assert_eq!(runtime.block_on(bugle.post("backend", "{}")).0, 200);
    assert!(!bugle.log().contains("panicked"));
}
