//! HTTP/1.1 on a socket, as far as a chat webhook's server needs it: kept connections, bodies by length and in chunks,
//! `Expect: 100-continue`. Written here because the demo and the tests need what no server library offers: to fail on
//! the wire in chosen ways.

use std::io::{Error, ErrorKind, Result};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::{Answer, Request};

/// The largest request line with headers.
const HEAD_MAX: u64 = 64 * 1024;
/// The largest body. Above what any of the platforms takes, so that their own limits are the ones that are met.
const BODY_MAX: usize = 64 * 1024 * 1024;

/// A connection that a client keeps for request after request.
#[derive(Debug)]
pub(super) struct Wire(BufReader<TcpStream>);

impl Wire {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self(BufReader::new(stream))
    }

    /// Reads one request to its end; nothing if the client is done. Malformed ones are [`ErrorKind::InvalidData`].
    pub(super) async fn read(&mut self) -> Result<Option<Request>> {
        let Some(mut request) = self.head().await? else { return Ok(None) };
        if request.header("expect").is_some_and(|expect| expect.eq_ignore_ascii_case("100-continue")) {
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        let codings = request.header("transfer-encoding").unwrap_or_default();
        request.body = if codings.eq_ignore_ascii_case("chunked") {
            self.chunks().await?
        } else if codings.is_empty() {
            let length = request.header("content-length").unwrap_or("0").parse().map_err(malformed)?;
            self.exactly(length).await?
        } else {
            return Err(malformed("an unknown transfer coding"));
        };
        Ok(Some(request))
    }

    async fn head(&mut self) -> Result<Option<Request>> {
        let mut left = HEAD_MAX;
        let Some(first) = self.line(&mut left).await? else { return Ok(None) };
        let mut words = first.split(' ');
        let (Some(method), Some(target), Some("HTTP/1.1"), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(malformed("not an HTTP/1.1 request line"));
        };
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut request = Request {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            ..Request::default()
        };
        loop {
            let line = self.line(&mut left).await?.ok_or_else(|| malformed("cut off in its headers"))?;
            if line.is_empty() {
                return Ok(Some(request));
            }
            let (name, value) = line.split_once(':').ok_or_else(|| malformed("a header without a colon"))?;
            request.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    /// A line without its end; nothing at the end of the stream.
    async fn line(&mut self, left: &mut u64) -> Result<Option<String>> {
        let mut line = Vec::new();
        let read = (&mut self.0).take(*left).read_until(b'\n', &mut line).await?;
        if read == 0 && *left > 0 {
            return Ok(None);
        }
        *left = left.saturating_sub(u64::try_from(read).unwrap_or(u64::MAX));
        let line = line.strip_suffix(b"\n").ok_or_else(|| malformed("cut off, or its head is too large"))?;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        String::from_utf8(line.to_vec()).map(Some).map_err(malformed)
    }

    async fn exactly(&mut self, length: usize) -> Result<Vec<u8>> {
        if length > BODY_MAX {
            return Err(malformed("its body is too large"));
        }
        let mut bytes = vec![0; length];
        self.0.read_exact(&mut bytes).await?;
        Ok(bytes)
    }

    async fn chunks(&mut self) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let mut left = HEAD_MAX;
            let size = self.line(&mut left).await?.ok_or_else(|| malformed("cut off between chunks"))?;
            let digits = size.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(digits, 16).map_err(malformed)?;
            if size == 0 {
                break;
            }
            if body.len().saturating_add(size) > BODY_MAX {
                return Err(malformed("its body is too large"));
            }
            body.extend(self.exactly(size).await?);
            self.exactly(2).await?;
        }
        // What may follow the last chunk is trailers, up to an empty line.
        let mut left = HEAD_MAX;
        while self.line(&mut left).await?.is_some_and(|line| !line.is_empty()) {}
        Ok(body)
    }

    /// Sends `answer`, `extra` of whose bytes follow the given body.
    pub(super) async fn answer(&mut self, answer: &Answer, extra: usize) -> Result<()> {
        self.write(&bytes(answer, extra)).await?;
        let filling = vec![b' '; 16 * 1024];
        let mut left = extra;
        while left > 0 {
            let part = filling.get(..left).unwrap_or(&filling);
            self.write(part).await?;
            left -= part.len();
        }
        Ok(())
    }

    /// Sends the first half of `answer`, which leaves its reader waiting for the rest.
    pub(super) async fn half(&mut self, answer: &Answer) -> Result<()> {
        let bytes = bytes(answer, 0);
        let (half, _) = bytes.split_at(bytes.len() / 2);
        self.write(half).await
    }

    /// Sends `answer` byte by byte.
    pub(super) async fn drip(&mut self, answer: &Answer, pause: Duration) -> Result<()> {
        for byte in bytes(answer, 0) {
            sleep(pause).await;
            self.write(&[byte]).await?;
        }
        Ok(())
    }

    /// Breaks the connection, so that the peer meets a reset and not an end.
    pub(super) fn reset(self) -> Result<()> {
        self.0.into_inner().set_zero_linger()
    }

    /// Waits until the client hangs up, whatever it still says.
    pub(super) async fn until_closed(&mut self) -> Result<()> {
        let mut ignored = [0; 1024];
        while self.0.read(&mut ignored).await? > 0 {}
        Ok(())
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.0.get_mut().write_all(bytes).await
    }
}

/// The answer as it goes over the wire, without the `extra` bytes that its length announces.
fn bytes(answer: &Answer, extra: usize) -> Vec<u8> {
    let Answer { status, headers, body, .. } = answer;
    let mut head = format!("HTTP/1.1 {status} {}\r\n", phrase(*status));
    for (name, value) in headers {
        head.extend([name, ": ", value, "\r\n"]);
    }
    if *status != 204 {
        let length = (body.len() + extra).to_string();
        head.extend(["Content-Length: ", &length, "\r\n"]);
    }
    head.push_str("\r\n");
    let mut bytes = head.into_bytes();
    bytes.extend(body);
    bytes
}

fn phrase(status: u16) -> &'static str {
    match status {
        200..300 => "OK",
        300..400 => "Elsewhere",
        429 => "Too Many Requests",
        400..500 => "Refused",
        _ => "Failed",
    }
}

fn malformed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(ErrorKind::InvalidData, error)
}
