//! A tracker that calls: as fast as it is answered, or at a fixed rate.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::process::TOKEN;

/// What every event's id begins with, so that it can be found in a message; sixteen digits follow.
pub(crate) const MARK: &str = "b0b0b0b0";

static NEXT: AtomicU64 = AtomicU64::new(1);

/// A connection that is kept, as trackers do not; what is measured is the server, not the making of connections.
pub(crate) struct Tracker {
    stream: TcpStream,
    request: Vec<u8>,
    id_at: Vec<usize>,
    buffer: Vec<u8>,
}

impl Tracker {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let id = id(0);
        let body = body(&id);
        let head = format!(
            "POST /hooks/backend/{TOKEN} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let text = head + &body;
        let id_at = text.match_indices(&id).map(|(at, _)| at).collect();
        Self { stream, request: text.into_bytes(), id_at, buffer: vec![0; 16 << 10] }
    }

    /// Posts an event that there never was, and waits for the answer; its number.
    pub(crate) async fn post(&mut self) -> u64 {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let id = id(number);
        for at in &self.id_at {
            self.request[*at..*at + id.len()].copy_from_slice(id.as_bytes());
        }
        self.stream.write_all(&self.request).await.unwrap();
        let mut have = 0;
        loop {
            let read = self.stream.read(&mut self.buffer[have..]).await.unwrap();
            assert_ne!(read, 0, "the server has closed the connection");
            have += read;
            let text = String::from_utf8_lossy(&self.buffer[..have]);
            let Some((head, rest)) = text.split_once("\r\n\r\n") else { continue };
            let head = head.to_ascii_lowercase();
            let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
            if rest.len() >= length.map_or(0, |length| length.trim().parse().unwrap()) {
                assert!(head.starts_with("http/1.1 200"), "refused: {text}");
                return number;
            }
        }
    }
}

pub(crate) fn id(number: u64) -> String {
    format!("{MARK}{number:016x}")
}

/// A new error of about five kilobytes, as a server sends it.
fn body(id: &str) -> String {
    let frame = |number: usize| {
        serde_json::json!({
            "file": format!("/srv/app/src/checkout/step_{number}.rb"), "lineNumber": 100 + number,
            "columnNumber": 7, "method": format!("step_{number}"), "inProject": number < 6,
            "code": { (100 + number).to_string(): "    gateway.charge(order.total, card: order.card)" },
        })
    };
    serde_json::json!({
        "account": { "id": "acc", "name": "Larkspur", "url": "https://app.bugsnag.com/account/larkspur" },
        "project": { "id": "prj", "name": "Shop API", "url": "https://app.bugsnag.com/larkspur/shop-api" },
        "trigger": { "type": "firstException", "message": "New unhandled error" },
        "error": {
            "id": id, "errorId": id, "exceptionClass": "Payments::GatewayTimeout",
            "message": format!("the gateway did not answer ({id})"), "context": "POST /checkout/pay",
            "severity": "error", "unhandled": true, "occurrences": 1, "releaseStage": "production",
            "app": { "releaseStage": "production", "version": "1.2.3" }, "receivedAt": "2025-03-04T09:14:02.207Z",
            "url": format!("https://app.bugsnag.com/larkspur/shop-api/errors/{id}"),
            "stackTrace": (0..18).map(frame).collect::<Vec<_>>(),
        },
    })
    .to_string()
}

/// How many events a second are answered when `connections` trackers post without pause.
pub(crate) async fn flat_out(address: SocketAddr, connections: usize, span: Duration) -> f64 {
    let begun = Instant::now();
    let mut trackers = JoinSet::new();
    for _ in 0..connections {
        trackers.spawn(async move {
            let mut tracker = Tracker::connect(address).await;
            let mut count = 0_u32;
            while begun.elapsed() < span {
                tracker.post().await;
                count += 1;
            }
            count
        });
    }
    let counts = trackers.join_all().await;
    f64::from(counts.iter().sum::<u32>()) / begun.elapsed().as_secs_f64()
}

/// How long answers take when `per_second` events come, whether or not the ones before are answered: from when each
/// should have been posted.
pub(crate) async fn at_rate(address: SocketAddr, per_second: u32, span: Duration) -> Vec<Duration> {
    const CONNECTIONS: u32 = 16;
    let begun = Instant::now() + Duration::from_millis(50);
    let step = Duration::from_secs(1) / per_second;
    let mut trackers = JoinSet::new();
    for first in 0..CONNECTIONS {
        trackers.spawn(async move {
            let mut tracker = Tracker::connect(address).await;
            let mut took = Vec::new();
            for turn in (first..).step_by(CONNECTIONS as usize) {
                let due = begun + step * turn;
                if due > begun + span {
                    return took;
                }
                tokio::time::sleep_until(due.into()).await;
                tracker.post().await;
                took.push(due.elapsed());
            }
            took
        });
    }
    trackers.join_all().await.concat()
}
