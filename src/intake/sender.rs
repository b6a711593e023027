//! Who calls: the address, behind proxies or not.

use std::net::{IpAddr, SocketAddr};

use actix_web::HttpRequest;
use ipnet::IpNet;

/// The sender's address. Behind trusted proxies it is the last address of `X-Forwarded-For` that is not one of them;
/// nothing if that cannot be read, for then it may be forged. From anyone else the header counts for nothing.
pub(super) fn address(request: &HttpRequest, trusted: &[IpNet]) -> Option<IpAddr> {
    let peer = request.peer_addr()?.ip().to_canonical();
    let is_proxy = |address: &IpAddr| trusted.iter().any(|net| net.contains(address));
    if !is_proxy(&peer) {
        return Some(peer);
    }
    let mut sender = peer;
    let mut lines: Vec<_> = request.headers().get_all("x-forwarded-for").collect();
    lines.reverse();
    for line in lines {
        for entry in line.to_str().ok()?.rsplit(',') {
            sender = parse(entry)?;
            if !is_proxy(&sender) {
                return Some(sender);
            }
        }
    }
    Some(sender)
}

/// An entry of the header: an address, some proxies add the port.
fn parse(entry: &str) -> Option<IpAddr> {
    let entry = entry.trim();
    let address =
        entry.parse::<IpAddr>().or_else(|_| entry.parse::<SocketAddr>().map(|address| address.ip()));
    let bare = || entry.strip_prefix('[')?.strip_suffix(']')?.parse::<IpAddr>().ok();
    Some(address.ok().or_else(bare)?.to_canonical())
}

/// The value of `name` in the address's query.
pub(super) fn query(request: &HttpRequest, name: &str) -> Option<String> {
    url::form_urlencoded::parse(request.query_string().as_bytes())
        .find(|(key, value)| key == name && !value.is_empty())
        .map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn sender(peer: &str, forwarded: &[&str]) -> Option<String> {
        let trusted = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let mut request = TestRequest::default().peer_addr(format!("{peer}:4000").parse().unwrap());
        for line in forwarded {
            request = request.append_header(("X-Forwarded-For", *line));
        }
        address(&request.to_http_request(), &trusted).map(|address| address.to_string())
    }

    #[test]
    fn the_sender_is_the_last_address_that_is_no_trusted_proxy() {
        let cases: &[(&str, &[&str], Option<&str>)] = &[
            ("192.0.2.1", &[], Some("192.0.2.1")),
            ("192.0.2.1", &["198.51.100.7"], Some("192.0.2.1")),
            ("10.0.0.1", &[], Some("10.0.0.1")),
            ("10.0.0.1", &["198.51.100.7"], Some("198.51.100.7")),
            ("10.0.0.1", &["203.0.113.9, 198.51.100.7, 10.0.0.2"], Some("198.51.100.7")),
            ("10.0.0.1", &["203.0.113.9", "198.51.100.7"], Some("198.51.100.7")),
            ("10.0.0.1", &["198.51.100.7:5151"], Some("198.51.100.7")),
            ("10.0.0.1", &["[2001:db8::1]:443"], Some("2001:db8::1")),
            ("10.0.0.1", &["::ffff:198.51.100.7"], Some("198.51.100.7")),
            ("10.0.0.1", &["10.0.0.3, 10.0.0.2"], Some("10.0.0.3")),
            ("10.0.0.1", &["unknown"], None),
            ("10.0.0.1", &["198.51.100.7, unknown"], None),
            ("10.0.0.1", &["unknown, 198.51.100.7"], Some("198.51.100.7")),
        ];
        for (peer, forwarded, expected) in cases {
            assert_eq!(sender(peer, forwarded).as_deref(), *expected, "{peer} {forwarded:?}");
        }
    }
}
