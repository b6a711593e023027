//! The other side of the relay: a pretend error tracker, which posts one webhook.

use std::io::{Error, ErrorKind, Result};
use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Posts `body` to `path` on `address`, as a tracker would; gives the status and the body of the answer.
pub async fn post(address: SocketAddr, path: &str, body: &Value) -> Result<(u16, String)> {
    let body = body.to_string();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(unreadable)?;
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).ok_or_else(unreadable)?;
    Ok((status, body.to_owned()))
}

fn unreadable() -> Error {
    Error::new(ErrorKind::InvalidData, "the answer is not HTTP")
}
