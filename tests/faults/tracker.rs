//! The trackers: bodies of both products, and the ways in which they reach the relay, whole or not.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use fastrand::Rng;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::ground::TOKEN;
use crate::ledger::{Answer, Circle, Mark, Posted};

/// Nothing that is asked is answered as late as this.
const NEVER: Duration = Duration::from_secs(40);

/// A webhook, ready to be sent.
#[derive(Debug, Clone)]
pub(crate) struct Webhook {
    source: &'static str,
    body: Vec<u8>,
    events: Vec<(Mark, Circle)>,
}

/// How a request reaches the relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// In good order.
    Whole,
    /// In small pieces, with pauses.
    Slowly,
    /// In full, but nobody waits for the answer.
    Deaf,
    /// Cut off in its middle, in good order.
    Cut,
    /// Cut off in its middle by a reset.
    Torn,
}

impl Webhook {
    /// One of either product, with events of its own, numbered from `next` on, and up to so many bytes that say nothing. If
    /// there are only so many `errors`, it is of one of those.
    pub(crate) fn any(dice: &mut Rng, next: &mut u32, padding: usize, errors: Option<u32>) -> Self {
        let is_batch = dice.bool();
        let count = if is_batch { dice.u32(1..=3) } else { 1 };
        let events: Vec<_> = (0..count)
            .map(|_| {
                *next += 1;
                (Mark(*next), Circle::ALL[dice.usize(..Circle::ALL.len())])
            })
            .collect();
        if !is_batch {
            let body = bugsnag(events[0], dice, padding, errors);
            return Self { source: "backend", body, events };
        }
        let elements: Vec<Value> = events.iter().map(|event| bugfender(*event, dice)).collect();
        Self { source: "mobile", body: Value::Array(elements).to_string().into_bytes(), events }
    }

    /// Sends it to `address` by `way`, and says how that ended.
    pub(crate) async fn post(&self, address: SocketAddr, way: Way) -> Posted {
        let mut sent = None;
        let answer = timeout(NEVER, self.exchange(address, way, &mut sent)).await.unwrap_or(Answer::Hung);
        Posted { events: self.events.clone(), answer, sent }
    }

    /// What is noted of it if it could not be sent.
    pub(crate) fn unsent(&self, answer: Answer) -> Posted {
        Posted { events: self.events.clone(), answer, sent: None }
    }

    async fn exchange(&self, address: SocketAddr, way: Way, sent: &mut Option<Instant>) -> Answer {
        let Ok(mut stream) = TcpStream::connect(address).await else { return Answer::Nobody };
        let request = self.request();
        let half = &request[..request.len() - self.body.len() / 2 - 1];
        let written = match way {
            Way::Whole | Way::Deaf => stream.write_all(&request).await,
            Way::Slowly => slowly(&mut stream, &request).await,
            Way::Cut => stream.write_all(half).await,
            Way::Torn => stream.write_all(half).await.and_then(|()| stream.set_zero_linger()),
        };
        if written.is_err() || matches!(way, Way::Cut | Way::Torn) {
            return Answer::None;
        }
        *sent = Some(Instant::now());
        if way == Way::Deaf {
            return Answer::None;
        }
        let mut answer = Vec::new();
        // An answer that is cut off after its first line is one all the same.
        drop(stream.read_to_end(&mut answer).await);
        let status = String::from_utf8_lossy(&answer).split(' ').nth(1).and_then(|word| word.parse().ok());
        match status {
            Some(200) => Answer::Accepted,
            Some(status) => Answer::Refused(status),
            None => Answer::None,
        }
    }

    fn request(&self) -> Vec<u8> {
        let head = format!(
            "POST /hooks/{}/{TOKEN} HTTP/1.1\r\nHost: bugle\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n",
            self.source,
            self.body.len()
        );
        [head.as_bytes(), &self.body].concat()
    }
}

async fn slowly(stream: &mut TcpStream, request: &[u8]) -> std::io::Result<()> {
    for piece in request.chunks(request.len() / 6 + 1) {
        stream.write_all(piece).await?;
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

fn bugsnag((mark, circle): (Mark, Circle), dice: &mut Rng, padding: usize, errors: Option<u32>) -> Vec<u8> {
    let triggers = ["firstException", "exception", "reopened"];
    let error = errors.map_or(mark.0, |errors| mark.0 % errors);
    json!({
        "account": {"id": "acc", "name": "Larkspur", "url": "https://app.bugsnag.com/account/larkspur"},
        "project": {"id": "prj", "name": "Shop API", "url": "https://app.bugsnag.com/larkspur/shop-api"},
        "trigger": {"type": triggers[dice.usize(..triggers.len())], "message": "New unhandled error"},
        "error": {
            "id": format!("event-{mark}"), "errorId": format!("group-{error}"),
            "exceptionClass": "Timeout", "message": words(mark, circle),
            "severity": "error", "unhandled": true, "app": {"releaseStage": "production", "version": "1.2.3"},
            "url": "https://app.bugsnag.com/larkspur/shop-api/errors/1",
            "metaData": {"padding": "*_~`<@!&> ".repeat(dice.usize(..padding) / 10)},
        },
    })
    .to_string()
    .into_bytes()
}

fn bugfender((mark, circle): (Mark, Circle), dice: &mut Rng) -> Value {
    let kinds = ["crash", "issue", "feedback"];
    json!({
        "id": format!("id-{mark}"), "uid": format!("id-{mark}"), "title": "EXC_BAD_ACCESS (SIGSEGV)",
        "text": words(mark, circle), "app": {"id": 48213, "name": "Harbor Companion"},
        "type": kinds[dice.usize(..kinds.len())], "status": "open",
        "self": "https://dashboard.bugfender.com/3/app/Kq7Zr2mVbT/crashes/1",
    })
}

fn words(mark: Mark, circle: Circle) -> String {
    format!("for {} to hear: {mark} <!channel> @everyone", circle.word())
}
