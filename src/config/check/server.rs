//! The two listeners: `[server]` and `[admin]`.

use super::super::findings::{Finding, Findings};
use super::super::place::Place;
use super::super::{Admin, Listening, Server, raw, unit};
use super::secret::{Vault, check_strength};
use super::tls::tls;
use crate::secret::Secret;
use crate::source::Token;

const LISTEN: &str = "127.0.0.1:8080";
const ADMIN_LISTEN: &str = "127.0.0.1:8081";
const MAX_BODY: usize = 5 << 20;
const MAX_CONNECTIONS: usize = 512;

/// Checks both listeners, which must not be one.
pub(in crate::config) fn servers(
    findings: &mut Findings<'_>,
    vault: &Vault<'_>,
    top: &Place,
    server: raw::Server,
    admin: raw::Admin,
) -> (Server, Admin) {
    let server = public(findings, vault, &top.key("server"), server);
    let place = top.key("admin");
    let admin = private(findings, vault, &place, admin);
    if server.listen == admin.listen && !server.listen.ends_with(":0") {
        let finding = Finding::problem(&place.key("listen"), "both listeners have the same address");
        findings.add(finding.help("give `server.listen` and `admin.listen` different ports"));
    }
    (server, admin)
}

/// Where the public listener is, and no more.
pub(in crate::config) fn listening(
    findings: &mut Findings<'_>,
    place: &Place,
    written: &raw::Server,
) -> Listening {
    Listening {
        listen: listen(findings, place, written.listen.as_deref(), LISTEN),
        tls: written.tls.is_some(),
    }
}

fn public(findings: &mut Findings<'_>, vault: &Vault<'_>, place: &Place, written: raw::Server) -> Server {
    let max_body = findings.parsed(&place.key("max_body"), written.max_body.as_deref(), unit::size);
    let written_connections = written.max_connections.as_ref().map(|raw::Scalar(text)| text.as_str());
    let max_connections =
        findings.parsed(&place.key("max_connections"), written_connections, unit::connections);
    let proxies = place.key("trusted_proxies");
    let public_url = place.key("public_url");
    Server {
        listen: listen(findings, place, written.listen.as_deref(), LISTEN),
        public_url: written.public_url.and_then(|url| web_page(findings, &public_url, &url)),
        max_body: max_body.map_or(MAX_BODY, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX)),
        max_connections: max_connections.unwrap_or(MAX_CONNECTIONS),
        trusted_proxies: networks(findings, &proxies, written.trusted_proxies),
        tls: written.tls.and_then(|written| tls(findings, vault, &place.key("tls"), written)),
    }
}

fn private(findings: &mut Findings<'_>, vault: &Vault<'_>, place: &Place, written: raw::Admin) -> Admin {
    let at = place.key("token");
    let is_given = written.token.is_some() || findings.is_broken(&at);
    let (listen, token) = door(findings, vault, place, written);
    if let Some(token) = &token {
        check_strength(findings, &at, token);
    }
    if !is_given && !unit::is_loopback(&listen) {
        let finding =
            Finding::problem(&place.key("listen"), "the admin address can be reached from other machines");
        findings.add(finding.help("set `admin.token`, or listen on 127.0.0.1"));
    }
    Admin { listen, token: token.as_ref().map(Token::new) }
}

/// Where the admin listener is, and the token that opens it.
pub(in crate::config) fn door(
    findings: &mut Findings<'_>,
    vault: &Vault<'_>,
    place: &Place,
    written: raw::Admin,
) -> (String, Option<Secret>) {
    let listen = listen(findings, place, written.listen.as_deref(), ADMIN_LISTEN);
    let token = written.token.and_then(|token| vault.open(findings, &place.key("token"), &token));
    (listen, token)
}

fn listen(findings: &mut Findings<'_>, place: &Place, written: Option<&str>, default: &str) -> String {
    findings.parsed(&place.key("listen"), written, unit::listen).unwrap_or_else(|| default.to_owned())
}

/// Networks, where single addresses may stand for themselves.
pub(in crate::config) fn networks(
    findings: &mut Findings<'_>,
    place: &Place,
    written: Option<raw::List<String>>,
) -> Vec<ipnet::IpNet> {
    let entries = written.into_iter().flatten().enumerate();
    let networks =
        entries.filter_map(|(i, text)| findings.parsed(&place.index(i), text.as_deref(), unit::network));
    networks.collect()
}

fn web_page(findings: &mut Findings<'_>, place: &Place, written: &str) -> Option<String> {
    match url::Url::parse(written) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.host_str().is_some() => {
            Some(written.trim_end_matches('/').to_owned())
        }
        _ => {
            let finding = Finding::problem(place, "this is no web address");
            findings.add(
                finding.expected("http:// or https:// and a host, such as \"https://bugle.example.com\""),
            );
            None
        }
    }
}
