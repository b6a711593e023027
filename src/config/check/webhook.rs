//! The address of a webhook: which hosts may be posted to, and whether it looks like one.
//!
//! Nothing here repeats the address: only its host may be shown.

use url::Url;

use super::super::node::Node;
use crate::destination::{PRODUCTS, Platform, platform};

/// A host that the operator allows, beyond the platforms' own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::config) struct Host {
    name: String,
    port: Option<u16>,
}

impl Host {
    /// Reads `host` or `host:port`.
    pub(in crate::config) fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(&format!("https://{text}")).ok()?;
        let is_bare = url.path() == "/" && !text.contains(['/', '@', '?', '#', '*', ' ']);
        let port = match text.rsplit_once(':') {
            Some((_, port)) if !port.ends_with(']') => Some(port.parse().ok()?),
            _ => None,
        };
        url.host_str().filter(|_| is_bare).map(|name| Self { name: name.to_owned(), port })
    }

    fn covers(&self, url: &Url) -> bool {
        url.host_str() == Some(&self.name)
            && self.port.is_none_or(|port| Some(port) == url.port_or_known_default())
    }
}

/// An address that may be posted to.
#[derive(Debug)]
pub(in crate::config) struct Webhook {
    /// The address, taken apart.
    pub(in crate::config) url: Url,
    /// Whether it lies on one of the platform's own hosts.
    pub(in crate::config) own_host: bool,
}

/// What is wrong with an address.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::config) struct Flaw {
    /// What is wrong.
    pub(in crate::config) message: String,
    /// What to do.
    pub(in crate::config) help: Option<String>,
}

/// Looks at an address. On `allowed` hosts its shape is the operator's business.
pub(in crate::config) fn look(
    address: &str,
    platform: &dyn Platform,
    allowed: &[Host],
) -> Result<Webhook, Flaw> {
    if address.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(Flaw::new("the address has a space or a line break in it", None));
    }
    let url = Url::parse(address).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let Some((url, host)) = url.and_then(|url| Some((url.clone(), url.host_str()?.to_owned()))) else {
        return Err(Flaw::new("this is no web address", Some("it begins with https://".to_owned())));
    };
    let own_host = platform.hosts().iter().any(|pattern| is_on(&host, pattern));
    if allowed.iter().any(|allowed| allowed.covers(&url)) {
        return Ok(Webhook { url, own_host });
    }
    if url.scheme() != "https" {
        let help = if own_host {
            "write https:// in its place".to_owned()
        } else {
            format!("if `{host}` is meant, list it in `allowed_hosts`")
        };
        return Err(Flaw::new("only https is allowed", Some(help)));
    }
    if !own_host || url.port_or_known_default() != Some(443) {
        return Err(elsewhere(&url, &host, platform));
    }
    if !address.is_ascii() || !url.username().is_empty() || url.password().is_some() {
        let help = "copy the whole address from the platform, and nothing else".to_owned();
        return Err(Flaw::new("the address has something in it that no webhook has", Some(help)));
    }
    if url.fragment().is_some() {
        return Err(Flaw::new("the address has a `#`, and what follows one is never sent", None));
    }
    match platform.check_url(&url) {
        Ok(()) => Ok(Webhook { url, own_host }),
        Err(sentence) => Err(Flaw::new(&sentence, None)),
    }
}

impl Flaw {
    fn new(message: &str, help: Option<String>) -> Self {
        Self { message: message.to_owned(), help }
    }
}

fn elsewhere(url: &Url, host: &str, platform: &dyn Platform) -> Flaw {
    let shown = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let message = format!("`{shown}` is no host of {}", platform.product());
    let help = match owner(host) {
        Some(product) if product != platform.product() => {
            format!("it is one of {product}: is the `type` right?")
        }
        _ => format!("if it is meant, list `{shown}` in `allowed_hosts`"),
    };
    Flaw { message, help: Some(help) }
}

/// The product that `host` belongs to.
pub(in crate::config) fn owner(host: &str) -> Option<&'static str> {
    let empty = Node::Table(std::collections::BTreeMap::new());
    PRODUCTS.into_iter().find(|product| match platform(product, &empty) {
        Some(Ok(platform)) => platform.hosts().iter().any(|pattern| is_on(host, pattern)),
        _ => false,
    })
}

/// Whether `host` is the one of `pattern`; a leading `*.` stands for any sub-domain.
fn is_on(host: &str, pattern: &str) -> bool {
    match pattern.strip_prefix("*.") {
        Some(domain) => host.strip_suffix(domain).is_some_and(|sub| sub.len() > 1 && sub.ends_with('.')),
        None => host == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_with_or_without_a_port() {
        let parse = |text| Host::parse(text).map(|host| (host.name, host.port));
        assert_eq!(parse("Chat.example.com"), Some(("chat.example.com".to_owned(), None)));
        assert_eq!(parse("127.0.0.1:9999"), Some(("127.0.0.1".to_owned(), Some(9999))));
        assert_eq!(parse("[::1]:443"), Some(("[::1]".to_owned(), Some(443))));
        assert_eq!(parse("[::1]"), Some(("[::1]".to_owned(), None)));
        for text in ["", "https://x", "x/y", "x:99999", "x:", "a b", "u@x", "*.example.com"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn an_entry_without_a_port_covers_any() {
        let covers = |host: &str, url: &str| Host::parse(host).unwrap().covers(&Url::parse(url).unwrap());
        assert!(covers("x.com", "http://x.com:1234/a") && covers("x.com", "https://X.com/a"));
        assert!(covers("x.com:443", "https://x.com/a") && covers("x.com:80", "http://x.com/"));
        assert!(!covers("x.com:80", "https://x.com/a") && !covers("x.com", "https://y.x.com/"));
    }

    #[test]
    fn a_star_stands_for_sub_domains_only() {
        assert!(is_on("a.b.example.com", "*.example.com"));
        assert!(!is_on("example.com", "*.example.com"));
        assert!(!is_on(".example.com", "*.example.com"));
        assert!(!is_on("badexample.com", "*.example.com"));
        assert!(!is_on("x.example.com", "example.com"));
    }
}
