//! How a command reaches the server on its own machine: where it listens, and a client for it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

/// Where to ask a server that listens at `listen`, which `key` of the configuration says. One that listens everywhere is
/// asked on loopback.
pub(super) fn host(listen: &str, key: &str) -> Result<String> {
    Ok(match listen.parse::<SocketAddr>() {
        Ok(address) if address.port() == 0 => {
            bail!("{key} is {listen}: the server's port is not known beforehand")
        }
        Ok(address) => {
            let ip = match address.ip() {
                IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
                IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
                ip => ip,
            };
            SocketAddr::new(ip, address.port()).to_string()
        }
        // A name, which is looked up when it is asked.
        Err(_) => listen.to_owned(),
    })
}

/// A client that waits for an answer for so long. It believes any certificate: this is our own server, on our own
/// machine, under a name that is not the certificate's; and what is secret is only said where there is no TLS.
pub(super) fn client(patience: Duration) -> Result<reqwest::Client> {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .tls_danger_accept_invalid_certs(true)
        .timeout(patience)
        .build()
        .context("the HTTP client cannot be made")
}

/// More bytes of an answer are not read: our own server's figures are a tenth of it.
const ANSWER: usize = 4 << 20;

/// What somebody answered.
#[derive(Debug)]
pub(super) struct Answer {
    /// The status.
    pub(super) status: u16,
    /// The body, as far as it was read.
    pub(super) body: String,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Silence {
    /// No connection could be made.
    Nobody,
    /// None came in time.
    Timeout,
    /// What came was no HTTP, or broke off.
    Broken,
}

/// Asks our own server for `url`, by `token` if there is one. What it answers is believed, whatever its certificate says.
pub(super) async fn ask(url: &str, token: Option<&str>, patience: Duration) -> Result<Answer, Silence> {
    let http = client(patience).or(Err(Silence::Broken))?;
    let request = http.get(url);
    let request = if let Some(token) = token { request.bearer_auth(token) } else { request };
    read(request.send().await).await
}

/// Asks for `url` as somebody from outside does: only a certificate that is in order will do, and a proxy is used where the
/// environment says so. No redirect is followed.
pub(super) async fn ask_from_outside(url: &str, patience: Duration) -> Result<Answer, Silence> {
    let http = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .timeout(patience)
        .build()
        .or(Err(Silence::Broken))?;
    read(http.get(url).send().await).await
}

async fn read(answer: reqwest::Result<reqwest::Response>) -> Result<Answer, Silence> {
    let mut answer = answer.map_err(|error| match () {
        () if error.is_timeout() => Silence::Timeout,
        () if error.is_connect() => Silence::Nobody,
        () => Silence::Broken,
    })?;
    let mut body = Vec::new();
    while body.len() < ANSWER {
        match answer.chunk().await {
            Ok(Some(part)) => body.extend_from_slice(&part),
            Ok(None) => break,
            Err(_) => return Err(Silence::Broken),
        }
    }
    Ok(Answer { status: answer.status().as_u16(), body: String::from_utf8_lossy(&body).into_owned() })
}
