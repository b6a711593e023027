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
