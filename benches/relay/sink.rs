//! A chat that takes whatever comes, at once, and notes when.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::load::MARK;

/// The chat.
#[derive(Clone)]
pub(crate) struct Sink {
    pub(crate) address: SocketAddr,
    received: Arc<Mutex<HashMap<u64, Instant>>>,
}

impl Sink {
    pub(crate) async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let sink = Self { address: listener.local_addr().unwrap(), received: Arc::default() };
        let shared = sink.clone();
        #[expect(clippy::disallowed_methods, reason = "it ends with the bench")]
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                #[expect(clippy::disallowed_methods, reason = "it ends with the bench")]
                tokio::spawn(serve(stream, shared.clone()));
            }
        });
        sink
    }

    pub(crate) fn count(&self) -> usize {
        self.received.lock().unwrap().len()
    }

    pub(crate) fn at(&self, number: u64) -> Option<Instant> {
        self.received.lock().unwrap().get(&number).copied()
    }

    /// Waits until `count` events have come.
    pub(crate) async fn wait(&self, count: usize) {
        while self.count() < count {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

async fn serve(mut stream: TcpStream, sink: Sink) {
    drop(stream.set_nodelay(true));
    let mut buffer = vec![0; 256 << 10];
    let mut have = 0;
    loop {
        let Ok(read @ 1..) = stream.read(&mut buffer[have..]).await else { return };
        have += read;
        let text = String::from_utf8_lossy(&buffer[..have]);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let head = head.to_ascii_lowercase();
        let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
        if body.len() < length.map_or(0, |length| length.trim().parse().unwrap()) {
            continue;
        }
        if let Some(digits) = body.split(MARK).nth(1).and_then(|rest| rest.get(..16)) {
            let number = u64::from_str_radix(digits, 16).unwrap();
            sink.received.lock().unwrap().entry(number).or_insert_with(Instant::now);
        }
        have = 0;
        let answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok";
        if stream.write_all(answer).await.is_err() {
            return;
        }
    }
}
